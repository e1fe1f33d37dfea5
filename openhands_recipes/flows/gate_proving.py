"""Stages G to J: build twice, test, look for what is unsafe, and tell reviewers.

G and H execute what a pull request brings. They are refused where credentials are in the environment: a
sandbox is no reason to bring a key into the room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from packaging.version import Version as PythonVersion
from pydantic import ValidationError
from semantic_version import Version as SemanticVersion

from openhands_recipes.compile.debian.version import sort_key
from openhands_recipes.compile.recipe.document import understand
from openhands_recipes.errors import ResolutionError, UsageError
from openhands_recipes.flows.gate import Judged
from openhands_recipes.flows.gate_case import Reading
from openhands_recipes.flows.gate_files import SETTINGS
from openhands_recipes.flows.gate_rooms import Bench, Rooms
from openhands_recipes.flows.gate_stages import GateStage
from openhands_recipes.model.advisory import Advisory
from openhands_recipes.model.gate import EXECUTABLE, REGULAR, Change, Finding, NotRun, Stage
from openhands_recipes.model.gate_proof import Proven
from openhands_recipes.model.gate_settings import GateSettings
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports.history import History
from openhands_recipes.ports.proving import Advisories, Releases, SecretScan, Surroundings
from openhands_recipes.publish.gate.case import LOCKED, Case
from openhands_recipes.publish.gate.evidence import Publishing, evidence_of, not_less
from openhands_recipes.publish.gate.proven import built, held
from openhands_recipes.publish.gate.review import comment
from openhands_recipes.publish.gate.rights import SECRET
from openhands_recipes.publish.gate.rules import Code, finding
from openhands_recipes.publish.gate.scripts import risky_scripts, script_texts
from openhands_recipes.publish.gate.vulnerabilities import Keys, subjects_of, vulnerable

EXECUTING: tuple[Stage, ...] = ("G", "H")
CREDENTIALS = frozenset({
    "GITHUB_TOKEN", "GH_TOKEN", "OHR_SIGNING_KEY", "OHR_KEY_PASSWORD", "OHR_INDEX_PASSPHRASE",
    "COSIGN_PASSWORD", "COSIGN_PRIVATE_KEY",
    "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "SSH_AUTH_SOCK", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
})  # fmt: skip
"""Variables that hold credentials or lead to them; so do all whose names say so."""
MOST_TEXT = 2**20
WORKFLOWS = ".github/workflows/"
NO_ADVISORIES = "known vulnerabilities were not looked up: needs --advisories"
NO_LEDGER = "evidence was not compared with earlier releases: needs --ledger"


@dataclass(frozen=True)
class Provers:
    """What stages G to J need beside history."""

    history: History
    rooms: Callable[[], Rooms]
    """Only opened where something is executed."""
    host: Platform | None
    scan: SecretScan
    advisories: Advisories | None = None
    releases: Releases | None = None


def refuse_credentials(stages: Sequence[Stage], environment: Surroundings) -> None:
    """Nothing of a pull request is executed where it could find a key.

    Raises:
        UsageError: a stage that executes is asked for, and the environment holds credentials.
    """
    asked = [stage for stage in stages if stage in EXECUTING]
    found = sorted(n for n, v in environment.items() if v and (n in CREDENTIALS or SECRET.search(n.upper())))
    if asked and found:
        unset = " ".join(f"-u {name}" for name in found)
        raise UsageError(
            f"stage {asked[0]} executes what the pull request brings, and the environment holds "
            f"credentials: {', '.join(found)}",
            hint=f"run it where there are none: env {unset} ohr gate ...",
            code="OHR382",
        )


class Proving:
    """The four stages over one pull request, which share what they built."""

    def __init__(self, doors: Provers) -> None:
        self._doors = doors
        self._bench: Bench | None = None

    @property
    def stages(self) -> dict[Stage, GateStage]:
        """To be put beside the static stages."""
        return {
            "G": GateStage("build", self._build, executes=True),
            "H": GateStage("test", self._test, executes=True),
            "I": GateStage("security", self._security, on_request=True),
            "J": GateStage("review aid", lambda _: (), on_request=True),
        }

    def complete(self, judged: Judged) -> Judged:
        """The same judgement with what was proven, and with a comment for reviewers if that was asked for."""
        proofs = tuple(self._bench.proofs.values()) if self._bench else ()
        left = (*judged.verdict.not_run, *self._left_out(judged.verdict.stages), *_uncompared(judged, proofs))
        verdict = replace(judged.verdict, proven=proofs, not_run=left)
        if "J" in verdict.stages:
            case = judged.reading.case
            verdict = replace(verdict, comment=comment(verdict, case, _names(case)))
        return replace(judged, verdict=verdict)

    def _left_out(self, stages: Sequence[Stage]) -> Iterator[NotRun]:
        if "I" not in stages:
            return
        if self._doors.advisories is None:
            yield NotRun(stage="I advisories", reason=NO_ADVISORIES)
        if self._doors.releases is None:
            yield NotRun(stage="I ledger", reason=NO_LEDGER)

    def _at(self, reading: Reading) -> Bench:
        if self._bench is None:
            self._bench = Bench(reading, self._doors.rooms, self._doors.host)
        return self._bench

    def _build(self, reading: Reading) -> Iterator[Finding]:
        yield from built(self._at(reading).build(), reading.case.settings.budget)

    def _test(self, reading: Reading) -> Iterator[Finding]:
        yield from held(self._at(reading).test())

    def _security(self, reading: Reading) -> Iterator[Finding]:
        case = reading.case
        for proven in self._at(reading).bills():
            for problem in proven.bill:
                message = f"the bill of materials of '{proven.recipe}' is wrong: {problem}"
                yield finding(Code.BILL, message, f"recipes/{proven.recipe}/recipe.lock.json")
        yield from secrets(case, self._doors.history, self._doors.scan)
        yield from risky_scripts(case)
        if self._doors.advisories is not None:
            yield from _vulnerabilities(case, self._doors.advisories)
        yield from not_less(case, publishing(reading, self._doors))


def _uncompared(judged: Judged, proofs: Sequence[Proven]) -> Iterator[NotRun]:
    """Sizes that nobody compared, because the base's own parts are gone from where they came."""
    for proven in proofs:
        recipe = judged.reading.case.recipe(proven.recipe)
        if proven.image is not None and proven.before is None and recipe and recipe.before is not None:
            yield NotRun(
                stage="G size", reason=f"the base's image of '{proven.recipe}' cannot be built any more"
            )


def _names(case: Case) -> Mapping[int, str]:
    """Accounts by their numeric ids, as owners and recipes name them."""
    people = [person for group in (case.owners.groups.values() if case.owners else ()) for person in group]
    for recipe in case.recipes:
        sides = (recipe.before, recipe.after)
        people += [m for side in sides if side and side.recipe for m in side.recipe.maintainers]
    return {person.id: person.github for person in people}


# --- stage I -----------------------------------------------------------------------------------------


def secrets(case: Case, history: History, scan: SecretScan) -> Iterator[Finding]:
    """No changed file brings a secret that was not there before, however it is written."""
    for file in case.files:
        change = file.change
        if change.new_mode not in {REGULAR, EXECUTABLE}:
            continue
        old = set(_text(history, change.old_blob).splitlines())
        text = _text(history, change.new_blob)
        lines = text.splitlines()
        for hit in scan(text, guess=file.name not in LOCKED):
            if lines[hit.line - 1] not in old:
                yield _secret(f"{hit.kind} in line {hit.line}", change, hit.line, sure=hit.sure)
    yield from _decoded(case, scan)


def _decoded(case: Case, scan: SecretScan) -> Iterator[Finding]:
    """The same for what recipes say once YAML's escapes are gone."""
    for recipe, side in case.present:
        if side.recipe is None:
            continue
        known = recipe.before.recipe if recipe.before else None
        old = {text for _, text in script_texts(known)} if known else set()
        raw = next((f.content or b"" for f in recipe.files if f.path == recipe.file), b"").decode(
            "utf-8", "replace"
        )
        for key, text in script_texts(side.recipe):
            if text in old or text in raw:
                continue
            for hit in scan(text, guess=False):
                message = f"{hit.kind} in '{key}'"
                yield finding(Code.SECRET_FOUND, message, recipe.file, hint=REVOKE)


REVOKE = "revoke it now, whatever becomes of the pull request: everybody can read the branch"


def _secret(message: str, change: Change, line: int, *, sure: bool) -> Finding:
    if sure:
        return finding(Code.SECRET_FOUND, message, change.path, line=line, hint=REVOKE)
    hint = "if it is a secret, revoke it now; if not, a reviewer says so"
    return finding(Code.SECRET_LIKE, message, change.path, line=line, hint=hint)


def _text(history: History, blob: str) -> str:
    return history.blob(blob, limit=MOST_TEXT).decode("utf-8", "replace") if blob else ""


def _debian(version: str) -> Any:  # noqa: ANN401 - whatever orders versions
    try:
        return sort_key(version)
    except ResolutionError as error:
        raise ValueError(error.message) from error


KEYS: Keys = {"Debian": _debian, "PyPI": PythonVersion, "npm": SemanticVersion}
"""dpkg's order, PEP 440, Semantic Versioning."""


def _vulnerabilities(case: Case, database: Advisories) -> Iterator[Finding]:
    locks = [side.lock.lock for _, side in case.present if side.lock.lock is not None]
    locks += [r.before.lock.lock for r in case.recipes if r.before and r.before.lock.lock is not None]
    names = {subject.name for lock in locks for subject in subjects_of(lock)}
    advisories = []
    for file, content in database.about(names):
        try:
            advisories.append(Advisory.model_validate_json(content))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = f"{file} is no advisory: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            yield finding(Code.ADVISORY_FILE, message, hint="fetch the database again")
    yield from vulnerable(case, advisories, KEYS)


def publishing(reading: Reading, doors: Provers) -> Publishing:
    """How releases were and would be made."""
    case = reading.case
    released = {}
    for recipe in case.recipes if doors.releases is not None else ():
        records = doors.releases.releases(recipe.name) if doors.releases is not None else ()
        if records:
            released[recipe.name] = evidence_of(records[-1])
    workflows = {
        f.path: (_text(doors.history, f.change.old_blob), _text(doors.history, f.change.new_blob))
        for f in case.files
        if f.path.startswith(WORKFLOWS) and f.change.old_blob
    }
    changed = any(f.path == SETTINGS for f in case.files)
    return Publishing(released, workflows, _new_settings(reading) if changed else None)


def _new_settings(reading: Reading) -> GateSettings | None:
    """The settings after the pull request; what is wrong with them is told elsewhere."""
    content = reading.after.store.file(SETTINGS)
    return GateSettings() if content is None else understand(content, file=SETTINGS, model=GateSettings).model
