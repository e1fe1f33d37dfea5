"""The Dockerfile of a recipe, line by line; that Docker builds it is proved in tests/integration/docker."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from openhands_recipes.compile.export.dockerfile import dockerfile_folder
from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.compile.pin import Chain, LockedLevel
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.platform import PLATFORMS
from tests.recipe_texts import library

HASH = "0" * 64


def deb(name: str, version: str) -> dict[str, Any]:
    return {
        "name": name, "version": version, "architecture": "all", "suite": "trixie", "source": name,
        "path": f"pool/main/{name}.deb", "size": 1, "installed_size": 1, "sha256": HASH,
    }  # fmt: skip


def wheel(name: str, into: str, **more: Any) -> dict[str, Any]:
    file = f"{name}-1-py3-none-any.whl"
    return {"name": name, "version": "1", "file": file, "size": 1, "sha256": HASH, "into": into, **more}


def lockfile(name: str) -> str:
    packages = {
        "": {"name": "globals", "dependencies": {name: "1"}},
        f"node_modules/{name}": {
            "version": "1.0.0",
            "resolved": f"{name}/-/{name}-1.0.0.tgz",
            "integrity": "x",
        },
    }
    return json.dumps({"lockfileVersion": 3, "packages": packages})


def chain(bodies: dict[str, str], parts: dict[str, dict[str, Any]]) -> Chain:
    """A lineage, lowest first, with what each level pins on every platform."""
    recipes = library(**bodies)
    levels = []
    for name in bodies:
        lock = Lock.model_validate(
            {
                "recipe": name, "version": "1.0.0", "recipe_digest": f"sha256:{HASH}", "inputs": {},
                "parents": [], "rules": current_rules().model_dump(),
                "debian": {"suites": ["trixie"], "release_date": "2026", "release": f"sha256:{HASH}"},
                "platforms": dict.fromkeys(PLATFORMS, parts.get(name, {})),
            }
        )  # fmt: skip
        levels.append(LockedLevel(compose(name, recipes), lock, digest_of(name.encode())))
    return tuple(levels)


def exported(body: str, parts: dict[str, Any] | None = None) -> dict[str, bytes]:
    return dockerfile_folder(chain({"example": body}, {"example": parts or {}}), PLATFORMS, suite="trixie")


def text(files: dict[str, bytes]) -> str:
    return files["Dockerfile"].decode()


def test_every_level_adds_its_packages_by_exact_version_and_architecture() -> None:
    locked = chain(
        {"parent": "", "child": "extends: [parent]\n"},
        {"parent": {"debs": [deb("git", "1:2-3")]}, "child": {"debs": [deb("apt", "3")]}},
    )
    files = dockerfile_folder(locked, PLATFORMS, suite="trixie")
    assert files["apt/packages.amd64"] == files["apt/packages.arm64"] == b"apt=3\ngit=1:2-3\n"
    assert text(files).startswith("# child 1.0.0: An example\n")
    assert "\nARG BASE=debian:trixie\nFROM ${BASE}\n" in text(files)


def test_a_recipe_of_nothing_has_no_other_steps_than_apt() -> None:
    files = exported("")
    assert set(files) == {"Dockerfile", "apt/packages.amd64", "apt/packages.arm64"}
    assert text(files).count("\nRUN ") == 1
    assert "\nUSER root\n" in text(files)
    assert not re.search(r"^(ENTRYPOINT|CMD|EXPOSE)", text(files), re.MULTILINE)


def test_wheels_are_required_by_hash_and_sources_are_built_apart() -> None:
    build = {"name": "setuptools", "version": "1", "file": "s.whl", "size": 1, "sha256": HASH}
    built = {"file": "b-1.tar.gz", "size": 1, "sha256": "1" * 64, "requirements": [build]}
    wheels = [wheel("a", "python"), wheel("b", "python", built_from=built), wheel("c", "server")]
    body = (
        'python: {version: "3.13"}\nuser: {name: agent, uid: 1000, gid: 1000}\n'
        'applications: [{name: server, python: {version: "3.13", packages: [c]}, commands: {serve: c}}]\n'
    )
    files = exported(body, {"wheels": wheels})
    assert files["python/python/wheels.amd64"].decode() == f"a==1 --hash=sha256:{HASH}\n"
    assert files["python/server/wheels.arm64"].decode() == f"c==1 --hash=sha256:{HASH}\n"
    assert files["python/python/b/source.amd64"].decode() == f"b==1 --hash=sha256:{'1' * 64}\n"
    assert files["python/python/b/build.amd64"].decode() == f"setuptools==1 --hash=sha256:{HASH}\n"
    steps = text(files)
    assert "pip wheel --no-deps --no-build-isolation --require-hashes" in steps
    assert steps.count("--require-hashes --only-binary :all:") == 2
    assert "chown -R 1000:1000 /opt/python" in steps
    assert "chown -R 1000:1000 /opt/server" not in steps
    assert "ln -sfn /opt/server/bin/c /usr/local/bin/serve" in steps


def test_npm_gets_one_lockfile_without_hosts_for_all_levels() -> None:
    locked = chain(
        {"parent": 'node: {version: "20", packages: [x]}\n', "child": "extends: [parent]\n"},
        {"parent": {"npm_lockfile": lockfile("x")}, "child": {"npm_lockfile": lockfile("y")}},
    )
    files = dockerfile_folder(locked, PLATFORMS, suite="trixie")
    merged = json.loads(files["npm/amd64/package-lock.json"])
    assert set(merged["packages"]) == {"", "node_modules/x", "node_modules/y"}
    assert merged["packages"][""]["dependencies"] == {"x": "1", "y": "1"}
    assert b"resolved" not in files["npm/amd64/package-lock.json"]
    assert json.loads(files["npm/arm64/package.json"])["dependencies"] == {"x": "1", "y": "1"}
    assert "npm ci --ignore-scripts" in text(files)


@pytest.mark.parametrize(
    ("value", "said"),
    [("plain", '"plain"'), ('a"b', r'"a\"b"'), ("$HOME", r'"\$HOME"'), ("a\\n", r'"a\\n"'), ("", '""')],
)
def test_variables_are_taken_literally(value: str, said: str) -> None:
    assert f"\nENV X={said}\n" in text(exported(f"environment: {{X: {json.dumps(value)}}}\n"))


def test_a_value_of_several_lines_is_refused_with_its_place() -> None:
    with pytest.raises(ResolutionError, match="the value of X has line breaks") as caught:
        exported('environment: {X: "a\\nb"}\n')
    assert caught.value.where == "recipes/example/recipe.yaml:7"


def test_files_folders_and_links_get_owner_and_mode() -> None:
    body = """
user: {name: agent, uid: 1000, gid: 1000, sudo: true}
workdir: /work dir
files:
  /etc/a: {text: "x\\n"}
  /etc/b c: {text: y, mode: "0600", owner: user}
  /etc/l: {link: /etc/a, owner: user}
  /srv/d: {directory: true, mode: "0700", owner: user}
"""
    files = exported(body)
    steps = text(files)
    assert files["files/etc/a"] == b"x\n"
    assert "install -T -o 0 -g 0 -m 0644 /tmp/ohr/files/etc/a /etc/a;" in steps
    assert "install -T -o 1000 -g 1000 -m 0600 '/tmp/ohr/files/etc/b c' '/etc/b c';" in steps
    assert "ln -sfn /etc/a /etc/l;" in steps
    assert "chown -h 1000:1000 /etc/l;" in steps
    assert "install -d -o 1000 -g 1000 -m 0700 /srv/d;" in steps
    assert "install -d -o 1000 -g 1000 -m 0755 '/work dir';" in steps
    assert "NOPASSWD: ALL' >/etc/sudoers.d/agent" in steps
    assert steps.endswith("WORKDIR /work dir\nUSER 1000:1000\n")


def test_it_starts_as_the_image_does() -> None:
    body = 'entrypoint: [tini, --]\ncommand: [a, "b c"]\nports: [{name: web, port: 80}]\n'
    assert text(exported(body)).endswith(
        'EXPOSE 80/tcp\nWORKDIR /\nENTRYPOINT ["tini", "--"]\nCMD ["a", "b c"]\n'
    )


def test_the_same_locks_give_the_same_bytes() -> None:
    body = 'python: {version: "3.13"}\nfiles: {/etc/x: {text: x}}\n'
    wheels = [wheel("a", "python"), wheel("b", "python")]
    one, other = exported(body, {"wheels": wheels}), exported(body, {"wheels": wheels[::-1]})
    assert one == other
    assert list(one) == sorted(one)
