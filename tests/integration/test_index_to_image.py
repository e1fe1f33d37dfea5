"""From a release to an image on somebody else's machine: registry, index, host and reader are real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from openhands_recipes.adapters.registry.artifacts import OciArtifacts
from openhands_recipes.cli.main import run_with
from openhands_recipes.flows.index import name_index
from openhands_recipes.flows.release import Released, release
from openhands_recipes.model.digest import hex_of
from openhands_recipes.model.reference import RegistryAddress, parse_address
from tests import releases
from tests.indexes import IndexShop, changed, serve
from tests.integration.registry_server import RunningRegistry, running_registry
from tests.web import Web, serving


@dataclass
class World:
    """A registry with two releases of one recipe, their index on a static host, a reader's machine."""

    shop: IndexShop
    web: Web
    registry: RunningRegistry
    address: RegistryAddress
    released: list[Released]
    folder: Path

    def ohr(self, *arguments: str, cache: str = "cache") -> int:
        return run_with(
            ["--root", str(self.folder / "nothing"), "--cache", str(self.folder / cache), *arguments]
        )

    def read(self, *arguments: str, cache: str = "cache") -> int:
        root = str(self.shop.index / "metadata" / "1.root.json")
        return self.ohr(*arguments, "--index", self.web.url, "--index-root", root, cache=cache)

    def pull(self, place: str, *arguments: str, cache: str = "cache") -> int:
        trust = str(self.folder / "ecdsa.pub")
        return self.read("pull", place, "--plain-http", "--trust", trust, *arguments, cache=cache)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    private, _ = releases.key_file(folder)
    shop = IndexShop(folder / "shop")
    shop.begin()
    with running_registry(folder / "registry") as registry, serving() as web:
        address = parse_address(f"{registry.host}/team")
        name_index(shop.repository(), name="example", images=(str(address),))
        world = World(shop, web, registry, address, [], folder)
        with OciArtifacts(address, plain_http=True, credentials=lambda *_: None) as artifacts:
            for version in ("1.0.0", "1.1.0"):
                one = releases.sample(folder / version, version.encode() * 1000, version=version)
                doors = replace(
                    releases.doors(one, ledger=shop.ledger),
                    registry=artifacts,
                    signer=releases.signer_of(private),
                )
                world.released.append(release(doors, one.candidate, to=address))
        shop.add()
        serve(web, shop)
        yield world


def test_search_and_info_tell_what_was_released(made: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.read("search", "example", "--format", "json") == 0
    assert [hit["name"] for hit in json.loads(capsys.readouterr().out)["hits"]] == ["sample"]
    assert made.read("info", "sample@^1.0", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["release"]["index"] == made.released[1].record.index
    assert [one["release"] for one in told["releases"]] == ["1.1.0-r1", "1.0.0-r1"]


def test_a_pulled_image_is_proven_and_byte_for_byte_the_one_released(
    made: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = tmp_path / "layout"
    assert made.pull("sample", "--layout", str(layout), "--format", "json", cache="fresh") == 0
    told = json.loads(capsys.readouterr().out)
    record = made.released[1].record
    assert told["index"] == record.index
    assert told["proven"] == ["signature", "provenance", "sbom", "tests"]
    assert told["downloaded_bytes"] > 0
    (platform,) = record.platforms.values()
    for digest in (platform.manifest, *platform.layers):
        assert (layout / "blobs" / "sha256" / hex_of(digest)).exists()  # type: ignore[arg-type]  # a digest
    assert made.pull("sample", "--format", "json", cache="fresh") == 0
    assert json.loads(capsys.readouterr().out)["downloaded_bytes"] == 0


def test_a_locked_digest_needs_no_index(made: World, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"sample@{made.released[0].record.index}"
    trust = str(made.folder / "ecdsa.pub")
    arguments = ("pull", place, "--offline", "--plain-http", "--trust", trust, "--from", str(made.address))
    assert made.ohr(*arguments, cache="lonely") == 0
    assert "proven by signature" in capsys.readouterr().out


def test_another_key_is_not_believed(made: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, other = releases.key_file(tmp_path, kind="ed25519")
    assert made.read("pull", "sample", "--plain-http", "--trust", str(other)) == 4
    assert "OHR450" in capsys.readouterr().err


def test_without_a_key_nothing_is_pulled(made: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.read("pull", "sample", "--plain-http") == 2
    assert "OHR446" in capsys.readouterr().err


def test_a_layer_that_the_registry_changed_is_refused(
    made: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (platform,) = made.released[0].record.platforms.values()
    name = hex_of(platform.layers[0])  # type: ignore[arg-type]  # a digest
    (stored,) = made.registry.storage.rglob(f"{name}/data")
    content = stored.read_bytes()
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        assert made.pull("sample@1.0.0", cache="changed") == 4
    finally:
        stored.write_bytes(content)
    assert "digest" in capsys.readouterr().err
    assert made.pull("sample@1.0.0", cache="changed") == 0


def test_versions_nobody_released_are_not_found(made: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.pull("sample@^2") == 1
    assert "OHR441" in capsys.readouterr().err
    assert made.pull("nothing") == 1
    assert "OHR440" in capsys.readouterr().err


def test_what_is_yanked_is_pulled_by_digest_alone_and_what_is_blocked_never(
    made: World, capsys: pytest.CaptureFixture[str]
) -> None:
    record = made.released[0].record
    day = 3000
    made.shop.add(changes=[changed(record, "yanked", day=day, successor="sample@1.1.0")])
    serve(made.web, made.shop)
    assert made.pull("sample@1.0.0") == 1
    told = capsys.readouterr().err
    assert "OHR442" in told
    assert "use sample@1.1.0" in told
    assert made.pull(f"sample@{record.index}") == 0
    assert "is yanked since" in capsys.readouterr().err
    made.shop.add(changes=[changed(record, "blocked", day=day + 1, number=2)])
    serve(made.web, made.shop)
    assert made.pull(f"sample@{record.index}") == 4
    assert "OHR443" in capsys.readouterr().err
    assert made.pull("sample") == 0


def test_an_index_in_a_registry_is_the_same_index(made: World, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"oci://{made.address}/index"
    root = str(made.shop.index / "metadata" / "1.root.json")
    copy = str(made.folder / "copy")
    assert made.read("index", "mirror", "--to", copy) == 0
    assert made.ohr("index", "verify", "--index", copy) == 0
    assert made.read("index", "mirror", "--to", place, "--plain-http") == 0
    capsys.readouterr()
    arguments = ("info", "sample", "--index", place, "--index-root", root, "--plain-http", "--format", "json")
    assert made.ohr(*arguments, cache="oci") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "sample"
    assert made.read("index", "mirror", "--to", place, "--plain-http") == 0
    assert "0 of 4 bins" in capsys.readouterr().out


def test_a_mirror_has_the_same_digests_and_proofs(
    made: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = ("--plain-http", "--trust", str(made.folder / "ecdsa.pub"))
    target = f"{made.registry.host}/elsewhere"
    assert made.read("mirror", "--to", target, *trust, cache="mirror") == 0, capsys.readouterr().err
    index = (
        "--index",
        f"oci://{target}/index",
        "--index-root",
        str(made.shop.index / "metadata/1.root.json"),
    )
    assert made.ohr("pull", "sample", *index, *trust, "--from", target, cache="behind") == 0
    place = f"sample@{made.released[1].record.index}"
    assert made.ohr("pull", place, "--offline", *trust, "--from", target, cache="offline") == 0
    folder = tmp_path / "copy"
    assert made.read("mirror", "sample", "--to", f"{folder}/", *trust, cache="mirror") == 0
    assert made.ohr("index", "verify", "--index", str(folder / "index")) == 0
    assert (folder / "images" / "sample" / "index.json").exists()
