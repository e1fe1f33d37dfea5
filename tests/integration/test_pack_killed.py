"""kill -9 while parts are converted or layers packed; the next run must not notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.parts import make_deb, member

TREE = Path(__file__).parent.parent.parent
WORK = """
import sys
from pathlib import Path
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.adapters.packer import LayerPacker, PackSteps
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.codec import codec, codec_rules
from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.compile.pack.layer import layer_chunks
from openhands_recipes.model.digest import digest_of
from openhands_recipes.ports import Conversion, LayerOrder

cache, parts = CacheDir(Path(sys.argv[1])), sorted(Path(sys.argv[2]).iterdir())
blobs = BlobStore(cache)
fragments = FragmentStore(cache, blobs, converters=CONVERTERS, build=build_fragment, workers=2)
images = LocalImageStore(cache, blobs, codec_rules=codec_rules)
packer = LayerPacker(fragments, images, blobs, steps=PackSteps(layer_chunks, codec, 65536), workers=2)
jobs = [Conversion(digest_of(part.name.encode()), "deb", part) for part in parts]
print("convert", flush=True)
fragments.convert(jobs)
print("pack", flush=True)
orders = [LayerOrder(digest_of(b"layer" + job.key.encode()), job.path.name, (job.key,)) for job in jobs]
for layer in packer.pack(orders, compression="zstd"):
    print(layer.digest, layer.diff_id, flush=True)
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    for number in range(6):
        noise = [os.urandom(3000) + bytes(20_000) for _ in range(40)]
        files = [member(f"./usr/p{number}/{i}", content) for i, content in enumerate(noise)]
        (folder / f"part{number}.deb").write_bytes(make_deb(files))
    return folder


def start(cache: Path, parts: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORK, cache, parts], cwd=TREE, stdout=subprocess.PIPE, text=True
    )


def digests(cache: Path, parts: Path) -> list[str]:
    process = start(cache, parts)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out.splitlines()[2:]


@pytest.fixture(scope="module")
def expected(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return digests(tmp_path_factory.mktemp("clean"), parts)


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1])
@pytest.mark.parametrize("phase", ["convert", "pack"])
def test_a_run_after_kill_9_gives_the_same_digests(
    phase: str, delay: float, parts: Path, tmp_path: Path, expected: list[str]
) -> None:
    process = start(tmp_path, parts)
    assert process.stdout is not None
    while process.stdout.readline().strip() != phase:
        assert process.poll() is None
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert digests(tmp_path, parts) == expected
