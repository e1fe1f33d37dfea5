"""The ledger in real Git repositories."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from pathlib import Path

import pytest

from openhands_recipes.adapters.git_ledger import GitLedger
from openhands_recipes.errors import LedgerConflictError, LedgerError, ReleaseError
from openhands_recipes.model.release_record import ReleaseRecord, State, write_record
from openhands_recipes.ports import SignedChange
from openhands_recipes.publish.bundle import sign_bundle
from openhands_recipes.publish.verify import unverified_change
from openhands_recipes.publish.withdrawal import change_of, statement_of
from tests.fakes import FixedClock
from tests.release_records import MOMENT, record
from tests.releases import new_key

KEY = new_key()


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout.decode()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    folder = tmp_path / "remote.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare")
    return folder


def ledger(remote: Path, cache: str = "mine") -> GitLedger:
    return GitLedger(
        str(remote),
        "ledger",
        cache=remote.parent / cache,
        clock=FixedClock(),
        read_change=unverified_change,
    )


def signed(one: ReleaseRecord, name: str, number: int) -> SignedChange:
    state = State.model_validate({"name": name, "since": MOMENT, "reason": "because", "by": 1})
    change = change_of(one, state, number=number)
    return SignedChange(change, sign_bundle(statement_of(change).to_bytes(), KEY))


def test_a_ledger_begins_empty(remote: Path) -> None:
    mine = ledger(remote)
    assert (mine.head(), mine.names(), list(mine.records()), mine.names_changed(None)) == (None, (), [], ())


def test_what_one_publisher_adds_another_reads(remote: Path) -> None:
    first = [record("1.0.0", 1), record("1.0.0", 1, name="other")]
    head = ledger(remote).append(first, expected=None, reason="Release two")
    theirs = ledger(remote, "theirs")
    assert theirs.head() == head
    assert sorted(theirs.records(), key=lambda one: one.name) == sorted(first, key=lambda one: one.name)
    assert theirs.names() == ("other", "sample")
    assert theirs.record("sample", "1.0.0", 1) == first[0]
    assert theirs.record("sample", "1.0.0", 2) is None


def test_the_branch_holds_one_file_a_record_and_says_why(remote: Path) -> None:
    ledger(remote).append([record("1.0.0", 1)], expected=None, reason="Release sample")
    assert git(remote, "ls-tree", "-r", "--name-only", "ledger").split() == ["releases/sample/1.0.0-r1.json"]
    assert git(remote, "log", "--format=%s", "ledger").strip() == "Release sample"
    content = json.loads(git(remote, "show", "ledger:releases/sample/1.0.0-r1.json"))
    assert content["schema"] == 1


def test_releases_are_in_the_order_of_their_versions(remote: Path) -> None:
    versions = ["1.10.0", "1.9.0", "1.9.0-rc.1"]
    ledger(remote).append(
        [*(record(version, 1) for version in versions), record("1.9.0", 10), record("1.9.0", 9)],
        expected=None,
        reason="several",
    )
    assert [one.identity for one in ledger(remote).releases("sample")] == [
        "sample@1.9.0-rc.1-r1",
        "sample@1.9.0-r1",
        "sample@1.9.0-r9",
        "sample@1.9.0-r10",
        "sample@1.10.0-r1",
    ]


def test_an_old_head_is_refused_and_nothing_is_written(remote: Path) -> None:
    mine, theirs = ledger(remote), ledger(remote, "theirs")
    head = mine.append([record("1.0.0", 1)], expected=None, reason="first")
    for expected in (None, "0" * 40):
        with pytest.raises(LedgerConflictError):
            theirs.append([record("1.0.0", 2)], expected=expected, reason="second")
    assert git(remote, "rev-parse", "ledger").strip() == head


def test_the_remote_itself_refuses_whoever_was_slower(remote: Path) -> None:
    """Both have looked at the same head before either pushes."""
    mine, theirs = ledger(remote), ledger(remote, "theirs")
    head = mine.append([record("1.0.0", 1)], expected=None, reason="first")
    theirs.head()
    late = theirs._commit({"releases/x/1.0.0-r1.json": b"{}"}, head, "late")
    newest = mine.append([record("1.0.0", 2)], expected=head, reason="second")
    with pytest.raises(LedgerConflictError):
        theirs._push(late)
    assert git(remote, "rev-parse", "ledger").strip() == newest


def test_two_first_records_cannot_both_win(remote: Path) -> None:
    mine, theirs = ledger(remote), ledger(remote, "theirs")
    theirs.head()
    late = theirs._commit({"releases/x/1.0.0-r1.json": b"{}"}, None, "late")
    mine.append([record("1.0.0", 1)], expected=None, reason="first")
    with pytest.raises(LedgerConflictError):
        theirs._push(late)


def test_a_record_is_never_replaced(remote: Path) -> None:
    mine = ledger(remote)
    head = mine.append([record("1.0.0", 1)], expected=None, reason="first")
    with pytest.raises(LedgerConflictError, match="has a record of that place"):
        mine.append([record("1.0.0", 1, tested=False)], expected=head, reason="again")


def test_of_many_publishers_at_once_none_loses_a_record(remote: Path) -> None:
    def publish(number: int) -> None:
        own = ledger(remote, f"cache{number}")
        while True:
            head = own.head()
            revision = len(own.releases("sample")) + 1
            try:
                own.append([record("1.0.0", revision)], expected=head, reason=f"by {number}")
            except LedgerConflictError:
                continue
            return

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [one.revision for one in ledger(remote).releases("sample")] == [1, 2, 3, 4]


def test_several_threads_may_share_one_copy(remote: Path) -> None:
    head = ledger(remote).append([record("1.0.0", 1)], expected=None, reason="first")
    heads: list[str | None] = []
    threads = [threading.Thread(target=lambda: heads.append(ledger(remote).head())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert heads == [head] * 4


def test_the_last_change_of_state_is_the_state_of_now(remote: Path) -> None:
    mine, one, two = ledger(remote), record("1.0.0", 1), record("1.0.0", 2)
    head = mine.append([one, two], expected=None, reason="releases")
    head = mine.append([], [signed(one, "deprecated", 1)], expected=head, reason="Deprecate")
    mine.append([], [signed(one, "yanked", 2)], expected=head, reason="Yank")
    assert [found.state.name for found in ledger(remote, "theirs").releases("sample")] == ["yanked", "active"]
    assert [found.state.name for found in mine.records()] == ["yanked", "active"]
    assert [found.change.number for found in mine.changes("sample")] == [1, 2]
    assert mine.releases("sample")[0].released == MOMENT


def test_what_changed_since_a_head_is_told_by_name(remote: Path) -> None:
    mine, one = ledger(remote), record("1.0.0", 1)
    first = mine.append([one, record("1.0.0", 1, name="other")], expected=None, reason="first")
    second = mine.append([record("1.0.0", 1, name="third")], expected=first, reason="second")
    third = mine.append([], [signed(one, "yanked", 1)], expected=second, reason="third")
    assert mine.names_changed(first) == ("sample", "third")
    assert mine.names_changed(second) == ("sample",)
    assert mine.names_changed(third) == ()
    assert mine.names_changed("f" * 40) == mine.names_changed(None) == ("other", "sample", "third")


def test_a_record_of_a_newer_schema_is_left_out_with_a_warning(
    remote: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = ledger(remote)
    head = mine.append([record("1.0.0", 1)], expected=None, reason="first")
    mine._push(mine._commit({"releases/sample/2.0.0-r1.json": b'{"schema": 2}'}, head, "by a newer version"))
    with caplog.at_level(logging.WARNING):
        assert [one.version for one in ledger(remote).records()] == ["1.0.0"]
    assert "releases/sample/2.0.0-r1.json" in caplog.text


@pytest.mark.parametrize("content", [b"not json", b"{}", b'{"schema": 1, "name": "sample"}'])
def test_a_damaged_record_is_an_error_that_names_its_file(remote: Path, content: bytes) -> None:
    mine = ledger(remote)
    mine.head()
    mine._push(mine._commit({"releases/sample/1.0.0-r1.json": content}, None, "by hand"))
    with pytest.raises(ReleaseError) as caught:
        list(ledger(remote).records())
    assert (caught.value.where, caught.value.code) == ("releases/sample/1.0.0-r1.json", "OHR400")


def test_a_record_at_anothers_place_is_refused(remote: Path) -> None:
    mine = ledger(remote)
    mine.head()
    files = {"releases/other/1.0.0-r1.json": write_record(record("1.0.0", 1))}
    mine._push(mine._commit(files, None, "moved"))
    with pytest.raises(LedgerError, match=r"belongs at releases/sample/1\.0\.0-r1\.json"):
        list(ledger(remote).records())


def test_a_repository_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as caught:
        ledger(tmp_path / "nowhere.git").head()
    assert "--ledger" in str(caught.value.hint)


def test_a_refusal_for_another_reason_is_no_conflict(remote: Path) -> None:
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(LedgerError) as caught:
        ledger(remote).append([record("1.0.0", 1)], expected=None, reason="first")
    assert not isinstance(caught.value, LedgerConflictError)


def test_a_branch_of_the_same_repository_the_recipes_are_in_will_do(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet")
    head = ledger(work).append([record("1.0.0", 1)], expected=None, reason="first")
    assert git(work, "rev-parse", "ledger").strip() == head
    assert git(work, "status", "--porcelain") == ""
