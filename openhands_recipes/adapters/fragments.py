"""The cache of fragments: `fragments/ab/<hex>.tar` and, written last, the listing `<hex>.json`.

Parts are converted by threads: nearly all the work is decompressing and hashing, which leave Python's
lock to others, and threads need no memory of their own. How a part is converted is handed in; this door
only knows files. A killed run leaves files in `partial/` that nobody mistakes for fragments.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from openhands_recipes.adapters.atomic import atomic_write
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir, cache_error
from openhands_recipes.adapters.listing import dump_listing, load_listing
from openhands_recipes.adapters.priority import step_back
from openhands_recipes.errors import OutsideError, RecipesError, VerificationError
from openhands_recipes.model.digest import Digest, hex_of
from openhands_recipes.model.fragment import Entry, Fragment
from openhands_recipes.ports import Content, Conversion

Converter = Callable[[IO[bytes], IO[bytes], str, Mapping[str, str]], Fragment]
"""(the part's bytes, where the fragment's bytes go, the fragment's key, options) -> the listing."""
Builder = Callable[[Iterable[tuple[Entry, Content]], IO[bytes], str], Fragment]
"""(entries with their content, where the fragment's bytes go, the fragment's key) -> the listing."""
OnDone = Callable[[Conversion, Fragment], None]

WRITE_BUFFER = 1 << 20
PRIORITY_STEPS = 5
"""How far converting steps back: behind what is configured or compiled already, before packing."""
_HEX = re.compile(r"^[0-9a-f]{64}$")


class FragmentStore:
    """`ports.Fragments` in the cache folder; any number of threads and processes may share it.

    Args:
        cache: where fragments are kept.
        blobs: knows where unfinished files may lie.
        converters: by `Conversion.kind`.
        build: makes fragments of our own entries.
        workers: how many parts are converted at once.
    """

    def __init__(
        self,
        cache: CacheDir,
        blobs: BlobStore,
        *,
        converters: Mapping[str, Converter],
        build: Builder,
        workers: int,
    ) -> None:
        self._cache = cache
        self._blobs = blobs
        self._converters = converters
        self._build = build
        self._workers = workers
        self._listings: dict[Digest, Fragment] = {}

    def get(self, key: Digest) -> Fragment | None:
        """The listing of a fragment made before; None as well when its bytes are gone or cut short."""
        if (known := self._listings.get(key)) is not None:
            return known
        try:
            fragment = load_listing(self._listing(key).read_bytes())
            if fragment is None or self.path(key).stat().st_size != fragment.size:
                return None
        except FileNotFoundError:
            return None
        self._listings[key] = fragment
        return fragment

    def path(self, key: Digest) -> Path:
        """Where a fragment's bytes lie, if they do."""
        name = hex_of(key)
        return self._cache.root / "fragments" / name[:2] / f"{name}.tar"

    def convert(self, jobs: Iterable[Conversion], *, on_done: OnDone | None = None) -> dict[Digest, Fragment]:
        """Make many fragments at once; jobs may keep coming while earlier ones are worked on.

        `on_done` is called once per job, as soon as it is finished, from the thread that finished it; what
        is in the cache is finished at once. The first error, also one of `on_done`, ends everything.

        Raises:
            VerificationError: a part is not what was promised, or its archive is malformed or wants to
                escape the root; `where` names the part.
            OutsideError: the part is gone, or the cache cannot be written.
        """
        run = _Run(on_done)
        with _pool(self._workers) as pool:
            for job in jobs:
                future = run.futures.get(job.key)
                if future is None:
                    future = run.futures[job.key] = pool.submit(self._convert, job)
                run.tell_when_done(job, future)
                run.look()
            while pending := [future for future in run.futures.values() if not future.done()]:
                wait(pending, return_when=FIRST_COMPLETED)
                run.look()
        run.look()
        return {key: future.result() for key, future in run.futures.items()}

    def create(self, key: Digest, entries: Iterable[tuple[Entry, Content]]) -> Fragment:
        """A fragment from entries made or captured by us; one made before under this key is taken as is.

        Raises:
            VerificationError: an entry has no clean path, or a content changed its size meanwhile.
            OutsideError: the cache cannot be written.
        """
        return self.get(key) or self._keep(key, lambda sink: self._build(entries, sink, key))

    def read_into(self, key: Digest, offset: int, into: memoryview) -> None:
        """Fill a buffer with a fragment's bytes from `offset` on.

        Raises:
            OutsideError: the bytes are gone or cut short.
        """
        with self.reader() as read:
            read(key, offset, into)

    @contextmanager
    def reader(self) -> Iterator[FragmentReader]:
        """Reads fragments' bytes, best one fragment after another; for one thread."""
        with FragmentReader(self) as reader:
            yield reader

    def _listing(self, key: Digest) -> Path:
        return self.path(key).with_suffix(".json")

    def _convert(self, job: Conversion) -> Fragment:
        if (known := self.get(job.key)) is not None:
            return known
        name = job.options.get("part") or job.path.name
        try:
            with _opened(job.path, name) as source:
                _verify(source, job.options.get("sha256") or job.path.name)
                convert = self._converters[job.kind]
                return self._keep(job.key, lambda sink: convert(source, sink, job.key, job.options))
        except VerificationError as error:
            raise VerificationError(error.message, where=name, hint=error.hint) from error

    def _keep(self, key: Digest, write: Callable[[IO[bytes]], Fragment]) -> Fragment:
        """Bytes first, listing last, each in one step: a listing promises its bytes."""
        target = self.path(key)
        temporary = self._blobs.temporary(target.name)
        try:
            self._cache.folder("fragments", target.parent.name)
            with temporary.open("xb", buffering=WRITE_BUFFER) as sink:
                fragment = write(sink)
            temporary.replace(target)
            atomic_write(self._listing(key), dump_listing(fragment))
        except OSError as error:
            raise cache_error(error, target.parent) from error
        finally:
            temporary.unlink(missing_ok=True)
        self._listings[key] = fragment
        return fragment


class _Run:
    """The conversions of one call, and who wants to hear of them."""

    def __init__(self, on_done: OnDone | None) -> None:
        self.futures: dict[Digest, Future[Fragment]] = {}
        self._on_done = on_done
        self._faults: list[BaseException] = []

    def tell_when_done(self, job: Conversion, future: Future[Fragment]) -> None:
        """Call `on_done` as soon as the conversion is finished; keep what goes wrong for `look`."""

        def ended(future: Future[Fragment]) -> None:
            try:
                fragment = future.result()
                if self._on_done is not None:
                    self._on_done(job, fragment)
            except CancelledError:
                return
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                self._faults.append(error)

        future.add_done_callback(ended)

    def look(self) -> None:
        """Raise the first error so far."""
        if self._faults:
            raise self._faults[0]


class FragmentReader:
    """Reads fragments' bytes; keeps the file of the latest one open."""

    def __init__(self, store: FragmentStore) -> None:
        self._store = store
        self._key: Digest | None = None
        self._file: io.FileIO | None = None

    def __call__(self, key: Digest, offset: int, into: memoryview) -> None:
        """Fill a buffer with a fragment's bytes from `offset` on.

        Raises:
            OutsideError: the bytes are gone or cut short.
        """
        if self._file is None or key != self._key:
            self._open(key)
        while into and self._file is not None:
            count = os.preadv(self._file.fileno(), [into], offset)
            if count == 0:
                raise _gone(self._store.path(key))
            into = into[count:]
            offset += count

    def _open(self, key: Digest) -> None:
        if self._file is not None:
            self._file.close()
        try:
            self._file, self._key = io.FileIO(self._store.path(key)), key
        except FileNotFoundError as error:
            raise _gone(self._store.path(key)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def _gone(path: Path) -> RecipesError:
    return OutsideError(
        "a fragment is not in the cache any more", where=str(path), hint="run the command again"
    )


def _opened(path: Path, name: str) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise OutsideError(
            f"a downloaded part cannot be read ({error.strerror})", where=name, hint="run the command again"
        ) from error


def _verify(source: io.BufferedReader, expected: str) -> None:
    """Compare with the promised sha256; a file of the blob cache promises by its name."""
    if not _HEX.match(expected):
        return
    if hashlib.file_digest(source, "sha256").hexdigest() != expected:
        raise VerificationError(
            "a part does not have the promised sha256", hint="remove it from the cache and run again"
        )
    source.seek(0)


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads; after an error, what has not started never does."""
    pool = ThreadPoolExecutor(
        max(workers, 1), thread_name_prefix="convert", initializer=step_back, initargs=(PRIORITY_STEPS,)
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
