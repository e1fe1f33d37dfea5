from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from openhands_recipes.cli.lazy import COMMANDS, PACKAGE
from openhands_recipes.cli.main import run_with
from openhands_recipes.cli.world import World
from openhands_recipes.errors import DownloadError, InvalidRecipeError, RecipesError, ResolutionError

Body = Callable[..., Any]
Install = Callable[[Body], None]


@pytest.fixture
def as_check(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a body in the place of `ohr check`."""

    def install(body: Body) -> None:
        module = ModuleType(f"{PACKAGE}.check")
        module.command = click.command(name="check")(body)  # type: ignore[attr-defined]  # a stand-in module
        monkeypatch.setitem(sys.modules, f"{PACKAGE}.check", module)

    return install


def raising(error: BaseException) -> Body:
    def body() -> None:
        raise error

    return body


def last_record(state: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((state / "evidence.jsonl").read_text().splitlines()[-1])
    return record


def test_an_error_says_what_where_and_what_to_do(
    as_check: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    where, hint = "recipes/python-ml/recipe.yaml:4", "did you mean 'ubuntu'?"
    as_check(raising(ResolutionError("extends unknown base 'ubunut'", where=where, hint=hint)))
    assert run_with(["check"]) == 1
    assert capsys.readouterr().err == (
        "error: extends unknown base 'ubunut'\n"
        "  --> recipes/python-ml/recipe.yaml:4\n"
        "  hint: did you mean 'ubuntu'?\n"
    )


def test_colour_is_used_when_asked_for(as_check: Install, capsys: pytest.CaptureFixture[str]) -> None:
    as_check(raising(DownloadError("gone")))
    assert run_with(["--color", "always", "check"]) == 3
    assert capsys.readouterr().err == "\x1b[31m\x1b[1merror:\x1b[0m gone\n"


def test_all_faults_of_a_recipe_are_told_at_once(
    as_check: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = (RecipesError("first", where="a:1"), RecipesError("second", hint="do\nthat"))
    as_check(raising(InvalidRecipeError("2 faults in recipe 'a'", faults=faults)))
    assert run_with(["check"]) == 1
    assert capsys.readouterr().err == (
        "error: first\n  --> a:1\n\n"
        "error: second\n  hint: do\n        that\n\n"
        "error: 2 faults in recipe 'a'\n"
    )  # fmt: skip


def test_with_json_logs_an_error_is_an_event(as_check: Install, capsys: pytest.CaptureFixture[str]) -> None:
    as_check(raising(DownloadError("gone", where="pool/x.deb")))
    assert run_with(["--log-format", "json", "check"]) == 3
    event = json.loads(capsys.readouterr().err)
    assert event.pop("time").endswith("Z")
    assert event == {"event": "error", "message": "gone", "where": "pool/x.deb", "exit_code": 3}


def test_the_cause_is_told_when_asked_for_more(as_check: Install, capsys: pytest.CaptureFixture[str]) -> None:
    error = DownloadError("gone")
    error.__cause__ = OSError("reset")
    as_check(raising(error))
    run_with(["-v", "check"])
    assert "cause: OSError: reset" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["bild"], "error: no command is called 'bild'\n  hint: did you mean 'build'?\n"),
        (["zzz"], "error: no command is called 'zzz'\n  hint: see `ohr --help`\n"),
        (["--rot", "x"], "error: no such option '--rot'\n  hint: did you mean '--root'?\n"),
    ],
)
def test_a_wrong_command_line_is_told_in_the_same_form(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(arguments) == 2
    assert capsys.readouterr().err == text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupted_run_leaves_with_130(as_check: Install, error: BaseException, own_state: Path) -> None:
    as_check(raising(error))
    assert run_with(["check"]) == 130
    assert last_record(own_state)["outcome"] == "interrupted"


def test_a_bug_shows_its_traceback(
    as_check: Install, capsys: pytest.CaptureFixture[str], own_state: Path
) -> None:
    as_check(raising(ValueError("oops")))
    assert run_with(["check"]) == 70
    assert "ValueError: oops" in capsys.readouterr().err
    assert last_record(own_state)["outcome"] == "crashed"


def test_a_commands_own_exit_code_is_handed_on(as_check: Install, own_state: Path) -> None:
    as_check(raising(click.exceptions.Exit(42)))
    assert run_with(["check"]) == 42
    assert last_record(own_state)["exit_code"] == 42


def test_what_a_command_learns_becomes_evidence(as_check: Install, own_state: Path) -> None:
    @click.pass_obj
    def body(world: World) -> None:
        with world.about("base", "1.0.0", "linux/amd64") as subject:
            subject.digest = "sha256:0"

    as_check(body)
    assert run_with(["check"]) == 0
    record = last_record(own_state)
    assert (record["verb"], record["recipe"], record["digest"]) == ("check", "base", "sha256:0")


def test_asking_for_help_leaves_no_evidence(as_check: Install, own_state: Path) -> None:
    as_check(lambda: None)
    ledger = own_state / "evidence.jsonl"
    before = ledger.read_text() if ledger.exists() else ""
    assert run_with(["check", "--help"]) == 0
    assert (ledger.read_text() if ledger.exists() else "") == before


@pytest.mark.parametrize(
    ("options", "text"),
    [([], "hello\nwarning: careful\n"), (["-q"], ""), (["-v"], "hello\nwarning: careful\ninfo: detail\n")],
)
def test_talk_goes_to_stderr_as_loud_as_asked(
    options: list[str], text: str, as_check: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.pass_obj
    def body(world: World) -> None:
        world.say("hello")
        log = logging.getLogger("openhands_recipes.somewhere")
        log.warning("careful")
        log.info("detail")

    as_check(body)
    run_with([*options, "check"])
    captured = capsys.readouterr()
    assert (captured.err, captured.out) == (text, "")


def test_with_json_logs_every_line_is_an_event(as_check: Install, capsys: pytest.CaptureFixture[str]) -> None:
    @click.pass_obj
    def body(world: World) -> None:
        world.say(click.style("hello", fg="red"))
        logging.getLogger("openhands_recipes.somewhere").warning("careful")
        with world.progress.stage("work"):
            pass

    as_check(body)
    run_with(["--log-format", "json", "check"])
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["message", "log", "stage-started", "stage-finished"]
    assert events[0]["text"] == "hello"


@pytest.mark.parametrize(
    ("options", "shown"), [(["-v", "check"], True), (["check"], False), (["-q", "check"], False)]
)
def test_a_pipe_gets_stage_lines_only_when_asked_for(
    options: list[str], *, shown: bool, as_check: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.pass_obj
    def body(world: World) -> None:
        with world.progress.stage("work"):
            pass

    as_check(body)
    run_with(options)
    assert ("work  0.00 s" in capsys.readouterr().err) == shown


def test_when_a_machine_reads_the_result_no_progress_is_shown(
    as_check: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.option("--format", "output")
    @click.pass_obj
    def body(world: World, output: str) -> None:
        with world.progress.stage(output):
            pass

    as_check(body)
    run_with(["-v", "check", "--format", "json"])
    assert capsys.readouterr().err == ""


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    program = tmp_path / "talker.py"
    program.write_text(
        "import sys, types, click\n"
        "from openhands_recipes.cli.main import run\n"
        "module = types.ModuleType('check')\n"
        "module.command = click.command()(lambda: [click.echo('x' * 1000) for _ in range(1000)])\n"
        "sys.modules['openhands_recipes.cli.check'] = module\n"
        "sys.argv = ['ohr', 'check']\n"
        "run()\n"
    )
    line = f"{sys.executable} {program} | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("x141\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_in_the_table_is_the_commands_own(name: str) -> None:
    module = import_module(f"{PACKAGE}.{name}")
    own = module.command.get_short_help_str(limit=100)
    assert own.removesuffix(".") == COMMANDS[name].removesuffix(".")


def test_help_imports_neither_models_nor_network() -> None:
    program = (
        "import sys; from openhands_recipes.cli.main import run_with; run_with(['--help']);"
        "heavy = {'pydantic', 'httpx', 'rich', 'yaml', 'jsonschema', 'docker', 'git'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
