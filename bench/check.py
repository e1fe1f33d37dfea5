"""Judging a whole library."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.harness import TREE, Bench, Target, say
from bench.processes import run
from bench.workshop import OHR, Workshop

COUNT = 10_000
RECIPE = """\
schema: 1
name: {name}
version: 1.{at}.0
summary: Tools number {at}
description: |
  One of many. It has what recipes have.
license: Apache-2.0
maintainers: [{{github: someone-{at}, id: {id}}}]
tags: [bench, number-{at}]
extends: [{base}]
packages: [git, ripgrep, jq]
environment: {{NUMBER: "{at}"}}
files: {{/etc/number: {{text: "{at}", mode: "0644"}}}}
permissions: {{network: {{egress: [python-packages]}}}}
resources: {{cpu: "1", memory: 2Gi}}
tests:
  - name: the number is there
    run: cat /etc/number
    stdout: {{equals: "{at}"}}
  - name: git answers
    run: git --version
    stdout: {{contains: git}}
"""


def library(root: Path, count: int) -> None:
    """Many recipes: one in ten extends a base of the registry, the others one of those."""
    shutil.copytree(TREE / "recipes", root / "recipes")
    for at in range(count):
        name = f"bench-{at:05}"
        base = "base" if at % 10 == 0 else f"bench-{at - at % 10:05}"
        folder = root / "recipes" / name
        folder.mkdir()
        (folder / "recipe.yaml").write_text(RECIPE.format(name=name, at=at, id=at + 1, base=base))


def check_10000(shop: Workshop) -> Bench:
    """`ohr check` of ten thousand recipes."""
    root = shop.folder / "library"
    say(f"writing {COUNT} recipes")
    library(root, COUNT)
    return Bench(
        name="check_10000",
        what=f"`ohr check`, a library of {COUNT} recipes",
        unit="s",
        ours=lambda: run([OHR, "-q", "--root", root, "check"]).seconds,
        targets=(Target(10),),
        runs=3,
    )
