"""Protocols for the outside world: what flows may ask of it, in our own words.

Real doors live in `openhands_recipes.adapters`, fakes for tests in `tests/fakes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Entry, Fragment
from openhands_recipes.model.platform import Platform

if TYPE_CHECKING:  # pydantic takes 0.15 s to load, and `ohr run` needs none of it
    from openhands_recipes.model.image import Compression, Image, Layer

# --- time and talk -----------------------------------------------------------------------------


class Clock(Protocol):
    """The only way to learn what time it is."""

    def now(self) -> datetime:
        """The current time, with time zone UTC."""

    def monotonic(self) -> float:
        """Seconds for measuring durations."""


class Stage(Protocol):
    """One piece of long work being shown."""

    def advance(self, amount: int = 1) -> None:
        """So much more is done, in the unit the stage was opened with."""

    def note(self, text: str) -> None:
        """What is being done right now."""


class Progress(Protocol):
    """Shows long work to people; silent for machines."""

    def stage(
        self, name: str, *, total: int | None = None, unit: Literal["bytes", "items"] = "items"
    ) -> AbstractContextManager[Stage]:
        """Open a stage; its duration is remembered under its name."""

    @property
    def seconds(self) -> Mapping[str, float]:
        """Duration of every finished stage, in order of their start."""


class Evidence(Protocol):
    """The local ledger of what was done (design: evidence and operations)."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record; never raises for a full disk, only warns."""


# --- recipes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredText:
    """A file of a recipe project, not yet understood. `file` is its path as people would type it."""

    file: str
    content: bytes


class RecipeStore(Protocol):
    """Where recipes, their locks and what is common to them are kept.

    Recipes of the project hide those of the same name in the built-in library. Every read is bounded
    in size and refuses links that lead out of the store.
    """

    def names(self) -> tuple[str, ...]:
        """Every recipe that can be asked for, project and library, sorted."""

    def own_names(self) -> tuple[str, ...]:
        """The recipes of the project, sorted."""

    def name_of(self, place: str) -> str:
        """The recipe meant by a name, a recipe folder or a recipe.yaml.

        Raises:
            UsageError: neither a known recipe nor a path to one.
        """

    def recipe(self, name: str) -> StoredText | None:
        """A recipe's recipe.yaml, or None when there is no such recipe.

        Raises:
            InvalidRecipeError: too large, or a link that leads out of the store.
        """

    def lock(self, name: str) -> StoredText | None:
        """A recipe's recipe.lock.json, or None when it was never locked."""

    def settings(self) -> StoredText:
        """recipes/registry.yaml: the project's, else the library's."""

    def package_table(self) -> StoredText:
        """nixlib/packages.toml: the project's, else the library's."""

    def write_lock(self, name: str, content: bytes) -> str:
        """Keep a lock, whole or not at all; returns the file written.

        A library recipe's lock goes to recipes/.library/<name>/ of the project and wins from then on.
        """

    def create(self, name: str, content: bytes, *, schema: bytes) -> str:
        """Add a recipe to the project and the schema beside it; returns the file written.

        Raises:
            UsageError: there is a recipe of that name in the project.
        """


# --- bytes ---------------------------------------------------------------------------------------


class Blobs(Protocol):
    """The content-addressed cache shared by all recipes."""

    def path(self, digest: Digest) -> Path | None:
        """Where a blob lies, or None."""

    def add(self, content: bytes) -> Digest:
        """Keep some bytes."""


@dataclass(frozen=True)
class Wanted:
    """Bytes that are known by digest and may be had from one of several places."""

    name: str
    digest: Digest
    size: int
    origin: Literal["debian", "pypi", "npm"]
    path: str
    """debian: path below a mirror; pypi: `<normalised project>/<file>`; npm: path below the registry."""
    suite: str = ""
    """debian only: which suite's mirrors to ask first."""


class Downloads(Protocol):
    """Fetches bytes into the blob cache: bounded, pooled, resumed, verified while reading."""

    def fetch(
        self,
        wanted: Sequence[Wanted],
        *,
        stage: Stage | None = None,
        on_ready: Callable[[Wanted, Path], None] | None = None,
    ) -> int:
        """Have all of them in the cache; return how many bytes came over the network.

        `on_ready` is called from the caller's thread, once per item, as soon as it is complete.

        Raises:
            DownloadError: no place has it, or the network gave up.
            VerificationError: a place served other bytes than promised.
        """


# --- Debian ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PackageList:
    """One suite's verified `Packages` file for one architecture."""

    suite: str
    architecture: str
    content: bytes


@dataclass(frozen=True)
class DebianState:
    """Verified suites at one moment."""

    suites: tuple[str, ...]
    release_date: str
    """Newest `Date` of all suites, ISO 8601 UTC: `2026-11-21T09:15:44Z`."""
    release: Digest
    """Digest of the InRelease files' digests."""
    lists: tuple[PackageList, ...]


class DebianArchive(Protocol):
    """Debian's mirrors, as the machine knows them."""

    def state(
        self,
        suites: Sequence[str],
        architectures: Sequence[str],
        *,
        not_before: str = "",
        allow_expired: bool = False,
    ) -> DebianState:
        """The current state of some suites, signatures and dates checked.

        Raises:
            VerificationError: bad signature, wrong hash, expired, or older than `not_before`.
            DownloadError: no mirror answers.
        """


# --- fragments and layers ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conversion:
    """A part to be turned into a fragment: which file, by which rule."""

    key: Digest
    kind: Literal["deb", "wheel", "npm"]
    path: Path
    options: Mapping[str, str] = field(default_factory=dict)
    """wheel: `prefix` (/opt/agent-server), `python` (3.13), `owner` (uid:gid)."""


Content = bytes | Callable[[], Iterator[bytes]] | None


class Fragments(Protocol):
    """The cache of fragments."""

    def get(self, key: Digest) -> Fragment | None:
        """The listing of a fragment made before."""

    def convert(
        self, jobs: Iterable[Conversion], *, on_done: Callable[[Conversion, Fragment], None] | None = None
    ) -> dict[Digest, Fragment]:
        """Make many fragments on all cores; jobs may keep coming while earlier ones are worked on.

        Raises:
            VerificationError: a part's archive is malformed or wants to escape the root.
        """

    def read_into(self, key: Digest, offset: int, into: memoryview) -> None:
        """Fill a buffer with a fragment's bytes from an offset on."""

    def create(self, key: Digest, entries: Iterable[tuple[Entry, Content]]) -> Fragment:
        """A fragment from entries made or captured by us; missing parent folders are added (root, 0755)."""


@dataclass(frozen=True)
class LayerOrder:
    """A layer to be packed: its identity, its human name, its fragments in order.

    Of folders named more than once the first wins. `drop` lists paths left out.
    """

    key: Digest
    group: str
    fragments: tuple[Digest, ...]
    drop: frozenset[str] = frozenset()


class Packer(Protocol):
    """Turns fragments into compressed layers, in parallel, always with the same bytes."""

    def pack(
        self, orders: Sequence[LayerOrder], *, compression: Compression, stage: Stage | None = None
    ) -> tuple[Layer, ...]:
        """One packed layer per order, kept in the image store under its key; known ones are not packed again."""

    def stream(self, order: LayerOrder) -> AbstractContextManager[IO[bytes]]:
        """The layer's uncompressed tar."""


# --- sandbox ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bind:
    """A host path made visible inside; read-only unless it says otherwise."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Limits:
    """rlimits and cgroup limits; None leaves the machine's own."""

    memory_bytes: int | None = None
    processes: int | None = 4096
    open_files: int | None = 65536
    file_bytes: int | None = None


@dataclass(frozen=True)
class Command:
    """One command to run inside a box. Nothing of the host's environment is added."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    keep_capabilities: bool = False
    """True for package configuration: root inside keeps what a container's root has. False: none at all."""
    may_gain_privileges: bool = False
    """True where setuid programs are under test (sudo): no_new_privs stays off."""
    timeout: float | None = None
    """Seconds; the whole process tree is killed after."""
    terminal: bool = False
    """Attach the caller's terminal (interactive)."""
    forward_signals: bool = False
    """True where signals sent to us (SIGINT, SIGTERM, ...) are meant for the command (`ohr run`)."""


@dataclass(frozen=True)
class Completed:
    """How a command ended. `exit_code` is 128 + signal for killed ones, as shells say it."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    seconds: float


class Running(Protocol):
    """A command that goes on in the background."""

    def wait(self, timeout: float | None = None) -> Completed | None:
        """How it ended, or None when it still runs after `timeout` seconds."""

    def kill(self) -> None:
        """End it and everything it started."""


class Box(Protocol):
    """An open sandbox: one set of namespaces over one root, living until it is closed."""

    def run(
        self,
        command: Command,
        *,
        stdin: bytes | None = None,
        stdout: Callable[[bytes], None] | IO[bytes] | None = None,
        stderr: Callable[[bytes], None] | IO[bytes] | None = None,
    ) -> Completed:
        """Run to the end. Streams are collected, or handed over while they come."""

    def start(self, command: Command) -> Running:
        """Run in the background."""

    def changes(self) -> Iterator[tuple[Entry, Callable[[], Iterator[bytes]] | None]]:
        """What differs from the layers below, sorted by path, owners and modes as seen inside.

        Removed paths come as overlay whiteouts (kind CHAR, device (0, 0)), opaque folders carry the
        xattr `user.overlay.opaque` or `trusted.overlay.opaque`. The callable reads a file's content.
        """


@dataclass(frozen=True)
class BoxOptions:
    """What a box is given."""

    network: bool = False
    binds: tuple[Bind, ...] = ()
    hostname: str = "sandbox"
    limits: Limits = Limits()
    upper: str | None = None
    """Name of a kept writable layer; None throws changes away on closing."""
    nested_namespaces: bool = False
    """True where processes inside make sandboxes of their own (Nix); the filter lets them."""


class SandboxEngine(Protocol):
    """Runs commands over stacked trees, in namespaces of their own."""

    def add_tree(self, name: str, tar_streams: Iterable[IO[bytes]]) -> None:
        """Unpack tar streams, in order, as the tree `name`, whole or not at all; no-op when it exists."""

    def has_tree(self, name: str) -> bool:
        """Whether the tree is there, complete."""

    def open(self, trees: Sequence[str], options: BoxOptions = BoxOptions()) -> AbstractContextManager[Box]:  # noqa: B008 - frozen
        """A box over trees, lowest first.

        Raises:
            SandboxError: this machine cannot; the hint says what to change.
        """


class Records(Protocol):
    """Small facts worth keeping between runs; losing one only costs time."""

    def get(self, kind: str, key: Digest) -> bytes | None:
        """What was kept, or None."""

    def put(self, kind: str, key: Digest, content: bytes) -> None:
        """Keep a fact, whole or not at all."""


@dataclass(frozen=True)
class Ability:
    """One thing this machine can or cannot do, for `ohr doctor`; the hint says how to mend it."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


# --- images -----------------------------------------------------------------------------------------


class ImageStore(Protocol):
    """Packed layers and images in the cache."""

    def layer(self, key: Digest, compression: Compression) -> Layer | None:
        """A layer packed before under this key (parts, rules, codec)."""

    def blob(self, digest: Digest) -> Path:
        """A layer's, config's or manifest's bytes.

        Raises:
            OutsideError: not in the cache any more.
        """

    def open_layer(self, layer: Layer) -> AbstractContextManager[IO[bytes]]:
        """A packed layer's tar, uncompressed while reading.

        Raises:
            OutsideError: not in the cache any more.
        """

    def image(self, key: Digest) -> Image | None:
        """The image built before from the same chain, locks and rules: the fast path."""

    def keep_image(self, key: Digest, image: Image) -> None:
        """Remember an image whose blobs are all in the cache."""

    def write_layout(self, folder: Path, image: Image) -> None:
        """An OCI image layout (image-spec, image-layout.md), complete or absent."""


@dataclass(frozen=True)
class PushOrder:
    """What is to be pushed where: one image, or several under their index."""

    repository: str
    """`namespace/recipe`, without host."""
    images: tuple[Image, ...]
    tags: tuple[str, ...]
    """Point to the index if there is one, else to the only image."""
    index: bytes | None = None
    mount_from: Mapping[Digest, tuple[str, ...]] = field(default_factory=dict)
    """Blob -> repositories of the same registry that probably hold it, likeliest first."""


@dataclass(frozen=True)
class PushReport:
    """What a push did."""

    reference: str
    digest: Digest
    uploaded_bytes: int
    mounted_bytes: int
    present_bytes: int
    requests: int


class Registry(Protocol):
    """An OCI registry (distribution-spec 1.1)."""

    def push(
        self, order: PushOrder, *, blobs: Callable[[Digest], Path], stage: Stage | None = None
    ) -> PushReport:
        """Blobs, manifests by digest, the index, then tags; what is there already is not sent again.

        Raises:
            RegistryError: refused or broken off, after the retries the specification allows.
            VerificationError: the registry reports another digest than was sent.
        """


@dataclass(frozen=True)
class PythonRequest:
    """What to resolve, and for which Python and platform."""

    requirements: tuple[str, ...]
    """PEP 508, without URLs."""
    python_version: str
    """Of the target: `3.13`, or `3.13.5` where markers must see the exact one."""
    platform: Platform
    constraints: tuple[str, ...] = ()
    """Pins that must hold for whatever is chosen."""
    preferences: tuple[str, ...] = ()
    """Pins (`name==version`) that are kept wherever possible: an earlier answer."""
    wheels: Mapping[str, Path] = field(default_factory=dict)
    """Wheels of our own, by file name, offered besides those of the index."""


@dataclass(frozen=True)
class SourceArchive:
    """An sdist as an index lists it."""

    project: str
    version: str
    file: str
    size: int
    sha256: str
    compiled: bool
    """The same version also publishes wheels with machine code."""


class PythonIndex(Protocol):
    """Resolves Python requirements without building anything."""

    def compile(self, request: PythonRequest) -> bytes:
        """A pylock.toml (PEP 751) of exactly what to install, hashes and sizes included.

        Raises:
            NoWheelError: some project has only sources for the target.
            ResolutionError: requirements cannot be met.
            DownloadError: the index does not answer.
        """

    def source(self, project: str, specifier: str, *, python_version: str) -> SourceArchive:
        """The newest sdist of a project within a version specifier (PEP 440).

        Raises:
            ResolutionError: the index lists none that is not yanked.
            DownloadError: the index does not answer.
        """
