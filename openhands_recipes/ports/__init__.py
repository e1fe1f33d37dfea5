"""Protocols for the outside world: what flows may ask of it, in our own words.

Real doors live in `openhands_recipes.adapters`, fakes for tests in `tests/fakes.py`.
"""

from openhands_recipes.ports.bytes import Blobs, Downloads, Records, Wanted
from openhands_recipes.ports.debian import DebianArchive, DebianState, PackageList
from openhands_recipes.ports.folders import MadeFolders
from openhands_recipes.ports.fragments import Content, Conversion, Fragments, LayerOrder, Packer
from openhands_recipes.ports.images import ImageStore, PushOrder, PushReport, Registry
from openhands_recipes.ports.index import PythonIndex, PythonRequest, SourceArchive
from openhands_recipes.ports.ledger import Ledger, SignedChange
from openhands_recipes.ports.nix import Nix
from openhands_recipes.ports.recipes import RecipeStore, StoredText
from openhands_recipes.ports.sandbox import (
    Bind,
    Box,
    BoxFile,
    BoxOptions,
    Command,
    Completed,
    Limits,
    Running,
    SandboxEngine,
)
from openhands_recipes.ports.talk import Ability, Clock, Evidence, Progress, Stage

__all__ = [
    "Ability",
    "Bind",
    "Blobs",
    "Box",
    "BoxFile",
    "BoxOptions",
    "Clock",
    "Command",
    "Completed",
    "Content",
    "Conversion",
    "DebianArchive",
    "DebianState",
    "Downloads",
    "Evidence",
    "Fragments",
    "ImageStore",
    "LayerOrder",
    "Ledger",
    "Limits",
    "MadeFolders",
    "Nix",
    "PackageList",
    "Packer",
    "Progress",
    "PushOrder",
    "PushReport",
    "PythonIndex",
    "PythonRequest",
    "RecipeStore",
    "Records",
    "Registry",
    "Running",
    "SandboxEngine",
    "SignedChange",
    "SourceArchive",
    "Stage",
    "StoredText",
    "Wanted",
]
