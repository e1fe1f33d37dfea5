"""What a box has changed: the writable layer of its overlay, read from inside.

Inside, owners and file capabilities are the image's own; outside they carry the shifted ids.
"""

from __future__ import annotations

import os
import stat

from openhands_recipes.adapters.sandbox import linux
from openhands_recipes.adapters.sandbox.wire import Channel

_OPAQUE = "user.overlay.opaque"
_OVERLAY = "user.overlay."
_BATCH = 512


def open_changed(channel: Channel, upper: int, path: str) -> None:
    """Send a changed file, opened; refuses links on the way."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = linux.open_below(upper, path, flags, linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS)
    except OSError as error:
        channel.send(("error", error.errno or 0, str(error)))
        return
    channel.send(("file",), (fd,))
    os.close(fd)


def send_changes(channel: Channel, upper: int, hidden: frozenset[str]) -> None:
    """Send every change, sorted by path, in batches; then ("end",)."""
    try:
        os.fchdir(upper)
        found: list[tuple[str, os.stat_result]] = []
        _collect("", hidden, found)
        found.sort(key=lambda item: item[0])
        first_paths: dict[tuple[int, int], str] = {}
        for start in range(0, len(found), _BATCH):
            batch = [_describe(path, status, first_paths) for path, status in found[start : start + _BATCH]]
            channel.send(("changes", batch))
        channel.send(("end",))
    except OSError as error:
        channel.send(("error", error.errno or 0, str(error)))


def _collect(top: str, hidden: frozenset[str], found: list[tuple[str, os.stat_result]]) -> None:
    queue = [top]
    while queue:
        folder = queue.pop()
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if f"/{path}" in hidden:
                    continue
                status = entry.stat(follow_symlinks=False)
                found.append((path, status))
                if stat.S_ISDIR(status.st_mode):
                    queue.append(path)


def _describe(
    path: str, status: os.stat_result, first_paths: dict[tuple[int, int], str]
) -> tuple[str, int, int, int, int, int, str, int, list[tuple[str, bytes]]]:
    """path, mode with type, uid, gid, size, mtime, link, device, xattrs; a hard link has type 0."""
    mode, link = status.st_mode, ""
    if stat.S_ISLNK(mode):
        link = os.readlink(path)
    elif not stat.S_ISDIR(mode) and status.st_nlink > 1 and not _is_whiteout(status):
        link = first_paths.setdefault((status.st_dev, status.st_ino), path)
        link, mode = ("", mode) if link == path else (link, stat.S_IMODE(mode))
    size = status.st_size if stat.S_ISREG(mode) else 0
    xattrs = [] if _is_whiteout(status) else _xattrs(path)
    return (
        path,
        mode,
        status.st_uid,
        status.st_gid,
        size,
        status.st_mtime_ns // 10**9,
        link,
        status.st_rdev,
        xattrs,
    )


def _is_whiteout(status: os.stat_result) -> bool:
    """Overlay makes all whiteouts of a layer one inode, linked many times."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _xattrs(path: str) -> list[tuple[str, bytes]]:
    return [
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if name == _OPAQUE or not name.startswith(_OVERLAY)
    ]
