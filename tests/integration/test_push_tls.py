"""HTTPS and HTTP: certificates, and what is said when one was taken for the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.errors import RegistryError
from openhands_recipes.ports import PushOrder
from tests.integration.registry_server import Answer, Proxy, RunningRegistry, push, running_registry
from tests.integration.sample_image import Sample, make_sample, noise, tree_layer
from tests.integration.token_server import make_certificate


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[RunningRegistry]:
    make_certificate(tmp_path / "tls")
    with running_registry(tmp_path / "registry", tls=tmp_path / "tls") as registry:
        yield registry


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return make_sample(tmp_path / "layout", [("base/debian/00", tree_layer({"etc/hello": noise(1000, 1)}))])


@pytest.fixture
def order(sample: Sample) -> PushOrder:
    return PushOrder("team/sample", (sample.image,), ("1.0.0",))


def test_a_trusted_certificate_is_all_it_takes(
    secure: RunningRegistry, sample: Sample, order: PushOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls" / "cert.pem"))
    report = push(secure.host, sample, order, plain_http=False)
    assert report.uploaded_bytes == sample.image.size


def test_an_unknown_certificate_is_not_trusted(
    secure: RunningRegistry, sample: Sample, order: PushOrder
) -> None:
    with pytest.raises(RegistryError) as caught:
        push(secure.host, sample, order, plain_http=False)
    assert caught.value.message == (
        f"the certificate of {secure.host} is not trusted: self-signed certificate"
    )
    assert caught.value.hint == "add its CA to this machine's store, or name a bundle in SSL_CERT_FILE"


def test_http_taken_for_https_is_told_apart(tmp_path: Path, sample: Sample, order: PushOrder) -> None:
    with running_registry(tmp_path / "registry") as registry, pytest.raises(RegistryError) as caught:
        push(registry.host, sample, order, plain_http=False)
    assert caught.value.message.startswith(f"{registry.host} does not speak TLS (")
    assert caught.value.hint == "add --plain-http if this registry serves HTTP"


def test_https_taken_for_http_is_told_apart(
    secure: RunningRegistry, sample: Sample, order: PushOrder
) -> None:
    with pytest.raises(RegistryError) as caught:
        push(secure.host, sample, order, plain_http=True)
    assert caught.value.message == f"{secure.host} serves HTTPS, but --plain-http was given"
    assert caught.value.hint == "leave out --plain-http"


def test_a_registry_that_redirects_to_https_says_the_same(sample: Sample, order: PushOrder) -> None:
    with Proxy("127.0.0.1:1") as proxy:
        proxy.plan = lambda seen: Answer(301, {"Location": f"https://{proxy.host}{seen.path}"})
        with pytest.raises(RegistryError, match="serves HTTPS, but --plain-http was given"):
            push(proxy.host, sample, order, plain_http=True)
