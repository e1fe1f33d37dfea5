"""devcontainer.json says of a recipe what containers.dev has words for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openhands_recipes.compile.export.devcontainer import devcontainer
from openhands_recipes.compile.recipe.compose import compose
from tests.recipe_texts import library

PINNED = "registry.example.com/team/example@sha256:" + "0" * 64


def written(body: str, *, image: str | None = None) -> Any:
    return json.loads(devcontainer(compose("example", library(example=body)), image=image))


def test_a_bare_recipe_builds_the_dockerfile_beside_it() -> None:
    assert written("") == {
        "name": "example", "build": {"dockerfile": "Dockerfile"}, "overrideCommand": True, "init": True,
    }  # fmt: skip


def test_an_image_is_taken_as_it_is_named() -> None:
    value = written("", image=PINNED)
    assert value["image"] == PINNED
    assert "build" not in value


def test_account_folder_variables_and_ports_are_the_recipes() -> None:
    value = written("""
user: {name: agent, uid: 1000, gid: 1000}
workdir: /workspace
environment: {A: b}
ports: [{name: web, port: 8000}, {name: dns, port: 53, protocol: UDP}]
""")
    assert value["remoteUser"] == "agent"
    assert value["workspaceFolder"] == "/workspace"
    assert value["workspaceMount"] == "source=${localWorkspaceFolder},target=/workspace,type=bind"
    assert value["containerEnv"] == {"A": "b"}
    assert value["forwardPorts"] == [8000]
    assert value["portsAttributes"] == {"8000": {"label": "web"}}


@pytest.mark.parametrize(
    ("resources", "needs"),
    [
        ('{cpu: "1", memory: 2Gi, disk: 1Ti}', {"cpus": 1, "memory": "2gb", "storage": "1024gb"}),
        ("{cpu: 500m, memory: 512Mi}", {"cpus": 1, "memory": "512mb"}),
        ('{cpu: "1.5", memory: 1500Ki, gpu: 1}', {"cpus": 2, "memory": "2mb", "gpu": True}),
        ("{gpu: 0}", None),
    ],
)
def test_needs_are_told_in_whole_units(resources: str, needs: dict[str, Any] | None) -> None:
    assert written(f"resources: {resources}\n").get("hostRequirements") == needs
