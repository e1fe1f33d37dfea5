"""Which Debian mirrors this machine uses. No host is named anywhere in this package.

`OHR_DEBIAN_MIRROR` lists root URLs, separated by spaces or commas, best first; else the machine's
apt configuration is read. `OHR_DEBIAN_SNAPSHOT` names, in the same way, the root of a timestamped
snapshot, the last resort. An item may say what it is for::

    http://mirror.example/debian             the archive; for security suites .../debian-security is tried
    security=http://mirror.example/security  suites named *-security only
    archive=http://mirror.example/all        every other suite
    trixie-updates=http://mirror.example/u   this one suite

Whether a place really is Debian shows in the signature of its `InRelease`, see `debian_archive`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.adapters.apt_config import APT, AptEntry, apt_entries
from openhands_recipes.adapters.openpgp import Keyring
from openhands_recipes.errors import DownloadError, UsageError, VerificationError

ARCHIVE, SECURITY = "archive", "security"
SUITE = re.compile(
    r"(stable|testing|unstable|sid|oldstable|oldoldstable|bullseye|bookworm|trixie|forky|duke)"
    r"(?P<kind>-security|/updates|-updates|-backports|-backports-sloppy|-proposed-updates)?"
)
FINGERPRINT = re.compile(r"[0-9A-Fa-f]{16,64}!?")
HINT = (
    "set OHR_DEBIAN_MIRROR to the root URL of a Debian mirror (the folder that holds dists/ and pool/); "
    "`ohr doctor` shows what was found"
)


@dataclass(frozen=True)
class Mirror:
    """A root URL, without trailing slash, and what it is for: archive, security, one suite, or "" for all."""

    root: str
    scope: str
    where: str

    def serves(self, suite: str) -> bool:
        """Whether it is to be asked for files of a suite; every one is where the suite is not known."""
        return not suite or self.scope in {"", suite, SECURITY if is_security(suite) else ARCHIVE}


@dataclass(frozen=True)
class Skipped:
    """A configured place that is not used, and why."""

    uri: str
    reason: str
    where: str


@dataclass(frozen=True)
class DebianSources:
    """The places this machine names, best first."""

    mirrors: tuple[Mirror, ...]
    snapshots: tuple[Mirror, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def roots(self, suite: str) -> tuple[str, ...]:
        """Mirrors to ask for a suite.

        Raises:
            DownloadError: none is configured, and no snapshot either.
        """
        found = _unique(mirror.root for mirror in self.mirrors if mirror.serves(suite))
        if not found and not self.snapshot_roots(suite):
            raise DownloadError(
                f"no Debian mirror for {suite or 'packages'} is configured on this machine",
                where="; ".join(f"{s.where}: {s.uri} is not used, {s.reason}" for s in self.skipped) or None,
                hint=HINT,
            )
        return found

    def snapshot_roots(self, suite: str) -> tuple[str, ...]:
        """Snapshots to ask for a suite when no mirror has a file any more."""
        return _unique(mirror.root for mirror in self.snapshots if mirror.serves(suite))

    def as_deb822(
        self, suites: Iterable[str], *, keyring: str = "/usr/share/keyrings/debian-archive-keyring.gpg"
    ) -> str:
        """The best mirror of each suite as apt reads it (sources.list(5)); empty when there is none."""
        placed: dict[str, list[str]] = {}
        for suite in suites:
            root = next((mirror.root for mirror in self.mirrors if mirror.serves(suite)), None)
            if root is not None:
                placed.setdefault(root, []).append(suite)
        return "\n".join(
            f"Types: deb\nURIs: {root}\nSuites: {' '.join(named)}\nComponents: main\nSigned-By: {keyring}\n"
            for root, named in placed.items()
        )

    @property
    def all_roots(self) -> tuple[str, ...]:
        """Every root URL, for proxies and for `ohr doctor`."""
        return _unique(mirror.root for mirror in (*self.mirrors, *self.snapshots))


def debian_sources(
    keys: Callable[[], Keyring], *, environment: Mapping[str, str] | None = None, apt: Path = APT
) -> DebianSources:
    """What the environment names, else what apt is configured with.

    Raises:
        UsageError: a setting cannot be read.
    """
    settings = os.environ if environment is None else environment
    snapshots = _listed(settings.get("OHR_DEBIAN_SNAPSHOT", ""), "OHR_DEBIAN_SNAPSHOT")
    if chosen := settings.get("OHR_DEBIAN_MIRROR", "").strip():
        return DebianSources(_listed(chosen, "OHR_DEBIAN_MIRROR"), snapshots)
    mirrors: list[Mirror] = []
    skipped: list[Skipped] = []
    for entry in apt_entries(apt):
        if reason := _why_not(entry, keys):
            skipped.append(Skipped(entry.uri, reason, entry.where))
            continue
        scopes = {SECURITY if is_security(suite) else ARCHIVE for suite in entry.suites if _is_debian(suite)}
        mirrors += [Mirror(entry.uri.rstrip("/"), scope, entry.where) for scope in sorted(scopes)]
    return DebianSources(_with_siblings(mirrors), snapshots, tuple(skipped))


def is_security(suite: str) -> bool:
    """Whether a suite lives in the security archive: `trixie-security`, formerly `buster/updates`."""
    return suite.endswith(("-security", "/updates"))


def _listed(setting: str, name: str) -> tuple[Mirror, ...]:
    """The mirrors of a setting."""
    mirrors: list[Mirror] = []
    for item in re.split(r"[\s,]+", setting.strip()):
        if not item:
            continue
        scope, equals, url = item.partition("=")
        if not equals or ":" in scope or "/" in scope:
            scope, url = "", item
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
            raise UsageError(
                f"{name} names {item!r}, which is no http(s) URL",
                where=name,
                hint="write root URLs, or suite=URL, security=URL, archive=URL, separated by spaces",
            )
        mirrors.append(Mirror(url.rstrip("/"), scope or _scope_by_name(url), name))
    return _with_siblings(mirrors)


def _scope_by_name(url: str) -> str:
    """What a bare URL is for, if its path says so as Debian's own mirrors do."""
    segments = url.split("/")[3:]
    if "debian-security" in segments:
        return SECURITY
    return ARCHIVE if "debian" in segments else ""


def _with_siblings(mirrors: Sequence[Mirror]) -> tuple[Mirror, ...]:
    """The mirrors as named, and after them the security archives that may lie beside them."""
    return (*mirrors, *(sibling for mirror in mirrors if (sibling := _security_sibling(mirror))))


def _security_sibling(mirror: Mirror) -> Mirror | None:
    """Where the security archive lies beside `.../debian`, on most mirrors and on snapshot archives."""
    segments = mirror.root.split("/")
    if mirror.scope != ARCHIVE or "debian" not in segments[3:]:
        return None
    position = len(segments) - 1 - segments[::-1].index("debian")
    segments[position] = "debian-security"
    return Mirror("/".join(segments), SECURITY, mirror.where)


def _is_debian(suite: str) -> bool:
    return SUITE.fullmatch(suite) is not None


def _why_not(entry: AptEntry, keys: Callable[[], Keyring]) -> str:
    """Why an apt entry is not a Debian mirror for us; empty when it is."""
    scheme = entry.uri.partition(":")[0]
    if scheme not in {"http", "https"}:
        return f"{scheme}: is not fetched by ohr"
    if not any(_is_debian(suite) for suite in entry.suites):
        return f"{' '.join(entry.suites) or 'no suite'} is not a suite of Debian's"
    if "main" not in entry.components:
        return "it has no component main"
    if entry.signed_by and not _trusts_debian(entry.signed_by, keys):
        return "it is signed by keys that are not Debian's"
    return ""


def _trusts_debian(signed_by: str, keys: Callable[[], Keyring]) -> bool:
    """Whether a Signed-By value names one of Debian's keys: in a file, by fingerprint, or as a whole key."""
    if "-----BEGIN" in signed_by:
        return _holds_key(signed_by.encode(), keys())
    items = re.split(r"[\s,]+", signed_by.strip())
    return any(_item_trusts_debian(item, keys) for item in items)


def _item_trusts_debian(item: str, keys: Callable[[], Keyring]) -> bool:
    if FINGERPRINT.fullmatch(item):
        return keys().knows(item.rstrip("!"))
    try:
        return _holds_key(Path(item).read_bytes(), keys())
    except OSError:
        return True  # the signature of its InRelease will tell


def _holds_key(keyring: bytes, keys: Keyring) -> bool:
    try:
        return keys.shares_key_with(keyring)
    except VerificationError:
        return False


def _unique(roots: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(roots))
