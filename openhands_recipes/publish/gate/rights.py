"""Rights: what a composed recipe may do beyond computing, and in what one may do more than another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from openhands_recipes.model.composed import Composed
from openhands_recipes.model.recipe import EgressRule, Permissions, Resources
from openhands_recipes.publish.gate.rules import Code

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
SECRET = re.compile(
    r"(^|_)(TOKEN|PASSWORD|PASSWD|SECRET|APIKEY|API_KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS?)(_|$)"
)
"""Names of variables that hold secrets."""


class Wider(NamedTuple):
    """One right that was not there before."""

    code: Code
    text: str


@dataclass(frozen=True)
class Rights:
    """Everything a sandbox may do, as sets that can be compared."""

    egress: frozenset[str] = frozenset()
    """Named groups, and `host:port`."""
    devices: frozenset[str] = frozenset()
    privileges: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    resources: dict[str, Decimal] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    setuid: frozenset[str] = frozenset()


def egress_of(permissions: Permissions) -> frozenset[str]:
    """Where a sandbox may connect to: groups, and `host:port`."""
    found = set()
    for entry in permissions.network.egress:
        if isinstance(entry, EgressRule):
            found |= {f"{entry.host}:{port}" for port in entry.ports}
        else:
            found.add(entry)
    return frozenset(found)


def rights_of(composed: Composed) -> Rights:
    """What a composed recipe may do."""
    user = composed.user
    accounts = {"root"} if user is None else {f"{user.name} ({user.uid}:{user.gid})"}
    if user is not None and user.sudo:
        accounts.add("root by sudo")
    return Rights(
        egress=egress_of(composed.permissions),
        devices=frozenset(composed.permissions.devices),
        privileges=frozenset(composed.permissions.privileges),
        ports=frozenset(f"{port.port}/{port.protocol}" for port in composed.ports),
        accounts=frozenset(accounts),
        resources=_amounts(composed.resources),
        secrets=frozenset(name for name in composed.environment if SECRET.search(name.upper())),
        setuid=frozenset(
            path for path, spec in composed.files.items() if spec.mode and int(spec.mode, 8) & 0o6000
        ),
    )


def together(all_rights: Iterable[Rights]) -> Rights:
    """What somebody may do who has all of these rights: the largest resources, the rest added up."""
    rights: Sequence[Rights] = tuple(all_rights)
    amounts: dict[str, Decimal] = {}
    for one in rights:
        for name, amount in one.resources.items():
            amounts[name] = max(amount, amounts.get(name, amount))
    sets = {
        name: frozenset[str]().union(*(getattr(one, name) for one in rights))
        for name in ("egress", "devices", "privileges", "ports", "accounts", "secrets", "setuid")
    }
    return Rights(resources=amounts, **sets)


def wider(before: Rights, after: Rights) -> tuple[Wider, ...]:
    """Every right that `after` has and `before` has not. Order and spelling of a recipe play no part."""
    found = [
        Wider(Code.EGRESS, f"may connect to {place}")
        for place in sorted(after.egress)
        if not any(_covers(known, place) for known in before.egress)
    ]
    found += _more(Code.DEVICE, "may use the device", before.devices, after.devices)
    found += _more(Code.PRIVILEGE, "has the privilege", before.privileges, after.privileges)
    found += _more(Code.ROOT_RIGHTS, "works as", before.accounts, after.accounts)
    found += _more(Code.PORT, "listens on port", before.ports, after.ports)
    found += _more(Code.SECRET, "wants the secret", before.secrets, after.secrets)
    found += _more(Code.SETUID, "has a file that changes the user:", before.setuid, after.setuid)
    found += _raised(before.resources, after.resources)
    return tuple(found)


def _more(code: Code, words: str, before: frozenset[str], after: frozenset[str]) -> list[Wider]:
    return [Wider(code, f"{words} {name}") for name in sorted(after - before)]


def _raised(before: dict[str, Decimal], after: dict[str, Decimal]) -> Iterator[Wider]:
    for name in sorted(after):
        old, new = before.get(name, Decimal(0)), after[name]
        if new > old:
            yield Wider(Code.RESOURCES, f"asks for more {name}: {_amount(name, old)} -> {_amount(name, new)}")


def _covers(known: str, place: str) -> bool:
    """Whether an allowed place includes another: the same, or a wildcard over its domain, port alike."""
    if known == place:
        return True
    host, _, port = known.partition(":")
    wanted, _, wanted_port = place.partition(":")
    return host.startswith("*.") and port == wanted_port and wanted.removeprefix("*.").endswith(host[1:])


def _amounts(resources: Resources) -> dict[str, Decimal]:
    amounts = {
        "cpu": _processors(resources.cpu),
        "memory": _bytes(resources.memory),
        "disk": _bytes(resources.disk),
    }
    amounts["gpu"] = Decimal(resources.gpu or 0)
    return {name: amount for name, amount in amounts.items() if amount}


def _processors(text: str | None) -> Decimal:
    if text is None:
        return Decimal(0)
    return Decimal(text[:-1]) / 1000 if text.endswith("m") else Decimal(text)


def _bytes(text: str | None) -> Decimal:
    return Decimal(0) if text is None else Decimal(text[:-2]) * UNITS[text[-2:]]


def _amount(name: str, amount: Decimal) -> str:
    if name in {"memory", "disk"}:
        return f"{amount / 2**30:.4g} GiB"
    return f"{amount.normalize():f}"
