"""One level's Debian packages as layers: the archives' own files, then one layer of configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from openhands_recipes.compile.debian.database import ReadFile, package_of
from openhands_recipes.compile.debian.placement import place
from openhands_recipes.compile.oci.rules import CONFIGURE_VERSION
from openhands_recipes.compile.pack.plan import PartSize, plan
from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.flows.ahead import fragments_of
from openhands_recipes.flows.configure import DEBS_FOLDER, Account, DivertsError, LevelPackages, configure
from openhands_recipes.flows.parts import deb_key, deb_part
from openhands_recipes.flows.stack import Stack, order_of, paths_of, unpack
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of_json, from_hex
from openhands_recipes.model.fragment import Entry, Fragment
from openhands_recipes.model.lock import Deb
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import Bind, LayerOrder

BLOCK = 512


@dataclass(frozen=True)
class DebianLevel:
    """What a level brings from Debian, by name."""

    level: LockedLevel
    platform: Platform
    below: Digest | None
    """Key of the configuration underneath."""

    @property
    def debs(self) -> tuple[Deb, ...]:
        """The level's own packages."""
        inputs = self.level.lock.platforms.get(self.platform)
        return inputs.debs if inputs else ()

    @property
    def account(self) -> Account | None:
        """The user this level itself creates."""
        own = self.level.composed.levels[-1].recipe.user
        return Account(own) if own else None

    @property
    def epoch(self) -> int:
        """The date of the package archive, in seconds: the only time a configuration knows."""
        return epoch_of(self.level.lock.debian.release_date)

    @property
    def key(self) -> Digest:
        """Of the configuration: everything it depends on."""
        account = self.account.user.model_dump(mode="json") if self.account else None
        debs = sorted(deb.sha256 for deb in self.debs)
        return digest_of_json(
            ["configuration", CONFIGURE_VERSION, self.platform, self.below or "", debs, account, self.epoch]
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to unpack or configure."""
        return not self.debs and self.account is None


def epoch_of(date: str) -> int:
    """Seconds since 1970 of an ISO 8601 date in UTC."""
    return int(datetime.fromisoformat(date).timestamp())


def debian_orders(debian: DebianLevel, real: frozenset[str]) -> tuple[LayerOrder, ...]:
    """The level's layers in order: groups of archives, then the configuration."""
    sizes = [PartSize(deb_key(d), d.name, d.source, d.installed_size) for d in debian.debs]
    names = {deb_key(d): d.name for d in debian.debs}
    orders = []
    for group in plan(sizes):
        keys = tuple(key for key in group.keys if names[key] not in real)
        if keys:
            orders.append(order_of(f"{debian.level.name}/debian/{group.name}", keys))
    return (*orders, order_of(f"{debian.level.name}/configuration", (debian.key,)))


def known_real(shop: Workshop, debian: DebianLevel) -> frozenset[str] | None:
    """Packages found out before to need the real dpkg; None when this configuration never ran."""
    record = shop.records.get("placement", debian.key)
    return frozenset(json.loads(record)) if record is not None else None


OnUnpacked = Callable[[tuple[LayerOrder, ...], frozenset[str]], None]
"""Told the layers of a level's archives when their trees are there, and which packages those leave out."""


def add_debian(
    shop: Workshop, stack: Stack, debian: DebianLevel, on_unpacked: OnUnpacked | None = None
) -> None:
    """Put a level's Debian layers on the stack; configures in the sandbox unless that was done before.

    `on_unpacked` is called before each attempt to configure; never, if that was done before.
    """
    real = known_real(shop, debian)
    if real is None or shop.fragments.get(debian.key) is None:
        real = _configure(shop, stack, debian, on_unpacked)
    for order in debian_orders(debian, real):
        stack.add(order, debian=True)
    stack.configured = debian.key


def _configure(
    shop: Workshop, stack: Stack, debian: DebianLevel, on_unpacked: OnUnpacked | None
) -> frozenset[str]:
    fragments = fragments_of(shop, [deb_part(deb) for deb in debian.debs])
    below_orders = tuple(stack.debian)
    below = paths_of(shop, below_orders)
    packages = tuple(package_of(fragments[deb_key(deb)]) for deb in debian.debs)
    known: frozenset[str] = frozenset()
    while True:
        placement = place(packages, below, known=known)
        data = debian_orders(debian, placement.real_unpack)[:-1]
        level = LevelPackages(packages, placement, _archives(shop, debian, placement.real_unpack))
        with shop.progress.stage("unpack", total=None):
            trees = unpack(shop, (*below_orders, *data))
        if on_unpacked is not None:
            on_unpacked(data, placement.real_unpack)
        try:
            with shop.progress.stage(f"configure {debian.level.name}") as stage:
                changed = configure(
                    shop.engine, trees, level, below=below, read=_reader(shop),
                    account=debian.account, epoch=debian.epoch, stage=stage,
                )  # fmt: skip
        except DivertsError as error:
            known |= error.packages
            continue
        break
    shop.fragments.create(debian.key, changed)
    real = placement.real_unpack
    shop.records.put("placement", debian.key, json.dumps(sorted(real)).encode())
    return real


def _archives(shop: Workshop, debian: DebianLevel, real: frozenset[str]) -> Mapping[str, Bind]:
    """The .debs the real dpkg needs, bound where it finds them."""
    debs = [deb for deb in debian.debs if deb.name in real]
    missing = [deb for deb in debs if shop.blobs.path(from_hex(deb.sha256)) is None]
    if missing:
        shop.downloads().fetch([deb_part(deb).wanted for deb in missing])
    binds = {}
    for deb in debs:
        path = shop.blobs.path(from_hex(deb.sha256))
        if path is not None:
            binds[deb.name] = Bind(path, f"{DEBS_FOLDER}/{deb.name}.deb")
    return binds


def _reader(shop: Workshop) -> ReadFile:
    places: dict[str, dict[str, int]] = {}

    def read(fragment: Fragment, path: str) -> bytes:
        known = places.setdefault(fragment.key, {e.path: i for i, e in enumerate(fragment.entries)})
        return content_of(shop, fragment, known[path])

    return read


def content_of(shop: Workshop, fragment: Fragment, index: int) -> bytes:
    """The bytes of one regular file: they end where its span ends, padding aside."""
    entry: Entry = fragment.entries[index]
    span = fragment.spans[index]
    padded = -(-entry.size // BLOCK) * BLOCK
    buffer = bytearray(entry.size)
    shop.fragments.read_into(Digest(fragment.key), span.offset + span.length - padded, memoryview(buffer))
    return bytes(buffer)
