"""Every recorded run, read: the reports and matches that the real program printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sigma_env.engines.chainsaw_output import Skipped, parse_line, parse_lint, parse_panic, parse_report
from sigma_env.errors import EngineError
from tests.engines.chainsaw.recordings import names, run_of, stderr_of, stdout_of

DESERIALIZE = "An error occurred while trying to deserialize evtx stream."
NO_RULES = {"error": "No valid detection rules were found in the provided paths"}

REPORTS: dict[str, dict[str, Any]] = {
    "bad-chunk": {"rules": 1, "files": 1, "error": "Failed to hunt through file 'inputs/bad-chunk.evtx' "},
    "bad-chunk-skip": {"found": 73, "skipped": [("inputs/bad-chunk.evtx", "Failed to parse chunk number 1")]},
    "bad-header": {"rules": 1, "files": 1, "error": "Failed to hunt through file 'inputs/bad-header.evtx' "},
    "bad-header-skip": {"files": 2, "found": 85, "skipped": [("inputs/bad-header.evtx", DESERIALIZE)]},
    "bad-record": {"rules": 1, "files": 1, "error": "Failed to hunt through file 'inputs/bad-record.evtx' "},
    "bad-record-skip": {"found": 85, "skipped": [("inputs/bad-record.evtx", "Failed to parse record number 85")]},
    "bad-yaml-alone": NO_RULES,
    "banner": {"rules": 1, "files": 1, "found": 0},
    "cached": {"found": 85},
    "count-rule": {"found": 5},
    "empty-file-skip": {"files": 2, "found": 85, "skipped": [("inputs/empty.evtx", DESERIALIZE)]},
    "missing-log-path": {"rules": 1, "files": None, "error": "Specified event log path is invalid - inputs/none.evtx"},
    "missing-log-path-skip": {"found": 85, "skipped": [("inputs/none.evtx", "the path does not exist")]},
    "missing-mapping": {"rules": 1, "error": "Error loading specified mapping file - No such file or directory"},
    "missing-rules-path": {"rules": None, "error": "Specified event log path is invalid - inputs/no-such-rules"},
    "mixed-rules": {"rules": 1, "not_loaded": 5, "found": 85},
    "no-mapping-argument": {"rules": None, "files": None, "found": None, "error": None},
    "no-match": {"rules": 1, "found": 0},
    "no-match-json": {"rules": 1, "found": 0},
    "no-rules": NO_RULES,
    "one-rule-one-file": {"rules": 1, "found": 1},
    "one-rule-one-file-json": {"rules": 1, "found": 1},
    "one-rule-simulated": {"rules": 1, "not_loaded": 0, "files": 1, "found": 85, "skipped": [], "panic": None},
    "panic-hunt": {"rules": 2, "found": None, "hunting": True, "panic": "internal error: entered unreachable code "},
    "panic-load": {"rules": None, "hunting": False, "panic": "could not build regex: Syntax( regex parse error: foo"},
    "quiet": {"rules": None, "files": None, "found": None, "error": None},
    "same-id": {"rules": 2, "found": 600},
    "sixty-four-rules": {"rules": 62, "not_loaded": 2, "files": 277, "found": 179},
    "truncated-file": {"found": 11, "skipped": []},
    "truncated-file-skip": {"found": 11, "skipped": []},
    "unknown-logsource": {"found": 600},
    "unsupported-rule-alone": NO_RULES,
    "upper-case-extension": {"rules": 1, "error": "No compatible files were found in the provided paths"},
}


def test_every_recorded_hunt_is_here() -> None:
    assert sorted(REPORTS) == [name for name in names() if "hunt" in run_of(name)["argv"]]


@pytest.mark.parametrize("name", REPORTS)
def test_the_report_is_the_recorded_one(name: str) -> None:
    report = parse_report(stderr_of(name))._asdict()
    for field, expected in REPORTS[name].items():
        if field in ("error", "panic") and expected is not None:
            assert report[field].startswith(expected)
        elif field == "skipped":
            assert report[field] == tuple(Skipped(*one) for one in expected)
        else:
            assert report[field] == expected, field
    assert (report["panic"] is None) == (run_of(name)["exit"] != 101)
    if run_of(name)["exit"] == 1:
        assert report["error"]


@pytest.mark.parametrize("name", [name for name in REPORTS if "--jsonl" in run_of(name)["argv"] and name != "quiet"])
def test_there_are_as_many_matches_as_chainsaw_counts(name: str) -> None:
    found = [parse_line(line) for line in stdout_of(name).splitlines()]
    assert len(found) == (parse_report(stderr_of(name)).found or 0)
    for detection in found:
        assert detection.title
        assert all("System" in document["Event"] for _, document in detection.documents)


def test_a_count_is_a_match_of_several_events() -> None:
    counts = [len(parse_line(line).documents) for line in stdout_of("count-rule").splitlines()]
    assert len(counts) == 5
    assert min(counts) > 1


def test_lint_names_each_rule_that_does_not_load() -> None:
    assert parse_lint(stderr_of("lint")) == {
        "keyword.yml": "keyless identifiers cannot be converted",
        "windash.yml": "unsupported modifiers - windash",
        "notes.txt": "rule must have a yaml file extension",
        "nodet.yml": "failed to parse sigma rule",
        "nodesc.yml": "failed to parse sigma rule",
    }
    assert parse_lint(stderr_of("lint-tau")) == {}


def test_a_reason_of_several_lines_is_read_whole() -> None:
    text = "[!] /1.yml: failed to parse identifier Syntax(\n~~~~~~~~~~\n  a(\n)\n[!] \\2.yml: b\n[+] Validated 0\n"
    assert parse_lint(text) == {"1.yml": "failed to parse identifier Syntax( a( )", "2.yml": "b"}


def test_a_panic_of_lint_is_told() -> None:
    assert str(parse_panic(stderr_of("lint-panic"))).startswith("could not build regex: ")
    assert parse_panic("thread panicked") is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"kind": "individual", "name": "x"}',
        b'{"kind": "individual", "name": "x", "document": 3}',
        b'{"kind": "individual", "name": "x", "document": {"path": 3, "data": {}}}',
        b'{"kind": "individual", "name": "x", "document": {"path": "a", "data": []}}',
        b'{"kind": "aggregate", "name": "x", "documents": null}',
        json.dumps({"kind": "individual", "name": "x", "document": {"path": "a"}}).encode()[:-5],
    ],
)
def test_what_is_no_match_is_an_error(line: bytes) -> None:
    with pytest.raises(EngineError, match="no match"):
        parse_line(line)
