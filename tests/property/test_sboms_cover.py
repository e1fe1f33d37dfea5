"""Bills of materials name every locked part of every platform, once, and depend on nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.model.digest import canonical_json, digest_of
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.platform import PLATFORMS, Platform
from openhands_recipes.publish.parts import Contents, PlatformContents, parts_of
from openhands_recipes.publish.sbom_cyclonedx import cyclonedx_document
from openhands_recipes.publish.sbom_spdx import spdx_document
from tests.releases import CREATED, LOCK

NAMES = st.from_regex(r"[a-z][a-z0-9+.-]{1,8}", fullmatch=True)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    platforms: dict[str, dict[str, list[dict[str, object]]]] = {}
    for platform in PLATFORMS:
        debs = [
            {
                "name": name, "version": "1:2.0+b1~x", "architecture": draw(st.sampled_from(["all", "any"])),
                "suite": "trixie", "path": f"pool/main/x/{name}.deb", "size": 1, "installed_size": 1,
                "source": draw(NAMES), "sha256": digest_of(f"{name}{draw(st.integers(0, 3))}".encode())[7:],
            }
            for name in draw(st.lists(NAMES, max_size=4, unique=True))
        ]  # fmt: skip
        wheels = [
            {
                "name": name.strip("+.-"), "version": "1.0", "file": f"{name.replace('+', '')}-1.0.whl",
                "size": 1, "sha256": digest_of(name.encode())[7:], "into": into,
            }
            for name in draw(st.lists(NAMES, max_size=3, unique=True))
            for into in draw(st.sampled_from([["python"], ["python", "agent-server"]]))
        ]  # fmt: skip
        platforms[platform] = {"debs": debs, "wheels": wheels}
    return Lock.model_validate(LOCK | {"platforms": platforms})


def contents_of(lineage: list[Lock], order: tuple[Platform, ...]) -> Contents:
    return Contents(
        "sample", "1.0.0", "An example", "MIT", CREATED, digest_of(b"index"),
        {one: PlatformContents(digest_of(one.encode()), parts_of(lineage, one)) for one in order},
    )  # fmt: skip


@given(st.lists(locks(), min_size=1, max_size=3))
def test_every_locked_part_is_named_once(lineage: list[Lock]) -> None:
    contents = contents_of(lineage, PLATFORMS)
    wanted = {
        sha256
        for lock in lineage
        for inputs in lock.platforms.values()
        for sha256 in (*(deb.sha256 for deb in inputs.debs), *(wheel.sha256 for wheel in inputs.wheels))
    }
    spdx, cyclonedx = spdx_document(contents), cyclonedx_document(contents)
    packages = [one for one in spdx["packages"] if not one["SPDXID"].startswith("SPDXRef-Image")]
    named = [(one["SPDXID"], one["checksums"][0]["checksumValue"]) for one in packages]
    assert {checksum for _, checksum in named} == wanted
    assert len({reference for reference, _ in named}) == len(named)
    components = [one for one in cyclonedx["components"] if one["type"] == "library"]
    assert {one["hashes"][0]["content"] for one in components} == wanted
    assert len({one["bom-ref"] for one in components}) == len(components)


@given(st.lists(locks(), min_size=1, max_size=3))
def test_the_order_of_platforms_changes_no_byte(lineage: list[Lock]) -> None:
    first, second = contents_of(lineage, PLATFORMS), contents_of(lineage, tuple(reversed(PLATFORMS)))
    for document in (spdx_document, cyclonedx_document):
        assert canonical_json(document(first)) == canonical_json(document(second))
