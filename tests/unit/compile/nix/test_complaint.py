from __future__ import annotations

import json

import pytest

from openhands_recipes.compile.nix.complaint import failure, reason_of, thrown
from openhands_recipes.compile.nix.log import NixLog
from openhands_recipes.errors import DownloadError, NixError, OutsideError, RecipesError, VerificationError

DRV = "/nix/store/8i7dmd8nm9564v59mrf4rjn787gfjagc-bad-1.0.drv"
PATH = DRV[:-4]


def found(message: str, *, level: int = 0, exit_code: int = 1) -> RecipesError | None:
    log = NixLog()
    log.feed(b"@nix " + json.dumps({"action": "msg", "level": level, "msg": message}).encode())
    return failure(log, exit_code)


@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        (
            f"cannot add path '{PATH}' because it lacks a signature by a trusted key",
            VerificationError,
            "OHR110",
        ),
        (f"builder for '{DRV}' failed with exit code 3", NixError, "OHR111"),
        (f"Cannot build '{DRV}'.\nReason: builder failed with exit code 1.", NixError, "OHR111"),
        (
            f"hash mismatch in fixed-output derivation '{DRV}':\n  specified: a\n  got: b",
            VerificationError,
            "OHR112",
        ),
        (f"path '{PATH}' was modified! expected hash 'a', got 'b'", VerificationError, "OHR112"),
        ("this system does not support the kernel namespaces that are required", OutsideError, "OHR113"),
        ("writing to file: No space left on device", OutsideError, "OHR114"),
        ("executing SQLite query: database or disk is full", OutsideError, "OHR114"),
        (f"a 'aarch64-linux' with features {{}} is required to build '{DRV}'", NixError, "OHR115"),
        ("unable to download 'https://example.org/x': Could not resolve host", DownloadError, "OHR116"),
        ("undefined variable 'x'", NixError, "OHR117"),
        ("executing SQLite query: database disk image is malformed", OutsideError, "OHR118"),
    ],
)
def test_every_kind_of_failure_has_its_class_and_code(
    message: str, kind: type[RecipesError], code: str
) -> None:
    error = found(f"error: {message}")
    assert type(error) is kind
    assert error is not None
    assert error.code == code


def test_all_is_well_where_nix_says_so_whatever_it_warned_of() -> None:
    assert found("warning: you don't have Internet access", level=1, exit_code=0) is None


def test_an_unsigned_path_is_an_error_even_where_nix_went_on_without_it() -> None:
    warning = (
        f"ignoring substitute for '{PATH}' from 'http://localhost', as it's not signed by any of the keys"
    )
    error = found(warning, level=1, exit_code=0)
    assert isinstance(error, VerificationError)
    assert PATH in error.message


def test_a_program_that_dies_silently_is_told_as_such() -> None:
    error = failure(NixLog(), 137)
    assert isinstance(error, NixError)
    assert error.message == "Nix gave up: it does not say why"


def test_what_the_library_threw_is_found_in_the_message_or_the_way_there() -> None:
    line = 'ohr: {"fault":"version","package":"numpy","version":"2.4","wanted":">=3","new":1}'
    said = thrown([f"recipe 'x': too old\nhint: widen\n{line}"])
    assert said is not None
    assert (said.package, said.version, said.wanted) == ("numpy", "2.4", ">=3")
    assert thrown([f"while taking\n{line}\n more of the trace\nerror: refused"]) == said
    assert thrown(["ohr: {broken", 'ohr: {"fault":"new kind","package":"x"}', "plain"]) is None


def test_the_reason_is_the_last_thing_said() -> None:
    assert reason_of(["error:\n  … while\n\n  error: marked as insecure\n\n  a list"]) == "marked as insecure"
    assert reason_of(["x" * 900]).endswith("...")
