"""Imports point down only, and the pure floors touch nothing outside (house rules as data)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "openhands_recipes"
NAME = PACKAGE.name

GROUND = {"errors", "model", "ports"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "model": {"errors"},
    "ports": {"errors", "model"},
    "compile": GROUND,
    "publish": GROUND,
    "adapters": GROUND,
    "flows": GROUND | {"compile", "publish"},
    "cli": GROUND | {"flows"},
}
EXCEPTIONS: dict[str, set[str]] = {
    "cli/world": {"adapters", "compile", "publish"},  # hands pure steps to doors, which never import them
}
PURE = {"errors", "model", "compile", "publish"}
IMPURE_MODULES = {
    "os", "subprocess", "time", "random", "tempfile", "httpx", "docker", "git", "click",
    "socket", "shutil", "sys", "threading", "multiprocessing", "secrets",
}  # fmt: skip
IMPURE_CALLS = {"read_text", "read_bytes", "write_text", "write_bytes", "now", "today", "utcnow"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.Module) -> list[tuple[int, str]]:
    names: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            assert node.module
            names += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down_only(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    allowed = MAY_IMPORT[room] | {room, "__version__"}
    allowed |= EXCEPTIONS.get(str(path.relative_to(PACKAGE).parent), set())
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{line} imports {name}"
        for line, name in imported(ast.parse(path.read_text()))
        if name.split(".")[0] == NAME and name != NAME and name.split(".")[1] not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize(
    "path", [p for p in modules() if room_of(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_pure_floors_touch_nothing_outside(path: Path) -> None:
    tree = ast.parse(path.read_text())
    wrong = [f"line {line}: {name}" for line, name in imported(tree) if name.split(".")[0] in IMPURE_MODULES]
    wrong += [
        f"line {node.lineno}: .{node.func.attr}()"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in IMPURE_CALLS
    ]
    assert not wrong


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
