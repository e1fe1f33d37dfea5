"""What uv says when it gives up, as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from openhands_recipes.errors import DownloadError, NoWheelError, OutsideError, RecipesError, ResolutionError
from openhands_recipes.ports import PythonRequest

LONGEST_REASON = 500

_DRAWING = re.compile("[\u00d7\u2570\u2500\u25b6\u251c\u2502]")
"""The frames older versions of uv draw around what they say."""

_WHEELS_REQUIRED = re.compile(r"Wheels are required for `([^`]+)`")
_EXACT = r"\b{project}(?:\[[^]]*\])?==([^\s,`]+) has no usable wheels"
_RANGE = r"(?:depends on|require) {project}(?:\[[^]]*\])?((?:(?:[<>=!~]=?|===)[^\s,`]+,?)+)"
_UNSATISFIABLE = "No solution found"
_FALSE_KEYS = re.compile(r"invalid peer certificate|certificate verify failed|UnknownIssuer", re.IGNORECASE)
_REFUSED = re.compile(r"\((40[1237] [A-Z][A-Za-z ]*)\)")
_PASSING = re.compile(
    r"error sending request|dns error|failed to lookup address|connection (?:refused|reset|closed)|"
    r"timed out|timeout|Failed to fetch|Request failed after|HTTP status server error|"
    r"429 Too Many|error decoding response body|unexpected end of file",
    re.IGNORECASE,
)
_URL_SECRETS = re.compile(r"(://)[^/@\s]+@")
_SENTENCE_END = re.compile(r"\.\s+(?=And because |Because |\()")
_CONCLUSION = re.compile(r",?\s*(?:and )?we can conclude that .*$")
_OPENING = re.compile(r"^(?:\(\d+\)\s*)?(?:And because|Because)\s+(?:we know from \(\d+\) that )?")
_LISTS = re.compile(r"only the following versions of (\S+) are available:(?: [\w.-]+[<>=!~]=?\S+)+")
_REQUIRED = re.compile(r"(?:^| and )you require \S+$")


class PassingUvError(Exception):
    """uv could not reach the index; trying again may help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def uv_error(stderr: str, request: PythonRequest) -> RecipesError | PassingUvError:
    """What a failed run of uv means, from what it said.

    Versions of uv word and draw it differently: only phrases that have stayed are looked for.
    """
    text = _URL_SECRETS.sub(r"\1", _DRAWING.sub(" ", stderr))
    plain = " ".join(text.split())
    if _FALSE_KEYS.search(plain):
        return DownloadError(
            "the Python package index shows a TLS certificate that is not trusted",
            hint="set SSL_CERT_FILE to your certificates",
        )
    if refused := _REFUSED.search(plain):
        return DownloadError(
            f"the Python package index refuses to answer ({refused[1]})",
            hint="check the credentials in the index URL or in ~/.netrc",
        )
    if _UNSATISFIABLE in plain:  # a refused index is just one without the project, for uv
        return _unsatisfiable(text, plain, request)
    if _PASSING.search(plain):
        return PassingUvError(_first_cause(text))
    return OutsideError(f"uv failed: {_first_line(text)}", hint="run again with --verbose to see all it says")


def _unsatisfiable(text: str, plain: str, request: PythonRequest) -> ResolutionError:
    target = f"with Python {request.python_version} on {request.platform}"
    asked = _asked(plain, request.requirements)
    reason = condensed(plain)
    message = f"Python requirements cannot be met {target}: {reason}"
    if asked:
        message = f"{_listed(asked)} cannot be met {target}: {reason}"
    wheelless = _WHEELS_REQUIRED.findall(text)
    if wheelless:
        project = canonicalize_name(wheelless[0])
        return NoWheelError(message, project=project, specifier=_specifier(plain, project, request))
    hints = [part.split("\n\n")[0] for part in text.split("hint:")[1:]]
    return ResolutionError(message, hint=" ".join(hints[0].split()) if hints else None)


def _specifier(plain: str, project: str, request: PythonRequest) -> str:
    """Which versions of a project would do: what the explanation and the request say of it."""
    name = re.escape(project)
    if exact := re.search(_EXACT.format(project=name), plain, re.IGNORECASE):
        return f"=={exact[1]}"
    parts = [match.rstrip(",") for match in re.findall(_RANGE.format(project=name), plain, re.IGNORECASE)]
    for text in (*request.requirements, *request.constraints):
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) == project:
            parts.append(str(requirement.specifier))
    try:
        return str(SpecifierSet(",".join(sorted({part for part in parts if part}))))
    except InvalidSpecifier:
        return ""


def _asked(plain: str, requirements: Iterable[str]) -> list[str]:
    """The requirements of the request that the explanation blames."""
    blamed = {canonicalize_name(name) for name in re.findall(r"you require ([A-Za-z0-9][\w.-]*)", plain)}
    return sorted(
        text for text in requirements if canonicalize_name(re.split(r"[^\w.-]", text.strip())[0]) in blamed
    )


def _listed(texts: list[str]) -> str:
    quoted = [f"'{text}'" for text in texts]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def condensed(plain: str) -> str:
    """The chain of uv's reasons as one sentence, without its conclusions."""
    start = plain.find("Because")
    if start < 0:
        return "no reason was given"
    reasons = []
    body = _LISTS.sub(r"only some versions of \1 are available", plain[start:].partition(" hint:")[0])
    for sentence in _SENTENCE_END.split(body):
        reason = _OPENING.sub("", _CONCLUSION.sub("", sentence.strip(" .")))
        reasons.append(_REQUIRED.sub("", reason))
    told = "; ".join(reason for reason in reasons if reason)
    return told if len(told) <= LONGEST_REASON else told[: LONGEST_REASON - 4].rsplit(" ", 1)[0] + " ..."


def _first_cause(text: str) -> str:
    """The innermost cause uv names."""
    causes = [line.partition("cause:")[2].strip() for line in text.splitlines() if "cause:" in line]
    return causes[-1] if causes else _first_line(text)


def _first_line(text: str) -> str:
    lines = [line.strip().removeprefix("error:").strip() for line in text.splitlines()]
    return next((line for line in lines if line and not line.startswith("warning:")), "it did not say why")
