"""The native engine with Chainsaw's meaning does what the real program was recorded to do."""

import gzip
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sigma_env.corpora.blobs import load_blobs
from sigma_env.corpora.catalogue import catalogue
from sigma_env.engines.native import NativeEngine
from sigma_env.engines.rule_cache import load_rules
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.switches import CHAINSAW
from tests.engines.chainsaw.recordings import INPUTS, logs, matches_of, records
from tests.engines.recorded import FOLDER, Outcome, outcome_of, recordings, run_loaded
from tests.real import Real

CASES = recordings("cases")
GENERATED = recordings("generated")
SIGMAHQ = recordings("sigmahq")
RANDOM = "gen-00872"
"""Its columns tie under a `not`: the program itself gives one of several results, chosen by chance."""
GROUP = 90
LOGS = sorted(path for source in catalogue().sources for path in load_blobs(source) if path.endswith(".evtx"))
"""Every log file of the sources."""
NOTHING: frozenset[tuple[str, int]] = frozenset()


@pytest.fixture(scope="module")
def engine() -> NativeEngine:
    return NativeEngine("chainsaw")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']}-{case['why']}")
def test_the_cases(case: dict[str, Any], engine: NativeEngine) -> None:
    store = EventStore.from_documents(case["events"])
    ended = outcome_of(engine, case["rule"], store)
    assert case["outcome"].startswith(ended.outcome) or case["outcome"].lower().startswith(ended.outcome)
    if case["expected"] is not None:
        assert sorted(ref.position for ref in store.refs(ended.matches.rows(store))) == case["expected"]


@pytest.fixture(scope="module")
def generated_store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    folder = tmp_path_factory.mktemp("generated")
    (folder / "events.evtx").write_bytes(gzip.decompress((FOLDER / "generated-events.evtx.gz").read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGMA_ENV_CACHE", str(folder / "cache"))
        return build([LogRoot(folder)])


def test_there_are_as_many_recordings_as_were_made() -> None:
    assert (len(CASES), len(GENERATED), len(SIGMAHQ)) == (43, 2_970, 1_461)


@pytest.mark.parametrize("first", range(0, len(GENERATED), GROUP))
def test_generated_rules(first: int, engine: NativeEngine, generated_store: EventStore) -> None:
    wrong = {}
    for recorded in GENERATED[first : first + GROUP]:
        ended = outcome_of(engine, recorded["rule"], generated_store)
        matched = sorted(ref.record_id for ref in generated_store.refs(ended.matches.rows(generated_store)))
        if recorded["id"] == RANDOM:
            continue
        if ended.outcome != recorded["outcome"] or matched != sorted(recorded["expected"] or ()):
            wrong[recorded["id"]] = (recorded["outcome"], recorded["expected"], ended.outcome, ended.reason, matched)
    assert wrong == {}


def test_a_rule_whose_result_is_chance_says_so(engine: NativeEngine, generated_store: EventStore) -> None:
    (recorded,) = (one for one in GENERATED if one["id"] == RANDOM)
    ended = outcome_of(engine, recorded["rule"], generated_store)
    assert ended.outcome == "not run"
    assert "Chainsaw's own result is random: User, ParentImage" in (ended.reason or "")


OWN_LOGS = {
    "bad-record-skip": ("one", "bad-record.evtx"),
    "count-rule": ("count", "sim.evtx"),
    "mixed-rules": ("mixed", "sim.evtx"),
    "no-match": ("none", "sim.evtx"),
    "one-rule-simulated": ("one", "sim.evtx"),
    "panic-hunt": ("panic-hunt", "sim.evtx"),
    "same-id": ("same-id", "sim.evtx"),
    "truncated-file": ("one", "truncated.evtx"),
    "unknown-logsource": ("anylog", "sim.evtx"),
    "unsupported-rule-alone": ("unsupported", "sim.evtx"),
}


@pytest.mark.parametrize("name", OWN_LOGS)
def test_recorded_runs_on_logs_of_our_own(
    name: str, engine: NativeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    rules, log = OWN_LOGS[name]
    store = logs(tmp_path, log)
    found = {
        one.meta.title: {(f"inputs/{file}", record) for file, record in records(store, ended.matches)}
        for one in load_rules([INPUTS / rules], CHAINSAW)
        if (ended := run_loaded(engine, one, store)).matches
    }
    # The program lost the other rule with the one that panics, and found its matches without it.
    assert found == matches_of("one-rule-simulated" if name == "panic-hunt" else name)


@pytest.fixture(scope="module")
def sigmahq(real: Real, engine: NativeEngine) -> Mapping[str, Outcome]:
    """Outcome by path of the rule file, of every recorded rule on all logs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGMA_ENV_CACHE", str(real.cache))
        loaded = {one.path: one for one in load_rules([real.sigma], CHAINSAW)}
    return {
        recorded["path"]: run_loaded(engine, loaded[real.sigma / recorded["path"]], real.store) for recorded in SIGMAHQ
    }


class Hits(NamedTuple):
    """What is matched: the (file, EventRecordID) of each rule, by its path, and the (rule, EventRecordID) of each file.

    Recordings name every file of the sources, the store one of those with equal content: so it is called here.
    """

    of_rule: Mapping[str, frozenset[tuple[str, int]]]
    of_log: Mapping[str, frozenset[tuple[str, int]]]


def hits(found: Iterable[tuple[str, str, int]]) -> Hits:
    of_rule: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    of_log: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for rule, log, record in found:
        of_rule[rule].add((log, record))
        of_log[log].add((rule, record))
    return Hits(*({key: frozenset(values) for key, values in one.items()} for one in (of_rule, of_log)))


@pytest.fixture(scope="module")
def stored_names(real: Real) -> Mapping[str, str]:
    """The name in the store of each log file, by every name that its content has."""
    return {name: file.name for file in real.store.files for name in (file.name, *file.aliases)}


@pytest.fixture(scope="module")
def matched(real: Real, sigmahq: Mapping[str, Outcome]) -> Hits:
    refs, files = real.store.refs_table, real.store.files
    return hits(
        (path, files[refs.file[row]].name, int(refs.record_id[row]))
        for path, ended in sigmahq.items()
        for row in ended.matches.rows(real.store)
    )


@pytest.fixture(scope="module")
def expected(stored_names: Mapping[str, str]) -> Hits:
    return hits(
        (recorded["path"], stored_names[log.partition("/")[2]], record)
        for recorded in SIGMAHQ
        for log, record in recorded["matches"] or ()
    )


def differences(
    found: frozenset[tuple[str, int]], wanted: frozenset[tuple[str, int]]
) -> dict[str, dict[str, list[int]]]:
    """The records that are missing and too many, by log file or rule; empty if there are none."""
    told: dict[str, dict[str, list[int]]] = {}
    for what, pairs in (("missing", wanted - found), ("too many", found - wanted)):
        for name, record in sorted(pairs):
            told.setdefault(name, {}).setdefault(what, []).append(record)
    return told


def test_a_difference_names_rule_log_and_records() -> None:
    found = hits([("r", "a.evtx", 1), ("r", "a.evtx", 2), ("r", "b.evtx", 5)])
    wanted = hits([("r", "a.evtx", 2), ("r", "a.evtx", 3), ("q", "b.evtx", 5), ("r", "b.evtx", 5)])
    assert differences(found.of_rule["r"], wanted.of_rule["r"]) == {"a.evtx": {"missing": [3], "too many": [1]}}
    assert differences(found.of_log["b.evtx"], wanted.of_log["b.evtx"]) == {"q": {"missing": [5]}}


@pytest.mark.parametrize("recorded", SIGMAHQ, ids=lambda recorded: Path(recorded["path"]).name)
def test_a_sigmahq_rule_on_all_logs(
    recorded: dict[str, Any], sigmahq: Mapping[str, Outcome], matched: Hits, expected: Hits
) -> None:
    path = recorded["path"]
    ended = sigmahq[path]
    assert ended.outcome == ("evaluated" if recorded["outcome"] == "ran" else recorded["outcome"]), ended.reason
    assert differences(matched.of_rule.get(path, NOTHING), expected.of_rule.get(path, NOTHING)) == {}


@pytest.mark.parametrize("log", LOGS)
def test_all_sigmahq_rules_on_a_log(log: str, stored_names: Mapping[str, str], matched: Hits, expected: Hits) -> None:
    name = stored_names[log]
    assert differences(matched.of_log.get(name, NOTHING), expected.of_log.get(name, NOTHING)) == {}


def test_every_log_file_is_a_case(stored_names: Mapping[str, str], expected: Hits) -> None:
    assert set(LOGS) == set(stored_names)
    assert len(LOGS) == 1_072
    assert sum(map(len, expected.of_log.values())) == 1_366


def test_sigmahq_reasons(sigmahq: Mapping[str, Outcome]) -> None:
    """Why a rule does not load is said in the program's words, as far as they are not names of its own source."""
    for recorded in SIGMAHQ:
        if recorded["reason"]:
            said = sigmahq[recorded["path"]].reason or ""
            assert said[:60] == recorded["reason"][:60]
