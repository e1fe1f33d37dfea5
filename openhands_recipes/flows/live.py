"""The live half of the contract: start the image as a cluster would and talk to its server."""

from __future__ import annotations

import json
from dataclasses import dataclass

from openhands_recipes.compile.oci.config import StartSettings
from openhands_recipes.compile.oci.contract import AGENT_SERVER, Finding
from openhands_recipes.flows.mounted import as_user
from openhands_recipes.ports import Box, Clock, Command, Completed, Running

KEY = "contract-check"
_DEADLINE = 120.0  # the SDK's own default for a sandbox to become healthy
_SENTENCE = "agent-server ran this"


@dataclass(frozen=True)
class LiveReport:
    """What the server answered, and how soon."""

    findings: tuple[Finding, ...]
    seconds_to_health: float | None
    output: str
    """What the server printed, for failures."""


def check_live(box: Box, start: StartSettings, clock: Clock) -> LiveReport:
    """Start entrypoint and command as the image's account, read /health and /ready, run a command, stop.

    All requests come from inside the sandbox, whose network is only its own loopback.
    """
    began = clock.monotonic()
    server = box.start(_server(start))
    findings: list[Finding] = []
    healthy, ended = _wait(box, start, server, clock)
    seconds = clock.monotonic() - began
    findings.append(
        Finding("health", healthy, f"/health after {seconds:.1f} s" if healthy else "/health never answered")
    )
    if healthy:
        ready = _curl(box, start, "/ready")
        findings.append(Finding("ready", ready.exit_code == 0, f"/ready {_text(ready)}"))
        findings.append(_executes(box, start))
    server.kill()
    ended = ended or server.wait(10)
    output = (ended.stdout + ended.stderr).decode(errors="replace") if ended else ""
    return LiveReport(tuple(findings), seconds if healthy else None, output)


def _server(start: StartSettings) -> Command:
    return as_user(
        start,
        (*start.entrypoint, *start.command),
        workdir=start.workdir,
        environment={"OH_SESSION_API_KEYS_0": KEY},
    )


def _wait(box: Box, start: StartSettings, server: Running, clock: Clock) -> tuple[bool, Completed | None]:
    deadline = clock.monotonic() + _DEADLINE
    while clock.monotonic() < deadline:
        if _curl(box, start, "/health").exit_code == 0:
            return True, None
        ended = server.wait(0.1)
        if ended is not None:
            return False, ended
    return False, None


def _curl(box: Box, start: StartSettings, path: str, *arguments: str) -> Completed:
    port = _port(start)
    url = f"http://127.0.0.1:{port}{path}"
    argv = ("/usr/bin/curl", "-fsS", "--max-time", "30", "-H", f"X-Session-API-Key: {KEY}", *arguments, url)
    return box.run(as_user(start, argv, timeout=40))


def _port(start: StartSettings) -> str:
    words = start.command
    return next((words[i + 1] for i, word in enumerate(words[:-1]) if word == "--port"), "8000")


def _executes(box: Box, start: StartSettings) -> Finding:
    """Run a command through the server's own API and read its output back."""
    request = json.dumps(
        {"command": f"echo {_SENTENCE} as $(id -u)", "cwd": "/workspace/project", "timeout": 30}
    )
    answer = _curl(
        box, start, "/api/bash/execute_bash_command", "-H", "Content-Type: application/json", "-d", request
    )
    try:
        reply = json.loads(answer.stdout)
    except ValueError:
        return Finding("executes", ok=False, detail=f"/api/bash/execute_bash_command {_text(answer)}")
    ok = reply.get("exit_code") == 0 and (reply.get("stdout") or "").strip() == f"{_SENTENCE} as {start.uid}"
    return Finding("executes", ok, f"a command through the API printed {reply.get('stdout')!r}")


def _text(answer: Completed) -> str:
    return (answer.stdout + answer.stderr).decode(errors="replace").strip()[:300]


def has_server(start: StartSettings) -> bool:
    """Whether the image starts an agent-server."""
    return f"/{AGENT_SERVER}" in start.entrypoint
