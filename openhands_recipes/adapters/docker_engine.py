"""The `docker` engine: boxes as containers of a Docker daemon, through the docker SDK.

For running and testing images where Docker is what there is. It does not configure packages: what a container
has changed is not read back, rights are the daemon's defaults, and `may_gain_privileges` is always so. A tree
is kept as the tar it came as; the trees of a box become one image, loaded once under a name that depends on
its content alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import resource
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from openhands_recipes.adapters.docker_box import DockerBox, translated
from openhands_recipes.errors import SandboxError, VerificationError
from openhands_recipes.model.digest import canonical_json
from openhands_recipes.ports import BoxOptions

if TYPE_CHECKING:
    from docker import DockerClient

_BLOCK = 512
_PIECE = 1 << 20
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_REPOSITORY = "ohr-sandbox"
_IDLE = ("/bin/sleep", "infinity")
"""What keeps a container alive; commands come by exec."""


class DockerEngine:
    """Runs commands in containers of one daemon."""

    def __init__(self, folder: Path, *, host: str | None = None) -> None:
        """`folder` keeps the trees; `host` is the daemon's, by default what the environment names."""
        self._folder = folder
        self._host = host

    def has_tree(self, name: str) -> bool:
        """Whether the tree is there, complete."""
        return self._tree(name).exists()

    def add_tree(self, name: str, tar_streams: Iterable[IO[bytes]]) -> None:
        """Keep tar streams, in order, as the tree `name`, whole or not at all; no-op when it exists.

        Raises:
            VerificationError: a stream breaks off.
        """
        if self.has_tree(name):
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self._folder / f".new-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            with unfinished.open("wb") as kept:
                fcntl.flock(kept, fcntl.LOCK_EX)
                for stream in tar_streams:
                    _copy_members(stream, kept)
                kept.write(bytes(2 * _BLOCK))
                kept.flush()
                os.fsync(kept.fileno())
            unfinished.replace(self._tree(name))
        finally:
            unfinished.unlink(missing_ok=True)

    def remove_tree(self, name: str) -> None:
        """Remove a tree; no-op when there is none. Containers made of it live on."""
        self._tree(name).unlink(missing_ok=True)

    @contextmanager
    def open(self, trees: Sequence[str], options: BoxOptions = BoxOptions()) -> Iterator[DockerBox]:  # noqa: B008 - frozen
        """A box over trees, lowest first.

        Raises:
            SandboxError: a tree is missing, no daemon answers, or it refuses.
        """
        if options.upper is not None or options.nested_namespaces:
            raise SandboxError(
                "the docker engine keeps no changes and nests no sandboxes", hint="use the namespaces engine"
            )
        missing = [name for name in trees if not self.has_tree(name)]
        if missing:
            raise SandboxError(f"no tree named {missing[0]!r}", hint="add it before opening a box")
        with self._client() as client:
            with translated("make a container"):
                image = self._image(client, [self._tree(name) for name in trees])
                container = client.containers.create(image, entrypoint=list(_IDLE), **_settings(options))
            try:
                with translated("start a container"):
                    if options.files:
                        container.put_archive("/", _archive_of(options))
                    container.start()
                yield DockerBox(client, container)
            finally:
                with translated("remove a container"):
                    container.remove(force=True, v=True)

    @contextmanager
    def _client(self) -> Iterator[DockerClient]:
        import docker  # noqa: PLC0415 - start-up time

        with translated("answer"):
            client = docker.DockerClient(base_url=self._host) if self._host else docker.from_env()
            client.ping()
        try:
            yield client
        finally:
            client.close()

    def _tree(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.tar"

    def _image(self, client: DockerClient, layers: Sequence[Path]) -> str:
        """The name of the image of some layers, loaded if the daemon has not got it yet."""
        from docker.errors import ImageNotFound  # noqa: PLC0415 - start-up time

        digests = [_digest(layer) for layer in layers]
        config = canonical_json(
            {
                "architecture": _ARCHITECTURES.get(os.uname().machine, os.uname().machine),
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
            }
        )
        name = f"{_REPOSITORY}:{hashlib.sha256(config).hexdigest()[:24]}"
        try:
            client.images.get(name)
        except ImageNotFound:
            client.images.load(_docker_archive(name, config, dict(zip(digests, layers, strict=True))))  # type: ignore[arg-type]  # requests streams it
        return name


def _copy_members(stream: IO[bytes], kept: IO[bytes]) -> None:
    """Copy a tar stream without its end-of-archive blocks, so that the next may follow."""
    while block := stream.read(_BLOCK):
        if len(block) < _BLOCK:
            raise VerificationError("the stream ends inside a header")
        if not block.strip(b"\0"):
            continue
        kept.write(block)
        try:
            left = -(-tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size // _BLOCK) * _BLOCK
        except tarfile.TarError as error:
            raise VerificationError(f"not a tar stream: {error}") from error
        while left:
            piece = stream.read(min(left, _PIECE))
            if not piece:
                raise VerificationError("the stream ends inside a file")
            kept.write(piece)
            left -= len(piece)


def _digest(layer: Path) -> str:
    with layer.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _docker_archive(name: str, config: bytes, layers: dict[str, Path]) -> Iterator[bytes]:
    """What `docker load` reads (moby, image/spec): manifest, configuration, one tar per layer."""
    paths = [f"{digest}/layer.tar" for digest in layers]
    manifest = canonical_json([{"Config": "config.json", "RepoTags": [name], "Layers": paths}])
    for path, content in (("config.json", config), ("manifest.json", manifest)):
        yield _header(path, len(content)) + content + bytes(-len(content) % _BLOCK)
    for path, layer in zip(paths, layers.values(), strict=True):
        yield _header(path, layer.stat().st_size)
        with layer.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    yield bytes(2 * _BLOCK)


def _header(path: str, size: int, mode: int = 0o644) -> bytes:
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, mode
    return info.tobuf(tarfile.PAX_FORMAT)


def _archive_of(options: BoxOptions) -> bytes:
    buffer = io.BytesIO()
    for file in options.files:
        buffer.write(_header(file.target.lstrip("/"), len(file.content), file.mode))
        buffer.write(file.content + bytes(-len(file.content) % _BLOCK))
    return buffer.getvalue() + bytes(2 * _BLOCK)


def _settings(options: BoxOptions) -> dict[str, Any]:
    from docker.types import Ulimit  # noqa: PLC0415 - start-up time

    limits = options.limits
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # a local daemon can hardly give more
    open_files = limits.open_files if most == resource.RLIM_INFINITY else min(limits.open_files or most, most)
    ulimits = {"nofile": open_files, "fsize": limits.file_bytes, "core": 0}
    settings: dict[str, Any] = {
        "command": [],
        "network_mode": "host" if options.network else "none",
        "init": False,
        "pids_limit": limits.processes,
        "mem_limit": limits.memory_bytes,
        "ulimits": [Ulimit(name=n, soft=v, hard=v) for n, v in ulimits.items() if v is not None],
        "volumes": {
            str(bind.source.resolve()): {"bind": bind.target, "mode": "rw" if bind.writable else "ro"}
            for bind in options.binds
        },
    }
    return settings if options.network else settings | {"hostname": options.hostname}
