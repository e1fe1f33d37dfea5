"""`ohr gate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import click

from openhands_recipes import __version__
from openhands_recipes.cli.output import format_option
from openhands_recipes.errors import NeedsHumanError, UsageError
from openhands_recipes.model.gate import Stage

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.gate import Judged
    from openhands_recipes.model.gate import Verdict
    from openhands_recipes.model.gate_states import KnownStates

FILE = click.Path(path_type=Path, dir_okay=False)
Output = Literal["text", "json", "sarif", "github"]
MOST_BYTES = 32 * 2**20


@click.command(short_help="Judge a pull request from Git history.")
@click.option("--base", required=True, metavar="REV", help="What it is to be merged into.")
@click.option("--head", default="HEAD", show_default=True, metavar="REV", help="Its last commit.")
@click.option("--event", type=FILE, help="The forge's event and reviews, as JSON (docs/gate.md).")
@click.option("--ledger", metavar="REPOSITORY[#BRANCH]", help="Where to learn which releases were withdrawn.")
@click.option("--states", type=FILE, help="The same, from a JSON file (docs/gate.md).")
@click.option(
    "--stage", "stages", type=click.Choice(get_args(Stage)), multiple=True, help="Only these stages."
)
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
    online: bool,
    fix: bool,
    output: Output,
) -> None:
    """Judge a pull request: may it merge, and who must agree?

    Reads commits, never the work tree, and of those only what changed. Rules, owners and settings are those
    of the base. Ends with 0 (pass), 1 (fail) or 5 (people must agree).
    """
    from openhands_recipes.flows.gate import GateOrder, gate  # noqa: PLC0415 - start-up time
    from openhands_recipes.flows.gate_files import read_event  # noqa: PLC0415

    submission = read_event(_content(event), where=str(event)) if event else None
    order = GateOrder(base, head, cast("tuple[Stage, ...]", stages), submission)
    judged = gate(
        world.gatehouse(world.ledger_states(ledger) if ledger else _states(states)),
        order,
        now=world.clock.now(),
        online=world.gate_sources if online else None,
    )
    verdict = _mended(world, judged) if fix else judged.verdict
    click.echo(_rendered(verdict, output))
    _leave(verdict)


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
