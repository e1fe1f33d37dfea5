"""Makes and removes trees, as root of the store's own user namespace.

While a tree is filled the process is locked into it (chroot), so whatever links an archive holds, nothing
outside can be reached. A tree appears under its name complete or not at all; a half-made one carries a lock
that dies with its maker, by which the next one knows it for rubbish. Waiting for the disk would double the
time, so a mark with the machine's boot id stands beside a tree until its bytes are safe: after a power cut
the mark is found with another boot id, and the tree is made again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from openhands_recipes.adapters.sandbox import linux, tarstream
from openhands_recipes.adapters.sandbox.wire import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

TREES, UPPERS = "trees", "uppers"
UNSAFE = ".unsafe"
_UNFINISHED, _GONE = ".new-", ".gone-"
_WHITEOUT, _OPAQUE = b".wh.", b".wh..wh..opq"
_OPAQUE_MARK = "user.overlay.opaque"
_FLAT = 64  # folders deeper than this are lifted up before they are removed


def serve(channel: Channel, order: dict[str, Any]) -> None:
    """Carry out one order of the store and answer it."""
    try:
        if order["what"] == "unpack":
            received = channel.receive()
            if received is None:
                return
            trees = os.open(TREES, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with open(received[1][0], "rb", buffering=1 << 20) as stream:
                add(trees, order, stream, channel)
            channel.send(("done",))
            _make_safe(trees, order["name"])
            return
        for path in order["paths"]:
            remove(path)
        _sweep()
        channel.send(("done",))
    except tarstream.MalformedTarError as error:
        channel.send(("refused", str(error)))


def add(trees: int, order: dict[str, Any], stream: IO[bytes], channel: Channel) -> None:
    """Fill `trees/<name>` from a tar stream, whole or not at all.

    The end of the stream means nothing, since its writer may have died: it has to say so on the channel.
    """
    name = order["name"]
    _sweep()
    _remove_below(trees, name)  # only ever there when its mark is of another boot
    unfinished = f"{_UNFINISHED}{name}-{os.getpid()}"
    held = make_held(unfinished, dir_fd=trees)
    try:
        os.fchdir(held)
        os.chroot(".")
        fill(stream)
        if channel.receive() is None:
            raise SystemExit  # noqa: TRY301 - what was made is removed on the way
        _publish(trees, unfinished, name, order["boot"])
    except BaseException:
        _remove_below(trees, unfinished)
        raise
    finally:
        os.close(held)


def _publish(trees: int, unfinished: str, name: str, boot: str) -> None:
    _remove_below(trees, name + UNSAFE)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    mark = os.open(name + UNSAFE, flags, 0o644, dir_fd=trees)
    os.write(mark, boot.encode())
    os.close(mark)
    os.rename(unfinished, name, src_dir_fd=trees, dst_dir_fd=trees)


def _make_safe(trees: int, name: str) -> None:
    """In a process of its own, so that nobody waits for the disk."""
    if os.fork() == 0:
        linux.sync_file_system(trees)
        _remove_below(trees, name + UNSAFE)
        os._exit(0)


def make_held(name: str, *, dir_fd: int | None = None) -> int:
    """Make a folder and lock it, which says that it is no rubbish; its descriptor.

    Between the two a sweeper may take it for rubbish: then it is made again.
    """
    while True:
        try:  # noqa: SIM105 - contextlib would cost every sandbox its import
            os.mkdir(name, 0o755, dir_fd=dir_fd)
        except FileExistsError:
            pass  # a kept one
        try:
            held = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
        except FileNotFoundError:
            continue
        fcntl.flock(held, fcntl.LOCK_EX)
        if _is_still(held, name, dir_fd):
            return held
        os.close(held)


def _is_still(held: int, name: str, dir_fd: int | None) -> bool:
    """Whether an open folder is the one with that name."""
    try:
        return os.path.samestat(os.fstat(held), os.stat(name, dir_fd=dir_fd, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sweep() -> None:
    """Remove what makers left that were killed."""
    for folder in (TREES, UPPERS):
        for name in os.listdir(folder):
            if not name.startswith((_UNFINISHED, _GONE)):
                continue
            try:
                held = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still(held, f"{folder}/{name}", None):
                    remove(f"{folder}/{name}")
            except BlockingIOError:
                continue
            finally:
                os.close(held)


def fill(stream: IO[bytes]) -> None:
    """Make everything a tar stream names, below the root directory of this process."""
    os.umask(0)
    folders: dict[bytes, tuple[int, int]] = {}
    for member in tarstream.members(stream):
        name = member.path.rpartition(b"/")[2]
        if name.startswith(_WHITEOUT):
            _make_whiteout(member.path, name)
            continue
        _make(member, stream, folders)
        folders.pop(member.path, None)
        if member.kind == b"5":
            folders[member.path] = (member.mode, member.mtime)
    for path, (mode, mtime) in folders.items():
        _finish_folder(path or b".", mode, mtime)


def _make(member: tarstream.Member, stream: IO[bytes], folders: dict[bytes, tuple[int, int]]) -> None:
    make = _MAKERS.get(member.kind)
    if make is None:
        raise tarstream.MalformedTarError(
            f"no layer may hold a member of type {member.kind!r}: {member.path!r}"
        )
    try:
        make(member, stream)
    except FileNotFoundError:
        if member.kind == b"1":
            raise tarstream.MalformedTarError(f"a link to nothing: {member.path!r}") from None
        _make_parents(member.path, folders)
        make(member, stream)
    except OSError as error:
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)}: {os.fsdecode(member.path)}") from error


def _finish_folder(path: bytes, mode: int, mtime: int) -> None:
    """Last: what is made in a folder touches it, and would inherit its group."""
    try:
        if mode & stat.S_ISGID:
            os.chmod(path, mode)
        _touch(path, mtime)
    except (FileNotFoundError, NotADirectoryError):
        return  # a later member took the place of a folder above


def _touch(path: bytes, mtime: int) -> None:
    os.utime(path, ns=(mtime * 10**9, mtime * 10**9), follow_symlinks=False)


def _make_parents(path: bytes, folders: dict[bytes, tuple[int, int]]) -> None:
    parts = path.split(b"/")[:-1]
    for depth in range(1, len(parts) + 1):
        parent = b"/".join(parts[:depth])
        try:
            os.mkdir(parent, 0o755)
        except FileExistsError:
            continue
        folders[parent] = (0o755, 0)


def _replacing(make: Callable[[], int | None], path: bytes) -> int | None:
    try:
        return make()
    except FileExistsError:
        remove(os.fsdecode(path))
        return make()


def _make_file(member: tarstream.Member, stream: IO[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = _replacing(lambda: os.open(member.path, flags, member.mode), member.path)
    assert fd is not None  # noqa: S101 - os.open never gives None
    try:
        for piece in tarstream.content(stream, member.size):
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]
        if member.uid or member.gid:
            os.fchown(fd, member.uid, member.gid)
        if member.uid or member.gid or member.mode & 0o7000:  # owners and writes take these bits away
            os.fchmod(fd, member.mode)
        for name, value in member.xattrs.items():
            os.setxattr(fd, name, value)
        os.utime(fd, ns=(member.mtime * 10**9, member.mtime * 10**9))
    finally:
        os.close(fd)


def _make_folder(member: tarstream.Member, _stream: IO[bytes]) -> None:
    path = member.path or b"."
    try:
        os.mkdir(path)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            remove(os.fsdecode(path))
            os.mkdir(path)
    os.chown(path, member.uid, member.gid)
    os.chmod(path, member.mode & ~stat.S_ISGID)
    for name, value in member.xattrs.items():
        os.setxattr(path, name, value)


def _finish(member: tarstream.Member) -> None:
    if member.uid or member.gid:
        os.chown(member.path, member.uid, member.gid, follow_symlinks=False)
    for name, value in member.xattrs.items():
        os.setxattr(member.path, name, value, follow_symlinks=False)
    _touch(member.path, member.mtime)


def _make_symlink(member: tarstream.Member, _stream: IO[bytes]) -> None:
    _replacing(lambda: os.symlink(member.link, member.path), member.path)
    _finish(member)


def _make_hardlink(member: tarstream.Member, stream: IO[bytes]) -> None:
    for _ in tarstream.content(stream, member.size):
        continue
    _replacing(lambda: os.link(member.link, member.path, follow_symlinks=False), member.path)


def _make_fifo(member: tarstream.Member, _stream: IO[bytes]) -> None:
    _replacing(lambda: os.mkfifo(member.path, member.mode), member.path)
    _finish(member)


def _make_char(member: tarstream.Member, _stream: IO[bytes]) -> None:
    if member.device != (0, 0):
        raise tarstream.MalformedTarError(f"no layer may hold a device: {member.path!r}")
    _replacing(lambda: os.mknod(member.path, stat.S_IFCHR), member.path)


def _make_whiteout(path: bytes, name: bytes) -> None:
    folder = path[: -len(name)]
    os.makedirs(folder or b".", exist_ok=True)
    if name == _OPAQUE:
        os.setxattr(folder or b".", _OPAQUE_MARK, b"y")
        return
    hidden = folder + name[len(_WHITEOUT) :]
    _replacing(lambda: os.mknod(hidden, stat.S_IFCHR), hidden)


_MAKERS = {
    b"0": _make_file,
    b"1": _make_hardlink,
    b"2": _make_symlink,
    b"3": _make_char,
    b"5": _make_folder,
    b"6": _make_fifo,
}


def remove(path: str) -> None:
    """Remove whatever is at a path, however deep, following no link; nothing there is fine."""
    folder, _, name = path.rpartition("/")
    top = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove_below(top, name)
    finally:
        os.close(top)


def _remove_below(top: int, name: str) -> None:
    queue = [name]
    while queue:
        _remove_one(queue.pop(), (top, top), 0, queue)


def _remove_one(name: str, at: tuple[int, int], depth: int, queue: list[str]) -> None:
    top, parent = at
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.EPERM):
            raise
    else:
        return
    if depth > _FLAT:
        lifted = f"{_GONE}{os.getpid()}-{len(queue)}-{os.urandom(4).hex()}"
        os.rename(name, lifted, src_dir_fd=parent, dst_dir_fd=top)
        queue.append(lifted)
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        for entry in os.listdir(folder):
            _remove_one(entry, (top, folder), depth + 1, queue)
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return  # somebody else is removing it too
    finally:
        os.close(folder)
