"""`ohr test`: the recipe's own tests, then the contract on the image's content, then on the living image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from openhands_recipes.compile.nix.image import SOURCE
from openhands_recipes.compile.oci.config import StartSettings, start_settings
from openhands_recipes.compile.oci.contents import Stacked
from openhands_recipes.compile.oci.contract import Contents, Finding, check_contract
from openhands_recipes.compile.verdict import Verdict, judge, junit
from openhands_recipes.errors import OutsideError
from openhands_recipes.flows.debian_level import content_of
from openhands_recipes.flows.live import check_live, has_server
from openhands_recipes.flows.mounted import as_user, fragments_of_layer, trees_of
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.image import Image
from openhands_recipes.model.proof import HttpReady, Process, TestCase
from openhands_recipes.ports import Box, BoxOptions

_READY_DEADLINE = 60.0
_READ = ("etc/passwd", "etc/ssl/certs/ca-certificates.crt", "etc/sudoers.d/")
_SCRATCH = 'cd "$(mktemp -d)" && exec /bin/bash -euo pipefail -c "$1"'
"""Every test starts in an empty folder of its own."""


@dataclass(frozen=True)
class TestReport:
    """Everything found out about one image."""

    __test__ = False  # pytest must not collect it

    name: str
    verdicts: tuple[Verdict, ...]
    seconds_to_health: float | None

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """What did not hold."""
        return tuple(v for v in self.verdicts if not v.ok)


def test_image(shop: Workshop, composed: Composed, image: Image, *, options: BoxOptions) -> TestReport:
    """Prove an image. Nothing a test does outlives it.

    Raises:
        SandboxError: this machine cannot run sandboxes.
    """
    start = start_settings(image)
    subject = _Subject(shop, trees_of(shop, image), composed, start, options)
    verdicts: list[Verdict] = []
    tests = tests_for(composed, start)
    with shop.progress.stage("tests", total=len(tests)) as stage:
        for test in tests:
            stage.note(test.name)
            verdicts.append(subject.run(test))
            stage.advance()
    with shop.progress.stage("contract"):
        verdicts += [_verdict("contract", f) for f in static_contract(shop, image, start)]
    seconds = None
    if has_server(start):
        with shop.progress.stage("live") as stage:
            stage.note("starting the image")
            live, seconds = subject.live()
            verdicts += live
    return TestReport(composed.name, tuple(verdicts), seconds)


test_image.__test__ = False  # type: ignore[attr-defined]  # pytest must not collect it


def tests_for(composed: Composed, start: StartSettings) -> tuple[TestCase, ...]:
    """The tests that make sense in an image; those of scope `debian` need Debian's packages."""
    from_debian = start.labels.get(SOURCE, "debian") == "debian"
    return tuple(test for test in composed.tests if from_debian or test.scope != "debian")


def static_contract(shop: Workshop, image: Image, start: StartSettings) -> tuple[Finding, ...]:
    """The contract, checked on what layers were packed from; on the layers, where others packed them."""
    stacked = Stacked(_READ)
    for layer in image.layers:
        fragments = fragments_of_layer(shop, layer)
        if fragments is not None:
            stacked.add_listing(fragments, partial(content_of, shop))
            continue
        with shop.images.open_layer(layer) as stream:
            stacked.add_layer(stream)
    return check_contract(Contents(stacked.paths, stacked.read, len(image.layers)), start)


@dataclass(frozen=True)
class _Subject:
    """The image under test."""

    shop: Workshop
    trees: Sequence[str]
    composed: Composed
    start: StartSettings
    options: BoxOptions

    def run(self, test: TestCase) -> Verdict:
        """One test in a sandbox of its own, beside the services it relies on."""
        with self.shop.engine.open(self.trees, self.options) as box:
            for name, process in self.composed.processes.items():
                if process.command[0] not in self.start.entrypoint:
                    _start_process(box, self.start, self.shop, name, process)
            script = ("/bin/bash", "-c", _SCRATCH, "test", test.run)
            return judge(test, box.run(as_user(self.start, script, timeout=test.timeout)))

    def live(self) -> tuple[list[Verdict], float | None]:
        """The living half of the contract."""
        with self.shop.engine.open(self.trees, self.options) as box:
            report = check_live(box, self.start, self.shop.clock)
        verdicts = [_verdict("live", finding, output=report.output) for finding in report.findings]
        return verdicts, report.seconds_to_health


def _start_process(box: Box, start: StartSettings, shop: Workshop, name: str, process: Process) -> None:
    """Start a service the tests rely on and wait until it says that it is ready."""
    running = box.start(as_user(start, process.command))
    if process.ready is None:
        return
    probe: tuple[str, ...]
    if isinstance(process.ready, HttpReady):
        probe = ("/usr/bin/curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1{process.ready.http}")
    else:
        probe = ("/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{process.ready.tcp}")
    deadline = shop.clock.monotonic() + _READY_DEADLINE
    while box.run(as_user(start, probe, timeout=10)).exit_code != 0:
        ended = running.wait(0.1)
        if ended is not None or shop.clock.monotonic() > deadline:
            output = (ended.stdout + ended.stderr).decode(errors="replace") if ended else "no answer in time"
            raise OutsideError(f"process '{name}' did not become ready: {output.strip()[-2000:]}")


def _verdict(suite: str, finding: Finding, *, output: str = "") -> Verdict:
    return Verdict(
        suite,
        finding.rule,
        finding.ok,
        "" if finding.ok else finding.detail,
        stdout="" if finding.ok else output,
    )


def as_junit(reports: Sequence[TestReport]) -> bytes:
    """Several reports as one JUnit document."""
    verdicts = [verdict for report in reports for verdict in report.verdicts]
    return junit(" ".join(report.name for report in reports), verdicts)


__all__ = ["TestReport", "Verdict", "as_junit", "static_contract", "test_image"]
