"""Sandboxes of recipes, from the command line."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.integration.pipeline.command import Ohr

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("build")]


def test_the_exit_code_and_both_streams_are_the_commands_own(ohr: Ohr) -> None:
    done = ohr("run", "base", "--", "bash", "-c", "echo out; echo err >&2; exit 7", expect=7)
    assert done.stdout == "out\n"
    assert done.stderr.endswith("err\n")


def test_a_command_runs_as_the_recipes_user_in_its_folder(ohr: Ohr) -> None:
    assert (
        ohr("run", "base", "--", "bash", "-c", "id -un; pwd; echo $HOME").stdout
        == "openhands\n/workspace\n/home/openhands\n"
    )


def test_there_is_no_network_unless_asked_for(ohr: Ohr) -> None:
    done = ohr(
        "run", "base", "--", "bash", "-c", "ls /sys/class/net 2>/dev/null; cat /proc/net/route | tail -n +2"
    )
    assert done.stdout.split() in ([], ["lo"])


def test_nothing_of_this_machine_is_inside_but_what_is_bound(
    ohr: Ohr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    given = tmp_path / "given"
    given.write_text("given")
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # pytest keeps its folders to itself, and who is inside is nobody here
    script = (
        'cat /given/given; echo "[$A_SECRET]"; '
        f"ls {Path(__file__).parent} 2>/dev/null; "
        "touch /given/x 2>/dev/null || echo read-only"
    )
    done = ohr("run", "base", "--bind", f"{tmp_path}:/given:ro", "--", "bash", "-c", script)
    assert done.stdout == "given[]\nread-only\n"
    ohr("run", "base", "--bind", f"{tmp_path}:/given", "--", "touch", "/given/made")
    made = (tmp_path / "made").stat()
    assert (made.st_uid, made.st_gid) == (os.getuid(), os.getgid())


def test_changes_do_not_outlive_the_sandbox(ohr: Ohr) -> None:
    ohr("run", "base", "--", "touch", "/workspace/made")
    assert ohr("run", "base", "--", "ls", "-A", "/workspace").stdout == "project\n"


def test_with_network_pip_and_apt_install_without_flags(ohr: Ohr) -> None:
    script = (
        "pip install -q six && python3 -c 'import six; print(six.__name__)' && "
        "sudo apt-get -qq update && sudo apt-get -qq install -y hello >/dev/null 2>&1 && hello"
    )
    assert ohr("run", "--network", "python", "--", "bash", "-c", script).stdout == "six\nHello, world!\n"


def test_certificates_lent_to_a_sandbox_never_end_in_its_image(ohr: Ohr) -> None:
    counted = (
        "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt; ls /run/ohr 2>/dev/null; "
        "env | grep -i -e proxy -e SSL_CERT || true"
    )
    before = ohr("run", "base", "--", "bash", "-c", counted).stdout
    ohr("run", "--network", "base", "--", "true")
    assert ohr("run", "base", "--", "bash", "-c", counted).stdout == before
    assert "SSL_CERT_FILE" not in before


def test_python_keeps_the_whole_contract_with_a_living_agent_server(ohr: Ohr, tmp_path: Path) -> None:
    report = ohr("test", "python", "--format", "json", "--junit", str(tmp_path / "junit.xml")).json[0]
    assert report["ok"], [v for v in report["verdicts"] if not v["ok"]]
    assert {"health", "ready", "executes"} <= {v["name"] for v in report["verdicts"] if v["suite"] == "live"}
    suite = ET.parse(tmp_path / "junit.xml").getroot()[0]
    assert suite.get("failures") == "0"


def test_a_failing_test_shows_command_exit_code_and_both_streams(ohr: Ohr) -> None:
    folder = ohr.root / "recipes" / "failing"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(
        "schema: 1\nname: failing\nversion: 1.0.0\nsummary: Fails\nlicense: MIT\n"
        "maintainers: [{github: someone, id: 1}]\nextends: [base]\n"
        "tests:\n  - {name: it fails, run: 'echo seen; echo heard >&2; exit 3'}\n"
        "  - {name: it is slow, run: sleep 60, timeout: 1}\n"
    )
    ohr("lock", "failing")
    failed = ohr("test", "failing", expect=1)
    for part in (
        "FAIL failing: it fails",
        "exit code 3, not 0",
        "echo seen; echo heard",
        "seen",
        "heard",
        "exit code: 3",
        "no end after 1 s",
    ):
        assert part in failed.stdout
    assert "2 of " in failed.stderr
    assert "failing: it fails, failing: it is slow" in failed.stderr


SDK_CLIENT = """
export OH_SESSION_API_KEYS_0=secret OPENHANDS_SUPPRESS_BANNER=1
openhands-agent-server --port 8000 > /tmp/log 2>&1 &
for _ in $(seq 240); do curl -fs http://127.0.0.1:8000/health > /dev/null && break; sleep 0.5; done
/opt/agent-server/bin/python - <<'EOF'
from openhands.sdk.workspace import RemoteWorkspace

workspace = RemoteWorkspace(host="http://127.0.0.1:8000", api_key="secret", working_dir="/workspace/project")
done = workspace.execute_command("echo from the sdk; id -u")
print(done.exit_code, done.stdout.split())
EOF
"""


@pytest.mark.slow
def test_the_sdks_remote_workspace_runs_a_command_through_the_server(ohr: Ohr) -> None:
    done = ohr("run", "openhands-agent", "--", "bash", "-c", SDK_CLIENT)
    assert done.stdout.splitlines()[-1] == "0 ['from', 'the', 'sdk', '10001']"


IN_THE_IMAGES = {
    "node": ("npm install --silent --global cowsay && cowsay moo | grep -o moo && command -v cowsay", "moo"),
    "go": (
        "go install github.com/rakyll/hey@v0.1.4 2>/dev/null && command -v hey",
        "/home/openhands/go/bin/hey",
    ),
    "rust": (
        "cargo install --quiet hexyl --version 0.8.0 && command -v hexyl",
        "/home/openhands/.cargo/bin/hexyl",
    ),
    "java": (
        """mkdir -p src/main/java && cat > pom.xml <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>x</groupId><artifactId>hello</artifactId><version>1</version>
  <properties>
    <maven.compiler.release>21</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
</project>
EOF
cat > src/main/java/Hello.java <<'EOF'
public class Hello { public static void main(String[] a) { System.out.println(42); } }
EOF
mvn -q package && java -cp target/hello-1.jar Hello""",
        "42",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_THE_IMAGES)
def test_the_languages_own_package_tools_work_with_network_and_no_flags(ohr: Ohr, name: str) -> None:
    script, expected = IN_THE_IMAGES[name]
    assert expected in ohr("run", "--network", name, "--", "bash", "-c", script).stdout.split()
