"""Git repositories made of objects alone: any tree can be written, also one no Git command would write."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

FILE, EXECUTABLE, LINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "40000"


@dataclass(frozen=True)
class Blob:
    """Content at a path, or for a submodule the commit it names."""

    content: bytes
    mode: str = FILE


Files = dict[str, Blob]


class GateRepository:
    """A repository whose objects are written by hand, loose and without any process."""

    def __init__(self, folder: Path) -> None:
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
        self.folder = folder
        self.objects = folder / "objects"

    def write(self, kind: str, content: bytes) -> str:
        """An object of the repository, its id."""
        whole = f"{kind} {len(content)}\0".encode() + content
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        path = self.objects / name[:2] / name[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 1))
        return name

    def raw_tree(self, entries: list[tuple[str, bytes, str]]) -> str:
        """A tree exactly as given: mode, name and id of each entry, in this order."""
        content = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(id_) for mode, name, id_ in entries
        )
        return self.write("tree", content)

    def tree(self, files: Files, extra: dict[str, list[tuple[str, bytes, str]]] | None = None) -> str:
        """A tree of files by path. `extra` adds raw entries to folders, by path, whatever they are."""
        return self._folder("", files, extra or {})

    def _folder(self, above: str, files: Files, extra: dict[str, list[tuple[str, bytes, str]]]) -> str:
        here: dict[str, Files] = {}
        entries: list[tuple[str, bytes, str]] = []
        for path, blob in files.items():
            name, _, rest = path.partition("/")
            if rest:
                here.setdefault(name, {})[rest] = blob
            elif blob.mode == SUBMODULE:
                entries.append((SUBMODULE, name.encode("utf-8", "surrogateescape"), blob.content.decode()))
            else:
                entries.append(
                    (blob.mode, name.encode("utf-8", "surrogateescape"), self.write("blob", blob.content))
                )
        entries += [
            (FOLDER, name.encode("utf-8", "surrogateescape"), self._folder(f"{above}{name}/", below, extra))
            for name, below in here.items()
        ]
        ordered = sorted(entries, key=lambda entry: entry[1] + b"/" * (entry[0] == FOLDER))
        return self.raw_tree([*ordered, *extra.get(above.rstrip("/"), [])])

    def commit(
        self, tree: str, *parents: str, message: str = "", author: str = "Alice <alice@example.org>"
    ) -> str:
        """A commit of a tree, signed off unless a message says otherwise."""
        told = message or f"Change something\n\nSigned-off-by: {author}\n"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author} 1790000000 +0000", f"committer {author} 1790000000 +0000", "", told]
        return self.write("commit", "\n".join(lines).encode())

    def branch(self, name: str, commit: str) -> None:
        """Let a branch name a commit."""
        (self.folder / "refs" / "heads" / name).write_text(commit + "\n")
