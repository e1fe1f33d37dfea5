from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.adapters import machine_ca
from openhands_recipes.errors import UsageError
from openhands_recipes.ports import BoxFile

NOTHING: dict[str, bytes] = {}


def pem(text: str) -> bytes:
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.pem"
    path.write_bytes(pem("AAAA") + b"comment\r\n" + pem("GGGG").replace(b"\n", b"\r\n"))
    return path


def files_of(offer: machine_ca.NetworkOffer) -> dict[str, BoxFile]:
    return {file.target: file for file in offer.files}


def test_the_machines_certificates_join_the_images(bundle: Path) -> None:
    image = {"/etc/ssl/certs/ca-certificates.crt": b"# image\n" + pem("IIII") + pem("AAAA")}
    offer = machine_ca.network_offer(image.get, ca_bundle=bundle, environment={})
    merged = b"# image\n" + pem("IIII") + pem("AAAA") + pem("GGGG")
    files = files_of(offer)
    assert files["/run/ohr/ca.pem"].content == merged
    assert files["/etc/ssl/certs/ca-certificates.crt"].content == merged
    assert set(files) == {"/run/ohr/ca.pem", "/etc/ssl/certs/ca-certificates.crt"}
    for name in ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"):
        assert offer.environment[name] == "/run/ohr/ca.pem"


def test_an_image_without_certificates_gets_the_machines(bundle: Path) -> None:
    offer = machine_ca.network_offer(NOTHING.get, ca_bundle=bundle, environment={})
    assert files_of(offer)["/etc/ssl/certs/ca-certificates.crt"].content == pem("AAAA") + pem("GGGG")


def test_java_gets_a_trust_store_where_it_looks_for_one(bundle: Path) -> None:
    image = {"/etc/ssl/certs/java/cacerts": b"old", "/etc/pki/tls/certs/ca-bundle.crt": b""}
    offer = machine_ca.network_offer(
        image.get, ca_bundle=bundle, write_keystore=lambda merged: b"store of " + merged, environment={}
    )
    files = files_of(offer)
    assert files["/etc/ssl/certs/java/cacerts"].content == b"store of " + pem("AAAA") + pem("GGGG")
    assert "/etc/pki/tls/certs/ca-bundle.crt" in files


def test_proxies_are_offered_in_both_spellings_and_to_java(bundle: Path) -> None:
    environment = {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "http_proxy": "proxy.example",
        "no_proxy": ".a, b",
    }
    offered = machine_ca.network_offer(NOTHING.get, ca_bundle=bundle, environment=environment).environment
    assert offered["https_proxy"] == offered["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert offered["HTTP_PROXY"] == "proxy.example"
    assert offered["NO_PROXY"] == ".a, b"
    assert offered["JAVA_TOOL_OPTIONS"] == (
        "-Dhttp.proxyHost=proxy.example -Dhttp.proxyPort=80 "
        "-Dhttps.proxyHost=proxy.example -Dhttps.proxyPort=3128 -Dhttp.nonProxyHosts=*.a|b"
    )


def test_without_a_proxy_none_is_offered(bundle: Path) -> None:
    offered = machine_ca.network_offer(NOTHING.get, ca_bundle=bundle, environment={}).environment
    assert not {name for name in offered if "proxy" in name.lower() or "JAVA" in name}


def test_sudo_lets_the_variables_through(bundle: Path) -> None:
    offer = machine_ca.network_offer(
        {"/etc/sudoers": b""}.get, ca_bundle=bundle, environment={"http_proxy": "http://p"}
    )
    rules = files_of(offer)["/etc/sudoers.d/ohr-network"]
    assert rules.mode == 0o440
    assert rules.content.startswith(b'Defaults env_keep += "AWS_CA_BUNDLE ')
    assert b" http_proxy" in rules.content
    assert rules.content.endswith(b'"\n')


def test_a_chosen_bundle_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        machine_ca.machine_bundle(tmp_path / "missing")
    (tmp_path / "der").write_bytes(b"\x30\x82")
    with pytest.raises(UsageError, match="no certificate in PEM form"):
        machine_ca.machine_bundle(tmp_path / "der")


def test_the_machines_own_bundle_is_the_default(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert machine_ca.machine_bundle(None) == bundle.read_bytes()
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(machine_ca, "_MACHINE_BUNDLES", (str(bundle),))
    assert machine_ca.machine_bundle(None) == bundle.read_bytes()
    monkeypatch.setattr(machine_ca, "_MACHINE_BUNDLES", ())
    assert machine_ca.machine_bundle(None) == b""


def test_the_machines_mirrors_stand_in_for_the_images() -> None:
    file = machine_ca.apt_sources("Types: deb\n")
    assert file == BoxFile("/etc/apt/sources.list.d/debian.sources", b"Types: deb\n", 0o444)
