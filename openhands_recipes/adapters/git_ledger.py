"""The ledger as a Git branch: `releases/<name>/<version>-r<N>.json`, `states/<name>/<version>-r<N>/<n>.json`.

A bare copy in the cache is fetched before reading; a commit is made there with `git fast-import`, which
touches only what is new, and offered with a plain push: the remote refuses it if the branch has moved on,
and that refusal is the compare-and-swap between publishers.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from semantic_version import Version

from openhands_recipes.adapters.git_run import Git, last_line
from openhands_recipes.errors import LedgerConflictError, LedgerError, NewerSchemaError
from openhands_recipes.model.release_record import ReleaseRecord, StateChange, read_record, write_record
from openhands_recipes.ports import Clock, SignedChange

log = logging.getLogger(__name__)

_REJECTED = ("non-fast-forward", "fetch first", "cannot lock ref", "stale info", "failed to update ref")
_AUTHOR = "openhands-recipes <openhands-recipes@localhost>"
_COPY = "refs/heads/copy"

ReadChange = Callable[[bytes, str], StateChange]
"""Signed envelope, its path -> what it says."""


class GitLedger:
    """`ports.Ledger` over a branch of a repository, local or remote.

    Args:
        repository: path or URL, as Git understands it.
        branch: usually `ledger`.
        cache: folder for the bare copy.
        clock: what commits are dated with.
        read_change: the change of state in a signed envelope, not verified; a pure step handed in.
    """

    def __init__(
        self, repository: str, branch: str, *, cache: Path, clock: Clock, read_change: ReadChange
    ) -> None:
        self.repository = repository
        self.branch = branch
        self._clock = clock
        self._read_change = read_change
        key = hashlib.sha256(f"{repository}\0{branch}".encode()).hexdigest()[:32]
        self._folder = cache / f"{key}.git"
        self._git = Git(self._folder)
        self._head: str | None = None
        self._asked = False

    def head(self) -> str | None:
        """The newest state of the ledger, asked for now."""
        with self._locked():
            self._fetch()
        return self._head

    def names(self) -> tuple[str, ...]:
        """Every recipe that was ever released, sorted."""
        head = self._seen()
        if head is None:
            return ()
        listed = self._git.output("ls-tree", "-z", "--name-only", head, "--", "releases/").decode()
        return tuple(sorted(path.rpartition("/")[2] for path in listed.split("\0") if path))

    def records(self) -> Iterator[ReleaseRecord]:
        """Every release, by name, in the order of their paths."""
        yield from self._records(("releases",), ("states",))

    def releases(self, name: str) -> tuple[ReleaseRecord, ...]:
        """The releases of one recipe, oldest version first by precedence, then by revision."""
        found = self._records((f"releases/{name}",), (f"states/{name}",))
        return tuple(sorted(found, key=lambda one: (Version(one.version).precedence_key, one.revision)))

    def record(self, name: str, version: str, revision: int) -> ReleaseRecord | None:
        """One release, or None."""
        known = (one for one in self.releases(name) if (one.version, one.revision) == (version, revision))
        return next(known, None)

    def changes(self, name: str) -> tuple[SignedChange, ...]:
        """All changes of state of one recipe's releases, by release, then by number."""
        return tuple(self._changes((f"states/{name}",)))

    def names_changed(self, since: str | None) -> tuple[str, ...]:
        """Recipes with something new since an older head; all of them when that head is None or unknown."""
        head = self._seen()
        if head is None or since is None or not self._git.succeeds("cat-file", "-e", f"{since}^{{commit}}"):
            return self.names()
        told = self._git.output("diff-tree", "-r", "-z", "--name-only", since, head).decode().split("\0")
        return tuple(sorted({path.split("/")[1] for path in told if path.count("/") >= 2}))

    def append(
        self,
        records: Sequence[ReleaseRecord],
        changes: Sequence[SignedChange] = (),
        *,
        expected: str | None,
        reason: str,
    ) -> str:
        """Add to the ledger if its head is still the expected one; the new head."""
        files = {one.path: write_record(one) for one in records}
        files |= {one.change.path: one.envelope for one in changes}
        with self._locked():
            self._fetch()
            if self._head != expected:
                raise _conflict(self.branch)
            for path in files:
                if expected and self._git.succeeds("cat-file", "-e", f"{expected}:{path}"):
                    raise LedgerConflictError("the ledger has a record of that place", where=path)
            commit = self._commit(files, expected, reason)
            self._push(commit)
            self._git.output("update-ref", _COPY, commit)
            self._head = commit
        return commit

    # --- reading ---------------------------------------------------------------------------------------

    def _records(self, places: Sequence[str], states: Sequence[str]) -> Iterator[ReleaseRecord]:
        last: dict[tuple[str, str, int], StateChange] = {}
        for one in self._changes(states):
            last[one.change.name, one.change.version, one.change.revision] = one.change
        for path, content in self._files(places):
            try:
                record = read_record(content, where=path)
            except NewerSchemaError as error:
                log.warning("%s left out: %s", path, error.message)
                continue
            _check_place(record, path)
            change = last.get((record.name, record.version, record.revision))
            yield record.with_state(change.state) if change else record

    def _changes(self, places: Sequence[str]) -> Iterator[SignedChange]:
        for path, content in self._files(places):
            try:
                change = self._read_change(content, path)
            except NewerSchemaError as error:
                log.warning("%s left out: %s", path, error.message)
                continue
            _check_place(change, path)
            yield SignedChange(change, content)

    def _files(self, places: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        head = self._seen()
        if head is None:
            return
        listed = self._git.output("ls-tree", "-r", "-z", head, "--", *places).split(b"\0")
        entries = [line.split(b"\t", 1) for line in listed if line]
        paths = [path.decode() for _, path in entries]
        blobs = self._git.blobs(meta.split()[2].decode() for meta, _ in entries)
        for path, content in zip(paths, blobs, strict=True):
            if path.endswith(".json"):
                yield path, content

    def _seen(self) -> str | None:
        if not self._asked:
            self.head()
        return self._head

    # --- writing ---------------------------------------------------------------------------------------

    def _commit(self, files: Mapping[str, bytes], parent: str | None, reason: str) -> str:
        mine = f"refs/new/{secrets.token_hex(8)}"
        signed = f"{_AUTHOR} {int(self._clock.now().timestamp())} +0000"
        self._git.output("fast-import", "--quiet", stdin=_stream(files, parent, mine, signed, reason))
        commit = self._git.output("rev-parse", "--verify", mine).decode().strip()
        self._git.output("update-ref", "-d", mine)
        return commit

    def _push(self, commit: str) -> None:
        target = f"{commit}:refs/heads/{self.branch}"
        done = self._git.run("push", "--porcelain", self.repository, target)
        if done.returncode == 0:
            return
        said = (done.stdout + done.stderr).decode(errors="replace")
        if any(word in said for word in _REJECTED):
            raise _conflict(self.branch)
        raise LedgerError(
            f"the ledger cannot be written: {last_line(done.stderr)}",
            where=self._place,
            hint="may this account push to the branch?",
        )

    # --- the copy --------------------------------------------------------------------------------------

    def _fetch(self) -> None:
        if not (self._folder / "HEAD").exists():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            Git(self._folder.parent).output("init", "--quiet", "--bare", str(self._folder))
        listed = self._git.run("ls-remote", self.repository, f"refs/heads/{self.branch}")
        if listed.returncode:
            raise LedgerError(
                f"the ledger cannot be read: {last_line(listed.stderr)}",
                where=self._place,
                hint="name a Git repository with --ledger REPOSITORY[#BRANCH]",
            )
        self._asked = True
        if not listed.stdout.strip():
            self._head = None
            return
        newest = listed.stdout.split()[0].decode()
        if not self._git.succeeds("cat-file", "-e", f"{newest}^{{commit}}"):
            refspec = f"+refs/heads/{self.branch}:{_COPY}"
            self._git.output("fetch", "--quiet", "--no-tags", self.repository, refspec)
            newest = self._git.output("rev-parse", "--verify", _COPY).decode().strip()
        self._head = newest

    @property
    def _place(self) -> str:
        return f"{self.repository.rpartition('@')[2]}#{self.branch}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self._folder}.lock"):
            yield


def _check_place(record: ReleaseRecord | StateChange, path: str) -> None:
    if record.path != path:
        raise LedgerError(
            f"a file of the ledger belongs at {record.path}", where=path, hint="who has moved it there?"
        )


def _conflict(branch: str) -> LedgerConflictError:
    return LedgerConflictError(f"somebody else wrote to the ledger branch '{branch}'", hint="run it again")


def _stream(files: Mapping[str, bytes], parent: str | None, ref: str, signed: str, reason: str) -> bytes:
    """What `git fast-import` reads: one commit that adds files (git-fast-import(1), "Input Format")."""
    message = (reason + "\n").encode()
    parts = [f"commit {ref}\ncommitter {signed}\n".encode(), b"data %d\n" % len(message), message]
    if parent:
        parts.append(f"from {parent}\n".encode())
    for path, content in sorted(files.items()):
        parts += [f"M 100644 inline {path}\n".encode(), b"data %d\n" % len(content), content, b"\n"]
    return b"".join(parts)
