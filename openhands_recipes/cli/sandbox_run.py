"""What `ohr run` and `ohr shell` do with their options."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openhands_recipes.cli.building import have_image
from openhands_recipes.cli.platforms import this_platform
from openhands_recipes.errors import UsageError
from openhands_recipes.flows.run import RunRequest, Streams, account_of, image_files, run
from openhands_recipes.ports import Bind, BoxFile, BoxOptions

if TYPE_CHECKING:
    from openhands_recipes.cli.sandbox_options import SandboxChoice
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.nix_fast_path import Shape


@dataclass(frozen=True)
class SandboxRequest:
    """What to run, of which image of a recipe."""

    name: str
    argv: tuple[str, ...]
    sandbox: SandboxChoice
    shape: Shape


def run_in_sandbox(world: World, request: SandboxRequest) -> None:
    """Run and leave with the command's exit code."""
    wish = request.sandbox
    platform = this_platform()
    with world.about(request.name, platform=platform) as subject:
        image = have_image(world, request.name, platform=platform, shape=request.shape).image
        subject.version, subject.digest = image.version, image.digest
    binds = tuple(_bind(text) for text in wish.binds)
    shop = world.workshop
    if any(bind.writable for bind in binds):
        shop = world.workshop_for_caller(*account_of(image))
    variables = _variables(wish.environment)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    files: tuple[BoxFile, ...] = ()
    offered: dict[str, str] = {}
    if wish.network:
        with image_files(shop, image) as read:
            files, offered = world.network_offer(read, wish.ca_bundle)
    run_request = RunRequest(
        argv=request.argv,
        options=BoxOptions(network=wish.network, binds=binds, files=files, hostname=request.name),
        environment={**offered, **variables, **_terminal_variables(terminal=terminal)},
        workdir=wish.workdir,
        terminal=terminal,
        as_root=wish.as_root,
    )
    streams = Streams(sys.stdout.buffer, sys.stderr.buffer, None if sys.stdin.isatty() else _stdin())
    done = run(shop, image, run_request, streams)
    if done.exit_code:
        sys.exit(done.exit_code)


def _stdin() -> bytes | None:
    return None if sys.stdin.closed else sys.stdin.buffer.read()


def _bind(text: str) -> Bind:
    """`SRC:DST` (writable) or `SRC:DST:ro`."""
    parts = text.split(":")
    if (
        len(parts) not in (2, 3)
        or not parts[1].startswith("/")
        or (len(parts) == 3 and parts[2] not in ("ro", "rw"))
    ):
        raise UsageError(
            f"not a bind: {text!r}", hint="write SRC:DST or SRC:DST:ro, DST being an absolute path"
        )
    source = Path(parts[0]).resolve()
    if not source.exists():
        raise UsageError(f"nothing to bind at {source}", hint="the host path of a bind must exist")
    return Bind(source, parts[1], writable=parts[2:] != ["ro"])


def _variables(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"not a variable: {pair!r}", hint="write NAME=VALUE")
        found[name] = value
    return found


def _terminal_variables(*, terminal: bool) -> dict[str, str]:
    return {"TERM": "xterm-256color"} if terminal else {}
