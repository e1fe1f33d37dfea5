"""Links that lead from where tools are looked for into a closure."""

from __future__ import annotations

from collections.abc import Mapping

from openhands_recipes.compile.nix.profile import (
    PROFILE,
    commands_of,
    interpreters,
    left_to_base,
    profile_links,
    python_environment,
)
from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.model.fragment import Entry, Kind

A, B = (f"nix/store/{letter * 32}-x" for letter in "ab")


def tree(base: str, **links: str) -> dict[str, Entry]:
    entries = {base: Entry(base, Kind.DIRECTORY)}
    for name, link in links.items():
        path = f"{base}/{name.replace('__', '/')}"
        kind = Kind.SYMLINK if link else Kind.FILE if "/" in path[len(base) + 1 :] else Kind.DIRECTORY
        entries[path] = Entry(path, kind, link=link)
    return entries


def listing(*trees: dict[str, Entry]) -> dict[str, Mapping[str, Entry]]:
    return {next(iter(one)): one for one in trees}


def test_commands_are_the_names_in_bin_but_hidden_ones() -> None:
    known = listing(tree(A, bin="", bin__jq="", bin__git=f"/{B}/bin/git") | tree(A) | {
        f"{A}/bin/.git-wrapped": Entry(f"{A}/bin/.git-wrapped", Kind.FILE)
    })  # fmt: skip
    assert commands_of(f"/{A}", known.get) == ("git", "jq")


def test_a_bin_that_is_a_link_into_another_path_is_followed() -> None:
    for link in (f"/{B}/bin", f"../{B.rpartition('/')[2]}/bin", f"/{B}/programs"):
        known = listing(tree(A, bin=link), tree(B, programs="bin", bin="", bin__hello=""))
        assert commands_of(f"/{A}", known.get) == ("hello",)


def test_links_in_a_circle_or_out_of_the_closure_have_no_commands() -> None:
    assert commands_of(f"/{A}", listing(tree(A, bin="bin")).get) == ()
    assert commands_of(f"/{A}", listing(tree(A, bin="/usr/bin")).get) == ()
    assert commands_of(f"/{A}", lambda _: None) == ()


def test_the_base_keeps_its_privileges_its_administration_and_its_own_commands() -> None:
    base = {
        entry.path: entry
        for entry in (
            Entry("usr/bin/sudo", Kind.FILE, 0o4755),
            Entry("usr/bin/crontab", Kind.FILE, 0o2755),
            Entry("usr/bin/jq", Kind.FILE, 0o755),
            Entry("usr/sbin/ldconfig", Kind.FILE, 0o755),
            Entry("usr/local/bin/openhands-agent-server", Kind.SYMLINK),
            Entry("opt/x/bin/su", Kind.FILE, 0o4755),
        )
    }
    assert left_to_base(base) == {"sudo", "crontab", "ldconfig", "openhands-agent-server"}


def test_commands_are_linked_through_the_profile() -> None:
    made = {
        entry.path: entry.link for entry, _ in profile_links(f"/{A}", ("jq", "sudo"), frozenset(["sudo"]))
    }
    assert made == {PROFILE[1:]: f"/{A}", "usr/local/bin/jq": f"{PROFILE}/bin/jq"}


def test_interpreters_are_told_from_their_packages_and_environments() -> None:
    store = f"/nix/store/{'a' * 32}"
    paths = [
        f"{store}-python3-3.13.5", f"{store}-python3-3.13.5-env", f"{store}-python3.13-requests-2.32.3",
        f"{store}-python3-3.12.9", f"{store}-python3-pip-25.1.1",
    ]  # fmt: skip
    assert interpreters(paths, "3.13") == (f"{store}-python3-3.13.5",)


def test_an_environment_of_the_users_links_to_the_bare_interpreter() -> None:
    python = f"/nix/store/{'a' * 32}-python3-3.13.5"
    made = {e.path: (e, c) for e, c in python_environment(Home("opt/python", 7, 8), python, commands=["pip"])}
    assert made["opt/python/bin/python3"][0].link == f"{python}/bin/python3.13"
    assert f"home = {python}/bin\n" in made["opt/python/pyvenv.cfg"][1].decode()
    assert made["opt/python/bin/pip3.13"][1].startswith(b"#!/opt/python/bin/python\n")
    pth = made["opt/python/lib/python3.13/site-packages/profile.pth"][1]
    assert pth.decode() == f"{PROFILE}/lib/python3.13/site-packages\n"
    assert {(e.uid, e.gid) for e, _ in made.values()} == {(7, 8)}
    assert "opt/python/bin/pip" not in {
        e.path for e, _ in python_environment(Home("opt/python", 7, 8), python, commands=[])
    }
