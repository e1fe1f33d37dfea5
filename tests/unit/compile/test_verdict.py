from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from openhands_recipes.compile.verdict import Verdict, judge, junit
from openhands_recipes.model.proof import OutputCheck, TestCase
from openhands_recipes.ports import Completed


def done(stdout: str = "", *, exit_code: int = 0, timed_out: bool = False) -> Completed:
    return Completed(exit_code, stdout.encode(), b"", timed_out, 0.5)


@pytest.mark.parametrize(
    ("check", "output", "reason"),
    [
        (OutputCheck(equals="a"), "a\n", ""),
        (OutputCheck(equals="a"), "b\n", "stdout is not 'a'"),
        (OutputCheck(contains="ell"), "hello", ""),
        (OutputCheck(contains="x"), "hello", "stdout does not contain 'x'"),
        (OutputCheck(matches=r"^2\."), "1\n2.3\n", ""),
        (OutputCheck(matches=r"^2\."), "12.", "stdout does not match '^2\\\\.'"),
    ],
)
def test_every_given_check_must_hold(check: OutputCheck, output: str, reason: str) -> None:
    verdict = judge(TestCase(name="t", run="x", stdout=check), done(output))
    assert (verdict.ok, verdict.reason) == (not reason, reason)


def test_another_exit_code_than_promised_fails_and_is_named() -> None:
    assert judge(TestCase(name="t", run="x"), done(exit_code=3)).reason == "exit code 3, not 0"
    assert judge(TestCase(name="t", run="x", exit_code=3), done(exit_code=3)).ok


def test_a_test_that_was_killed_says_only_that() -> None:
    verdict = judge(TestCase(name="t", run="x", timeout=2), done(exit_code=137, timed_out=True))
    assert verdict.reason == "no end after 2 s"


def test_junit_counts_failures_and_survives_control_characters() -> None:
    xml = junit(
        "python",
        [
            Verdict("tests", "good", ok=True),
            Verdict("live", "bad\x1b", ok=False, reason="no", stdout="\x00x"),
        ],
    )
    suite = ET.fromstring(xml)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert suite[1].find("failure") is not None
    assert suite[1].get("classname") == "python.live"
