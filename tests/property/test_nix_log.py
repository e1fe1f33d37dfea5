"""A log never breaks a build: whatever Nix prints, reading it ends well and counts sanely."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.nix.complaint import failure
from openhands_recipes.compile.nix.log import NixLog
from openhands_recipes.errors import RecipesError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["start", "stop", "result", "msg", "other"]) | VALUES,
        "id": st.integers(0, 3) | VALUES,
        "type": st.sampled_from([100, 101, 103, 104, 105, 106]) | VALUES,
        "level": st.integers(0, 7) | VALUES,
        "fields": st.lists(st.integers(-5, 50) | VALUES, max_size=5) | VALUES,
        "msg": st.text(max_size=60) | VALUES,
        "raw_msg": st.text(max_size=60) | VALUES,
    },
)
LINES = st.binary(max_size=60) | EVENTS.map(lambda event: b"@nix " + json.dumps(event).encode())


@given(st.lists(LINES, max_size=40), st.integers(0, 3))
def test_no_line_stops_the_reader_and_nothing_done_exceeds_what_is_expected(
    lines: list[bytes], exit_code: int
) -> None:
    log = NixLog()
    for line in lines:
        log.feed(line)
        assert 0 <= log.done <= log.expected
    found = failure(log, exit_code)
    assert isinstance(found, RecipesError) == (found is not None)
    assert exit_code == 0 or found is not None
