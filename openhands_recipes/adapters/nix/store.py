"""`ports.Nix` over a Nix that runs here: which commands are given, and what their answers mean."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhands_recipes.adapters.nix.calls import FLAKE, Answer, Call, Log, Runner, Steps
from openhands_recipes.errors import InvalidRecipeError, OutsideError, UsageError, VerificationError
from openhands_recipes.ports import Bind, Stage

if TYPE_CHECKING:
    from openhands_recipes.model.nix import StorePath

_LOG = logging.getLogger(__name__)
_ALWAYS = (
    *("--extra-experimental-features", "nix-command flakes"),
    *("--log-format", "internal-json"),
    *("--option", "flake-registry", ""),  # inputs are locked, nothing is looked up
    *("--option", "accept-flake-config", "false"),
    *("--option", "eval-cache", "false"),  # it would keep failures without their reasons
    *("--option", "warn-dirty", "false"),
    *("--option", "require-sigs", "true"),
)
_MOST_PATHS = 500
"""Store paths named in one command: far below what a command line may hold."""
_NIXPKGS = "/nixpkgs"


@dataclass(frozen=True)
class Caches:
    """Binary caches and the keys their signatures are checked with; `only`: no others."""

    substituters: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    only: bool = False

    def options(self) -> tuple[str, ...]:
        """As options of Nix."""
        if not self.only and not self.substituters:
            return ()
        prefix = "" if self.only else "extra-"
        return (
            *("--option", f"{prefix}substituters", " ".join(self.substituters)),
            *("--option", f"{prefix}trusted-public-keys", " ".join(self.keys)),
        )


class StoreNix:
    """Evaluates, builds and looks into a store."""

    def __init__(self, runner: Runner, steps: Steps, caches: Caches, *, nixpkgs: str = "") -> None:
        """`nixpkgs`: folder, archive or flake reference to take the pinned tree from."""
        self._runner = runner
        self._steps = steps
        self._caches = caches
        self._nixpkgs = nixpkgs
        self._present: set[str] = set()

    def description(self) -> str:
        """Which Nix this is: version and place."""
        return self._runner.description()

    def evaluate(self, flake: Path, attribute: str) -> str:
        """A value of a flake as JSON text."""
        network = not self._have_nixpkgs(flake)
        return self._ask(
            "eval", "--json", *_frozen(flake), f"{FLAKE}#{attribute}", flake=flake, network=network
        )

    def build(self, flake: Path, attribute: str, *, stage: Stage | None = None, foreign: bool = False) -> str:
        """Build an attribute; its store path, kept from garbage collection and complete on the disk."""
        self._have_nixpkgs(flake)
        ready_made = ("--option", "max-jobs", "0", "--option", "builders", "") if foreign else ()
        order = (
            "build",
            "--no-link",
            "--print-out-paths",
            *_frozen(flake),
            f"{FLAKE}#{attribute}^out",
            *ready_made,
        )
        path = self._ask(*order, flake=flake, network=True, stage=stage).strip()
        for database in (False, True):
            if not (lost := self._lost(path)):
                break
            if not self._runner.mend(database=database):
                raise _lost_error(lost)
            path = self._ask(*order, flake=flake, network=True, stage=stage).strip()
        self._runner.protect(path)
        return path

    def _lost(self, path: str) -> str:
        """The first path of a closure that the database knows and the disk does not."""
        return next(
            (known.path for known in self.closure(path) if not _exists(self._runner.physical(known.path))), ""
        )

    def closure(self, path: str) -> tuple[StorePath, ...]:
        """A store path and all it needs at run time, sorted by path."""
        return self._steps.store_paths(self._ask("path-info", "--json", "--recursive", path))

    def folder(self, path: str) -> Path:
        """Where this machine can read the tree of a store path."""
        place = self._runner.physical(path)
        if not _exists(place):
            raise OutsideError(f"{path} is not in the store", where=str(place), hint="build it again")
        return place

    def verify(self, paths: Sequence[str]) -> None:
        """Make sure that trees still are what the store says; repaired where the store is our own."""
        for start in range(0, len(paths), _MOST_PATHS):
            some = paths[start : start + _MOST_PATHS]
            try:
                self._ask("store", "verify", "--no-trust", *some)
            except VerificationError as error:
                self._runner.repair([path for path in some if path in error.message])
                raise

    def run(self, arguments: Sequence[str], *, flake: Path | None = None, network: bool = False) -> str:
        """What another command of Nix prints."""
        fetch = flake is not None and not self._have_nixpkgs(flake)
        return self._ask(*arguments, flake=flake, network=network or fetch)

    def _have_nixpkgs(self, flake: Path) -> bool:
        """Whether the tree of the flake's nixpkgs is in the store; it is put there where the machine says.

        Its place follows from its hash alone, so Nix finds it there wherever the lock says it comes from.
        """
        nar_hash = _locked_nixpkgs(flake)
        if not nar_hash or nar_hash in self._present:
            return True
        path = self._steps.tree_path(nar_hash)
        known = _exists(self._runner.physical(path)) and self._try("path-info", path).exit_code == 0
        if not known and self._nixpkgs:
            self._take_nixpkgs(nar_hash)
            known = True
        if known:
            self._runner.protect(path)
            self._present.add(nar_hash)
        return known

    def _take_nixpkgs(self, nar_hash: str) -> None:
        reference, binds = _reference(self._nixpkgs, self._runner)
        answer = self._ask("flake", "prefetch", "--json", reference, binds=binds, network=not binds)
        got = json.loads(answer)["hash"]
        if got != nar_hash:
            raise VerificationError(
                f"this is another nixpkgs than the pinned one: its hash is {got}, the pin says {nar_hash}",
                where=f"OHR_NIXPKGS={self._nixpkgs}",
                hint="name a copy of the pinned revision (recipes/registry.yaml), without its .git folder",
                code="OHR112",
            )

    def _ask(
        self,
        *arguments: str,
        flake: Path | None = None,
        binds: tuple[Bind, ...] = (),
        network: bool = False,
        stage: Stage | None = None,
    ) -> str:
        """What a command prints; a damaged store of our own is mended once."""
        call = Call(self._complete(arguments, network=network), flake, binds, network=network)
        for again in (True, False):
            log = self._steps.log()
            answer = self._runner.run(call, _listener(log, stage))
            failure = self._steps.failure(log, answer.exit_code)
            if failure is None:
                return answer.stdout
            damage = log.damage()
            if again and damage and self._runner.mend(database=damage == "database"):
                _LOG.warning("the store of Nix was damaged and has been mended: %s", failure.message)
                continue
            raise failure
        raise AssertionError

    def _try(self, *arguments: str) -> Answer:
        call = Call(self._complete(arguments, network=False))
        return self._runner.run(call, lambda _line: None)

    def _complete(self, arguments: tuple[str, ...], *, network: bool) -> tuple[str, ...]:
        """A command and, before it, the settings it needs."""
        offline = () if network else ("--offline",)
        return (*_ALWAYS, *self._runner.options, *self._caches.options(), *offline, *arguments)


def _listener(log: Log, stage: Stage | None) -> Callable[[bytes], None]:
    """Feeds a log and moves a stage on."""
    if stage is None:
        return log.feed
    shown: tuple[int, int, str] = (0, 0, "")

    def hear(line: bytes) -> None:
        nonlocal shown
        log.feed(line)
        done, expected, note = max(log.done, shown[0]), log.expected, log.note
        if expected != shown[1]:
            stage.expect(expected)
        if done > shown[0]:
            stage.advance(done - shown[0])
        if note != shown[2]:
            stage.note(note)
        shown = done, expected, note

    return hear


def _frozen(flake: Path) -> tuple[str, ...]:
    """A lock that is there is followed to the letter; none is written."""
    locked = (flake / "flake.lock").exists()
    return ("--no-update-lock-file",) if locked else ("--no-write-lock-file",)


def _locked_nixpkgs(flake: Path) -> str:
    """The hash a flake's lock promises of its nixpkgs; empty where it uses none."""
    try:
        content = (flake / "flake.lock").read_bytes()
    except FileNotFoundError:
        return ""
    try:
        lock: dict[str, Any] = json.loads(content)
        name = lock["nodes"][lock["root"]].get("inputs", {}).get("nixpkgs")
        return str(lock["nodes"][name]["locked"]["narHash"]) if isinstance(name, str) else ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRecipeError("not a lock of a flake", where=str(flake / "flake.lock")) from error


def _reference(place: str, runner: Runner) -> tuple[str, tuple[Bind, ...]]:
    """A place as a flake reference, and what the runner must be shown of the machine for it."""
    path = Path(place).expanduser()
    if ":" in place and not path.exists():
        return place, ()
    if not path.exists():
        raise UsageError("there is no such folder", where=f"OHR_NIXPKGS={place}")
    path = path.resolve()
    inside, binds = runner.show(path, _NIXPKGS)
    return (f"path:{inside}" if path.is_dir() else f"tarball+file://{inside}"), binds


def _exists(path: Path) -> bool:
    """Also a link that leads nowhere is there."""
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _lost_error(path: str) -> OutsideError:
    return OutsideError(
        f"the store of Nix has lost {path}, which its database knows",
        hint="`nix-store --verify --check-contents --repair` mends it",
        code="OHR118",
    )
