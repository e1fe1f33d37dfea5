"""Sandboxes, registries, and the workshop of the verbs that build."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from openhands_recipes.cli.platforms import host_platform
from openhands_recipes.cli.world.machine import cores
from openhands_recipes.cli.world.sources import SourceDoors

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.docker_images import DockerImages
    from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
    from openhands_recipes.flows.doctor import Check
    from openhands_recipes.flows.workshop import Workshop
    from openhands_recipes.model.platform import Platform
    from openhands_recipes.model.reference import RegistryAddress


class BuildDoors(SourceDoors):
    """Everything between a recipe and a pushed image."""

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
            runs=self.runs,
        )

    def runs(self, platform: Platform) -> bool:
        """Whether a platform's programs run here, by emulation if need be."""
        from openhands_recipes.adapters.foreign import runs_programs_of
        from openhands_recipes.model.platform import MACHINE

        return runs_programs_of(MACHINE[platform])

    @cached_property
    def docker_workshop(self) -> Workshop:
        """The same, its sandboxes being containers of a Docker daemon."""
        from dataclasses import replace

        from openhands_recipes.adapters.docker_engine import DockerEngine

        return replace(self.workshop, engine=DockerEngine(self.cache.folder("docker")))

    def checks(self) -> tuple[Check, ...]:
        """What `ohr doctor` looks at."""
        from openhands_recipes.adapters import foreign, machine
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
            Check("emulation", foreign.emulation, needed=False),
            Check("docker", machine.docker, needed=False),
            Check("git", machine.git, needed=False),
        )

    def clean_cache(self, *, unused_days: float | None) -> None:
        """Clear the cache, or remove what was not used for some days."""
        from openhands_recipes.adapters.cache_upkeep import clean, clean_unused

        if unused_days is None:
            clean(self.cache.root, clear_sandboxes=lambda: self.engine.clear())  # noqa: PLW0108 - opened late
        else:
            clean_unused(self.cache.root, unused_days)

    def write_file(self, path: Path, content: bytes) -> None:
        """Write a result where the user asked for it, whole or not at all."""
        from openhands_recipes.adapters.atomic import atomic_write

        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
