"""A candidate: everything a release will consist of before it is one. Built, tested, described."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.errors import ReleaseError
from openhands_recipes.flows.build import build
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.fast_path import built_before
from openhands_recipes.flows.proofs import proof_of, untested
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.image import Compression, Image
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.release_record import About
from openhands_recipes.publish.parts import Contents, Part, PlatformContents, parts_of
from openhands_recipes.publish.permissions import permissions_digest
from openhands_recipes.publish.test_result import Proof

Licenses = Callable[[Sequence[Part]], Mapping[str, str]]
"""Parts -> what their files declare: sha256 -> SPDX expression; parts nobody knows are left out."""


@dataclass(frozen=True)
class Candidate:
    """A recipe's images, one per platform, with all that is said about them."""

    about: About
    images: tuple[Image, ...]
    locks: tuple[tuple[Lock, Digest], ...]
    """Of the lineage, lowest ancestor first, the recipe's own last."""
    permissions: Digest
    proofs: Mapping[Platform, Proof]
    """Empty only where `--unsafe-untested` was asked for."""
    licenses: Mapping[str, str]

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.images[0].name

    @property
    def version(self) -> str:
        """The recipe's version."""
        return self.images[0].version

    @property
    def lock(self) -> Digest:
        """The recipe's own lock."""
        return self.locks[-1][1]

    @property
    def compression(self) -> Compression:
        """How its layers are compressed."""
        return self.images[0].layers[0].compression if self.images[0].layers else "none"

    def contents(self, index: Digest) -> Contents:
        """What a bill of materials tells."""
        locks = [lock for lock, _ in self.locks]
        return Contents(
            name=self.name,
            version=self.version,
            summary=self.about.summary,
            license=self.about.license,
            created=self.about.created,
            index=index,
            platforms={
                image.platform: PlatformContents(image.digest, parts_of(locks, image.platform, self.licenses))
                for image in self.images
            },
        )


@dataclass(frozen=True)
class Wishes:
    """What the caller wants released."""

    platforms: tuple[Platform, ...] = ()
    """Empty: all that the recipe is for."""
    unsafe_untested: bool = False
    compression: Compression = "zstd"


def candidate(shop: Workshop, name: str, wishes: Wishes, *, licenses: Licenses) -> Candidate:
    """Build and test what is to be released; what was built and tested before is taken as it is.

    Raises:
        ReleaseError: a platform of the recipe would be left out silently, or is not tested.
        TestFailureError: a check does not hold.
        StaleLockError: the lock is missing or belongs to something else.
    """
    library = Library.of(shop.store)
    composed = library.composed(name)
    platforms = wishes.platforms or _all_platforms(shop, composed, library.platforms(composed))
    if not wishes.unsafe_untested:
        _check_testable(shop, name, platforms, wishes.compression)
    chain = library.chain(name)
    images = tuple(build(shop, name, platform=one, compression=wishes.compression).image for one in platforms)
    proofs = {} if wishes.unsafe_untested else {i.platform: proof_of(shop, composed, i) for i in images}
    locks = tuple((level.lock, level.digest) for level in chain)
    every = {p.key: p for one in platforms for p in parts_of([lock for lock, _ in locks], one)}
    return Candidate(
        about=about(composed, chain[-1]),
        images=images,
        locks=locks,
        permissions=permissions_digest(composed.permissions),
        proofs=proofs,
        licenses=licenses(tuple(every.values())),
    )


def _check_testable(
    shop: Workshop, name: str, platforms: tuple[Platform, ...], compression: Compression
) -> None:
    """Refuse, before the work of building it, what could not be tested afterwards."""
    for platform in platforms:
        known = platform == shop.host or built_before(shop, name, platform=platform, compression=compression)
        if not known:
            raise untested(shop, name, platform)


def about(composed: Composed, level: LockedLevel) -> About:
    """What people search for and read of a release."""
    recipe = composed.recipe
    languages = (("pypi", composed.python), ("npm", composed.node))
    tools = {package.name for package in composed.packages}
    tools |= {f"{kind}:{_project(r)}" for kind, section in languages if section for r in section.packages}
    return About(
        summary=recipe.summary,
        license=recipe.license,
        description=recipe.description,
        tags=tuple(sorted(recipe.tags)),
        tools=tuple(sorted(tools)),
        commands=tuple(sorted({name for one in composed.applications for name in one.commands})),
        lineage=composed.lineage,
        maintainers=tuple(sorted(maintainer.id for maintainer in recipe.maintainers)),
        created=level.lock.debian.release_date,
        end_of_life=recipe.end_of_life,
    )


def _project(requirement: str) -> str:
    match = re.match(r"@?[A-Za-z0-9][A-Za-z0-9._/-]*", requirement)
    return (match[0] if match else requirement).lower()


def _all_platforms(
    shop: Workshop, composed: Composed, platforms: tuple[Platform, ...]
) -> tuple[Platform, ...]:
    foreign = [platform for platform in platforms if platform != shop.host]
    if foreign:
        raise ReleaseError(
            f"'{composed.name}' is for {', '.join(foreign)} too, which cannot be built and tested here",
            hint=f"say which platforms to release: --platform {shop.host or platforms[0]}",
            code="OHR404",
        )
    return platforms
