from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.compile.oci.image import ImageSettings, assemble
from openhands_recipes.compile.pack.codec import codec, codec_rules
from openhands_recipes.errors import OutsideError, UsageError, VerificationError
from openhands_recipes.model.digest import digest_of, hex_of
from openhands_recipes.model.image import Compression, Image, Layer
from openhands_recipes.model.platform import Platform
from tests.parts import make_tar, member

KEY = digest_of(b"key")
REFERENCE = "org.opencontainers.image.ref.name"


class World:
    """An image store with layers made by hand."""

    def __init__(self, root: Path) -> None:
        self.cache = CacheDir(root)
        self.blobs = BlobStore(self.cache)
        self.store = LocalImageStore(self.cache, self.blobs, codec_rules=codec_rules)

    def layer(self, name: str, compression: Compression = "zstd") -> Layer:
        tar = make_tar([member(f"usr/{name}", name.encode() * 5000)])
        blob = codec(compression).new_encoder()(memoryview(tar))
        return Layer(
            diff_id=digest_of(tar), digest=self.blobs.add(blob), size=len(blob), uncompressed_size=len(tar),
            compression=compression, group=f"base/{name}",
        )  # fmt: skip

    def image(
        self, name: str = "sample", *, platform: Platform = "linux/amd64", compression: Compression = "zstd"
    ) -> Image:
        layers = [self.layer("one", compression), self.layer(platform.replace("/", "-"), compression)]
        image = assemble(name, "1.0.0", platform, layers, ImageSettings("2026-01-02T03:04:05Z"))
        self.store.keep_image(digest_of(name.encode()), image)
        return image


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "cache")


# --- records ---------------------------------------------------------------------------------------


def test_an_image_is_found_again_as_it_was(world: World) -> None:
    image = world.image()
    assert world.store.image(digest_of(b"sample")) == image
    assert world.store.blob(image.digest).read_bytes() == image.manifest
    assert world.store.image(KEY) is None


@pytest.mark.parametrize("which", ["layer", "config", "manifest", "damaged"])
def test_an_image_that_lost_bytes_counts_as_absent(world: World, which: str) -> None:
    image = world.image()
    match which:
        case "layer":
            world.store.blob(image.layers[1].digest).unlink()
        case "config":
            world.store.blob(digest_of(image.config)).unlink()
        case "manifest":
            world.store.blob(image.digest).unlink()
        case _:
            world.store.blob(image.digest).write_bytes(image.manifest[:-1] + b" ")
    assert world.store.image(digest_of(b"sample")) is None


def test_damaged_records_count_as_absent(world: World) -> None:
    layer = world.layer("one")
    world.store.keep_layer(KEY, layer)
    world.image()
    assert world.store.layer(KEY, "zstd") == layer
    for record in [*world.cache.root.glob("layers/*/*"), *world.cache.root.glob("images/*/*")]:
        record.write_bytes(b'{"half": ')
    assert world.store.layer(KEY, "zstd") is None
    assert world.store.image(digest_of(b"sample")) is None


def test_a_layer_cut_short_counts_as_absent(world: World) -> None:
    layer = world.layer("one")
    world.store.keep_layer(KEY, layer)
    world.store.blob(layer.digest).write_bytes(b"short")
    assert world.store.layer(KEY, "zstd") is None


def test_a_blob_that_is_gone_says_what_to_do(world: World) -> None:
    with pytest.raises(OutsideError, match="not in the cache any more") as caught:
        world.store.blob(KEY)
    assert caught.value.where == KEY
    with (
        pytest.raises(OutsideError),
        world.store.open_layer(replace(world.layer("x"), digest=KEY)),
    ):
        pass


def test_a_cache_that_cannot_be_written_is_said_so(world: World) -> None:
    layer = world.layer("one")
    (world.cache.root / "layers").write_bytes(b"a file in the way")
    with pytest.raises(OutsideError, match="cannot be written"):
        world.store.keep_layer(KEY, layer)


# --- layers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_a_packed_layer_is_read_uncompressed(world: World, compression: Compression) -> None:
    layer = world.layer("one", compression)
    with world.store.open_layer(layer) as stream:
        assert digest_of(stream.read()) == layer.diff_id


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_a_damaged_layer_is_found_while_reading(world: World, compression: Compression) -> None:
    layer = world.layer("one", compression)
    path = world.store.blob(layer.digest)
    raw = path.read_bytes()
    for damaged in (raw[:-20], raw[:100] + b"\xff\x00\xff" + raw[103:], b"x"):
        path.write_bytes(damaged)
        with world.store.open_layer(layer) as stream, pytest.raises(VerificationError, match="is damaged"):
            stream.read()


# --- layouts ---------------------------------------------------------------------------------------


def index_of(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / "index.json").read_bytes())["manifests"]
    return found


def check_blobs(folder: Path) -> int:
    names = list((folder / "blobs" / "sha256").iterdir())
    for path in names:
        assert hex_of(digest_of(path.read_bytes())) == path.name
    return len(names)


def test_a_layout_holds_everything_under_its_digests(world: World, tmp_path: Path) -> None:
    image = world.image()
    folder = tmp_path / "out" / "layout"
    world.store.write_layout(folder, image)
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert check_blobs(folder) == 4
    (entry,) = index_of(folder)
    assert entry == {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.digest,
        "size": len(image.manifest),
        "platform": {"os": "linux", "architecture": "amd64"},
        "annotations": {REFERENCE: "sample:1.0.0"},
    }
    assert [p.name for p in folder.parent.iterdir()] == ["layout"]


def test_writing_the_same_image_again_changes_nothing(world: World, tmp_path: Path) -> None:
    image = world.image()
    world.store.write_layout(tmp_path / "layout", image)
    before = (tmp_path / "layout" / "index.json").read_bytes()
    world.store.write_layout(tmp_path / "layout", image)
    assert (tmp_path / "layout" / "index.json").read_bytes() == before


def test_images_of_other_names_are_added(world: World, tmp_path: Path) -> None:
    for name in ("two", "one"):
        world.store.write_layout(tmp_path / "layout", world.image(name))
    names = [entry["annotations"][REFERENCE] for entry in index_of(tmp_path / "layout")]  # type: ignore[index]
    assert names == ["one:1.0.0", "two:1.0.0"]


def test_platforms_of_one_name_stand_below_one_index(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "layout"
    amd64, arm64 = world.image(platform="linux/amd64"), world.image(platform="linux/arm64")
    for image in (arm64, amd64, arm64):
        world.store.write_layout(folder, image)
    (entry,) = index_of(folder)
    assert entry["mediaType"] == "application/vnd.oci.image.index.v1+json"
    nested = json.loads((folder / "blobs" / "sha256" / hex_of(entry["digest"])).read_bytes())  # type: ignore[arg-type]
    assert [m["digest"] for m in nested["manifests"]] == [amd64.digest, arm64.digest]
    check_blobs(folder)


def test_an_empty_folder_is_taken_and_any_other_refused(world: World, tmp_path: Path) -> None:
    image = world.image()
    (tmp_path / "empty").mkdir()
    world.store.write_layout(tmp_path / "empty", image)
    assert check_blobs(tmp_path / "empty") == 4
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "precious.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("work", "file"):
        with pytest.raises(UsageError, match="holds something that is no OCI image layout") as caught:
            world.store.write_layout(tmp_path / name, image)
        assert caught.value.hint == "choose a new or an empty folder"
    assert [p.name for p in (tmp_path / "work").iterdir()] == ["precious.txt"]


def test_a_layout_is_absent_when_a_layer_is_missing(world: World, tmp_path: Path) -> None:
    image = world.image()
    world.store.blob(image.layers[1].digest).unlink()
    with pytest.raises(OutsideError, match="not in the cache any more"):
        world.store.write_layout(tmp_path / "layout", image)
    assert not [p for p in tmp_path.iterdir() if p.name != "cache"]


def test_a_damaged_layout_is_left_alone(world: World, tmp_path: Path) -> None:
    image = world.image()
    world.store.write_layout(tmp_path / "layout", image)
    (tmp_path / "layout" / "index.json").write_text("[]")
    with pytest.raises(UsageError, match="the image layout's index is damaged"):
        world.store.write_layout(tmp_path / "layout", image)


def test_where_hard_links_are_refused_bytes_are_copied(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    image = world.image()
    world.store.write_layout(tmp_path / "layout", image)
    assert check_blobs(tmp_path / "layout") == 4
    copy = tmp_path / "layout" / "blobs" / "sha256" / hex_of(image.layers[0].digest)
    assert copy.stat().st_nlink == 1


def test_a_folder_that_cannot_be_written_is_said_so(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError, match="the image layout cannot be written"):
        world.store.write_layout(tmp_path / "file" / "layout", world.image())


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_skopeo_reads_the_layout(world: World, tmp_path: Path, compression: Compression) -> None:
    if not _has("skopeo"):
        pytest.skip("this machine lacks skopeo")
    image = world.image(compression=compression)
    world.store.write_layout(tmp_path / "layout", image)
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "oci:layout:sample:1.0.0", "dir:copy"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert digest_of((tmp_path / "copy" / "manifest.json").read_bytes()) == image.digest


def _has(program: str) -> bool:
    return any((Path(folder) / program).exists() for folder in os.get_exec_path())


# --- Docker ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_a_docker_archive_has_plain_layers_and_names_them(world: World, compression: Compression) -> None:
    image = world.image(compression=compression)
    sink = io.BytesIO()
    world.store.write_docker_archive(image, sink)
    with tarfile.open(fileobj=io.BytesIO(sink.getvalue()), mode="r:") as archive:
        found = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    (entry,) = json.loads(found["manifest.json"])
    assert entry["RepoTags"] == ["sample:1.0.0"]
    assert found[entry["Config"]] == image.config
    assert [digest_of(found[name]) for name in entry["Layers"]] == [layer.diff_id for layer in image.layers]


def test_a_layer_that_occurs_twice_is_sent_once(world: World) -> None:
    layer = world.layer("one")
    image = assemble("twice", "1.0.0", "linux/amd64", [layer, layer], ImageSettings("2026-01-02T03:04:05Z"))
    sink = io.BytesIO()
    world.store.write_docker_archive(image, sink)
    with tarfile.open(fileobj=io.BytesIO(sink.getvalue())) as archive:
        assert len(archive.getnames()) == 3


def test_the_archive_of_a_damaged_layer_fails(world: World) -> None:
    image = world.image(compression="none")
    path = world.store.blob(image.layers[0].digest)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(VerificationError, match="damaged"):
        world.store.write_docker_archive(image, io.BytesIO())


def test_the_image_store_loads_no_codec() -> None:
    script = (
        "import sys\nimport openhands_recipes.adapters.image_store\n"
        "import openhands_recipes.compile.pack.codec as c\nc.codec_rules('zstd')\n"
        "print([m for m in ('zstandard', 'deflate', 'tarfile', 'pydantic') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
