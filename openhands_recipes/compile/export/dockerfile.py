"""A recipe as a Dockerfile that makes the same environment without us.

The packages are those of the locks, by exact version (Debian) and by hash (Python, npm). The layers are
Docker's own, and so is the digest.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from posixpath import dirname

from openhands_recipes.compile.export.parts import (
    PythonParts,
    Sdist,
    debian_files,
    node_files,
    python_files,
    python_parts,
)
from openhands_recipes.compile.oci.settings import image_settings
from openhands_recipes.compile.pin import Chain
from openhands_recipes.compile.python.environment import interpreter, prefix_of
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.recipe import FileSpec

PLACE = "/tmp/ohr"  # noqa: S108 - a folder in the image while it is built, removed in the same step
ARCHITECTURE = 'arch="$(dpkg --print-architecture)"'
NODE_PREFIX = "/opt/node"

APT = f"""\
COPY apt/ {PLACE}/apt/
RUN set -eu; cd {PLACE}/apt; set --; \\
    if [ -e debian.sources ]; then \\
      set -- -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts={PLACE}/apt; \\
    fi; \\
    export DEBIAN_FRONTEND=noninteractive; \\
    apt-get "$@" update; \\
    {ARCHITECTURE}; \\
    xargs apt-get "$@" install --yes --no-install-recommends --allow-downgrades <packages.$arch; \\
    rm -rf /var/lib/apt/lists/* {PLACE}
"""


def dockerfile_folder(chain: Chain, platforms: Sequence[Platform], *, suite: str) -> dict[str, bytes]:
    """The build context of a recipe: a Dockerfile and the lists it installs from, by path, sorted.

    Raises:
        ResolutionError: a variable has line breaks, which a Dockerfile cannot say.
    """
    composed = chain[-1].composed
    _refuse_line_breaks(composed)
    npm = node_files(chain, platforms)
    files = debian_files(chain, platforms) | python_files(chain, platforms) | npm
    files |= {
        _context_path(path): spec.text.encode()
        for path, spec in composed.files.items()
        if spec.text is not None
    }
    files["Dockerfile"] = "\n".join(_sections(chain, suite=suite, npm=bool(npm))).encode()
    return dict(sorted(files.items()))


def _refuse_line_breaks(composed: Composed) -> None:
    for name, value in composed.environment.items():
        if "\n" in value:
            raise ResolutionError(
                f"the value of {name} has line breaks, which a Dockerfile cannot write",
                where=str(composed.origins["environment", name][0]),
                hint="write it in one line, or put it into a file",
            )


def _sections(chain: Chain, *, suite: str, npm: bool) -> Iterator[str]:
    composed = chain[-1].composed
    yield _head(composed, suite)
    yield APT
    if composed.user is not None:
        yield _user(composed)
    yield from (_python(parts, composed) for parts in python_parts(chain))
    if npm:
        yield _node(composed)
    if composed.files or composed.applications or composed.workdir not in {None, "/"}:
        yield _files(composed)
    yield _start(chain)


def _head(composed: Composed, suite: str) -> str:
    return f"""\
# {composed.name} {composed.version}: {composed.recipe.summary}
# The packages of `ohr build {composed.name}` in the same versions; nothing of ohr is needed:
#   docker build --tag {composed.name} .
# Mirrors drop old versions. An archive that keeps them goes into apt/debian.sources (deb822).
ARG BASE=debian:{suite}
FROM ${{BASE}}
USER root
# Another Python package index, if it is given: --build-arg PIP_INDEX_URL=...
ARG PIP_INDEX_URL
"""


def _user(composed: Composed) -> str:
    user = composed.user
    if user is None:
        return ""
    lines = [
        f"groupadd --gid {user.gid} {user.name}",
        f"useradd --uid {user.uid} --gid {user.gid} --create-home --shell /bin/bash {user.name}",
    ]
    if user.sudo:
        rule = f"/etc/sudoers.d/{user.name}"
        lines += [
            "mkdir -p /etc/sudoers.d",
            f"echo '{user.name} ALL=(ALL:ALL) NOPASSWD: ALL' >{rule}",
            f"chmod 0440 {rule}",
        ]
    return _run(lines)


def _python(parts: PythonParts, composed: Composed) -> str:
    """One environment. pip works from a throw-away environment, so that none is left where none belongs."""
    prefix, python = prefix_of(parts.into), interpreter(parts.version)
    folder = f"{PLACE}/python/{parts.into}"
    install = f"{PLACE}/venv/bin/pip --python {prefix}/bin/python install --no-deps"
    lines = [
        ARCHITECTURE,
        "export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore",
        f"{python} -m venv {PLACE}/venv",
        f"{python} -m venv --without-pip {prefix}",
        *(line for sdist in parts.sdists for line in _build_wheel(sdist, python)),
        f"{install} --require-hashes --only-binary :all: -r {folder}/wheels.$arch",
    ]
    if parts.sdists:
        lines.append(f"{install} --no-index {PLACE}/wheels/*.whl")
    if parts.into == "python" and composed.user is not None:
        lines.append(f"chown -R {composed.user.uid}:{composed.user.gid} {prefix}")
    lines.append(f"rm -rf {PLACE}")
    return f"COPY python/{parts.into}/ {folder}/\n" + _run(lines)


def _build_wheel(sdist: Sdist, python: str) -> list[str]:
    """A wheel from its pinned source, by pinned requirements that no other one sees."""
    lists, venv = f"{PLACE}/{sdist.folder}", f"{PLACE}/build-{sdist.name}"
    wheel = "pip wheel --no-deps --no-build-isolation --require-hashes"
    return [
        f"{python} -m venv {venv}",
        f"{venv}/bin/pip install --no-deps --require-hashes -r {lists}/build.$arch",
        f"{venv}/bin/{wheel} -w {PLACE}/wheels -r {lists}/source.$arch",
    ]


def _node(composed: Composed) -> str:
    modules = f"{NODE_PREFIX}/lib"
    commands = f"{modules}/node_modules/.bin"
    lines = [
        ARCHITECTURE,
        f"mkdir -p {NODE_PREFIX}/bin {commands}",
        f"cp {PLACE}/npm/$arch/package.json {PLACE}/npm/$arch/package-lock.json {modules}/",
        f"cd {modules}",
        "npm ci --ignore-scripts --no-audit --no-fund --install-strategy=shallow",
        "rm -f package.json package-lock.json node_modules/.package-lock.json",
        f"for name in $(ls {commands}); do ln -sfn ../lib/node_modules/.bin/$name {NODE_PREFIX}/bin/; done",
    ]
    if composed.user is not None:
        lines.append(f"chown -R -h {composed.user.uid}:{composed.user.gid} {NODE_PREFIX}")
    lines.append(f"rm -rf {PLACE} /root/.npm")
    return f"COPY npm/ {PLACE}/npm/\n" + _run(lines)


def _files(composed: Composed) -> str:
    """Files, folders and links of the recipe, commands of applications, the folder where shells start."""
    lines = [line for path, spec in sorted(composed.files.items()) for line in _file(composed, path, spec)]
    for application in composed.applications:
        lines += [
            f"ln -sfn /opt/{application.name}/bin/{script} /usr/local/bin/{command}"
            for command, script in sorted(application.commands.items())
        ]
    if composed.workdir not in {None, "/", *composed.files}:
        lines += _file(composed, composed.workdir or "/", FileSpec(directory=True, owner="user"))
    copies = any(spec.text is not None for spec in composed.files.values())
    lines += [f"rm -rf {PLACE}"] if copies else []
    return (f"COPY files/ {PLACE}/files/\n" if copies else "") + _run(lines)


def _file(composed: Composed, path: str, spec: FileSpec) -> list[str]:
    uid, gid = (0, 0)
    if spec.owner == "user" and composed.user is not None:
        uid, gid = composed.user.uid, composed.user.gid
    target, above = shlex.quote(path), shlex.quote(dirname(path))
    if spec.link is not None:
        link = f"ln -sfn {shlex.quote(spec.link)} {target}"
        return [f"mkdir -p {above}", link, *([f"chown -h {uid}:{gid} {target}"] if uid else [])]
    rights = f"-o {uid} -g {gid} -m {spec.mode or ('0755' if spec.directory else '0644')}"
    if spec.directory:
        return [f"install -d {rights} {target}"]
    source = shlex.quote(f"{PLACE}/{_context_path(path)}")
    return [f"mkdir -p {above}", f"install -T {rights} {source} {target}"]


def _context_path(path: str) -> str:
    return f"files{path}"


def _start(chain: Chain) -> str:
    settings = image_settings(chain[-1].composed, created="", lock=chain[-1].digest)
    lines = [f"ENV {name}={_quoted(value)}" for name, value in settings.environment.items()]
    lines += [f"LABEL {name}={_quoted(value)}" for name, value in sorted(settings.labels.items())]
    lines += [f"EXPOSE {port}" for port in settings.ports]
    lines.append("WORKDIR " + settings.workdir.replace("\\", "\\\\").replace("$", "\\$"))
    if settings.user:
        lines.append(f"USER {settings.user}")
    if settings.entrypoint:
        lines.append(f"ENTRYPOINT {json.dumps(list(settings.entrypoint))}")
    if settings.command:
        lines.append(f"CMD {json.dumps(list(settings.command))}")
    return "\n".join(lines) + "\n"


def _run(lines: Sequence[str]) -> str:
    return "RUN set -eu; \\\n    " + "; \\\n    ".join(lines) + "\n"


def _quoted(value: str) -> str:
    """A value of ENV or LABEL, literally (Dockerfile reference, "Environment replacement")."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
