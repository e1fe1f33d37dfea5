"""The signed index: the one we publish, and those we read."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.world.release import ReleaseDoors
from openhands_recipes.errors import UsageError
from openhands_recipes.model.reference import parse_address

if TYPE_CHECKING:
    from openhands_recipes.adapters.index_mirror import MirrorReport
    from openhands_recipes.adapters.index_source import IndexSource
    from openhands_recipes.adapters.released_texts import ReleasedTexts
    from openhands_recipes.adapters.tuf_repository import TufRepository
    from openhands_recipes.cli.index_options import IndexChoice
    from openhands_recipes.compile.recipe.trust import IndexTrust, RegistryTrust
    from openhands_recipes.flows.index import Verify
    from openhands_recipes.model.reference import RegistryAddress
    from openhands_recipes.model.release_record import ReleaseRecord, StateChange
    from openhands_recipes.model.settings import Settings
    from openhands_recipes.ports import SignedChange
    from openhands_recipes.ports.image_source import ImageSource
    from openhands_recipes.ports.index_site import IndexReader
    from openhands_recipes.ports.registries import OtherRegistries
    from openhands_recipes.ports.signer import PublicKey

NO_INDEX, NO_ROOT = "OHR445", "OHR438"
PASSPHRASE = "OHR_INDEX_PASSPHRASE"  # noqa: S105 - the name of a variable


class IndexDoors(ReleaseDoors):
    """Repositories of our own, readers of anybody's."""

    def index_repository(self, folder: Path, keys: Sequence[Path]) -> TufRepository:
        """An index in a folder, with the keys of some folders."""
        from openhands_recipes.adapters.index_folder import IndexFolder
        from openhands_recipes.adapters.index_keys import KeyFolders
        from openhands_recipes.adapters.tuf_repository import TufRepository

        return TufRepository(IndexFolder(folder), KeyFolders(keys, self._passphrase), self.clock)

    @property
    def other_registries(self) -> OtherRegistries:
        """Registries whose recipes may be extended."""
        from openhands_recipes.cli.world.registries import IndexedRegistries

        return IndexedRegistries(
            lambda: self.registry_settings, self.index_reader, lambda: self.blobs, self.say
        )

    def released_texts(self) -> ReleasedTexts:
        """Recipes and locks as they were released, for others to extend."""
        from openhands_recipes.adapters.released_texts import ReleasedTexts

        warning = click.style("warning:", fg="yellow")
        return ReleasedTexts(self.settings.root, warn=lambda text: self.say(f"{warning} {text}"))

    @cached_property
    def registry_settings(self) -> Settings:
        """What recipes/registry.yaml says."""
        from openhands_recipes.compile.recipe.settings import parse_settings

        stored = self.store.settings()
        return parse_settings(stored.content, file=stored.file)

    def trusted_keys(self, choice: IndexChoice, more: Sequence[Path] = ()) -> tuple[PublicKey, ...]:
        """Keys whose signatures on releases are believed: named, else those of the settings."""
        trusted = self.trusted_index(choice)
        files = more or [self.settings_file(name) for name in (trusted.keys if trusted else ())]
        return tuple(self.public_key(file) for file in files)

    def change_verifier(self, keys: Sequence[PublicKey]) -> Verify:
        """Believes the changes of state that one of the keys has signed."""
        from openhands_recipes.publish.verify import verify_change

        def verified(record: ReleaseRecord, signed: SignedChange) -> StateChange:
            return verify_change(signed.envelope, keys=keys, record=record)

        return verified

    def trusted_index(self, choice: IndexChoice) -> IndexTrust | None:
        """What the settings say of the chosen registry's index.

        Raises:
            UsageError: they know no such registry.
        """
        try:
            return self._trust.of(choice.registry)
        except KeyError:
            raise UsageError(
                f"registry.yaml knows no registry '{choice.registry}'", code=NO_INDEX,
                hint="add it below `registries:` with the url and the trusted root of its index",
            ) from None  # fmt: skip

    @cached_property
    def _trust(self) -> RegistryTrust:
        from openhands_recipes.compile.recipe.trust import parse_trust

        stored = self.store.settings()
        return parse_trust(stored.content, file=stored.file)

    @contextmanager
    def index_reader(self, choice: IndexChoice) -> Iterator[IndexReader]:
        """The chosen index; what its user must know is said when the block ends.

        Raises:
            UsageError: none is chosen, or no trusted root is known for it.
        """
        from openhands_recipes.adapters.tuf_client import ReadingRules, TufIndexReader

        said_all = choice.place is not None and choice.root is not None and not choice.registry
        trusted = None if said_all else self.trusted_index(choice)
        place = choice.place or (trusted.url if trusted else None)
        if place is None:
            raise UsageError(
                "no index is known", code=NO_INDEX,
                hint="name one with --index, OHR_INDEX or `index:` in recipes/registry.yaml",
            )  # fmt: skip
        root = self._trusted_root(choice, trusted)
        source = self.index_source(place, plain_http=choice.plain_http)
        key = hashlib.sha256(source.where.encode() + b"\0" + root).hexdigest()[:32]
        reader = TufIndexReader(
            source,
            root,
            folder=self.cache.folder("index", key),
            blobs=self.blobs,
            clock=self.clock,
            rules=ReadingRules(offline=choice.offline, as_of=choice.as_of),
        )
        try:
            yield reader
        finally:
            for warning in reader.warnings:
                self.say(click.style("warning:", fg="yellow") + f" {warning}")

    def index_source(self, place: str, *, plain_http: bool) -> IndexSource:
        """Where the files of an index come from."""
        from openhands_recipes.adapters.index_source import FolderSource, HttpSource

        if place.startswith(("http://", "https://")):
            return HttpSource(place)
        if place.startswith("oci://"):
            from openhands_recipes.adapters.index_oci import OciSource

            address = parse_address(place.removeprefix("oci://"), repository=True)
            registry = self._open.enter_context(self.artifacts(address, plain_http=plain_http))
            return OciSource(registry, address.namespace, place)
        folder = Path(place)
        return FolderSource(folder if folder.exists() else self.settings_file(place))

    @cached_property
    def _open(self) -> ExitStack:
        """Connections that stay open until the process ends."""
        import atexit

        stack = ExitStack()
        atexit.register(stack.close)
        return stack

    def images(self, address: RegistryAddress, *, plain_http: bool) -> AbstractContextManager[ImageSource]:
        """A registry to pull from, open as long as the context."""
        from openhands_recipes.adapters.registry.credentials import CredentialStore
        from openhands_recipes.adapters.registry.pull import OciImages

        known = CredentialStore(environment=os.environ, home=Path.home())
        return OciImages(address, plain_http=plain_http, credentials=known.find, blobs=self.blobs)

    def names_in_index(self, choice: IndexChoice) -> tuple[str, ...]:
        """Every recipe of an index that has a release to choose."""
        from openhands_recipes.flows.find import names

        with self.index_reader(choice) as reader:
            return names(reader)

    def index_copy_folder(self, reader: IndexReader) -> Path:
        """Where the cache keeps a copy of an index."""
        return self.cache.folder("index-copies", hashlib.sha256(reader.identity.encode()).hexdigest()[:32])

    def copy_index(self, reader: IndexReader, folder: Path) -> MirrorReport:
        """Bring a copy of an index up to date, verified."""
        from openhands_recipes.adapters.index_folder import IndexFolder
        from openhands_recipes.adapters.index_mirror import IndexMirror
        from openhands_recipes.adapters.tuf_client import TufIndexReader
        from openhands_recipes.publish.index.chain import blobs_of

        assert isinstance(reader, TufIndexReader)  # noqa: S101 - there is no other kind
        with self.progress.stage("index") as stage:
            return IndexMirror(reader, IndexFolder(folder), blobs_of=blobs_of).copy(stage)

    def push_index(self, folder: Path, place: str, *, plain_http: bool) -> int:
        """Bring an index from a folder into an OCI repository; how many of its bins were sent."""
        from openhands_recipes.adapters.index_folder import IndexFolder
        from openhands_recipes.adapters.index_oci import OciPublisher
        from openhands_recipes.publish.index.chain import blobs_of

        address = parse_address(place.removeprefix("oci://"), repository=True)
        with (
            self.artifacts(address, plain_http=plain_http) as registry,
            self.progress.stage("push") as stage,
        ):
            site = IndexFolder(folder)
            return OciPublisher(site, registry, address.namespace, blobs_of=blobs_of).publish(stage)

    def settings_file(self, name: str) -> Path:
        """A file that registry.yaml names."""
        from openhands_recipes.adapters.recipe_store import built_in_library

        own = self.settings.root / "recipes"
        folder = own if (own / "registry.yaml").exists() else built_in_library() / "recipes"
        return folder / name

    def _trusted_root(self, choice: IndexChoice, trusted: IndexTrust | None) -> bytes:
        path = choice.root or (self.settings_file(trusted.root) if trusted else None)
        if path is None:
            raise UsageError(
                "no trusted root is known for this index", where=choice.place, code=NO_ROOT,
                hint="name the root file its publisher gave you: --index-root FILE",
            )  # fmt: skip
        try:
            return path.read_bytes()
        except OSError as error:
            raise UsageError(
                f"the trusted root of the index cannot be read: {error.strerror}",
                where=str(path),
                code=NO_ROOT,
            ) from error

    def _passphrase(self, what: str) -> str:
        if known := os.environ.get(PASSPHRASE):
            return known
        if what and sys.stdin.isatty() and what.startswith(("root", "targets")):
            return str(click.prompt(f"Passphrase of the {what} key", hide_input=True, default="", err=True))
        return ""
