"""Programs that run inside the sandbox, by the image's own Python; they import nothing of ours."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from importlib import resources


def program(name: str) -> str:
    """The text of one of them."""
    return resources.files(__name__).joinpath(f"{name}.py").read_text(encoding="utf-8")


def parcel(files: Mapping[str, bytes]) -> bytes:
    """Files for a program inside, as the tar it reads from standard input."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return sink.getvalue()
