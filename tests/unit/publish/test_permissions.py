"""Equal rights, equal digests."""

from __future__ import annotations

import pytest

from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.recipe import Permissions
from openhands_recipes.publish.permissions import permissions_digest, permissions_text


def rights(**said: object) -> Permissions:
    return Permissions.model_validate(said)


EGRESS = [
    "python-packages",
    {"host": "b.example.com", "ports": [443]},
    {"host": "a.example.com", "ports": [80, 443]},
]


def test_order_and_repetition_do_not_matter() -> None:
    again = ["python-packages", *reversed(EGRESS), {"host": "b.example.com", "ports": [443]}]
    first = rights(network={"egress": EGRESS}, devices=["/dev/kvm", "/dev/fuse"], privileges=["b", "a"])
    second = rights(network={"egress": again}, devices=["/dev/fuse", "/dev/kvm"], privileges=["a", "b", "a"])
    assert permissions_digest(first) == permissions_digest(second) == digest_of(permissions_text(first))


def test_ports_of_one_host_may_be_said_together_or_apart() -> None:
    apart = [{"host": "a.example.com", "ports": [80]}, {"host": "a.example.com", "ports": [443]}]
    together = [{"host": "a.example.com", "ports": [443, 80]}]
    assert permissions_digest(rights(network={"egress": apart})) == permissions_digest(
        rights(network={"egress": together})
    )


@pytest.mark.parametrize(
    "more",
    [
        {"network": {"egress": ["node-packages"]}},
        {"network": {"egress": [{"host": "a.example.com", "ports": [22]}]}},
        {"devices": ["/dev/kvm"]},
        {"privileges": ["nested-containers"]},
    ],
)
def test_any_more_right_is_another_digest(more: dict[str, object]) -> None:
    assert permissions_digest(rights(**more)) != permissions_digest(rights())
