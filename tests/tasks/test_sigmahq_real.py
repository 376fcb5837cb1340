"""`sigmahq-real` from the pinned sources, as a user gets it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.corpora.sources import MIRROR_VARIABLE
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import SourceError
from sigma_env.sigma.answer import parse_answer
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.equivalents import equivalents
from sigma_env.tasks.leakage import leakage
from sigma_env.tasks.messages import messages, prompt_text
from sigma_env.tasks.reference import reference_answer, reference_rule
from sigma_env.tasks.sigmahq import build_sigmahq_real


@pytest.fixture(scope="module")
def real(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("real")))
        patch.setenv(MIRROR_VARIABLE, str(mirror))
        build_sigmahq_real()
        yield load_dataset("sigmahq-real")


def test_every_rule_is_a_task_or_is_counted_with_the_reason(real: Dataset) -> None:
    manifest = real.manifest
    assert manifest.rules_read == 2858
    assert manifest.tasks + sum(manifest.left_out.values()) == 2858
    assert manifest.tasks == len(real.tasks) >= 670
    assert manifest.left_out["unsupported"] == 2
    assert sum(manifest.splits.values()) == manifest.tasks
    assert {source.name for source in manifest.sources} == {"sigma", "EVTX-ATTACK-SAMPLES", "hayabusa-sample-evtx"}
    assert manifest.store.events == real.store.n_events == 25298


def test_tasks_keep_author_licence_and_source(real: Dataset) -> None:
    assert all(task.author and task.source.startswith("sigma:rules") for task in real.tasks)
    assert {task.licence for task in real.tasks} == {"Detection Rule License 1.1"}
    assert len({task.id for task in real.tasks}) == len(real.tasks)


def test_no_prompt_holds_a_reference(real: Dataset) -> None:
    for task in real.tasks:
        said = task.request
        assert prompt_text(messages(task)).endswith(said)
        assert "condition:" not in said
        assert "http://" not in said
        assert "https://" not in said
        for name, definition in reference_rule(task).document["detection"].items():
            keys = [definition] if isinstance(definition, dict) else definition if isinstance(definition, list) else []
            written = [key for lines in keys if isinstance(lines, dict) for key in lines if "|" in str(key)]
            assert not any(key in said for key in written), (task.source, name)


def test_every_reference_is_an_answer_with_the_truth_of_its_task(real: Dataset) -> None:
    engine = NativeEngine()
    for task in real.tasks:
        answer = parse_answer(reference_answer(task))
        assert answer.status == "ok"
        assert answer.rule is not None
        truth = real.truth(task, engine)
        assert engine.match([answer.rule], real.store) == [truth.true]
        assert truth.scored


def test_equivalents_have_the_truth_too(real: Dataset) -> None:
    engine = NativeEngine()
    for task in real.tasks[::12]:
        answers = equivalents(task)
        assert len(answers) >= 10
        for name, text in answers:
            answer = parse_answer(text)
            assert answer.rule is not None, (task.source, name, answer.reason)
            assert engine.match([answer.rule], real.store) == [real.truth(task, engine).true], (task.source, name)


def test_no_near_tasks_stand_on_two_sides(real: Dataset) -> None:
    assert leakage(real, NativeEngine()) == []
    shares = Counter(task.split for task in real.tasks)
    assert 0.6 < shares["train"] / len(real.tasks) < 0.8
    assert min(shares["validation"], shares["test"]) > 40


def test_events_without_a_parent_decide_no_task_about_parents(real: Dataset) -> None:
    engine = NativeEngine()
    old = [p for p in real.store.by_channel("Security") if p.event_id == 4688]
    undecided = 0
    for task in real.tasks:
        truth = real.truth(task, engine)
        undecided += sum(
            (truth.ignored.bits.get(p.index, 0) & truth.true.bits.get(p.index, 0)).bit_count() for p in old
        )
    assert undecided > 0


def test_without_the_sources_the_error_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    with pytest.raises(SourceError, match="sigma-env fetch"):
        build_sigmahq_real()
