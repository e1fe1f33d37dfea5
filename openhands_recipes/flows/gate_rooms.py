"""Building and running what a pull request makes of its recipes, in rooms that nothing else shares.

A room is a project folder written from Git objects, and a cache of its own. Downloads are lent to it, which
digests protect; nothing that was made in one room is seen in another, or stays when all is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from openhands_recipes.compile.oci.config import StartSettings, start_settings
from openhands_recipes.errors import (
    DownloadError,
    OutsideError,
    RecipesError,
    SandboxError,
    VerificationError,
)
from openhands_recipes.flows.build import build
from openhands_recipes.flows.gate_case import Reading
from openhands_recipes.flows.gate_judging import Shelf
from openhands_recipes.flows.mounted import as_user, trees_of
from openhands_recipes.flows.test import test_image
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest, digest_of, from_hex
from openhands_recipes.model.gate_proof import Check, ImageFacts, Proven
from openhands_recipes.model.image import Image, index_of
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import BoxOptions, RecipeStore
from openhands_recipes.publish.gate.bills import bill_problems
from openhands_recipes.publish.parts import Contents, PlatformContents, parts_of

FIRST, SECOND = "first", "second-and-elsewhere"
"""Two rooms, whose names differ in length so that a path in an image shows."""
OUTSIDE = (VerificationError, DownloadError, SandboxError)
"""Not the recipe's fault, or never to be swallowed."""
NETWORK = """\
while read -r name _; do
  case $name in lo:|Inter-*|face*) ;; *) echo "$name"; exit 1 ;; esac
done </proc/net/dev
for address in 192.0.2.1/80 198.51.100.1/443; do
  if timeout 2 bash -c "exec 3<>/dev/tcp/$address" 2>/dev/null; then echo "$address answers"; exit 1; fi
done
"""
"""Succeeds where only the loopback device is there and addresses nobody has (RFC 5737) cannot be reached."""


class Rooms(Protocol):
    """Makes rooms, and removes them in the end."""

    def room(self, name: str, files: Mapping[str, bytes], lent: Iterable[Digest]) -> Workshop:
        """A workshop over a project of these files, with a cache of its own that has what is lent."""

    def base(self, store: RecipeStore) -> Workshop:
        """The usual workshop over what was merged long ago."""


@dataclass
class Bench:
    """Everything that is built and tested of one pull request; each thing once."""

    reading: Reading
    rooms: Callable[[], Rooms]
    host: Platform | None
    _shops: dict[str, Workshop] = field(default_factory=dict)
    _images: dict[str, Image] = field(default_factory=dict)
    proofs: dict[str, Proven] = field(default_factory=dict)

    def build(self) -> tuple[Proven, ...]:
        """Every recipe of the pull request, built twice, beside what its base has."""
        return tuple(self._keep(name, self._twice(name)) for name in self._names())

    def test(self) -> tuple[Proven, ...]:
        """Every image, proven in a sandbox; built first where that was not done."""
        for name in self._names():
            proven = self.proofs.get(name) or self._keep(name, self._once(name))
            image = self._images.get(name)
            if image is not None:
                self._keep(name, replace(proven, checks=tuple(self._checks(name, image))))
        return tuple(self.proofs.values())

    def bills(self) -> tuple[Proven, ...]:
        """What is wrong with the bills of materials of what was built, or of the locks alone."""
        for name in self._names():
            proven = self.proofs.get(name) or self._blank(name)
            self._keep(name, replace(proven, bill=self._bill(name, self._images.get(name))))
        return tuple(self.proofs.values())

    def _keep(self, name: str, proven: Proven) -> Proven:
        self.proofs[name] = proven
        return proven

    def _names(self) -> tuple[str, ...]:
        """Recipes that are there afterwards, composed and locked."""
        return tuple(r.name for r, side in self.reading.case.present if side.composed and side.lock.lock)

    # --- building --------------------------------------------------------------------------------

    def _blank(self, name: str) -> Proven:
        lock = self._lock(name)
        others = tuple(sorted(set(lock.platforms) - {self.host}))
        return Proven(name, self.host or "", elsewhere=others)

    def _once(self, name: str) -> Proven:
        """Built in the first room; where it cannot be, why."""
        proven = self._blank(name)
        if self.host not in self._lock(name).platforms or self.host is None:
            return proven
        try:
            image = self._build(FIRST, name)
        except OUTSIDE:
            raise
        except RecipesError as error:
            return replace(proven, problem=error.message, hint=error.hint)
        self._images[name] = image
        return replace(proven, image=facts_of(image), before=self._before(name))

    def _twice(self, name: str) -> Proven:
        proven = self._once(name)
        return proven if proven.image is None else replace(proven, again=facts_of(self._build(SECOND, name)))

    def _build(self, room: str, name: str) -> Image:
        shop = self._shop(room)
        return build(shop, name, platform=self._host, compression="zstd").image

    @property
    def _host(self) -> Platform:
        assert self.host is not None, "only asked for where something can be built"  # noqa: S101
        return self.host

    def _shop(self, room: str) -> Workshop:
        if room not in self._shops:
            names = self._names()
            files, lent = project_of(self.reading.after, names), lent_to(self.reading.after, names)
            self._shops[room] = self.rooms().room(room, files, lent)
        return self._shops[room]

    def _before(self, name: str) -> ImageFacts | None:
        """The base's image; None for a new recipe, or if its parts cannot be had any more."""
        before = self.reading.before
        if before.composed(name) is None or not before.store.owns(name):
            return None
        try:
            shop = self.rooms().base(before.store)
            return facts_of(build(shop, name, platform=self._host, compression="zstd").image)
        except VerificationError:
            raise
        except RecipesError:
            return None

    # --- testing ---------------------------------------------------------------------------------

    def _checks(self, name: str, image: Image) -> Iterator[Check]:
        shop, composed = self._shop(FIRST), self._composed(name)
        try:
            report = test_image(shop, composed, image, options=BoxOptions())
        except OUTSIDE:
            raise
        except OutsideError as error:
            yield Check("tests", "everything starts", ok=False, reason=error.message)
        else:
            for verdict in report.verdicts:
                suite = verdict.suite if verdict.suite in {"contract", "live"} else "tests"
                yield Check(suite, verdict.name, verdict.ok, verdict.reason)  # type: ignore[arg-type]  # one of these
        yield from inside(shop, composed, image)

    def _bill(self, name: str, image: Image | None) -> tuple[str, ...]:
        """What is wrong with the bill of materials; what was not built is told by a digest of its name."""
        composed, lock = self._composed(name), self._lock(name)
        locks = [
            found for member in composed.lineage if (found := self.reading.after.lock_within(name, member))
        ]
        manifests = {image.platform: image.digest} if image else dict(_stand_ins(name, lock))
        index = digest_of(index_of((image,), annotations={}) if image else name.encode())
        inside_of = {
            one: PlatformContents(manifest, parts_of(locks, one)) for one, manifest in manifests.items()
        }
        contents = Contents(
            composed.name, composed.version, composed.recipe.summary, composed.recipe.license,
            lock.debian.release_date, index, inside_of,
        )  # fmt: skip
        return bill_problems(contents)

    def _lock(self, name: str) -> Lock:
        lock = self.reading.after.lock(name)
        assert lock is not None, "only recipes with a lock are looked at"  # noqa: S101
        return lock

    def _composed(self, name: str) -> Composed:
        composed = self.reading.after.composed(name)
        assert composed is not None, "only recipes that compose are looked at"  # noqa: S101
        return composed


def _stand_ins(name: str, lock: Lock) -> Iterator[tuple[Platform, Digest]]:
    yield from ((platform, digest_of(f"{name} {platform}".encode())) for platform in sorted(lock.platforms))


def facts_of(image: Image) -> ImageFacts:
    """What verdicts say of an image."""
    return ImageFacts(image.digest, image.size, tuple((layer.digest, layer.size) for layer in image.layers))


def project_of(shelf: Shelf, names: Iterable[str]) -> dict[str, bytes]:
    """The files some recipes are built from: theirs, those of their modules, the registry's own."""
    store = shelf.store
    members = {m for name in names if (composed := shelf.composed(name)) for m in composed.lineage}
    found = {}
    for member in sorted(members):
        for stored in (store.recipe(member), store.lock(member), store.closure(member)):
            if stored is not None and store.owns(member):
                found[stored.file] = stored.content
    for stored in (store.settings(), store.package_table(), *store.nixlib().values()):
        found[stored.file] = stored.content
    return {path: content for path, content in found.items() if _stays_inside(path)}


def _stays_inside(path: str) -> bool:
    """Whether a path lies below the project; what does not comes from the toolkit and is there anyway."""
    return not path.startswith("/") and not {"", ".", ".."} & set(path.split("/"))


def lent_to(shelf: Shelf, names: Iterable[str]) -> tuple[Digest, ...]:
    """Every file some recipes and their modules are locked to."""
    members = {m for name in names if (composed := shelf.composed(name)) for m in composed.lineage}
    locks = (lock for member in members if (lock := shelf.lock(member)) is not None)
    return tuple(sorted({digest for lock in locks for digest in _files(lock)}))


def _files(lock: Lock) -> Iterator[Digest]:
    for inputs in lock.platforms.values():
        yield from (from_hex(deb.sha256) for deb in inputs.debs)
        yield from (from_hex(tarball.sha256) for tarball in inputs.tarballs)
        for wheel in inputs.wheels:
            yield from_hex(wheel.sha256)
            if wheel.built_from is not None:
                yield from_hex(wheel.built_from.sha256)
                yield from (from_hex(one.sha256) for one in wheel.built_from.requirements)


def inside(shop: Workshop, composed: Composed, image: Image) -> Iterator[Check]:
    """What must hold in every image, whatever its own tests say."""
    start = start_settings(image)
    root = start.uid == 0
    yield Check("account", "processes do not run as root", not root, f"they run as {start.uid}:{start.gid}")
    with shop.engine.open(trees_of(shop, image), BoxOptions()) as box:
        done = box.run(as_user(start, ("/bin/bash", "-c", NETWORK), timeout=30))
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        yield Check("network", "nothing can be reached without network", done.exit_code == 0, said[-200:])
        for command in declared(composed, start):
            look = ("/bin/bash", "-c", 'command -v -- "$1" >/dev/null', "look", command)
            there = box.run(as_user(start, look, timeout=30)).exit_code == 0
            yield Check("commands", command, there, "" if there else "not on PATH")


def declared(composed: Composed, start: StartSettings) -> tuple[str, ...]:
    """Every command a recipe says there is."""
    names = {name for application in composed.applications for name in application.commands}
    names |= {process.command[0] for process in composed.processes.values()}
    lines: list[Iterable[str]] = [composed.entrypoint or (), composed.command or (), start.entrypoint]
    names |= {first for line in lines for first in tuple(line)[:1]}
    return tuple(sorted(names))
