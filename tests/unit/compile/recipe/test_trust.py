"""What readers of an index take from registry.yaml is what the whole models would have said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openhands_recipes.compile.recipe.settings import parse_settings
from openhands_recipes.compile.recipe.trust import KEYS, TOP_KEYS, parse_trust
from openhands_recipes.errors import InvalidRecipeError
from openhands_recipes.model.settings import Settings, TrustedIndex

FILE = "recipes/registry.yaml"
SETTINGS = (Path(__file__).parents[4] / "recipes" / "registry.yaml").read_text()
LONG = "a" * 180

RIGHT = [
    "",
    "index: {url: https://index.example.com, root: trust/root.json}\n",
    "index: {url: ../site, root: 'root.json', keys: [a.pub, b/c.pub], images: ['127.0.0.1:5000/team']}\n",
    "registries:\n  acme: {url: https://acme.example.com, root: acme.json}\n",
    f"index: {{url: 'https://{LONG}.example.com/{LONG}', root: root.json}}\n",
    "index: {url: oci://registry.example.com/team/index, root: root.json, keys: []}\n",
    "registries: {}\n",
]
WRONG = [
    "index: {url: https://index.example.com}\n",
    "index: {url: https://index.example.com, root: 12}\n",
    "index: {url: https://index.example.com, root: /root.json}\n",
    "index: {url: https://index.example.com, root: root.json, rooot: x}\n",
    "index: {url: https://index.example.com, root: root.json, keys: a.pub}\n",
    "index: {url: https://index.example.com, root: root.json, keys: [true]}\n",
    "index: https://index.example.com\n",
    f"index: {{url: https://index.example.com, root: '{LONG}{LONG}'}}\n",
    "indx: {url: https://index.example.com, root: root.json}\n",
    "index: {url: a, root: b}\nindex: {url: c, root: d}\n",
    "registries: {Acme!: {url: https://acme.example.com, root: acme.json}}\n",
    "registries: [acme]\n",
    "index: [\n",
]
DOCUMENTS = [
    *(SETTINGS + more for more in WRONG),
    SETTINGS.replace("schema: 1", "schema: 2"),
    SETTINGS.replace("name: openhands", "name: 1"),
    "",
    "[]",
]


@pytest.mark.parametrize("more", RIGHT)
def test_it_reads_what_the_models_read(more: str) -> None:
    content = (SETTINGS + more).encode()
    trust, settings = parse_trust(content, file=FILE), parse_settings(content, file=FILE)
    assert trust.name == settings.name
    pairs = [(trust.index, settings.index)]
    pairs += [(trust.registries[name], known) for name, known in settings.registries.items()]
    assert trust.registries.keys() == settings.registries.keys()
    for ours, theirs in pairs:
        assert (ours and vars(ours)) == (theirs and theirs.model_dump())


@pytest.mark.parametrize("content", DOCUMENTS)
def test_it_refuses_with_the_words_of_the_models(content: str) -> None:
    with pytest.raises(InvalidRecipeError) as expected:
        parse_settings(content.encode(), file=FILE)
    with pytest.raises(InvalidRecipeError) as refused:
        parse_trust(content.encode(), file=FILE)
    assert str(refused.value) == str(expected.value)
    assert vars(refused.value) == vars(expected.value)


def test_it_knows_the_keys_that_the_models_have() -> None:
    assert {field.alias or name for name, field in TrustedIndex.model_fields.items()} == KEYS
    assert {field.alias or name for name, field in Settings.model_fields.items()} == TOP_KEYS


def test_a_registry_is_found_by_its_name_or_by_none() -> None:
    acme = "registries: {acme: {url: https://acme.example.com, root: acme.json}}\n"
    trust = parse_trust((SETTINGS + RIGHT[1] + acme).encode(), file=FILE)
    assert trust.of("") is trust.of("openhands") is trust.index is not None
    assert trust.of("acme") is trust.registries["acme"]
    with pytest.raises(KeyError):
        trust.of("nobody")


def test_reading_it_does_not_load_the_models() -> None:
    program = (
        "import sys; from openhands_recipes.compile.recipe.trust import parse_trust;"
        "parse_trust(sys.stdin.buffer.read(), file='registry.yaml'); assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], input=(SETTINGS + RIGHT[2]).encode(), check=True)
