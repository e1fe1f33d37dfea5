"""How recipes combine with what they extend."""

from __future__ import annotations

import pytest

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.errors import ResolutionError, UsageError
from openhands_recipes.model.composed import Composed, Constraint, Origin
from openhands_recipes.model.recipe import EgressRule
from tests.recipe_texts import library, parsed

DIAMOND = {
    "base": "packages: [git]\nenvironment: {LANG: C.UTF-8, A: base}\npath: [/opt/base]\n"
    "user: {name: agent, uid: 10001, gid: 10001}\n",
    "python": 'extends: [base]\npython: {version: "3.13", packages: [pip]}\npath: [/opt/python]\n',
    "node": 'extends: [base]\nnode: {version: "20", packages: ["prettier@>=3"]}\n'
    "environment: {A: node}\npath: [/opt/node]\n",
}


def diamond(body: str = "extends: [python, node]\n") -> Composed:
    return compose("example", library(**DIAMOND, example=body))


def problem(name: str = "example", **bodies: str) -> str:
    with pytest.raises(ResolutionError) as caught:
        compose(name, library(**bodies))
    return str(caught.value)


def test_the_lineage_of_a_diamond_has_every_level_once() -> None:
    composed = diamond()
    assert composed.lineage == ("base", "node", "python", "example")
    assert [level.name for level in composed.levels] == list(composed.lineage)
    assert composed.levels[1].recipe.environment == {"A": "node"}
    assert (composed.levels[0].version, composed.levels[0].file) == ("1.0.0", "recipes/base/recipe.yaml")


def test_a_value_replaced_further_up_is_no_conflict() -> None:
    composed = diamond()
    assert composed.environment == {"A": "node", "LANG": "C.UTF-8"}
    assert composed.origins["environment", "A"] == (Origin("node", "recipes/node/recipe.yaml", 9, 15),)


def test_folders_of_the_nearest_level_come_first_on_path() -> None:
    composed = diamond("extends: [python, node]\npath: [/opt/own, /opt/base]\n")
    assert composed.path == ("/opt/own", "/opt/base", "/opt/python", "/opt/node")
    assert composed.full_environment["PATH"] == (
        "/opt/own:/opt/base:/opt/python:/opt/node:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    assert list(composed.full_environment) == ["A", "LANG", "PATH"]


def test_identity_is_never_inherited() -> None:
    composed = diamond()
    assert composed.name == "example"
    assert composed.version == "1.0.0"
    assert composed.recipe.tags == ()
    assert composed.recipe.end_of_life is None


def test_language_sections_imply_their_interpreters() -> None:
    streams = {p.name: (p.stream, [o.recipe for o in p.origins]) for p in diamond().packages}
    assert streams == {"git": (None, ["base"]), "node": ("20", ["node"]), "python": ("3.13", ["python"])}


def test_an_application_implies_python_beside_the_users() -> None:
    app = '{name: server, python: {version: "3.12", packages: [x]}, commands: {}}'
    composed = diamond(f"extends: [python]\napplications: [{app}]\n")
    assert [(p.name, p.stream) for p in composed.packages if p.name == "python"] == [
        ("python", "3.12"),
        ("python", "3.13"),
    ]


def test_constraints_on_a_package_add_up_with_their_places() -> None:
    composed = compose(
        "example",
        library(
            base='packages: [{name: gcc, version: "<14"}]\n',
            example='extends: [base]\npackages: [git, {name: gcc, version: ">=13"}, gdb]\n',
        ),
    )
    gcc = next(p for p in composed.packages if p.name == "gcc")
    assert gcc.constraints == (
        Constraint("<14", Origin("base", "recipes/base/recipe.yaml", 7, 12)),
        Constraint(">=13", Origin("example", "recipes/example/recipe.yaml", 8, 17)),
    )
    assert [p.name for p in composed.packages] == ["gcc", "gdb", "git"]


def test_requirements_of_both_languages_intersect() -> None:
    composed = diamond(
        "extends: [python, node]\n"
        'python: {version: "3.13", packages: ["pip>=25", "Six[a]>=1", "x; os_name == \'nt\'"]}\n'
        'node: {version: "20", packages: ["prettier@^3.4 || 4", typescript]}\n'
    )
    assert composed.python
    assert composed.python.packages == ("pip>=25", "Six[a]>=1", "x; os_name == 'nt'")
    assert composed.node
    assert composed.node.packages == ("prettier@>=3 ^3.4 || >=3 4", "typescript")


def test_specifiers_and_extras_of_one_project_are_merged() -> None:
    composed = compose(
        "example",
        library(
            base='python: {version: "3.13", packages: ["uvicorn[standard]>=0.30"]}\n',
            example='extends: [base]\npython: {version: "3.13", packages: ["Uvicorn[watch]<1"]}\n',
        ),
    )
    assert composed.python
    assert composed.python.packages == ("uvicorn[standard,watch]<1,>=0.30",)


def test_applications_of_one_name_are_combined() -> None:
    one = '{name: server, python: {version: "3.13", packages: ["core>=1"]}, commands: {serve: a}}'
    two = one.replace('"core>=1"', '"core<2", extra').replace("serve: a", "serve: b, call: c")
    composed = compose(
        "example",
        library(base=f"applications: [{one}]\n", example=f"extends: [base]\napplications: [{two}]\n"),
    )
    (server,) = composed.applications
    assert server.python.packages == ("core<2,>=1", "extra")
    assert server.commands == {"call": "c", "serve": "b"}
    assert [o.recipe for o in composed.origins["applications", "server"]] == ["base", "example"]


def test_permissions_and_ports_add_up() -> None:
    hosts = "{host: b.example.com, ports: [443, 80]}", "{host: b.example.com, ports: [8443]}"
    composed = compose(
        "example",
        library(
            base="ports: [{name: web, port: 80}]\npermissions:\n"
            f"  network: {{egress: [source-hosting, {hosts[0]}]}}\n  devices: [/dev/kvm]\n",
            example="extends: [base]\nports: [{name: api, port: 81}]\npermissions:\n"
            f"  network: {{egress: [{hosts[1]}, node-packages]}}\n  privileges: [ptrace]\n",
        ),
    )
    assert composed.permissions.network.egress == (
        "node-packages",
        "source-hosting",
        EgressRule(host="b.example.com", ports=(80, 443, 8443)),
    )
    assert composed.permissions.devices == ("/dev/kvm",)
    assert composed.permissions.privileges == ("ptrace",)
    assert [port.name for port in composed.ports] == ["api", "web"]
    assert len(composed.origins["permissions", "network", "egress", "b.example.com"]) == 2


def test_resources_take_the_maximum_in_its_own_spelling() -> None:
    composed = compose(
        "example",
        library(
            base="resources: {cpu: 1500m, memory: 2048Mi, disk: 1Gi}\n",
            example='extends: [base]\nresources: {cpu: "1", memory: 2Gi, disk: 1Ti, gpu: 1}\n',
        ),
    )
    assert composed.resources.model_dump() == {"cpu": "1500m", "memory": "2048Mi", "disk": "1Ti", "gpu": 1}
    assert composed.origins["resources", "cpu"][0].recipe == "base"


def test_tests_come_in_the_order_of_the_levels_and_a_child_may_replace_one() -> None:
    composed = compose(
        "example",
        library(
            base="tests: [{name: b, run: base}, {name: a, run: base}]\n",
            example="extends: [base]\ntests: [{name: c, run: own}, {name: b, run: own}]\n",
        ),
    )
    assert [(t.name, t.run) for t in composed.tests] == [("b", "own"), ("a", "base"), ("c", "own")]


def test_platforms_are_those_that_every_level_supports() -> None:
    both, one = "platforms: [linux/arm64, linux/amd64]\n", "platforms: [linux/amd64]\n"
    assert compose("example", library(example="")).platforms == ()
    assert compose("example", library(base=both, example="extends: [base]\n")).platforms == (
        "linux/amd64",
        "linux/arm64",
    )
    assert compose("example", library(base=both, example=f"extends: [base]\n{one}")).platforms == (
        "linux/amd64",
    )
    siblings = library(base=both, other=one, example="extends: [base, other]\n")
    assert compose("example", siblings).platforms == ("linux/amd64",)


def test_reasons_against_a_source_add_up() -> None:
    bodies = {
        "base": "unavailable: {npm: slow}\n",
        "example": "extends: [base]\nunavailable: {npm: broken, nixpkgs: missing}\n",
    }
    assert compose("example", library(**bodies)).unavailable == {"nixpkgs": "missing", "npm": "broken; slow"}


def test_bases_that_agree_do_not_conflict() -> None:
    same = "workdir: /work\nenvironment: {A: a}\n"
    composed = compose("example", library(one=same, two=same, example="extends: [one, two]\n"))
    assert composed.workdir == "/work"
    assert [o.recipe for o in composed.origins["workdir",]] == ["two", "one"]


def test_bases_that_disagree_are_both_named() -> None:
    assert problem(
        one="environment: {EDITOR: nano}\n",
        two="environment: {EDITOR: vim}\n",
        example="extends: [one, two]\n",
    ) == (
        "bases of 'example' disagree on 'environment.EDITOR': 'vim' (recipes/two/recipe.yaml:7) "
        "or 'nano' (recipes/one/recipe.yaml:7)\n"
        "  --> recipes/example/recipe.yaml:7:10\n"
        "  hint: give 'environment.EDITOR' in 'example' to decide"
    )


def test_the_recipes_own_word_settles_a_disagreement() -> None:
    composed = compose(
        "example",
        library(one="workdir: /a\n", two="workdir: /b\n", example="extends: [one, two]\nworkdir: /c\n"),
    )
    assert composed.workdir == "/c"


def test_an_unknown_base_is_named_with_the_nearest_known() -> None:
    assert problem(ubuntu="", example="extends: [ubunut]\n") == (
        "recipe 'example' extends unknown base 'ubunut'\n"
        "  --> recipes/example/recipe.yaml:7:11\n"
        "  hint: did you mean 'ubuntu'?"
    )


def test_a_circle_is_named_with_its_places() -> None:
    assert problem(
        aa="extends: [bb]\n", bb="extends: [cc]\n", cc="extends: [bb]\n", example="extends: [aa]\n"
    ) == (
        "recipes extend each other in a circle: "
        "'bb' (recipes/bb/recipe.yaml:7) -> 'cc' (recipes/cc/recipe.yaml:7) -> 'bb'\n"
        "  --> recipes/bb/recipe.yaml:7:10\n"
        "  hint: take one of these bases out"
    )


def test_a_base_of_another_version_is_refused() -> None:
    assert problem(base="", example='extends: ["base@>=1.1,<2"]\n') == (
        "recipe 'example' extends 'base@>=1.1,<2', but 'base' is 1.0.0\n"
        "  --> recipes/example/recipe.yaml:7:11\n"
        "  hint: the version stands in recipes/base/recipe.yaml:3; change the range or take another base"
    )


def test_a_base_of_another_registry_has_to_be_had_from_its_index() -> None:
    assert problem(example='extends: ["acme/python@^1"]\n').startswith(
        "recipe 'example' extends 'acme/python' of another registry, which is not to be had here\n"
    )


def test_a_contradiction_over_three_recipes_is_told_as_a_chain() -> None:
    text = problem(
        aa="", bb="", cc="",
        one="extends: [aa, bb]\n", two="extends: [bb, cc]\n", three="extends: [cc, aa]\n",
        example="extends: [one, two, three]\n",
    )  # fmt: skip
    assert text.count("nearer than") == 3
    assert text.endswith("hint: name the bases in the same order everywhere")


def test_ranges_that_exclude_each_other_name_both_places() -> None:
    base = 'packages: [{name: gcc, version: "<14"}]\n'
    assert problem(base=base, example='extends: [base]\npackages: [{name: gcc, version: ">=14"}]\n') == (
        "no version of package 'gcc' can be in all of '<14' (recipes/base/recipe.yaml:7) "
        "and '>=14' (recipes/example/recipe.yaml:8)\n"
        "  --> recipes/example/recipe.yaml:7:10\n"
        "  hint: widen one of the ranges"
    )


def test_a_file_of_one_level_is_no_folder_of_another() -> None:
    base = "files: {/opt/data: {link: /srv/data}}\n"
    assert problem(base=base, example="extends: [base]\nfiles: {/opt/data/x: {text: x}}\n") == (
        "'/opt/data/x' (recipes/example/recipe.yaml:8) lies below "
        "'/opt/data' (recipes/base/recipe.yaml:7), which is not a folder\n"
        "  --> recipes/example/recipe.yaml:7:10\n"
        "  hint: make '/opt/data' a folder in 'example', or choose another path"
    )


def test_every_disagreement_is_reported_at_once() -> None:
    text = problem(
        one='workdir: /a\ncommand: [a]\npython: {version: "3.13"}\n',
        two='workdir: /b\ncommand: [b]\npython: {version: "3.12"}\n',
        example="extends: [one, two]\n",
    )
    assert text.startswith("3 faults in recipes/example/recipe.yaml\n")


def test_more_levels_than_an_image_has_layers_are_refused() -> None:
    bodies = {f"m{i}": f"extends: [m{i - 1}]\n" if i else "" for i in range(60)}
    assert "builds on more than 48 recipes" in problem("m59", **bodies)


def test_a_wide_lineage_is_refused_as_well() -> None:
    bodies = {f"m{i}": "" for i in range(60)}
    assert "builds on more than 48 recipes" in problem(**bodies, example=f"extends: [{', '.join(bodies)}]\n")


def test_asking_for_a_recipe_there_is_none_of_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(UsageError, match="there is no recipe 'exampel'") as caught:
        compose("exampel", {"example": parsed()})
    assert caught.value.hint == "did you mean 'example'?"
