"""Builds the real doors from settings, each when it is first asked for: the one place that knows them all.

A command gets the world with `@click.pass_obj` as its first argument:

    @click.command()
    @click.argument("names", nargs=-1)
    @click.pass_obj
    def command(world: World, names: tuple[str, ...]) -> None:
        for name in names:
            with world.about(name, version, platform) as subject, world.progress.stage("pack") as stage:
                subject.digest = ...
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.cli.complaint import event_line
from openhands_recipes.cli.settings import Settings

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.cache_dir import CacheDir
    from openhands_recipes.cli.recording import Recorder, Subject


class World:
    """The doors of one run, each imported when it is first asked for: a run pays for no other."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # --- talk ------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """A line of talk: stderr, an event with `--log-format json`, nothing with `--quiet`."""
        if self.settings.log_format == "json":
            self.emit({"event": "message", "text": click.unstyle(text)})
        elif self.settings.verbosity >= 0:
            click.echo(text, err=True, color=self.settings.color)

    def emit(self, event: Mapping[str, Any]) -> None:
        """One event as a line of JSON on stderr; only with `--log-format json`."""
        if self.settings.log_format == "json":
            stamp = self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
            click.echo(event_line({"time": stamp} | dict(event)), err=True)

    @cached_property
    def progress(self) -> ports.Progress:
        """Shows long work the way the settings and the terminal ask for."""
        from openhands_recipes.cli.progress import Bars, Events, Lines, Reporter, Silent  # noqa: PLC0415

        context = click.get_current_context(silent=True)
        machine_reads = context is not None and context.params.get("output", "text") != "text"
        if self.settings.log_format == "json":
            return Reporter(self.clock, Events(self.emit))
        if self.settings.verbosity < 0 or machine_reads:
            return Reporter(self.clock, Silent())
        if sys.stderr.isatty():
            return Reporter(self.clock, Bars())
        return Reporter(self.clock, Lines() if self.settings.verbosity else Silent())

    # --- the cache -------------------------------------------------------------------------------

    @cached_property
    def cache(self) -> CacheDir:
        """Where everything lies that can be had again."""
        from openhands_recipes.adapters.cache_dir import CacheDir  # noqa: PLC0415

        return CacheDir(self.settings.cache) if self.settings.cache else CacheDir.default()

    # --- time and evidence -----------------------------------------------------------------------

    @cached_property
    def clock(self) -> ports.Clock:
        """The machine's clock."""
        from openhands_recipes.adapters.clock import SystemClock  # noqa: PLC0415

        return SystemClock()

    @cached_property
    def evidence(self) -> ports.Evidence:
        """The local ledger."""
        from openhands_recipes.adapters.evidence import EvidenceLedger  # noqa: PLC0415

        return EvidenceLedger(self.settings.evidence)

    @cached_property
    def recorder(self) -> Recorder:
        """Keeps the records of this run."""
        from openhands_recipes.adapters.evidence import this_machine  # noqa: PLC0415
        from openhands_recipes.cli.recording import Recorder  # noqa: PLC0415

        return Recorder(self.clock, self.evidence, self.progress, this_machine)

    def recording(self, verb: str) -> AbstractContextManager[None]:
        """Everything inside is one run of `verb`; commands get it from the group and never call it."""
        return self.recorder.verb(verb)

    def about(self, recipe: str, version: str = "", platform: str = "") -> AbstractContextManager[Subject]:
        """Everything inside is about one recipe; what the verb learns goes into the subject's fields."""
        return self.recorder.subject(recipe, version, platform)
