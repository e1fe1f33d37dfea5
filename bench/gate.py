"""The gate of one changed recipe among a hundred thousand, static stages only."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from bench.check import RECIPE
from bench.harness import TREE, Bench, Target, say
from bench.processes import run
from bench.workshop import OHR, Workshop
from tests.integration.gate.registry import OWNERS, lock_of

COUNT = 100_000
CHANGED, MODULE = "bench-54321", "bench-54320"
PERSON = "Somebody <somebody@example.org> 1790000000 +0000"


def text_of(at: int) -> bytes:
    """One recipe of many: one in ten extends `base`, the others one of those."""
    base = "base" if at % 10 == 0 else f"bench-{at - at % 10:05}"
    text = RECIPE.format(name=f"bench-{at:05}", at=at, id=at + 1, base=base)
    schema = "# yaml-language-server: $schema=../../schema/recipe.schema.json\n"
    return (
        schema
        + text.replace(
            "One of many. It has what recipes have.",
            "One of many recipes, described at the length that is asked for.",
        )
    ).encode()


def own_files() -> dict[str, bytes]:
    """The recipes of this registry, and what they need."""
    files = {
        path.relative_to(TREE).as_posix(): path.read_bytes()
        for path in [
            *TREE.glob("recipes/*/recipe.*"),
            *TREE.glob("recipes/*.yaml"),
            TREE / "nixlib/packages.toml",
        ]
    }
    return files | {"OWNERS": OWNERS.encode()}


def registry(folder: Path, count: int) -> None:
    """A repository with branch `main` (many recipes) and `change` (one of them in its next version)."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
    files = own_files()
    for number in (54320, 54321):
        files[f"recipes/bench-{number}/recipe.yaml"] = text_of(number)
        files[f"recipes/bench-{number}/recipe.lock.json"] = lock_of(files, f"bench-{number}")
    head = {f"recipes/{CHANGED}/recipe.yaml": text_of(54321).replace(b"1.54321.0", b"1.54321.1")}
    head[f"recipes/{CHANGED}/recipe.lock.json"] = lock_of(files | head, CHANGED)
    many = ((f"recipes/bench-{at:05}/recipe.yaml", text_of(at)) for at in range(count))
    with TemporaryFile() as stream:
        commit(stream, "main", many)
        commit(stream, "main", iter(files.items()))
        commit(stream, "change", iter(head.items()), after="main")
        stream.seek(0)
        subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], stdin=stream, check=True)


def commit(stream: IO[bytes], branch: str, files: Iterator[tuple[str, bytes]], *, after: str = "") -> None:
    """One commit for `git fast-import`."""
    words = f"Change\n\nSigned-off-by: {PERSON.partition(' 1')[0]}\n".encode()
    stream.write(f"commit refs/heads/{branch}\ncommitter {PERSON}\ndata {len(words)}\n".encode() + words)
    stream.write(f"from refs/heads/{after}\n".encode() if after else b"")
    for path, content in files:
        stream.write(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")


def event(folder: Path) -> Path:
    """What the forge says: the owner sent it."""

    def id_of(branch: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), "rev-parse", branch], check=True, capture_output=True, text=True
        ).stdout.strip()

    pull = {
        "number": 1,
        "created_at": "2026-11-01T10:00:00Z",
        "user": {"id": 54322},
        "head": {"sha": id_of("change")},
        "base": {"sha": id_of("main")},
    }
    path = folder.parent / "event.json"
    path.write_text(json.dumps({"action": "opened", "pull_request": pull, "reviews": []}))
    return path


def gate_100000(shop: Workshop) -> Bench:
    """`ohr gate` of one changed recipe among a hundred thousand."""
    folder, cache = shop.folder / "registry.git", shop.folder / "gate-cache"
    say(f"writing {COUNT} recipes into a Git repository")
    registry(folder, COUNT)
    command: list[str | Path] = [
        OHR,
        "-q",
        "--root",
        folder,
        "--cache",
        cache,
        "gate",
        "--base",
        "main",
        "--head",
        "change",
    ]
    command += ["--event", event(folder)]
    say("reading all of them once")
    first = run(command).seconds
    return Bench(
        name="gate_100000",
        what=f"`ohr gate`, one changed recipe of {COUNT}, index of dependants warm",
        unit="s",
        ours=lambda: run(command).seconds,
        targets=(Target(0.5),),
        runs=7,
        facts={"seconds of the first run, which reads every recipe once": round(first, 2)},
    )
