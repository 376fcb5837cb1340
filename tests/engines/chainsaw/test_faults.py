"""A Chainsaw that misbehaves: an error that says so or, where one rule is at fault, that rule's own reason."""

from __future__ import annotations

import errno
import fcntl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sigma_env.engines import chainsaw_slots
from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.chainsaw import ChainsawEngine
from sigma_env.engines.chainsaw_process import ProcessLimits, run_program
from sigma_env.errors import EngineError
from sigma_env.events.store import EventStore
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from tests.engines.chainsaw.recordings import logs, misbehaving, rule, stdout_of

LINE = stdout_of("one-rule-simulated").splitlines()[0].decode()
MATCH = LINE.replace("inputs/sim.evtx", "logs/0.evtx").replace("certutil runs", "sigma-env rule 0")

SUMMARY = r"""
def summary(rules, found=0):
    print(f"[+] Loaded {rules} detection rules", file=sys.stderr)
    print("[+] Loading forensic artefacts from: logs (extensions: .evtx, .evt)", file=sys.stderr)
    print("[+] Loaded 1 forensic artefacts (516.0 KiB)", file=sys.stderr)
    print(f"\n[+] {found} Detections found on {found} documents", file=sys.stderr)
MATCH = '''@MATCH@'''
""".replace("@MATCH@", MATCH.replace("\\", "\\\\"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EventStore:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return logs(tmp_path, "sim.evtx")


def fails(tmp_path: Path, store: EventStore, text: str, reason: str, **limits: Any) -> None:
    engine = misbehaving(tmp_path / "bin", SUMMARY + text, **limits)
    with pytest.raises(EngineError, match=reason):
        engine.match([rule("certutil")], store)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_scripts_are_fine_but_for_their_fault(tmp_path: Path, store: EventStore) -> None:
    engine = misbehaving(tmp_path / "bin", SUMMARY + "print(MATCH)\nsummary(1, 1)")
    [result] = engine.match([rule("certutil")], store)
    assert isinstance(result, Matches)
    assert [ref.record_id for ref in store.refs(result.rows(store))] == [420]


def test_one_that_hangs_is_stopped_with_its_children(tmp_path: Path, store: EventStore) -> None:
    held = tmp_path / "held"
    child = f"import fcntl, time; f = open({str(held)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(600)"
    text = f"""
import subprocess, time, pathlib
print(MATCH, flush=True)
subprocess.Popen([sys.executable, "-c", {child!r}])
while not pathlib.Path({str(held)!r}).exists():
    time.sleep(0.01)
time.sleep(600)
"""
    fails(tmp_path, store, text, "did not end in time", seconds=3)
    with held.open("w") as file:
        for _ in range(1000):  # what is killed ends soon, but not at once
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.01)
    pytest.fail("a child of the program is still there")


FAULTS = {
    "floods stdout with matches": (
        "while True:\n    print(MATCH)",
        "more than 1,202 lines, which is no possible result",
    ),
    "writes a line without end": (
        "while True:\n    sys.stdout.write(MATCH)",
        "wrote a line of more than 100,000 bytes",
    ),
    "writes garbage": (r"sys.stdout.buffer.write(bytes(range(256)) * 9 + b'\n'); summary(1)", "no match"),
    "writes text": ("print('hello')\nsummary(1, 1)", "no match: 'hello'"),
    "dies in the middle of a line": (
        "import os, signal\nsys.stdout.write(MATCH[:500])\nsys.stdout.flush()\nos.kill(os.getpid(), signal.SIGKILL)",
        "was ended by signal 9",
    ),
    "ends in the middle of a line": ("sys.stdout.write(MATCH[:500])\nsummary(1)", "in the middle of a line"),
    "says nothing": ("sys.exit(0)", "not with its own summary"),
    "counts more matches than it prints": ("print(MATCH)\nsummary(1, 2)", "counts 2 matches, but printed 1"),
    "does not find the logs": (
        "print('[+] Loaded 1 detection rules\\n[+] Loaded 0 forensic artefacts\\n"
        "[+] 0 Detections found on 0 documents', file=sys.stderr)",
        "found 0 of 1 log files",
    ),
    "matches with another rule": (
        "print(MATCH.replace('sigma-env rule 0', 'sigma-env rule 7'))\nsummary(1, 1)",
        "a rule that it was not given: 'sigma-env rule 7'",
    ),
    "matches in another file": (
        "print(MATCH.replace('logs/0.evtx', 'logs/1.evtx'))\nsummary(1, 1)",
        "a log file that it was not given",
    ),
    "matches an event that is not there": (
        "print(MATCH.replace('\"EventRecordID\":420', '\"EventRecordID\":9420'))\nsummary(1, 1)",
        "an event of sim.evtx that the store does not have",
    ),
    "ends with a status of its own": ("sys.exit(77)", "ended with exit status 77: it said nothing"),
    "fills the disk": (
        "print('[x] No space left on device (os error 28)', file=sys.stderr)\nsys.exit(1)",
        "No space left on device",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that(fault: str, tmp_path: Path, store: EventStore) -> None:
    text, reason = FAULTS[fault]
    fails(tmp_path, store, text, reason, line_bytes=100_000, seconds=60)


def test_stderr_without_end_is_not_kept(tmp_path: Path) -> None:
    limits = ProcessLimits(stderr_head=1000, stderr_tail=1000)
    code = "import sys\nfor i in range(100_000): print('x' * 99, file=sys.stderr)\nprint('the end', file=sys.stderr)"
    done = run_program([sys.executable, "-c", code], tmp_path, time.monotonic() + 60, print, limits)
    assert len(done.stderr) <= 2001
    assert done.stderr.endswith("the end\n")
    assert done.stderr_lost == 100_000 * 100 + len("the end\n") - 2000


def test_more_messages_than_can_be_kept_are_told(tmp_path: Path, store: EventStore) -> None:
    """Beginning and end of stderr, where Chainsaw's counts stand, are kept, so the run counts."""
    text = """
for line in ("Loaded 1 detection rules", "Loading forensic artefacts from: logs", "Loaded 1 forensic artefacts"):
    print(f"[+] {line}", file=sys.stderr)
for number in range(5_000):
    print(f"[!] failed to parse document 'logs/0.evtx' - Failed to parse record number {number}", file=sys.stderr)
print("[+] 0 Detections found on 0 documents", file=sys.stderr)
"""
    engine = misbehaving(tmp_path / "bin", text, stderr_head=1_000, stderr_tail=500)
    run = engine.run([rule("certutil")], store)
    assert run.results == [Matches({})]
    assert ("sim.evtx", "Failed to parse record number 3") in run.skipped
    [told] = [skipped.reason for skipped in run.skipped if "more than can be listed" in skipped.reason]
    assert "bytes of messages" in told


def marked(number: int) -> Rule:
    return parse_rule(
        {
            "logsource": {"product": "windows", "category": "process_creation"},
            "detection": {"sel": {"Image": f"number {number}"}, "condition": "sel"},
        }
    )


def test_a_panic_on_one_of_64_rules_costs_only_that_rule(tmp_path: Path, store: EventStore) -> None:
    text = """
import pathlib
rules = list(pathlib.Path(sys.argv[sys.argv.index("-s") + 1]).glob("*.yml"))
with open(pathlib.Path(sys.argv[0]).with_name("runs"), "a") as runs:
    runs.write(".")
if any('"number 37"' in path.read_text() for path in rules):
    summary(len(rules))
    print("\\nthread 'main' (1) panicked at x.rs:1:2:\\nfor number 37\\nnote: run with", file=sys.stderr)
    sys.exit(101)
summary(len(rules))
"""
    engine = misbehaving(tmp_path / "bin", SUMMARY + text)
    results = engine.match([marked(number) for number in range(64)], store)
    assert results[37] == Unsupported("Chainsaw panics on this rule: for number 37 (x.rs:1:2)")
    assert [result for place, result in enumerate(results) if place != 37] == [Matches({})] * 63
    assert len((tmp_path / "bin" / "runs").read_text()) == 13  # all, and both halves of six lists with the rule


def test_a_crash_is_no_rule_s_fault(tmp_path: Path, store: EventStore) -> None:
    """A rule that the program dies of in another way than a panic has no result: it may be the machine's fault."""
    fails(tmp_path, store, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "was ended by signal 11")


def test_a_full_disk_is_an_error_that_names_the_remedy(
    tmp_path: Path, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = misbehaving(tmp_path / "bin", SUMMARY)

    def full(path: Path, *_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(EngineError, match=r"0\.yml: No space left on device; .*TMPDIR"):
            engine.match([rule("certutil")], store)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_program_that_is_gone_is_an_error(tmp_path: Path, store: EventStore) -> None:
    engine = misbehaving(tmp_path / "bin", SUMMARY)
    engine.chainsaw.program.unlink()
    with pytest.raises(EngineError, match="cannot be started: No such file"):
        engine.match([rule("certutil")], store)


def taking_turns(tmp_path: Path) -> ChainsawEngine:
    """An engine whose program fails if another one runs."""
    alone = str(tmp_path / "alone")
    text = f"import os, time\nos.mkdir({alone!r})\ntime.sleep(0.02)\nsummary(1)\nos.rmdir({alone!r})"
    return misbehaving(tmp_path / "bin", SUMMARY + text)


def test_only_so_many_threads_run_it_at_a_time(
    tmp_path: Path, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainsaw_slots, "_here", threading.BoundedSemaphore(1))
    engine = taking_turns(tmp_path)
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda _: engine.match([rule("certutil")], store), range(5)))
    assert results == [[Matches({})]] * 5


def test_only_so_many_processes_run_it_at_a_time(
    tmp_path: Path, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a count in the process, the threads stand for processes: a file lock of each is its own."""
    monkeypatch.setattr(chainsaw_slots, "SLOTS", 1)
    monkeypatch.setattr(chainsaw_slots, "_here", threading.BoundedSemaphore(9))
    engine = taking_turns(tmp_path)
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda _: engine.match([rule("certutil")], store), range(5)))
    assert results == [[Matches({})]] * 5


def test_a_cache_that_cannot_be_written_is_no_hindrance(
    tmp_path: Path, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Path:
        raise PermissionError(13, "Permission denied", "locks")

    monkeypatch.setattr(chainsaw_slots, "locks_dir", refuse)
    assert taking_turns(tmp_path).match([rule("certutil")], store) == [Matches({})]
