"""The embedded dataset: there without a download, built once, in the cache only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import DatasetError
from sigma_env.sigma.answer import parse_answer
from sigma_env.simulation.requests import PERSONAS
from sigma_env.tasks import starter
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.equivalents import equivalents
from sigma_env.tasks.folder import MANIFEST, dataset_folder
from sigma_env.tasks.leakage import leakage
from sigma_env.tasks.messages import messages, prompt_text
from sigma_env.tasks.reference import reference_answer, reference_rule
from sigma_env.tasks.starter import DATA, RULES


@pytest.fixture
def cache(starter_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(starter_cache))
    return starter_cache


@pytest.mark.usefixtures("cache")
class TestTasks:
    def test_every_rule_of_the_package_is_a_task_with_its_own_request(self) -> None:
        dataset = load_dataset("starter")
        assert dataset.manifest.left_out == {}
        assert {task.source for task in dataset.tasks} == {f"starter:{path.stem}" for path in RULES.glob("*.yml")}
        assert len({task.request for task in dataset.tasks}) == len(dataset.tasks)
        assert {task.persona for task in dataset.tasks} == set(PERSONAS)
        assert {(task.licence, task.author, task.scenario) for task in dataset.tasks} == {
            ("Apache-2.0", "SigmaForge", "default")
        }

    def test_requests_tell_all_of_their_rules(self) -> None:
        assert {task.coverage for task in load_dataset().tasks} == {1.0}
        assert {task.disclosed for task in load_dataset().tasks} == {""}

    def test_no_literal_decides_a_task(self) -> None:
        assert min(task.difficulty for task in load_dataset().tasks) > 0.3

    def test_no_prompt_holds_a_reference(self) -> None:
        for task in load_dataset().tasks:
            text = prompt_text(messages(task))
            assert task.reference not in text
            assert reference_rule(task).meta.id not in text

    def test_references_and_equivalents_match_the_truth(self) -> None:
        dataset, engine = load_dataset(), NativeEngine()
        for task in dataset.tasks:
            truth = dataset.truth(task, engine)
            answers = [("reference", reference_answer(task)), *equivalents(task)]
            assert len(answers) > 10
            for name, text in answers:
                answer = parse_answer(text)
                assert answer.rule is not None, (task.source, name, answer.reason)
                [found] = engine.match([answer.rule], dataset.store)
                assert isinstance(found, Matches)
                assert found == truth.true, (task.source, name)

    def test_no_near_tasks_stand_on_two_sides(self) -> None:
        assert leakage(load_dataset(), NativeEngine()) == []


class TestBuilding:
    def test_a_second_process_finds_it_built(self, cache: Path) -> None:
        written = (dataset_folder("starter") / MANIFEST).stat().st_mtime_ns
        ask(cache)
        assert (dataset_folder("starter") / MANIFEST).stat().st_mtime_ns == written

    def test_processes_that_want_it_at_once_get_it(self, tmp_path: Path) -> None:
        asking = [subprocess.Popen(command(), env=environment(tmp_path)) for _ in range(3)]
        assert [process.wait() for process in asking] == [0, 0, 0]

    def test_other_data_in_the_package_build_it_anew(
        self, starter_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(starter_cache, tmp_path / "cache")
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
        first = load_dataset()
        monkeypatch.setattr(starter, "_inputs", lambda: "other")
        second = load_dataset()
        assert second is not first
        assert second.manifest.inputs == "other"
        assert second.tasks == first.tasks

    def test_nothing_is_written_into_the_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = {file: file.stat().st_mtime_ns for file in DATA.rglob("*")}
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
        load_dataset().store  # noqa: B018
        assert {file: file.stat().st_mtime_ns for file in DATA.rglob("*")} == before

    def test_a_cache_that_cannot_be_written_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
        with pytest.raises(DatasetError, match=CACHE_VARIABLE):
            load_dataset()


def command() -> list[str]:
    return [sys.executable, "-c", "from sigma_env.tasks.dataset import load_dataset; assert load_dataset().tasks"]


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, CACHE_VARIABLE: str(cache)}


def ask(cache: Path) -> None:
    subprocess.run(command(), env=environment(cache), check=True)
