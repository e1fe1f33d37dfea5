"""Where bytes come from."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from openhands_recipes.cli.world.cache import CacheDoors

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.apt_sources import DebianSources
    from openhands_recipes.adapters.http import Http
    from openhands_recipes.adapters.python_index import IndexSettings


class SourceDoors(CacheDoors):
    """Mirrors, indexes and registries this machine names."""

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
