"""Judging recipes together, and how the report reads."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from openhands_recipes.adapters.recipe_store import FolderStore
from openhands_recipes.compile.recipe.faults import Code
from openhands_recipes.errors import OutsideError, UsageError
from openhands_recipes.flows import check as flow
from openhands_recipes.flows.check import Report, check, render
from tests.recipe_texts import NO_LIBRARY, TREE, project, recipe_text

BROKEN = {"base": recipe_text("base", "pakages: [git]\n"), "child": recipe_text("child", "extends: [base]\n")}


def messages(report: Report) -> list[str]:
    return [f"{fault.code} {fault.message}" for fault in report.faults]


def test_the_library_of_this_registry_has_no_fault() -> None:
    report = check(FolderStore(TREE, here=TREE))
    assert [str(fault) for fault in report.faults] == []
    assert {"base", "python", "node"} <= set(report.checked)


def test_without_names_the_whole_project_is_checked(tmp_path: Path) -> None:
    store = project(tmp_path, {"one": recipe_text("one"), "two": recipe_text("two", "tags: [A]\n")})
    report = check(store)
    assert report.checked == ("one", "two")
    assert messages(report) == ["OHR014 'tags[0]' cannot be 'A'"]
    assert not report.is_good


def test_names_are_checked_once(tmp_path: Path) -> None:
    store = project(tmp_path, {"one": recipe_text("one"), "two": "nonsense: 1"})
    assert check(store, ["one", "recipes/one", "one"]) == Report(("one",), ())


def test_a_project_without_recipes_is_told_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check(project(tmp_path, {}))
    assert str(caught.value) == (
        "there is no recipe here\n  hint: `ohr new NAME` starts one; name another project with --root"
    )


def test_a_broken_base_is_named_once_where_it_is_checked_too(tmp_path: Path) -> None:
    store = project(tmp_path, BROKEN)
    assert messages(check(store)) == ["OHR010 unknown key 'pakages'"]
    (fault,) = check(store, ["child"]).faults
    assert str(fault) == (
        "error[OHR048]: recipe 'child' builds on 'base', which is faulty itself\n"
        "  --> recipes/child/recipe.yaml:7:10\n"
        "  hint: see `ohr check base`"
    )


def test_a_recipe_with_faults_is_still_judged_by_its_bases_and_packages(tmp_path: Path) -> None:
    body = "license: mit\nextends: [bsae]\npackages: [gti, {name: gcc, version: '99'}]\n"
    report = check(project(tmp_path, {"base": recipe_text("base"), "one": recipe_text("one", body)}))
    assert [fault.code for fault in report.faults] == [
        Code.LICENSE,
        Code.UNKNOWN_BASE,
        Code.UNKNOWN_PACKAGE,
        Code.NO_STREAM,
    ]


def test_a_fault_in_a_base_is_told_once_for_all_that_extend_it(tmp_path: Path) -> None:
    texts = {"base": recipe_text("base", "packages: [gti]\n")}
    texts |= {name: recipe_text(name, "extends: [base]\n") for name in ("one", "two")}
    assert messages(check(project(tmp_path, texts))) == ["OHR050 unknown package 'gti'"]


def test_a_file_that_is_no_file_is_a_fault_like_any_other(tmp_path: Path) -> None:
    store = project(tmp_path, {"one": recipe_text("one")})
    (tmp_path / "recipes" / "two").mkdir()
    (tmp_path / "recipes" / "two" / "recipe.yaml").symlink_to("../one/recipe.yaml")
    (fault,) = check(store).faults
    assert str(fault) == (
        "error[OHR070]: the file is a link, or lies below one\n"
        "  --> recipes/two/recipe.yaml\n"
        "  hint: put the file itself there"
    )


def test_faults_of_settings_and_table_are_reported_too(tmp_path: Path) -> None:
    store = project(tmp_path, {"one": recipe_text("one", "packages: [git]\n")})
    (tmp_path / NO_LIBRARY / "recipes" / "registry.yaml").write_text("schema: 1\n")
    (tmp_path / NO_LIBRARY / "nixlib" / "packages.toml").write_text("[git]\n")
    codes = [fault.code for fault in check(store).faults]
    assert Code.PACKAGE_TABLE in codes
    assert codes.count(Code.MISSING_KEY) == 5


def test_a_recipe_that_vanishes_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = project(tmp_path, {"one": recipe_text("one")})
    monkeypatch.setattr(store, "own_names", lambda: ("gone", "one"))
    assert check(store).is_good


def test_the_machines_own_trouble_is_not_a_fault(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, library=tmp_path / "nowhere", here=tmp_path)
    (tmp_path / "recipes" / "one").mkdir(parents=True)
    (tmp_path / "recipes" / "one" / "recipe.yaml").write_text(recipe_text("one"))
    with pytest.raises(OutsideError):
        check(store)


def test_many_recipes_are_judged_in_processes_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        f"r{i}": recipe_text(f"r{i}", "extends: [base]\n" if i % 2 else "tags: [A]\n") for i in range(40)
    }
    store = project(tmp_path, {**texts, "base": recipe_text("base")})
    alone = check(store)
    monkeypatch.setattr(flow, "POOL_FROM", 10)
    monkeypatch.setattr(flow, "CHUNK", 7)
    assert check(store, workers=2) == alone
    assert len(alone.faults) == 20


def test_a_worker_does_what_one_process_does(tmp_path: Path) -> None:
    store = project(tmp_path, BROKEN)
    bench = flow.Bench(store, None, frozenset(BROKEN))
    thresholds = gc.get_threshold()
    try:
        flow._set_up(bench)
        assert flow._judge_chunk(["base", "child"]) == flow._judge_all(bench, ["base", "child"])
    finally:
        flow._bench.clear()
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_the_report_for_people_ends_with_a_count(tmp_path: Path) -> None:
    store = project(tmp_path, BROKEN)
    assert render(check(store), "text") == (
        "error[OHR010]: unknown key 'pakages'\n"
        "  --> recipes/base/recipe.yaml:7:1\n"
        "  hint: did you mean 'packages'?\n\n"
        "2 recipes checked, 1 fault in 1 file"
    )
    assert render(Report(("one",), ()), "text") == "1 recipe checked, no fault"


def test_the_report_for_programs_has_every_field(tmp_path: Path) -> None:
    report = json.loads(
        render(check(project(tmp_path, {"one": recipe_text("one", "license: mit\n")})), "json")
    )
    assert report == {
        "schema": 1,
        "good": False,
        "checked": ["one"],
        "faults": [
            {
                "code": "OHR021",
                "severity": "error",
                "title": "Not an SPDX licence expression",
                "message": "the licence 'mit' is spelled 'MIT'",
                "file": "recipes/one/recipe.yaml",
                "line": 6,
                "column": 10,
                "path": "license",
                "hint": "write MIT",
                "fix": "MIT",
            }
        ],
    }


def test_the_report_for_github_is_annotations(tmp_path: Path) -> None:
    body = 'tests: [{name: "a", run: x, stdout: {matches: "("}}]\n'
    report = check(project(tmp_path, {"one": recipe_text("one", body), "two": b"\xff"}))
    assert render(report, "github") == (
        "::error file=recipes/one/recipe.yaml,line=7,col=47,title=OHR025 Not a regular expression::"
        "'(' is not a regular expression: missing ), unterminated subpattern at position 0"
        "%0Ahint: the syntax is that of Python's re module\n"
        "::error file=recipes/two/recipe.yaml,line=1,col=1,title=OHR002 The document is not UTF-8::"
        "byte 0xff is not UTF-8%0Ahint: save the file with the encoding UTF-8"
    )
    assert render(Report(("one",), ()), "github") == ""


def test_annotations_escape_what_github_would_read(tmp_path: Path) -> None:
    text = recipe_text("one", 'tags: ["100%"]\n')
    report = check(project(tmp_path / "a,b:c", {"one": text}))
    fault = report.faults[0]
    moved = Report(("one",), (type(fault)(fault.code, fault.message, "a,b:c.yaml"),))
    assert render(moved, "github") == (
        "::error file=a%2Cb%3Ac.yaml,title=OHR014 Text of the wrong form::'tags[0]' cannot be '100%25'"
    )


NEWER = 'unavailable: {debian: has Node.js 20 only}\nnode: {version: "24", packages: [typescript]}\n'


def test_a_recipe_that_debian_cannot_provide_is_judged_by_nixpkgs(tmp_path: Path) -> None:
    texts = {
        "newer": recipe_text("newer", NEWER),
        "silent": recipe_text("silent", NEWER.partition("\n")[2]),
        "nowhere": recipe_text("nowhere", "unavailable: {debian: one, nixpkgs: two}\n"),
        "wrong": recipe_text("wrong", 'unavailable: {debian: x}\nnode: {version: "18"}\n'),
    }
    faults = check(project(tmp_path, texts)).faults
    assert [(fault.code, fault.file.split("/")[1]) for fault in faults] == [
        ("OHR101", "newer"), ("OHR100", "nowhere"), ("OHR100", "nowhere"), ("OHR052", "silent"),
        ("OHR052", "wrong"),
    ]  # fmt: skip
    assert faults[3].hint == "version streams: 20 (default); nixpkgs has it"


def test_any_recipe_can_be_judged_by_nixpkgs(tmp_path: Path) -> None:
    store = project(tmp_path, {"tools": recipe_text("tools", "packages: [git, debhelper]\n")})
    assert check(store).is_good
    (fault,) = check(store, source="nixpkgs").faults
    assert fault.message.startswith("package 'debhelper' is not available from nixpkgs")


def test_names_of_language_packages_are_read_and_judged(tmp_path: Path) -> None:
    store = project(tmp_path, {"newer": recipe_text("newer", NEWER)})
    table = tmp_path / "nixlib" / "languages.toml"
    table.parent.mkdir()
    table.write_text('[python]\n[npm]\ntypescript = "typescript"\n')
    assert check(store).is_good
    table.write_text("[python]\n")
    assert {fault.code for fault in check(store).faults} == {"OHR053", "OHR101"}
