"""Doors: one per outside thing; the only code that touches it."""
