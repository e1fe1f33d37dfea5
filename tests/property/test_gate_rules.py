"""What holds of the gate's rules for every input."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.recipe.extends import bases_in
from openhands_recipes.compile.recipe.parse import examine
from openhands_recipes.model.gate import Finding
from openhands_recipes.publish.gate.paths import character_problem, escape_problem, shown
from openhands_recipes.publish.gate.rights import Rights, together, wider
from openhands_recipes.publish.gate.rules import RULES
from openhands_recipes.publish.gate.settle import outcome_of
from openhands_recipes.publish.gate.texts import canonical, canonical_problems, has_schema_line, repaired
from tests.integration.gate.registry import RECIPES

WORDS = st.frozensets(
    st.sampled_from(["python-packages", "a.example.com:443", "*.example.com:443", "b.example.org:22"])
)
RIGHTS = st.builds(
    Rights,
    egress=WORDS,
    devices=st.frozensets(st.sampled_from(["/dev/kvm", "/dev/fuse"])),
    ports=st.frozensets(st.sampled_from(["80/TCP", "53/UDP"])),
    accounts=st.frozensets(st.sampled_from(["root", "me (1:1)"])),
    resources=st.dictionaries(st.sampled_from(["cpu", "memory"]), st.integers(1, 9).map(Decimal)),
)
PATHS = st.text(max_size=40)


@given(RIGHTS, RIGHTS)
def test_nothing_is_wider_than_itself_or_than_more(one: Rights, other: Rights) -> None:
    both = together([one, other])
    assert wider(one, one) == ()
    assert wider(both, one) == ()
    assert wider(both, other) == ()


@given(RIGHTS, RIGHTS)
def test_whoever_gains_a_right_is_told_of_it(one: Rights, other: Rights) -> None:
    both = together([one, other])
    gained = bool(wider(one, both))
    assert gained == bool(wider(one, other))


@given(PATHS)
def test_what_is_shown_of_a_path_never_hides_anything(path: str) -> None:
    text = shown(path)
    assert character_problem(text) is None or text == path == ""
    assert (text == path) is (character_problem(path) is None)


@given(st.lists(st.sampled_from(["..", ".", "", ".git", "a", "b.md"]), min_size=1, max_size=4))
def test_a_path_with_a_bad_part_is_always_refused(parts: list[str]) -> None:
    bad = bool({"..", ".", "", ".git"} & set(parts))
    assert bool(escape_problem("/".join(parts))) is bad


@given(st.binary(max_size=200))
def test_repairs_are_final(content: bytes) -> None:
    once = repaired(content)
    assert repaired(once) == once
    if once != content:
        text = once.decode()
        assert "\r" not in text
        assert text.endswith("\n")
        assert unicodedata.is_normalized("NFC", text)


@given(st.sampled_from(sorted(RECIPES)), st.randoms(use_true_random=False))
def test_canonical_form_keeps_what_a_recipe_says_and_is_final(name: str, random: object) -> None:
    text = RECIPES[name]
    blocks = [
        text.partition("tests:")[0].split("\n")[1:-1],
        ["tests:" + text.partition("tests:")[2].rstrip("\n")],
    ]
    top = _paragraphs([*blocks[0], *blocks[1]])
    random.shuffle(top)  # type: ignore[attr-defined]
    shuffled = "\n".join(top) + "\n"
    ordered = canonical(shuffled)
    assert ordered == text
    assert canonical(ordered) == ordered
    assert has_schema_line(ordered)
    assert canonical_problems(ordered) == ()
    file = f"recipes/{name}/recipe.yaml"
    before, after = examine(shuffled.encode(), file=file).parsed, examine(ordered.encode(), file=file).parsed
    assert before is not None
    assert after is not None
    assert before.recipe == after.recipe


def _paragraphs(lines: list[str]) -> list[str]:
    """Top-level keys with what is below them."""
    found: list[str] = []
    for line in "\n".join(lines).split("\n"):
        if line[:1].isalpha() or not found:
            found.append(line)
        else:
            found[-1] += "\n" + line
    return found


EXTENDS = st.lists(
    st.sampled_from(["base", "python@^1.0", '"node@>=1,<2"', "'go'", "other/tool"]), max_size=3
)
STYLES = st.sampled_from(
    [
        "extends: [{}]\n",
        "extends:   [ {} ]   \n",
        "extends:\n  [{}]\n",
        '"extends": [{}]\n',
        "{{extends: [{}]}}\n",
    ]
)


@given(EXTENDS, STYLES)
def test_the_quick_reading_of_extends_agrees_with_the_full_one(entries: list[str], style: str) -> None:
    entries = [e if "," not in e else '"node@^1"' for e in entries]
    content = style.format(", ".join(entries)).encode()
    parsed = examine(content, file="").parsed
    full = [e.partition("@")[0] for e in parsed.recipe.extends] if parsed else []
    assert list(bases_in(content)) == list(dict.fromkeys(name for name in full if "/" not in name))


@given(st.lists(st.sampled_from(["error", "human", "warning", "note"])))
def test_one_error_fails_and_one_question_asks(severities: list[str]) -> None:
    found = [Finding(code="OHR200", severity=s, message="") for s in severities]
    expected = "fail" if "error" in severities else "needs-human" if "human" in severities else "pass"
    assert outcome_of(found) == expected


def test_every_human_rule_can_be_answered_by_somebody() -> None:
    demands = {rule.demand for rule in RULES.values() if rule.severity == "human"}
    assert demands == {"", "consent", "widening", "removal", "policy"}
