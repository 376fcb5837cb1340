"""One scorer: what an answer earns, whoever asks for it."""

import pickle
from collections.abc import Sequence
from typing import Any

import pytest

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.env import SigmaRuleEnv
from sigma_env.errors import DatasetError, EngineError, OptionError
from sigma_env.events.store import EventStore
from sigma_env.scoring.options import DEFAULT_WEIGHTS
from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer, score_rule
from sigma_env.scoring.yardstick import Yardstick, measure
from sigma_env.sigma.answer import STATUSES
from sigma_env.sigma.rule import Rule
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.equivalents import equivalents
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task
from sigma_env.vector import SigmaRuleVectorEnv
from tests.scoring.answers import ANSWERS
from tests.scoring.rules import SYSMON, rule, select
from tests.small import EVENTS, NAME


@pytest.fixture
def scorer(small: Dataset) -> Scorer:
    return Scorer(small)


@pytest.fixture
def whoami(small: Dataset) -> Task:
    return next(task for task in small.tasks if task.source.endswith("whoami.yml"))


def test_every_reference_and_every_equivalent_earns_exactly_the_maximum(scorer: Scorer, small: Dataset) -> None:
    assert scorer.max_reward == 1.1
    for task in small.tasks:
        texts = [reference_answer(task), *(text for _, text in equivalents(task))]
        assert len(texts) > 10
        for score in scorer.score_batch([(task, text) for text in texts]):
            assert (score.reward, score.status, score.fp, score.fn) == (1.1, "ok", 0, 0)
            assert score.tp >= 1


WHAT_EACH_EARNS = {
    "right": ("ok", 1, 1, 1),
    "no filter": ("ok", 1, 1, 2 / 3),
    "half": ("ok", 1, 1, 1 / 2),
    "everything": ("ok", 1, 0, 2 / len(EVENTS)),
    "whole category": ("ok", 1, 1, 2 / 7),
    "other place": ("ok", 1, 0, 0),
    "unknown place": ("ok", 1, 0, 0),
    "nothing": ("ok", 1, 1, 0),
    "aggregation": ("unsupported", 1, 1, 0),
    "correlation": ("unsupported", 1, 0, 0),
    "empty": ("no_rule", 0, 0, 0),
    "prose": ("no_rule", 0, 0, 0),
    "open thought": ("no_rule", 0, 0, 0),
    "two mappings": ("bad_yaml", 0, 0, 0),
    "alias": ("bad_yaml", 0, 0, 0),
    "no condition": ("invalid_rule", 0, 0, 0),
    "empty list": ("invalid_rule", 0, 0, 0),
    "look-ahead": ("invalid_rule", 0, 0, 0),
    "huge": ("too_complex", 0, 0, 0),
    "surrogate": ("bad_yaml", 0, 0, 0),
    "control": ("ok", 1, 1, 0),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_what_an_answer_earns(scorer: Scorer, whoami: Task, name: str) -> None:
    score = scorer.score(whoami, ANSWERS[name])
    status, valid, logsource, iou = WHAT_EACH_EARNS[name]
    assert score.status == status
    assert score.components == {"yaml_valid": valid, "logsource_correct": logsource, "iou": iou}
    assert score.reward == pytest.approx(0.1 * valid + 0.3 * logsource + 0.7 * iou, abs=1e-12)
    assert score.tp + score.fn == 2
    assert (score.status == "ok") or score.reason


def test_counts_are_of_events(scorer: Scorer, whoami: Task) -> None:
    counts = {
        "right": (2, 0, 0),
        "no filter": (2, 1, 0),
        "half": (1, 0, 1),
        "everything": (2, len(EVENTS) - 2, 0),
        "nothing": (0, 0, 2),
        "empty": (0, 0, 2),
    }
    assert {name: _counts(scorer.score(whoami, ANSWERS[name])) for name in counts} == counts


def _counts(score: Score) -> tuple[int, int, int]:
    return score.tp, score.fp, score.fn


def test_examples_name_the_events(scorer: Scorer, whoami: Task) -> None:
    found = scorer.score(whoami, ANSWERS["no filter"]).examples
    assert {kind: [ref.position for ref in refs] for kind, refs in found.items()} == {"tp": [0, 1], "fp": [2], "fn": []}
    assert found["fp"][0] == scorer.dataset.store.ref(scorer.dataset.store.row(found["fp"][0]))
    assert len(scorer.score(whoami, ANSWERS["everything"]).examples["fp"]) == 5


def test_the_batch_is_the_singles_whatever_the_order(scorer: Scorer, small: Dataset) -> None:
    pairs: list[tuple[Task | str, str]] = [(task, text) for task in small.tasks for text in ANSWERS.values()]
    singles = [scorer.score(task, text) for task, text in pairs]
    assert scorer.score_batch(pairs) == singles
    assert scorer.score_batch(pairs[::-1]) == singles[::-1]
    assert scorer.score_batch([]) == []


def test_there_is_one_scorer(scorer: Scorer, small: Dataset) -> None:
    """env.step, the vector environment, score and score_batch agree on every answer to every task."""
    texts = [*ANSWERS.values(), *map(reference_answer, small.tasks)]
    env, envs = SigmaRuleEnv(NAME, split=None), SigmaRuleVectorEnv(len(texts), NAME, split=None)
    for task in small.tasks:
        expected = [scorer.score(task, text) for text in texts]
        assert scorer.score_batch([(task.id, text) for text in texts]) == expected
        stepped = []
        for text in texts:
            env.reset(options={"task_id": task.id})
            stepped.append(env.step(text))
        envs.reset(options={"task_id": task.id})
        _, rewards, _, _, infos = envs.step(texts)
        final = infos["final_info"]
        for i, score in enumerate(expected):
            assert stepped[i][1] == rewards[i] == score.reward
            info = stepped[i][4]
            assert (info["status"], info["components"]) == (score.status, score.components)
            assert (info["tp"], info["fp"], info["fn"]) == _counts(score)
            assert final["status"][i] == score.status
            assert {name: final["components"][name][i] for name in score.components} == score.components


def test_a_task_is_named_by_itself_its_id_or_the_ids_beginning(scorer: Scorer, small: Dataset) -> None:
    task = small.tasks[0]
    assert scorer.score(task, "").task_id == scorer.score(task.id, "").task_id == task.id
    assert scorer.score(task.id[:6], "").task_id == task.id
    assert scorer.yardstick(task.id[:6]) is scorer.yardstick(task)
    with pytest.raises(DatasetError, match="no task has the id"):
        scorer.score("unheard of", "")


class TestScores:
    def test_metrics_have_the_same_keys_for_every_answer(self, scorer: Scorer, whoami: Task) -> None:
        metrics = [scorer.score(whoami, text).metrics() for text in ANSWERS.values()]
        keys = ["reward", "yaml_valid", "logsource_correct", "iou", "tp", "fp", "fn"]
        assert {tuple(each) for each in metrics} == {(*keys, *(f"status_{status}" for status in STATUSES))}
        assert all(type(value) is float for each in metrics for value in each.values())
        assert all(sum(each[f"status_{status}"] for status in STATUSES) == 1 for each in metrics)

    def test_a_pickled_score_keeps_its_numbers_and_examples_but_not_the_store(
        self, scorer: Scorer, whoami: Task
    ) -> None:
        score = scorer.score(whoami, ANSWERS["no filter"])
        data = pickle.dumps(score)
        assert len(data) < 2_000
        copy = pickle.loads(data)
        assert copy == score
        assert copy.examples == score.examples
        assert pickle.loads(pickle.dumps(copy)).examples == score.examples
        assert copy.explain() == score.summary()
        assert "2 right, 0 missed, 1 extra" in score.summary()

    def test_a_score_without_detail_has_no_examples(self) -> None:
        score = Score("x", 0.0, {"yaml_valid": 0.0, "logsource_correct": 0.0, "iou": 0.0}, "no_rule", "nothing there")
        assert score.examples == {"tp": (), "fp": (), "fn": ()}
        assert score.explain().endswith("status no_rule: nothing there")

    def test_the_reason_is_about_the_answer_alone(self, scorer: Scorer, small: Dataset) -> None:
        for name, text in ANSWERS.items():
            reasons = {scorer.score(task, text).reason for task in small.tasks}
            assert len(reasons) == 1, name


class TestIgnoredEvents:
    """Two true events count, two are ignored; likewise of the others."""

    STORE = EventStore.from_documents(
        [{"Channel": SYSMON, "EventID": 1, "Image": image, "User": user} for image in "ab" for user in "wxyz"]
    )
    REFERENCE = select("category: process_creation", "Image: a")
    IGNORED = Matches.from_rows(STORE, [2, 3, 6, 7])

    def score(self, selection: str) -> Score:
        yardstick = Yardstick("t", self.REFERENCE, self.STORE, Matches.from_rows(self.STORE, range(4)), self.IGNORED)
        text = f"logsource: {{category: process_creation}}\ndetection: {{s: {{{selection}}}, condition: s}}"
        [score] = measure([(yardstick, text)], NativeEngine(), DEFAULT_WEIGHTS)
        return score

    @pytest.mark.parametrize(
        ("selection", "counts", "iou"),
        [
            ("Image: a", (2, 0, 0), 1.0),
            ("'Image': a, User: [w, x]", (2, 0, 0), 1.0),
            ("Image: a, User: [y, z]", (0, 0, 2), 0.0),
            ("Image: a, User: [x, y]", (1, 0, 1), 0.5),
            ("Image: [a, b]", (2, 2, 0), 0.5),
            ("Image: b, User: [y, z]", (0, 0, 2), 0.0),
            ("Image: nowhere", (0, 0, 2), 0.0),
        ],
    )
    def test_they_count_for_no_answer(self, selection: str, counts: tuple[int, int, int], iou: float) -> None:
        score = self.score(selection)
        assert _counts(score) == counts
        assert score.components["iou"] == iou

    def test_they_are_no_examples(self) -> None:
        refs = self.score("Image: [a, b]").examples
        assert [ref.position for ref in (*refs["tp"], *refs["fp"])] == [0, 1, 4, 5]

    def test_they_do_not_widen_the_place(self) -> None:
        store = EventStore.from_documents([{"Channel": SYSMON, "EventID": i, "Image": "a"} for i in (12, 13)])
        reference = select("category: registry_event", "Image: a")
        true, ignored = Matches.from_rows(store, [0, 1]), Matches.from_rows(store, [0])
        yardstick = Yardstick("t", reference, store, true, ignored)
        assert yardstick.check.true_pairs == ((SYSMON, 13),)


class _Engine:
    name, version, semantics = "native", "test", "sigma"

    def __init__(self, result: Any) -> None:
        self.result = result

    def match(self, rules: Sequence[Rule], _store: EventStore) -> list[Any]:
        if isinstance(self.result, Exception):
            raise self.result
        return [] if self.result is None else [self.result for _ in rules]


class TestEngineFaults:
    @pytest.fixture
    def faulty(self, small: Dataset) -> Scorer:
        scorer = Scorer(small)
        for task in small.tasks:
            scorer.yardstick(task)
        return scorer

    @pytest.mark.parametrize("fault", [ZeroDivisionError("x"), MemoryError(), RecursionError("deep"), KeyError("k")])
    def test_they_are_never_a_score(self, faulty: Scorer, whoami: Task, fault: Exception) -> None:
        faulty.engine = _Engine(fault)
        with pytest.raises(EngineError, match=type(fault).__name__):
            faulty.score_batch([(whoami, ANSWERS["empty"]), (whoami, ANSWERS["right"])])

    def test_errors_of_ours_pass_as_they_are(self, faulty: Scorer, whoami: Task) -> None:
        faulty.engine = _Engine(DatasetError("gone"))
        with pytest.raises(DatasetError, match="gone"):
            faulty.score(whoami, ANSWERS["right"])

    def test_a_missing_result_is_one(self, faulty: Scorer, whoami: Task) -> None:
        faulty.engine = _Engine(None)
        with pytest.raises(EngineError, match="0 results for 1 rules"):
            faulty.score(whoami, ANSWERS["right"])

    def test_the_engine_is_not_asked_about_texts_that_are_no_rules(self, faulty: Scorer, whoami: Task) -> None:
        faulty.engine = _Engine(ZeroDivisionError())
        assert faulty.score(whoami, ANSWERS["empty"]).reward == 0
        assert faulty.score(whoami, ANSWERS["aggregation"]).reward == pytest.approx(0.4)

    def test_a_rule_that_the_engine_cannot_run_is_unsupported(self, faulty: Scorer, whoami: Task) -> None:
        faulty.engine = _Engine(Unsupported("no keywords here"))
        score = faulty.score(whoami, ANSWERS["right"])
        assert (score.status, score.reason) == ("unsupported", "no keywords here")
        assert score.components == {"yaml_valid": 1, "logsource_correct": 1, "iou": 0}


class TestOptions:
    def test_weights_and_maximum(self, small: Dataset, whoami: Task) -> None:
        scorer = Scorer(small, weights={"iou": 2, "yaml_valid": 0.5, "logsource_correct": 0})
        assert scorer.max_reward == 2.5
        assert scorer.score(whoami, ANSWERS["half"]).reward == 1.5

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ({}, "exactly the keys 'yaml_valid', 'logsource_correct', 'iou'"),
            ({**DEFAULT_WEIGHTS, "style": 0.1}, "exactly the keys"),
            ([0.1, 0.3, 0.7], "exactly the keys"),
            ({**DEFAULT_WEIGHTS, "iou": -0.1}, "weights.iou must be a finite number of at least 0, not -0.1"),
            ({**DEFAULT_WEIGHTS, "iou": float("inf")}, "weights.iou"),
            ({**DEFAULT_WEIGHTS, "iou": float("nan")}, "weights.iou"),
            ({**DEFAULT_WEIGHTS, "yaml_valid": True}, "weights.yaml_valid"),
            ({**DEFAULT_WEIGHTS, "yaml_valid": "0.1"}, "weights.yaml_valid"),
        ],
    )
    def test_wrong_weights_are_named(self, small: Dataset, weights: Any, message: str) -> None:
        with pytest.raises(OptionError, match=message):
            Scorer(small, weights=weights)

    def test_an_unknown_engine_or_semantics_is_named(self, small: Dataset) -> None:
        with pytest.raises(OptionError, match="unknown engine 'grep'; there is 'native'"):
            Scorer(small, engine="grep")
        with pytest.raises(OptionError, match="unknown semantics 'splunk'; there is 'sigma'"):
            Scorer(small, semantics="splunk")

    def test_an_answer_is_a_text(self, scorer: Scorer, whoami: Task) -> None:
        with pytest.raises(OptionError, match="an answer is a text, not None"):
            scorer.score(whoami, None)  # type: ignore[arg-type]


class TestWithoutATask:
    STORE = EventStore.from_documents(EVENTS, "events.jsonl")

    def test_it_gives_what_the_task_gives(self, scorer: Scorer, whoami: Task) -> None:
        reference = scorer.yardstick(whoami).reference
        for text in ANSWERS.values():
            alone, asked = score_rule(text, reference, self.STORE), scorer.score(whoami, text)
            assert (alone.reward, alone.status, _counts(alone)) == (asked.reward, asked.status, _counts(asked))

    def test_repeated_events_all_count(self) -> None:
        store = EventStore.from_documents([{"Channel": SYSMON, "EventID": 1, "Image": "a"}] * 3)
        reference = select("category: process_creation", "Image: a")
        assert score_rule(ANSWERS["whole category"], reference, store).tp == 3

    def test_a_reference_that_matches_nothing_cannot_score(self) -> None:
        with pytest.raises(DatasetError, match=r"matches none of the 32 events"):
            score_rule(ANSWERS["right"], rule("category: process_creation", "s: {A: b}, condition: s"), self.STORE)
