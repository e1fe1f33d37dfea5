"""What several files of integration tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import zoo as zoos


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zoos.Zoo]:
    """A locked project of peculiar packages, downloaded once."""
    with zoos.opened(tmp_path_factory.mktemp("zoo")) as opened:
        yield opened
