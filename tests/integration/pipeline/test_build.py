"""Recipes become images: always the same bytes, and never more work than there is to do."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pipeline.command import Ohr

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("build")]

RECIPE = """\
schema: 1
name: {name}
version: 1.0.0
summary: A leaf for a test
license: MIT
maintainers: [{{github: someone, id: 1}}]
extends: [{extends}]
packages: [{packages}]
tests:
  - {{name: it runs, run: {run}}}
"""


def write_recipe(ohr: Ohr, name: str, *, extends: str, packages: str = "", run: str = "true") -> None:
    folder = ohr.root / "recipes" / name
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(
        RECIPE.format(name=name, extends=extends, packages=packages, run=json.dumps(run))
    )


def test_the_report_names_every_layer_and_what_was_new(ohr: Ohr, tmp_path: Path) -> None:
    fresh = ohr.with_cache(tmp_path)
    report = fresh.build("base")
    assert report["reused_bytes"] == 0
    assert report["new_bytes"] == sum(layer["size"] for layer in report["layers"])
    assert {"digest", "diff_id", "size", "group"} == set(report["layers"][0])
    assert report["layers"][-1]["group"] == "base/files"
    assert report["seconds"]["total"] > 0


def test_an_unchanged_image_is_recognised_and_nothing_is_made(ohr: Ohr) -> None:
    first = ohr.build("base")
    again = ohr.build("base")
    assert again["digest"] == first["digest"]
    assert (again["new_bytes"], again["reused_bytes"]) == (0, sum(x["size"] for x in again["layers"]))
    assert set(again["seconds"]) == {"total"}


def test_folder_cores_time_zone_locale_and_umask_do_not_change_the_digest(ohr: Ohr, tmp_path: Path) -> None:
    expected = ohr.build("base")["digest"]
    root = tmp_path / "elsewhere"
    shutil.copytree(ohr.root, root)
    code = (
        "import os, sys; os.umask(0o077); os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from openhands_recipes.cli.main import run; run()"
    )
    environment = os.environ | {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "HOME": str(tmp_path),
    }
    options = ["--root", str(root), "--cache", str(tmp_path / "c")]
    done = subprocess.run(
        [sys.executable, "-c", code, *options, "build", "base", "--format", "json"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["digest"] == expected


@pytest.fixture
def ordinary_user() -> Iterator[str]:
    if os.geteuid() != 0:
        pytest.skip("this machine lacks root for the tests, so they cannot become somebody else")
    if not all(map(shutil.which, ("newuidmap", "useradd"))):
        pytest.skip("this machine lacks newuidmap or useradd")
    name = "ohr-build-test"
    subprocess.run(["userdel", "-r", name], check=False, capture_output=True)
    subprocess.run(["useradd", "--create-home", "--user-group", name], check=True)
    span = "3100000000-3100065535"
    subprocess.run(["usermod", "--add-subuids", span, "--add-subgids", span, name], check=True)
    yield name
    subprocess.run(["userdel", "-r", name], check=True, capture_output=True)


def python_of_the_machine() -> str:
    """The tests' own Python may lie in a home nobody else may enter; the same version elsewhere will do."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        if Path(candidate).exists():
            return candidate
    pytest.skip(f"this machine lacks a {version} that other users may run")


def test_an_ordinary_user_builds_the_same_image_as_root(ohr: Ohr, ordinary_user: str) -> None:
    expected = ohr.build("base")["digest"]
    home = Path("/home") / ordinary_user
    packages = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    unwanted = shutil.ignore_patterns("__pycache__", "*editable*", "mypy*", "ruff*", "hypothesis")
    shutil.copytree(packages, home / "site", ignore=unwanted)
    tree = Path(__file__).resolve().parents[3]
    shutil.copytree(tree / "openhands_recipes", home / "site" / "openhands_recipes", dirs_exist_ok=True)
    shutil.copytree(ohr.root, home / "project")
    subprocess.run(["chown", "-R", f"{ordinary_user}:", str(home)], check=True)
    program = "from openhands_recipes.cli.main import run; run()"
    options = ["--root", str(home / "project"), "build", "base", "--format", "json"]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "PYTHONPATH": str(home / "site"),
    }
    done = subprocess.run(
        [python_of_the_machine(), "-B", "-c", program, *options],
        env=environment,
        user=ordinary_user,
        group=ordinary_user,
        extra_groups=[],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == expected


def test_a_leaf_package_adds_its_own_layer_and_a_small_configuration(ohr: Ohr) -> None:
    parent = ohr.build("base")
    write_recipe(ohr, "leaf", extends="base", packages="tree", run="tree --version")
    ohr("lock", "leaf")
    child = ohr.build("leaf")
    count = len(parent["layers"])
    assert [x["digest"] for x in child["layers"][:count]] == [x["digest"] for x in parent["layers"]]
    assert [x["group"].partition("/")[0] for x in child["layers"][count:]] == ["leaf", "leaf"]
    assert child["layers"][-1]["group"] == "leaf/configuration"
    assert child["layers"][-1]["size"] <= 500_000
    assert child["new_bytes"] == sum(x["size"] for x in child["layers"][count:])


def test_both_parents_of_a_diamond_are_whole_in_it(ohr: Ohr) -> None:
    """Complete dpkg status, both languages' tests, data layers shared with both parents."""
    write_recipe(ohr, "web", extends="python, node", run="node --version && python3 --version")
    ohr("lock", "web")
    parents = {
        name: {x["digest"]: x["group"] for x in ohr.build(name)["layers"]} for name in ("python", "node")
    }
    web = {x["digest"]: x["group"] for x in ohr.build("web")["layers"]}
    for name, layers in parents.items():
        data = {
            digest
            for digest, group in layers.items()
            if group.startswith(f"{name}/") and "configuration" not in group and "files" not in group
        }
        assert data, name
        assert data <= web.keys()
    report = ohr("test", "web", "--format", "json").json[0]
    assert report["ok"], [v for v in report["verdicts"] if not v["ok"]]
    names = {v["name"] for v in report["verdicts"]}
    assert {
        "pip installs a package from a local folder",
        "node runs a program with a server and a client",
    } <= names
    assert "the package database is complete" in names


def test_a_layout_holds_every_blob_under_its_digest(ohr: Ohr, tmp_path: Path) -> None:
    report = ohr.build("base", "--layout", str(tmp_path / "layout"))
    blobs = tmp_path / "layout" / "blobs" / "sha256"
    for blob in blobs.iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert {x["digest"].removeprefix("sha256:") for x in report["layers"]} <= {
        b.name for b in blobs.iterdir()
    }


def test_the_gzip_twin_has_the_same_content_and_other_blobs(ohr: Ohr) -> None:
    zstd, gzip = ohr("build", "base", "--compression", "both", "--format", "json").json
    assert [x["diff_id"] for x in zstd["layers"]] == [x["diff_id"] for x in gzip["layers"]]
    assert zstd["digest"] != gzip["digest"]


def test_a_changed_recipe_must_be_locked_again_and_the_message_says_what_changed(ohr: Ohr) -> None:
    write_recipe(ohr, "stale", extends="base")
    ohr("lock", "stale")
    write_recipe(ohr, "stale", extends="base", packages="tree")
    failed = ohr("build", "stale", expect=1)
    assert "error: the lock of 'stale' is stale: packages +tree" in failed.stderr
    assert "hint: run `ohr lock stale`" in failed.stderr


def test_a_recipe_that_was_never_locked_says_how_to(ohr: Ohr) -> None:
    write_recipe(ohr, "fresh", extends="base")
    failed = ohr("build", "fresh", expect=1)
    assert "error: recipe 'fresh' was never locked" in failed.stderr
    assert "hint: run `ohr lock fresh`" in failed.stderr


def test_a_new_version_alone_is_written_into_the_lock_and_asks_no_mirror(
    ohr: Ohr, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe(ohr, "bumped", extends="base", packages="tree")
    ohr("lock", "bumped")
    recipe, lock = (ohr.root / "recipes" / "bumped" / name for name in ("recipe.yaml", "recipe.lock.json"))
    before = lock.read_text()
    recipe.write_text(recipe.read_text().replace("version: 1.0.0", "version: 1.0.1"))
    monkeypatch.setenv("OHR_DEBIAN_MIRROR", "http://127.0.0.1:9/nothing")
    said = ohr("lock", "bumped").stdout
    assert "bumped: 0 added, 0 changed, 0 removed" in said
    after = lock.read_text()
    assert after == before.replace('"version": "1.0.0"\n}', '"version": "1.0.1"\n}')
    assert after != before
    assert "up to date" in ohr("lock", "bumped").stdout


def test_locking_twice_changes_nothing(ohr: Ohr) -> None:
    write_recipe(ohr, "twice", extends="base", packages="tree")
    ohr("lock", "twice")
    lock = ohr.root / "recipes" / "twice" / "recipe.lock.json"
    before = lock.read_bytes()
    assert "up to date" in ohr("lock", "twice").stdout
    assert ohr("lock", "--update", "twice").stdout.endswith("twice: nothing changed\n")
    assert lock.read_bytes() == before
    assert b"://" not in before
