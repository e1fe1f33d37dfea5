"""What is written twice is compared, and what must not be written at all is searched for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from openhands_recipes.cli.main import main, run_with
from openhands_recipes.compile.recipe.schema import SCHEMAS, schema_text
from tests.commands_page import commands_page, help_of

TREE = Path(__file__).parent.parent


# --- written twice -----------------------------------------------------------------------------------


def test_the_readme_shows_the_help_there_is(golden: Callable[[Path, str], None]) -> None:
    readme = TREE / "README.md"
    text = readme.read_text()
    block = re.compile(r"(?<=\$ ohr --help\n).*?(?=```)", re.DOTALL)
    assert block.search(text), "README.md has no block that begins with `$ ohr --help`"
    golden(readme, block.sub(lambda _: help_of(main, "ohr") + "\n", text))


def test_the_page_of_commands_is_what_the_commands_say(golden: Callable[[Path, str], None]) -> None:
    golden(TREE / "docs" / "commands.md", commands_page())


@pytest.mark.parametrize("file", SCHEMAS)
def test_the_published_schemas_are_those_of_the_models(
    file: str, golden: Callable[[Path, str], None]
) -> None:
    golden(TREE / "schema" / file, schema_text(file))


def test_the_recipe_in_the_readme_is_a_good_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = re.search(r"```yaml\n(.*?)```", (TREE / "README.md").read_text(), re.DOTALL)
    assert block
    folder = tmp_path / "recipes" / "my-tools"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(block[1])
    assert run_with(["--root", str(tmp_path), "check", "my-tools"]) == 0, capsys.readouterr().out


def test_the_changelog_has_a_place_for_what_is_new() -> None:
    assert "\n## [Unreleased]\n" in (TREE / "CHANGELOG.md").read_text()


def test_every_code_of_a_fault_has_its_page() -> None:
    codes = set()
    for module in (TREE / "openhands_recipes").rglob("*.py"):
        codes |= set(re.findall(r'"(OHR\d{3})"', module.read_text()))
    pages = {page.stem for page in (TREE / "docs" / "errors").glob("OHR*.md")}
    assert codes
    assert codes == pages


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(TREE)}: {target}"
        for page in [*TREE.glob("*.md"), *(TREE / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_every_page_can_be_reached_from_the_first() -> None:
    reached, waiting = set(), [TREE / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            targets = re.findall(r"\]\(([^)#:\s]+)\)", page.read_text())
            waiting += [(page.parent / target).resolve() for target in targets]
    assert set((TREE / "docs").rglob("*.md")) <= reached


# --- workflows -----------------------------------------------------------------------------------------

WORKFLOWS = sorted((TREE / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_nothing_and_each_job_says_what_it_may(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    used = re.findall(r"uses: *(.*)", path.read_text())
    assert all(re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)


# --- never written -------------------------------------------------------------------------------------


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TREE,
        check=False,
        capture_output=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = (TREE / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in files if path.is_file() and not path.is_symlink()]


def _printed(*command: str) -> list[str]:
    if not shutil.which(command[0]):
        return []
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.split()


def _settings() -> Iterator[str]:
    """Everything this machine's package managers say about where they fetch from."""
    yield from _printed("apt-get", "indextargets", "--format", "$(SITE)")
    for word in _printed("apt-config", "dump"):
        if "://" in word:
            yield word
    for line in _printed(sys.executable, "-m", "pip", "config", "list"):
        yield line.partition("=")[2].strip("'\"")
    yield from _printed("npm", "config", "get", "registry")
    index = "from pip._internal.models.index import PyPI as p; print(p.url, p.file_storage_domain)"
    yield from _printed(sys.executable, "-c", index)


def hosts() -> set[str]:
    """Names of the mirrors, indexes, registries and proxies this machine uses."""
    found = set()
    for setting in _settings():
        text = setting.strip("\"';")
        name = urlsplit(text).hostname if "://" in text else text
        if name and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", name) and not name.startswith("127."):
            found.add(name)
    return {name for name in found if re.search(r"[a-z]", name.rpartition(".")[2])} - {"localhost"}


def test_no_file_names_a_mirror_or_a_place_of_this_machine() -> None:
    forbidden = {name.encode() for name in hosts()} | {f"{TREE}/".encode()}
    wrong = [
        f"{path.relative_to(TREE)} holds {word.decode()}"
        for path in committed()
        for content in (path.read_bytes(),)
        for word in forbidden
        if re.search(rb"(?<![\w.-])" + re.escape(word), content)
    ]
    assert not wrong


# --- the wheel -------------------------------------------------------------------------------------------


def build_wheel(source: Path, out: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(TREE, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_what_it_needs_away_from_the_repository(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = "openhands_recipes/data"
    needed = {
        f"{data}/nixlib/packages.toml",
        f"{data}/schema/recipe.schema.json",
        f"{data}/recipes/registry.yaml",
        f"{data}/recipes/base/recipe.yaml",
        "openhands_recipes/py.typed",
    }
    assert needed <= set(names)
    assert any(name.startswith("openhands_recipes/keys/debian/") for name in names)


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"openhands_recipes"}


def test_the_same_wheel_comes_out_of_another_folder(wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copy"
    for path in committed():
        target = copy / path.relative_to(TREE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    assert build_wheel(copy, tmp_path / "out").read_bytes() == wheel.read_bytes()
