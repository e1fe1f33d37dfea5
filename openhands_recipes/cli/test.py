"""`ohr test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.building import have_image
from openhands_recipes.cli.output import format_option, human_seconds, print_json
from openhands_recipes.cli.platforms import platform_option
from openhands_recipes.cli.source_option import source_option
from openhands_recipes.errors import TestFailureError

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.nix_fast_path import Shape
    from openhands_recipes.flows.test import TestReport, Verdict
    from openhands_recipes.model.platform import Platform

_MOST_OUTPUT = 4000


@click.command(short_help="Prove an image: its recipe's tests and the contract.")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--engine", type=click.Choice(["namespaces", "docker"]), default="namespaces", show_default=True
)
@platform_option
@source_option
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write JUnit XML here.")
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    names: tuple[str, ...],
    engine: str,
    platform: Platform,
    shape: Shape,
    junit: Path | None,
    output: str,
) -> None:
    """Prove images in a real sandbox: the recipe's own tests, the OpenHands contract, the living server.

    Builds what is not built yet. Exit code 1 when anything does not hold.
    """
    reports = [_test(world, world.store.name_of(name), engine, platform, shape) for name in names]
    if junit is not None:
        _write_junit(world, junit, reports)
    if output == "json":
        print_json([_as_json(report) for report in reports])
    else:
        for report in reports:
            _tell(report)
    failed = [f"{r.name}: {v.name}" for r in reports for v in r.failed]
    if failed:
        raise TestFailureError(
            f"{len(failed)} of {sum(len(r.verdicts) for r in reports)} checks failed: {', '.join(failed)}"
        )


def _test(world: World, name: str, engine: str, platform: Platform, shape: Shape) -> TestReport:
    from openhands_recipes.flows.chain import Library  # noqa: PLC0415
    from openhands_recipes.flows.proofs import keep_proof  # noqa: PLC0415
    from openhands_recipes.flows.test import test_image  # noqa: PLC0415
    from openhands_recipes.ports import BoxOptions  # noqa: PLC0415

    with world.about(name, platform=platform) as subject:
        shop = world.workshop if engine == "namespaces" else world.docker_workshop
        image = have_image(world, name, platform=platform, shape=shape).image
        subject.version, subject.digest = image.version, image.digest
        composed = Library.of(shop.store).composed(name)
        report = test_image(shop, composed, image, options=BoxOptions())
        keep_proof(shop.records, composed, image, report)
        return report


def _write_junit(world: World, path: Path, reports: list[TestReport]) -> None:
    from openhands_recipes.flows.test import as_junit  # noqa: PLC0415 - start-up time

    world.write_file(path, as_junit(reports))


def _as_json(report: TestReport) -> dict[str, object]:
    return {
        "name": report.name,
        "ok": not report.failed,
        "seconds_to_health": report.seconds_to_health,
        "verdicts": [vars(verdict) for verdict in report.verdicts],
    }


def _tell(report: TestReport) -> None:
    for verdict in report.verdicts:
        if verdict.suite == "tests" or not verdict.ok:
            mark = _mark(ok=verdict.ok)
            time = f"  {human_seconds(verdict.seconds)}" if verdict.seconds else ""
            click.echo(f"{mark} {report.name}: {verdict.name}{time}")
        if not verdict.ok:
            _tell_failure(verdict)
    for suite in ("contract", "live"):
        all_of = [v for v in report.verdicts if v.suite == suite]
        if all_of:
            good = sum(v.ok for v in all_of)
            mark = _mark(ok=good == len(all_of))
            click.echo(
                f"{mark} {report.name}: {suite}: {good} of {len(all_of)} rules hold{_health(report, suite)}"
            )


def _mark(*, ok: bool) -> str:
    return click.style("ok  ", fg="green") if ok else click.style("FAIL", fg="red")


def _health(report: TestReport, suite: str) -> str:
    known = suite == "live" and report.seconds_to_health
    return f", healthy after {report.seconds_to_health:.1f} s" if known else ""


def _tell_failure(verdict: Verdict) -> None:
    click.echo(f"     {verdict.reason}")
    for label, text in (("command", verdict.command), ("stdout", verdict.stdout), ("stderr", verdict.stderr)):
        if text.strip():
            click.echo(f"     {label}:")
            for line in text.strip()[-_MOST_OUTPUT:].splitlines():
                click.echo(f"       {line}")
    if verdict.exit_code is not None:
        click.echo(f"     exit code: {verdict.exit_code}")
