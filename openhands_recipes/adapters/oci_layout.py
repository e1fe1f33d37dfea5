"""OCI image layouts in folders (image-spec 1.1, image-layout.md).

An image is named `name:version` in `org.opencontainers.image.ref.name`. Images of one name for several
platforms stand below an index of their own, so that the name means one thing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from openhands_recipes.adapters.atomic import atomic_write, temporary_name
from openhands_recipes.errors import OutsideError, UsageError
from openhands_recipes.model.digest import Digest, canonical_json, digest_of, hex_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE, Descriptor, Image

REFERENCE = "org.opencontainers.image.ref.name"
_MARK = "oci-layout"
_VERSION = canonical_json({"imageLayoutVersion": "1.0.0"})


def write_layout(folder: Path, image: Image, blob: Callable[[Digest], Path]) -> None:
    """Put an image into a layout, new or existing; readers see it complete or not at all.

    Raises:
        UsageError: the folder holds something that is no image layout.
        OutsideError: it cannot be written, or a blob is not in the cache any more.
    """
    folder = folder.absolute()
    try:
        if (folder / _MARK).is_file():
            _add(folder, image, blob)
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                "the folder holds something that is no OCI image layout",
                where=str(folder),
                hint="choose a new or an empty folder",
            )
        else:
            with _appearing(folder) as unfinished:
                (unfinished / _MARK).write_bytes(_VERSION)
                _add(unfinished, image, blob)
    except OSError as error:
        raise OutsideError(
            f"the image layout cannot be written ({error.strerror})", where=str(folder)
        ) from error


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder that gets its name when the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = temporary_name(folder.parent, folder.name)
    unfinished.mkdir()
    try:
        yield unfinished
        unfinished.replace(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _add(folder: Path, image: Image, blob: Callable[[Digest], Path]) -> None:
    """Blobs first, the index that names them last."""
    for layer in image.layers:
        _link(blob(layer.digest), _target(folder, layer.digest))
    for content in (image.config, image.manifest):
        _write(folder, content)
    name = f"{image.name}:{image.version}"
    others, same_name = _split(folder, name)
    platforms = [entry for entry in same_name if entry.get("platform") != _platform(image)]
    entries = sorted([*platforms, _described(image)], key=lambda entry: sorted(entry["platform"].items()))
    named = entries[0] if len(entries) == 1 else _indexed(folder, entries)
    manifests = [*others, {**named, "annotations": {REFERENCE: name}}]
    manifests.sort(key=lambda entry: str(entry.get("annotations", {}).get(REFERENCE, "")))
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
    atomic_write(folder / "index.json", canonical_json(index))


def _split(folder: Path, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What else a layout holds, and its manifests of this name."""
    others: list[dict[str, Any]] = []
    same_name: list[dict[str, Any]] = []
    for entry in _manifests(folder / "index.json"):
        if entry.get("annotations", {}).get(REFERENCE) != name:
            others.append(entry)
        elif entry.get("mediaType") == INDEX_TYPE:
            same_name += _manifests(_target(folder, Digest(entry["digest"])))
        else:
            same_name.append({key: value for key, value in entry.items() if key != "annotations"})
    return others, same_name


def _manifests(path: Path) -> list[dict[str, Any]]:
    try:
        listed = json.loads(path.read_bytes())["manifests"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "the image layout's index is damaged", where=str(path), hint="choose a new or an empty folder"
        ) from error
    return [entry for entry in listed if isinstance(entry, dict)]


def _described(image: Image) -> dict[str, Any]:
    size = len(image.manifest)
    return Descriptor(
        media_type=MANIFEST_TYPE, digest=image.digest, size=size, platform=_platform(image)
    ).to_json()


def _platform(image: Image) -> dict[str, str]:
    system, _, architecture = image.platform.partition("/")
    return {"os": system, "architecture": architecture}


def _indexed(folder: Path, entries: list[dict[str, Any]]) -> dict[str, Any]:
    content = canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})
    _write(folder, content)
    return Descriptor(media_type=INDEX_TYPE, digest=digest_of(content), size=len(content)).to_json()


def _write(folder: Path, content: bytes) -> None:
    target = _target(folder, digest_of(content))
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, content)


def _link(source: Path, target: Path) -> None:
    """The same file where the file system allows it, else a copy."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(target.parent, target.name)
    try:
        try:
            temporary.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _target(folder: Path, digest: Digest) -> Path:
    return folder / "blobs" / "sha256" / hex_of(digest)
