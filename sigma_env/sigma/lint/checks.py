"""Every check of the linter, and what it finds: ids and levels are stable, for they stand in people's CI."""

from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""Where in a document: keys as they are written, and places in lists."""


class Level(Enum):
    """How bad it is: an error never runs, a warning surely is not what was meant or never holds, a note may be."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Level).index(self)


class Check(NamedTuple):
    """One kind of finding.

    Attributes:
        id: stable name.
        level: how bad it is.
        finds: what it finds, as a sentence.
        fix: what to do about it.
    """

    id: str
    level: Level
    finds: str
    fix: str


class Finding(NamedTuple):
    """One problem of a rule.

    Attributes:
        check: id of the check.
        level: how bad it is.
        message: what is wrong, with the names and values of the rule.
        fix: what to do about it.
        at: where in the document.
    """

    check: str
    level: Level
    message: str
    fix: str
    at: Place = ()


class Reported(NamedTuple):
    """A finding in its file.

    Attributes:
        path: the file.
        line: of the place, from 1.
        column: likewise.
        rule: id of the rule, or the file's stem.
        finding: the problem.
    """

    path: Path
    line: int
    column: int
    rule: str
    finding: Finding


_ERROR, _WARNING, _NOTE = Level.ERROR, Level.WARNING, Level.NOTE

PYSIGMA: Final = "pysigma"
"""Prefix of the ids of pySigma's own checks: `pysigma/` and the name of the validator."""

_ALL: Final = (
    Check("bad-yaml", _ERROR, "The text is no plain YAML.", "mend the text at the line that is named"),
    Check("invalid-rule", _ERROR, "The document is no valid Sigma rule.", "mend the part that is named"),
    Check("too-complex", _ERROR, "The rule passes a limit on its size.", "split the rule"),
    Check("unsupported", _WARNING, "The rule uses a part of Sigma that is not served.", "write the rule without it"),
    Check(
        "unknown-logsource",
        _ERROR,
        "The logsource selects no event: nobody knows its category or service, or the two have no event in common.",
        "use a category or service of Sigma's taxonomy",
    ),
    Check(
        "no-event-source",
        _WARNING,
        "The category is known, but no event log has its events.",
        "use a category that logs hold, such as file_event",
    ),
    Check(
        "not-windows",
        _NOTE,
        "The rule is not for Windows' event logs: it selects nothing, and its fields are not checked.",
        "leave it out of a hunt in Windows logs",
    ),
    Check(
        "unknown-field",
        _WARNING,
        "No event that the rule selects has the field.",
        "use a field that the events have",
    ),
    Check(
        "idle-filter",
        _WARNING,
        "A part behind 'not' never holds on an event that the rest of the rule selects, so it filters nothing.",
        "leave the filter out, or mend its field or value",
    ),
    Check(
        "event-id-outside",
        _WARNING,
        "The logsource has no event of this EventID.",
        "use another logsource, or leave the EventID out",
    ),
    Check(
        "event-id-text",
        _WARNING,
        "An EventID is a decimal number; this value is none.",
        "write the number of the event",
    ),
    Check(
        "image-without-path",
        _WARNING,
        "The field holds a full path, and the value is the bare name of a file.",
        r"use '|endswith' and begin the value with a backslash: '\name.exe'",
    ),
    Check(
        "impossible-value",
        _WARNING,
        "The field has a fixed set of values, and this is none of them.",
        "use one of the values that the field can have",
    ),
    Check(
        "yaml-value",
        _WARNING,
        "YAML reads the unquoted value as another one: 0x17 is 23, 'yes' is true, 1.10 is 1.1.",
        "put the value in quotes",
    ),
    Check(
        "unc-path",
        _WARNING,
        r"Two backslashes in front are one: '\\srv' means '\srv'.",
        r"write four backslashes for a UNC path: '\\\\srv'",
    ),
    Check(
        "chainsaw-refused",
        _WARNING,
        "Chainsaw does not load the rule, or ends with it.",
        "write the rule in the way that Chainsaw reads, if it is to run there",
    ),
    Check(
        "chainsaw-differs",
        _NOTE,
        "Chainsaw may find other events than the specification says, for the reasons that are named.",
        "see what differs on your logs: sigma-env agree",
    ),
)

CHECKS: Final = {check.id: check for check in _ALL}
"""Every check of our own, in the order of the documentation."""


def found(check: str, message: str, at: Place = (), fix: str | None = None) -> Finding:
    """A finding of a check, with its level, and its fix unless there is a better one."""
    known = CHECKS[check]
    return Finding(check, known.level, message, known.fix if fix is None else fix, at)


def is_check(name: str) -> bool:
    """Whether a check, or a kind of pySigma's checks, is called so."""
    return name in CHECKS or name.partition("/")[0] == PYSIGMA
