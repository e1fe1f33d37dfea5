"""What we push is accepted by the tools of others: skopeo, crane, oras, containerd, umoci, an old Docker.

The images are small ones made by hand. OHR_TEST_LAYOUT and OHR_TEST_LAYOUT_GZIP name the OCI layouts of
a built recipe (`ohr build NAME --layout DIR [--compression gzip]`) to be taken instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from openhands_recipes.adapters.docker_archive import write_docker_archive
from openhands_recipes.adapters.docker_images import DockerImages
from openhands_recipes.errors import OutsideError, VerificationError
from openhands_recipes.flows.push import order_of, tag_of
from openhands_recipes.model.image import Compression
from openhands_recipes.model.reference import parse_address
from openhands_recipes.ports import PushReport
from tests.integration.container_daemons import Client, Docker, running_containerd, running_docker
from tests.integration.debian_tools import installed, unpacked
from tests.integration.registry_server import RunningRegistry, push, running_registry
from tests.integration.sample_image import (
    Sample,
    make_sample,
    noise,
    read_layout,
    tree_layer,
    unpacked_layer,
)

pytestmark = [pytest.mark.online]

REAL = {"zstd": "OHR_TEST_LAYOUT", "gzip": "OHR_TEST_LAYOUT_GZIP"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def oci_layout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Compression], Sample]:
    """The image under test, by its compression: a built recipe if one is named, else a small one."""

    def layout(compression: Compression) -> Sample:
        if named := os.environ.get(REAL[compression]):
            return read_layout(Path(named))
        busybox = unpacked("busybox", "busybox-static", "sid").read_bytes()
        layers = [
            ("base/debian/00", tree_layer({"bin/busybox": busybox})),
            (
                "base/configuration",
                tree_layer({"etc/hello": b"hello\n", "usr/share/noise": noise(100_000, 1)}),
            ),
            ("sample/files", tree_layer({"etc/hello": b"hello again\n"})),
        ]
        return make_sample(tmp_path_factory.mktemp(compression), layers, compression=compression)

    return layout


@pytest.fixture(scope="module")
def zstd_image(registry: RunningRegistry, oci_layout: Callable[[Compression], Sample]) -> tuple[str, Sample]:
    return pushed(registry, oci_layout("zstd"))


@pytest.fixture(scope="module")
def gzip_image(registry: RunningRegistry, oci_layout: Callable[[Compression], Sample]) -> tuple[str, Sample]:
    return pushed(registry, oci_layout("gzip"))


def pushed(registry: RunningRegistry, sample: Sample) -> tuple[str, Sample]:
    report: PushReport = push(
        registry.host, sample, order_of((sample.image,), parse_address(f"{registry.host}/team"))
    )
    assert report.reference == f"{registry.host}/team/{sample.image.name}:{tag_of(sample.image)}"
    return report.reference, sample


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def is_ours(sample: Sample) -> bool:
    """Whether the image is the small one, with busybox in it."""
    return any(layer.group == "base/debian/00" for layer in sample.image.layers)


def hello(sample: Sample) -> list[str]:
    """A command that says so from inside."""
    return [*(["/bin/busybox", "echo"] if is_ours(sample) else ["/bin/echo"]), "hello from inside"]


# --- skopeo ------------------------------------------------------------------------------------------


def test_skopeo_inspects_what_was_pushed(zstd_image: tuple[str, Sample]) -> None:
    reference, sample = zstd_image
    skopeo = installed("skopeo", "skopeo")
    told = json.loads(run(skopeo, "inspect", "--tls-verify=false", f"docker://{reference}"))
    assert told["Layers"] == [layer.digest for layer in sample.image.layers]
    assert told["Architecture"] == "amd64"
    config = run(skopeo, "inspect", "--tls-verify=false", "--config", "--raw", f"docker://{reference}")
    assert config.encode() == sample.image.config


@pytest.mark.parametrize("which", ["zstd_image", "gzip_image"])
def test_skopeo_copies_it_without_changing_a_byte(
    request: pytest.FixtureRequest, which: str, tmp_path: Path
) -> None:
    reference, sample = request.getfixturevalue(which)
    skopeo = installed("skopeo", "skopeo")
    run(skopeo, "copy", "--src-tls-verify=false", f"docker://{reference}", f"oci:{tmp_path}/copy:x")
    copy = read_layout(tmp_path / "copy")
    assert copy.image.manifest == sample.image.manifest
    for layer in sample.image.layers:
        assert copy.blob(layer.digest).read_bytes() == sample.blob(layer.digest).read_bytes()


# --- crane and oras ----------------------------------------------------------------------------------


def test_crane_finds_nothing_wrong_with_it(gzip_image: tuple[str, Sample]) -> None:
    reference, sample = gzip_image
    crane = unpacked("crane", "crane", "sid")
    run(crane, "validate", "--insecure", "--remote", reference)
    digest = run(crane, "digest", "--insecure", "--platform", "linux/amd64", reference).strip()
    assert digest == sample.image.digest


def test_crane_reads_zstd_as_well(zstd_image: tuple[str, Sample], tmp_path: Path) -> None:
    """Up to 0.22, `crane validate` opens every layer as gzip, whatever its type says; --fast does not."""
    reference, sample = zstd_image
    crane = unpacked("crane", "crane", "sid")
    run(crane, "validate", "--fast", "--insecure", "--remote", reference)
    run(crane, "export", "--insecure", reference, tmp_path / "tree.tar")
    if is_ours(sample):
        with tarfile.open(tmp_path / "tree.tar") as tree:
            hello = tree.extractfile("etc/hello")
            assert hello
            assert hello.read() == b"hello again\n"


def test_oras_copies_the_index_and_all_below_it(zstd_image: tuple[str, Sample], tmp_path: Path) -> None:
    reference, sample = zstd_image
    oras = unpacked("oras", "oras", "sid")
    run(oras, "copy", "--from-plain-http", reference, "--to-oci-layout", f"{tmp_path}/copy:x")
    assert read_layout(tmp_path / "copy").image.manifest == sample.image.manifest


# --- containerd --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with running_containerd(tmp_path_factory.mktemp("containerd") / "c") as client:
        yield client


@pytest.mark.parametrize("which", ["zstd_image", "gzip_image"])
def test_containerd_pulls_unpacks_and_runs_it(
    request: pytest.FixtureRequest, which: str, containerd: Client
) -> None:
    reference, sample = request.getfixturevalue(which)
    containerd("images", "pull", "--plain-http", "--platform", "linux/amd64", reference)
    assert reference in containerd("images", "check")
    assert containerd("run", "--rm", "--net-host", reference, which, *hello(sample)) == "hello from inside\n"


# --- readers of gzip ---------------------------------------------------------------------------------


def test_umoci_unpacks_the_gzip_twin(gzip_image: tuple[str, Sample], tmp_path: Path) -> None:
    reference, sample = gzip_image
    skopeo, umoci = installed("skopeo", "skopeo"), installed("umoci", "umoci")
    run(skopeo, "copy", "--src-tls-verify=false", f"docker://{reference}", f"oci:{tmp_path}/copy:x")
    rootless = ["--rootless"] if os.geteuid() else []
    run(umoci, "unpack", *rootless, "--image", f"{tmp_path}/copy:x", tmp_path / "bundle")
    if is_ours(sample):
        assert (tmp_path / "bundle/rootfs/etc/hello").read_text() == "hello again\n"


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    with running_docker(tmp_path_factory.mktemp("docker") / "d") as running:
        yield running


def says_hello(docker: Docker, image: str, sample: Sample) -> bool:
    program, *arguments = hello(sample)
    said = docker.client("run", "--rm", "--network=none", "--entrypoint", program, image, *arguments)
    return said == "hello from inside\n"


@pytest.mark.docker
def test_docker_pulls_and_runs_the_gzip_twin(gzip_image: tuple[str, Sample], docker: Docker) -> None:
    reference, sample = gzip_image
    docker.client("pull", reference)
    assert says_hello(docker, reference, sample)


# --- ohr load ----------------------------------------------------------------------------------------


@pytest.mark.docker
def test_docker_loads_and_runs_what_no_registry_has(
    oci_layout: Callable[[Compression], Sample], docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = oci_layout("zstd")
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    loaded = DockerImages().load(
        lambda sink: write_docker_archive(
            sample.image, sink, lambda layer: unpacked_layer(sample.blob(layer.digest), layer.compression)
        ),
        tag="other/name:2",
    )
    assert loaded.startswith("sha256:")
    for name in (f"{sample.image.name}:{sample.image.version}", "other/name:2"):
        assert docker.client("image", "inspect", "--format", "{{.Id}}", name).strip() == loaded
    assert says_hello(docker, loaded, sample)


@pytest.mark.docker
def test_an_archive_that_could_not_be_finished_says_why(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker.host)

    def broken(sink: IO[bytes]) -> None:
        sink.write(b"\0" * 700)
        raise VerificationError("a layer in the cache is damaged")

    with pytest.raises(VerificationError, match="a layer in the cache is damaged"):
        DockerImages().load(broken)


@pytest.mark.docker
@pytest.mark.parametrize("times", [1, 5000], ids=["short", "long"])
def test_an_archive_docker_does_not_understand_is_refused(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker.host)

    def nonsense(sink: IO[bytes]) -> None:
        for _ in range(times):
            sink.write(b"no archive" * 1000)

    with pytest.raises(OutsideError, match=r"Docker (refused|stopped reading) the image"):
        DockerImages().load(nonsense)


def test_without_a_daemon_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    with pytest.raises(OutsideError, match="no Docker daemon answers") as caught:
        DockerImages().load(lambda _: None)
    assert caught.value.hint == "start Docker, or name another daemon in DOCKER_HOST"
