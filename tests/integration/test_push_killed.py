"""A push that is killed: what was finished stays, and the next one sends only the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from openhands_recipes.model.image import MANIFEST_TYPE
from openhands_recipes.ports import PushOrder
from tests.integration.registry_server import Proxy, Seen, Slow, Trouble, push, running_registry
from tests.integration.sample_image import make_sample, noise, tree_layer

MIB = 1024 * 1024
TREE = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from tests.integration.registry_server import push
from tests.integration.sample_image import read_layout
from openhands_recipes.adapters.registry.client import Limits
from openhands_recipes.ports import PushOrder
sample = read_layout(Path(sys.argv[2]))
push(sys.argv[1], sample, PushOrder("team/sample", (sample.image,), ("1.0.0",)), limits=Limits(parallel=1))
"""


def test_a_push_killed_in_an_upload_is_finished_by_the_next_one(tmp_path: Path) -> None:
    sample = make_sample(
        tmp_path / "layout", [("base/debian/00", tree_layer({f"f{n}": noise(2 * MIB, n)})) for n in range(4)]
    )
    uploads = 0

    def plan(seen: Seen) -> Trouble:
        nonlocal uploads
        uploads += seen.method == "PUT" and seen.is_upload
        return Slow(60) if uploads == 3 else None

    with running_registry(tmp_path / "registry") as registry:
        with Proxy(registry.host, plan) as first:
            command = [sys.executable, "-c", PROGRAM, first.host, str(sample.folder)]
            victim = subprocess.Popen(command, cwd=TREE, env=os.environ | {"PYTHONPATH": str(TREE)})
            until = time.monotonic() + 60
            while uploads < 3 and victim.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            assert victim.poll() is None
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        finished = {seen.query for seen in first.seen if seen.method == "PUT" and seen.status == 201}
        assert len(finished) == 2
        with Proxy(registry.host) as second:
            report = push(second.host, sample, PushOrder("team/sample", (sample.image,), ("1.0.0",)))
        sent = {seen.query.partition("digest=")[2] for seen in second.seen if seen.method == "PUT"}
        assert not sent & {query.partition("digest=")[2] for query in finished}
        assert report.present_bytes > 4 * MIB
        assert registry.get("team/sample/manifests/1.0.0", MANIFEST_TYPE) == sample.image.manifest


def test_an_interrupted_push_ends_at_once_although_a_registry_is_silent(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "layout", [("base/debian/00", tree_layer({"f": noise(MIB, 1)}))])
    waiting = threading.Event()

    def plan(seen: Seen) -> Trouble:
        if seen.method == "PUT" and seen.is_upload:
            waiting.set()
            return Slow(60)
        return None

    with running_registry(tmp_path / "registry") as registry, Proxy(registry.host, plan) as silent:
        command = [sys.executable, "-c", PROGRAM, silent.host, str(sample.folder)]
        environment = os.environ | {"PYTHONPATH": str(TREE)}
        with subprocess.Popen(command, cwd=TREE, env=environment, stderr=subprocess.DEVNULL) as victim:
            assert waiting.wait(60)
            time.sleep(0.3)  # until it reads
            began = time.monotonic()
            victim.send_signal(signal.SIGINT)
            assert victim.wait(30) != 0
            assert time.monotonic() - began < 2  # a second, and patience with a busy machine
