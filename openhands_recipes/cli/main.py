"""The command `ohr`: its global options, and the one place where errors become text and exit codes."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path

import click

from openhands_recipes import __version__
from openhands_recipes.cli.complaint import BUG, INTERRUPTED, as_events, as_text, from_click
from openhands_recipes.cli.lazy import LazyGroup
from openhands_recipes.cli.settings import Color, LogFormat, color_choice, settings_from
from openhands_recipes.cli.world import World
from openhands_recipes.errors import RecipesError


class Talk(logging.Handler):
    """What the libraries log, in the form the user asked for."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        """`warning: text` on stderr, or an event."""
        level = record.levelname.lower()
        if self.world.settings.log_format == "json":
            self.world.emit({"event": "log", "level": level, "text": record.getMessage()})
        else:
            label = click.style(f"{level}:", fg="yellow" if record.levelno >= logging.WARNING else "cyan")
            click.echo(f"{label} {record.getMessage()}", err=True, color=self.world.settings.color)


def set_up_logging(world: World) -> None:
    """Our own modules speak through `Talk`; warnings always, more with each `-v`."""
    verbosity = world.settings.verbosity
    logger = logging.getLogger("openhands_recipes")
    logger.handlers = [Talk(world)]
    logger.setLevel((logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2) + 1])
    logger.propagate = False


FOLDER = click.Path(path_type=Path, file_okay=False)
LOG_FORMATS = click.Choice(["text", "json"])
COLORS = click.Choice(["auto", "always", "never"])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", type=FOLDER, envvar="OHR_ROOT", help="Folder that holds recipes/; searched upwards.")
@click.option("--cache", type=FOLDER, help="Cache folder, else $OHR_CACHE.")
@click.option("--log-format", type=LOG_FORMATS, default="text", help="How to talk on stderr.")
@click.option("-v", "--verbose", count=True, help="Tell more; twice for debugging.")
@click.option("-q", "--quiet", is_flag=True, help="Tell only errors.")
@click.option("--color", type=COLORS, default="auto", help="When to colour.")
@click.version_option(__version__, prog_name="ohr")
@click.pass_context
def main(  # noqa: PLR0913 - one parameter an option
    ctx: click.Context,
    *,
    root: Path | None,
    cache: Path | None,
    log_format: LogFormat,
    verbose: int,
    quiet: bool,
    color: Color,
) -> None:
    """Reproducible sandboxes for AI coding agents: recipes in, locked and proven OCI images out."""
    verbosity = -1 if quiet else verbose
    settings = settings_from(root=root, cache=cache, log_format=log_format, verbosity=verbosity, color=color)
    ctx.obj = World(settings)
    ctx.color = settings.color
    set_up_logging(ctx.obj)


def run() -> None:
    """Entry point of the command: runs it and leaves with its exit code."""
    sys.exit(run_with(sys.argv[1:]))


def run_with(arguments: list[str]) -> int:
    """Run one command line; its exit code. Nothing but a bug of ours shows a traceback."""
    context = None
    try:
        with main.make_context("ohr", arguments) as context:
            main.invoke(context)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place an error can be told in
        return _tell(error, context.obj if context else None)
    return 0


def _tell(error: BaseException, world: World | None) -> int:
    """Say what went wrong, as far as it needs saying; the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            return _complain(from_click(error), world)
        case RecipesError():
            return _complain(error, world)
        case KeyboardInterrupt() | click.Abort():
            click.echo("interrupted", err=True)
            return INTERRUPTED
        case BrokenPipeError():
            return _reader_left()
    traceback.print_exception(error)
    click.echo("\nThis is a bug in ohr. Please report it with the lines above.", err=True)
    return BUG


def _complain(error: RecipesError, world: World | None) -> int:
    if world and world.settings.log_format == "json":
        for event in as_events(error):
            world.emit(event)
        return error.exit_code
    color = world.settings.color if world else color_choice("auto", os.environ)
    click.echo(as_text(error), err=True, color=color)
    if world and world.settings.verbosity > 0 and error.__cause__:
        click.echo(f"  cause: {type(error.__cause__).__name__}: {error.__cause__}", err=True)
    return error.exit_code


def _reader_left() -> int:
    """Whoever read our output has stopped (`ohr show x | head`): leave quietly, as if killed by SIGPIPE."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
