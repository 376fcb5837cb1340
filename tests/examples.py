"""Command lines that people are shown, in help and documents, held against the commands themselves."""

from __future__ import annotations

import re
import shlex

from sigma_env.cli import _app


def command_lines(text: str) -> list[str]:
    """The lines of a text that begin with the program's name, after an optional prompt; comments are dropped."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    found = [re.sub(r"^\s*(\$ )?", "", line) for line in lines]
    return [shlex.join(shlex.split(line, comments=True)) for line in found if line.startswith("sigma-env ")]


def parse(line: str) -> None:
    """Parses a command line as its command does, up to a redirection or pipe, and runs nothing."""
    words = shlex.split(line)
    stop = next((i for i, word in enumerate(words) if word in {"|", ">", "&&", ";", "<"}), len(words))
    name, *arguments = words[1:stop]
    assert name in _app.COMMANDS, f"{line}: there is no command {name}"
    _app.load_command(name).make_context(name, arguments, resilient_parsing=False).close()
