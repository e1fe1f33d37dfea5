"""Every name our tables give for nixpkgs is a name nixpkgs has, in a version that keeps the table's word.

The list of names and versions is made by tests/data/nixpkgs_attributes.py from the pinned nixpkgs.
"""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from openhands_recipes.compile.nix.languages import parse_language_names
from openhands_recipes.compile.recipe.packages import parse_package_table
from openhands_recipes.model.package import Omitted, Unavailable
from tests.recipe_texts import TREE

DATA = TREE / "tests" / "data"
KNOWN: dict[str, str] = json.loads((DATA / "nixpkgs-attributes.json").read_text())["attributes"]
TABLE = parse_package_table((TREE / "nixlib" / "packages.toml").read_bytes(), file="packages.toml")
NAMES = parse_language_names((TREE / "nixlib" / "languages.toml").read_bytes(), file="languages.toml")
COMMON = (DATA / "common-python-projects.txt").read_text().split()

UNKNOWN: dict[str, str] = {}
"""Attributes that the list does not know, and why they are right all the same: none today."""
NOT_PACKAGED = {
    "google-ads", "google-analytics-admin", "google-cloud-aiplatform", "google-cloud-batch",
    "google-cloud-dataflow-client", "google-cloud-dataform", "google-cloud-dataproc-metastore",
    "google-cloud-memcache", "google-cloud-orchestration-airflow", "google-cloud-os-login",
    "llama-cloud-services", "llama-parse", "poetry-plugin-export", "pytest-json-ctrf", "pytokens", "sglang",
    "snowflake-snowpark-python", "sqlalchemy-bigquery", "typedload", "vcs-versioning", "ydb",
}  # fmt: skip
"""Projects among the 500 most downloaded that nixpkgs does not have under any name."""


def streams() -> list[tuple[str, str, str]]:
    return [
        (name, stream, attribute)
        for name, package in TABLE.items()
        for stream, entry in package.streams.items()
        if isinstance(entry.nixpkgs, tuple)
        for attribute in entry.nixpkgs
    ]


def attributes() -> set[str]:
    columns = [package.nixpkgs for package in TABLE.values()]
    columns += [stream.nixpkgs for package in TABLE.values() for stream in package.streams.values()]
    named = {attribute for column in columns if isinstance(column, tuple) for attribute in column}
    npm = {attribute for attribute in NAMES.npm.values() if isinstance(attribute, str)}
    python = {f"python3Packages.{name}" for name in NAMES.python.values() if isinstance(name, str)}
    return named | npm | python


def test_every_package_and_stream_says_what_nixpkgs_has() -> None:
    silent = [
        f"{name} {stream}".rstrip()
        for name, package in TABLE.items()
        for stream, entry in (package.streams.items() if package.streams else [("", package)])
        if entry.nixpkgs is None or entry.nixpkgs == ()
    ]
    assert not silent


def test_every_attribute_is_one_of_the_pinned_nixpkgs() -> None:
    assert len(attributes()) > 250
    assert attributes() - KNOWN.keys() == UNKNOWN.keys()


@pytest.mark.parametrize(("name", "stream", "attribute"), streams())
def test_the_version_of_a_stream_is_what_the_stream_says(name: str, stream: str, attribute: str) -> None:
    version = KNOWN[attribute]
    if version == "":  # the list knows no versions of Ruby; nixpkgs names its attributes by them
        version = re.sub(r"^\D+", "", attribute).replace("_", ".")
    assert re.match(rf"{re.escape(stream)}(?!\d)", version), f"{name} {stream} is {version}"


def test_a_default_stream_is_one_that_some_source_has() -> None:
    for name, package in TABLE.items():
        if package.default is not None:
            entry = package.streams[package.default]
            assert isinstance(entry.debian, tuple) or isinstance(entry.nixpkgs, tuple), name


def test_python_projects_are_found_by_their_normalised_name() -> None:
    lost = [
        name
        for name in COMMON
        if not isinstance(attribute := NAMES.python.get(name, name), Unavailable)
        and f"python3Packages.{attribute}" not in KNOWN
    ]
    assert set(lost) == NOT_PACKAGED


def test_exceptions_are_needed_where_they_stand() -> None:
    assert not [name for name in NAMES.python if f"python3Packages.{name}" in KNOWN]


def test_names_in_the_tables_of_languages_are_sorted_and_normalised() -> None:
    tables = tomllib.loads((TREE / "nixlib" / "languages.toml").read_text())
    for table in tables.values():
        assert list(table) == sorted(table)
    assert not [name for name in NAMES.python if re.sub(r"[-_.]+", "-", name).lower() != name]


def test_what_is_left_out_belongs_to_the_machine_or_comes_with_something_else() -> None:
    left_out = {name for name, package in TABLE.items() if isinstance(package.nixpkgs, Omitted)}
    assert left_out == {"apt", "apt-utils", "dpkg", "locales", "npm", "passwd", "python-dev", "sudo"}
