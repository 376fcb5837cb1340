"""The engine on recorded runs: rules in, the recorded events out, and what Chainsaw leaves out is told."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from sigma_env.engines.base import Matches, ReadsLogs, Unsupported
from sigma_env.engines.chainsaw import ChainsawEngine
from sigma_env.errors import EngineError
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from tests.engines.chainsaw.recordings import Maker, calls, hunt, lint, load, logs, replaying, rule

pytestmark = pytest.mark.usefixtures("empty_machine")


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
    assert isinstance(good, Matches)
    assert sum("logs" in call for call in calls(engine)) == 2


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
