from __future__ import annotations

import pytest

from openhands_recipes.compile.debian.database import Package
from openhands_recipes.compile.debian.placement import place
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.fragment import ControlFile, Entry, Fragment, Kind


def package(name: str, *entries: Entry, **fields: str) -> Package:
    return Package(name, "1", "amd64", fields, Fragment("k", entries, (), 0, {}))


def file(path: str, **more: object) -> Entry:
    return Entry(path, Kind.FILE, **more)  # type: ignore[arg-type]  # fields by name


def folder(path: str, mode: int = 0o755, gid: int = 0) -> Entry:
    return Entry(path, Kind.DIRECTORY, mode, 0, gid)


def link(path: str, target: str) -> Entry:
    return Entry(path, Kind.SYMLINK, 0o777, link=target)


def test_packages_that_only_share_folders_are_plain() -> None:
    placement = place(
        [package("a", folder("usr"), file("usr/a")), package("b", folder("usr"), file("usr/b"))], {}
    )
    assert placement.real_unpack == frozenset()
    assert placement.folders == ()


def test_a_package_that_replaces_another_ones_file_goes_through_dpkg() -> None:
    placement = place([package("a", file("usr/x")), package("b", file("usr/x"), replaces="a (<< 2)")], {})
    assert placement.real_unpack == {"b"}


def test_two_packages_with_the_same_file_are_refused_by_name() -> None:
    with pytest.raises(ResolutionError, match="packages 'a' and 'b' both contain /usr/x"):
        place([package("a", file("usr/x")), package("b", file("usr/x"))], {})


@pytest.mark.parametrize("name", ["a", "z"])
def test_whose_preinst_may_divert_another_ones_file_goes_through_dpkg(name: str) -> None:
    script = {"preinst": ControlFile(0o755, b"dpkg-divert --rename /usr/x")}
    diverting = package(name, file("usr/x"))
    diverting = diverting._replace(fragment=diverting.fragment._replace(control=script))
    assert place([package("m", file("usr/x")), diverting], {}).real_unpack == {name}


def test_a_preinst_that_diverts_nothing_of_others_changes_nothing() -> None:
    script = {"preinst": ControlFile(0o755, b"dpkg-divert --rename /lib64")}
    fragment = Fragment("k", (file("usr/x"),), (), 0, script)
    assert place([Package("a", "1", "amd64", {}, fragment)], {}).real_unpack == frozenset()


def test_a_file_that_a_lower_level_has_already_goes_through_dpkg() -> None:
    assert place([package("b", file("usr/x"))], {"usr/x": file("usr/x")}).real_unpack == {"b"}


def test_a_path_through_a_link_of_another_package_goes_through_dpkg() -> None:
    packages = [
        package("a", link("var/run", "/run")),
        package("b", folder("var"), folder("var/run"), file("var/run/x")),
    ]
    assert place(packages, {}).real_unpack == {"b"}


def test_files_of_accounts_made_by_scripts_go_through_dpkg() -> None:
    assert place([package("a", file("usr/x", gid=101, gname="messagebus"))], {}).real_unpack == {"a"}


def test_what_turned_out_to_divert_is_not_tried_again() -> None:
    assert place([package("a", file("usr/x"))], {}, known=["a"]).real_unpack == {"a"}


def test_a_folder_keeps_the_mode_it_has_below() -> None:
    below = {"var/mail": folder("var/mail", 0o2775, 8)}
    placement = place([package("a", folder("var/mail"), file("var/mail/x"))], below)
    assert placement.folders == (folder("var/mail", 0o2775, 8),)


def test_essential_packages_decide_on_folders_they_share() -> None:
    placement = place(
        [package("a", folder("tmp", 0o755)), package("z", folder("tmp", 0o1777), essential="yes")], {}
    )
    assert placement.folders == (folder("tmp", 0o1777),)
