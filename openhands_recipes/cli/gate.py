"""`ohr gate`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import click

from openhands_recipes import __version__
from openhands_recipes.cli.output import format_option
from openhands_recipes.errors import NeedsHumanError, UsageError
from openhands_recipes.model.gate import Stage

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.gate import GateOrder, Judged
    from openhands_recipes.model.gate import Verdict
    from openhands_recipes.model.gate_states import KnownStates

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
Output = Literal["text", "json", "sarif", "github"]
MOST_BYTES = 32 * 2**20


@click.command(short_help="Judge a pull request from Git history.")
@click.option("--base", required=True, metavar="REV", help="What it is to be merged into.")
@click.option("--head", default="HEAD", show_default=True, metavar="REV", help="Its last commit.")
@click.option("--event", type=FILE, help="The forge's event and reviews, as JSON (docs/gate.md).")
@click.option("--ledger", metavar="REPOSITORY[#BRANCH]", help="Releases and their states.")
@click.option("--states", type=FILE, help="The same, from a JSON file (docs/gate.md).")
@click.option(
    "--stage", "stages", type=click.Choice(get_args(Stage)), multiple=True, help="Only these stages."
)
@click.option("--advisories", type=FOLDER, help="Known vulnerabilities (OSV), for stage I.")
@click.option("--comment", type=FILE, help="Write stage J's comment for reviewers here (Markdown).")
@click.option("--online", is_flag=True, help="Compare newly locked checksums with their sources.")
@click.option("--fix", is_flag=True, help="Mend what can be mended in the work tree.")
@format_option("sarif", "github")
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    base: str,
    head: str,
    event: Path | None,
    ledger: str | None,
    states: Path | None,
    stages: tuple[str, ...],
    advisories: Path | None,
    comment: Path | None,
    online: bool,
    fix: bool,
    output: Output,
) -> None:
    """Judge a pull request: may it merge, and who must agree?

    Reads commits, never the work tree, and of those only what changed. Rules, owners and settings are those
    of the base. Ends with 0 (pass), 1 (fail) or 5 (people must agree).
    """
    from openhands_recipes.flows.gate import GateOrder  # noqa: PLC0415 - start-up time
    from openhands_recipes.flows.gate_files import read_event  # noqa: PLC0415

    submission = read_event(_content(event), where=str(event)) if event else None
    order = GateOrder(base, head, _asked(stages, comment), submission)
    judged = _judge(world, order, _Sources(states, ledger, advisories, online=online))
    verdict = _mended(world, judged) if fix else judged.verdict
    if comment is not None:
        world.write_file(comment, verdict.comment.encode())
    click.echo(_rendered(verdict, output))
    _leave(verdict)


@dataclass(frozen=True)
class _Sources:
    """What may be looked at beside history."""

    states: Path | None
    ledger: str | None
    advisories: Path | None
    online: bool


def _asked(stages: tuple[str, ...], comment: Path | None) -> tuple[Stage, ...]:
    """The stages named; a comment takes stage J, beside whatever would run without it."""
    from openhands_recipes.flows.gate_stages import STATIC  # noqa: PLC0415 - start-up time

    named = cast("tuple[Stage, ...]", stages)
    if comment is None or "J" in named:
        return named
    return (*(named or STATIC), "J")


def _judge(world: World, order: GateOrder, sources: _Sources) -> Judged:
    from openhands_recipes.flows.gate import gate  # noqa: PLC0415 - start-up time
    from openhands_recipes.flows.gate_proving import Proving, refuse_credentials  # noqa: PLC0415
    from openhands_recipes.flows.gate_stages import STATIC  # noqa: PLC0415

    refuse_credentials(order.stages, world.surroundings)
    states = world.ledger_states(sources.ledger) if sources.ledger else _states(sources.states)
    with world.provers(sources.advisories, sources.ledger) as doors:
        proving = Proving(doors)
        judged = gate(
            world.gatehouse(states),
            order,
            now=world.clock.now(),
            stages={**STATIC, **proving.stages},
            online=world.gate_sources if sources.online else None,
        )
        return proving.complete(judged)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _states(path: Path | None) -> KnownStates:
    from openhands_recipes.flows.gate_files import read_states  # noqa: PLC0415 - start-up time
    from openhands_recipes.model.gate_states import KnownStates  # noqa: PLC0415

    return read_states(_content(path), where=str(path)) if path else KnownStates()


def _mended(world: World, judged: Judged) -> Verdict:
    from openhands_recipes.flows.gate import mend  # noqa: PLC0415 - start-up time

    verdict = judged.verdict
    is_there = world.head_is_checked_out(verdict.head)
    return replace(verdict, fixed=mend(judged.reading.case, world.mend, head_is_checked_out=is_there))


def _rendered(verdict: Verdict, output: Output) -> str:
    from openhands_recipes.flows.gate_report import render  # noqa: PLC0415 - start-up time

    return render(verdict, output, tool_version=__version__)


def _leave(verdict: Verdict) -> None:
    """The exit code of the verdict."""
    if verdict.outcome == "fail":
        raise click.exceptions.Exit(1)
    if verdict.outcome == "needs-human":
        may = ", ".join(map(str, verdict.may_approve))
        hint = f"may approve: {may}" if may else "the findings say what is missing"
        raise NeedsHumanError("people must agree before this may merge", hint=hint)
