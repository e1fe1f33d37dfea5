"""A tree as a list: what every path is, looked at from the inside or in a tar, and how two lists differ."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

Facts = dict[str, str]
Listing = Mapping[str, Facts]

INSIDE = r"""
import hashlib, json, os, stat, sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFCHR: "device",
         stat.S_IFBLK: "device", stat.S_IFIFO: "fifo"}
paths = ["/"]
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys", "/dev")]
    paths += [os.path.join(folder, name) for name in (*folders, *files)]
names, listing = {}, {}
for path in sorted(paths):
    state = os.lstat(path)
    facts = {"type": KINDS[stat.S_IFMT(state.st_mode)], "mode": oct(stat.S_IMODE(state.st_mode)),
             "owner": f"{state.st_uid}:{state.st_gid}"}
    if facts["type"] == "link":
        facts["target"] = os.readlink(path)
    for name in os.listxattr(path, follow_symlinks=False):
        facts[name] = os.getxattr(path, name, follow_symlinks=False).hex()
    if facts["type"] == "file":
        content = open(path, "rb").read()
        facts["content"] = hashlib.sha256(content).hexdigest()
        if path.endswith(".pyc"):
            facts["code"] = hashlib.sha256(content[8:]).hexdigest()
        if path == "/var/lib/dpkg/triggers/File":
            facts["lines"] = hashlib.sha256(b"".join(sorted(content.splitlines()))).hexdigest()
        if state.st_nlink > 1:
            facts["same as"] = names.setdefault(state.st_ino, path)
    listing[path] = facts
json.dump(listing, sys.stdout)
"""
"""For the image's own Python: prints the list."""

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}
_XATTR = "SCHILY.xattr."


def listed_inside(output: bytes) -> Listing:
    """What `INSIDE` printed."""
    listing: Listing = json.loads(output)
    return listing


def listed_tar(path: Path) -> Listing:
    """The same of a tar."""
    listing: dict[str, Facts] = {}
    groups: dict[str, list[str]] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            name = _absolute(member.name)
            if member.islnk():
                first = _absolute(member.linkname)
                groups.setdefault(first, [first]).append(name)
                listing[name] = listing[first]
            else:
                listing[name] = _facts(archive, member)
    for group in groups.values():
        listing |= {name: listing[name] | {"same as": min(group)} for name in group}
    return listing


def _absolute(name: str) -> str:
    return "/" + name.removeprefix(".").strip("/")


def _facts(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Facts:
    facts = {"type": _KINDS[member.type], "mode": oct(member.mode), "owner": f"{member.uid}:{member.gid}"}
    if member.issym():
        facts["target"] = member.linkname
    for key, value in member.pax_headers.items():
        if key.startswith(_XATTR):
            facts[key.removeprefix(_XATTR)] = value.encode("utf-8", "surrogateescape").hex()
    if stream := archive.extractfile(member) if member.isreg() else None:
        content = stream.read()
        facts["content"] = hashlib.sha256(content).hexdigest()
        if member.name.endswith(".pyc"):
            facts["code"] = hashlib.sha256(content[8:]).hexdigest()
        if _absolute(member.name) == "/var/lib/dpkg/triggers/File":
            facts["lines"] = hashlib.sha256(b"".join(sorted(content.splitlines()))).hexdigest()
    return facts


class Difference(NamedTuple):
    """A path that is not the same in both."""

    path: str
    what: str
    """`only ours`, `only theirs`, or the facts that differ."""
    ours: str
    theirs: str


def differences(ours: Listing, theirs: Listing) -> Iterator[Difference]:
    """Every path that differs, in order."""
    for path in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(path), theirs.get(path)
        if one is None:
            yield Difference(path, "only theirs", "", str(other))
        elif other is None:
            yield Difference(path, "only ours", str(one), "")
        elif one != other:
            facts = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
            there = [", ".join(str(side.get(key)) for key in facts) for side in (one, other)]
            yield Difference(path, ", ".join(facts), *there)
