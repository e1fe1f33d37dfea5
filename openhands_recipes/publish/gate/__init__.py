"""The rules of the pull-request gate: pure functions from what changed to what is wrong with it."""
