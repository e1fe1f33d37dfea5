"""What a run says, and what it records of itself."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
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
    from openhands_recipes.cli.recording import Recorder, Subject


class TalkDoors:
    """Talk, time and evidence."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

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
        from openhands_recipes.cli.progress import Bars, Events, Lines, Reporter, Silent

        context = click.get_current_context(silent=True)
        machine_reads = context is not None and context.params.get("output", "text") != "text"
        if self.settings.log_format == "json":
            return Reporter(self.clock, Events(self.emit))
        if self.settings.verbosity < 0 or machine_reads:
            return Reporter(self.clock, Silent())
        if sys.stderr.isatty():
            return Reporter(self.clock, Bars())
        return Reporter(self.clock, Lines() if self.settings.verbosity else Silent())

    @cached_property
    def clock(self) -> ports.Clock:
        """The machine's clock."""
        from openhands_recipes.adapters.clock import SystemClock

        return SystemClock()

    @cached_property
    def evidence(self) -> ports.Evidence:
        """The local ledger."""
        from openhands_recipes.adapters.evidence import EvidenceLedger

        return EvidenceLedger(self.settings.evidence)

    @cached_property
    def recorder(self) -> Recorder:
        """Keeps the records of this run."""
        from openhands_recipes.adapters.evidence import this_machine
        from openhands_recipes.cli.recording import Recorder

        return Recorder(self.clock, self.evidence, self.progress, this_machine)

    def recording(self, verb: str) -> AbstractContextManager[None]:
        """Everything inside is one run of `verb`; commands get it from the group and never call it."""
        return self.recorder.verb(verb)

    def about(self, recipe: str, version: str = "", platform: str = "") -> AbstractContextManager[Subject]:
        """Everything inside is about one recipe; what the verb learns goes into the subject's fields."""
        return self.recorder.subject(recipe, version, platform)
