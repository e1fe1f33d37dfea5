"""Packages from the npm registry: pure steps from a lockfile to files of an image."""
