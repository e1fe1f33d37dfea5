"""Every Nix file is formatted as nixpkgs formats (nixfmt) and names nothing it does not use (deadnix).

Both tools are built from crates.io once per machine. nixfmt is its port to Rust, the original being Haskell;
statix, the third usual linter, is in no package registry.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

TREE = Path(__file__).parents[2]
TOOLS = {"nixfmt": ("nixfmt_rs", "0.5.3"), "deadnix": ("deadnix", "1.3.1")}
"""Program -> crate and version."""


LACKING = re.compile(
    r"requires rustc [\w.]+ or newer|feature `edition\d+` is required|Could not resolve host: \S+"
)


def works(cargo: str) -> bool:
    """Whether it is more than rustup's word for a toolchain that this user never chose."""
    return subprocess.run([cargo, "--version"], capture_output=True, check=False).returncode == 0


def tool(name: str, cache: Path) -> Path:
    crate, version = TOOLS[name]
    folder = cache / "crates" / f"{crate}-{version}"
    program = folder / "bin" / name
    cargo = shutil.which("cargo")
    if not program.exists() and (cargo is None or not works(cargo)):
        pytest.skip(f"this machine lacks a working cargo, to build {crate}")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not program.exists():
            order = ["nice", str(cargo), "install", "--locked", "--quiet", "--root", str(folder)]
            done = subprocess.run(
                [*order, f"{crate}@{version}"],
                env=os.environ | {"CARGO_TARGET_DIR": str(folder / "target")},
                capture_output=True,
                text=True,
                check=False,
            )
            shutil.rmtree(folder / "target", ignore_errors=True)
            if lacking := LACKING.search(done.stderr):
                pytest.skip(f"this machine lacks what building {crate} needs: {lacking.group()}")
            assert done.returncode == 0, done.stderr
    return program


def nix_files() -> list[Path]:
    files = [TREE / "flake.nix", *(TREE / "nixlib").rglob("*.nix"), *(TREE / "tests").rglob("*.nix")]
    return sorted(files)


@pytest.mark.parametrize(("name", "options"), [("nixfmt", ["--check"]), ("deadnix", ["--fail"])])
def test_nix_files_are_in_good_style(name: str, options: list[str], shared_cache: Path) -> None:
    done = subprocess.run(
        [tool(name, shared_cache), *options, *nix_files()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
