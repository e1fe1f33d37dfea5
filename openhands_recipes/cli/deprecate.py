"""`ohr deprecate`."""

from __future__ import annotations

from openhands_recipes.cli.withdrawing import withdrawal

command = withdrawal(
    "deprecated",
    "Advise against a release.",
    """Advise against a release, and say what to use instead.

It can still be found, resolved and pulled; whoever does is told. Appends one signed record to the ledger.""",
)
