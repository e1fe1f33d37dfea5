"""What all tests share: a ledger of their own, goldens, and the rule that no skip may look like a pass."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

# A loaded machine is slow, not wrong.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

TREE = Path(__file__).parent.parent
LACKS = "this machine lacks "
"""How the reason of an honest skip begins (`--strict-skips`)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("openhands_recipes")
    group.addoption("--update-golden", action="store_true", help="rewrite golden files; read the diff")
    group.addoption(
        "--strict-skips",
        action="store_true",
        help=f"an integration test that is skipped fails, unless its reason begins '{LACKS}'",
    )


# --- skips -----------------------------------------------------------------------------------------


@cache
def has_user_namespaces() -> bool:
    if platform.system() != "Linux" or not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "--user", "true"], check=False, capture_output=True).returncode == 0


@cache
def has_docker() -> bool:
    return (bool(shutil.which("dockerd")) and os.geteuid() == 0) or _answers_docker_socket()


def _answers_docker_socket() -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect("/var/run/docker.sock")
        except OSError:
            return False
    return True


@cache
def has_debian_mirror() -> bool:
    """Whether a mirror named by the machine's settings can be reached at all (or a proxy is in charge)."""
    if os.environ.get("http_proxy") or os.environ.get("https_proxy"):
        return True
    mirrors = os.environ.get("OHR_DEBIAN_MIRROR", "").split()
    if not mirrors and shutil.which("apt-get"):
        asked = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE)"], check=False, capture_output=True, text=True
        )
        mirrors = asked.stdout.split()
    return any(map(_reachable, dict.fromkeys(mirrors)))


def _reachable(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=5).close()
    except OSError:
        return False
    return True


NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "sandbox": (has_user_namespaces, "user namespaces"),
    "docker": (has_docker, "a Docker daemon, and root to start one"),
    "online": (has_debian_mirror, "a Debian mirror that answers"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one Docker daemon run in one worker, one after the other."""
    for item in items:
        if item.get_closest_marker("docker") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("docker"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (present, thing) in NEEDS.items():
        if item.get_closest_marker(marker) and not present():
            pytest.skip(LACKS + thing)


def _is_integration(item: pytest.Item | pytest.Collector) -> bool:
    return "integration" in item.path.parts or any(item.get_closest_marker(name) for name in NEEDS)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    place = report.longrepr
    return str(place[2] if isinstance(place, tuple) else place).removeprefix("Skipped: ")


def _judge_skip(
    report: pytest.TestReport | pytest.CollectReport, item: pytest.Item | pytest.Collector
) -> None:
    if not item.config.getoption("--strict-skips") or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = _reason(report)
    if _is_integration(item) and not reason.startswith(LACKS):
        report.outcome = "failed"
        report.longrepr = f"an integration test must run, a skip would look like a pass: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge_skip(report, item)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge_skip(report, collector)
    return report


class SkipLedger:
    """Keeps what was skipped and why; beside the tests that fail, that is what a report must say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skips: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skips.append({"test": report.nodeid, "reason": _reason(report)})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skips.append({"test": report.nodeid, "reason": _reason(report)})

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.skips, indent=2) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    # Jobs in the background of a shell ignore SIGINT, and so would everything started here; tests send it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--strict-skips") and not is_worker:
        config.pluginmanager.register(SkipLedger(TREE / "reports" / "skips.json"))


# --- fixtures ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The ledger of whoever runs the tests stays theirs."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OHR_STATE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shared_cache() -> Path:
    """A cache that outlives the run, for builds too heavy to repeat: $OHR_TEST_CACHE, else ~/.cache/..."""
    folder = Path(os.environ.get("OHR_TEST_CACHE") or Path.home() / ".cache" / "openhands-recipes-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with a committed file; `--update-golden` writes the file instead."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing: run pytest with --update-golden and read the diff"
        assert text == path.read_text(), f"{path} differs: run pytest with --update-golden and read the diff"

    return compare
