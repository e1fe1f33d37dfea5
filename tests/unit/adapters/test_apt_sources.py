from __future__ import annotations

import stat
from pathlib import Path

import pytest

from openhands_recipes.adapters.apt_config import apt_entries, apt_proxies
from openhands_recipes.adapters.apt_sources import DebianSources, Mirror, debian_sources, is_security
from openhands_recipes.errors import DownloadError, UsageError
from tests.signed_archive import archive_key, our_keys, public, stranger_key

ONE_LINE = """
# deb http://commented.example/debian trixie main
deb http://one.example/debian/ bookworm main contrib # why not
deb [ arch=amd64 signed-by=KEYRING ] https://two.example/debian bookworm-updates main
deb-src http://source.example/debian bookworm main
deb http://one.example/debian-security bookworm-security main
deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main
deb mirror+file:/etc/apt/mirrors.list bookworm main
nonsense
"""

DEB822 = """# first comment
Types: deb deb-src
# a comment inside
URIs: http://one.example/debian http://two.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 nonsense

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main


Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
"""


def apt_folder(tmp_path: Path, **files: str) -> Path:
    apt = tmp_path / "apt"
    (apt / "sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        file = "sources.list" if name == "sources_list" else f"sources.list.d/{name.replace('_', '.')}"
        (apt / file).write_text(text)
    return apt


def configured(apt: Path, **environment: str) -> DebianSources:
    return debian_sources(our_keys, environment=environment, apt=apt)


def stanza(**fields: str) -> str:
    defaults = {
        "Types": "deb", "URIs": "http://one.example/debian", "Suites": "bookworm", "Components": "main",
    }  # fmt: skip
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    return "\n".join(f"{name}: {value}" for name, value in (defaults | given).items()) + "\n"


# --- both formats --------------------------------------------------------------------------------


def test_one_line_entries_are_read_with_options_and_comments(tmp_path: Path) -> None:
    apt = apt_folder(tmp_path, sources_list=ONE_LINE)
    entries = list(apt_entries(apt))
    assert [(entry.uri, entry.suites) for entry in entries] == [
        ("http://one.example/debian/", ("bookworm",)),
        ("https://two.example/debian", ("bookworm-updates",)),
        ("http://one.example/debian-security", ("bookworm-security",)),
        ("cdrom:[Debian GNU/Linux 12 _Bookworm_]/", ("bookworm",)),
        ("mirror+file:/etc/apt/mirrors.list", ("bookworm",)),
    ]
    assert entries[0].components == ("main", "contrib")
    assert entries[1].signed_by == "KEYRING"
    assert entries[0].where == f"{apt}/sources.list:3"


def test_deb822_stanzas_are_read_with_comments_many_uris_and_whole_keys(tmp_path: Path) -> None:
    entries = list(apt_entries(apt_folder(tmp_path, debian_sources=DEB822)))
    assert [entry.uri for entry in entries] == ["http://one.example/debian", "http://two.example/debian"]
    assert entries[0].suites == ("bookworm", "bookworm-updates")
    assert entries[0].signed_by == "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense"
    assert entries[0].where.endswith("debian.sources:2")


def test_only_list_and_sources_files_count_in_apts_order(tmp_path: Path) -> None:
    apt = apt_folder(
        tmp_path,
        sources_list="deb http://first.example/debian trixie main",
        b_list="deb http://third.example/debian trixie main",
        a_sources=stanza(URIs="http://second.example/debian"),
        c_list_disabled="deb http://never.example/debian trixie main",
    )
    assert [entry.uri.split("/")[2][:3] for entry in apt_entries(apt)] == ["fir", "sec", "thi"]


def test_a_machine_without_apt_has_no_entries(tmp_path: Path) -> None:
    assert list(apt_entries(tmp_path / "none")) == []


# --- which of it is Debian -----------------------------------------------------------------------


def test_a_mirror_of_another_release_serves_trixie_as_well(tmp_path: Path) -> None:
    sources = configured(apt_folder(tmp_path, sources_list=ONE_LINE))
    assert sources.roots("trixie") == ("http://one.example/debian", "https://two.example/debian")
    assert sources.roots("trixie-updates") == sources.roots("trixie")
    assert sources.roots("trixie-security") == (
        "http://one.example/debian-security",
        "https://two.example/debian-security",
    )
    assert sources.roots("") == sources.all_roots


def test_what_is_not_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    apt = apt_folder(
        tmp_path,
        sources_list=ONE_LINE,
        node_sources=stanza(URIs="https://node.example/node_20.x", Suites="nodistro"),
        docker_sources=stanza(URIs="https://docker.example/linux/debian", Components="stable"),
        flat_list="deb http://flat.example/repo ./",
    )
    assert {(skipped.uri.split("/")[2], skipped.reason) for skipped in configured(apt).skipped[2:]} == {
        ("node.example", "nodistro is not a suite of Debian's"),
        ("docker.example", "it has no component main"),
        ("flat.example", "./ is not a suite of Debian's"),
    }
    assert [skipped.reason for skipped in configured(apt).skipped[:2]] == [
        "cdrom: is not fetched by ohr",
        "mirror+file: is not fetched by ohr",
    ]


def test_a_third_party_that_names_its_own_key_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "ours.gpg").write_bytes(public(archive_key()))
    (tmp_path / "theirs.gpg").write_bytes(public(stranger_key()))
    (tmp_path / "broken.gpg").write_bytes(b"nonsense")
    inline = "\n" + "\n".join(
        f" {line or '.'}" for line in str(archive_key().extract_certificate()).split("\n")
    )
    signers = {
        "ours": f"{tmp_path}/ours.gpg",
        "both": f"{tmp_path}/theirs.gpg, {tmp_path}/ours.gpg",
        "theirs": f"{tmp_path}/theirs.gpg",
        "broken": f"{tmp_path}/broken.gpg",
        "unreadable": f"{tmp_path}/none.gpg",
        "fingerprint": our_keys().fingerprints[0] + "!",
        "stranger": "0" * 40,
        "inline": inline,
        "garbage": "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n nonsense",
    }
    text = "\n".join(
        stanza(URIs=f"http://{name}.example/debian", Signed_By=value) for name, value in signers.items()
    )
    sources = configured(apt_folder(tmp_path, all_sources=text))
    taken = {root.split("/")[2].removesuffix(".example") for root in sources.roots("trixie")}
    assert taken == {"ours", "both", "unreadable", "fingerprint", "inline"}
    assert {skipped.reason for skipped in sources.skipped} == {"it is signed by keys that are not Debian's"}


def test_suites_know_where_they_live() -> None:
    assert [
        suite for suite in ("trixie", "trixie-security", "buster/updates", "sid") if is_security(suite)
    ] == [
        "trixie-security",
        "buster/updates",
    ]


# --- the environment -----------------------------------------------------------------------------


def test_the_environment_comes_before_apt(tmp_path: Path) -> None:
    apt = apt_folder(tmp_path, sources_list=ONE_LINE)
    sources = configured(apt, OHR_DEBIAN_MIRROR="http://mine.example/debian/")
    assert sources.roots("trixie") == ("http://mine.example/debian",)
    assert sources.roots("trixie-security") == ("http://mine.example/debian-security",)


@pytest.mark.parametrize(
    ("setting", "suite", "expected"),
    [
        ("http://a/x http://b", "trixie", "a/x b"),
        ("http://a/x,security=http://b/s", "trixie-security", "a/x b/s"),
        ("http://a/debian security=http://s", "trixie-security", "s a/debian-security"),
        ("security=http://s archive=http://a", "trixie", "a"),
        ("trixie-updates=http://u http://a/debian", "trixie-updates", "u a/debian"),
        ("http://a/debian-security http://a/debian", "trixie", "a/debian"),
        ("http://s/archive/debian/2026Z", "trixie-security", "s/archive/debian-security/2026Z"),
    ],
)
def test_a_setting_may_say_what_each_mirror_is_for(
    tmp_path: Path, setting: str, suite: str, expected: str
) -> None:
    roots = configured(tmp_path, OHR_DEBIAN_MIRROR=setting).roots(suite)
    assert " ".join(root.removeprefix("http://") for root in roots) == expected


def test_the_snapshot_is_kept_apart(tmp_path: Path) -> None:
    sources = configured(
        tmp_path,
        OHR_DEBIAN_MIRROR="http://a.example/debian",
        OHR_DEBIAN_SNAPSHOT="http://s.example/debian/2026",
    )
    assert sources.roots("trixie") == ("http://a.example/debian",)
    assert sources.snapshot_roots("trixie") == ("http://s.example/debian/2026",)


def test_a_snapshot_alone_is_enough(tmp_path: Path) -> None:
    sources = configured(tmp_path, OHR_DEBIAN_SNAPSHOT="http://s.example/debian/2026")
    assert sources.roots("trixie") == ()


@pytest.mark.parametrize("setting", ["ftp://a.example/debian", "nonsense", "security=", "http://"])
def test_a_setting_that_is_no_url_is_a_usage_error(tmp_path: Path, setting: str) -> None:
    with pytest.raises(UsageError, match="OHR_DEBIAN_MIRROR names") as caught:
        configured(tmp_path, OHR_DEBIAN_MIRROR=setting)
    assert caught.value.exit_code == 2


def test_no_mirror_at_all_is_an_error_that_says_what_was_found(tmp_path: Path) -> None:
    apt = apt_folder(tmp_path, sources_list="deb http://u.example/ubuntu noble main")
    with pytest.raises(DownloadError, match="no Debian mirror for trixie is configured") as caught:
        configured(apt).roots("trixie")
    assert "http://u.example/ubuntu is not used, noble is not a suite of Debian's" in (
        caught.value.where or ""
    )
    assert "OHR_DEBIAN_MIRROR" in (caught.value.hint or "")


def test_a_mirror_for_one_suite_serves_no_other() -> None:
    assert not Mirror("http://a.example", "trixie-updates", "here").serves("trixie")


# --- proxies -------------------------------------------------------------------------------------


def fake_apt_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dump: str) -> None:
    program = tmp_path / "bin" / "apt-config"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'EOF'\n{dump}\nEOF\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_apts_proxies_are_used_for_its_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_apt_config(
        tmp_path,
        monkeypatch,
        'Acquire::http::Proxy "http://proxy.example:3142";\n'
        'Acquire::http::Proxy::own.example "http://other.example:1";\n'
        'Acquire::https::Proxy::direct.example "DIRECT";',
    )
    roots = [
        "http://a.example:8080/debian",
        "https://b.example/d",
        "http://own.example/d",
        "https://direct.example/",
    ]
    assert apt_proxies(roots) == {
        "http://a.example:8080": "http://proxy.example:3142",
        "https://b.example": "http://proxy.example:3142",
        "http://own.example": "http://other.example:1",
    }


def test_without_apt_there_are_no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert apt_proxies(["http://a.example"]) == {}
