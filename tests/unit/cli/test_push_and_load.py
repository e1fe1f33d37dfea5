from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from openhands_recipes.cli import load as load_command
from openhands_recipes.cli import push as push_command
from openhands_recipes.cli.main import run_with
from openhands_recipes.cli.world import World
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.image import Compression, Image, Layer
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.ports import PushOrder, PushReport, Stage

ID = Digest("sha256:" + "1" * 64)


class Scene:
    """A command line over a registry, a daemon and a build that only remember."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[tuple[RegistryAddress, bool]] = []
        self.orders: list[PushOrder] = []
        self.built: list[tuple[str, str, str]] = []
        self.tags: list[str | None] = []
        self.present = False

    def run(self, *arguments: str) -> int:
        return run_with(["--cache", str(self.folder / "cache"), *arguments])

    @contextmanager
    def registry(self, address: RegistryAddress, *, plain_http: bool) -> Iterator[Scene]:
        self.opened.append((address, plain_http))
        yield self

    def push(
        self, order: PushOrder, *, blobs: Callable[[Digest], Path], stage: Stage | None = None
    ) -> PushReport:
        assert blobs(ID).name == ID
        assert stage
        self.orders.append(order)
        size = order.images[0].size
        return PushReport(
            reference=f"host/{order.repository}:{order.tags[0]}",
            digest=digest_of(order.index or b""),
            uploaded_bytes=0 if self.present else size,
            mounted_bytes=0,
            present_bytes=size if self.present else 0,
            requests=1 if self.present else 7,
        )

    def have_image(
        self,
        _: World,
        name: str,
        *,
        platform: Platform,
        compression: Compression = "zstd",
        shape: str = "debian",  # noqa: ARG002 - the function's signature
    ) -> Any:
        self.built.append((name, platform, compression))
        layer = Layer(
            diff_id=ID,
            digest=ID,
            size=1_500_000,
            uncompressed_size=1,
            compression=compression,
            group="base/files",
        )
        image = Image(
            name=name, version="1.0.0", platform=platform, config=b"{}", manifest=b"{}", layers=(layer,)
        )
        return SimpleNamespace(image=image)

    def load(self, write: Callable[[IO[bytes]], None], *, tag: str | None = None) -> str:
        with (self.folder / "archive").open("wb") as sink:
            write(sink)
        self.tags.append(tag)
        return ID


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path)
    monkeypatch.setenv("OHR_STATE", str(tmp_path / "state"))
    for module in (push_command, load_command):
        monkeypatch.setattr(module, "have_image", made.have_image)
    monkeypatch.setattr(
        World, "registry", lambda _, address, *, plain_http: made.registry(address, plain_http=plain_http)
    )
    monkeypatch.setattr(World, "docker_images", made)
    monkeypatch.setattr(World, "store", SimpleNamespace(name_of=lambda place: place))
    store = SimpleNamespace(
        blob=lambda digest: tmp_path / digest,
        write_docker_archive=lambda image, sink: sink.write(image.name.encode()),
    )
    monkeypatch.setattr(World, "image_store", store)
    return made


def evidence(scene: Scene) -> dict[str, Any]:
    (line,) = (scene.folder / "state" / "evidence.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert isinstance(record, dict)
    return record


def test_push_says_where_the_image_is_and_what_moved(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("push", "python", "--to", "127.0.0.1:5000/team", "--plain-http", "--platform", "linux/amd64")
    assert scene.run(*arguments) == 0
    assert scene.opened == [(RegistryAddress("127.0.0.1:5000", "team"), True)]
    assert scene.built == [("python", "linux/amd64", "zstd")]
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(
        "host/team/python:1.0.0: 1.5 MB uploaded, 0 B mounted, 0 B there already; 7 requests, "
    )
    assert told[1] == digest_of(scene.orders[0].index or b"")
    record = evidence(scene)
    assert (record["verb"], record["recipe"], record["digest"]) == ("push", "python", told[1])
    assert record["bytes"] == {"uploaded": 1_500_004, "mounted": 0, "present": 0}


def test_an_unchanged_image_says_so(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.present = True
    scene.run("push", "python", "--to", "localhost/team")
    assert scene.opened == [(RegistryAddress("localhost", "team"), False)]
    assert "python:1.0.0: unchanged, 1.5 MB there already; 1 request, " in capsys.readouterr().out


def test_several_recipes_and_codecs_are_pushed_over_one_connection(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    code = scene.run(
        "push", "a", "b", "--to", "h:1/t", "--platform", "linux/amd64", "--platform", "linux/arm64",
        "--compression", "both", "--format", "json",
    )  # fmt: skip
    assert code == 0
    assert len(scene.opened) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["reference"] for one in told] == [
        "host/t/a:1.0.0",
        "host/t/a:1.0.0-gzip",
        "host/t/b:1.0.0",
        "host/t/b:1.0.0-gzip",
    ]
    assert set(told[0]["platforms"]) == {"linux/amd64", "linux/arm64"}


def test_one_recipe_is_one_json_document(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.run("push", "a", "--to", "h:1/t", "--format", "json")
    assert json.loads(capsys.readouterr().out)["name"] == "a"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("push", "a"), "Missing option '--to'"),
        (("push", "a", "--to", "h:x/t"), "error: --to 'h:x/t': 'h:x' is no host"),
        (("push", "--to", "h:1/t"), "Missing argument 'NAMES...'"),
        (("load", "a", "b", "--tag", "x"), "--tag names one image"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_is_built(
    scene: Scene, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert scene.run(*arguments) == 2
    assert message.lower() in capsys.readouterr().err.lower()
    assert not scene.built


def test_load_hands_docker_an_archive_and_prints_the_id(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scene.run("load", "python") == 0
    assert (scene.folder / "archive").read_bytes() == b"python"
    assert capsys.readouterr().out == f"python:1.0.0: loaded\n{ID}\n"
    assert evidence(scene)["verb"] == "load"


def test_load_may_give_another_name(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    assert scene.run("load", "python", "--tag", "mine:2", "--format", "json") == 0
    assert scene.tags == ["mine:2"]
    told = json.loads(capsys.readouterr().out)
    assert (told["reference"], told["id"], told["name"]) == ("mine:2", ID, "python")


def test_several_images_are_loaded_one_after_the_other(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.run("load", "a", "b", "--format", "json")
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["a", "b"]
