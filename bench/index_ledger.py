"""A ledger of any size, made up as it is read: words, releases and states follow from a number alone."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from functools import cached_property

from openhands_recipes.model.release_record import ReleaseRecord, StateChange
from openhands_recipes.ports import SignedChange

WORDS = [
    "agent",
    "analysis",
    "android",
    "ansible",
    "api",
    "audio",
    "aws",
    "azure",
    "backend",
    "bash",
    "bench",
    "bio",
    "bootstrap",
    "browser",
    "build",
    "cache",
    "chart",
    "chem",
    "ci",
    "clang",
    "cli",
    "cloud",
    "cluster",
    "code",
    "compiler",
    "container",
    "cpp",
    "crawler",
    "crypto",
    "css",
    "cuda",
    "data",
    "database",
    "debug",
    "deep",
    "deno",
    "deploy",
    "desktop",
    "devops",
    "diff",
    "django",
    "docs",
    "dotnet",
    "editor",
    "elastic",
    "elixir",
    "embedded",
    "engine",
    "erlang",
    "etl",
    "fast",
    "finance",
    "flask",
    "fonts",
    "fortran",
    "frontend",
    "full",
    "fuzz",
    "game",
    "geo",
    "git",
    "go",
    "gpu",
    "graph",
    "grpc",
    "haskell",
    "helm",
    "http",
    "image",
    "index",
    "ios",
    "java",
    "js",
    "julia",
    "jupyter",
    "kafka",
    "kernel",
    "kotlin",
    "kube",
    "lang",
    "latex",
    "lean",
    "learn",
    "lint",
    "linux",
    "lisp",
    "llm",
    "lua",
    "mail",
    "make",
    "map",
    "markdown",
    "math",
    "media",
    "metrics",
    "mini",
    "ml",
    "mobile",
    "mongo",
    "mysql",
    "net",
    "nginx",
    "nlp",
    "node",
    "notebook",
    "numpy",
    "ocaml",
    "office",
    "opencv",
    "parser",
    "pdf",
    "perl",
    "php",
    "pipeline",
    "plot",
    "postgres",
    "prolog",
    "proof",
    "proxy",
    "python",
    "pytorch",
    "queue",
    "quick",
    "r",
    "rails",
    "react",
    "redis",
    "regex",
    "render",
    "report",
    "research",
    "rest",
    "robot",
    "rspec",
    "ruby",
    "rust",
    "sandbox",
    "scala",
    "science",
    "scraper",
    "search",
    "secure",
    "server",
    "shell",
    "sim",
    "slim",
    "small",
    "solver",
    "spark",
    "spring",
    "sql",
    "sqlite",
    "stack",
    "static",
    "stats",
    "stream",
    "swift",
    "sysadmin",
    "tensor",
    "terraform",
    "test",
    "text",
    "tiny",
    "tool",
    "torch",
    "trace",
    "train",
    "ts",
    "tui",
    "typed",
    "ui",
    "unicode",
    "utils",
    "vector",
    "verify",
    "video",
    "vim",
    "vision",
    "vue",
    "wasm",
    "web",
    "windows",
    "xml",
    "yaml",
    "zig",
    "zsh",
]
TOOLS = ("git", "ripgrep", "jq", "curl", "gcc", "make", "cmake", "nodejs", "python3", "openjdk", "sqlite3")
SENTENCE = ("Tools for", "A sandbox with", "Everything for", "A small set for", "What one needs for")
MOMENT = "2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


def digest(*words: object) -> str:
    """A digest that follows from some words."""
    return "sha256:" + hashlib.sha256(repr(words).encode()).hexdigest()


def moment(name: str, number: int) -> str:
    """When the nth release of a recipe was made: the first ones of all recipes come before the second."""
    at = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return MOMENT.format(
        month=1 + number % 12,
        day=1 + at % 28,
        hour=at // 28 % 24,
        minute=at // 672 % 60,
        second=at // 40320 % 60,
    )


class GeneratedLedger:
    """`ports.Ledger` over recipes that were never released; `changed` of them have one release more."""

    def __init__(self, recipes: int, versions: int, *, changed: int = 0) -> None:
        self._recipes = recipes
        self._versions = versions
        self._changed = changed

    def head(self) -> str | None:
        """Another one for every number of changed recipes."""
        return hashlib.sha1(f"{self._recipes} {self._versions} {self._changed}".encode()).hexdigest()  # noqa: S324

    @cached_property
    def _names(self) -> tuple[str, ...]:
        chance = random.Random(4)  # noqa: S311 - nothing secret
        names: dict[str, None] = {}
        while len(names) < self._recipes:
            words = chance.sample(WORDS, chance.choice((2, 2, 3, 3, 3)))
            name = "-".join(words)[:40].rstrip("-")
            if name in names:
                name = f"{name}-{chance.randrange(10, 99)}"
            names[name] = None
        return tuple(sorted(names))

    def names(self) -> tuple[str, ...]:
        """Every recipe, sorted."""
        return self._names

    def names_changed(self, since: str | None) -> tuple[str, ...]:
        """All of them at first, then those that have one release more."""
        if since is None:
            return self._names
        return self._names[:: max(1, self._recipes // max(1, self._changed))][: self._changed]

    def records(self) -> Iterator[ReleaseRecord]:
        """Every release."""
        for name in self._names:
            yield from self.releases(name)

    def releases(self, name: str) -> tuple[ReleaseRecord, ...]:
        """The releases of one recipe."""
        more = self._changed and name in self.names_changed("")
        made = [self._release(name, number) for number in range(self._versions + bool(more))]
        for signed in self.changes(name):
            made[0] = made[0].with_state(signed.change.state)
        return tuple(made)

    def record(self, name: str, version: str, revision: int) -> ReleaseRecord | None:
        """One release, or None."""
        wanted = (version, revision)
        return next((r for r in self.releases(name) if (r.version, r.revision) == wanted), None)

    def changes(self, name: str) -> tuple[SignedChange, ...]:
        """One in fifty recipes had its first release yanked."""
        if int(digest(name)[7:15], 16) % 50:
            return ()
        record = self._release(name, 0)
        change = StateChange.model_validate(
            {
                "name": name, "version": record.version, "revision": 1, "index": record.index, "number": 1,
                "state": {
                    "name": "yanked", "since": moment(name, 10), "reason": "it lost data",
                    "successor": f"{name}@1.1.0", "by": 1234,
                },
            }
        )  # fmt: skip
        return (SignedChange(change, b""),)

    def append(
        self,
        records: Sequence[ReleaseRecord],
        changes: Sequence[SignedChange] = (),
        *,
        expected: str | None,
        reason: str,
    ) -> str:
        """Never: this ledger is only read."""
        raise NotImplementedError

    def _release(self, name: str, number: int) -> ReleaseRecord:
        words = name.split("-")
        chance = random.Random(name)  # noqa: S311 - nothing secret
        platforms = {
            platform: {
                "manifest": digest(name, number, platform),
                "size": chance.randrange(10**7, 10**9),
                "layers": [],
            }
            for platform in ("linux/amd64", "linux/arm64")
        }
        value = {
            "name": name, "version": f"1.{number}.0", "revision": 1, "commit": digest(name, number)[7:47],
            "lock": digest(name, number, "lock"), "index": digest(name, number, "index"),
            "platforms": platforms,
            "evidence": {
                kind: digest(name, number, kind) for kind in ("signature", "provenance", "sbom", "tests")
            },
            "permissions": digest(name, "permissions"),
            "about": {
                "summary": f"{chance.choice(SENTENCE)} {' and '.join(words)} with {chance.choice(WORDS)}",
                "license": "Apache-2.0", "tags": words[:3], "created": moment(name, number),
                "tools": sorted(chance.sample(TOOLS, 4)), "lineage": ["base", name],
                "maintainers": [chance.randrange(10**6)],
            },
            "state": {"name": "active", "since": moment(name, number), "by": 1234},
        }  # fmt: skip
        return ReleaseRecord.model_validate(value)
