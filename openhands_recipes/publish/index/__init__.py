"""From the ledger of releases to the files of the index, and back, always the same bytes."""
