"""Datasets whose events are simulated: from a user's rules to tasks that decide."""

import json
from pathlib import Path

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE, simulated_dir
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import DatasetError
from sigma_env.scoring.scorer import Scorer
from sigma_env.scoring.validate import validate
from sigma_env.sigma.rewrite import fenced
from sigma_env.simulation.labels import read_labels
from sigma_env.simulation.requests import PERSONAS
from sigma_env.tasks.build import private_candidates
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.derive import with_few_for_training
from sigma_env.tasks.folder import LEFT_OUT, TASKS, dataset_folder
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.simulated import build_simulated
from tests.small import EVENTS, RULES

MANY = "\n".join(f"              - '\\tool{n}.exe'" for n in range(60))
MORE = {
    "many": f"""\
        title: One of many tools
        logsource: {{category: process_creation, product: windows}}
        detection:
          selection:
            Image|endswith:
{MANY}
            CommandLine|contains: ' --upload '
          condition: selection
        """,
    "impossible": """\
        title: A field that no event has
        logsource: {category: process_creation, product: windows}
        detection: {selection: {Moonphase: full}, condition: selection}
        """,
}
SEED = 3


def rules_in(folder: Path) -> Path:
    folder.mkdir()
    for name, text in {**RULES, **MORE}.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the dataset `made`, built of the small dataset's rules."""
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder / "cache"))
        build_simulated("made", private_candidates("made", [rules_in(folder / "rules")]), seed=SEED)
    return folder


@pytest.fixture
def made(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv(CACHE_VARIABLE, str(cache / "cache"))
    return load_dataset("made")


def test_every_rule_that_can_be_satisfied_is_a_task(made: Dataset) -> None:
    assert len(made.tasks) == len(RULES) + 1
    assert made.manifest.left_out == {"unsatisfiable: schema": 1}
    assert "impossible.yml" in (dataset_folder("made") / LEFT_OUT).read_text()
    assert {task.persona for task in made.tasks} <= set(PERSONAS)


def test_references_their_equivalents_and_their_disclosed_parts_earn_the_maximum(made: Dataset) -> None:
    scorer = Scorer(made)
    assert [checked.failures for checked in validate(scorer, made.tasks) if checked.failures] == []
    cut = [task for task in made.tasks if task.disclosed]
    assert [task.source for task in cut] == ["made:many.yml"]
    assert scorer.score(cut[0], fenced(cut[0].disclosed)).reward == 1.1


def test_what_is_not_disclosed_is_not_scored(made: Dataset) -> None:
    many = next(task for task in made.tasks if task.disclosed)
    assert many.coverage < 1
    told = [n for n in range(60) if f"\\tool{n}.exe" in many.request]
    assert 1 <= len(told) <= 24
    missing = many.reference.replace(f"'\\tool{told[0]}.exe'", "'\\other.exe'")
    assert missing != many.reference
    assert Scorer(made).score(many, fenced(missing)).components["iou"] < 1


def test_only_events_that_were_made_for_a_task_are_scored_as_true(made: Dataset) -> None:
    engine = NativeEngine()
    ids = {label.rule_id for label in read_labels(simulated_dir() / "made") if label.role == "positive"}
    assert len(ids) == len(made.tasks)
    for task in made.tasks:
        assert 3 <= len(made.truth(task, engine).scored) <= 30


def test_a_dropped_line_costs_a_quarter(made: Dataset) -> None:
    whoami = next(task for task in made.tasks if task.source.endswith("whoami.yml"))
    for sloppy in ("selection", "filter"):
        answer = fenced(whoami.reference.replace("condition: selection and not filter", f"condition: {sloppy}"))
        assert Scorer(made).score(whoami, answer).components["iou"] <= 0.75


def test_one_seed_makes_one_dataset(
    made: Dataset, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    again = build_simulated("made", private_candidates("made", [cache / "rules"]), seed=SEED)
    assert again == made.manifest
    assert load_dataset("made").tasks == made.tasks
    assert (tmp_path / "datasets/made" / TASKS).read_bytes() == (cache / "cache/datasets/made" / TASKS).read_bytes()
    other = build_simulated("made", private_candidates("made", [cache / "rules"]), seed=SEED + 1)
    assert other.store.fingerprint != again.store.fingerprint


def test_few_for_training_are_the_same_tasks_on_the_same_events(made: Dataset) -> None:
    manifest = with_few_for_training("few", made, 3)
    few = load_dataset("few")
    assert manifest.splits["train"] == 3
    assert [task.id for task in few.tasks] == [task.id for task in made.tasks]
    engine = NativeEngine()
    for task in few.tasks:
        assert few.truth(task, engine) == made.truth(made.task(task.id), engine)
    with pytest.raises(DatasetError, match="few2: 99 tasks"):
        with_few_for_training("few2", made, 99)


def test_real_logs_stay_beside_simulated_ones(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in EVENTS), encoding="utf-8")
    build_simulated("both", private_candidates("both", [cache / "rules" / "whoami.yml"]), logs=[path], seed=SEED)
    both = load_dataset("both")
    [task] = both.tasks
    scored = both.truth(task, NativeEngine()).scored
    files = {both.store.ref(row).file for row in scored.rows(both.store).tolist()}
    assert any(file.startswith("real/") for file in files)
    assert any(not file.startswith("real/") for file in files)
    assert Scorer(both).score(task, reference_answer(task)).reward == 1.1
