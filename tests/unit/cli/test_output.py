from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from openhands_recipes.cli.output import format_option, human_seconds, human_size, print_json, table


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (999_949, "999.9 kB"),
        (999_960, "1.0 MB"),
        (3_400_000_000, "3.4 GB"),
        (5_600_000_000_000, "5.6 TB"),
    ],
)
def test_sizes_are_told_in_the_unit_people_use(size: int, text: str) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0412, "0.04 s"), (2.34, "2.3 s"), (59.97, "1 min 00 s"), (65, "1 min 05 s"), (7400, "2 h 03 min")],
)
def test_durations_are_told_in_the_unit_people_use(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_columns_of_a_table_are_aligned_and_numbers_to_the_right() -> None:
    text = table([("base", "12"), ("python-data", "3")], header=("name", "size"), right=(1,))
    assert text.splitlines() == ["name         size", "base           12", "python-data     3"]


def test_colour_does_not_count_as_width() -> None:
    green = click.style("ok", fg="green")
    assert table([(green, "a"), ("fail", "b")]) == f"{green}    a\nfail  b"


def test_an_empty_table_is_empty() -> None:
    assert table([]) == ""


def test_format_json_prints_one_document() -> None:
    @click.command()
    @format_option("github")
    def command(output: str) -> None:
        print_json({"output": output, "name": "größe"})

    result = CliRunner().invoke(command, ["--format", "github"])
    assert json.loads(result.stdout) == {"output": "github", "name": "größe"}
