"""`--from` says which kind of image a verb works on."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from openhands_recipes.cli.source_option import source_option


@click.command()
@source_option
def verb(shape: str) -> None:
    click.echo(shape)


@pytest.mark.parametrize(
    ("line", "shape"), [([], "debian"), (["--from", "debian"], "debian"), (["--from", "nixpkgs"], "hybrid")]
)
def test_the_source_comes_to_a_shape(line: list[str], shape: str) -> None:
    assert CliRunner().invoke(verb, line).output == f"{shape}\n"


def test_another_source_is_a_usage_error() -> None:
    assert CliRunner().invoke(verb, ["--from", "guix"]).exit_code == 2
