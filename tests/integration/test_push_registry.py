"""Pushing to a real registry: what arrives, in which order, and how little is said when nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.adapters.registry.client import Limits
from openhands_recipes.adapters.registry.repository import Habits
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE, index_of
from openhands_recipes.ports import PushOrder
from tests.integration.registry_server import Proxy, RunningRegistry, push, running_registry
from tests.integration.sample_image import Sample, make_sample, noise, tree_layer

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return make_sample(
        tmp_path / "layout",
        [
            ("base/debian/00", tree_layer({"etc/hello": b"hello\n"})),
            ("base/debian/01", tree_layer({"x": noise(3 * MIB, 1)})),
        ],
    )


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    return f"team/{request.node.name}".replace("_", "-").lower()


def test_what_was_pushed_is_what_the_registry_serves(
    registry: RunningRegistry, sample: Sample, repository: str
) -> None:
    report = push(registry.host, sample, PushOrder(repository, (sample.image,), ("1.0.0",)))
    assert registry.tags(repository) == ["1.0.0"]
    assert registry.get(f"{repository}/manifests/1.0.0", MANIFEST_TYPE) == sample.image.manifest
    for layer in sample.image.layers:
        assert digest_of(registry.get(f"{repository}/blobs/{layer.digest}")) == layer.digest
    assert report.uploaded_bytes == sample.image.size
    assert report.digest == sample.image.digest
    assert report.reference == f"{registry.host}/{repository}:1.0.0"


def test_an_unchanged_image_costs_one_manifest_head(
    registry: RunningRegistry, sample: Sample, repository: str
) -> None:
    order = PushOrder(repository, (sample.image,), ("1.0.0",))
    push(registry.host, sample, order)
    with Proxy(registry.host) as proxy:
        report = push(proxy.host, sample, order)
    assert [(seen.method, seen.path) for seen in proxy.seen] == [
        ("HEAD", f"/v2/{repository}/manifests/1.0.0")
    ]
    assert report.requests == 1
    assert report.present_bytes == sample.image.size
    assert report.uploaded_bytes == report.mounted_bytes == 0


def test_a_new_tag_for_a_known_image_only_names_it(
    registry: RunningRegistry, sample: Sample, repository: str
) -> None:
    push(registry.host, sample, PushOrder(repository, (sample.image,), ("1.0.0",)))
    with Proxy(registry.host) as proxy:
        push(proxy.host, sample, PushOrder(repository, (sample.image,), ("1.0.0", "1.0.1")))
    assert proxy.counted("HEAD", "/blobs/") == 0
    assert proxy.body_bytes == 0
    assert registry.tags(repository) == ["1.0.0", "1.0.1"]


def test_layers_of_an_ancestor_are_mounted_and_not_sent(
    registry: RunningRegistry, sample: Sample, repository: str, tmp_path: Path
) -> None:
    push(registry.host, sample, PushOrder(f"{repository}-base", (sample.image,), ("1.0.0",)))
    child = make_sample(
        tmp_path / "child",
        [
            ("base/debian/00", tree_layer({"etc/hello": b"hello\n"})),
            ("base/debian/01", tree_layer({"x": noise(3 * MIB, 1)})),
            ("child/files", tree_layer({"opt/child": noise(1000, 2)})),
        ],
    )
    shared = child.image.layers[:2]
    order = PushOrder(
        repository,
        (child.image,),
        ("1.0.0",),
        mount_from={layer.digest: ("team/nobody", f"{repository}-base") for layer in shared},
    )
    with Proxy(registry.host) as proxy:
        report = push(proxy.host, child, order)
    assert report.mounted_bytes == sum(layer.size for layer in shared)
    assert report.uploaded_bytes == child.image.size - report.mounted_bytes
    assert proxy.body_bytes < 20_000
    assert registry.get(f"{repository}/manifests/1.0.0", MANIFEST_TYPE) == child.image.manifest


def test_a_mount_that_fails_goes_on_with_the_upload_it_opened(
    registry: RunningRegistry, sample: Sample, repository: str
) -> None:
    order = PushOrder(
        repository,
        (sample.image,),
        ("1.0.0",),
        mount_from={layer.digest: ("team/nobody",) for layer in sample.image.layers},
    )
    with Proxy(registry.host) as proxy:
        report = push(proxy.host, sample, order)
    blobs = len(sample.image.layers) + 1
    assert proxy.counted("POST") == blobs, "no second POST where a mount had opened an upload"
    assert report.mounted_bytes == 0
    assert registry.tags(repository) == ["1.0.0"]


def test_a_large_blob_goes_in_chunks(registry: RunningRegistry, sample: Sample, repository: str) -> None:
    limits = Limits(habits=Habits(chunk=MIB, small=MIB))
    with Proxy(registry.host) as proxy:
        push(proxy.host, sample, PushOrder(repository, (sample.image,), ("1.0.0",)), limits=limits)
    patches = [seen for seen in proxy.seen if seen.method == "PATCH"]
    assert [seen.size for seen in patches] == [MIB, MIB, MIB, sample.image.layers[1].size - 3 * MIB]
    assert digest_of(registry.get(f"{repository}/blobs/{sample.image.layers[1].digest}"))


def test_blobs_come_before_manifests_and_tags_come_last(
    registry: RunningRegistry, sample: Sample, repository: str
) -> None:
    index = index_of((sample.image,), annotations={"org.opencontainers.image.version": "1.0.0"})
    with Proxy(registry.host) as proxy:
        report = push(proxy.host, sample, PushOrder(repository, (sample.image,), ("1.0.0",), index=index))
    puts = [
        seen.path.rpartition("/")[2]
        for seen in proxy.seen
        if seen.method == "PUT" and "/manifests/" in seen.path
    ]
    assert puts == [sample.image.digest, digest_of(index), "1.0.0"]
    last_blob = max(at for at, seen in enumerate(proxy.seen) if seen.is_upload)
    assert last_blob < next(
        at for at, seen in enumerate(proxy.seen) if "/manifests/" in seen.path and seen.method == "PUT"
    )
    assert report.digest == digest_of(index)
    served = json.loads(registry.get(f"{repository}/manifests/1.0.0", INDEX_TYPE))
    assert served["manifests"][0]["digest"] == sample.image.digest
