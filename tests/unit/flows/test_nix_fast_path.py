"""An image over a closure is found again while none of its inputs has changed, and never after."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from openhands_recipes.flows.nix_fast_path import NixImage, nix_built_before, remember
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.image import Image
from openhands_recipes.ports import StoredText

LINEAGE = ("ground", "tools")
WANTED = NixImage("tools", "linux/amd64", "zstd", "hybrid")
IMAGE = Image("tools", "1.0.0", "linux/amd64", b"{}", b"{}", ())


class Store:
    """Texts by kind and recipe."""

    def __init__(self) -> None:
        self.texts = {(kind, name): b"x" for kind in ("recipe", "lock", "closure") for name in LINEAGE}
        self.common = {"settings": b"s", "table": b"t"}

    def recipe(self, name: str) -> StoredText | None:
        return self._text("recipe", name)

    def lock(self, name: str) -> StoredText | None:
        return self._text("lock", name)

    def closure(self, name: str) -> StoredText | None:
        return self._text("closure", name)

    registries = None

    def settings(self) -> StoredText:
        return StoredText("settings", self.common["settings"])

    def package_table(self) -> StoredText:
        return StoredText("table", self.common["table"])

    def _text(self, kind: str, name: str) -> StoredText | None:
        content = self.texts.get((kind, name))
        return None if content is None else StoredText(kind, content)


class Kept:
    """Images and records in memory."""

    def __init__(self) -> None:
        self.images: dict[Digest, Image] = {}
        self.records: dict[tuple[str, Digest], bytes] = {}

    def image(self, key: Digest) -> Image | None:
        return self.images.get(key)

    def keep_image(self, key: Digest, image: Image) -> None:
        self.images[key] = image

    def get(self, kind: str, key: Digest) -> bytes | None:
        return self.records.get((kind, key))

    def put(self, kind: str, key: Digest, content: bytes) -> None:
        self.records[kind, key] = content


@pytest.fixture
def shop() -> Any:
    kept = Kept()
    return cast("Workshop", SimpleNamespace(store=Store(), images=kept, records=kept))


def test_an_unchanged_image_is_found(shop: Any) -> None:
    assert nix_built_before(shop, WANTED) is None
    remember(shop, WANTED, IMAGE, LINEAGE, contract=1)
    known = nix_built_before(shop, WANTED)
    assert known is not None
    assert known.image == IMAGE
    assert known.unchanged


INPUTS = [
    ("recipe", "tools"),
    ("recipe", "ground"),
    ("lock", "ground"),
    ("closure", "tools"),
    ("closure", "ground"),
]


@pytest.mark.parametrize("changed", INPUTS)
def test_any_changed_input_makes_it_another_image(shop: Any, changed: tuple[str, str]) -> None:
    remember(shop, WANTED, IMAGE, LINEAGE, contract=1)
    for content in (b"other", None):
        shop.store.texts[changed] = content
        assert nix_built_before(shop, WANTED) is None
    shop.store.texts[changed] = b"x"
    assert nix_built_before(shop, WANTED) is not None


def test_debian_locks_above_the_contract_mean_nothing(shop: Any) -> None:
    remember(shop, WANTED, IMAGE, LINEAGE, contract=1)
    shop.store.texts["lock", "tools"] = None
    assert nix_built_before(shop, WANTED) is not None


def test_settings_shape_and_codec_make_other_images(shop: Any) -> None:
    remember(shop, WANTED, IMAGE, LINEAGE, contract=1)
    assert nix_built_before(shop, WANTED._replace(shape="debian")) is None
    assert nix_built_before(shop, WANTED._replace(compression="gzip")) is None
    assert nix_built_before(shop, WANTED._replace(platform="linux/arm64")) is None
    shop.store.common["settings"] = b"other"
    assert nix_built_before(shop, WANTED) is None


def test_a_damaged_record_is_no_record(shop: Any) -> None:
    remember(shop, WANTED, IMAGE, LINEAGE, contract=1)
    for kind, key in list(shop.records.records):
        shop.records.records[kind, key] = b"{"
    assert nix_built_before(shop, WANTED) is None
