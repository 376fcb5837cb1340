"""Every recorded run through the wrapper: a program answers as the real one did, and the wrapper concludes from it.

First with the recorded command line, so that what arrives is known to be what was recorded: lines, stderr, exit status.
Then as the answer to the wrapper's own command, with the recorded matches and report, or the error that names the
fault. The wrapper never asks for tables, for one array of JSON or for a dump; such an answer is an error too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.chainsaw_process import ProcessLimits, run_program
from sigma_env.errors import EngineError
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule
from tests.engines.chainsaw.recordings import (
    KINDS,
    RULES,
    hunt,
    lint,
    load,
    logs,
    maker,
    matches_of,
    names,
    records,
    replaying,
    rule,
    run_of,
    stderr_of,
    stdout_of,
    title,
)

pytestmark = pytest.mark.usefixtures("empty_machine")

SIM = ("sim.evtx",)
DESERIALIZE = "An error occurred while trying to deserialize evtx stream."
WINDASH = "Chainsaw: unsupported modifiers - windash"
IGNORED = "Chainsaw ignores this rule without giving a reason"
MID_LINE = "ended as if all was well, but in the middle of a line"
UNFINISHED = "ended as if all was well, but not with its own summary"


class Replayed(NamedTuple):
    """A recorded run as the wrapper meets it.

    Attributes:
        rules: given to the wrapper, by name.
        files: log files given to it; None for those of the mirror that were recorded.
        answers: what the program answers; by default the run, to `hunt`.
        matches: the recording whose matches the wrapper must return; by default the run.
        unsupported: rule → the reason that it must give.
        skipped: (file, reason) that it must report.
        error: what it must say instead of all that.
        answered_alike: whether the real program, given the wrapper's own command, ends in the same way.
    """

    rules: Sequence[str] = ("certutil",)
    files: Sequence[str] | None = SIM
    answers: Sequence[Mapping[str, Any]] = ()
    matches: str | None = None
    unsupported: Mapping[str, str] = {}
    skipped: Sequence[tuple[str, str]] = ()
    error: str | None = None
    answered_alike: bool = False


def fails(error: str, *files: str) -> Replayed:
    return Replayed(files=files or SIM, error=error)


def failed_at(file: str) -> Replayed:
    return fails(f"ended with exit status 1: Failed to hunt through file '{file}' ", file)


MIXED = ("keyword", "certutil", "windash")
SIXTY_FOUR = "sixty-four"
CASES = {
    "bad-chunk": failed_at("bad-chunk.evtx"),
    "bad-chunk-skip": Replayed(
        files=["bad-chunk.evtx"],
        skipped=[("bad-chunk.evtx", "Failed to parse chunk number 1")],
        answered_alike=True,
    ),
    "bad-header": failed_at("bad-header.evtx"),
    "bad-header-skip": Replayed(
        files=["bad-header.evtx", "sim.evtx"], skipped=[("bad-header.evtx", DESERIALIZE)], answered_alike=True
    ),
    "bad-record": failed_at("bad-record.evtx"),
    "bad-record-skip": Replayed(
        files=["bad-record.evtx"],
        skipped=[("bad-record.evtx", "Failed to parse record number 85")],
        answered_alike=True,
    ),
    "bad-yaml-alone": Replayed(
        answers=[
            hunt("bad-yaml-alone", "certutil"),
            lint("lint-tau", "certutil"),
            load("bad-yaml-alone", "certutil"),
        ],
        unsupported={"certutil": IGNORED},
    ),
    "banner": Replayed(["never"], answered_alike=True),
    "cached": Replayed(answered_alike=True),
    "count-rule": Replayed(["count"], answered_alike=True),
    "dump": Replayed(["attrib"], None, error="wrote something that is no match: .*Microsoft-Windows-Sysmon"),
    "empty-file-skip": Replayed(
        files=["empty.evtx", "sim.evtx"], skipped=[("empty.evtx", DESERIALIZE)], answered_alike=True
    ),
    "lint": Replayed(
        MIXED,
        answers=[hunt("mixed-rules", *MIXED), lint("lint", *MIXED)],
        matches="mixed-rules",
        unsupported={"keyword": "Chainsaw: keyless identifiers cannot be converted", "windash": WINDASH},
        answered_alike=True,
    ),
    "lint-panic": Replayed(
        answers=[hunt("no-rules", "certutil"), lint("lint-panic", "certutil")],
        error="chainsaw lint ended with exit status 101: could not build regex: Syntax",
    ),
    "lint-tau": Replayed(
        answers=[hunt("no-rules", "certutil"), lint("lint-tau", "certutil"), load("missing-log-path", "certutil")],
        error="loaded 0 of 1 rules, but gives a reason for 0",
    ),
    "missing-log-path": fails("Specified event log path is invalid - inputs/none.evtx"),
    "missing-log-path-skip": fails(
        "found 1 of 2 log files; it says of none.evtx: the path does not exist", "none.evtx", "sim.evtx"
    ),
    "missing-mapping": fails("exit status 1: Error loading specified mapping file - No such file or directory"),
    "missing-rules-path": fails("exit status 1: Specified event log path is invalid - inputs/no-such-rules"),
    "mixed-rules": Replayed(
        MIXED,
        answers=[hunt("mixed-rules", *MIXED), lint("lint", *MIXED)],
        unsupported={"keyword": "Chainsaw: keyless identifiers cannot be converted", "windash": WINDASH},
        answered_alike=True,
    ),
    "no-mapping-argument": fails(r"refused its own command line \(exit status 2\): .*--mapping <MAPPING>"),
    "no-match": Replayed(["never"], answered_alike=True),
    "no-match-json": Replayed(["never"], error=MID_LINE),
    "no-rules": Replayed(
        answers=[hunt("no-rules", "certutil"), lint("lint-tau", "certutil"), load("no-rules", "certutil")],
        unsupported={"certutil": IGNORED},
    ),
    "one-rule-one-file": Replayed(["attrib"], None, answered_alike=True),
    "one-rule-one-file-json": Replayed(["attrib"], None, error=MID_LINE),
    "one-rule-simulated": Replayed(answered_alike=True),
    "panic-hunt": Replayed(
        ("panic_hunt", "certutil"),
        answers=[
            hunt("panic-hunt", "certutil", "panic_hunt"),
            hunt("panic-hunt", "panic_hunt"),
            hunt("one-rule-simulated", "certutil"),
        ],
        matches="one-rule-simulated",
        unsupported={"panic_hunt": "Chainsaw panics on this rule: internal error: entered unreachable code"},
        answered_alike=True,
    ),
    "panic-load": Replayed(
        ("panic_load", "certutil"),
        answers=[
            hunt("panic-load", "certutil", "panic_load"),
            load("panic-load", "certutil", "panic_load"),
            load("panic-load", "panic_load"),
            load("missing-log-path", "certutil"),
            hunt("one-rule-simulated", "certutil"),
        ],
        matches="one-rule-simulated",
        unsupported={"panic_load": "Chainsaw panics on this rule: could not build regex: Syntax"},
        answered_alike=True,
    ),
    "quiet": fails(UNFINISHED),
    "same-id": Replayed(("certutil", "cmd"), answered_alike=True),
    "sixty-four-rules": Replayed([SIXTY_FOUR], None, answered_alike=True),
    "truncated-file": Replayed(files=["truncated.evtx"], answered_alike=True),
    "truncated-file-skip": Replayed(files=["truncated.evtx"], answered_alike=True),
    "unknown-logsource": Replayed(["anylog"], answered_alike=True),
    "unsupported-rule-alone": Replayed(
        ["windash"],
        answers=[hunt("unsupported-rule-alone", "windash"), lint("lint", "windash")],
        unsupported={"windash": WINDASH},
        answered_alike=True,
    ),
    "upper-case-extension": fails("exit status 1: No compatible files were found", "UPPER.EVTX"),
    "version": fails("wrote something that is no match: 'chainsaw 2.16.4'"),
}


def test_every_recorded_run_is_a_case() -> None:
    assert sorted(CASES) == names()
    answered = {answer["run"] for name, case in CASES.items() for answer in case.answers or [hunt(name)]}
    assert answered == set(names())


@pytest.mark.parametrize("name", CASES)
def test_the_recorded_command_brings_what_was_recorded(name: str, tmp_path: Path) -> None:
    program = replaying(tmp_path / "bin", []).chainsaw.program
    recorded, stdout = run_of(name), stdout_of(name)
    lines: list[bytes] = []

    def execute() -> tuple[int, str, int]:
        return run_program(
            [str(program), *recorded["argv"][1:]], tmp_path, time.monotonic() + 60, lines.append, ProcessLimits()
        )

    if stdout and not stdout.endswith(b"\n"):  # one array
        with pytest.raises(EngineError, match=MID_LINE):
            execute()
        assert "--json" in recorded["argv"]
        return
    assert execute() == (recorded["exit"], stderr_of(name), 0)
    assert lines == stdout.splitlines()


def conclude(name: str, kind: str, case: Replayed, store: EventStore, rules: Mapping[str, Rule], folder: Path) -> None:
    engine = maker(kind)(folder / "bin", case.answers or [hunt(name, *rules)], rules)
    assert f"chainsaw {engine.chainsaw.version_text}\n".encode() == stdout_of("version")
    if case.error is not None:
        with pytest.raises(EngineError, match=case.error):
            engine.run(list(rules.values()), store)
        return
    run = engine.run(list(rules.values()), store)
    results = dict(zip(rules, run.results, strict=True))
    refused = {given: one.reason for given, one in results.items() if isinstance(one, Unsupported)}
    assert refused.keys() == case.unsupported.keys()
    for given, reason in refused.items():
        assert reason.startswith(case.unsupported[given])
    assert list(run.skipped) == list(case.skipped)
    assert matched(results, rules, store) == expected(case.matches or name)


def kinds(public: bool) -> list[tuple[str, str]]:
    """(run, program) of each case on logs of our own, or on public ones."""
    cases = {name: case for name, case in CASES.items() if (case.files is None) == public}
    return [(name, kind) for name, case in cases.items() for kind in KINDS if kind == "replay" or case.answered_alike]


@pytest.mark.parametrize(("name", "kind"), kinds(public=False))
def test_what_the_wrapper_concludes(name: str, kind: str, tmp_path: Path) -> None:
    case = CASES[name]
    store = logs(tmp_path, *(case.files or ()))
    conclude(name, kind, case, store, {given: rule(given) for given in case.rules}, tmp_path)


@pytest.mark.parametrize(("name", "kind"), kinds(public=True))
def test_what_the_wrapper_concludes_on_public_logs(
    name: str,
    kind: str,
    sources: Mapping[str, Path],
    sixty_four: tuple[EventStore, dict[str, Rule], set[str]],
    tmp_path: Path,
) -> None:
    case = CASES[name]
    if case.rules == [SIXTY_FOUR]:
        store, rules, not_loaded = sixty_four
        reasons = dict.fromkeys(not_loaded, "unsupported modifiers - windash")
        answers = [{**hunt(name, *rules), "repeated": True}, {**lint("", *rules), "reasons": reasons}]
        case = case._replace(answers=answers, unsupported=dict.fromkeys(not_loaded, WINDASH))
    else:
        _, _, below = run_of("one-rule-one-file")["argv"][5].partition("/")
        store = build([LogRoot(sources["EVTX-ATTACK-SAMPLES"] / below)])
        rules = {given: rule(given) for given in case.rules}
    conclude(name, kind, case, store, rules, tmp_path)


def matched(
    results: Mapping[str, Matches | Unsupported], rules: Mapping[str, Rule], store: EventStore
) -> dict[str, set[tuple[str, int]]]:
    """Title → (file, EventRecordID) of what the rules matched; nothing of those that matched nothing."""
    return {
        title(name) if name in RULES else rules[name].meta.title: records(store, result)
        for name, result in results.items()
        if isinstance(result, Matches) and result
    }


def expected(name: str) -> dict[str, set[tuple[str, int]]]:
    """The recorded matches, with files named as they are in the store."""
    one_file = name.startswith("one-rule-one-file")
    return {
        rule_title: {(Path(path).name if one_file else path.partition("/")[2], record) for path, record in found}
        for rule_title, found in matches_of(name).items()
    }
