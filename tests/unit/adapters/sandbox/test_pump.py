from __future__ import annotations

from openhands_recipes.adapters.sandbox.pump import Collected


def test_small_output_is_kept_whole() -> None:
    kept = Collected()
    for _ in range(1000):
        kept(b"0123456789")
    assert kept.content == b"0123456789" * 1000


def test_of_huge_output_the_ends_are_kept_and_the_gap_is_named() -> None:
    kept = Collected()
    total = 0
    for number in range(4000):
        piece = f"{number:05d}".encode() * 2000
        kept(piece)
        total += len(piece)
    content = kept.content
    assert content.startswith(b"00000")
    assert content.endswith(b"03999")
    gap = int(content.split(b"[... ")[1].split(b" ")[0])
    assert len(content.replace(b"\n[... %d bytes left out ...]\n" % gap, b"")) + gap == total
