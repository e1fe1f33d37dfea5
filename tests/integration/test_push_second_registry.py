"""The same push to other registries than Debian's: they keep other promises."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.adapters.registry.client import Limits
from openhands_recipes.adapters.registry.repository import Habits
from openhands_recipes.model.image import MANIFEST_TYPE
from openhands_recipes.ports import PushOrder
from tests.integration.debian_tools import built_from_go, unpacked
from tests.integration.registry_server import (
    HASTY,
    Cut,
    Proxy,
    RunningRegistry,
    Seen,
    Trouble,
    free_port,
    push,
    running_registry,
)
from tests.integration.sample_image import Sample, make_sample, noise, tree_layer

pytestmark = [pytest.mark.online]

MIB = 1024 * 1024


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return make_sample(tmp_path / "layout", [("base/debian/00", tree_layer({"x": noise(5 * MIB, 1)}))])


@pytest.fixture
def order(sample: Sample) -> PushOrder:
    return PushOrder("team/sample", (sample.image,), ("1.0.0",))


def chunky() -> Limits:
    return Limits(patience=HASTY, habits=Habits(chunk=2 * MIB, small=MIB))


# --- distribution 3 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def third_generation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    program = built_from_go("registry", "github.com/distribution/distribution/v3/cmd/registry", "v3.1.2")
    with running_registry(tmp_path_factory.mktemp("third"), program=program) as running:
        yield running


@pytest.mark.slow
def test_a_chunk_cut_in_its_middle_goes_on_at_the_byte_it_was_cut_at(
    third_generation: RunningRegistry, sample: Sample, order: PushOrder
) -> None:
    """distribution 3 keeps what arrived of a chunk and says how much that is."""
    patches = 0

    def plan(seen: Seen) -> Trouble:
        nonlocal patches
        patches += seen.method == "PATCH"
        return Cut(after=MIB + 12_345) if seen.method == "PATCH" and patches in (1, 3) else None

    with Proxy(third_generation.host, plan) as proxy:
        push(proxy.host, sample, order, limits=chunky())
    large = sample.image.layers[0].size
    sent = sum(seen.received for seen in proxy.seen if seen.method == "PATCH")
    assert large <= sent < large + MIB, "the most that was in the air when the connection broke"
    assert proxy.counted("POST") == 2, "one upload for the layer, one for the config"
    assert third_generation.get("team/sample/manifests/1.0.0", MANIFEST_TYPE) == sample.image.manifest


@pytest.mark.slow
def test_an_unchanged_image_costs_one_head_there_too(
    third_generation: RunningRegistry, sample: Sample, order: PushOrder
) -> None:
    push(third_generation.host, sample, order)
    assert push(third_generation.host, sample, order).requests == 1


# --- go-containerregistry ----------------------------------------------------------------------------


@pytest.fixture
def in_memory() -> Iterator[str]:
    crane = unpacked("crane", "crane", "sid")
    host = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen([crane, "registry", "serve", "--address", host], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until and not _answers(host):
            time.sleep(0.05)
        yield host
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(host: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{host}/v2/", timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("limits", [lambda: Limits(patience=HASTY), chunky], ids=["whole", "chunks"])
def test_another_implementation_takes_the_same_push(
    in_memory: str, sample: Sample, order: PushOrder, limits: object
) -> None:
    assert callable(limits)
    report = push(in_memory, sample, order, limits=limits())
    assert report.uploaded_bytes == sample.image.size
    again = push(in_memory, sample, order)
    assert (again.requests, again.uploaded_bytes) == (1, 0)
