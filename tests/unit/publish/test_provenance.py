"""Provenance and test results as the formats want them."""

from __future__ import annotations

from pathlib import Path

from openhands_recipes.flows.release_evidence import statements
from openhands_recipes.model.digest import digest_of
from openhands_recipes.publish.provenance import Origin, provenance
from tests.releases import COMMIT, sample

INDEX = digest_of(b"index")


def test_provenance_names_commit_locks_and_the_hash_of_every_part(tmp_path: Path) -> None:
    candidate = sample(tmp_path).candidate
    origin = Origin(COMMIT, "https://example.com/recipes", "https://example.com/release.yml@main", "run/1")
    said = provenance(candidate.contents(INDEX), candidate.locks, origin, compression="zstd")
    dependencies = said["buildDefinition"]["resolvedDependencies"]
    assert dependencies[0] == {
        "name": "recipes",
        "uri": f"git+https://example.com/recipes@{COMMIT}",
        "digest": {"gitCommit": COMMIT},
    }
    assert dependencies[1]["name"] == "recipes/sample/recipe.lock.json"
    assert {entry["digest"]["sha256"] for entry in dependencies[2:]} == {
        "a" * 64, "b" * 64, "d" * 64, "e" * 64,
    }  # fmt: skip
    assert said["runDetails"]["builder"]["id"] == "https://example.com/release.yml@main"
    assert said["runDetails"]["metadata"] == {"invocationId": "run/1"}
    assert said["buildDefinition"]["externalParameters"]["platforms"] == ["linux/amd64"]


def test_a_build_at_a_desk_claims_no_more_than_it_knows(tmp_path: Path) -> None:
    candidate = sample(tmp_path).candidate
    said = provenance(candidate.contents(INDEX), candidate.locks, Origin(), compression="zstd")
    assert "local" in said["runDetails"]["builder"]["id"]
    assert not any(
        "gitCommit" in entry["digest"] for entry in said["buildDefinition"]["resolvedDependencies"]
    )


def test_statements_are_about_the_index_and_every_platform(tmp_path: Path) -> None:
    candidate = sample(tmp_path, platforms=("linux/amd64", "linux/arm64")).candidate
    said = statements(candidate, b"index", Origin())
    wanted = (digest_of(b"index"), *(image.digest for image in candidate.images))
    assert {statement.subjects for statement in said.values()} == {wanted}


def test_test_results_name_what_held_on_which_platform(tmp_path: Path) -> None:
    candidate = sample(tmp_path).candidate
    predicate = statements(candidate, b"index", Origin())["tests"].predicate
    assert predicate["result"] == "PASSED"
    assert predicate["passedTests"] == ["linux/amd64: contract: has bash", "linux/amd64: tests: runs"]


def test_nothing_is_said_of_tests_that_were_not_run(tmp_path: Path) -> None:
    assert "tests" not in statements(sample(tmp_path, tested=False).candidate, b"index", Origin())
