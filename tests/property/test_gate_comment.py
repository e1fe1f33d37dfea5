"""Whatever a recipe or lock says, the gate's comment is the gate's: bounded, and free of foreign Markdown."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.gate import Finding, Lane, NotRun, Verdict
from openhands_recipes.model.gate_proof import ImageFacts, Proven
from openhands_recipes.publish.gate.case import Case, Side, TouchedRecipe
from openhands_recipes.publish.gate.markdown import LIMIT, Section, cell, code, fit
from openhands_recipes.publish.gate.review import comment
from tests.gate_locks import lock

HOSTILE = st.sampled_from([
    "`", "``", "```\n", "@team/security", "[x](https://example.org)", "![](x)", "<img src=x onerror=y>",
    "|", "\\",
    "\\|", "\n\n# Heading\n", "\r", "-->", "&lt;", "&#64;team", "*", "_", "~~", "https://example.org", "#1",
    "\u202e", "\u200b", "\0", "    ", "$$", "\u2028", ":smile:", "<!--", "</code>", "1.0.0",
])  # fmt: skip
texts = st.lists(HOSTILE | st.text(max_size=5), max_size=12).map("".join)
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
ALLOWED = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "bullet_list_open",
    "bullet_list_close", "list_item_open", "list_item_close", "table_open", "table_close", "thead_open",
    "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open",
    "td_close", "html_block", "text", "code_inline", "strong_open", "strong_close", "em_open", "em_close",
    "softbreak",
}  # fmt: skip
LOOSE = re.compile(r"[@<>\[\]`|\\#~$:]|www\.")
"""What could mean something on GitHub outside of code."""


def tokens(text: str) -> list[Token]:
    return [t for block in MARKDOWN.parse(text) for t in (block, *(block.children or ()))]


def hold_tight(text: str) -> None:
    """Everything outside of code spans is ours."""
    for token in tokens(text):
        assert token.type in ALLOWED, (token.type, token.content)
        if token.type == "html_block":
            assert token.content.strip() == "<!-- ohr gate -->"
        if token.type == "text":
            assert not LOOSE.search(token.content.replace("Gate: ", "").replace("changed, ", "")
                                    .replace(":", "", 1)), token.content  # fmt: skip


@given(texts)
def test_a_quotation_is_one_code_span_whatever_it_says(text: str) -> None:
    inline = MARKDOWN.parse(f"- {code(text)}\n")
    children = [child for token in inline for child in token.children or ()]
    kinds = {child.type for child in children}
    assert kinds in ({"code_inline"}, {"em_open", "text", "em_close"})
    assert not any(sign in code(text) for sign in "\n\r\0\u202e\u2028\u200b")


@given(texts, texts)
def test_a_table_keeps_its_cells(one: str, two: str) -> None:
    rows = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {cell(one)} | {cell(two)} |\n")
    cells = [t for t, opened in zip(rows[1:], rows, strict=False) if opened.type == "td_open"]
    assert len(cells) == 2
    assert all(
        {c.type for c in t.children or ()} <= {"code_inline", "em_open", "text", "em_close"} for t in cells
    )
    assert all(c.content in ("", "empty") for t in cells for c in t.children or () if c.type == "text")


def verdict(words: list[str]) -> Verdict:
    findings = tuple(
        Finding(code="OHR335", severity="human", message=w, file=w, line=3, hint=w) for w in words
    )
    image = ImageFacts(digest_of(b"x"), 7, ((digest_of(b"l"), 7),))
    proof = Proven(words[0], "linux/amd64", image, image, image)
    lane = Lane(name="change", reason=words[-1])
    return Verdict(
        base="a" * 40, head="b" * 40, outcome="needs-human", findings=findings, stages=("G", "J"),
        not_run=(NotRun(stage="A", reason=words[0]),), recipes=(words[0],),
        dependants={words[0]: tuple(words)},
        lane=lane, skipped=findings[:1], proven=(proof,),
    )  # fmt: skip


def case(words: list[str]) -> Case:
    sides = [Side(lock=lock(*found)) for found in ([], words)]
    recipe = TouchedRecipe(words[0], (), sides[0], sides[1])
    return Case(base="a" * 40, head="b" * 40, today="2026-11-23", files=(), commits=(), recipes=(recipe,))


@settings(max_examples=60)
@given(st.lists(texts, min_size=1, max_size=6))
def test_a_comment_holds_nobody_elses_markdown_and_is_the_same_again(words: list[str]) -> None:
    text = comment(verdict(words), case(words), {})
    assert text == comment(verdict(list(words)), case(words), {})
    assert len(text) <= LIMIT
    hold_tight(text)


@settings(max_examples=20)
@given(st.integers(1, 3000), st.integers(0, 400), st.integers(300, 5000))
def test_a_document_fits_and_says_what_it_leaves_out(count: int, length: int, limit: int) -> None:
    sections = [Section("Findings", ["- " + "x" * length] * count), Section("Packages", ["- y"])]
    text = fit("## Gate", sections, limit=limit)
    assert len(text) <= limit
    left = count - text.count("- x") if length else 0
    assert left == 0 or "in the verdict as JSON" in text


def test_a_verdict_of_thousands_of_findings_still_fits_with_the_errors_first() -> None:
    words = [f"word {n} {'x' * 200}" for n in range(3000)]
    text = comment(verdict(words), case(words[:3]), {})
    assert len(text) <= LIMIT
    assert text.index("### Findings") < text.index("lines more are in the verdict as JSON")
