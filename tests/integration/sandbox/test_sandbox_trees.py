"""Trees: unpacked exactly, whole or not at all, stacked like layers; and what a box has changed in them."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from openhands_recipes.adapters.sandbox.box import NamespaceBox
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.adapters.sandbox.store import short_name
from openhands_recipes.errors import SandboxError, VerificationError
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.ports import BoxOptions, Completed

pytestmark = pytest.mark.sandbox
Shell = Callable[..., Completed]
RunIn = Callable[[NamespaceBox], Shell]
REPOSITORY = Path(__file__).parents[3]
# struct vfs_cap_data, revision 2, effective: cap_net_raw (bit 13) permitted (linux/capability.h)
NET_RAW = struct.pack("<5I", 0x0200_0001, 1 << 13, 0, 0, 0)


def changed(box: NamespaceBox) -> dict[str, Entry]:
    return {entry.path: entry for entry, _ in box.changes()}


def test_a_tree_has_exact_modes_owners_times_links_and_attributes(
    engine: NamespaceEngine, run_in: RunIn, new_tar: Any
) -> None:
    tar = new_tar()
    tar.add("./odd/", type=tarfile.DIRTYPE, mode=0o2750, uid=7, gid=8, mtime=1_000_000_000)
    tar.add("./odd/suid", b"x" * 1500, mode=0o4755, uid=3, gid=4, mtime=1_100_000_000)
    tar.add("odd/link", type=tarfile.SYMTYPE, linkname="suid", uid=5, gid=6, mtime=1_200_000_000)
    tar.add("odd/same", type=tarfile.LNKTYPE, linkname="./odd/suid")
    tar.add("odd/pipe", type=tarfile.FIFOTYPE, mode=0o640)
    tar.add("deep/" + "d" * 90 + "/" + "e" * 120, b"deep", mode=0o600)
    engine.add_tree("exact", [tar.stream()])
    with engine.open(["tiny", "exact"]) as box:
        sh = run_in(box)
        line = "cd odd; stat -c '%n %A %u:%g %Y %h' . suid link same pipe"
        lines = sh(line, keep_capabilities=True).stdout.decode().splitlines()
        assert lines == [
            ". drwxr-s--- 7:8 1000000000 2",
            "suid -rwsr-xr-x 3:4 1100000000 2",
            "link lrwxrwxrwx 5:6 1200000000 1",
            "same -rwsr-xr-x 3:4 1100000000 2",
            "pipe prw-r----- 0:0 0 1",
        ]
        assert sh("stat -c '%A %u' deep; cat deep/*/*").stdout == b"drwxr-xr-x 0\ndeep"
        assert changed(box) == {}


def test_a_file_capability_comes_back_as_it_is_seen_inside(
    engine: NamespaceEngine, run_in: RunIn, python_options: BoxOptions
) -> None:
    with engine.open(["tiny"], python_options) as box:
        line = f"import os; os.setxattr('/tmp/c', 'security.capability', {NET_RAW!r})"
        done = run_in(box)(f'touch /tmp/c; python3 -S -c "{line}"', keep_capabilities=True)
        assert done.exit_code == 0, done.stderr
        assert changed(box)["tmp/c"].xattrs == (("security.capability", NET_RAW),)


def test_a_file_capability_of_a_layer_is_seen_inside_and_copied_up(
    engine: NamespaceEngine, run_in: RunIn, python_options: BoxOptions, new_tar: Any
) -> None:
    tar = new_tar()
    header = {"SCHILY.xattr.security.capability": NET_RAW.decode("latin-1")}
    tar.add("capable", b"", mode=0o755, pax_headers=header)
    engine.add_tree("capable", [tar.stream()])
    with engine.open(["tiny", "capable"], python_options) as box:
        sh = run_in(box)
        line = "import os; print(os.getxattr('/capable', 'security.capability').hex())"
        assert sh(f'python3 -S -c "{line}"').stdout.decode().strip() == NET_RAW.hex()
        assert changed(box) == {}
        assert sh("chmod 700 capable", keep_capabilities=True).exit_code == 0
        assert changed(box)["capable"].xattrs == (("security.capability", NET_RAW),)


def test_changes_are_sorted_and_complete(engine: NamespaceEngine, run_in: RunIn) -> None:
    with engine.open(["tiny"]) as box:
        line = (
            "rm usr/bin/seq; rm -rf home; mkdir home; mkdir -p etc/x; echo 1 > etc/x/y; echo 2 > etc/x-z;"
            "ln etc/x/y etc/again; ln -s nowhere etc/link; mkfifo etc/pipe;"
            "chown 5:6 etc/x; chmod 4711 etc/x-z"
        )
        assert run_in(box)(line, keep_capabilities=True).exit_code == 0
        found = list(box.changes())
        contents = {entry.path: b"".join(read()) for entry, read in found if read}
    entries = {entry.path: entry for entry, _ in found}
    assert list(entries) == sorted(entries)
    assert contents == {"etc/again": b"1\n", "etc/x-z": b"2\n"}
    kinds = {path: entry.kind for path, entry in entries.items()}
    assert kinds == {
        "etc": Kind.DIRECTORY,
        "etc/again": Kind.FILE,
        "etc/link": Kind.SYMLINK,
        "etc/pipe": Kind.FIFO,
        "etc/x": Kind.DIRECTORY,
        "etc/x-z": Kind.FILE,
        "etc/x/y": Kind.HARDLINK,
        "home": Kind.DIRECTORY,
        "usr": Kind.DIRECTORY,
        "usr/bin": Kind.DIRECTORY,
        "usr/bin/seq": Kind.CHAR,
    }
    assert entries["etc/x/y"].link == "etc/again"
    assert entries["etc/link"].link == "nowhere"
    assert (entries["etc/x"].uid, entries["etc/x"].gid) == (5, 6)
    assert (entries["etc/x-z"].mode, entries["etc/x-z"].size) == (0o4711, 2)
    assert entries["home"].xattrs == (("user.overlay.opaque", b"y"),)
    assert entries["usr/bin/seq"].device == (0, 0)
    assert abs(entries["etc/x-z"].mtime - time.time()) < 60


def test_a_socket_is_no_change(engine: NamespaceEngine, run_in: RunIn, python_options: BoxOptions) -> None:
    with engine.open(["tiny"], python_options) as box:
        line = "import socket; socket.socket(socket.AF_UNIX).bind('/tmp/s')"
        assert run_in(box)(f'python3 -c "{line}"').exit_code == 0
        assert "tmp/s" not in changed(box)


def test_a_change_that_vanished_meanwhile_says_so(engine: NamespaceEngine, run_in: RunIn) -> None:
    with engine.open(["tiny"]) as box:
        sh = run_in(box)
        sh("echo x > /tmp/gone")
        readers = {entry.path: read for entry, read in box.changes() if read}
        sh("rm /tmp/gone; ln -s /etc/passwd /tmp/gone")
        with pytest.raises(SandboxError, match="cannot be read"):
            list(readers["tmp/gone"]())


def test_whiteouts_of_layers_hide_what_lies_below(
    engine: NamespaceEngine, run_in: RunIn, new_tar: Any
) -> None:
    tar = new_tar()
    tar.add("etc/.wh.group", b"")
    tar.add("home/.wh..wh..opq", b"")
    tar.add("home/new", b"new")
    tar.add("root", type=tarfile.CHRTYPE)
    engine.add_tree("less", [tar.stream()])
    with engine.open(["tiny", "less"]) as box:
        assert run_in(box)("ls etc home; ls -d root").stdout == (
            b"etc:\nhostname\nhosts\npasswd\nresolv.conf\n\nhome:\nnew\n"
        )


def test_later_streams_and_members_win(engine: NamespaceEngine, run_in: RunIn, new_tar: Any) -> None:
    first, second = new_tar(), new_tar()
    for name in ("file", "turns/to/folder"):
        first.add(name, b"old")
    first.add("gone", type=tarfile.DIRTYPE, mode=0o2755)
    first.add("gone/inner", type=tarfile.DIRTYPE, mode=0o2755)
    first.add("link", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    first.add("folder/with/content", b"old")
    second.add("file", b"new")
    second.add("link", b"new")
    second.add("folder", b"now a file")
    second.add("gone", b"now a file")
    second.add("turns/to/folder", type=tarfile.DIRTYPE, mode=0o700)
    engine.add_tree("later", [first.stream(), second.stream()])
    with engine.open(["tiny", "later"]) as box:
        done = run_in(box)("cat file link folder; stat -c %F turns/to/folder; head -c 4 etc/passwd")
        assert done.stdout == b"newnewnow a filedirectory\nroot"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": "../escape"}, "leads out of the root"),
        ({"name": "a/../../escape"}, "leads out of the root"),
        ({"name": "disk", "type": tarfile.BLKTYPE, "devmajor": 8}, "type b'4'"),
        ({"name": "null", "type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, "may hold a device"),
        ({"name": "link", "type": tarfile.LNKTYPE, "linkname": "nothing"}, "a link to nothing"),
        ({"name": "odd", "type": b"S"}, "type b'S'"),
    ],
)
def test_a_member_no_layer_may_have_is_refused(
    engine: NamespaceEngine, new_tar: Any, fields: dict[str, Any], complaint: str
) -> None:
    tar = new_tar()
    tar.add(**fields)
    with pytest.raises(VerificationError, match=complaint):
        engine.add_tree("refused", [tar.stream()])
    assert not engine.has_tree("refused")


def test_links_in_an_archive_lead_nowhere_outside(
    engine: NamespaceEngine, new_tar: Any, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    tar = new_tar()
    tar.add("out", type=tarfile.SYMTYPE, linkname=str(tmp_path))
    tar.add("out/file", b"escaped")
    with pytest.raises((VerificationError, SandboxError)):
        engine.add_tree("contained", [tar.stream()])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [700, 512 + 20])
def test_a_stream_that_breaks_off_leaves_no_tree(engine: NamespaceEngine, new_tar: Any, cut: int) -> None:
    tar = new_tar()
    tar.add("file", b"x" * 1000)
    with pytest.raises(VerificationError, match="the stream ends inside"):
        engine.add_tree("broken", [io.BytesIO(tar.stream().getvalue()[:cut])])
    assert not engine.has_tree("broken")


def test_a_reader_that_fails_leaves_no_tree(engine: NamespaceEngine, tiny_tar: bytes) -> None:
    def streams() -> Iterator[IO[bytes]]:
        yield io.BytesIO(tiny_tar)
        raise VerificationError("a layer's digest is wrong")

    with pytest.raises(VerificationError, match="digest is wrong"):
        engine.add_tree("failing", streams())
    assert not engine.has_tree("failing")


def test_a_known_tree_is_not_read_again(engine: NamespaceEngine) -> None:
    def streams() -> Iterator[IO[bytes]]:
        raise AssertionError
        yield

    engine.add_tree("tiny", streams())


def test_two_at_once_make_one_tree(engine: NamespaceEngine, tiny_tar: bytes) -> None:
    threads = [
        threading.Thread(target=engine.add_tree, args=("twice", [io.BytesIO(tiny_tar)])) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.has_tree("twice")


def test_a_tree_in_use_cannot_be_removed(engine: NamespaceEngine, new_tar: Any) -> None:
    tar = new_tar()
    tar.add("file", b"x")
    engine.add_tree("brief", [tar.stream()])
    with engine.open(["brief"]), pytest.raises(SandboxError, match="a sandbox is using it"):
        engine.remove_tree("brief")
    engine.remove_tree("brief")
    assert not engine.has_tree("brief")
    engine.remove_tree("brief")
    with pytest.raises(SandboxError, match="no tree named 'brief'"), engine.open(["brief"]):
        pass


def test_trees_from_before_a_power_cut_are_made_again(
    engine: NamespaceEngine, new_tar: Any, run_in: RunIn
) -> None:
    tar = new_tar()
    tar.add("file", b"x")
    engine.add_tree("cut", [tar.stream()])
    tree = engine._store.tree("cut")
    mark = tree.with_name(tree.name + ".unsafe")
    end = time.monotonic() + 30
    while mark.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not mark.exists(), "the bytes never became safe"
    mark.write_text("another boot")
    assert not engine.has_tree("cut")
    again = new_tar()
    again.add("file", b"again")
    engine.add_tree("cut", [again.stream()])
    with engine.open(["tiny", "cut"]) as box:
        assert run_in(box)("cat file").stdout == b"again"


def test_a_killed_maker_leaves_rubbish_that_the_next_one_removes(
    engine: NamespaceEngine, tiny_tar: bytes
) -> None:
    folder = engine._store.base.parent
    code = (
        "import sys, time; from pathlib import Path\n"
        "from openhands_recipes.adapters.sandbox.engine import *\n"
        "class Slow:\n"
        "    def read(self, size):\n"
        "        print('reading', flush=True); time.sleep(60)\n"
        "NamespaceEngine(Path(sys.argv[1])).add_tree('killed', [Slow()])\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert maker.stdout
    assert maker.stdout.readline() == b"reading\n"
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    maker.stdout.close()
    assert not engine.has_tree("killed")
    engine.add_tree("killed", [io.BytesIO(tiny_tar)])
    assert list((engine._store.base / "trees").glob(".new-*")) == []


def test_a_kept_writable_layer_outlives_its_box(engine: NamespaceEngine, run_in: RunIn) -> None:
    options = BoxOptions(upper="work")
    with engine.open(["tiny"], options) as box:
        run_in(box)("echo kept > /etc/kept")
        with pytest.raises(SandboxError, match="another sandbox is writing to 'work'"):
            engine.open(["tiny"], options).__enter__()
    with engine.open(["tiny"], options) as box:
        assert run_in(box)("cat /etc/kept").stdout == b"kept\n"
        assert "etc/kept" in changed(box)
    engine.remove_upper("work")
    with engine.open(["tiny"], options) as box:
        assert run_in(box)("cat /etc/kept").exit_code != 0
    engine.remove_upper("work")


def test_the_callers_mask_shuts_no_account_out(engine: NamespaceEngine, run_in: RunIn) -> None:
    before = os.umask(0o077)
    try:
        with engine.open(["tiny"]) as box:
            assert run_in(box)("umask; ls /", uid=10001, gid=10001).exit_code == 0
            run_in(box)("echo x > /etc/made")
            assert run_in(box)("cat /etc/made", uid=10001, gid=10001).stdout == b"x\n"
    finally:
        os.umask(before)


def test_other_changes_are_thrown_away(engine: NamespaceEngine, run_in: RunIn) -> None:
    with engine.open(["tiny"]) as box:
        deep = "d=/tmp; for i in $(seq 200); do d=$d/deep; done; mkdir -p $d; touch $d/f"
        assert run_in(box)(f"echo x > /etc/kept; {deep}").exit_code == 0
    with engine.open(["tiny"]) as box:
        assert run_in(box)("ls /etc/kept").exit_code != 0
    assert list((engine._store.base / "uppers").iterdir()) == []


def test_sixty_trees_with_long_names_fit(engine: NamespaceEngine, run_in: RunIn, new_tar: Any) -> None:
    names = [f"sha256-{number:064d}" for number in range(60)]
    for number, name in enumerate(names):
        tar = new_tar()
        tar.add(f"layers/{number:02d}", b"", mode=0o644)
        tar.add("top", str(number).encode())
        engine.add_tree(name, [tar.stream()])
    with engine.open(["tiny", *names]) as box:
        assert run_in(box)("ls layers | wc -l; cat top").stdout == b"60\n59"
    with pytest.raises(SandboxError, match="too many"):
        engine.open(["tiny"] * 500).__enter__()


def test_changes_stay_in_memory_where_the_disk_cannot_hold_them(
    run_in: RunIn, tiny_tar: bytes, tmp_path: Path
) -> None:
    other = NamespaceEngine(tmp_path / "other")
    other.add_tree("tiny", [io.BytesIO(tiny_tar)])
    (other._store.base / "uppers").chmod(0o555)
    with other.open(["tiny"]) as box:
        assert box.in_memory
        run_in(box)("echo x > /etc/new; rm -rf /home; mkdir /home")
        found = changed(box)
    assert set(found) == {"etc", "etc/new", "home"}
    assert found["home"].xattrs
    with pytest.raises(SandboxError), other.open(["tiny"], BoxOptions(upper="kept")):
        pass
    other.remove_tree("tiny")


def test_short_names_depend_on_the_name_alone() -> None:
    assert short_name("tiny") == short_name("tiny") != short_name("tinY")


def test_everything_can_be_cleared_but_what_is_in_use(
    run_in: RunIn, tiny_tar: bytes, new_tar: Any, tmp_path: Path
) -> None:
    own = NamespaceEngine(tmp_path / "own")
    own.add_tree("tiny", [io.BytesIO(tiny_tar)])
    spare = new_tar()
    spare.add("file", b"x")
    own.add_tree("spare", [spare.stream()])
    with own.open(["tiny"], BoxOptions(upper="kept")) as box:
        own.clear()
        assert run_in(box)("echo works").stdout == b"works\n"
    assert own.has_tree("tiny")
    assert not own.has_tree("spare")
    own.clear()
    assert not own.has_tree("tiny")
    assert list((own._store.base / "uppers").iterdir()) == []


def test_a_file_can_be_read_without_a_box(engine: NamespaceEngine) -> None:
    assert b"root:x:0:0" in (engine.read_file(["tiny"], "/etc/passwd") or b"")
    assert engine.read_file(["tiny"], "/etc/nothing") is None
    with pytest.raises(SandboxError, match="no tree named 'missing'"):
        engine.read_file(["missing"], "/etc/passwd")


def test_sweeping_spares_what_is_in_use(run_in: RunIn, tiny_tar: bytes, new_tar: Any, tmp_path: Path) -> None:
    engine = NamespaceEngine(tmp_path / "swept")
    engine.add_tree("tiny", [io.BytesIO(tiny_tar)])
    tar = new_tar()
    tar.add("file", b"x")
    with engine.open(["tiny"]) as box:
        run_in(box)("echo precious > /etc/precious")
        engine.add_tree("meanwhile", [tar.stream()])
        engine.clear()
        assert run_in(box)("cat /etc/precious").stdout == b"precious\n"
        assert b"".join(next(read for entry, read in box.changes() if read)()) == b"precious\n"
