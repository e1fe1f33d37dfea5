"""Which paths of an image a recipe may name."""

from __future__ import annotations

import functools
from typing import NamedTuple

RUNTIME_FOLDERS = ("/proc", "/sys", "/dev")
MERGED_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")


class PathProblem(NamedTuple):
    """Why a path will not do, and what to write instead."""

    message: str
    hint: str


@functools.lru_cache(maxsize=65536)
def path_problem(path: str, *, written: bool) -> PathProblem | None:
    """What is wrong with an absolute path; `written` for paths the recipe creates itself."""
    parts = path.split("/")[1:]
    if path != "/" and any(part in {"", ".", ".."} for part in parts):
        return PathProblem("is not a plain path", "leave out '//', '.', '..' and a '/' at the end")
    if not written:
        return None
    top = "/" + parts[0]
    if path == "/":
        return PathProblem("is the root itself", "name something below it")
    if top in RUNTIME_FOLDERS:
        return PathProblem("exists only while a sandbox runs", f"nothing below {top} is part of an image")
    if top in MERGED_FOLDERS:
        return PathProblem("goes through a link", f"write '/usr{path}'; {top} is a link to /usr{top}")
    return None
