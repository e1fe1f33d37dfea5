from __future__ import annotations

import json
from typing import Any

import pytest

from openhands_recipes.compile.nix.closure import (
    check_closure,
    check_fresh_closure,
    closure_changes,
    closure_inputs,
    flake_digest,
    name_and_version,
    read_closure,
    write_closure,
)
from openhands_recipes.errors import InvalidRecipeError, StaleLockError, VerificationError
from openhands_recipes.model.flake import FlakeData, FlakeLanguage, FlakeLibrary, FlakePackage
from openhands_recipes.model.nix import ClosureLock, ClosurePlatform, StorePath
from openhands_recipes.model.settings import NixpkgsPin

FLAKE = flake_digest({"flake.nix": b"x"})
PIN = NixpkgsPin(ref="unstable", rev="0" * 40, narHash="sha256-" + "A" * 43 + "=", lastModified=1)


def path(name: str, *, nar: str = "A", key: str = "a") -> StorePath:
    return StorePath(
        path=f"/nix/store/{key * 32}-{name}", narHash=f"sha256-{nar * 43}=", narSize=100, references=()
    )


def platform(*paths: StorePath) -> ClosurePlatform:
    return ClosurePlatform(root=paths[0].path, paths=paths)


def data(**changes: Any) -> FlakeData:
    python = FlakeLanguage(
        attribute="python313", packages=(FlakeLibrary(name="numpy", attribute="numpy", range=">=2"),)
    )
    fields: dict[str, Any] = {
        "name": "tools", "version": "1.0.0", "summary": "Tools", "license": "MIT", "tags": (),
        "systems": ("x86_64-linux",), "packages": (FlakePackage(name="jq", attribute="jq"),),
        "python": python,
        "node": None, "environment": {}, "path": (), "shell_hook": "", "tests": (), "omitted": (),
    }  # fmt: skip
    return FlakeData(**(fields | changes))


def closure(*paths: StorePath, **changes: Any) -> ClosureLock:
    fields: dict[str, Any] = {
        "recipe": "tools", "version": "1.0.0", "flake": FLAKE, "inputs": closure_inputs(data()),
        "nixpkgs": PIN,
        "platforms": {"linux/amd64": platform(*(paths or (path("jq-1.8"),)))},
    }  # fmt: skip
    return ClosureLock(**(fields | changes))


def test_a_closure_is_written_and_read_in_the_same_bytes() -> None:
    made = closure(path("jq-1.8"), path("glibc-2.41", key="b"))
    content = write_closure(made)
    assert read_closure(content, file="x") == made
    assert write_closure(read_closure(content, file="x")) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not a closure"),
        (b'{"schema": 2}', "closure schema 2"),
        (b'{"schema": 1}', "recipe: Field required"),
    ],
)
def test_what_is_no_closure_is_told_with_its_file(content: bytes, message: str) -> None:
    with pytest.raises(InvalidRecipeError, match=message) as caught:
        read_closure(content, file="recipe.closure.json")
    assert caught.value.where == "recipe.closure.json"
    assert "ohr lock --from nixpkgs" in (caught.value.hint or "")


def test_a_fresh_closure_passes() -> None:
    check_fresh_closure(closure(), data(summary="Other words"), PIN, file="x")


def test_a_stale_closure_says_what_changed() -> None:
    library = FlakeLibrary(name="numpy", attribute="numpy", range=">=3")
    now = data(
        packages=(FlakePackage(name="ripgrep", attribute="ripgrep"),),
        python=FlakeLanguage(attribute="python313", packages=(library,)),
        version="1.1.0",
    )
    moved = PIN.model_copy(update={"rev": "1" * 40})
    with pytest.raises(StaleLockError) as caught:
        check_fresh_closure(closure(), now, moved, file="x")
    assert caught.value.message == (
        "the closure of 'tools' is stale: packages +ripgrep -jq; python ~numpy; version changed; "
        "nixpkgs unstable 000000000000 (sha256-AAAAAAAA...) -> unstable 111111111111 (sha256-AAAAAAAA...)"
    )
    with pytest.raises(StaleLockError, match="python changed"):
        check_fresh_closure(closure(), data(python=None), PIN, file="x")


def test_the_same_closure_is_proved() -> None:
    check_closure(closure(), platform(path("jq-1.8")), "linux/amd64", flake=FLAKE)


def test_another_closure_of_the_same_flake_fails_verification_and_names_the_paths() -> None:
    got = platform(path("jq-1.8", nar="B"), path("new-1", key="c"))
    with pytest.raises(VerificationError) as caught:
        check_closure(closure(path("jq-1.8"), path("old-1", key="d")), got, "linux/amd64", flake=FLAKE)
    for line in ("missing    /nix/store/d", "unexpected /nix/store/c", "different  /nix/store/a"):
        assert line in caught.value.message
    assert caught.value.exit_code == 4


def test_another_closure_of_another_flake_is_stale() -> None:
    with pytest.raises(StaleLockError, match="its flake changed"):
        check_closure(
            closure(),
            platform(path("jq-1.9", key="c")),
            "linux/amd64",
            flake=flake_digest({"flake.nix": b"y"}),
        )


def test_a_platform_that_is_not_locked_is_stale() -> None:
    with pytest.raises(StaleLockError, match="not locked for linux/arm64"):
        check_closure(closure(), platform(path("jq-1.8")), "linux/arm64", flake=FLAKE)


def test_only_some_of_many_differences_are_listed() -> None:
    got = platform(*(path(f"p-{n}", key="c") for n in range(30)))
    with pytest.raises(VerificationError, match="and 21 more"):
        check_closure(closure(), got, "linux/amd64", flake=FLAKE)


def test_changes_are_told_by_package_and_version() -> None:
    new = closure(path("jq-1.9", key="c"), path("glibc-2.41", key="b"), path("glibc-2.41-bin", key="d"))
    told = [(c.name, c.before, c.after) for c in closure_changes(closure(), new)]
    assert told == [("glibc", None, "2.41 2.41-bin"), ("jq", "1.8", "1.9")]
    assert [c.name for c in closure_changes(None, closure())] == ["jq"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("jq-1.8.1-bin", ("jq", "1.8.1-bin")),
        ("python3-3.13-env", ("python3", "3.13-env")),
        ("hook", ("hook", "")),
    ],
)
def test_names_are_cut_where_nix_cuts_them(text: str, parts: tuple[str, str]) -> None:
    assert name_and_version(text) == parts


def test_the_lock_of_a_flake_is_not_part_of_its_digest() -> None:
    assert flake_digest({"flake.nix": b"x", "flake.lock": b"y"}) == FLAKE
    assert json.loads(write_closure(closure()))["flake"] == FLAKE
