"""The engine on recorded runs: rules in, the recorded events out, and what Chainsaw leaves out is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from sigma_env.engines.base import Matches, ReadsLogs, Unsupported
from sigma_env.engines.chainsaw import ChainsawEngine
from sigma_env.engines.chainsaw_binary import find_chainsaw
from sigma_env.errors import EngineError
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule
from tests.engines.chainsaw.recordings import calls, logs, matches_of, real_one, replaying, rule


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)


REAL = find_chainsaw() if real_one() else None


def hunt(run: str, *rules: str) -> dict[str, object]:
    return {"command": "hunt", "rules": rules, "run": run}


def load(run: str, *rules: str) -> dict[str, object]:
    return {"command": "load", "rules": rules, "run": run}


def lint(run: str, *rules: str) -> dict[str, object]:
    return {"command": "lint", "rules": rules, "run": run}


def records(store: EventStore, result: Matches | Unsupported) -> set[tuple[str, int]]:
    assert isinstance(result, Matches), result
    return {(f"inputs/{ref.file}", ref.record_id) for ref in store.refs(result.rows(store))}


class Maker(Protocol):
    def __call__(
        self, folder: Path, answers: Sequence[Mapping[str, Any]], rules: Mapping[str, Rule] | None = None
    ) -> ChainsawEngine: ...


@pytest.fixture(params=["replay", "real"] if real_one() else ["replay"])
def chainsaw(request: pytest.FixtureRequest) -> Maker:
    """Makes the engine on the replaying program and, where there is one, on the real one: it must do the same."""
    if request.param == "replay":
        return replaying
    assert REAL is not None
    program, mapping = REAL.program, REAL.mapping
    return lambda _folder, _answers, _rules=None: ChainsawEngine(program, mapping)


ONE_RULE = [
    ("one-rule-simulated", "certutil", ["sim.evtx"]),
    ("no-match", "never", ["sim.evtx"]),
    ("unknown-logsource", "anylog", ["sim.evtx"]),
    ("truncated-file-skip", "certutil", ["truncated.evtx"]),
    ("bad-chunk-skip", "certutil", ["bad-chunk.evtx"]),
    ("bad-record-skip", "certutil", ["bad-record.evtx"]),
    ("bad-header-skip", "certutil", ["bad-header.evtx", "sim.evtx"]),
    ("empty-file-skip", "certutil", ["empty.evtx", "sim.evtx"]),
    ("cached", "certutil", ["sim.evtx"]),
    ("banner", "never", ["sim.evtx"]),
]


@pytest.mark.parametrize(("run", "name", "files"), ONE_RULE, ids=[one[0] for one in ONE_RULE])
def test_a_rule_matches_the_recorded_events(
    run: str, name: str, files: list[str], chainsaw: Maker, tmp_path: Path
) -> None:
    store = logs(tmp_path, *files)
    engine = chainsaw(tmp_path / "bin", [hunt(run, name)])
    [result] = engine.match([rule(name)], store)
    expected = set().union(*matches_of(run).values())
    assert records(store, result) == expected


def test_what_chainsaw_skips_is_told_once_by_its_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = logs(tmp_path, "bad-header.evtx", "sim.evtx")
    engine = replaying(tmp_path / "bin", [hunt("bad-header-skip", "certutil")])
    run = engine.run([rule("certutil")], store)
    [skipped] = run.skipped
    assert skipped == ("bad-header.evtx", "An error occurred while trying to deserialize evtx stream.")
    with caplog.at_level(logging.WARNING):
        engine.match([rule("certutil")], store)
        engine.match([rule("certutil")], store)
    assert [record.getMessage() for record in caplog.records] == [f"Chainsaw skipped {skipped.file}: {skipped.reason}"]
    assert isinstance(engine, ReadsLogs)
    assert engine.unread == [(skipped.file, None, f"Chainsaw skipped it: {skipped.reason}")]


def test_a_file_is_read_whatever_the_case_of_its_name(chainsaw: Maker, tmp_path: Path) -> None:
    """The real program leaves UPPER.EVTX out; the engine gives it by a name that it takes."""
    logs(tmp_path, "sim.evtx")
    (tmp_path / "inputs" / "sim.evtx").rename(tmp_path / "inputs" / "SIM.EVTX")
    store = build([LogRoot(tmp_path / "inputs")])
    engine = chainsaw(tmp_path / "bin", [hunt("one-rule-simulated", "certutil")])
    [result] = engine.match([rule("certutil")], store)
    assert isinstance(result, Matches)
    assert len(result) == 85
    assert {ref.file for ref in store.refs(result.rows(store))} == {"SIM.EVTX"}


def test_rules_that_have_one_id_are_told_apart(chainsaw: Maker, tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    engine = chainsaw(tmp_path / "bin", [hunt("same-id", "certutil", "cmd")])
    certutil, cmd = engine.match([rule("certutil"), rule("cmd")], store)
    expected = matches_of("same-id")
    assert records(store, certutil) == expected["certutil runs"]
    assert records(store, cmd) == expected["certutil runs again"]


def test_a_batch_is_one_run(tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    engine = replaying(tmp_path / "bin", [hunt("same-id", "certutil", "cmd")])
    engine.match([rule("certutil"), rule("cmd")], store)
    [call] = calls(engine)
    assert call[:5] == ["--no-banner", "--num-threads", "2", "hunt", "logs"]
    assert "--jsonl" in call
    assert "--skip-errors" in call
    assert call[call.index("-m") + 1] == str(engine.chainsaw.mapping)
    assert engine.match([], store) == []
    assert len(calls(engine)) == 1


def test_rules_that_do_not_load_are_named_with_their_reason(chainsaw: Maker, tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    given = ("keyword", "certutil", "windash")
    engine = chainsaw(tmp_path / "bin", [hunt("mixed-rules", *given), lint("lint", *given)])
    keyword, certutil, windash = engine.match([rule(name) for name in given], store)
    assert keyword == Unsupported("Chainsaw: keyless identifiers cannot be converted")
    assert windash == Unsupported("Chainsaw: unsupported modifiers - windash")
    assert records(store, certutil) == matches_of("mixed-rules")["certutil runs"]


def test_a_rule_that_does_not_load_alone_is_unsupported(chainsaw: Maker, tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    engine = chainsaw(tmp_path / "bin", [hunt("unsupported-rule-alone", "windash"), lint("lint", "windash")])
    assert engine.match([rule("windash")], store) == [Unsupported("Chainsaw: unsupported modifiers - windash")]


@pytest.mark.parametrize("run", ["no-rules", "bad-yaml-alone"])
def test_a_rule_that_is_ignored_without_a_word_is_unsupported(run: str, tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    answers = [hunt(run, "certutil"), lint("lint-tau", "certutil"), load(run, "certutil")]
    engine = replaying(tmp_path / "bin", answers)
    [result] = engine.match([rule("certutil")], store)
    assert isinstance(result, Unsupported)
    assert "without giving a reason" in result.reason


def test_a_panic_while_hunting_costs_only_the_rule_that_causes_it(chainsaw: Maker, tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    answers = [
        hunt("panic-hunt", "certutil", "panic_hunt"),
        hunt("panic-hunt", "panic_hunt"),
        hunt("one-rule-simulated", "certutil"),
    ]
    engine = chainsaw(tmp_path / "bin", answers)
    panic, good = engine.match([rule("panic_hunt"), rule("certutil")], store)
    assert isinstance(panic, Unsupported)
    assert panic.reason.startswith("Chainsaw panics on this rule: internal error: entered unreachable code")
    assert records(store, good) == matches_of("one-rule-simulated")["certutil runs"]


def test_a_panic_while_loading_is_traced_without_reading_logs(tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    both = ("panic_load", "certutil")
    answers = [
        hunt("panic-load", *both),
        load("panic-load", *both),
        load("panic-load", "panic_load"),
        load("missing-log-path", "certutil"),
        hunt("one-rule-simulated", "certutil"),
    ]
    engine = replaying(tmp_path / "bin", answers)
    panic, good = engine.match([rule(name) for name in both], store)
    assert isinstance(panic, Unsupported)
    assert "could not build regex" in panic.reason
    assert records(store, good) == matches_of("one-rule-simulated")["certutil runs"]
    assert sum("logs" in call for call in calls(engine)) == 2


FAILURES = {
    "bad-chunk": "ended with exit status 1: Failed to hunt through file",
    "bad-header": "ended with exit status 1: Failed to hunt through file",
    "bad-record": "ended with exit status 1: Failed to hunt through file",
    "missing-log-path": "Specified event log path is invalid",
    "missing-mapping": "Error loading specified mapping file",
    "missing-rules-path": "Specified event log path is invalid",
    "upper-case-extension": "No compatible files were found",
    "no-mapping-argument": r"refused its own command line \(exit status 2\): .*--mapping",
    "quiet": "not with its own summary",
}


@pytest.mark.parametrize("run", FAILURES)
def test_a_failed_run_is_never_an_empty_result(run: str, tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    engine = replaying(tmp_path / "bin", [hunt(run, "certutil")])
    with pytest.raises(EngineError, match=FAILURES[run]):
        engine.match([rule("certutil")], store)


def test_counts_that_do_not_add_up_are_an_error(tmp_path: Path) -> None:
    """The recorded program loaded one rule of two; a lint that has no fault to find explains nothing."""
    store = logs(tmp_path, "sim.evtx")
    given = ("certutil", "cmd")
    answers = [
        hunt("one-rule-simulated", *given),
        lint("lint-tau", *given),
        load("missing-log-path", "certutil"),
        load("missing-log-path", "cmd"),
    ]
    engine = replaying(tmp_path / "bin", answers)
    with pytest.raises(EngineError, match="loaded 1 of 2 rules"):
        engine.match([rule(name) for name in given], store)


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    store = logs(tmp_path, "sim.evtx")
    engine = replaying(tmp_path / "bin", [hunt("one-rule-simulated", "certutil"), hunt("bad-chunk", "cmd")])
    engine.match([rule("certutil")], store)
    with pytest.raises(EngineError):
        engine.match([rule("cmd")], store)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_events_without_log_files_cannot_be_hunted(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    store = EventStore.from_documents([{"EventID": 1, "Channel": "Security"}])
    with pytest.raises(EngineError, match="reads log files itself: it is not known where"):
        engine.match([rule("certutil")], store)


def test_logs_that_have_changed_cannot_be_hunted(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    store = logs(tmp_path, "sim.evtx")
    (tmp_path / "inputs" / "sim.evtx").write_bytes(b"other")
    with pytest.raises(EngineError, match="have changed since they were read"):
        engine.match([rule("certutil")], store)


def test_json_logs_cannot_be_hunted(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"EventID": 1, "Channel": "Security"}), encoding="utf-8")
    with pytest.raises(EngineError, match="reads EVTX files only"):
        engine.match([rule("certutil")], build([LogRoot(path)]))


def test_the_version_is_part_of_the_key_of_truths(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    assert (engine.name, engine.semantics) == ("chainsaw", "chainsaw")
    before = engine.version
    assert before.startswith("2.16.4-")
    engine.chainsaw.mapping.write_text("kind: evtx\n", encoding="utf-8")
    assert ChainsawEngine(engine.chainsaw.program).version != before


def test_sigma_rules_of_one_batch(
    mirror: Path, sixty_four: tuple[EventStore, dict[str, Rule], set[str]], chainsaw: Maker, tmp_path: Path
) -> None:
    store, rules, not_loaded = sixty_four
    reasons = dict.fromkeys(not_loaded, "unsupported modifiers - windash")
    answers = [
        hunt("sixty-four-rules", *rules),
        {"command": "lint", "rules": list(rules), "reasons": reasons},
    ]
    engine = chainsaw(tmp_path / "bin", answers, rules)
    results = dict(zip(rules, engine.match(list(rules.values()), store), strict=True))
    assert {name for name, result in results.items() if isinstance(result, Unsupported)} == not_loaded
    expected = {
        title: {(path.split("/", 1)[1], record) for path, record in found}
        for title, found in matches_of("sixty-four-rules").items()
    }
    found = {
        rules[name].meta.title: {(ref.file, ref.record_id) for ref in store.refs(result.rows(store))}
        for name, result in results.items()
        if isinstance(result, Matches) and result
    }
    assert found == expected
