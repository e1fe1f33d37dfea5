"""What a composed recipe comes to as the data of a flake."""

from __future__ import annotations

import json
import re

import pytest

from openhands_recipes.compile.nix.flake import flake_data, read_flake_data, write_flake_data
from openhands_recipes.compile.nix.languages import parse_language_names
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.packages import parse_package_table
from openhands_recipes.errors import InvalidRecipeError, ResolutionError
from openhands_recipes.model.flake import FlakeData, FlakeLibrary, FlakePackage
from openhands_recipes.model.platform import PLATFORMS
from tests.recipe_texts import library

TABLE = parse_package_table(
    b"""
[git]
summary = "Version control"
debian = ["git"]
nixpkgs = ["git"]

[sudo]
summary = "Become root"
debian = ["sudo"]
nixpkgs = { omitted = "belongs to the machine" }

[xvfb]
summary = "Display"
debian = ["xvfb"]
nixpkgs = ["xvfb", "xauth"]

[dh]
summary = "Debian only"
debian = ["debhelper"]
nixpkgs = { unavailable = "nobody needs it" }

[silent]
summary = "No column yet"
debian = ["silent"]

[gcc]
summary = "Compiler"
default = "12"
streams."12" = { debian = ["gcc-12"], nixpkgs = { unavailable = "too old" } }
streams."14" = { debian = ["gcc-14"], nixpkgs = ["gcc14"] }
streams."15" = { debian = { unavailable = "too new" }, nixpkgs = ["gcc15"] }

[clang]
summary = "Another compiler"
debian = ["clang"]
nixpkgs = ["clang"]

[python]
summary = "Python"
default = "3.13"
streams."3.12" = { debian = { unavailable = "too old" }, nixpkgs = ["python312"] }
streams."3.13" = { debian = ["python3"], nixpkgs = ["python313"] }

[node]
summary = "Node.js"
default = "20"
streams."20" = { debian = ["nodejs"], nixpkgs = ["nodejs_20"] }
""",
    file="packages.toml",
)
NAMES = parse_language_names(
    b"""
[python]
bs4 = "beautifulsoup4"
pywin32 = { unavailable = "it is for Windows only" }
[npm]
typescript = "typescript"
"@biomejs/biome" = "biome"
""",
    file="languages.toml",
)


def data_of(body: str, **bodies: str) -> FlakeData:
    composed = compose("example", library(**bodies, example=body))
    return flake_data(composed, TABLE, NAMES, platforms=PLATFORMS)


def refusal(body: str, **bodies: str) -> list[str]:
    with pytest.raises(ResolutionError) as caught:
        data_of(body, **bodies)
    return [str(fault) for fault in caught.value.faults]


def left_out(data: FlakeData, kind: str) -> dict[str, str]:
    return {thing.name: thing.reason for thing in data.omitted if thing.kind == kind}


# --- packages ------------------------------------------------------------------------------------------


def test_clang_comes_after_gcc_whose_cc_is_to_win() -> None:
    data = data_of('packages: [clang, {name: gcc, version: ">=15"}, xvfb]\n')
    assert [package.name for package in data.packages] == ["gcc", "xvfb", "xvfb", "clang"]


def test_packages_are_attributes_sorted_by_name() -> None:
    data = data_of("packages: [xvfb, git]\n")
    assert data.packages == (
        FlakePackage(name="git", attribute="git"),
        FlakePackage(name="xvfb", attribute="xauth"),
        FlakePackage(name="xvfb", attribute="xvfb"),
    )


def test_what_belongs_to_the_machine_is_left_out_with_its_reason() -> None:
    data = data_of("packages: [git, sudo]\n")
    assert [package.name for package in data.packages] == ["git"]
    assert left_out(data, "package") == {"sudo": "belongs to the machine"}


def test_a_default_that_nixpkgs_lacks_gives_way_to_the_newest_stream_that_fits() -> None:
    assert data_of('packages: [{name: gcc, version: ">=12"}]\n').packages[0].attribute == "gcc15"
    assert data_of('packages: [{name: gcc, version: "<15"}]\n').packages[0].attribute == "gcc14"
    assert data_of("packages: [gcc]\n").packages[0].attribute == "gcc15"


def test_what_nixpkgs_lacks_is_told_all_at_once_with_what_there_is_instead() -> None:
    assert refusal('packages: [dh, silent, {name: gcc, version: "12"}]\nnode: {version: "22"}\n') == [
        (
            "error[OHR052]: package 'dh' is not available from nixpkgs: nobody needs it\n"
            "  --> recipes/example/recipe.yaml:7:12\n  hint: take another package; debian has it"
        ),
        (
            "error[OHR052]: package 'silent' is not available from nixpkgs: "
            "the package table has no name for it\n"
            "  --> recipes/example/recipe.yaml:7:16\n  hint: take another package; debian has it"
        ),
        (
            "error[OHR052]: package 'gcc' 12 is not available from nixpkgs: too old\n"
            "  --> recipes/example/recipe.yaml:7:24\n  hint: version streams: 14, 15; debian has it"
        ),
        (
            "error[OHR051]: no version stream of package 'node' fits '22'\n"
            "  --> recipes/example/recipe.yaml:8:8\n  hint: version streams: 20 (default)"
        ),
    ]


def test_the_fault_of_a_module_is_shown_where_the_module_says_it() -> None:
    (fault,) = refusal("extends: [module]\n", module="packages: [dh]\n")
    assert "--> recipes/module/recipe.yaml:7:12" in fault


def test_a_recipe_can_say_that_it_cannot_be_had_from_nixpkgs() -> None:
    assert refusal("packages: [dh]\nunavailable: {nixpkgs: needs dpkg}\n") == [
        (
            "error[OHR100]: recipe 'example' cannot be had from nixpkgs: needs dpkg\n"
            "  --> recipes/example/recipe.yaml:8:15\n  hint: take it from another source: --from debian"
        )
    ]


# --- languages -----------------------------------------------------------------------------------------


def test_python_packages_come_from_the_set_of_the_interpreter() -> None:
    body = 'python: {version: "3.12", packages: ["Zope.Interface >=2,!=3", bs4, "uvicorn[standard]"]}\n'
    python = data_of(body).python
    assert python is not None
    assert python.attribute == "python312"
    assert python.packages == (
        FlakeLibrary(name="bs4", attribute="beautifulsoup4"),
        FlakeLibrary(name="uvicorn", attribute="uvicorn", extras=("standard",)),
        FlakeLibrary(name="zope-interface", attribute="zope-interface", range="!=3,>=2"),
    )


def test_requirements_for_other_places_are_left_out() -> None:
    markers = ["sys_platform == 'win32'", "python_version < '3.10'", "platform_machine == 'aarch64'"]
    texts = ", ".join(f'"p{i}; {marker}"' for i, marker in enumerate(markers))
    python = data_of(f'python: {{version: "3.13", packages: [{texts}]}}\n').python
    assert python is not None
    assert [package.name for package in python.packages] == ["p2"]


def test_npm_packages_are_programs_of_the_top_level() -> None:
    node = data_of('node: {version: "20", packages: ["@biomejs/biome", "typescript@^5.4"]}\n').node
    assert node is not None
    assert node.attribute == "nodejs_20"
    assert node.packages == (
        FlakeLibrary(name="@biomejs/biome", attribute="biome"),
        FlakeLibrary(name="typescript", attribute="typescript", range="^5.4"),
    )


@pytest.mark.parametrize(
    ("npm", "said"),
    [
        (">=4 <6", ">=4,<6"),
        (">= 4.2", ">=4.2"),
        ("~5.1", "~5.1"),
        ("5.x", "5"),
        ("4 || 5", ""),
        ("1.0.0 - 2.0.0", ""),
        ("*", ""),
    ],
)
def test_ranges_of_npm_are_said_in_the_words_of_nixlib_or_not_at_all(npm: str, said: str) -> None:
    node = data_of(f'node: {{version: "20", packages: ["typescript@{npm}"]}}\n').node
    assert node is not None
    assert node.packages[0].range == said


def test_languages_packages_that_nixpkgs_lacks_are_named_with_their_place() -> None:
    faults = refusal(
        'python: {version: "3.13", packages: [pywin32]}\nnode: {version: "20", packages: [left-pad]}\n'
    )
    hint = (
        "  hint: names are in nixlib/languages.toml; "
        "a recipe that does without nixpkgs says `unavailable: {nixpkgs: ...}`"
    )
    assert faults == [
        (
            "error[OHR101]: the Python package 'pywin32' is not available from nixpkgs: "
            "it is for Windows only\n"
            f"  --> recipes/example/recipe.yaml:7:38\n{hint}"
        ),
        (
            "error[OHR101]: the npm package 'left-pad' is not available from nixpkgs: "
            "it has no set of npm packages, only programs\n"
            f"  --> recipes/example/recipe.yaml:8:34\n{hint}"
        ),
    ]


def test_an_interpreter_that_only_applications_use_is_left_out_with_them() -> None:
    application = (
        'applications: [{name: server, python: {version: "3.13", packages: [x]}, commands: {s: s}}]\n'
    )
    data = data_of(application)
    assert (data.packages, data.python) == ((), None)
    assert left_out(data, "application") == {
        "server": "an application with a world of its own: part of images"
    }
    asked_for = data_of(application + "packages: [python]\n")
    assert [package.attribute for package in asked_for.packages] == ["python313"]
    both = data_of(application + 'python: {version: "3.12"}\n')
    assert both.python is not None
    assert both.python.attribute == "python312"
    assert both.packages == ()


# --- surroundings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("C.UTF-8", True),
        ("1", True),
        ("", True),
        ("/tmp/cache", True),  # noqa: S108 - the value of a variable
        ("https://example.org/opt/x", True),
        (":8000/ready", True),
        ("/opt/python", False),
        ("-I/usr/include -O2", False),
        ("a:/usr/lib/x", False),
        ("/home/openhands/.cache", False),
        ("/workspace", False),
        ("/tmpfoo", False),  # noqa: S108 - the same
    ],
)
def test_variables_that_point_into_the_image_stay_there(value: str, kept: bool) -> None:  # noqa: FBT001
    data = data_of(f"environment: {{X: {json.dumps(value)}}}\n")
    assert ("X" in data.environment) is kept
    assert ("X" in left_out(data, "variable")) is not kept


def test_folders_of_path_in_the_home_are_those_of_whoever_runs_the_shell() -> None:
    user = "user: {name: agent, uid: 1000, gid: 1000}\n"
    data = data_of(user + "path: [/home/agent/go/bin, /opt/tool/bin, /home/other/bin]\n")
    assert data.path == ("~/go/bin",)
    assert set(left_out(data, "path")) == {"/opt/tool/bin", "/home/other/bin"}
    assert data_of("path: [/home/agent/bin]\n").path == ()


def test_files_stay_in_the_image() -> None:
    data = data_of("files: {/etc/x.conf: {text: x}}\n")
    assert data.files == ()
    assert left_out(data, "file") == {"/etc/x.conf": "files belong to images"}


def test_tests_of_the_image_stay_there_and_the_others_come_by_name() -> None:
    body = """tests:
  - {name: z, run: "true"}
  - {name: i, run: "true", scope: image}
  - {name: d, run: "true", scope: debian}
  - {name: a, run: exit 3, exit_code: 3, stdout: {matches: x}, timeout: 5, scope: anywhere}
"""
    data = data_of(body)
    assert [test.name for test in data.tests] == ["a", "z"]
    assert left_out(data, "test") == {"i": "its scope is 'image'", "d": "its scope is 'debian'"}
    written = json.loads(write_flake_data(data))["tests"][0]
    assert written == {
        "name": "a",
        "run": "exit 3",
        "exit_code": 3,
        "stdout": {"matches": "x"},
        "stderr": None,
        "timeout": 5,
    }


def test_identity_systems_and_hook_are_told() -> None:
    data = data_of("tags: [b, a]\nshell_hook: echo hi\n")
    assert (data.name, data.version, data.summary, data.license) == ("example", "1.0.0", "An example", "MIT")
    assert data.tags == ("a", "b")
    assert data.systems == ("x86_64-linux", "aarch64-linux")
    assert data.shell_hook == "echo hi"


def test_the_file_has_sorted_keys_and_reads_back() -> None:
    data = data_of('packages: [git]\npython: {version: "3.13", packages: [numpy]}\nenvironment: {A: "é"}\n')
    content = write_flake_data(data)
    value = json.loads(content)
    assert list(value) == sorted(value)
    assert "é" in content.decode()
    assert content.endswith(b"}\n")
    assert read_flake_data(content) == data


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[python", "not TOML"),
        (b"\xff", "not TOML"),
        (b"[python]\n", "npm: Field required"),
        (b"[npm]\n[python]\nx = 1\n", "python.x"),
    ],
)
def test_a_malformed_table_of_names_says_where(content: bytes, said: str) -> None:
    with pytest.raises(InvalidRecipeError, match=re.escape(said)) as caught:
        parse_language_names(content, file="languages.toml")
    assert caught.value.where == "languages.toml"
