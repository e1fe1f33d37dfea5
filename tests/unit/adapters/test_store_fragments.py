"""Store paths as fragments: real trees on a real disk, packed by the real packer."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from openhands_recipes.errors import OutsideError, VerificationError
from openhands_recipes.flows.stack import order_of
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.ports.store_trees import StoreTree
from tests.store_trees import BIG, ODD, Content, fragments, packer, plant, store_name, tree_of


def tar_of(cache: Path, *trees: StoreTree) -> bytes:
    order = order_of("any", tuple(tree.key for tree in trees))
    with packer(fragments(cache, trees)).stream(order) as stream:
        return stream.read()


def members(raw: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return {member.name: member for member in archive}


@pytest.fixture
def odd(tmp_path: Path) -> StoreTree:
    return tree_of(plant(tmp_path / "odd", ODD), "odd-1.0")


def test_a_store_path_is_read_as_it_stands_in_the_store(odd: StoreTree, tmp_path: Path) -> None:
    raw = tar_of(tmp_path / "cache", odd)
    root = odd.path.lstrip("/")
    found = members(raw)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for path in odd.folder.rglob("*"):
            member = found[f"{root}/{path.relative_to(odd.folder)}"]
            if path.is_symlink():
                assert member.linkname == str(path.readlink())
            elif path.is_file():
                content = archive.extractfile(member)
                assert content is not None
                assert content.read() == path.read_bytes()
            else:
                assert member.isdir()
    assert len(found) == len(list(odd.folder.rglob("*"))) + 3


def test_modes_owners_and_times_are_the_stores(odd: StoreTree, tmp_path: Path) -> None:
    found = members(tar_of(tmp_path / "cache", odd))
    root = odd.path.lstrip("/")
    assert {(m.uid, m.gid, m.mtime) for m in found.values()} == {(0, 0, 1)}
    assert found[f"{root}/bin/program"].mode == found[f"{root}/bin"].mode == 0o555
    assert found[f"{root}/nothing"].mode == 0o444
    assert {found["nix"].mode, found["nix/store"].mode} == {0o755}


def test_names_that_differ_in_case_or_are_no_text_survive(odd: StoreTree, tmp_path: Path) -> None:
    names = {name.rpartition("/")[2] for name in members(tar_of(tmp_path / "cache", odd))}
    assert {"README", "readme", "ReadMe", "-rf", "line\nbreak", "\udcff\udcfe not utf-8 \udc80"} <= names


def test_files_with_the_same_content_are_one_file_with_several_names(odd: StoreTree, tmp_path: Path) -> None:
    found = members(tar_of(tmp_path / "cache", odd))
    root = f"{odd.path.lstrip('/')}/twice"
    assert found[f"{root}/a"].isreg()
    assert found[f"{root}/b"].islnk()
    assert found[f"{root}/b"].linkname == f"{root}/a"
    assert found[f"{root}/c"].isreg(), "the size is the same, the content is not"
    assert found[f"{root}/program"].isreg(), "a program is not the same as a file"


def test_an_optimised_store_makes_the_same_bytes(tmp_path: Path) -> None:
    plain: Content = {"a": BIG, "b": BIG, "c": b"small", "d": b"small"}
    first = tree_of(plant(tmp_path / "plain", plain), "x")
    elsewhere = plant(tmp_path / "elsewhere", BIG)
    small = plant(tmp_path / "small", b"small")
    linked: Content = {"a": elsewhere, "b": elsewhere, "c": small, "d": small}
    second = tree_of(plant(tmp_path / "linked", linked), "x")
    assert first.nar_hash == second.nar_hash
    assert tar_of(tmp_path / "one", first) == tar_of(tmp_path / "two", second)


def test_what_the_disk_says_besides_the_archive_changes_nothing(tmp_path: Path) -> None:
    first = tree_of(plant(tmp_path / "one", ODD), "x")
    other = plant(tmp_path / "two", ODD)
    (other / "nothing").chmod(0o640)
    (other / "bin/program").chmod(0o700)
    os.utime(other / "nothing", (5, 5))
    assert tar_of(tmp_path / "c1", first) == tar_of(tmp_path / "c2", tree_of(other, "x"))


def test_a_store_path_may_be_a_file_or_a_link(tmp_path: Path) -> None:
    file = tree_of(plant(tmp_path / "file", b"text"), "file")
    link = tree_of(plant(tmp_path / "link", "/nix/store"), "link")
    found = members(tar_of(tmp_path / "cache", file, link))
    assert found[file.path.lstrip("/")].isreg()
    assert found[link.path.lstrip("/")].linkname == "/nix/store"
    assert list(found).count("nix/store") == 1


@pytest.mark.parametrize("at", [0, 4095, 70_000, 199_999])
def test_a_flipped_byte_fails_and_leaves_no_layer(tmp_path: Path, at: int) -> None:
    content: Content = {"big": bytes(200_000), "small": b"text"}
    tree = tree_of(plant(tmp_path / "tree", content), "x-1")
    (tree.folder / "big").chmod(0o644)
    with (tree.folder / "big").open("r+b") as file:
        file.seek(at)
        file.write(b"!")
    store = fragments(tmp_path / "cache", [tree])
    order = order_of("any", (tree.key,))
    with pytest.raises(VerificationError) as told:
        packer(store).pack([order], compression="zstd")
    message = str(told.value)
    assert tree.path in message
    assert tree.nar_hash in message
    assert "found sha256-" in message
    assert f"nix-store --repair-path {tree.path}" in message
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert left == []


def test_what_is_missing_or_too_much_is_found_out(tmp_path: Path) -> None:
    for change in ("gone", "new", "mode", "link"):
        tree = tree_of(plant(tmp_path / change, {"a": b"1", "b": b"2", "l": "a"}), change)
        tree.folder.chmod(0o755)
        match change:
            case "gone":
                (tree.folder / "a").unlink()
            case "new":
                (tree.folder / "c").write_bytes(b"")
            case "mode":
                (tree.folder / "a").chmod(0o555)
            case _:
                (tree.folder / "l").unlink()
                (tree.folder / "l").symlink_to("b")
        with pytest.raises(VerificationError, match="not what its hash promises"):
            fragments(tmp_path / "cache", [tree]).check([tree.key])


def test_a_file_cut_short_while_it_is_read_is_told(tmp_path: Path) -> None:
    tree = tree_of(plant(tmp_path / "tree", {"a": b"123"}), "x")
    store = fragments(tmp_path / "cache", [tree])
    assert store.get(tree.key) is not None
    (tree.folder / "a").chmod(0o644)
    (tree.folder / "a").write_bytes(b"1")
    with pytest.raises(VerificationError, match="changed while it was read: 'a'"):
        store.check([tree.key])


def test_files_that_stop_being_the_same_are_not_linked(tmp_path: Path) -> None:
    tree = tree_of(plant(tmp_path / "tree", {"a": BIG, "b": BIG}), "x")
    store = fragments(tmp_path / "cache", [tree])
    assert store.get(tree.key) is not None
    (tree.folder / "b").chmod(0o644)
    (tree.folder / "b").write_bytes(BIG[::-1])
    with pytest.raises(VerificationError, match="changed while it was read: 'b'"):
        store.check([tree.key])


def test_a_tree_that_is_gone_can_be_tried_again(tmp_path: Path) -> None:
    tree = StoreTree(tree_of(plant(tmp_path / "t", b""), "x").key, store_name("x"), "", 0, tmp_path / "no")
    with pytest.raises(OutsideError, match="cannot be read") as told:
        fragments(tmp_path / "cache", [tree]).get(tree.key)
    assert "garbage" in str(told.value)


def test_what_no_store_holds_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "tree"
    place.mkdir()
    os.mkfifo(place / "pipe")
    tree = StoreTree(tree_of(plant(tmp_path / "t", b""), "x").key, store_name("x"), "", 0, place)
    with pytest.raises(VerificationError, match="no file, folder or link: 'pipe'"):
        fragments(tmp_path / "cache", [tree]).get(tree.key)


def test_names_that_would_delete_files_of_an_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="whiteouts"):
        tree_of(plant(tmp_path / "tree", {".wh.bin": b""}), "x")


def test_any_part_of_a_planted_fragment_can_be_read(odd: StoreTree, tmp_path: Path) -> None:
    store = fragments(tmp_path / "cache", [odd])
    raw = tar_of(tmp_path / "other", odd)
    for offset, length in ((0, 10), (512, 1024), (len(raw) // 2, 777)):
        buffer = bytearray(length)
        store.read_into(odd.key, offset, memoryview(buffer))
        assert bytes(buffer) == raw[offset : offset + length]


def test_planted_and_cached_fragments_make_one_layer(odd: StoreTree, tmp_path: Path) -> None:
    store = fragments(tmp_path / "cache", [odd])
    key = tree_of(plant(tmp_path / "key", b"key"), "key").key
    store.create(key, [(Entry("etc/x", Kind.FILE), b"text")])
    with packer(store).stream(order_of("any", (key, odd.key))) as stream:
        found = members(stream.read())
    assert "etc/x" in found
    assert odd.path.lstrip("/") in found
    buffer = bytearray(4)
    store.read_into(key, 1024, memoryview(buffer))
    assert bytes(buffer) == b"text"


def test_one_and_four_workers_make_the_same_layer(tmp_path: Path) -> None:
    content: Content = {f"f{n}": hashlib.sha256(bytes([n])).digest() * (n * 700) for n in range(1, 60)}
    tree = tree_of(plant(tmp_path / "tree", content), "x")
    orders = [order_of("any", (tree.key,))]
    made = [
        packer(fragments(tmp_path / f"c{n}", [tree], workers=n), workers=n).pack(orders, compression="zstd")
        for n in (1, 4)
    ]
    assert made[0] == made[1]
