"""Binary caches: what is signed by a trusted key is taken, everything else refused."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from openhands_recipes.compile.nix.nar import frames
from openhands_recipes.errors import NixError, VerificationError
from openhands_recipes.model.fragment import Kind
from openhands_recipes.ports import Bind, BoxOptions, Command
from openhands_recipes.ports.store_trees import Node
from tests.integration.nix.bench import NixBench, small_flake

FOREIGN = "packages.aarch64-linux.default"
"""Built here under another name of platform; whoever locks it can only fetch it."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests watch the client, not the server."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def flake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its package exists only in the cache: for this machine its platform is a stranger's."""
    text = """here = mk "cached-1.0" "echo > $out"; };
    packages.aarch64-linux = {
      default = derivation {
        name = "cached-1.0";
        system = "aarch64-linux";
        builder = "${tools}/busybox";
        args = [ "sh" "-c" "echo cached > $out" ];
      };"""
    folder = tmp_path_factory.mktemp("cached")
    folder.chmod(0o755)
    return small_flake(folder, text)


@pytest.fixture(scope="module")
def publisher(bench: NixBench, tmp_path_factory: pytest.TempPathFactory) -> NixBench:
    """Somebody else's store."""
    return bench.with_cache(tmp_path_factory.mktemp("publisher"))


@pytest.fixture(scope="module")
def keys(publisher: NixBench) -> dict[str, str]:
    """A key and its public half."""
    secret = publisher.nix.run(("key", "generate-secret", "--key-name", "test-1"))
    return {"secret": secret}


def publish(publisher: NixBench, flake: Path, folder: Path, *, secret: str = "") -> tuple[str, str]:
    """What `nix copy` writes for a package; its store path, and the public key."""
    image = publisher.world._nix_image()
    (store,) = (path for path in (publisher.cache / "nix").glob("*/nix"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    folder.parent.chmod(0o755)
    (folder.parent / "key").write_text(secret)
    (folder.parent / "key").chmod(0o644)
    script = """
    set -e
    flags="--extra-experimental-features nix-command --extra-experimental-features flakes --offline"
    path=$(nix build $flags --option flake-registry '' --option sandbox false --option build-users-group '' \\
        --no-write-lock-file --no-link --print-out-paths --option extra-platforms aarch64-linux \\
        path:/flake#packages.aarch64-linux.default)
    url=file:///cache
    if [ -s /given/key ]; then url="$url?secret-key=/given/key"; fi
    nix copy $flags --to "$url" "$path"
    echo "$path"
    if [ -s /given/key ]; then nix key convert-secret-to-public $flags < /given/key; fi
    """
    binds = (
        Bind(store, "/nix", writable=True), Bind(flake, "/flake"), Bind(folder, "/cache", writable=True),
        Bind(folder.parent, "/given"),
    )  # fmt: skip
    environment = {"HOME": "/root", "PATH": "/usr/bin:/bin"}
    with image.open(BoxOptions(binds=binds, nested_namespaces=True)) as box:
        done = box.run(Command(("/bin/bash", "-c", script), environment, keep_capabilities=True))
    assert done.exit_code == 0, done.stderr.decode()
    path, *public = done.stdout.decode().split()
    return path, "".join(public)


def consumer(bench: NixBench, folder: Path, url: str, key: str) -> NixBench:
    """A project that trusts one cache and one key, with an empty store."""
    root = folder / "project"
    shutil.copytree(bench.root, root)
    registry = root / "recipes" / "registry.yaml"
    keys = f"[{json.dumps(key)}]" if key else "[]"
    registry.write_text(
        re.sub(r"(?m)^nix:\n(  .*\n)*", "", registry.read_text())
        + f"nix:\n  substituters: [{json.dumps(url)}]\n  trusted-public-keys: {keys}\n"
    )
    made = bench.with_cache(folder / "cache")
    return NixBench(root, made.cache, bench.nixpkgs)


def test_what_a_trusted_key_has_signed_is_taken(
    bench: NixBench, publisher: NixBench, flake: Path, keys: dict[str, str], tmp_path: Path
) -> None:
    path, public = publish(publisher, flake, tmp_path / "cache-files", secret=keys["secret"])
    with served(tmp_path / "cache-files") as url:
        nix = consumer(bench, tmp_path / "trusts", url, public).nix
        assert nix.build(flake, FOREIGN, foreign=True) == path
    assert nix.folder(path).read_text() == "cached\n"
    assert [known.path for known in nix.closure(path)] == [path]


def test_what_nobody_trusted_has_signed_is_refused(
    bench: NixBench, publisher: NixBench, flake: Path, keys: dict[str, str], tmp_path: Path
) -> None:
    path, public = publish(publisher, flake, tmp_path / "signed", secret=keys["secret"])
    publish(publisher, flake, tmp_path / "more" / "unsigned")
    cases = {"stranger": ("signed", ""), "unsigned": ("more/unsigned", public)}
    for name, (files, key) in cases.items():
        with served(tmp_path / files) as url:
            nix = consumer(bench, tmp_path / name, url, key).nix
            with pytest.raises(VerificationError, match="without a signature by a trusted key") as caught:
                nix.build(flake, FOREIGN, foreign=True)
        assert caught.value.code == "OHR110"
        assert path in caught.value.message
        assert not os.path.lexists(nix._runner.physical(path))  # type: ignore[attr-defined]


def test_an_altered_archive_is_refused(
    bench: NixBench, publisher: NixBench, flake: Path, keys: dict[str, str], tmp_path: Path
) -> None:
    path, public = publish(publisher, flake, tmp_path / "files", secret=keys["secret"])
    (info,) = (tmp_path / "files").glob("*.narinfo")
    described = dict(line.split(": ", 1) for line in info.read_text().splitlines())
    archive = tmp_path / "files" / described["URL"]
    archive.unlink()
    plain = archive.with_suffix("").with_suffix(".nar")
    (frame,) = frames([Node("", Kind.FILE, size=7)])
    plain.write_bytes(frame.head + b"altered" + frame.tail)  # as long as what it takes the place of
    lines = info.read_text().replace(described["URL"], f"nar/{plain.name}")
    lines = re.sub(r"Compression: \w+", "Compression: none", lines)
    info.unlink()
    info.write_text(re.sub(r"(?m)^(FileHash|FileSize): .*\n", "", lines))
    with served(tmp_path / "files") as url:
        nix = consumer(bench, tmp_path / "trusts", url, public).nix
        with pytest.raises(VerificationError, match="hash mismatch") as caught:
            nix.build(flake, FOREIGN, foreign=True)
    assert caught.value.code == "OHR112"
    with pytest.raises(NixError, match=r"know how to build|is not valid"):
        nix.closure(path)


def test_nothing_ready_made_for_another_platform_is_told(bench: NixBench, flake: Path) -> None:
    with pytest.raises(NixError, match="nothing here can build for that platform") as caught:
        bench.nix.build(flake, FOREIGN, foreign=True)
    assert caught.value.code == "OHR115"
