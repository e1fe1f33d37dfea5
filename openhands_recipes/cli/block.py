"""`ohr block`."""

from __future__ import annotations

from openhands_recipes.cli.withdrawing import withdrawal

command = withdrawal(
    "blocked",
    "Have a release refused everywhere.",
    """Have a release refused everywhere: malware, or the law.

Clusters and clients refuse it, locked or not. Nothing is deleted.
Appends one signed record to the ledger.""",
)
