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

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.cli.complaint import event_line
from openhands_recipes.cli.platforms import host_platform
from openhands_recipes.cli.settings import Settings

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.apt_sources import DebianSources
    from openhands_recipes.adapters.blobs import BlobStore
    from openhands_recipes.adapters.cache_dir import CacheDir
    from openhands_recipes.adapters.cache_upkeep import Area
    from openhands_recipes.adapters.docker_images import DockerImages
    from openhands_recipes.adapters.fragments import FragmentStore
    from openhands_recipes.adapters.http import Http
    from openhands_recipes.adapters.image_store import LocalImageStore
    from openhands_recipes.adapters.python_index import IndexSettings
    from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
    from openhands_recipes.cli.recording import Recorder, Subject
    from openhands_recipes.flows.doctor import Check
    from openhands_recipes.flows.workshop import Workshop
    from openhands_recipes.model.reference import RegistryAddress


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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

    # --- recipes ---------------------------------------------------------------------------------

    @cached_property
    def store(self) -> ports.RecipeStore:
        """The project's recipes, and the library that comes along."""
        from openhands_recipes.adapters.recipe_store import FolderStore

        return FolderStore(self.settings.root)

    # --- the cache -------------------------------------------------------------------------------

    @cached_property
    def cache(self) -> CacheDir:
        """Where everything lies that can be had again."""
        from openhands_recipes.adapters.cache_dir import CacheDir

        return CacheDir(self.settings.cache) if self.settings.cache else CacheDir.default()

    def cache_areas(self) -> tuple[Area, ...]:
        """What the cache holds."""
        from openhands_recipes.adapters.cache_upkeep import areas

        return areas(self.cache.root)

    def clean_cache(self, *, unused_days: float | None) -> None:
        """Clear the cache, or remove what was not used for some days."""
        from openhands_recipes.adapters.cache_upkeep import clean, clean_unused

        if unused_days is None:
            clean(self.cache.root, clear_sandboxes=lambda: self.engine.clear())  # noqa: PLW0108 - opened late
        else:
            clean_unused(self.cache.root, unused_days)

    @cached_property
    def blobs(self) -> BlobStore:
        """Bytes by their digest."""
        from openhands_recipes.adapters.blobs import BlobStore

        return BlobStore(self.cache)

    @cached_property
    def records(self) -> ports.Records:
        """Small facts between runs."""
        from openhands_recipes.adapters.records import FileRecords

        return FileRecords(self.cache.folder("records"))

    @cached_property
    def fragments(self) -> FragmentStore:
        """Parts in the form layers are made of."""
        from openhands_recipes.adapters.fragments import FragmentStore
        from openhands_recipes.compile.pack.build import build_fragment
        from openhands_recipes.compile.pack.convert import CONVERTERS

        return FragmentStore(
            self.cache, self.blobs, converters=CONVERTERS, build=build_fragment, workers=cores()
        )

    @cached_property
    def image_store(self) -> LocalImageStore:
        """Packed layers and images."""
        from openhands_recipes.adapters.image_store import LocalImageStore
        from openhands_recipes.compile.pack.codec import codec_rules

        return LocalImageStore(self.cache, self.blobs, codec_rules=codec_rules)

    @cached_property
    def packer(self) -> ports.Packer:
        """Fragments into layers, on all cores."""
        from openhands_recipes.adapters.packer import LayerPacker, PackSteps
        from openhands_recipes.compile.pack.codec import BLOCK, codec
        from openhands_recipes.compile.pack.layer import layer_chunks

        steps = PackSteps(chunks=layer_chunks, codec=codec, block=BLOCK)
        return LayerPacker(self.fragments, self.image_store, self.blobs, steps=steps, workers=cores())

    # --- where bytes come from --------------------------------------------------------------------

    @cached_property
    def debian_sources(self) -> DebianSources:
        """The mirrors this machine names."""
        from openhands_recipes.adapters.apt_sources import debian_sources
        from openhands_recipes.adapters.openpgp import debian_keys

        return debian_sources(debian_keys)

    @cached_property
    def python_settings(self) -> IndexSettings:
        """The Python package index this machine names."""
        from openhands_recipes.adapters.python_index import python_index

        return python_index()

    @cached_property
    def http(self) -> Http:
        """One pool of connections for all downloads."""
        from openhands_recipes.adapters.apt_config import apt_proxies
        from openhands_recipes.adapters.http import Http

        return Http(proxies=lambda: apt_proxies(self.debian_sources.all_roots))

    @cached_property
    def downloads(self) -> ports.Downloads:
        """Bytes a lock names, into the cache."""
        from openhands_recipes.adapters.downloads import PooledDownloads
        from openhands_recipes.adapters.npm_registry import npm_registry
        from openhands_recipes.adapters.origins import Origins

        places = Origins(
            debian=lambda: self.debian_sources,
            python=lambda: self.python_settings,
            npm=npm_registry,
            http=self.http,
        )
        return PooledDownloads(blobs=self.blobs, places=places, http=self.http)

    @cached_property
    def archive(self) -> ports.DebianArchive:
        """Debian's suites, verified."""
        from openhands_recipes.adapters.debian_archive import DebianMirrors
        from openhands_recipes.adapters.openpgp import debian_keys
        from openhands_recipes.compile.debian.release import parse_release

        return DebianMirrors(
            sources=lambda: self.debian_sources,
            keys=debian_keys,
            clock=self.clock,
            parse_release=parse_release,
            blobs=self.blobs,
            http=self.http,
        )

    @cached_property
    def python_index(self) -> ports.PythonIndex:
        """Python requirements, resolved."""
        from openhands_recipes.adapters.uv import UvIndex

        return UvIndex(settings=lambda: self.python_settings, http=self.http, cache=self.cache.folder("uv"))

    # --- sandboxes and registries -------------------------------------------------------------------

    @cached_property
    def engine(self) -> NamespaceEngine:
        """Sandboxes of our own."""
        from openhands_recipes.adapters.sandbox.engine import NamespaceEngine

        return NamespaceEngine(self.cache.folder("sandbox"))

    def registry(
        self, address: RegistryAddress, *, plain_http: bool
    ) -> AbstractContextManager[ports.Registry]:
        """An OCI registry, open as long as the context."""
        from openhands_recipes.adapters.registry.client import OciRegistry
        from openhands_recipes.adapters.registry.credentials import CredentialStore

        known = CredentialStore(environment=os.environ, home=Path.home())
        return OciRegistry(address, plain_http=plain_http, credentials=known.find)

    @cached_property
    def docker_images(self) -> DockerImages:
        """The images of a local Docker daemon."""
        from openhands_recipes.adapters.docker_images import DockerImages

        return DockerImages()

    def workshop_for_caller(self, uid: int, gid: int) -> Workshop:
        """The same, where an account of the sandbox may write to what the caller binds into it."""
        from dataclasses import replace

        from openhands_recipes.adapters.sandbox.engine import NamespaceEngine

        engine = NamespaceEngine(self.cache.folder("sandbox"), caller=(uid, gid))
        return replace(self.workshop, engine=engine)

    def network_offer(
        self, image_file: Callable[[str], bytes | None], ca_bundle: Path | None
    ) -> tuple[tuple[ports.BoxFile, ...], dict[str, str]]:
        """What a networked sandbox is lent: certificates, proxies, this machine's Debian mirrors."""
        from openhands_recipes.adapters.machine_ca import apt_sources, network_offer
        from openhands_recipes.compile.java_keystore import certificates_of, trust_store

        offer = network_offer(
            image_file, ca_bundle=ca_bundle, write_keystore=lambda pem: trust_store(certificates_of(pem))
        )
        files = offer.files
        if image_file("/etc/apt/sources.list.d/debian.sources") is not None:
            mirrors = self.debian_sources.as_deb822(self.suites)
            files = (*files, *([apt_sources(mirrors)] if mirrors else []))
        registries = {name: os.environ[name] for name in ("NPM_CONFIG_REGISTRY",) if os.environ.get(name)}
        return files, {**offer.environment, **registries}

    @cached_property
    def suites(self) -> tuple[str, ...]:
        """The Debian suites this registry is pinned to."""
        from openhands_recipes.compile.recipe.settings import parse_settings

        stored = self.store.settings()
        return parse_settings(stored.content, file=stored.file).pins.debian.suites

    # --- what the verbs share ------------------------------------------------------------------------

    @cached_property
    def workshop(self) -> Workshop:
        """The doors of locking, building, testing and running."""
        from openhands_recipes.flows.workshop import Workshop

        return Workshop(
            store=self.store,
            blobs=self.blobs,
            downloads=lambda: self.downloads,
            archive=lambda: self.archive,
            python_index=lambda: self.python_index,
            fragments=self.fragments,
            packer=self.packer,
            images=self.image_store,
            records=self.records,
            engine=self.engine,
            progress=self.progress,
            clock=self.clock,
            offer=lambda read: self.network_offer(read, None),
            cores=cores(),
            host=host_platform(),
        )

    @cached_property
    def docker_workshop(self) -> Workshop:
        """The same, its sandboxes being containers of a Docker daemon."""
        from dataclasses import replace

        from openhands_recipes.adapters.docker_engine import DockerEngine

        return replace(self.workshop, engine=DockerEngine(self.cache.folder("docker")))

    def checks(self) -> tuple[Check, ...]:
        """What `ohr doctor` looks at."""
        from openhands_recipes.adapters import machine
        from openhands_recipes.adapters.sandbox.doctor import probe
        from openhands_recipes.flows.doctor import Check

        return (
            Check("python", machine.python, needed=True),
            Check("size", machine.size, needed=False),
            Check("cache", lambda: machine.room(self.cache.root), needed=True),
            Check("sandbox", lambda: probe(self.cache.folder("sandbox")), needed=True),
            Check("debian", lambda: machine.debian(self.debian_sources, self.http, self.suites), needed=True),
            Check(
                "python packages",
                lambda: machine.python_packages(self.python_settings, self.http),
                needed=False,
            ),
            Check("docker", machine.docker, needed=False),
            Check("git", machine.git, needed=False),
        )

    def write_file(self, path: Path, content: bytes) -> None:
        """Write a result where the user asked for it, whole or not at all."""
        from openhands_recipes.adapters.atomic import atomic_write

        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)

    # --- time and evidence -----------------------------------------------------------------------

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
