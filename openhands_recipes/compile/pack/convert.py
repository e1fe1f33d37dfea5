"""Every kind of part and the pure function that makes a fragment of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO

from openhands_recipes.model.fragment import Fragment

Converter = Callable[[IO[bytes], IO[bytes], str, Mapping[str, str]], Fragment]
"""(the part's bytes, where the fragment's bytes go, the fragment's key, options) -> the listing."""

CONVERTERS: Mapping[str, Converter] = {}
