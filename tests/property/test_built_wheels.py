"""A built wheel's normal form depends on its content alone."""

from __future__ import annotations

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st
from installer.records import parse_record_file
from installer.sources import WheelFile

from openhands_recipes.compile.python.wheel_normalise import normalise_wheel

INFO = "demo-1.0.dist-info"
PATHS = st.from_regex(r"[a-zé]{1,6}(/[a-z,]{1,6}){0,2}\.(py|txt|so)", fullmatch=True)
FILES = st.dictionaries(PATHS, st.tuples(st.binary(max_size=60), st.booleans()), max_size=6)
DATES = st.tuples(st.integers(1980, 2100), st.integers(1, 12), st.integers(1, 28), *[st.integers(0, 23)] * 3)
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])


@st.composite
def wheels(draw: st.DrawFn, files: dict[str, tuple[bytes, bool]]) -> bytes:
    """The same files as some build might have packed them."""
    content = {
        **files,
        f"{INFO}/METADATA": (b"Name: demo\nVersion: 1.0\n", False),
        f"{INFO}/WHEEL": (b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", False),
        f"{INFO}/RECORD": (draw(st.binary(max_size=20)), False),
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for path in draw(st.permutations(sorted(content))):
            item = zipfile.ZipInfo(path, draw(DATES))
            item.external_attr = (
                0o100755 if content[path][1] else draw(st.sampled_from([0o100644, 0o600, 0]))
            ) << 16
            item.compress_type = draw(METHODS)
            archive.writestr(item, content[path][0])
    return sink.getvalue()


@given(FILES, st.data())
def test_order_time_and_compression_never_change_the_bytes(
    files: dict[str, tuple[bytes, bool]], data: st.DataObject
) -> None:
    first, second = data.draw(wheels(files)), data.draw(wheels(files))
    assert normalise_wheel(first) == normalise_wheel(second)
    assert normalise_wheel(normalise_wheel(first)) == normalise_wheel(first)


@given(FILES, st.data())
def test_nothing_is_lost_and_record_is_right(
    files: dict[str, tuple[bytes, bool]], data: st.DataObject
) -> None:
    made = normalise_wheel(data.draw(wheels(files)))
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {path: archive.read(path) for path in files} == {
            path: body for path, (body, _) in files.items()
        }
        archive.filename = "demo-1.0-py3-none-any.whl"
        source = WheelFile(archive)
        source.validate_record()
        listed = {path for path, _, _ in parse_record_file(source.read_dist_info("RECORD").splitlines())}
        assert listed == set(archive.namelist())
