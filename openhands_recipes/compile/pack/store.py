"""Store paths as fragments: listed from their nodes, so that their bytes need not be written again.

Everything follows from the path's Nix archive, whatever the disk says besides: root owns all, programs
are 0555 and all else 0444, times are the store's own second 1, and files with the same content are one
file with several names. That is what `nix-store --optimise` makes of a path; whether a store was
optimised, or shares files with other paths, changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from openhands_recipes.compile.pack.plan import PartSize
from openhands_recipes.compile.pack.tar_write import header, padding
from openhands_recipes.compile.pack.tree import refuse_whiteout
from openhands_recipes.model.digest import Digest, digest_of_json
from openhands_recipes.model.fragment import Entry, Fragment, Kind, Span
from openhands_recipes.ports.store_trees import Node

RULES = 1
"""Raise it when store paths become other fragments."""
STORE = "nix/store"
MTIME = 1
"""What Nix sets every time of its store to."""
LINKED = 4096
"""Files from this size on become links to the same content: below, a link saves no block of a disk."""
_VERSION = re.compile(r"-(?=[^A-Za-z])")


def store_key(path: str, nar_hash: str) -> Digest:
    """The key of a store path's fragment; `path` is `/nix/store/<hash>-<name>`."""
    return digest_of_json(["store", RULES, path, nar_hash])


def part_of(path: str, nar_hash: str, nar_size: int) -> PartSize:
    """A store path as the planner sees it; all outputs and versions of a package count as one source."""
    name = path.rpartition("/")[2].partition("-")[2]
    return PartSize(store_key(path, nar_hash), name, package_name(name), nar_size)


def package_name(name: str) -> str:
    """A name without its version: `openssl` of `openssl-3.0.13-bin` (Nix manual, `parseDrvName`)."""
    return _VERSION.split(name, 1)[0]


def store_fragment(key: Digest, path: str, nodes: Sequence[Node]) -> Fragment:
    """The listing of a store path whose nodes come in the order of its archive; entry 2 is the first node.

    Raises:
        VerificationError: a name would make readers of layers delete something.
    """
    root = path.lstrip("/")
    entries = [_folder("nix", 0o755), _folder(STORE, 0o755)]
    first: dict[tuple[str, bool], str] = {}
    for node in nodes:
        place = f"{root}/{node.path}" if node.path else root
        refuse_whiteout(place)
        entries.append(_entry(place, node, first))
    lengths = [
        len(header(entry)) + (entry.size + len(padding(entry.size)) if entry.kind is Kind.FILE else 0)
        for entry in entries
    ]
    ends = list(accumulate(lengths, initial=0))
    return Fragment(key, tuple(entries), tuple(map(Span, ends, lengths)), ends[-1], {})


def _entry(place: str, node: Node, first: dict[tuple[str, bool], str]) -> Entry:
    if node.kind is Kind.DIRECTORY:
        return _folder(place, 0o555)
    if node.kind is Kind.SYMLINK:
        return Entry(place, Kind.SYMLINK, 0o777, mtime=MTIME, link=node.link)
    mode = 0o555 if node.executable else 0o444
    if node.sha256:
        known = first.setdefault((node.sha256, node.executable), place)
        if known != place:
            return Entry(place, Kind.HARDLINK, mode, mtime=MTIME, link=known)
    return Entry(place, Kind.FILE, mode, size=node.size, mtime=MTIME, sha256=node.sha256)


def _folder(path: str, mode: int) -> Entry:
    return Entry(path, Kind.DIRECTORY, mode, mtime=MTIME)
