"""Run by some user: opens a sandbox and prints what can be seen of it, times and ids of the host left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from openhands_recipes.adapters.sandbox.doctor import probe
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.errors import SandboxError
from openhands_recipes.ports import Bind, BoxOptions, Command

LINE = """
id; rm -rf /home; mkdir /home; chown 5:6 /home; rm /usr/bin/tty; chmod 4755 /usr/bin/true
mkdir -p /var/x/y; echo content > /var/x/y/z; ln -s z /var/x/y/l; ls -ln /var/x/y | wc -l; cat /etc/own
grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status
"""


def main(folder: Path) -> None:
    engine = NamespaceEngine(folder / "store")
    with (folder / "tiny.tar").open("rb") as tar:
        engine.add_tree("tiny", [tar])
    closed = folder / "closed"
    closed.mkdir(mode=0o700, exist_ok=True)
    (closed / "file").write_text("for the sandbox alone\n")
    environment = {"PATH": "/usr/bin"}
    seen: list[object] = []
    with engine.open(["tiny"], BoxOptions(binds=(Bind(closed / "file", "/etc/own"),))) as box:
        for keep, uid in ((True, 0), (False, 10001)):
            command = Command(
                ("sh", "-c", LINE), environment=environment, uid=uid, gid=uid, keep_capabilities=keep
            )
            done = box.run(command)
            seen.append([done.exit_code, done.stdout.decode(), done.stderr.decode()])
        slow = box.run(
            Command(("sh", "-c", "setsid sleep 50 & sleep 50"), environment=environment, timeout=0.3)
        )
        seen.append([slow.exit_code, slow.timed_out])
        for entry, read in box.changes():
            content = b"".join(read()) if read and entry.size < 1000 else b""
            seen.append(
                [*entry[:6], entry.link, entry.device, [x for x, _ in entry.xattrs], content.decode()]
            )
    engine.remove_tree("tiny")
    seen.append(share(folder))
    seen.append([ability.ok for ability in probe(folder / "store")])
    print(json.dumps(seen))  # noqa: T201 - the answer


def share(folder: Path) -> list[object]:
    """A folder of the caller's and of the sandbox's user alike."""
    engine = NamespaceEngine(folder / "store", caller=(10001, 10001))
    with (folder / "tiny.tar").open("rb") as tar:
        engine.add_tree("tiny", [tar])
    shared = folder / "shared"
    shared.mkdir(mode=0o700)
    (shared / "mine").write_text("from outside")
    line = "cat mine; echo from inside > theirs; mkdir sub; stat -c '%n %u %g' . mine theirs sub /home/user"
    command = Command(
        ("sh", "-c", line), environment={"PATH": "/usr/bin"}, uid=10001, gid=10001, workdir="/shared"
    )
    with engine.open(["tiny"], BoxOptions(binds=(Bind(shared, "/shared", writable=True),))) as box:
        done = box.run(command)
    mine, theirs = (shared / "mine").stat(), (shared / "theirs").stat()
    engine.clear()
    same = (mine.st_uid, mine.st_gid) == (theirs.st_uid, theirs.st_gid)
    return [done.exit_code, done.stdout.decode(), done.stderr.decode(), (shared / "theirs").read_text(), same]


try:
    main(Path(sys.argv[1]))
except SandboxError as error:
    print(error)  # noqa: T201
    sys.exit(error.exit_code)
