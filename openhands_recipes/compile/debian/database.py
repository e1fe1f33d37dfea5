"""The dpkg database of packages whose files are in place already, exactly as `dpkg --unpack` leaves it.

Our layers come from the archives' own tar streams, so dpkg never unpacks them; it has to find the same
records it would have written itself: `info/*`, the status paragraph, trigger interests (dpkg(1),
deb-conffiles(5), deb-triggers(5), dpkg's doc/triggers.txt). Nothing here runs or configures anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import Entry, Fragment, Kind

ADMIN = "var/lib/dpkg"
SCRIPTS = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})

ReadFile = Callable[[Fragment, str], bytes]
"""The content of one regular file of a fragment, by path."""


class Package(NamedTuple):
    """An unpacked package: what its control file says, and its fragment."""

    name: str
    version: str
    architecture: str
    fields: dict[str, str]
    fragment: Fragment

    @property
    def qualified(self) -> str:
        """The name dpkg files it under: `libc6:amd64` where several architectures may coexist."""
        if self.fields.get("multi-arch") == "same":
            return f"{self.name}:{self.architecture}"
        return self.name

    @property
    def essential(self) -> bool:
        """Whether Debian promises that it works as soon as it is unpacked."""
        return self.fields.get("essential") == "yes"


def paragraph(text: str) -> dict[str, str]:
    """One deb822 paragraph as lower-case field -> value, continuation lines kept (deb822(5))."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t") and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def package_of(fragment: Fragment) -> Package:
    """The package in a .deb's fragment.

    Raises:
        VerificationError: the control file lacks its mandatory fields.
    """
    control = fragment.control.get("control")
    fields = paragraph(control.content.decode()) if control else {}
    missing = [name for name in ("package", "version", "architecture") if not fields.get(name)]
    if missing:
        raise VerificationError(
            f"a .deb without {', '.join(missing)} in its control file", where=fragment.key
        )
    return Package(fields["package"], fields["version"], fields["architecture"], fields, fragment)


def file_list(package: Package, *, without: frozenset[str] = frozenset()) -> bytes:
    """`info/<package>.list`; `without` lost its paths to a replacing package.

    In archive order, symbolic links last: dpkg makes them when all else is there (lib/dpkg/tarfn.c).
    """
    entries = sorted(package.fragment.entries, key=lambda e: e.kind is Kind.SYMLINK)
    paths = ["/.", *(f"/{e.path}" for e in entries if e.path and e.path not in without)]
    return ("\n".join(paths) + "\n").encode()


def conffiles(package: Package) -> tuple[str, ...]:
    """The package's configuration files, without leading slash (deb-conffiles(5)).

    Lines with a flag (`remove-on-upgrade`) only matter to upgrades, which a fresh image never is.
    """
    member = package.fragment.control.get("conffiles")
    lines = member.content.decode().split("\n") if member else []
    return tuple(line.strip().lstrip("/") for line in lines if line.startswith("/"))


def status_paragraph(package: Package, read: ReadFile) -> bytes:
    """The status record of an unpacked package; dpkg itself brings the fields into its own order."""
    text = package.fragment.control["control"].content.decode().strip("\n")
    lines = [f"Package: {package.name}", "Status: install ok unpacked"]
    lines += [line for line in text.split("\n") if not line.lower().startswith("package:")]
    present = {e.path for e in package.fragment.entries if e.kind is Kind.FILE}
    files = conffiles(package)
    if files:
        lines.append("Conffiles:")
    for path in files:
        known = (
            hashlib.md5(read(package.fragment, path), usedforsecurity=False).hexdigest()
            if path in present
            else ""
        )
        lines.append(f" /{path} {known or 'newconffile'}")
    return ("\n".join(lines) + "\n").encode()


def _checksums(package: Package, read: ReadFile) -> bytes:
    """`info/<package>.md5sums` for the rare package without one; dpkg makes it while unpacking."""
    lines = []
    for entry in package.fragment.entries:
        if entry.kind in {Kind.FILE, Kind.HARDLINK}:
            content = read(package.fragment, entry.link or entry.path)
            lines.append(f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {entry.path}\n")
    return "".join(lines).encode()


def info_files(
    package: Package, read: ReadFile, *, without: frozenset[str] = frozenset()
) -> Iterator[tuple[Entry, bytes]]:
    """Everything dpkg keeps about a package below `info/`."""
    base = f"{ADMIN}/info/{package.qualified}"
    members = {name: file.content for name, file in package.fragment.control.items() if name != "control"}
    members["list"] = file_list(package, without=without)
    if "md5sums" not in members:
        members["md5sums"] = _checksums(package, read)
    for name, content in sorted(members.items()):
        mode = 0o755 if name in SCRIPTS else 0o644
        yield Entry(f"{base}.{name}", Kind.FILE, mode, size=len(content)), content


class Interest(NamedTuple):
    """A package that wants to be told when a path changes or a named trigger fires."""

    trigger: str
    package: str
    wait: bool


def interests(package: Package) -> tuple[Interest, ...]:
    """What a package's `triggers` control file is interested in (deb-triggers(5))."""
    member = package.fragment.control.get("triggers")
    found = []
    for line in member.content.decode().split("\n") if member else []:
        directive, _, trigger = line.partition("#")[0].strip().partition(" ")
        if directive.startswith("interest"):
            found.append(
                Interest(trigger.strip(), package.qualified, wait=not directive.endswith("-noawait"))
            )
    return tuple(found)


def trigger_files(known: bytes, packages: Iterable[Package]) -> dict[str, bytes]:
    """Files below `triggers/` after some packages were unpacked; `known` is the old `triggers/File`.

    Explicit triggers have a file each; those of earlier levels are only appended to by the caller's merge.
    """
    path_lines = [line for line in known.decode().split("\n") if line]
    named: dict[str, list[str]] = {}
    for package in packages:
        for interest in interests(package):
            suffix = "" if interest.wait else "/noawait"
            if interest.trigger.startswith("/"):
                path_lines.append(f"{interest.trigger} {interest.package}{suffix}")
            else:
                named.setdefault(interest.trigger, []).append(f"{interest.package}{suffix}")
    files = {name: ("\n".join(lines) + "\n").encode() for name, lines in named.items()}
    if path_lines:
        files["File"] = ("\n".join(path_lines) + "\n").encode()
    return files


def fired(known: bytes, packages: Iterable[Package]) -> dict[str, tuple[str, ...]]:
    """Package of an earlier level -> its path triggers that the new packages' files fire.

    Packages unpacked together need none: their own configuration covers what is there.
    """
    wanted = [line.partition(" ")[::2] for line in known.decode().split("\n") if line]
    paths = {f"/{e.path}" for package in packages for e in package.fragment.entries}
    result: dict[str, list[str]] = {}
    for trigger, owner in wanted:
        if any(path == trigger or path.startswith(trigger + "/") for path in paths):
            result.setdefault(owner.removesuffix("/noawait"), []).append(trigger)
    return {owner: tuple(triggers) for owner, triggers in result.items()}


def extend_status(status: bytes, unpacked: Sequence[bytes], pending: dict[str, tuple[str, ...]]) -> bytes:
    """The whole `status` file: earlier packages, with the triggers that are now pending, and new ones."""
    records = []
    for record in status.decode().split("\n\n"):
        if not record.strip():
            continue
        fields = paragraph(record)
        name = fields["package"]
        triggers = pending.get(name) or pending.get(f"{name}:{fields.get('architecture', '')}")
        text = record.strip("\n")
        if triggers and fields.get("status") == "install ok installed":
            text = text.replace("Status: install ok installed", "Status: install ok triggers-pending", 1)
            text += "\nTriggers-Pending: " + " ".join(triggers)
        records.append(text.encode())
    records += [one.strip(b"\n") for one in unpacked]
    return b"\n\n".join(records) + b"\n\n"
