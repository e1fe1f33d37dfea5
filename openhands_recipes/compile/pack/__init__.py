"""Tar bytes in, layer bytes out: exact, streaming, deterministic."""
