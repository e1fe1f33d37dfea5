"""A solution is always one, is found whenever there is one, and depends on nothing but the question."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_recipes.compile.debian.candidates import InstalledPackage
from openhands_recipes.compile.debian.ordering import order
from openhands_recipes.compile.debian.packages import Universe, index
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solution import Solution
from openhands_recipes.compile.debian.solve import solve
from openhands_recipes.errors import ResolutionError
from tests.debian_lists import stanza, suite

NAMES = tuple("abcdefg")
VIRTUAL = ("v", "w")
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "": lambda _one, _other: True,
    "<<": operator.lt,
    ">=": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True)
class Need:
    """A relation as the oracle understands it: versions are single digits."""

    name: str
    operator: str = ""
    version: int = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


@dataclass(frozen=True)
class Spec:
    """A package as the oracle understands it."""

    name: str
    version: int
    depends: tuple[tuple[Need, ...], ...] = ()
    pre_depends: tuple[tuple[Need, ...], ...] = ()
    refuses: tuple[Need, ...] = ()
    provides: tuple[tuple[str, int], ...] = ()
    essential: bool = False

    def meets(self, need: Need) -> bool:
        compare = COMPARE[need.operator]
        if self.name == need.name and compare(self.version, need.version):
            return True
        return any(
            name == need.name and (not need.operator or (version > 0 and compare(version, need.version)))
            for name, version in self.provides
        )

    def stanza(self) -> str:
        fields = {
            "depends": ", ".join(" | ".join(map(str, group)) for group in self.depends),
            "pre_depends": ", ".join(" | ".join(map(str, group)) for group in self.pre_depends),
            "conflicts": ", ".join(map(str, self.refuses[::2])),
            "breaks": ", ".join(map(str, self.refuses[1::2])),
            "provides": ", ".join(
                f"{name} (= {version})" if version else name for name, version in self.provides
            ),
            "essential": "yes" if self.essential else "",
        }
        return stanza(self.name, str(self.version), **{key: text for key, text in fields.items() if text})


@dataclass(frozen=True)
class Question:
    """Two suites, wishes, and what a parent has."""

    main: tuple[Spec, ...]
    security: tuple[Spec, ...]
    wishes: tuple[str, ...]
    fixed: tuple[str, ...]

    def world(self) -> Universe:
        lists = (
            suite(*map(Spec.stanza, self.main)),
            suite(*map(Spec.stanza, self.security), name="security"),
        )
        return index(lists)

    def candidates(self) -> dict[str, Spec]:
        best: dict[str, Spec] = {}
        for spec in (*self.main, *self.security):
            if spec.name not in best or spec.version > best[spec.name].version:
                best[spec.name] = spec
        return best

    def installed(self) -> tuple[InstalledPackage, ...]:
        specs = self.candidates()
        return tuple(
            InstalledPackage(name, str(specs[name].version), "amd64", "base")
            for name in self.fixed
            if name in specs
        )

    def answer(self, *, essential: bool) -> Solution | None:
        requests = [Request(name, "some") for name in self.wishes]
        try:
            return solve(self.world(), requests, installed=self.installed(), essential=essential)
        except ResolutionError:
            return None


def needs() -> st.SearchStrategy[Need]:
    names = st.sampled_from((*NAMES, *VIRTUAL))
    return st.one_of(
        st.builds(Need, names), st.builds(Need, names, st.sampled_from(("<<", ">=", "=")), st.integers(1, 3))
    )


def specs(names: Iterable[str]) -> st.SearchStrategy[tuple[Spec, ...]]:
    groups = st.lists(st.lists(needs(), min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
    provides = st.lists(
        st.tuples(st.sampled_from((*VIRTUAL, "a")), st.integers(0, 3)),
        max_size=2,
        unique_by=lambda pair: pair[0],
    )
    each = [
        st.none()
        | st.builds(
            Spec,
            name=st.just(name),
            version=st.integers(1, 3),
            depends=groups,
            pre_depends=groups.map(lambda all_of: all_of[:1]),
            refuses=st.lists(needs(), max_size=2).map(tuple),
            provides=provides.map(tuple),
            essential=st.integers(0, 9).map(lambda number: number == 0),
        )
        for name in names
    ]
    return st.tuples(*each).map(lambda found: tuple(spec for spec in found if spec))


def questions() -> st.SearchStrategy[Question]:
    some = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
    return st.builds(
        Question,
        main=specs(NAMES),
        security=specs(NAMES[:2]),
        wishes=some,
        fixed=some.map(lambda names: names[:2]),
    )


def is_solution(chosen: Iterable[Spec], fixed: frozenset[str]) -> bool:
    """The oracle: every need of what is new is met, and nothing new clashes with anything."""
    all_of = list(chosen)
    met = all(
        any(other.meets(need) for need in group for other in all_of)
        for spec in all_of
        if spec.name not in fixed
        for group in (*spec.pre_depends, *spec.depends)
    )
    return met and not any(
        other is not spec and other.meets(need) and not (spec.name in fixed and other.name in fixed)
        for spec in all_of
        for need in spec.refuses
        for other in all_of
    )


def exists_solution(question: Question, roots: frozenset[str]) -> bool:
    """Brute force over every set of candidates."""
    specs_of = question.candidates()
    fixed = frozenset(name for name in question.fixed if name in specs_of)
    must = roots | fixed
    others = sorted(specs_of.keys() - must)
    subsets = chain.from_iterable(combinations(others, size) for size in range(len(others) + 1))
    return any(is_solution([specs_of[name] for name in must.union(extra)], fixed) for extra in subsets)


def roots_of(question: Question, *, essential: bool) -> frozenset[str] | None:
    """What must be there; None when a wish means nothing or too much."""
    specs_of = question.candidates()
    found = {spec.name for spec in specs_of.values() if essential and spec.essential}
    for name in question.wishes:
        providing = [spec.name for spec in specs_of.values() if spec.meets(Need(name))]
        if name in specs_of:
            found.add(name)
        elif not set(question.fixed).intersection(providing):
            if len(providing) != 1:
                return None
            found.update(providing)
    return frozenset(found)


@settings(deadline=None)
@given(questions(), st.booleans())
def test_a_solution_is_found_exactly_when_there_is_one(question: Question, essential: bool) -> None:  # noqa: FBT001
    solution = question.answer(essential=essential)
    roots = roots_of(question, essential=essential)
    assert (solution is not None) == (roots is not None and exists_solution(question, roots))


@settings(deadline=None)
@given(questions(), st.booleans())
def test_a_solution_meets_every_need_and_clashes_with_nothing(question: Question, essential: bool) -> None:  # noqa: FBT001
    solution = question.answer(essential=essential)
    roots = roots_of(question, essential=essential)
    if solution is None or roots is None:
        return
    specs_of = question.candidates()
    fixed = frozenset(package.name for package in question.installed())
    added = {package.name for package in solution.packages}
    assert not added & fixed
    assert roots <= added | fixed
    assert all(package.version == str(specs_of[package.name].version) for package in solution.packages)
    assert is_solution([specs_of[name] for name in added | fixed], fixed)


@settings(deadline=None)
@given(questions())
def test_every_package_of_a_solution_is_there_for_a_wish(question: Question) -> None:
    solution = question.answer(essential=False)
    for package in solution.packages if solution else ():
        links = solution.why(package.name) if solution else ()
        wish = links[0].removeprefix("some asks for ").partition(",")[0]
        assert wish in question.wishes


@settings(deadline=None)
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_stanzas_wishes_and_fixed_packages_does_not_matter(
    question: Question, dice: random.Random
) -> None:
    # Of equal providers the one apt meets last is taken, so only lists without ties may be shuffled.
    ranked = tuple(replace(spec, provides=()) for spec in question.main)
    plain = Question(ranked, (), question.wishes, question.fixed)
    shuffled = Question(
        tuple(dice.sample(plain.main, len(plain.main))),
        (),
        tuple(dice.sample(plain.wishes, len(plain.wishes))),
        tuple(dice.sample(plain.fixed, len(plain.fixed))),
    )
    one, other = plain.answer(essential=True), shuffled.answer(essential=True)
    assert (one and one.packages) == (other and other.packages)
    if one and other:
        assert order(one) == order(other)
    asked_backwards = Question(question.main, question.security, question.wishes[::-1], question.fixed[::-1])
    first, second = question.answer(essential=True), asked_backwards.answer(essential=True)
    assert (first and first.packages) == (second and second.packages)


@settings(deadline=None)
@given(questions())
def test_the_order_of_configuration_names_all_once_and_keeps_pre_depends(question: Question) -> None:
    solution = question.answer(essential=True)
    if solution is None:
        return
    groups = order(solution)
    sequence = [name for group in groups for name in group]
    assert sorted(sequence) == [package.name for package in solution.packages]
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    for package in solution.packages:
        for need in (*solution.depends(package.name), *solution.pre_depends(package.name)):
            assert group_of[need] <= group_of[package.name]
        for need in solution.pre_depends(package.name):
            circular = package.name in behind(need, solution)
            assert circular or sequence.index(need) < sequence.index(package.name)


def behind(name: str, solution: Solution) -> set[str]:
    """Everything a package's Pre-Depends lead to."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = set(solution.pre_depends(waiting.pop())) - found
        found |= new
        waiting += new
    return found
