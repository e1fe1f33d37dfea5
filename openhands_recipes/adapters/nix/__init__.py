"""Nix: the machine's, or our own in a sandbox.

    store.py    `ports.Nix`: which commands are given, and what their answers and complaints mean
    calls.py    what a command of Nix is, and what came of it
    machine.py  runs the machine's Nix
    boxed.py    runs the Nix of our recipe `nix` in a sandbox, over an area of the cache
    flakes.py   compiled flakes, where either can read them
    area.py     that area: one store a range of ids, shared by all runs; mending and clearing it

Our own Nix is for one user and has no daemon: root of a user namespace owns `/nix`, which lies in the cache.
Builds are shut in by Nix itself, in namespaces inside the sandbox's own.
"""
