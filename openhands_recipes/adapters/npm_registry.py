"""Which npm registry this machine uses: the environment, the user's .npmrc, else what npm itself says.

No host is written here: where nothing is configured and npm is not installed, there is none.
Scopes (`@scope:registry`) are honoured, access tokens are not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openhands_recipes.errors import DownloadError

VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class NpmRegistry:
    """The registry to ask, and those of single scopes; root URLs without trailing slash."""

    url: str
    scopes: Mapping[str, str] = field(default_factory=dict)

    def url_of(self, path: str) -> str:
        """Where a tarball lies, from its path below the registry: `@scope/name/-/name-1.0.0.tgz`."""
        scope = path.partition("/")[0] if path.startswith("@") else ""
        return f"{self.scopes.get(scope, self.url)}/{path}"


def npm_registry(environment: Mapping[str, str] | None = None) -> NpmRegistry:
    """The registry settings of this machine.

    Raises:
        DownloadError: none is configured, and npm is not installed.
    """
    settings = os.environ if environment is None else environment
    lowered = {
        name.lower(): value for name, value in settings.items() if name.lower().startswith("npm_config_")
    }
    home = settings.get("HOME")
    user = Path(lowered.get("npm_config_userconfig") or Path(home or Path.home()) / ".npmrc")
    file = _npmrc(user, settings)
    scopes = {
        name.removesuffix(":registry"): value.rstrip("/")
        for name, value in file.items()
        if name.startswith("@") and name.endswith(":registry")
    }
    url = lowered.get("npm_config_registry") or file.get("registry") or _asked(settings)
    if not url:
        raise DownloadError(
            "no npm registry is configured on this machine",
            hint="set npm_config_registry, or `registry=` in ~/.npmrc, to the registry's root URL",
        )
    return NpmRegistry(url.rstrip("/"), scopes)


def _npmrc(file: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """`name = value` lines, with ${VARIABLES} replaced; empty where there is no such file."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith(("#", ";")):
            plain = value.strip().strip("\"'")
            values[name.strip()] = VARIABLE.sub(lambda match: settings.get(match[1], match[0]), plain)
    return values


def _asked(settings: Mapping[str, str]) -> str:
    """What `npm config get registry` says, away from any project's own settings."""
    program = shutil.which("npm", path=settings.get("PATH"))
    if program is None:
        return ""
    command = [program, "config", "get", "registry"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired):
        return ""
    answer = done.stdout.strip()
    return answer if answer.startswith(("http://", "https://")) else ""
