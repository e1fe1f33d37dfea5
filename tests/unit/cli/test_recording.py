from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from openhands_recipes.cli.progress import Reporter, Silent
from openhands_recipes.cli.recording import Recorder, outcome_of
from openhands_recipes.errors import ResolutionError, VerificationError
from openhands_recipes.model.evidence import MachineClass
from tests.fakes import FixedClock, KeptEvidence

MACHINE = MachineClass(cpus=2, memory_gib=4, arch="x86_64", kernel="6.1", root=False)


class Run:
    def __init__(self) -> None:
        self.clock = FixedClock()
        self.evidence = KeptEvidence()
        self.progress = Reporter(self.clock, Silent())
        self.recorder = Recorder(self.clock, self.evidence, self.progress, lambda: MACHINE)


def test_a_run_without_recipes_leaves_one_record() -> None:
    run = Run()
    with run.recorder.verb("doctor"):
        run.clock.pass_seconds(1.5)
    assert run.evidence.records == [
        {
            "schema": 1,
            "verb": "doctor",
            "outcome": "ok",
            "exit_code": 0,
            "started": "2026-01-02T03:04:05Z",
            "machine": {"cpus": 2, "memory_gib": 4, "arch": "x86_64", "kernel": "6.1", "root": False},
            "recipe": "",
            "version": "",
            "platform": "",
            "digest": "",
            "seconds": {"total": 1.5},
            "bytes": {},
        }
    ]


def test_each_recipe_of_a_run_leaves_its_own_record_with_its_own_stages() -> None:
    run = Run()
    with run.recorder.verb("build"):
        for name, seconds in (("base", 1), ("python", 2)):
            with run.recorder.subject(name, "1.0.0", "linux/amd64") as subject, run.progress.stage("pack"):
                run.clock.pass_seconds(seconds)
                subject.digest = f"sha256:{name}"
                subject.bytes["new"] = 7
    first, second = run.evidence.records
    assert (first["recipe"], first["seconds"]) == ("base", {"pack": 1, "total": 1})
    assert (second["recipe"], second["seconds"]) == ("python", {"pack": 2, "total": 2})
    assert (second["digest"], second["bytes"], second["verb"]) == ("sha256:python", {"new": 7}, "build")


def test_a_failed_run_is_evidence_too() -> None:
    run = Run()
    with pytest.raises(VerificationError), run.recorder.verb("build"), run.recorder.subject("base"):
        raise VerificationError("tampered")
    (record,) = run.evidence.records
    assert (record["outcome"], record["exit_code"]) == ("failed", 4)


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (lambda: ResolutionError("x"), (1, "failed")),
        (lambda: click.UsageError("x"), (2, "failed")),
        (lambda: click.exceptions.Exit(0), (0, "ok")),
        (lambda: click.exceptions.Exit(42), (42, "failed")),
        (lambda: SystemExit(None), (0, "ok")),
        (lambda: SystemExit("no"), (1, "failed")),
        (lambda: SystemExit(5), (5, "failed")),
        (KeyboardInterrupt, (130, "interrupted")),
        (click.Abort, (130, "interrupted")),
        (lambda: ValueError("x"), (70, "crashed")),
    ],
)
def test_every_way_to_end_has_an_outcome(error: Callable[[], BaseException], ending: tuple[int, str]) -> None:
    assert outcome_of(error()) == ending
