"""A recipe as devcontainer.json (containers.dev, "Dev Container metadata reference")."""

from __future__ import annotations

import json
import math
from typing import Any

from openhands_recipes.model.composed import Composed
from openhands_recipes.model.recipe import Resources

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def devcontainer(composed: Composed, *, image: str | None) -> bytes:
    """The file; without an image it builds the Dockerfile beside it. Byte-stable.

    The folder that is opened takes the place of the folder where the image's shells start. The entrypoint
    of the image is not started: the editor is the one that works here.
    """
    value: dict[str, Any] = {"name": composed.name}
    value |= {"image": image} if image is not None else {"build": {"dockerfile": "Dockerfile"}}
    if composed.workdir not in {None, "/"}:
        value["workspaceMount"] = f"source=${{localWorkspaceFolder}},target={composed.workdir},type=bind"
        value["workspaceFolder"] = composed.workdir
    if composed.user is not None:
        value["remoteUser"] = composed.user.name
    value["overrideCommand"] = True
    value["init"] = True
    if composed.environment:
        value["containerEnv"] = dict(composed.environment)
    ports = [port for port in composed.ports if port.protocol == "TCP"]
    if ports:
        value["forwardPorts"] = [port.port for port in ports]
        value["portsAttributes"] = {str(port.port): {"label": port.name} for port in ports}
    if needs := _host_requirements(composed.resources):
        value["hostRequirements"] = needs
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _host_requirements(resources: Resources) -> dict[str, Any]:
    """What the machine must have, in that file's units: whole processors, whole gb or mb."""
    needs: dict[str, Any] = {}
    if resources.cpu is not None:
        cpu = resources.cpu
        amount = int(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)
        needs["cpus"] = max(1, math.ceil(amount))
    for key, quantity in (("memory", resources.memory), ("storage", resources.disk)):
        if quantity is not None:
            size = int(quantity[:-2]) * UNITS[quantity[-2:]]
            whole = size % 2**30 == 0
            needs[key] = f"{size // 2**30}gb" if whole else f"{math.ceil(size / 2**20)}mb"
    if resources.gpu:
        needs["gpu"] = True
    return needs
