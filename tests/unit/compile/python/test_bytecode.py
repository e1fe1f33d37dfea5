from __future__ import annotations

import json

from openhands_recipes.compile.python.bytecode import bytecode_of, order_of, owners, settled, sources_of
from openhands_recipes.model.fragment import Entry, Fragment, Kind, Span

SITE = "opt/x/lib/python3.13/site-packages"


def test_only_modules_below_the_folder_are_compiled() -> None:
    entries = (
        Entry(f"{SITE}/b.py", Kind.FILE),
        Entry(f"{SITE}/a/__init__.py", Kind.FILE),
        Entry(f"{SITE}/a/data.txt", Kind.FILE),
        Entry(f"{SITE}/link.py", Kind.SYMLINK),
        Entry("opt/x/bin/tool.py", Kind.FILE),
        Entry(f"{SITE}2/c.py", Kind.FILE),
    )
    fragment = Fragment("k", entries, tuple(Span(0, 0) for _ in entries), 0, {})
    assert sources_of(fragment, f"/{SITE}") == (f"{SITE}/a/__init__.py", f"{SITE}/b.py")


def test_bytecode_lies_where_python_looks() -> None:
    assert bytecode_of("a/b.py", "3.13.5") == "a/__pycache__/b.cpython-313.pyc"


def test_every_pyc_belongs_to_the_part_of_its_source() -> None:
    assert owners({"one": ["a/b.py", "a/c.py"], "two": ["a/c.py"]}, "3.13") == {
        "a/__pycache__/b.cpython-313.pyc": "one",
        "a/__pycache__/c.cpython-313.pyc": "two",
    }


def test_the_order_names_absolute_paths_and_no_empty_parts() -> None:
    assert json.loads(order_of([["a.py"], [], ["b.py"]], jobs=2)) == {
        "jobs": 2,
        "parts": [["/a.py"], ["/b.py"]],
    }


def test_bytecode_in_a_layer_has_no_time_of_its_own() -> None:
    entry = settled(Entry("a.pyc", Kind.FILE, 0o600, 1, 2, 3, 1_700_000_000, xattrs=(("user.x", b""),)))
    assert entry == Entry("a.pyc", Kind.FILE, 0o644, 1, 2, 3, 315532800)
    assert settled(Entry("d", Kind.DIRECTORY, 0o700)).mode == 0o755
