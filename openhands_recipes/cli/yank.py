"""`ohr yank`."""

from __future__ import annotations

from openhands_recipes.cli.withdrawing import withdrawal

command = withdrawal(
    "yanked",
    "Withdraw a release from new use.",
    """Withdraw a release from new use.

Nothing new resolves to it; digests that are locked already still pull, with a warning. The newest release
of a recipe needs a successor, or must be deprecated before. Appends one signed record to the ledger.""",
)
