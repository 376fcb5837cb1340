"""What Chainsaw 2.16.4 prints, read: the recordings in tests/data/chainsaw-runs show each form."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from sigma_env.errors import EngineError

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_RULES: Final = re.compile(r"^\[[+!]\] Loaded (\d+) detection rules(?: \((\d+) not loaded\))?$", re.MULTILINE)
_FILES: Final = re.compile(r"^\[\+\] Loaded (\d+) forensic artefacts", re.MULTILINE)
_HUNTING: Final = "[+] Loading forensic artefacts from: "
_FOUND: Final = re.compile(r"^\[\+\] (\d+) Detections found on \d+ documents$", re.MULTILINE)
_SKIPPED: Final = re.compile(
    r"^\[!\] (?:failed to (?:load file|parse document) '(?P<file>.*)' - (?P<reason>.*)"
    r"|Specified path does not exist - (?P<missing>.*))$",
    re.MULTILINE,
)
_ADVICE: Final = " - use --skip-errors to continue..."
_ERROR: Final = re.compile(r"^\[x\] (.*)", re.MULTILINE | re.DOTALL)
_PANIC: Final = re.compile(
    r"^thread '[^\n]*panicked at (?P<place>[^\n]*):\n(?P<message>.*?)(?=^note: |^thread '|\Z)",
    re.MULTILINE | re.DOTALL,
)
_NOTE: Final = re.compile(r"^\[[+!x]\] ", re.MULTILINE)
_LINT: Final = re.compile(r"\[!\] [/\\]?(?P<file>[^:\n]*): (?P<reason>.*)", re.DOTALL)
_RULER: Final = re.compile(r"~{5,}")
_SHOWN: Final = 200


class Skipped(NamedTuple):
    """A file, or a part of it, that Chainsaw left out, and why."""

    file: str
    reason: str


class RunReport(NamedTuple):
    """What stderr says of a run of `hunt`.

    Attributes:
        rules: loaded; None if it did not come so far.
        not_loaded: refused, as Chainsaw counts; files that it ignores are in neither count.
        files: log files that it found; None if it did not come so far.
        found: matches that it printed; None if it did not come to its end.
        skipped: what it could not read.
        error: why it gave up.
        panic: what it panicked about.
        hunting: whether it had loaded the rules.
    """

    rules: int | None
    not_loaded: int
    files: int | None
    found: int | None
    skipped: tuple[Skipped, ...]
    error: str | None
    panic: str | None
    hunting: bool


class Detection(NamedTuple):
    """A line of `hunt --jsonl`: the title of the rule, and (path, document) of each event; several for a count."""

    title: str
    documents: tuple[tuple[str, Mapping[str, Any]], ...]


def parse_report(stderr: str) -> RunReport:
    """Reads the stderr of `hunt`."""
    text = _COLOUR.sub("", stderr)
    rules, files, found = _RULES.search(text), _FILES.search(text), _FOUND.search(text)
    error = _ERROR.search(text)
    return RunReport(
        rules=int(rules[1]) if rules else None,
        not_loaded=int(rules[2] or 0) if rules else 0,
        files=int(files[1]) if files else None,
        found=int(found[1]) if found else None,
        skipped=tuple(_skipped(one) for one in _SKIPPED.finditer(text)),
        error=_one_line(error[1]) if error else None,
        panic=parse_panic(text),
        hunting=_HUNTING in text,
    )


def parse_panic(stderr: str) -> str | None:
    """What a program written in Rust panicked about, on one line; None if it did not say."""
    panic = _PANIC.search(stderr)
    return f"{_one_line(panic['message'])} ({panic['place']})" if panic else None


def parse_lint(stderr: str) -> dict[str, str]:
    """Reads the stderr of `lint`: the reason of each file that does not load, by its path below the folder."""
    text = _COLOUR.sub("", stderr)
    starts = [found.start() for found in _NOTE.finditer(text)]
    notes = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    found = (_LINT.match(note) for note in notes)
    return {one["file"]: _one_line(one["reason"]) for one in found if one is not None}


def parse_line(line: bytes) -> Detection:
    """Reads a line of `hunt --jsonl`.

    Raises:
        EngineError: it is none.
    """
    try:
        match: Any = orjson.loads(line)
        documents = match["documents"] if match["kind"] == "aggregate" else [match["document"]]
        return Detection(match["name"], tuple(_document(one) for one in documents))
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"Chainsaw wrote something that is no match: {_shown(line)}") from error


def _document(document: Any) -> tuple[str, Mapping[str, Any]]:
    path, data = document["path"], document["data"]
    if not isinstance(path, str) or not isinstance(data, dict):
        raise TypeError
    return path, data


def _skipped(found: re.Match[str]) -> Skipped:
    if found["missing"] is not None:
        return Skipped(found["missing"], "the path does not exist")
    return Skipped(found["file"], found["reason"].removesuffix(_ADVICE))


def _one_line(text: str) -> str:
    return " ".join(_RULER.sub(" ", text).split())


def _shown(line: bytes) -> str:
    return ascii(line[:_SHOWN].decode("utf-8", "replace")) + (" …" if len(line) > _SHOWN else "")
