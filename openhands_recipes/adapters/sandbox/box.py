"""An open sandbox of the `namespaces` engine: `Box` and `Running` of `openhands_recipes.ports`."""

from __future__ import annotations

import os
import resource
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import IO, Any

from openhands_recipes.adapters.sandbox import wire
from openhands_recipes.adapters.sandbox.launch import Launcher, explain
from openhands_recipes.adapters.sandbox.pump import Collected, Pump, Sink, sink_of
from openhands_recipes.adapters.sandbox.terminal import converse, passing_signals_on, window_size
from openhands_recipes.errors import SandboxError
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.ports import BoxOptions, Command, Completed, Limits

_SCREEN = 1
_Output = Callable[[bytes], None] | IO[bytes] | None
_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHAR,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
    0: Kind.HARDLINK,
}


class NamespaceBox:
    """One set of namespaces over one root; safe to use from several threads."""

    def __init__(self, launcher: Launcher, options: BoxOptions, *, in_memory: bool, grouped: bool) -> None:
        """`in_memory`: changes are not on disk; `grouped`: a control group already limits memory."""
        self._launcher = launcher
        self._options = options
        self._grouped = grouped
        self.in_memory = in_memory
        self._sending = threading.Lock()

    def run(
        self,
        command: Command,
        *,
        stdin: bytes | None = None,
        stdout: _Output = None,
        stderr: _Output = None,
    ) -> Completed:
        """Run to the end. Streams are collected (of huge ones both ends), or handed over while they come."""
        start = time.monotonic()
        out, err = sink_of(stdout), sink_of(stderr)
        channel, theirs = wire.pair()
        with passing_signals_on(channel) if command.terminal or command.forward_signals else nullcontext():
            files = self._begin(command, channel, theirs)
            if command.terminal:
                screen = out if stdout is not None else _show
                code, timed_out = converse(channel, files[0], screen)
            else:
                code, timed_out = _pump(channel, files, stdin or b"", (out, err)).run()
        return Completed(
            exit_code=code,
            stdout=out.content if isinstance(out, Collected) else b"",
            stderr=err.content if isinstance(err, Collected) else b"",
            timed_out=timed_out,
            seconds=time.monotonic() - start,
        )

    def start(self, command: Command) -> BackgroundCommand:
        """Run in the background, output collected."""
        if command.terminal:
            raise SandboxError("a command in the background cannot have the terminal", hint="run it instead")
        channel, theirs = wire.pair()
        return BackgroundCommand(channel, self._begin(command, channel, theirs))

    def changes(self) -> Iterator[tuple[Entry, Callable[[], Iterator[bytes]] | None]]:
        """What differs from the trees below, sorted by path; contents can be read while the box is open."""
        channel = self._order(("changes",))
        try:
            while True:
                received = channel.receive()
                match received:
                    case (("changes", list(batch)), _):
                        yield from (changed for item in batch if (changed := self._change(item)))
                    case (("end",), _):
                        return
                    case (("error", int(number), str(text)), _):
                        raise explain(number, text)
                    case _:
                        raise SandboxError("the sandbox was closed while its changes were read")
        finally:
            channel.close()

    def _change(self, item: tuple[Any, ...]) -> tuple[Entry, Callable[[], Iterator[bytes]] | None] | None:
        path, mode, uid, gid, size, mtime, link, device, xattrs = item
        kind = _KINDS.get(stat.S_IFMT(mode))
        if kind is None:
            return None  # a socket: nobody listens on it any more, and no layer can hold it
        entry = Entry(
            path=path,
            kind=kind,
            mode=stat.S_IMODE(mode),
            uid=uid,
            gid=gid,
            size=size,
            mtime=mtime,
            link=link,
            device=(os.major(device), os.minor(device)),
            xattrs=tuple(xattrs),
        )
        return entry, ((lambda: self._read(path)) if kind is Kind.FILE else None)

    def _read(self, path: str) -> Iterator[bytes]:
        channel = self._order(("open", path))
        try:
            received = channel.receive()
        finally:
            channel.close()
        match received:
            case (("file",), (int(fd),)):
                with open(fd, "rb", buffering=0) as file:
                    while piece := file.read(1 << 20):
                        yield piece
            case (("error", _, str(text)), _):
                raise SandboxError(f"a changed file cannot be read: {text}", where=path)
            case _:
                raise SandboxError("the sandbox was closed while its changes were read", where=path)

    def _begin(self, command: Command, mine: wire.Channel, theirs: wire.Channel) -> tuple[int, ...]:
        """Have a command started; its streams: input, output and errors, or its terminal alone."""
        self._send(("run", order_of(command, self._options.limits, grouped=self._grouped)), mine, theirs)
        received = mine.receive()
        match received:
            case (("started", int()), files):
                return files
        mine.close()
        raise SandboxError("the sandbox was closed before the command could start")

    def _order(self, message: tuple[object, ...]) -> wire.Channel:
        mine, theirs = wire.pair()
        self._send(message, mine, theirs)
        return mine

    def _send(self, message: tuple[object, ...], mine: wire.Channel, theirs: wire.Channel) -> None:
        try:
            with self._sending:
                self._launcher.channel.send(message, (theirs.fileno(),))
        except OSError as error:
            mine.close()
            raise SandboxError("the sandbox is closed", hint="open a new one") from error
        finally:
            theirs.close()

    def close(self) -> None:
        """End everything inside."""
        self._launcher.close()


def _pump(channel: wire.Channel, files: tuple[int, ...], feed: bytes, sinks: tuple[Sink, Sink]) -> Pump:
    stdin, stdout, stderr = files
    return Pump(channel, stdin, feed, {stdout: sinks[0], stderr: sinks[1]})


def _show(piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(_SCREEN, view) :]


class BackgroundCommand:
    """A command that goes on in the background; its output is collected meanwhile."""

    def __init__(self, channel: wire.Channel, files: tuple[int, ...]) -> None:
        self._channel, self._out, self._err = channel, Collected(), Collected()
        self._pump = _pump(channel, files, b"", (self._out, self._err))
        self._start = time.monotonic()
        self._completed: Completed | None = None
        self._failure: SandboxError | None = None
        self._thread = threading.Thread(target=self._follow, name="sandbox-command", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            code, timed_out = self._pump.run()
        except SandboxError as error:
            self._failure = error
            return
        seconds = time.monotonic() - self._start
        self._completed = Completed(code, self._out.content, self._err.content, timed_out, seconds)

    def wait(self, timeout: float | None = None) -> Completed | None:
        """How it ended, or None when it still runs after `timeout` seconds.

        Raises:
            SandboxError: its box was closed under it.
        """
        self._thread.join(timeout)
        if self._failure:
            raise self._failure
        return self._completed

    def kill(self) -> None:
        """End it and everything it started."""
        with suppress(OSError):
            self._channel.send(("kill",))


def order_of(command: Command, limits: Limits, *, grouped: bool) -> dict[str, Any]:
    """A command in builtin types, for the processes inside."""
    wanted = {
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_DATA": None if grouped else limits.memory_bytes,
        "RLIMIT_CORE": 0,
    }
    return {
        "argv": list(command.argv),
        "environment": dict(command.environment),
        "workdir": command.workdir,
        "uid": command.uid,
        "gid": command.gid,
        "groups": list(command.groups),
        "keep_capabilities": command.keep_capabilities,
        "may_gain": command.may_gain_privileges,
        "timeout": command.timeout,
        "terminal": command.terminal,
        "size": window_size() if command.terminal else (24, 80),
        "limits": {
            name: value for name, value in wanted.items() if value is not None and hasattr(resource, name)
        },
    }
