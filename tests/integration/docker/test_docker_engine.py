"""The docker engine keeps the promises of the port it shares with the namespaces engine."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openhands_recipes.adapters.docker_box import DockerBox
from openhands_recipes.adapters.docker_engine import DockerEngine
from openhands_recipes.errors import SandboxError, VerificationError
from openhands_recipes.ports import Bind, BoxFile, BoxOptions, Command, Completed, Limits, SandboxEngine
from tests.integration.container_daemons import running_docker
from tests.integration.sandbox.conftest import Tar, tiny_tar  # noqa: F401 - a fixture

pytestmark = pytest.mark.docker
PATH = {"PATH": "/usr/bin"}
Shell = Callable[..., Completed]


@pytest.fixture(scope="module")
def engine(tiny_tar: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:  # noqa: F811
    folder = tmp_path_factory.mktemp("docker")
    with running_docker(folder / "d") as docker:
        engine = DockerEngine(folder / "trees", host=docker.host)
        engine.add_tree("tiny", [io.BytesIO(tiny_tar)])
        yield engine


@pytest.fixture(scope="module")
def box(engine: DockerEngine) -> Iterator[DockerBox]:
    with engine.open(["tiny"]) as box:
        yield box


@pytest.fixture
def sh(box: DockerBox) -> Shell:
    def shell(line: str, *, stdin: bytes | None = None, **fields: object) -> Completed:
        return box.run(Command(("sh", "-c", line), environment=PATH, **fields), stdin=stdin)  # type: ignore[arg-type]

    return shell


def test_it_is_an_engine(engine: DockerEngine) -> None:
    as_port: SandboxEngine = engine
    assert as_port.has_tree("tiny")
    assert not as_port.has_tree("other")


def test_streams_stay_apart_and_the_exit_code_comes_back(sh: Shell) -> None:
    done = sh("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.stdout, done.stderr, done.timed_out) == (3, b"out\n", b"err\n", False)
    assert sh("kill -TERM $$").exit_code == 143


def test_a_command_that_cannot_start_says_so(box: DockerBox) -> None:
    assert box.run(Command(("/nowhere",))).exit_code in (126, 127)


def test_input_is_read_to_its_end(sh: Shell) -> None:
    assert sh("wc -c", stdin=b"x" * 300_000).stdout.strip() == b"300000"
    assert sh("wc -c").stdout.strip() == b"0"


def test_ids_and_workdir_are_as_asked(sh: Shell) -> None:
    assert (
        sh("id -u; id -g; pwd -P", uid=10001, gid=10001, workdir="/home").stdout == b"10001\n10001\n/home\n"
    )


def test_output_may_be_handed_over_while_it_comes(box: DockerBox) -> None:
    pieces: list[float] = []
    command = Command(("sh", "-c", "echo first; sleep 0.5; echo second"), environment=PATH)
    done = box.run(command, stdout=lambda _: pieces.append(time.monotonic()))
    assert pieces[-1] - pieces[0] > 0.3
    assert done.stdout == b""


def test_a_timeout_kills_the_tree(sh: Shell) -> None:
    done = sh("echo begun; setsid sleep 71.5 & sleep 71.5", timeout=1)
    assert (done.exit_code, done.timed_out, done.stdout) == (137, True, b"begun\n")
    assert done.seconds < 20
    assert sh("grep -lsz '^71[.]5$' /proc/[0-9]*/cmdline").stdout == b""


def test_the_background_can_be_waited_for_and_killed(box: DockerBox) -> None:
    running = box.start(Command(("sh", "-c", "echo up; sleep 72.5"), environment=PATH))
    assert running.wait(0.5) is None
    running.kill()
    done = running.wait(20)
    assert done is not None
    assert (done.exit_code, done.stdout) == (137, b"up\n")
    expired = box.start(Command(("sleep", "73.5"), environment=PATH, timeout=0.5)).wait(20)
    assert expired is not None
    assert expired.timed_out


def test_a_sink_that_fails_is_heard(box: DockerBox) -> None:
    def refuse(_piece: bytes) -> None:
        raise OSError(28, "no space left")

    with pytest.raises(OSError, match="no space left"):
        box.run(Command(("sh", "-c", "echo x; sleep 74.5"), environment=PATH), stdout=refuse)


def test_there_is_no_network_unless_asked(sh: Shell) -> None:
    assert b"eth" not in sh("cat /proc/net/dev").stdout


def test_binds_files_and_limits_are_there(engine: DockerEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("bound")
    options = BoxOptions(
        binds=(Bind(tmp_path, "/bound"),),
        files=(BoxFile("/etc/shown", b"shown", 0o440),),
        hostname="named",
        limits=Limits(open_files=99),
    )
    with engine.open(["tiny"], options) as box:
        line = (
            "cat /bound/file /etc/shown /etc/hostname; ulimit -n; stat -c '%a %u' /etc/shown; touch /bound/x"
        )
        done = box.run(Command(("sh", "-c", line), environment=PATH))
        assert done.stdout == b"boundshownnamed\n99\n440 0\n"
        assert done.exit_code != 0


def test_trees_stack_like_layers(engine: DockerEngine) -> None:
    first, second = Tar(), Tar()
    first.add("etc/new", b"first")
    second.add("etc/.wh.passwd", b"")
    second.add("etc/two", b"second")
    engine.add_tree("upper", [first.stream(), second.stream()])
    engine.add_tree("upper", [])
    with engine.open(["tiny", "upper"]) as box:
        done = box.run(Command(("sh", "-c", "cat etc/new etc/two; ls etc/passwd"), environment=PATH))
        assert (done.exit_code, done.stdout) == (2, b"firstsecond")
    engine.remove_tree("upper")
    assert not engine.has_tree("upper")


@pytest.mark.parametrize("content", [b"short", b"x" * 1024, Tar().stream().getvalue()[:10]])
def test_broken_streams_leave_no_tree(engine: DockerEngine, content: bytes) -> None:
    with pytest.raises(VerificationError):
        engine.add_tree("broken", [io.BytesIO(content)])
    assert not engine.has_tree("broken")


def test_what_it_cannot_do_it_says(engine: DockerEngine, box: DockerBox) -> None:
    with pytest.raises(SandboxError, match="does not read changes back"):
        box.changes()
    with pytest.raises(SandboxError, match="lends no terminal"):
        box.run(Command(("sh",), terminal=True))
    with pytest.raises(SandboxError, match="keeps no changes"), engine.open(["tiny"], BoxOptions(upper="x")):
        pass
    with pytest.raises(SandboxError, match="no tree named 'missing'"), engine.open(["missing"]):
        pass


def test_a_daemon_that_is_not_there_is_named(tmp_path: Path) -> None:
    engine = DockerEngine(tmp_path, host=f"unix://{tmp_path}/nothing")
    with pytest.raises(SandboxError, match="Docker does not answer"), engine.open([]):
        pass
