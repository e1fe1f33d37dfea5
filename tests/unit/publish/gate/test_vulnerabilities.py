"""Which versions an advisory means, how bad it is, and whether it is new."""

from __future__ import annotations

from typing import Any

import pytest

from openhands_recipes.flows.gate_proving import KEYS
from openhands_recipes.model.advisory import Advisory, Affected
from openhands_recipes.model.gate_settings import Vulnerabilities
from openhands_recipes.publish.gate.vulnerabilities import Subject, hits, is_affected, score_of, weigh

BAD = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def affected(*events: dict[str, str], versions: tuple[str, ...] = (), **more: Any) -> Affected:
    document = {"ranges": [{"type": "ECOSYSTEM", "events": list(events)}], "versions": versions, **more}
    return Affected.model_validate(document)


def advisory(id_: str, ecosystem: str, name: str, *events: dict[str, str], **more: Any) -> Advisory:
    place = {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return Advisory.model_validate({"id": id_, "affected": [place], **more})


ALWAYS, FIXED = {"introduced": "0"}, {"fixed": "2.0-1+deb13u1"}


@pytest.mark.parametrize(
    ("ecosystem", "version", "events", "expected"),
    [
        ("Debian", "2.0-1", [ALWAYS, FIXED], True),
        ("Debian", "2.0-1+b3", [ALWAYS, FIXED], True),
        ("Debian", "2.0-1+deb13u1", [ALWAYS, FIXED], False),
        ("Debian", "2.0-1+deb13u1", [FIXED, ALWAYS], False),
        ("Debian", "2.0~rc1-1", [{"introduced": "2.0-1"}], False),
        ("Debian", "1:1.0-1", [ALWAYS, FIXED], False),
        ("Debian", "no version at all", [ALWAYS, FIXED], True),
        ("PyPI", "2.0rc1", [ALWAYS, {"fixed": "2.0"}], True),
        ("PyPI", "2.0.post1", [ALWAYS, {"fixed": "2.0"}], False),
        ("PyPI", "3.1", [ALWAYS, {"fixed": "2.0"}, {"introduced": "3.0"}, {"fixed": "3.2"}], True),
        ("PyPI", "2.5", [ALWAYS, {"fixed": "2.0"}, {"introduced": "3.0"}, {"fixed": "3.2"}], False),
        ("npm", "1.9.9", [ALWAYS, {"last_affected": "1.9.9"}], True),
        ("npm", "1.10.0", [ALWAYS, {"last_affected": "1.9.9"}], False),
        ("npm", "1.10.0", [ALWAYS, {"limit": "1.5.0"}], False),
        ("npm", "1.2.0", [ALWAYS, {"limit": "1.5.0"}], True),
        ("npm", "1.2.0", [ALWAYS, {"limit": "*"}], True),
        ("npm", "1.2.0", [], False),
    ],
)
def test_a_version_is_affected_as_the_order_of_its_ecosystem_says(
    ecosystem: str, version: str, events: list[dict[str, str]], *, expected: bool
) -> None:
    subject = Subject(ecosystem, "", "it", version)
    assert is_affected(subject, affected(*events), KEYS[ecosystem]) is expected


def test_a_version_listed_by_name_is_affected_whatever_the_ranges_say() -> None:
    assert is_affected(Subject("PyPI", "", "it", "9"), affected(versions=("9",)), KEYS["PyPI"])


def test_commits_say_nothing_about_versions() -> None:
    only = Affected.model_validate({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]})
    assert not is_affected(Subject("PyPI", "", "it", "9"), only, KEYS["PyPI"])


def test_an_epoch_of_the_binary_package_does_not_hide_what_the_source_has() -> None:
    bsdutils = Subject("Debian", "13", "util-linux", "1:2.41-4", borrowed=True)
    assert is_affected(bsdutils, affected(ALWAYS, {"fixed": "2.41-5"}), KEYS["Debian"])
    assert not is_affected(bsdutils, affected(ALWAYS, {"fixed": "2.41-3"}), KEYS["Debian"])
    plain = Subject("Debian", "13", "vim", "9.1-1", borrowed=True)
    assert is_affected(plain, affected(ALWAYS, {"fixed": "2:9.1-2"}), KEYS["Debian"])


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"severity": [{"type": "CVSS_V3", "score": BAD}]}, 9.8),
        ({"severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}]}, 7.5),
        (
            {
                "severity": [{"type": "CVSS_V3", "score": "nonsense"}],
                "database_specific": {"severity": "LOW"},
            },
            0.1,
        ),
        ({"severity": [{"type": "Ubuntu", "score": "high"}]}, None),
        ({"database_specific": {"severity": "MODERATE"}}, 4.0),
        ({"ecosystem_specific": {"urgency": "high"}}, 7.0),
        ({"ecosystem_specific": {"urgency": "not yet assigned"}}, None),
        (
            {
                "severity": [{"type": "CVSS_V3", "score": BAD}],
                "ecosystem_specific": {"urgency": "unimportant"},
            },
            0.0,
        ),
    ],
)
def test_how_bad_it_is_comes_from_vectors_then_from_words(
    told: dict[str, Any], expected: float | None
) -> None:
    whole = Advisory.model_validate({"id": "X-1"})
    assert score_of(whole, affected(ALWAYS, **told)) == expected


@pytest.mark.parametrize(
    ("score", "weight"),
    [(9.8, "error"), (7.0, "error"), (6.9, "human"), (None, "human"), (3.9, "warning"), (0.0, "note")],
)
def test_the_settings_decide_what_a_score_means(score: float | None, weight: str) -> None:
    assert weigh(score, Vulnerabilities()) == weight


def test_other_settings_decide_otherwise() -> None:
    assert weigh(7.5, Vulnerabilities(error="critical", human="high")) == "human"


def test_a_vulnerability_with_several_names_is_told_once() -> None:
    subject = Subject("PyPI", "", "flask", "1.0")
    both = [
        advisory("PYSEC-1", "PyPI", "Flask", ALWAYS, aliases=["CVE-2026-1"]),
        advisory("GHSA-1", "PyPI", "flask", ALWAYS, aliases=["CVE-2026-1"]),
        advisory("GHSA-2", "PyPI", "flask", ALWAYS),
    ]
    assert [hit.advisory.id for hit in hits([subject], both, KEYS)] == ["GHSA-1", "GHSA-2"]


def test_withdrawn_advisories_other_releases_and_other_ecosystems_mean_nothing() -> None:
    subject = Subject("Debian", "13", "curl", "8.0-1")
    others = [
        advisory("DSA-1", "Debian:13", "curl", ALWAYS, withdrawn="2026-01-01T00:00:00Z"),
        advisory("DSA-2", "Debian:12", "curl", ALWAYS),
        advisory("DSA-3", "npm", "curl", ALWAYS),
        Advisory.model_validate({"id": "X", "affected": [{}]}),
    ]
    assert hits([subject], others, KEYS) == ()
    assert hits([subject], [advisory("DSA-4", "Debian:13", "curl", ALWAYS)], KEYS)
