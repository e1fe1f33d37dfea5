"""A recipe means the same in the registry that extends it, under names nobody here can have."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.foreign import adopted, wishes_of
from openhands_recipes.model import forms
from tests.recipe_texts import parsed

NAMES = ("floor", "left", "right", "top")
EXTENDS = {"floor": "", "left": "floor", "right": "floor@^1", "top": "left, right"}


@given(
    st.from_regex(forms.REGISTRY_NAME, fullmatch=True), st.sampled_from(NAMES), st.sampled_from(["", "floor"])
)
def test_an_adopted_lineage_composes_to_the_same_under_other_names(
    registry: str, name: str, hidden: str
) -> None:
    theirs = {one: parsed(one, f"extends: [{EXTENDS[one]}]\npath: [/opt/{one}]\n") for one in NAMES}
    here = {f"{registry}/{one}": adopted(recipe, registry) for one, recipe in theirs.items()}
    ours = {"floor": parsed("floor", "path: [/opt/ours]\n")} if hidden else {}
    there, found = compose(name, theirs), compose(f"{registry}/{name}", {**ours, **here})
    assert found.lineage == tuple(f"{registry}/{one}" for one in there.lineage)
    assert found.path == there.path
    assert not any(re.match(forms.NAME, one) for one in found.lineage)


def test_wishes_are_gathered_from_the_whole_lineage_and_circles_end() -> None:
    recipes = {
        "top": parsed("top", 'extends: [low, "acme/tools@^1", unknown]\n'),
        "low": parsed("low", 'extends: [top, "acme/tools@^2", "other/tools"]\n'),
    }
    found = wishes_of("top", recipes)
    assert {base: [wish.range for wish in wishes] for base, wishes in found.items()} == {
        "acme/tools": ["^1", "^2"],
        "other/tools": [""],
    }
    assert [wish.entry for wish in found["acme/tools"]] == ["acme/tools@^1", "acme/tools@^2"]
