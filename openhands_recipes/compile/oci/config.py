"""What an image's config says about starting it (image-spec, config.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from openhands_recipes.compile.oci.labels import LABEL
from openhands_recipes.model.image import Image


@dataclass(frozen=True)
class StartSettings:
    """How a container runtime starts an image, and where its shells begin."""

    environment: dict[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    workdir: str
    shell_workdir: str
    uid: int
    gid: int
    user: str
    ports: tuple[str, ...]
    labels: dict[str, str]

    @property
    def home(self) -> str:
        """The account's home as useradd makes it."""
        return f"/home/{self.user}" if self.user else "/root"

    @property
    def shell_environment(self) -> dict[str, str]:
        """The image's variables and those a login would set."""
        return {
            "HOME": self.home,
            "USER": self.user or "root",
            "LOGNAME": self.user or "root",
            **self.environment,
        }


def start_settings(image: Image) -> StartSettings:
    """Read them from an image's config."""
    config: dict[str, Any] = json.loads(image.config).get("config", {})
    labels = config.get("Labels") or {}
    uid, _, gid = (config.get("User") or "0:0").partition(":")
    return StartSettings(
        environment=dict(pair.partition("=")[::2] for pair in config.get("Env") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        workdir=config.get("WorkingDir") or "/",
        shell_workdir=labels.get(f"{LABEL}.workdir", "/"),
        uid=int(uid),
        gid=int(gid or uid),
        user=labels.get(f"{LABEL}.user", ""),
        ports=tuple(sorted(config.get("ExposedPorts") or ())),
        labels=labels,
    )
