"""Signed indexes for tests: made from records, served by a real host, attacked with and without keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.index_folder import IndexFolder
from openhands_recipes.adapters.index_keys import KeyFolders
from openhands_recipes.adapters.index_source import FolderSource, HttpSource, IndexSource
from openhands_recipes.adapters.tuf_client import ReadingRules, TufIndexReader
from openhands_recipes.adapters.tuf_repository import TufRepository
from openhands_recipes.flows.index import AddReport, add, name_index
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.release_record import ReleaseRecord, State, StateChange, StateName
from openhands_recipes.ports import SignedChange
from openhands_recipes.ports.index_site import NewIndex
from tests.fakes import FixedClock, QuietProgress
from tests.release_records import record
from tests.releases import MemoryLedger
from tests.web import Web


def now_clock() -> FixedClock:
    """python-tuf asks the machine what time it is, so indexes of tests are signed now."""
    return FixedClock(datetime.now(UTC))


def released(name: str, version: str, revision: int = 1, *, day: int = 0) -> ReleaseRecord:
    """A release made some days after the first."""
    since = f"{datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"
    image = digest_of(f"{name} {version} {revision}".encode())
    made = record(version, revision, name=name, index=image)
    about = made.about.model_copy(update={"summary": f"Tools for {name}", "tags": (name,)})
    return made.model_copy(update={"state": State(since=since, by=1), "about": about})


def changed(
    made: ReleaseRecord, state: StateName, *, day: int, number: int = 1, successor: str | None = None
) -> SignedChange:
    """A change of state; whether it is signed is not these tests' business."""
    since = f"{datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"
    change = StateChange(
        name=made.name, version=made.version, revision=made.revision, index=made.index, number=number,
        state=State(name=state, since=since, reason="it lost data", successor=successor, by=1),
    )  # fmt: skip
    return SignedChange(change, b"")


@dataclass
class IndexShop:
    """One index, its keys, the ledger it is made from."""

    folder: Path
    clock: FixedClock = field(default_factory=now_clock)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    @property
    def index(self) -> Path:
        return self.folder / "index"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def repository(self, *keys: Path) -> TufRepository:
        folders = KeyFolders(keys or (self.keys,))
        return TufRepository(IndexFolder(self.index), folders, self.clock)

    def begin(self, *, bins: int = 4) -> None:
        self.repository().create(NewIndex(bins=bins))
        name_index(self.repository(), name="example", images=())

    def add(self, *records: ReleaseRecord, changes: Sequence[SignedChange] = ()) -> AddReport:
        self.ledger.kept += records
        self.ledger.signed += changes
        return add(
            self.ledger, self.repository(), verify=lambda _, signed: signed.change, progress=QuietProgress()
        )

    def root(self, version: int = 1) -> bytes:
        return (self.index / "metadata" / f"{version}.root.json").read_bytes()

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.index)): path.read_bytes()
            for path in sorted(self.index.rglob("*"))
            if path.is_file() and path.name != ".lock"
        }

    def path_of(self, part: str) -> str:
        """The only file of the newest state whose path holds a word."""
        (found,) = [path for path in self.files() if part in path]
        return found


def reader_of(
    source: IndexSource, root: bytes, cache: Path, *, rules: ReadingRules | None = None
) -> TufIndexReader:
    """A reader whose cache outlives it."""
    return TufIndexReader(
        source,
        root,
        folder=cache / "index",
        blobs=BlobStore(CacheDir(cache)),
        clock=now_clock(),
        rules=rules or ReadingRules(),
    )


def folder_reader(shop: IndexShop, cache: Path, *, rules: ReadingRules | None = None) -> TufIndexReader:
    return reader_of(FolderSource(shop.index), shop.root(), cache, rules=rules)


def http_source(web: Web) -> HttpSource:
    return HttpSource(web.url)


def serve(web: Web, shop: IndexShop) -> None:
    """What the host has from now on."""
    web.files = {f"/{path}": content for path, content in shop.files().items()}


def edited(content: bytes, change: Callable[[dict[str, object]], None]) -> bytes:
    """Metadata with its signed part changed and its signatures left as they are."""
    value = json.loads(content)
    change(value["signed"])
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
