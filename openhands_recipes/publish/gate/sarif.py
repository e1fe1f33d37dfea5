"""A verdict as SARIF 2.1.0 (OASIS), which code-scanning pages read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from openhands_recipes.model.digest import digest_of_json
from openhands_recipes.model.gate import Finding, Verdict
from openhands_recipes.publish.gate.reports import PAGE, document_of, title_of

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVEL = {"error": "error", "human": "warning", "warning": "warning", "note": "note"}


def as_sarif(verdict: Verdict, *, tool_version: str) -> str:
    """One run with a rule for each code that was found.

    What was skipped or tolerated is there as suppressed results.
    """
    suppressed = [(f, "external") for f in verdict.skipped] + [(f, "inSource") for f in verdict.tolerated]
    found = [*verdict.findings, *(f for f, _ in suppressed)]
    codes = sorted({f.code for f in found})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": title_of(code)},
            "help": {"text": f"see {PAGE.format(code=code)}"},
        }
        for code in codes
    ]
    results = [_result(f, codes) for f in verdict.findings]
    results += [_result(f, codes) | {"suppressions": [{"kind": kind}]} for f, kind in suppressed]
    document = document_of(verdict)
    run = {
        "tool": {"driver": {"name": "ohr gate", "semanticVersion": tool_version, "rules": rules}},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "properties": {
            key: document[key] for key in ("verdict", "base", "head", "stages", "lane", "may_approve")
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _result(found: Finding, codes: list[str]) -> dict[str, Any]:
    text = found.message + (f" ({found.hint})" if found.hint else "")
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": codes.index(found.code),
        "level": LEVEL[found.severity],
        "message": {"text": text},
        "partialFingerprints": {"finding/v1": digest_of_json([found.code, found.file, found.message])},
    }
    if found.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(found.file)}}
        if found.line:
            place["region"] = {"startLine": found.line} | (
                {"startColumn": found.column} if found.column else {}
            )
        result["locations"] = [{"physicalLocation": place}]
    return result
