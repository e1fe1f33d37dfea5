"""What a killed process, a full disk or a second process leave of a download, with real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.model.digest import digest_of, hex_of
from tests.web import Reply, Web, serving

CONTENT = bytes(range(256)) * 8192  # 2 MiB
FETCH = """
import json, shutil, sys
from pathlib import Path
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.downloads import PooledDownloads
from openhands_recipes.adapters.http import Http
from openhands_recipes.adapters.transfer import Place
from openhands_recipes.errors import RecipesError
from openhands_recipes.ports import Wanted

class Places:
    def of(self, wanted):
        return [Place(sys.argv[2] + "/" + wanted.path)]

if "blind" in sys.argv:
    shutil.disk_usage = lambda _: shutil._ntuple_diskusage(1 << 40, 0, 1 << 40)
blobs = BlobStore(CacheDir(Path(sys.argv[1])))
downloads = PooledDownloads(blobs=blobs, places=Places(), http=Http())
items = [Wanted(name, digest, size, "debian", name) for name, digest, size in json.loads(sys.argv[3])]
try:
    print(downloads.fetch(items))
except RecipesError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as served:
        yield served


def command(cache: Path, web: Web, *options: str) -> list[str]:
    items = json.dumps([["file", digest_of(CONTENT), len(CONTENT)]])
    return [sys.executable, "-c", FETCH, str(cache), web.url, items, *options]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_killed_download_leaves_only_a_partial_file_and_the_next_run_resumes_it(
    tmp_path: Path, web: Web
) -> None:
    web.put("/file", CONTENT, Reply(pause=0.02))
    process = subprocess.Popen(command(tmp_path, web))
    partial = tmp_path / "partial" / hex_of(digest_of(CONTENT))
    while not partial.exists() or partial.stat().st_size < 100_000:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert files(tmp_path) == [partial]
    kept = partial.stat().st_size
    done = subprocess.run(command(tmp_path, web), capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(CONTENT) - kept
    assert web.requests[-1][1]["range"] == f"bytes={kept}-"
    [blob] = files(tmp_path)
    assert blob.read_bytes() == CONTENT


def test_ctrl_c_ends_at_once_although_places_are_silent(tmp_path: Path, web: Web) -> None:
    names = [f"silent{number}" for number in range(8)]
    for name in names:
        web.always(f"/{name}", CONTENT, Reply(pause=30))
    items = json.dumps([[name, digest_of(name.encode()), 99] for name in names])
    process = subprocess.Popen([*command(tmp_path, web)[:-1], items], stderr=subprocess.PIPE, text=True)
    while len(web.requests) < len(names):
        time.sleep(0.01)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in talk
    assert time.monotonic() - started < 10


def test_two_processes_fetch_a_file_once_between_them(tmp_path: Path, web: Web) -> None:
    web.put("/file", CONTENT, Reply(pause=0.005))
    processes = [
        subprocess.Popen(command(tmp_path, web), stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    received = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sorted(received) == [0, len(CONTENT)]
    [blob] = files(tmp_path)
    assert blob.read_bytes() == CONTENT


@pytest.mark.sandbox
@pytest.mark.parametrize("how", ["asks first", "blind"])
def test_a_full_disk_is_told_and_leaves_nothing_visible(tmp_path: Path, web: Web, how: str) -> None:
    web.put("/file", CONTENT)
    inside = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift && "$@"; find "$4" -type f -size +0'
    mounted = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, "sh", str(tmp_path)]
    done = subprocess.run(
        [*mounted, *command(tmp_path, web, how)], capture_output=True, text=True, check=False
    )
    first, *rest = done.stdout.splitlines()
    assert first.startswith("OutsideError no room left for the cache: "), done.stderr
    assert "bytes are needed" in first
    assert str(tmp_path) in rest[0]
    assert "OHR_CACHE" in rest[1]
    assert not any("/blobs/" in line for line in rest[2:]), "no blob is visible"
    assert len(rest) == (2 if how == "asks first" else 3), rest
    assert (web.requests == []) is (how == "asks first")
