"""What releases made by a workflow would lack."""

from __future__ import annotations

import pytest

from openhands_recipes.publish.gate.evidence import SIGNED, lost


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        ("run: ohr release tool --to r --keyless", set()),
        ("run: ohr -q release tool --to r --key key.pem", set()),
        ("run: |\n  ohr release tool \\\n    --to r \\\n    --keyless\n", set()),
        ("run: ohr release tool --to r --keyless --unsafe-untested", {"tests"}),
        ("run: |\n  ohr release tool --to r\n  ohr pull --key x\n", set(SIGNED)),
        ("run: |\n  ohr release tool --to r # --keyless\n", set(SIGNED)),
        ("run: ohr release a --keyless\nrun: ohr release b --key k --unsafe-untested", {"tests"}),
        ("run: make", set()),
    ],
)
def test_the_command_that_releases_says_what_is_lost(workflow: str, expected: set[str]) -> None:
    assert lost(workflow) == expected
