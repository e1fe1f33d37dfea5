"""Manifests that refer to an image, and the tag that lists them."""

from __future__ import annotations

import json

import pytest

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import digest_of, hex_of
from openhands_recipes.model.image import INDEX_TYPE, Descriptor
from openhands_recipes.publish.referrers import ReferrerManifest, fallback_index, fallback_tag, listed
from tests.release_records import MOMENT, record

SUBJECT = Descriptor(INDEX_TYPE, digest_of(b"index"), 313)
SIGNATURE = ReferrerManifest("signature", SUBJECT, b"a bundle", MOMENT)
TESTS = ReferrerManifest("tests", SUBJECT, b"another bundle", MOMENT)
ELSEWHERE = ReferrerManifest("tests", Descriptor(INDEX_TYPE, digest_of(b"other"), 1), b"bundle", MOMENT)
RECORD = record("1.0.0", 1).model_copy(
    update={"referrers": (SIGNATURE.record, TESTS.record, ELSEWHERE.record)}
)


def test_a_manifest_is_what_cosign_writes() -> None:
    assert json.loads(SIGNATURE.content) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [
            {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "digest": digest_of(b"a bundle"),
                "size": 8,
            }
        ],
        "subject": {"mediaType": INDEX_TYPE, "digest": SUBJECT.digest, "size": 313},
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
            "org.opencontainers.image.created": MOMENT,
        },
    }


def test_the_tag_of_the_list_is_the_digest_with_a_hyphen() -> None:
    assert fallback_tag(SUBJECT.digest) == f"sha256-{hex_of(SUBJECT.digest)}"


def test_the_list_is_made_from_the_records_alone() -> None:
    ours = listed([RECORD], SUBJECT.digest)
    assert set(ours) == {digest_of(SIGNATURE.content), digest_of(TESTS.content)}
    described = ours[digest_of(SIGNATURE.content)]
    assert described["size"] == len(SIGNATURE.content)
    assert described["annotations"] == json.loads(SIGNATURE.content)["annotations"]


def test_the_list_is_the_same_whatever_the_order_of_records() -> None:
    backwards = RECORD.model_copy(update={"referrers": tuple(reversed(RECORD.referrers))})
    assert fallback_index(listed([RECORD], SUBJECT.digest), None) == fallback_index(
        listed([backwards], SUBJECT.digest), None
    )


def test_what_others_have_added_stays_and_what_is_ours_is_put_right() -> None:
    ours = listed([RECORD], SUBJECT.digest)
    foreign = {"mediaType": "x", "digest": digest_of(b"a scan"), "size": 1}
    wrong = ours[digest_of(TESTS.content)] | {"size": 12345}
    present = json.dumps({"manifests": [foreign, wrong]}).encode()
    found = json.loads(fallback_index(ours, present))["manifests"]
    assert found == [*(ours[digest] for digest in sorted(ours)), foreign]
    assert fallback_index(ours, fallback_index(ours, present)) == fallback_index(ours, present)


@pytest.mark.parametrize("present", [b"", b"[]", b"{}", b'{"manifests": 1}'])
def test_what_is_no_list_is_not_overwritten_silently(present: bytes) -> None:
    with pytest.raises(VerificationError, match="no image index"):
        fallback_index({}, present)
