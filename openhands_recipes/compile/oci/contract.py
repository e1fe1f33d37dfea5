"""The OpenHands contract, checked on what an image contains: no sandbox, no network, milliseconds.

Two parts. `minimal` is what every sandbox of this registry promises; `agent-server` is what OpenHands V1
demands of an image it starts itself (docs/contract.md lists the sources of every rule).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from openhands_recipes.compile.oci.config import StartSettings
from openhands_recipes.model.fragment import Entry, Kind

VERSION = "v1/agent-server-1.58"
AGENT_SERVER = "usr/local/bin/openhands-agent-server"
ACCOUNT = ("openhands", 10001, 10001)
TOOLS = (
    "bash", "sudo", "git", "curl", "wget", "jq", "tar", "xz", "find", "xargs",
    "grep", "sed", "awk", "ps", "pgrep", "kill", "tini",
)  # fmt: skip
_WORLD_STICKY = 0o1777
_SETUID = 0o4000
_MOST_LAYERS = 100
_LINKS = 16


@dataclass(frozen=True)
class Finding:
    """One rule and whether the image keeps it."""

    rule: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Contents:
    """An image's paths as they finally stand, and the content of a few of its files."""

    paths: Mapping[str, Entry]
    read: Callable[[str], bytes]
    layers: int

    def find(self, path: str) -> Entry | None:
        """What stands at a path, symbolic links followed inside the image."""
        for _ in range(_LINKS):
            step = self._first_link(path)
            if step is None:
                return self.paths.get(path)
            path = step
        return None

    def _first_link(self, path: str) -> str | None:
        pieces = path.split("/")
        for length in range(1, len(pieces) + 1):
            head = "/".join(pieces[:length])
            entry = self.paths.get(head)
            if entry is not None and entry.kind is Kind.SYMLINK:
                base = [] if entry.link.startswith("/") else pieces[: length - 1]
                return _normal([*base, *entry.link.split("/"), *pieces[length:]])
        return None

    def text(self, path: str) -> str:
        """A small file's text; empty when there is none."""
        entry = self.find(path)
        return self.read(entry.path).decode(errors="replace") if entry and entry.kind is Kind.FILE else ""


def _normal(pieces: list[str]) -> str:
    result: list[str] = []
    for piece in pieces:
        if piece == "..":
            result = result[:-1]
        elif piece not in ("", "."):
            result.append(piece)
    return "/".join(result)


def check_contract(contents: Contents, start: StartSettings) -> tuple[Finding, ...]:
    """Every rule that applies to the image, in a fixed order."""
    findings = [
        *_account(contents, start),
        *_folders(contents),
        *_settings(contents, start),
        *_tools(contents),
    ]
    if contents.find(AGENT_SERVER) is not None or start.entrypoint:
        findings += _agent_server(contents, start)
    return tuple(findings)


def _account(contents: Contents, start: StartSettings) -> Iterator[Finding]:
    name, uid, gid = ACCOUNT
    line = next((x for x in contents.text("etc/passwd").splitlines() if x.startswith(f"{name}:")), "")
    fields = line.split(":")
    home = f"home/{name}"
    yield Finding("account", fields[2:4] == [str(uid), str(gid)], line or f"no account {name} in /etc/passwd")
    yield Finding("shell", fields[-1:] == ["/bin/bash"], f"{name} starts {fields[-1] or 'nothing'}")
    yield Finding(
        "runs-as", (start.uid, start.gid) == (uid, gid), f"the image starts as {start.uid}:{start.gid}"
    )
    yield _owned(contents, "home", home, uid, gid)
    yield _owned(contents, "workspace", "workspace", uid, gid)
    yield _owned(contents, "project", "workspace/project", uid, gid)
    rule = contents.text(f"etc/sudoers.d/{name}")
    sudo = contents.find("usr/bin/sudo")
    yield Finding("sudo-rule", "NOPASSWD: ALL" in rule, rule.strip() or f"no /etc/sudoers.d/{name}")
    mode = sudo.mode if sudo else 0
    yield Finding("sudo-setuid", bool(mode & _SETUID), f"/usr/bin/sudo has mode {mode:04o}")


def _owned(contents: Contents, rule: str, path: str, uid: int, gid: int) -> Finding:
    entry = contents.find(path)
    if entry is None or entry.kind is not Kind.DIRECTORY:
        return Finding(rule, ok=False, detail=f"/{path} is not a folder")
    return Finding(rule, (entry.uid, entry.gid) == (uid, gid), f"/{path} belongs to {entry.uid}:{entry.gid}")


def _folders(contents: Contents) -> Iterator[Finding]:
    for path in ("tmp", "var/tmp"):
        entry = contents.find(path)
        mode = entry.mode if entry else 0
        yield Finding(path.replace("/", "-"), mode == _WORLD_STICKY, f"/{path} has mode {mode:04o}")


def _settings(contents: Contents, start: StartSettings) -> Iterator[Finding]:
    for name in ("LANG", "LC_ALL"):
        value = start.environment.get(name, "")
        yield Finding(name.lower(), value == "C.UTF-8", f"{name}={value}")
    store = contents.text("etc/ssl/certs/ca-certificates.crt")
    yield Finding(
        "certificates",
        store.count("BEGIN CERTIFICATE") > 0,
        f"{store.count('BEGIN CERTIFICATE')} authorities",
    )
    yield Finding("layers", contents.layers <= _MOST_LAYERS, f"{contents.layers} layers")


def _tools(contents: Contents) -> Iterator[Finding]:
    missing = [tool for tool in TOOLS if not _on_path(contents, tool)]
    yield Finding(
        "tools", not missing, f"missing: {', '.join(missing)}" if missing else f"{len(TOOLS)} tools"
    )


def _on_path(contents: Contents, tool: str) -> bool:
    return any(contents.find(f"{folder}/{tool}") for folder in ("usr/bin", "usr/sbin", "usr/local/bin"))


def _agent_server(contents: Contents, start: StartSettings) -> Iterator[Finding]:
    server = contents.find(AGENT_SERVER)
    runs = server is not None and server.kind is Kind.FILE and bool(server.mode & 0o111)
    yield Finding("agent-server", runs, f"/{AGENT_SERVER} {'is a program' if runs else 'is missing'}")
    yield Finding("workdir", start.workdir == "/", f"WorkingDir is {start.workdir}")
    absolute = bool(start.entrypoint) and all(
        word.startswith("/") for word in start.entrypoint if not word.startswith("-")
    )
    yield Finding("entrypoint", absolute, f"Entrypoint is {' '.join(start.entrypoint) or 'missing'}")
    yield Finding("tini", start.entrypoint[:1] == ("/usr/bin/tini",), "tini reaps what agents leave behind")
    yield Finding("tmux", _on_path(contents, "tmux"), "terminals live in tmux")
    wanted = {"8000/tcp", "8001/tcp", "8011/tcp", "8012/tcp"}
    yield Finding("ports", wanted <= set(start.ports), f"ports {', '.join(start.ports) or 'none'}")
    offline = start.environment.get("LITELLM_LOCAL_MODEL_COST_MAP", "") == "True"
    yield Finding(
        "offline-start", offline, "LITELLM_LOCAL_MODEL_COST_MAP=True lets it start without internet"
    )
