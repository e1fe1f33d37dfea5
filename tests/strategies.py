"""Hypothesis strategies for recipes, right and wrong.

`recipes()` makes documents (JSON values) that keep every rule of a single recipe; `shapes()` also makes
values of the right type and wrong form; `mutated()` spoils a document anywhere; `libraries()` makes
recipes that extend each other without circles.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import date
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

LOWER = string.ascii_lowercase
NAMES = st.from_regex(r"[a-z][a-z0-9-]{1,12}", fullmatch=True)
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"),
    max_size=30,
)
"""Any text a document can hold, escapes included."""
LINES = st.text(st.sampled_from(string.printable.replace("\x0b", "").replace("\x0c", "")), max_size=60)
ONE_LINE = TEXT.filter(lambda text: len(text) > 0)
TRICKY = st.sampled_from(
    ["no", "yes", "null", "~", "3.10", "1e3", "0o17", "0x1F", "true", "2028-06-30", "=", "<<", "- a", "a: b",
     "#x", "'", '"', "1_000", "12:30:00", ".5", "+1", "!tag", "&a", "*a", "%x", "@x", "`x", "...", "---", "?",
     " x "]
)  # fmt: skip
"""Texts that a careless printer or reader takes for something else."""
VERSIONS = st.builds("{}.{}.{}".format, *[st.integers(0, 20)] * 3)
RANGES = st.sampled_from([">=13", "^1.2", "~1.2.3", "1.x", ">=1.2,<2", "*", "12 || >=14", ">1.0.0 <=3"])
PLATFORM_LISTS = st.lists(st.sampled_from(["linux/amd64", "linux/arm64"]), unique=True, max_size=2)
PATHS = st.lists(st.from_regex(r"[a-z0-9_-]{1,8}", fullmatch=True), min_size=2, max_size=4).map(
    lambda parts: "/opt/" + "/".join(parts)
)
PORTS = st.integers(1, 65535)
PYTHON = st.sampled_from(
    ["numpy", "pandas>=2.2", "uvicorn[standard]", "six==1.17.0", "attrs; python_version>'3.8'"]
)
NODE = st.sampled_from(["typescript", "prettier@^3.4", "@types/node@20.x", "eslint@>=9,<10"])
LICENSES = st.sampled_from(
    ["MIT", "Apache-2.0", "GPL-3.0-or-later WITH GCC-exception-3.1", "MIT OR Apache-2.0"]
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    """A mapping with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def named(values: st.SearchStrategy[Document], *, size: int = 3) -> st.SearchStrategy[list[Document]]:
    """A list of mappings with different names."""
    return st.lists(values, unique_by=lambda value: value["name"], max_size=size)


OUTPUTS = st.one_of(
    st.builds(lambda text: {"equals": text}, TEXT | TRICKY),
    st.builds(lambda text: {"contains": text}, TEXT | TRICKY),
    st.sampled_from([{"matches": r"^2\."}, {"matches": "a|b", "contains": "a"}]),
)
TESTS = st.fixed_dictionaries(
    {"name": ONE_LINE | TRICKY, "run": ONE_LINE | LINES.filter(bool) | TRICKY},
    optional={
        "exit_code": st.integers(0, 255),
        "stdout": OUTPUTS,
        "scope": st.sampled_from(["anywhere", "image", "debian"]),
        "stderr": OUTPUTS,
        "timeout": st.integers(1, 3600),
    },
)
PACKAGES = st.lists(
    st.one_of(
        st.sampled_from(["git", "jq", "ripgrep", "g++", "xz-utils"]),
        st.fixed_dictionaries(
            {"name": st.sampled_from(["gcc", "clang", "lua"])}, optional={"version": RANGES}
        ),
    ),
    unique_by=lambda package: package if isinstance(package, str) else str(package["name"]),
    max_size=4,
)
LANGUAGES: Callable[[st.SearchStrategy[str], str], st.SearchStrategy[Document]] = lambda packages, version: (  # noqa: E731
    st.fixed_dictionaries(
        {"version": st.just(version)}, optional={"packages": st.lists(packages, unique=True)}
    )
)
APPLICATIONS = st.fixed_dictionaries(
    {
        "name": NAMES.filter(lambda name: name not in {"python", "node"}),
        "python": LANGUAGES(PYTHON, "3.13"),
        "commands": st.just({}),
    }
)
FILES = st.dictionaries(
    PATHS.map(lambda path: path + ".conf"),
    st.one_of(
        st.fixed_dictionaries(
            {"text": TEXT | LINES | TRICKY}, optional={"mode": st.sampled_from(["0644", "0755"])}
        ),
        st.fixed_dictionaries({"link": PATHS}),
        st.fixed_dictionaries(
            {"directory": st.just(True)}, optional={"owner": st.sampled_from(["root", "user"])}
        ),
    ),
    max_size=3,
)
ENVIRONMENTS = st.dictionaries(st.from_regex(r"X_[A-Z0-9_]{0,8}", fullmatch=True), TEXT | TRICKY, max_size=3)
EGRESS = st.lists(
    st.one_of(
        st.sampled_from(["python-packages", "node-packages", "debian-packages", "source-hosting"]),
        st.fixed_dictionaries(
            {"host": st.sampled_from(["api.example.com", "*.example.org", "a-b.example.net"])},
            optional={"ports": st.lists(PORTS, min_size=1, max_size=3, unique=True)},
        ),
    ),
    unique_by=lambda rule: rule if isinstance(rule, str) else str(rule["host"]),
    max_size=3,
)
PERMISSIONS = optional(
    network=optional(egress=EGRESS),
    devices=st.lists(st.sampled_from(["/dev/kvm", "/dev/fuse"]), unique=True),
    privileges=st.lists(st.sampled_from(["nested-containers", "ptrace"]), unique=True),
)
RESOURCES = optional(
    cpu=st.sampled_from(["1", "500m", "1.5"]),
    memory=st.sampled_from(["512Mi", "2Gi"]),
    disk=st.sampled_from(["10Gi", "1Ti"]),
    gpu=st.integers(0, 16),
)
READY = st.one_of(
    st.fixed_dictionaries({"tcp": PORTS}),
    st.fixed_dictionaries({"http": PORTS.map(lambda port: f":{port}/ready")}),
)
COMMANDS = st.lists(TEXT.filter(bool) | TRICKY, min_size=1, max_size=3)
PROCESSES = st.dictionaries(
    NAMES, st.fixed_dictionaries({"command": COMMANDS}, optional={"ready": READY}), max_size=2
)
PORT_LISTS = named(
    st.fixed_dictionaries(
        {"name": st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), "port": PORTS},
        optional={"protocol": st.sampled_from(["TCP", "UDP"])},
    )
).filter(lambda ports: len({(p["port"], p.get("protocol", "TCP")) for p in ports}) == len(ports))


ASPECTS: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXT | LINES,
    "tags": st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True), unique=True, max_size=3),
    "platforms": PLATFORM_LISTS,
    "packages": PACKAGES,
    "python": LANGUAGES(PYTHON, "3.13"),
    "node": LANGUAGES(NODE, "20"),
    "applications": named(APPLICATIONS, size=2),
    "environment": ENVIRONMENTS,
    "path": st.lists(PATHS, unique=True, max_size=2),
    "files": FILES,
    "user": st.just({"name": "openhands", "uid": 10001, "gid": 10001, "sudo": True}),
    "workdir": PATHS,
    "entrypoint": COMMANDS,
    "command": st.lists(TEXT | TRICKY, max_size=3),
    "processes": PROCESSES,
    "shell_hook": TEXT | LINES,
    "ports": PORT_LISTS,
    "permissions": PERMISSIONS,
    "resources": RESOURCES,
    "unavailable": st.dictionaries(st.sampled_from(["nixpkgs", "npm"]), ONE_LINE, max_size=2),
    "tests": named(TESTS),
    "end_of_life": st.dates(min_value=date(1000, 1, 1)).map(str),
}
"""Optional keys of a recipe and what they may say."""


@st.composite
def recipes(
    draw: st.DrawFn, *, name: str | None = None, extends: tuple[str, ...] = (), aspects: int = 8
) -> Document:
    """A recipe's document that keeps every rule a recipe can keep on its own."""
    head: Document = {
        "schema": 1,
        "name": name or draw(NAMES),
        "version": draw(VERSIONS),
        "summary": draw(ONE_LINE | TRICKY),
        "license": draw(LICENSES),
        "maintainers": [{"github": "somebody", "id": draw(st.integers(1, 2**31))}],
    }
    keys = draw(st.lists(st.sampled_from(sorted(ASPECTS)), unique=True, max_size=aspects))
    return head | ({"extends": list(extends)} if extends else {}) | {key: draw(ASPECTS[key]) for key in keys}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70000) | TEXT | TRICKY,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT.filter(bool), below, max_size=3),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[str | int, ...]]:
    """The path of every value inside a document, its own included."""
    found: list[tuple[str | int, ...]] = [()]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        found += [(key, *path) for path in places(below)]
    return found


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The document with another value at a path; `REMOVED` takes it out."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        changed = [replaced(v, rest, new) if i == key else v for i, v in enumerate(value)]
        return [v for v in changed if v is not REMOVED]
    changed_items = {k: replaced(v, rest, new) if k == key else v for k, v in value.items()}
    return {k: v for k, v in changed_items.items() if v is not REMOVED}


REMOVED = object()


@st.composite
def mutated(draw: st.DrawFn) -> Document:
    """A recipe's document with something wrong, or at least different, somewhere."""
    document = draw(recipes())
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(document)[1:]))
        kind = draw(st.sampled_from(["replace", "remove", "add"]))
        if kind == "add":
            parent = path[:-1]
            extra = {draw(TEXT.filter(bool)): draw(JSON)}
            current: Any = document
            for part in parent:
                current = current[part]
            new = [*current, draw(JSON)] if isinstance(current, list) else {**current, **extra}
            document = replaced(document, parent, new)
        else:
            document = replaced(document, path, REMOVED if kind == "remove" else draw(JSON))
    return document


@st.composite
def libraries(draw: st.DrawFn, *, size: int = 4) -> dict[str, Document]:
    """Recipes by name; each extends only those before it, the last is worth composing."""
    names = [f"module-{letter}" for letter in LOWER[:size]]
    library: dict[str, Document] = {}
    for i, name in enumerate(names):
        bases = draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=3)) if i else []
        library[name] = draw(recipes(name=name, extends=tuple(bases), aspects=4))
    return library
