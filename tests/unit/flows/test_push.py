from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from openhands_recipes.flows.push import PushDoors, mount_candidates, order_of, push, tag_of
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.image import Compression, Image, Layer
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.ports import PushOrder, PushReport, Stage
from tests.fakes import FixedClock, QuietProgress

TO = RegistryAddress("registry.example.com", "team")


def image(
    *groups: str, name: str = "child", platform: Platform = "linux/amd64", compression: Compression = "zstd"
) -> Image:
    layers = tuple(
        Layer(
            diff_id=digest_of(group.encode()),
            digest=digest_of(f"{group} {compression}".encode()),
            size=100,
            uncompressed_size=200,
            compression=compression,
            group=group,
        )
        for group in groups
    )
    return Image(
        name=name,
        version="1.2.0+b1",
        platform=platform,
        config=b"{}",
        manifest=json.dumps([platform, *groups]).encode(),
        layers=layers,
    )


class FakeRegistry:
    """Takes everything."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.orders: list[PushOrder] = []

    def push(
        self, order: PushOrder, *, blobs: Callable[[Digest], Path], stage: Stage | None = None
    ) -> PushReport:
        self.orders.append(order)
        self.clock.pass_seconds(1.5)
        size = sum(image.size for image in order.images)
        if stage:
            stage.advance(size)
        assert blobs(order.images[0].layers[0].digest).name.startswith("sha256:")
        return PushReport(
            reference=f"registry.example.com/{order.repository}:{order.tags[0]}",
            digest=digest_of(order.index or b""),
            uploaded_bytes=size,
            mounted_bytes=0,
            present_bytes=0,
            requests=9,
        )


def test_a_recipe_goes_to_the_repository_of_its_name_under_its_version() -> None:
    clock, progress = FixedClock(), QuietProgress()
    registry = FakeRegistry(clock)
    built = (image("child/files"), image("child/files", platform="linux/arm64"))
    doors = PushDoors(
        build=lambda name: built if name == "child" else (),
        blobs=lambda digest: Path("blobs") / digest,
        registry=registry,
        progress=progress,
        clock=clock,
    )
    pushed = push(doors, "child", to=TO)
    (order,) = registry.orders
    assert (order.repository, order.tags) == ("team/child", ("1.2.0_b1",))
    assert progress.stages["push"].done == sum(one.size for one in built)
    assert not pushed.unchanged
    assert pushed.to_json() == {
        "name": "child",
        "version": "1.2.0+b1",
        "reference": "registry.example.com/team/child:1.2.0_b1",
        "digest": digest_of(order.index or b""),
        "platforms": {"linux/amd64": built[0].digest, "linux/arm64": built[1].digest},
        "uploaded_bytes": sum(one.size for one in built),
        "mounted_bytes": 0,
        "present_bytes": 0,
        "requests": 9,
        "seconds": 1.5,
    }


def test_all_platforms_stand_under_one_index_whatever_their_order() -> None:
    one, two = image("child/files"), image("child/files", platform="linux/arm64")
    index = order_of((one, two), TO).index
    assert index == order_of((two, one), TO).index
    listed = json.loads(index or b"")
    assert [entry["digest"] for entry in listed["manifests"]] == [one.digest, two.digest]
    assert listed["annotations"]["org.opencontainers.image.title"] == "child"


def test_the_gzip_twin_stands_beside_the_image() -> None:
    assert tag_of(image("child/files")) == "1.2.0_b1"
    assert tag_of(image("child/files", compression="gzip")) == "1.2.0_b1-gzip"


def test_layers_are_mounted_from_who_added_them_or_who_stands_on_them() -> None:
    child = image("base/debian/00", "agent/application", "python/debian/00", "child/files")
    base, agent, python, own = child.layers
    assert mount_candidates(child) == {
        base.digest: ("base", "python", "agent"),
        agent.digest: ("agent", "python"),
        python.digest: ("python",),
    }
    order = order_of((child,), TO)
    assert order.mount_from[agent.digest] == ("team/agent", "team/python")
    assert own.digest not in order.mount_from


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_repositories_are_asked_for_one_layer(count: int) -> None:
    child = image("base/debian/00", *(f"level{n}/files" for n in range(count)), "child/files")
    sources = mount_candidates(child)[child.layers[0].digest]
    assert len(sources) == min(3, count + 1)
    assert sources[0] == "base"
    assert sources[1:] == tuple(f"level{n}" for n in reversed(range(count)))[:2]
