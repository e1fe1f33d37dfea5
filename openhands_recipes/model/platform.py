"""The platforms an image can be built for, and what each source calls them."""

from __future__ import annotations

from typing import Literal, get_args

Platform = Literal["linux/amd64", "linux/arm64"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

DEBIAN_ARCHITECTURE: dict[Platform, str] = {"linux/amd64": "amd64", "linux/arm64": "arm64"}
UV_PLATFORM: dict[Platform, str] = {
    "linux/amd64": "x86_64-manylinux_2_40",
    "linux/arm64": "aarch64-manylinux_2_40",
}
MACHINE: dict[Platform, str] = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""What `uname -m` says."""
