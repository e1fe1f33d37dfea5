"""Towards Nix: a composed recipe as the data its flake reads. Builds nothing and writes no Nix."""
