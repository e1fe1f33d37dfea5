from __future__ import annotations

import pytest

from openhands_recipes.compile.python.environment import (
    check_commands,
    environment_entries,
    interpreter,
    minor_version,
    prefix_of,
    scripts_of,
    site_packages,
    upstream_version,
)
from openhands_recipes.errors import InvalidRecipeError
from openhands_recipes.model.fragment import Entry, Fragment, Kind, Span


def fragment(*entries: Entry) -> Fragment:
    return Fragment("k", entries, tuple(Span(0, 0) for _ in entries), 0, {})


def test_an_environment_is_what_venv_would_make() -> None:
    made = dict(environment_entries("/opt/python", "3.13.5", owner=(10001, 10001)))
    by_path = {entry.path: entry for entry in made}
    assert list(by_path) == sorted(by_path)
    assert {path: entry.link for path, entry in by_path.items() if entry.kind is Kind.SYMLINK} == {
        "opt/python/bin/python": "/usr/bin/python3.13",
        "opt/python/bin/python3": "/usr/bin/python3.13",
        "opt/python/bin/python3.13": "/usr/bin/python3.13",
        "opt/python/lib64": "lib",
    }
    assert [path for path, entry in by_path.items() if entry.kind is Kind.DIRECTORY] == [
        "opt/python", "opt/python/bin", "opt/python/lib", "opt/python/lib/python3.13",
        "opt/python/lib/python3.13/site-packages",
    ]  # fmt: skip
    assert {(entry.uid, entry.gid) for entry in by_path.values()} == {(10001, 10001)}
    configuration = by_path["opt/python/pyvenv.cfg"]
    assert made[configuration] == (
        b"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.13.5\n"
        b"executable = /usr/bin/python3.13\n"
    )
    assert configuration.size == len(made[configuration])  # type: ignore[arg-type]


def test_applications_belong_to_root() -> None:
    assert {(e.uid, e.gid) for e, _ in environment_entries("/opt/agent-server", "3.13.5")} == {(0, 0)}


def test_places_follow_from_names_and_versions() -> None:
    assert prefix_of("python") == "/opt/python"
    assert prefix_of("agent-server") == "/opt/agent-server"
    assert site_packages("/opt/x", "3.13.5") == "opt/x/lib/python3.13/site-packages"
    assert interpreter("3.13.5") == "/usr/bin/python3.13"
    assert minor_version("3.13") == "3.13"


@pytest.mark.parametrize(
    ("debian", "upstream"),
    [("3.13.5-2+deb13u1", "3.13.5"), ("1:3.11.2-6", "3.11.2"), ("3.14.0~rc2-1", "3.14.0")],
)
def test_the_exact_version_is_in_debians(debian: str, upstream: str) -> None:
    assert upstream_version(debian) == upstream


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRecipeError, match="not a version of Python: 'trixie'"):
        upstream_version("trixie")


def test_scripts_are_the_executables_in_bin() -> None:
    found = scripts_of(
        "/opt/x",
        [
            fragment(
                Entry("opt/x/bin/serve", Kind.FILE, 0o755),
                Entry("opt/x/bin/readme", Kind.FILE, 0o644),
                Entry("opt/x/bin/python", Kind.SYMLINK, 0o777),
                Entry("opt/xy/bin/other", Kind.FILE, 0o755),
            )
        ],
    )
    assert found == {"serve"}


def test_a_command_without_its_script_is_named_with_those_there_are() -> None:
    scripts = frozenset({"agent-server", "acp"})
    check_commands("agent-server", {"openhands-agent-server": "agent-server"}, scripts)
    with pytest.raises(InvalidRecipeError) as caught:
        check_commands("agent-server", {"openhands-agent-server": "agentserver"}, scripts)
    assert caught.value.message == (
        "application 'agent-server' has no console script 'agentserver' "
        "(for the command openhands-agent-server)"
    )
    assert caught.value.hint == "it has acp, agent-server"
    with pytest.raises(InvalidRecipeError, match="it has none at all"):
        check_commands("a", {"b": "c"}, frozenset())
