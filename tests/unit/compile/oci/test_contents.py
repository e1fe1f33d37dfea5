"""What an image contains is the same, whether read from packed layers or from what they were packed from."""

from __future__ import annotations

import io
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.oci.contents import Stacked
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.layer import layer_chunks
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from openhands_recipes.ports import Content, LayerOrder

Entries = list[tuple[Entry, Content]]
WANTED = ("etc/passwd", "etc/sudoers.d/")
names = st.sampled_from(
    [
        "etc/passwd",
        "etc/sudoers.d/me",
        "etc/x",
        "etc/.wh.passwd",
        "etc/sudoers.d/.wh..wh..opq",
        ".wh.etc",
        "opt/a/b",
    ]
)


@st.composite
def layers(draw: st.DrawFn) -> list[list[Entries]]:
    """Layers of fragments of a few files, whiteouts among them."""

    def fragment() -> Entries:
        chosen = draw(st.lists(names, unique=True, max_size=4))
        mode = draw(st.sampled_from([0o644, 0o4755]))
        made: Entries = [
            (Entry(name, Kind.FILE, mode), draw(st.binary(max_size=9))) for name in sorted(chosen)
        ]
        if draw(st.booleans()):
            made.insert(0, (Entry("etc", Kind.DIRECTORY, draw(st.sampled_from([0o755, 0o700]))), None))
        return made

    return [[fragment() for _ in range(draw(st.integers(1, 3)))] for _ in range(draw(st.integers(1, 3)))]


def content(stored: dict[str, bytes], fragment: Fragment, index: int) -> bytes:
    entry, span = fragment.entries[index], fragment.spans[index]
    end = span.offset + span.length - (-entry.size % 512)
    return stored[fragment.key][end - entry.size : end]


@given(layers())
def test_listings_and_layers_tell_the_same(stack: list[list[Entries]]) -> None:
    packed, listed = Stacked(WANTED), Stacked(WANTED)
    for height, parts in enumerate(stack):
        fragments: dict[Digest, Fragment] = {}
        stored: dict[str, bytes] = {}
        for number, entries in enumerate(parts):
            key, sink = digest_of(f"{height} {number}".encode()), io.BytesIO()
            fragments[key] = build_fragment(entries, sink, key)
            stored[key] = sink.getvalue()

        def read(key: Digest, offset: int, into: memoryview, stored: dict[str, bytes] = stored) -> None:
            into[:] = stored[key][offset : offset + len(into)]

        order = LayerOrder(digest_of(b"layer"), "layer", tuple(fragments))
        tar = b"".join(layer_chunks(order, fragments, read, size=4096))
        packed.add_layer(io.BytesIO(tar))
        listed.add_listing(fragments.values(), partial(content, stored))
    bare = {path: entry._replace(sha256="") for path, entry in listed.paths.items()}
    assert bare == packed.paths
    wanted = [path for path in packed.paths if path.startswith("etc/")]
    assert [listed.read(path) for path in wanted] == [packed.read(path) for path in wanted]
