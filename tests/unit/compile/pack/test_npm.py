from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.errors import UsageError, VerificationError
from openhands_recipes.model.fragment import Fragment
from tests.parts import make_tar, member, read_tar

OPTIONS = {"prefix": "/usr/local", "name": "@scope/tool", "owner": "0:0"}
ROOT = "usr/local/lib/node_modules/@scope/tool"
PACKAGE = member("package/package.json", b"{}")


def convert(members: list[tuple[tarfile.TarInfo, bytes]], **change: str) -> tuple[Fragment, bytes]:
    sink = io.BytesIO()
    raw = gzip.compress(make_tar(members))
    return CONVERTERS["npm"](io.BytesIO(raw), sink, "sha256:key", OPTIONS | change), sink.getvalue()


def test_files_lie_below_node_modules_with_plain_modes() -> None:
    fragment, raw = convert(
        [PACKAGE, member("package/bin/run.js", b"#!", mode=0o777, uid=5), member("package/lib/", mode=0o700)]
    )
    found = read_tar(raw)
    assert [e.path for e in fragment.entries if e.kind == "0"] == [
        f"{ROOT}/package.json",
        f"{ROOT}/bin/run.js",
    ]
    info = found[f"{ROOT}/bin/run.js"][0]
    assert (info.mode, info.uid, info.mtime) == (0o755, 0, 315532800)


def test_the_first_folder_may_have_any_name() -> None:
    fragment, _ = convert([member("tool-v1/package.json", b"{}")])
    assert fragment.entries[-1].path == f"{ROOT}/package.json"


def test_links_are_left_out_as_npm_does() -> None:
    fragment, _ = convert([PACKAGE, member("package/link", link="/etc/passwd")])
    assert fragment.entries[-1].path == f"{ROOT}/package.json"


def test_an_npm_tarball_without_package_json_is_refused() -> None:
    with pytest.raises(VerificationError, match="holds no package"):
        convert([member("package/index.js", b"")])


@pytest.mark.parametrize("path", ["package/../../evil", "package/.wh.x", "../package/x"])
def test_paths_that_want_out_are_refused(path: str) -> None:
    with pytest.raises(VerificationError):
        convert([PACKAGE, member(path, b"x")])


@pytest.mark.parametrize("name", ["", "../evil", "a/b", "@a/b/c", ".hidden"])
def test_names_that_are_no_package_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not an npm package name"):
        convert([PACKAGE], name=name)


def test_damaged_data_is_refused() -> None:
    with pytest.raises(VerificationError, match="damaged"):
        CONVERTERS["npm"](io.BytesIO(b"no gzip"), io.BytesIO(), "sha256:key", OPTIONS)


def test_a_package_may_lie_below_another_one() -> None:
    fragment, _ = convert([PACKAGE], name="eslint/node_modules/@x/dep")
    assert fragment.entries[-1].path == "usr/local/lib/node_modules/eslint/node_modules/@x/dep/package.json"


def test_what_commands_call_is_executable_whatever_the_archive_says() -> None:
    fragment, _ = convert(
        [PACKAGE, member("package/bin/a.js", b""), member("package/b.js", b"")], executables="bin/a.js\nc"
    )
    assert {e.path.rpartition("/")[2]: e.mode for e in fragment.entries if e.kind == "0"} == {
        "package.json": 0o644, "a.js": 0o755, "b.js": 0o644
    }  # fmt: skip


def test_of_a_path_named_twice_the_last_counts_as_for_npm() -> None:
    fragment, raw = convert(
        [PACKAGE, member("package/a.js", b"old", mode=0o755), member("package/a.js", b"new!")]
    )
    assert [(e.path, e.mode) for e in fragment.entries if e.path.endswith("a.js")] == [
        (f"{ROOT}/a.js", 0o644)
    ]
    assert read_tar(raw)[f"{ROOT}/a.js"][1] == b"new!"


def test_gitignore_becomes_npmignore_where_there_is_none() -> None:
    members = [
        PACKAGE, member("package/a/.gitignore", b"1"), member("package/b/.npmignore", b"2"),
        member("package/b/.gitignore", b"3"),
    ]  # fmt: skip
    _, raw = convert(members)
    found = read_tar(raw)
    assert found[f"{ROOT}/a/.npmignore"][1] == b"1"
    assert found[f"{ROOT}/b/.npmignore"][1] == b"2"
    assert not [path for path in found if path.endswith(".gitignore")]
