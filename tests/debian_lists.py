"""Package lists as small as a test wants them."""

from __future__ import annotations

from openhands_recipes.compile.debian.packages import Universe, index
from openhands_recipes.ports import PackageList


def stanza(name: str, version: str = "1", **fields: str) -> str:
    """One stanza; `pre_depends="a"` becomes `Pre-Depends: a`."""
    lines = {"Package": name, "Version": version, "Architecture": "amd64"}
    lines |= {key.replace("_", "-").title(): value for key, value in fields.items()}
    return "".join(f"{key}: {value}\n" for key, value in lines.items())


def suite(*stanzas: str, name: str = "trixie", architecture: str = "amd64") -> PackageList:
    """A whole `Packages` file."""
    return PackageList(name, architecture, "\n".join(stanzas).encode())


def universe(*stanzas: str, security: tuple[str, ...] = ()) -> Universe:
    """An index over one suite, or over it and its security updates."""
    lists = [suite(*stanzas)]
    if security:
        lists.append(suite(*security, name="trixie-security"))
    return index(lists)
