"""The `namespaces` sandbox engine: our own small launcher over Linux namespaces.

Why no existing runtime carries it (design section 7 prefers one where it fits):

- bubblewrap always sets no_new_privs, so sudo could not be tested, and maps single ids, not ranges;
- runc and crun must be installed, and cannot be carried to a machine that lacks them;
- util-linux's `unshare` and `mount` differ between releases and know no seccomp.

So the engine talks to the kernel through libc by ctypes and needs Linux >= 5.12, Python, and, for people
who are not root, `newuidmap`/`newgidmap` with ranges in /etc/subuid and /etc/subgid.

Who is who, from the outside in::

    host side                                inside (a fresh `python -I -S`, standard library only)
    engine.py   SandboxEngine over a store   launcher.py    enters the user namespace, keeps watch, cleans up
    store.py    trees and uppers on disk     rootfs.py      builds the root and pivots into it
    lookup.py   one file of stacked trees    lend.py        root's folders, writable for one account inside
    ids.py      which ids a box may have     supervisor.py  process 1: takes orders over a socket
    cgroup.py   limits of a whole box        minder.py      one per command: streams, timeout, whole tree
    launch.py   starts the launcher          child.py       the last steps before a command is executed
    box.py      Box and Running              unpack.py      tar -> tree; removes trees
    pump.py     streams in and out           tarstream.py   reads our own tar format, fast
    terminal.py the caller's terminal        upper.py       what a box has changed
    doctor.py   what this machine can do
    both sides  wire.py (messages), linux.py (system calls), seccomp.py (the filter)

The inner modules are imported before the root changes and must stay small: every millisecond of their
imports is paid by each `ohr run`. That is why they avoid `json`, `socket`, `typing` and `re`.
"""
