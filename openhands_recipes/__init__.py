"""Reproducible sandboxes for AI coding agents: recipes in, locked and proven OCI images out."""

__version__ = "0.1.0"
