from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from openhands_recipes.errors import OutsideError
from openhands_recipes.flows.build import check_runs
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.platform import Platform


@dataclass
class Machine:
    """A workshop on a machine that runs the programs of one platform."""

    host: Platform

    def runs(self, platform: Platform) -> bool:
        return platform == self.host


def test_an_image_whose_programs_do_not_run_here_is_refused_before_anything_is_done() -> None:
    shop = cast("Workshop", Machine("linux/amd64"))
    check_runs(shop, "linux/amd64")
    with pytest.raises(OutsideError) as caught:
        check_runs(shop, "linux/arm64")
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "this machine does not run programs of linux/arm64, and images are configured by their own\n"
        "  hint: install QEMU's user mode emulation "
        "(Debian: `apt-get install qemu-user-static binfmt-support`), "
        "or build on a machine of that kind; `ohr doctor` looks at it"
    )
