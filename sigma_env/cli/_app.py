"""The frame around the commands: which there are, their help, and what becomes of their errors.

A command's module is imported when that command is asked for, so that ``sigma-env match`` does not pay for the
others. Help and errors are plain text, because Typer's coloured form takes 0.2 s to import.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from sigma_env.errors import SigmaEnvError

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

PROGRAM = "sigma-env"

FAILED = 1
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""
READER_GONE = 141
"""128 + SIGPIPE, as shells count."""

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Entry(NamedTuple):
    group: str
    summary: str


COMMANDS = {
    "match": _Entry("Hunt", "Run Sigma rules on Windows event logs and print every match."),
    "explain": _Entry("Hunt", "Show line by line why a rule matches an event, or why it doesn't."),
    "events": _Entry("Hunt", "Show the events of a log under the field names that rules use."),
    "agree": _Entry("Hunt", "Show where Chainsaw and the Sigma specification part on rules, and why."),
    "lint": _Entry("Hunt", "Find what is wrong with rules, or will surprise, before they run."),
    "play": _Entry("Learn", "Let built-in agents, or you, answer tasks and see the rewards."),
    "tasks": _Entry("Learn", "List the tasks of a dataset, or show one."),
    "score": _Entry("Learn", "Score an answer and name the line that decided on each wrong event."),
    "validate": _Entry("Learn", "Check that a dataset's own answers earn the maximum."),
    "quality": _Entry("Learn", "Measure how well a dataset's tasks tell right rules from wrong ones."),
    "fetch": _Entry("Data", "Get the public rules and logs."),
    "index": _Entry("Data", "Read EVTX files into a store, and name what could not be read."),
    "build": _Entry("Data", "Make a dataset of tasks, from the public sources or from your own rules and logs."),
    "simulate": _Entry("Data", "Write Windows logs on which Sigma rules can be judged, with labels."),
    "compose": _Entry("Data", "Write requests and answers about composed rules, to train on."),
    "chainsaw": _Entry("This machine", "Get the Chainsaw program, which can run rules instead, or say where it is."),
    "doctor": _Entry("This machine", "Say what is here, what is missing, and how to get it."),
}
"""Every command, in the order of the help: the module ``sigma_env.cli.NAME`` exports the function ``NAME``."""


class _Group(TyperGroup):
    """A group that imports a command's module when the command is looked up."""

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, COMMANDS))
        for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
            rows = [(name.ljust(width), entry.summary) for name, entry in COMMANDS.items() if entry.group == group]
            with formatter.section(group):
                formatter.write_dl(rows)


def load_command(name: str) -> Command:
    """Returns the command of that name, one of ``COMMANDS``; this imports its module."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    function = getattr(import_module(f"sigma_env.cli.{name}"), name)
    app.command(name, help=_help_of(function), context_settings=dict(_SETTINGS))(function)
    return get_command(app)


def root_command() -> Command:
    """Returns the group that holds all commands; this imports none of them."""
    app = typer.Typer(
        cls=_Group,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=dict(_SETTINGS),
    )
    app.callback(help=_help_of(_root))(_root)
    group = get_command(app)
    assert isinstance(group, _Group)
    # Only their names are read: Typer suggests one of them for a mistyped command.
    group.commands.update({name: TyperCommand(name) for name in COMMANDS})
    return group


def _help_of(function: Callable[..., None]) -> str:
    """A command's docstring, in which paragraphs that have indented lines keep their line breaks, for examples."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(f"\b\n{text}" if re.search(r"^ ", text, re.M) else text for text in paragraphs)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit status.

    Args:
        arguments: What stands behind ``sigma-env``.

    Returns:
        What the command says; 0 if it says nothing. 2 for a usage error, 1 for a ``SigmaEnvError`` or a file that
        cannot be used, each with a message of one line on stderr; 130 after Ctrl-C; 141, silently, if the reader of
        the output has gone, as in ``sigma-env match … | head``.
    """
    try:
        status = _invoke(list(arguments))
        sys.stdout.flush()
    except SigmaEnvError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # What is still in the buffer can't be written, and the interpreter would complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except OSError as error:
        if error.filename is None:
            raise
        return _fail(f"{error.filename}: {error.strerror}")
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return status


def _invoke(arguments: list[str]) -> int:
    """Parses and runs. Typer's own ``main`` would end the process, and answer a broken pipe with 1."""
    command = root_command()
    try:
        with command.make_context(PROGRAM, arguments) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        return error.exit_code
    return 0


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return FAILED


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"{PROGRAM} {version('sigmaforge')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Write Sigma detection rules, run them on Windows event logs, and see how right they are.

    To hunt in your own logs with your own rules:
      sigma-env match --rules rules/ --logs logs/
      sigma-env explain --rule rules/r.yml --event logs/Security.evtx:4711

    To see how rules are scored, without any download:
      sigma-env play starter --agent all

    To build tasks from SigmaHQ's rules and public attack logs:
      sigma-env fetch
      sigma-env build sigmahq-real

    Each command explains itself: sigma-env COMMAND --help
    """
