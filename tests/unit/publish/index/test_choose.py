"""Which release is meant."""

from __future__ import annotations

import pytest

from openhands_recipes.compile.recipe.ranges import allows
from openhands_recipes.errors import UsageError
from openhands_recipes.model.index import ReleaseState
from openhands_recipes.publish.index.choose import Asked, best_of, parse_asked, state_note

DIGEST = "sha256:" + "a" * 64
STATES = {
    "1.0.0-r1": "active", "1.0.0-r2": "active", "1.2.0-r1": "deprecated", "1.10.0-r1": "active",
    "2.0.0-r1": "yanked", "2.1.0-rc.1-r1": "active", "3.0.0-r1": "blocked",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("python", Asked("python")),
        ("python@1.2.0", Asked("python", version="1.2.0")),
        ("python@1.2.0-r3", Asked("python", version="1.2.0", revision=3)),
        ("python@1.2.0-rc.1", Asked("python", version="1.2.0-rc.1")),
        ("python@^1.2", Asked("python", range="^1.2")),
        (f"python@{DIGEST}", Asked("python", digest=DIGEST)),  # type: ignore[arg-type]  # a digest
    ],
)
def test_what_is_asked_for_is_read_and_written_alike(text: str, asked: Asked) -> None:
    assert parse_asked(text) == asked
    assert str(asked) == text


@pytest.mark.parametrize("text", ["Python", "python@", "@1.0.0", "python@sha256:abc", ""])
def test_what_names_no_release_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_asked(text)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("x1", "1.10.0-r1"),
        ("x1@1.0.0", "1.0.0-r2"),
        ("x1@1.0.0-r1", "1.0.0-r1"),
        ("x1@~1.2", "1.2.0-r1"),
        ("x1@^1", "1.10.0-r1"),
        ("x1@2.1.0-rc.1", "2.1.0-rc.1-r1"),
        ("x1@^2", None),
        ("x1@3.0.0", None),
        ("x1@9", None),
    ],
)
def test_the_highest_active_version_that_fits_is_taken(text: str, label: str | None) -> None:
    assert best_of(STATES, parse_asked(text), allows) == label


def test_what_only_has_previews_gives_a_preview() -> None:
    assert best_of({"1.0.0-rc.1-r1": "active"}, Asked("x"), allows) == "1.0.0-rc.1-r1"


def test_a_note_says_what_happened_and_what_to_use() -> None:
    state = ReleaseState("yanked", "2026-11-21T00:00:00Z", "it lost data", "x@1.1.0")
    assert state_note("x", "1.0.0-r1", state) == (
        "x 1.0.0-r1 is yanked since 2026-11-21: it lost data; use x@1.1.0"
    )
