"""The machine's apt configuration: sources in both of its formats, and its proxies.

Formats: sources.list(5), "one-line-style" and "deb822-style". What apt means by it is not judged
here; `apt_sources` decides which of it is Debian.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

APT = Path("/etc/apt")
ONE_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(cdrom:\[[^\]]*\]\S*|\S+)\s+(\S+)(?:\s+(.*))?")
PROXY = re.compile(r'Acquire::(https?)::Proxy(?:::([^\s"]+))? "([^"]*)";')


@dataclass(frozen=True)
class AptEntry:
    """Binary packages at one URI, as one file of the configuration says."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str
    """Key files, fingerprints, or a whole armored key; empty when apt's own keyrings decide."""
    where: str
    """File and line."""


def apt_entries(apt: Path = APT) -> Iterator[AptEntry]:
    """Every enabled entry, in apt's order; files that cannot be read are passed over."""
    parts = apt / "sources.list.d"
    files = [apt / "sources.list"]
    if parts.is_dir():
        files += sorted(file for file in parts.iterdir() if file.suffix in {".list", ".sources"})
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        yield from (_deb822 if file.suffix == ".sources" else _one_line)(text, file)


def _one_line(text: str, file: Path) -> Iterator[AptEntry]:
    for number, line in enumerate(text.splitlines(), start=1):
        match = ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is None:
            continue
        options = dict(option.partition("=")[::2] for option in (match[1] or "").split())
        yield AptEntry(
            uri=match[2],
            suites=(match[3],),
            components=tuple((match[4] or "").split()),
            signed_by=options.get("signed-by", ""),
            where=f"{file}:{number}",
        )


def _deb822(text: str, file: Path) -> Iterator[AptEntry]:
    for number, fields in _stanzas(text):
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "without", "off", "disable"}
        if not enabled or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            yield AptEntry(
                uri=uri,
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=fields.get("signed-by", ""),
                where=f"{file}:{number}",
            )


def _stanzas(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """First line and fields (names in lower case) of every stanza; comments may stand anywhere."""
    fields: dict[str, str] = {}
    name, first = "", 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield first, fields
            fields, name = {}, ""
        elif line[0] in " \t":
            if name:
                # A line of its own that is empty is written as a dot (inline keys).
                fields[name] += "\n" + ("" if line.strip() == "." else line.strip())
        else:
            first = first if fields else number
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()


def apt_proxies(roots: Iterable[str]) -> Mapping[str, str]:
    """`scheme://host` -> proxy, where apt is configured to reach one of these hosts through a proxy.

    Asks `apt-config`, if the machine has it (apt-transport-http(1), "Proxy Configuration").
    """
    program = shutil.which("apt-config")
    if program is None:
        return {}
    done = subprocess.run([program, "dump"], capture_output=True, text=True, timeout=30, check=False)
    configured = {(match[1], match[2] or ""): match[3] for match in PROXY.finditer(done.stdout)}
    proxies: dict[str, str] = {}
    for root in roots:
        parts = urlsplit(root)
        schemes = [parts.scheme, "http"] if parts.scheme == "https" else [parts.scheme]
        settings = [(scheme, host) for scheme in schemes for host in (parts.hostname or "", "")]
        proxy = next((configured[setting] for setting in settings if configured.get(setting)), "")
        if proxy.startswith(("http://", "https://", "socks5://")):
            proxies[f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"] = proxy
    return proxies
