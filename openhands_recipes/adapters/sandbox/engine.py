"""The `namespaces` engine: `SandboxEngine` of `openhands_recipes.ports` over a store of trees."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from openhands_recipes.adapters.sandbox import cgroup, ids, lookup, seccomp
from openhands_recipes.adapters.sandbox.box import NamespaceBox
from openhands_recipes.adapters.sandbox.launch import Launcher
from openhands_recipes.adapters.sandbox.store import Store, boot_id, short_name
from openhands_recipes.errors import SandboxError
from openhands_recipes.ports import Bind, BoxOptions

_PIECE = 1 << 20
_LOCALHOST = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_MAX_TREES = 490  # overlayfs refuses more than 500 layers (fs/overlayfs/params.h, OVL_MAX_STACK)


class NamespaceEngine:
    """Runs commands over stacked trees, in namespaces of their own; several processes may share a folder."""

    def __init__(self, folder: Path, *, caller: tuple[int, int] | None = None) -> None:
        """`folder` is ours alone: trees and writable layers below it belong to ids nobody else has.

        With `caller`, that user and group inside stand for whoever calls, so that both may write to a
        writable bind. Users other than root then have trees of their own, apart from the usual ones.
        """
        self._ids = ids.find_range(caller)
        self._store = Store(folder, self._ids.name)

    def has_tree(self, name: str) -> bool:
        """Whether the tree is there, complete."""
        return self._store.has_tree(name)

    def add_tree(self, name: str, tar_streams: Iterable[IO[bytes]]) -> None:
        """Unpack tar streams, in order, as the tree `name`, whole or not at all; no-op when it exists.

        Raises:
            VerificationError: a stream is broken, or wants what no layer may have.
            SandboxError: this machine cannot, or its disk is full.
        """
        with ExitStack() as stack:
            self._store.lock(f"tree {name}", stack, wait=True)
            if self.has_tree(name):
                return
            order = {"what": "unpack", "name": short_name(name), "boot": boot_id()}
            launcher = self._helper(order, stack)
            read, write = os.pipe()
            try:
                launcher.channel.send(("pipe",), (read,))
            finally:
                os.close(read)
            with open(write, "wb", buffering=0) as pipe:
                _copy(tar_streams, pipe)
            with suppress(OSError):  # it has refused already, and says why
                launcher.channel.send(("complete",))
            launcher.expect("done")

    def remove_tree(self, name: str) -> None:
        """Remove a tree that no box is using; no-op when there is none."""
        self._remove(self._store.tree(name))

    def remove_upper(self, name: str) -> None:
        """Remove a kept writable layer that no box is using; no-op when there is none."""
        self._remove(self._store.upper(name))

    def clear(self) -> None:
        """Remove every tree and kept writable layer that no box is using."""
        retired = []
        for path in self._store.contents():
            with suppress(SandboxError):
                retired.append(self._store.retire(path))
        self._remove_retired([path for path in retired if path is not None])

    def _remove(self, path: Path) -> None:
        gone = self._store.retire(path)
        if gone is not None:
            self._remove_retired([gone])

    def _remove_retired(self, paths: Sequence[Path]) -> None:
        with ExitStack() as stack:
            order = {"what": "remove", "paths": [str(path.relative_to(self._store.base)) for path in paths]}
            self._helper(order, stack).expect("done")

    def _helper(self, order: dict[str, Any], stack: ExitStack) -> Launcher:
        launcher = Launcher(self._store.base, self._ids, {"role": "store", **order})
        stack.callback(launcher.close)
        return launcher

    def read_file(self, trees: Sequence[str], path: str) -> bytes | None:
        """A file's content as a box over these trees would see it; None when there is no such file.

        Raises:
            SandboxError: a tree is missing, or only root inside may read the file.
        """
        with ExitStack() as stack:
            self._store.hold_trees(trees, stack)
            return lookup.read_file([self._store.tree(name) for name in reversed(trees)], path)

    @contextmanager
    def open(self, trees: Sequence[str], options: BoxOptions = BoxOptions()) -> Iterator[NamespaceBox]:  # noqa: B008 - frozen
        """A box over trees, lowest first.

        Raises:
            SandboxError: this machine cannot; the hint says what to change.
        """
        if len(trees) > _MAX_TREES:
            raise SandboxError(
                f"{len(trees)} trees are too many for one sandbox", hint=f"at most {_MAX_TREES}"
            )
        with ExitStack() as stack:
            held = self._store.hold_trees(trees, stack)
            if options.upper is not None:
                held.append(self._lock_upper(options.upper, stack))
            group = cgroup.make(options.limits)
            if group is not None:
                stack.callback(group.remove)
            launcher = Launcher(
                self._store.base, self._ids, self._order(trees, options), held=held, group=group
            )
            stack.callback(launcher.close)
            (_, in_memory) = launcher.expect("ready")
            yield NamespaceBox(launcher, options, in_memory=bool(in_memory), grouped=group is not None)

    def _lock_upper(self, name: str, stack: ExitStack) -> int:
        fd = self._store.lock(f"upper {name}", stack, wait=False)
        if fd < 0:
            raise SandboxError(
                f"another sandbox is writing to {name!r}", hint="wait for it, or use another name"
            )
        return fd

    def _order(self, trees: Sequence[str], options: BoxOptions) -> dict[str, Any]:
        kept = None if options.upper is None else f"uppers/{short_name(options.upper)}"
        return {
            "role": "box",
            "real_root": not self._ids.through_helpers,
            "parent": os.getpid(),
            "trees": [short_name(name) for name in reversed(trees)],
            "upper": kept or f"uppers/.new-{os.getpid()}-{os.urandom(6).hex()}",
            "keep_upper": kept is not None,
            "binds": [_bind(bind, lend=self._ids.borrowers is not None) for bind in options.binds],
            "caller": self._ids.borrowers,
            "files": [
                *((target, content, 0o644) for target, content in _machine_files(options).items()),
                *((file.target, file.content, file.mode) for file in options.files),
            ],
            "network": options.network,
            "hostname": options.hostname,
            "nested": options.nested_namespaces,
            "filter": seccomp.program(os.uname().machine, nested_namespaces=options.nested_namespaces),
        }


def _bind(bind: Bind, *, lend: bool) -> tuple[str, str, bool, tuple[int, int] | None]:
    """A bind for the processes inside, with its owners outside where they are to be stood for."""
    try:
        source = bind.source.resolve(strict=True)
        status = source.stat()
    except OSError as error:
        raise SandboxError(
            f"{bind.source} cannot be shown inside as {bind.target}: {error.strerror}",
            where=str(bind.source),
            hint="name a file or folder that exists",
        ) from error
    owners = (status.st_uid, status.st_gid) if lend and bind.writable else None
    return os.fspath(source), bind.target, bind.writable, owners


def _copy(streams: Iterable[IO[bytes]], pipe: IO[bytes]) -> None:
    for stream in streams:
        while piece := stream.read(_PIECE):
            view = memoryview(piece)
            while view:
                try:
                    view = view[pipe.write(view) :]
                except BrokenPipeError:
                    return  # the helper has refused the rest and says why


def _machine_files(options: BoxOptions) -> dict[str, bytes]:
    """What a machine tells its processes about itself; with the network, what the host knows of names."""
    own = f"{_LOCALHOST}127.0.1.1 {options.hostname}\n".encode()
    hosts, resolver = b"", b""
    if options.network:
        hosts, resolver = _content("/etc/hosts"), _content("/etc/resolv.conf")
    return {
        "/etc/hostname": f"{options.hostname}\n".encode(),
        "/etc/hosts": own + hosts,
        "/etc/resolv.conf": resolver,
    }


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
