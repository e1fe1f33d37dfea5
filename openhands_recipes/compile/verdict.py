"""Verdicts on a recipe's tests: does an outcome match what the recipe promised, and how is it told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from openhands_recipes.model.proof import OutputCheck, TestCase
from openhands_recipes.ports import Completed

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # XML 1.0 has no way to write these


@dataclass(frozen=True)
class Verdict:
    """One test or contract rule, judged."""

    suite: str
    name: str
    ok: bool
    reason: str = ""
    command: str = ""
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0


def judge(test: TestCase, done: Completed) -> Verdict:
    """Whether a test's outcome is the promised one."""
    stdout, stderr = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    reasons = [f"no end after {test.timeout} s"] if done.timed_out else []
    if not done.timed_out and done.exit_code != test.exit_code:
        reasons.append(f"exit code {done.exit_code}, not {test.exit_code}")
    for stream, check, text in (("stdout", test.stdout, stdout), ("stderr", test.stderr, stderr)):
        reasons += [f"{stream} {reason}" for reason in _mismatches(check, text)]
    return Verdict(
        "tests",
        test.name,
        not reasons,
        "; ".join(reasons),
        test.run,
        done.exit_code,
        stdout,
        stderr,
        done.seconds,
    )


def _mismatches(check: OutputCheck | None, text: str) -> Iterator[str]:
    if check is None:
        return
    if check.equals is not None and text.removesuffix("\n") != check.equals.removesuffix("\n"):
        yield f"is not {check.equals!r}"
    if check.contains is not None and check.contains not in text:
        yield f"does not contain {check.contains!r}"
    if check.matches is not None and not re.search(check.matches, text, re.MULTILINE):
        yield f"does not match {check.matches!r}"


def junit(name: str, verdicts: Sequence[Verdict]) -> bytes:
    """The verdicts as JUnit XML (one testsuite per recipe), as CI systems read it."""
    failed = sum(not v.ok for v in verdicts)
    total = f"{sum(v.seconds for v in verdicts):.3f}"
    root = ET.Element("testsuites")
    suite = ET.SubElement(
        root, "testsuite", name=name, tests=str(len(verdicts)), failures=str(failed), errors="0", time=total
    )
    for verdict in verdicts:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"{name}.{verdict.suite}",
            name=_xml(verdict.name),
            time=f"{verdict.seconds:.3f}",
        )
        if not verdict.ok:
            failure = ET.SubElement(case, "failure", message=_xml(verdict.reason))
            failure.text = _xml(verdict.command)
        for tag, text in (("system-out", verdict.stdout), ("system-err", verdict.stderr)):
            if text:
                ET.SubElement(case, tag).text = _xml(text)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _xml(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
