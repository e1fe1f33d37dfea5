"""A release, read and verified by other people's tools: cosign 3, oras, crane, skopeo."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from openhands_recipes.adapters.cosign import CosignSigner
from openhands_recipes.adapters.keys import read_public_key, read_signing_key
from openhands_recipes.adapters.registry.artifacts import OciArtifacts
from openhands_recipes.flows.push import order_of
from openhands_recipes.model.attestation import BUNDLE_TYPE, PREDICATES, Statement
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.model.release_record import EvidenceKind, ReleaseRecord
from openhands_recipes.ports.artifacts import StoredManifest
from openhands_recipes.publish.bundle import sign_bundle
from openhands_recipes.publish.referrers import EMPTY, ReferrerManifest, fallback_tag
from openhands_recipes.publish.verify import verify_evidence
from tests.integration.debian_tools import installed, unpacked
from tests.integration.registry_server import running_registry
from tests.integration.release_world import PLATFORMS, WHERE, Place, native_registry, new_ledger, zot_registry
from tests.releases import key_file

pytestmark = [pytest.mark.online]
PASSWORD = "for the tests"
DIGITS = b'"sha256":"'
TYPES: dict[EvidenceKind, str] = {
    "provenance": "slsaprovenance1",
    "spdx": "spdxjson",
    "cyclonedx": "cyclonedx",
    "tests": PREDICATES["tests"],
}


@dataclass(frozen=True)
class Cosign:
    """cosign 3, offline: it trusts no log, no authority of timestamps and no certificates."""

    program: Path
    root: Path

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        environment = os.environ | {"COSIGN_PASSWORD": PASSWORD}
        command = [str(self.program), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)

    def check(self, verb: str, reference: str, key: Path, *more: str) -> subprocess.CompletedProcess[bytes]:
        options = ["--insecure-ignore-tlog", "--trusted-root", str(self.root), "--key", str(key)]
        return self(verb, *options, *more, reference)


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    program = unpacked("cosign", "cosign", "sid")
    root = tmp_path_factory.mktemp("cosign") / "trusted-root.json"
    root.write_text('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    return Cosign(program, root)


@dataclass(frozen=True)
class Published:
    """One release in one registry, and the key it is verified with."""

    place: Place
    record: ReleaseRecord
    public: Path

    @property
    def image(self) -> str:
        return f"{self.place.host}/{WHERE}@{self.record.index}"

    @property
    def tagged(self) -> str:
        return f"{self.place.host}/{WHERE}:1.0.0"


@pytest.fixture(scope="module", params=["docker-registry", "lists referrers", "zot"])
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("published")
    private, public = key_file(folder / "keys")
    ledger = new_ledger(folder / "ledger.git")

    def released(host: str) -> Published:
        place = Place(host, ledger, private, folder / "work")
        return Published(place, place.release("first", PLATFORMS).record, public)

    match request.param:
        case "docker-registry":
            with running_registry(folder / "registry") as running:
                yield released(running.host)
        case "lists referrers":
            with native_registry() as host:
                yield released(host)
        case _:
            with zot_registry(folder / "zot") as host:
                yield released(host)


# --- cosign ------------------------------------------------------------------------------------------------


def test_cosign_verifies_the_signature_of_index_tag_and_platforms(
    published: Published, cosign: Cosign
) -> None:
    platforms = [
        f"{published.place.host}/{WHERE}@{one.manifest}" for one in published.record.platforms.values()
    ]
    for reference in (published.image, published.tagged, *platforms):
        done = cosign.check("verify", reference, published.public)
        assert done.returncode == 0, done.stderr.decode()
        claims = json.loads(done.stdout)
        assert PREDICATES["signature"] in {claim["critical"]["type"] for claim in claims}


@pytest.mark.parametrize("kind", TYPES)
def test_cosign_verifies_every_attestation(published: Published, cosign: Cosign, kind: EvidenceKind) -> None:
    done = cosign.check("verify-attestation", published.image, published.public, "--type", TYPES[kind])
    assert done.returncode == 0, done.stderr.decode()
    statements = [
        json.loads(base64.b64decode(json.loads(line)["payload"])) for line in done.stdout.splitlines()
    ]
    assert [statement["predicateType"] for statement in statements] == [PREDICATES[kind]]


def test_cosign_refuses_another_key(published: Published, cosign: Cosign, tmp_path: Path) -> None:
    _, other = key_file(tmp_path)
    assert cosign.check("verify", published.image, other).returncode != 0
    for kind in TYPES.values():
        assert cosign.check("verify-attestation", published.image, other, "--type", kind).returncode != 0


@pytest.mark.parametrize("kind", ["signature", *TYPES])
def test_cosign_refuses_one_flipped_byte(published: Published, cosign: Cosign, kind: EvidenceKind) -> None:
    """The same image elsewhere, with only this evidence, one byte of the signed payload changed."""
    where, subject = f"team/forged-{kind}", _copied(published, f"team/forged-{kind}")
    reference = f"{published.place.host}/{where}@{subject.digest}"
    bundle = _bundle_of(published, kind)
    for content, good in ((bundle, True), (_flipped(bundle), False)):
        _refer(published, where, ReferrerManifest(kind, subject, content, published.record.about.created))
        if kind == "signature":
            done = cosign.check("verify", reference, published.public)
        else:
            done = cosign.check("verify-attestation", reference, published.public, "--type", TYPES[kind])
        assert (done.returncode == 0) is good, done.stderr.decode()
        _forget(published, where, subject)


def _door(published: Published) -> OciArtifacts:
    address = RegistryAddress(published.place.host, "team")
    return OciArtifacts(address, plain_http=True, credentials=lambda *_: None)


def _bundle_of(published: Published, kind: EvidenceKind) -> bytes:
    (referrer,) = [
        one
        for one in published.record.referrers
        if one.kind == kind and one.subject == published.record.index
    ]
    with _door(published) as door:
        manifest = door.manifest(WHERE, referrer.manifest)
        assert manifest is not None
        bundle = door.blob(WHERE, json.loads(manifest.content)["layers"][0]["digest"])
    assert bundle is not None
    return bundle


def _flipped(bundle: bytes) -> bytes:
    """One byte of the signed payload is another: in its second subject, which nobody asks for."""
    value = json.loads(bundle)
    payload = bytearray(base64.b64decode(value["dsseEnvelope"]["payload"]))
    place = payload.index(DIGITS, payload.index(DIGITS) + 1) + len(DIGITS)
    payload[place] = ord("0") if payload[place] != ord("0") else ord("1")
    value["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    return json.dumps(value).encode()


def _copied(published: Published, where: str) -> Descriptor:
    made = published.place.made("first", PLATFORMS)
    order = replace(
        order_of(made.candidate.images, RegistryAddress(published.place.host, "team")),
        repository=where,
        tags=(),
        mount_from={},
    )
    with _door(published) as door:
        door.push(order, blobs=made.blob)
    return Descriptor(INDEX_TYPE, Digest(published.record.index), len(order.index or b""))


def _refer(published: Published, where: str, manifest: ReferrerManifest) -> None:
    with _door(published) as door:
        door.put_blob(where, EMPTY)
        door.put_blob(where, manifest.bundle)
        if door.put_manifest(where, StoredManifest(manifest.content, MANIFEST_TYPE)):
            return
        described = Descriptor(MANIFEST_TYPE, digest_of(manifest.content), len(manifest.content)).to_json()
        entries = [described | {"artifactType": BUNDLE_TYPE}]
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
        content = StoredManifest(json.dumps(index).encode(), INDEX_TYPE)
        door.put_manifest(where, content, tag=fallback_tag(manifest.subject.digest))


def _forget(published: Published, where: str, subject: Descriptor) -> None:
    """Take the evidence away again, where the registry keeps the list itself."""
    with _door(published) as door:
        for entry in door.referrers(where, subject.digest) or ():
            url = f"http://{published.place.host}/v2/{where}/manifests/{entry['digest']}"
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10).close()


@pytest.fixture(scope="module")
def cosigns_own_key(cosign: Cosign, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What `cosign generate-key-pair` writes."""
    folder = tmp_path_factory.mktemp("keys")
    made = cosign("generate-key-pair", "--output-key-prefix", str(folder / "own"))
    assert made.returncode == 0, made.stderr.decode()
    return folder / "own.key", folder / "own.pub"


STATEMENT = Statement((digest_of(b"image"),), PREDICATES["tests"], {"result": "PASSED"})


@pytest.mark.parametrize("kind", ["cosign", "ecdsa", "ed25519"])
def test_cosign_verifies_what_keys_of_every_kind_sign(
    cosign: Cosign, cosigns_own_key: tuple[Path, Path], tmp_path: Path, kind: str
) -> None:
    private, public = cosigns_own_key if kind == "cosign" else key_file(tmp_path, kind=kind)
    key = read_signing_key(private, password=lambda: PASSWORD)
    (tmp_path / "image").write_bytes(b"image")
    (tmp_path / "bundle").write_bytes(sign_bundle(STATEMENT.to_bytes(), key))
    options = ["--bundle", str(tmp_path / "bundle"), "--type", PREDICATES["tests"]]
    done = cosign.check("verify-blob-attestation", str(tmp_path / "image"), public, *options)
    assert done.returncode == 0, done.stderr.decode()


def test_what_cosign_signs_itself_is_believed_here(
    cosign: Cosign, cosigns_own_key: tuple[Path, Path], tmp_path: Path
) -> None:
    """The way keyless signing takes, with a key in place of an identity."""
    private, public = cosigns_own_key
    config = tmp_path / "signing-config.json"
    config.write_text('{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}')
    options = ["--key", str(private), "--signing-config", str(config), "--trusted-root", str(cosign.root)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSIGN_PASSWORD", PASSWORD)
        bundle = CosignSigner(program=str(cosign.program), options=options).bundle(STATEMENT.to_bytes())
    keys = [read_public_key(public)]
    assert verify_evidence(bundle, keys=keys, subject=digest_of(b"image"), kind="tests") == STATEMENT


# --- others ------------------------------------------------------------------------------------------------


def output(*command: str | Path) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_oras_finds_all_evidence_and_fetches_it(published: Published) -> None:
    oras = unpacked("oras", "oras", "sid")
    told = output(oras, "discover", "--plain-http", "--format", "json", published.image)
    found = {entry["digest"] for entry in json.loads(told)["referrers"]}
    named = published.record.evidence
    assert {named.signature, named.provenance, named.sbom, named.tests} <= found
    assert len(found) == 5
    repository = f"{published.place.host}/{WHERE}"
    manifest = json.loads(output(oras, "manifest", "fetch", "--plain-http", f"{repository}@{named.sbom}"))
    layer = manifest["layers"][0]["digest"]
    bundle = output(oras, "blob", "fetch", "--plain-http", "--output", "-", f"{repository}@{layer}")
    assert bundle == _bundle_of(published, "spdx")


def test_crane_finds_the_index_under_both_tags_and_the_manifests_whole(published: Published) -> None:
    crane = unpacked("crane", "crane", "sid")
    for tag in ("1.0.0", "1.0.0-r1"):
        told = output(crane, "digest", f"{published.place.host}/{WHERE}:{tag}").decode().strip()
        assert told == published.record.index
    output(crane, "validate", "--fast", "--remote", published.tagged)


def test_skopeo_reads_every_platform(published: Published) -> None:
    skopeo = installed("skopeo", "skopeo")
    raw = json.loads(output(skopeo, "inspect", "--tls-verify=false", "--raw", f"docker://{published.image}"))
    assert {one["digest"] for one in raw["manifests"]} == {
        one.manifest for one in published.record.platforms.values()
    }
    for architecture in ("amd64", "arm64"):
        command = [str(skopeo), f"--override-arch={architecture}", "inspect", "--tls-verify=false"]
        told = json.loads(output(*command, f"docker://{published.tagged}"))
        assert told["Architecture"] == architecture
