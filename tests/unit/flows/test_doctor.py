from __future__ import annotations

from collections.abc import Iterable

import pytest

from openhands_recipes.errors import DownloadError
from openhands_recipes.flows.doctor import Check, Finding, can_build, examine
from openhands_recipes.ports import Ability


def look(*abilities: Ability) -> Iterable[Ability]:
    return abilities


GOOD = Ability("python", ok=True, detail="3.13")
BAD = Ability("docker", ok=False, detail="no daemon answers", hint="start one")


def test_what_is_there_is_ok() -> None:
    findings = examine([Check("python", lambda: look(GOOD), needed=True)])
    assert findings == (Finding("python", "ok", "3.13", ""),)
    assert can_build(findings)


@pytest.mark.parametrize(("needed", "state"), [(True, "fail"), (False, "warn")])
def test_what_is_lacking_fails_only_where_it_is_needed(*, needed: bool, state: str) -> None:
    findings = examine([Check("docker", lambda: look(BAD), needed=needed)])
    assert findings == (Finding("docker", state, "no daemon answers", "start one"),)  # type: ignore[arg-type]  # parametrized
    assert can_build(findings) != needed


def test_a_look_that_breaks_off_is_a_finding_and_the_rest_is_still_looked_at() -> None:
    def broken() -> Iterable[Ability]:
        yield GOOD
        raise DownloadError("no mirror is configured", where="apt", hint="set one")

    findings = examine(
        [Check("debian", broken, needed=True), Check("python", lambda: look(GOOD), needed=True)]
    )
    assert findings == (
        Finding("debian", "fail", "no mirror is configured (apt)", "set one"),
        Finding("python", "ok", "3.13", ""),
    )


def test_what_broke_off_without_a_place_is_told_as_it_is() -> None:
    def broken() -> Iterable[Ability]:
        raise DownloadError("no network")

    assert examine([Check("x", broken, needed=False)]) == (Finding("x", "warn", "no network", ""),)
