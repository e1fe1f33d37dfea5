"""The table of commands and a click group that imports a command only when it is called.

`ohr --help` must answer in a fifth of a second, so the short help texts stand here; a test compares them
with the commands' own.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from openhands_recipes.errors import UsageError

COMMANDS: Mapping[str, str] = {
    "new": "Start a recipe that passes `ohr check`.",
    "check": "Judge recipes: shape, composition, packages.",
    "show": "Print a composed recipe and where each value came from.",
    "lock": "Pin every input of a recipe by digest.",
    "build": "Build the image of a recipe from its lock.",
    "test": "Prove an image: its recipe's tests and the contract.",
    "run": "Run a command in a sandbox of a recipe.",
    "shell": "Open an interactive shell in a sandbox of a recipe.",
    "push": "Push images to an OCI registry.",
    "load": "Load images into a local Docker daemon.",
    "release": "Release tested images: signed, described, recorded.",
    "deprecate": "Advise against a release.",
    "yank": "Withdraw a release from new use.",
    "block": "Have a release refused everywhere.",
    "index": "Publish the signed index of releases.",
    "search": "Look for recipes in a registry's index.",
    "info": "Tell what a registry's index says of a recipe.",
    "pull": "Pull a released image, every step verified.",
    "mirror": "Copy a registry's index and images to another place.",
    "flake": "Compile recipes to flakes for people with Nix.",
    "export": "Write recipes as files of other tools.",
    "gate": "Judge a pull request from Git history.",
    "doctor": "Tell what this machine can do and how to fix the rest.",
    "cache": "Look at the cache, or clear it.",
}
PACKAGE = "openhands_recipes.cli"


class LazyGroup(click.Group):
    """Knows its commands by name, loads the one that is called, and has its run recorded."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        return recorded(import_module(f"{PACKAGE}.{cmd_name}").command, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command meant by the first argument; a near miss is told what it may have meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415 - only needed here

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"see `{ctx.command_path} --help`"
            raise UsageError(f"no command is called '{args[0]}'", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def recorded(command: click.Command, verb: str) -> click.Command:
    """The same command, leaving evidence of each run: also of one that fails, never of `--help`."""
    if isinstance(command, click.Group):
        group = copy.copy(command)
        group.commands = {name: recorded(sub, f"{verb} {name}") for name, sub in command.commands.items()}
        return group
    own = copy.copy(command)
    callback = command.callback
    if callback is None:
        return own

    @functools.wraps(callback)
    def with_evidence(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click hands anything on
        with click.get_current_context().obj.recording(verb):
            return callback(*args, **kwargs)

    own.callback = with_evidence
    return own
