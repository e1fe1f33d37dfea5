"""`--from` and `--pure` come to one kind of image."""

from __future__ import annotations

import pytest

from openhands_recipes.cli.source_option import shape_of
from openhands_recipes.errors import UsageError
from openhands_recipes.flows.build_pure import build_pure


def test_the_options_come_to_one_shape() -> None:
    assert [shape_of(s, pure=p) for s, p in (("debian", False), ("nixpkgs", False), ("nixpkgs", True))] == [
        "debian", "hybrid", "pure",
    ]  # fmt: skip


def test_nothing_from_debian_does_not_go_with_debian() -> None:
    with pytest.raises(UsageError, match="--from nixpkgs --pure"):
        shape_of("debian", pure=True)


def test_an_image_without_debian_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="no sudo and no agent-server"):
        build_pure("python")
