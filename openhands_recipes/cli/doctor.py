"""`ohr doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.output import format_option, print_json, table
from openhands_recipes.errors import OutsideError

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World

COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(short_help="Tell what this machine can do and how to fix the rest.")
@format_option()
@click.pass_obj
def command(world: World, output: str) -> None:
    """Tell what this machine can and cannot do, and what to change.

    Opens a sandbox, asks the Debian mirror and the Python package index, looks for room and tools. The exit
    code is 0 unless images cannot be built here at all.
    """
    from openhands_recipes.flows.doctor import can_build, examine  # noqa: PLC0415 - start-up time

    findings = examine(world.checks())
    possible = can_build(findings)
    if output == "json":
        print_json({"schema": 1, "can_build": possible, "findings": [vars(finding) for finding in findings]})
    else:
        rows = []
        for finding in findings:
            rows.append([click.style(finding.state, fg=COLORS[finding.state]), finding.name, finding.detail])
            if finding.hint:
                rows.append(["", "", f"hint: {finding.hint}"])
        click.echo(table(rows))
    if not possible:
        failed = ", ".join(finding.name for finding in findings if finding.state == "fail")
        raise OutsideError(
            f"images cannot be built on this machine: {failed}", hint="see what `fail` says above"
        )
