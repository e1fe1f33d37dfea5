"""What nixpkgs' `streamLayeredImage` does, written anew from its description: a peer to measure beside.

Python's `tarfile` goes over every layer twice, once for its size and hash, once for the stream; nothing is
compressed, and what reads the stream (skopeo, docker) compresses it for a registry.

    python -m bench.nix_stream STORE > docker-archive.tar
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import threading
from pathlib import Path
from typing import IO, Any

from bench.nix_store import Planted, planted

LAYERS = 100


class Sum(io.RawIOBase):
    """Counts and hashes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, piece: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Take it."""
        self.hash.update(piece)
        self.size += len(piece)
        return len(piece)


def archive(paths: list[Planted], sink: IO[bytes]) -> None:
    """One layer as `tarfile` writes it, with the owner, times and modes of a store."""

    def settled(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        info.mtime = 1
        return info

    with tarfile.open(fileobj=sink, mode="w|") as tar:
        for item in paths:
            tar.add(item.folder, arcname=item.path, filter=settled)


def layers_of(store: Path) -> list[list[Planted]]:
    """The biggest paths alone, all others together."""
    ranked = sorted(planted(store), key=lambda item: -item.nar_size)
    return [[item] for item in ranked[: LAYERS - 1]] + [ranked[LAYERS - 1 :]]


def main(store: Path, out: IO[bytes]) -> None:
    """Stream the image."""
    names, ids = [], []
    with tarfile.open(fileobj=out, mode="w|") as outer:
        for paths in layers_of(store):
            total = Sum()
            archive(paths, total)  # type: ignore[arg-type]  # what it needs of a file
            digest = total.hash.hexdigest()
            info = tarfile.TarInfo(f"{digest}/layer.tar")
            info.size = total.size
            read, write = os.pipe()
            threading.Thread(target=_produce, args=(paths, write), daemon=True).start()
            with os.fdopen(read, "rb") as source:
                outer.addfile(info, source)
            names.append(info.name)
            ids.append(f"sha256:{digest}")
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}}
        _add(outer, "config.json", config)
        _add(outer, "manifest.json", [{"Config": "config.json", "RepoTags": ["bench:1"], "Layers": names}])


def _produce(paths: list[Planted], write: int) -> None:
    with os.fdopen(write, "wb") as sink:
        archive(paths, sink)


def _add(outer: tarfile.TarFile, name: str, document: object) -> None:
    raw = json.dumps(document).encode()
    info = tarfile.TarInfo(name)
    info.size = len(raw)
    outer.addfile(info, io.BytesIO(raw))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdout.buffer)
