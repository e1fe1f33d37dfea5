"""`ohr run` and `ohr shell`: one command in a fresh sandbox over an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from openhands_recipes.compile.oci.config import StartSettings, start_settings
from openhands_recipes.flows.mounted import as_user, reader_in, trees_of
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.image import Image
from openhands_recipes.ports import BoxOptions, Command, Completed


@dataclass(frozen=True)
class RunRequest:
    """What to run and what it may see. `argv` empty: what the image itself starts."""

    argv: tuple[str, ...] = ()
    options: BoxOptions = field(default_factory=BoxOptions)
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str | None = None
    terminal: bool = False
    as_root: bool = False


@dataclass(frozen=True)
class Streams:
    """Where output goes, and what the command reads."""

    stdout: Callable[[bytes], None] | IO[bytes]
    stderr: Callable[[bytes], None] | IO[bytes]
    stdin: bytes | None = None


def run(shop: Workshop, image: Image, request: RunRequest, streams: Streams) -> Completed:
    """Run it to the end.

    Raises:
        SandboxError: this machine cannot run sandboxes; the hint says what to change.
    """
    start = start_settings(image)
    with shop.engine.open(trees_of(shop, image), request.options) as box:
        return box.run(
            _command(start, request), stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr
        )


@contextmanager
def image_files(shop: Workshop, image: Image) -> Iterator[Callable[[str], bytes | None]]:
    """Reads files of an image as they finally stand; None for those it does not have."""
    with shop.engine.open(trees_of(shop, image)) as box:
        yield reader_in(box)


def account_of(image: Image) -> tuple[int, int]:
    """User and group id of the account an image runs as."""
    start = start_settings(image)
    return start.uid, start.gid


def _command(start: StartSettings, request: RunRequest) -> Command:
    argv = request.argv or (*start.entrypoint, *start.command)
    workdir = request.workdir or (start.shell_workdir if request.argv else start.workdir)
    if request.as_root:
        environment = {**start.environment, "HOME": "/root", "USER": "root", **request.environment}
        command = Command(argv, environment, workdir, keep_capabilities=True, may_gain_privileges=True)
    else:
        command = as_user(start, argv, workdir=workdir, environment=request.environment)
    return replace(command, terminal=request.terminal, forward_signals=True)
