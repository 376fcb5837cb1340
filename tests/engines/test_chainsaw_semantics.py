"""The native engine with Chainsaw's meaning does what the real program was recorded to do."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sigma_env.engines.native import NativeEngine
from sigma_env.engines.rule_cache import load_rules
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.switches import CHAINSAW
from tests.engines.recorded import FOLDER, Outcome, outcome_of, recordings, run_loaded
from tests.real import Real

CASES = recordings("cases")
GENERATED = recordings("generated")
SIGMAHQ = recordings("sigmahq")
RANDOM = "gen-00872"
"""Its columns tie under a `not`: the program itself gives one of several results, chosen by chance."""
GROUP = 90


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


@pytest.fixture(scope="module")
def sigmahq(real: Real, engine: NativeEngine) -> Mapping[str, Outcome]:
    """Outcome by path of the rule file, of every recorded rule on all logs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGMA_ENV_CACHE", str(real.cache))
        loaded = {one.path: one for one in load_rules([real.sigma], CHAINSAW)}
    return {
        recorded["path"]: run_loaded(engine, loaded[real.sigma / recorded["path"]], real.store) for recorded in SIGMAHQ
    }


@pytest.fixture(scope="module")
def file_numbers(real: Real) -> Mapping[str, int]:
    """Number of the stored file by each name that its content has."""
    return {name: i for i, file in enumerate(real.store.files) for name in (file.name, *file.aliases)}


@pytest.mark.parametrize("recorded", SIGMAHQ, ids=lambda recorded: Path(recorded["path"]).name)
def test_sigmahq(
    recorded: dict[str, Any], real: Real, sigmahq: Mapping[str, Outcome], file_numbers: Mapping[str, int]
) -> None:
    """Recordings name every file of the sources, the store one of those with equal content."""
    ended = sigmahq[recorded["path"]]
    assert ended.outcome == ("evaluated" if recorded["outcome"] == "ran" else recorded["outcome"]), ended.reason
    refs = real.store.refs_table
    matched = {(int(refs.file[row]), int(refs.record_id[row])) for row in ended.matches.rows(real.store)}
    expected = {(file_numbers[file.partition("/")[2]], record_id) for file, record_id in recorded["matches"] or ()}
    names = [file.name for file in real.store.files]
    assert {(names[file], number) for file, number in matched} == {(names[file], number) for file, number in expected}


def test_sigmahq_reasons(sigmahq: Mapping[str, Outcome]) -> None:
    """Why a rule does not load is said in the program's words, as far as they are not names of its own source."""
    for recorded in SIGMAHQ:
        if recorded["reason"]:
            said = sigmahq[recorded["path"]].reason or ""
            assert said[:60] == recorded["reason"][:60]
