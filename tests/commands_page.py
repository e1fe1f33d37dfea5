"""docs/commands.md, written from the commands themselves."""

from __future__ import annotations

from importlib import import_module

import click

from openhands_recipes.cli.lazy import COMMANDS, PACKAGE
from openhands_recipes.cli.main import main

HEAD = """\
# Commands

Written from the commands themselves by `make golden`. Results go to stdout, talk to stderr.

| exit code | meaning | what to do |
|---|---|---|
| 0 | done | |
| 1 | the recipe, its lock or its tests are wrong | read the message: it says what, where, and what to do |
| 2 | the command line is wrong | `ohr COMMAND --help` |
| 3 | something outside failed: network, disk, a tool | try again; `ohr doctor` |
| 4 | bytes are not what was promised | **do not** try again before you know why |
| 5 | `ohr gate` found no error, and people must agree | ask those it names |
| 70 | a bug of ours, with its traceback | report it |
| 130 | interrupted | |

`ohr run` and `ohr shell` hand on the exit code of what ran inside.

"""


def help_of(command: click.Command, name: str, parent: click.Context | None = None) -> str:
    """`--help` of one command, eighty columns wide whatever the terminal."""
    settings = {**command.context_settings, "terminal_width": 80, "max_content_width": 80}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    return command.get_help(context)


def commands_page() -> str:
    """The whole page."""
    root = click.Context(main, info_name="ohr", **main.context_settings)
    sections = [HEAD, _section("ohr", help_of(main, "ohr"), level=2)]
    for name in COMMANDS:
        command = import_module(f"{PACKAGE}.{name}").command
        sections.append(_section(f"ohr {name}", help_of(command, name, root), level=2))
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=root)
            for sub_name, sub in sorted(command.commands.items()):
                sections.append(_section(f"ohr {name} {sub_name}", help_of(sub, sub_name, context), level=3))
    return "".join(sections)


def _section(title: str, text: str, *, level: int) -> str:
    return f"{'#' * level} {title}\n\n```text\n{text}\n```\n\n"
