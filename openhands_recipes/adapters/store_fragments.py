"""The cache of fragments and, beside it, store paths that are read where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import Builder, Converter, FragmentReader, FragmentStore
from openhands_recipes.adapters.nix_store_tree import Listing, Passage, StoreSteps, list_tree
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Fragment
from openhands_recipes.ports.store_trees import StoreTree


class StoreFragmentStore(FragmentStore):
    """`ports.store_trees.StoreFragments`: what was planted comes from a store, the rest from the cache."""

    def __init__(  # noqa: PLR0913 - the cache's own arguments and one more
        self,
        cache: CacheDir,
        blobs: BlobStore,
        *,
        converters: Mapping[str, Converter],
        build: Builder,
        workers: int,
        steps: StoreSteps,
    ) -> None:
        super().__init__(cache, blobs, converters=converters, build=build, workers=workers)
        self.steps = steps
        self._trees: dict[Digest, StoreTree] = {}
        self._listed: dict[Digest, Listing] = {}

    def plant(self, trees: Iterable[StoreTree]) -> None:
        """Let fragments be had from the trees of a store; nothing is read yet."""
        self._trees |= {tree.key: tree for tree in trees}

    def check(self, keys: Sequence[Digest]) -> None:
        """Read planted trees to the end, for nothing but their hashes.

        Raises:
            VerificationError: one is not what its hash promises.
            OutsideError: one cannot be read.
        """
        with ThreadPoolExecutor(max(self._workers, 1), thread_name_prefix="check") as pool:
            list(pool.map(lambda key: Passage(self.listing(key), self.steps).finish(), keys))

    def get(self, key: Digest) -> Fragment | None:
        """The listing of a fragment.

        Raises:
            VerificationError: a tree holds what no store path may.
            OutsideError: a tree cannot be read.
        """
        return self.listing(key).fragment if key in self._trees else super().get(key)

    def listing(self, key: Digest) -> Listing:
        """What a planted tree holds."""
        known = self._listed.get(key)
        if known is None:
            known = self._listed[key] = list_tree(self._trees[key], self.steps)
        return known

    def planted(self, key: Digest) -> bool:
        """Whether a fragment comes from a store."""
        return key in self._trees

    def read_into(self, key: Digest, offset: int, into: memoryview) -> None:
        """Fill a buffer with a fragment's bytes; a planted tree is read to its end, for its proof."""
        if not self.planted(key):
            super().read_into(key, offset, into)
            return
        passage = Passage(self.listing(key), self.steps)
        passage.skip_to(offset)
        passage.read_into(into)
        passage.finish()

    @contextmanager
    def reader(self) -> Iterator[FragmentReader]:
        """Reads fragments' bytes, best one fragment after another and each to its end; for one thread."""
        with _Reader(self) as reader:
            yield reader


class _Reader(FragmentReader):
    """Goes through planted trees from front to back."""

    def __init__(self, store: StoreFragmentStore) -> None:
        super().__init__(store)
        self._planted = store
        self._passage: tuple[Digest, Passage] | None = None

    def __call__(self, key: Digest, offset: int, into: memoryview) -> None:
        """Fill a buffer with a fragment's bytes from `offset` on.

        Raises:
            VerificationError: a planted tree came to its end and is not what its hash promises.
            OutsideError: the bytes are gone or cut short.
        """
        if not self._planted.planted(key):
            super().__call__(key, offset, into)
            return
        if self._passage is None or self._passage[0] != key or self._passage[1].position > offset:
            self._passage = key, Passage(self._planted.listing(key), self._planted.steps)
        passage = self._passage[1]
        passage.skip_to(offset)
        try:
            passage.read_into(into)
        except StopIteration as error:
            raise OutsideError("a store path has fewer bytes than were listed", where=key) from error
