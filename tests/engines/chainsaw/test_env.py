"""The environment, the scorer and `match` with the engine 'chainsaw'."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gymnasium
import pytest

import sigma_env  # noqa: F401 - registers the environments
from sigma_env.cli import _app
from sigma_env.engines.chainsaw_binary import ChainsawMissing
from sigma_env.engines.choose import make_engine
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer
from tests.engines.chainsaw.recordings import INPUTS, logs, with_mapping

ENV = "SigmaForge-Chainsaw-v0"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose Chainsaw is the stand-in; the file has a line for each of its runs."""
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIGMA_ENV_CHAINSAW_MAPPING", raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    source = Path(__file__).with_name("standin.py").read_text(encoding="utf-8")
    program = folder / "chainsaw"
    program.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
    program.chmod(0o755)
    with_mapping(folder)
    monkeypatch.setenv("SIGMA_ENV_CHAINSAW", str(program))
    return folder / "runs"


def sizes(runs: Path) -> list[int]:
    return [int(line) for line in runs.read_text(encoding="utf-8").split()]


def test_without_the_program_making_it_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SIGMA_ENV_CHAINSAW", raising=False)
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ChainsawMissing, match="sigma-env chainsaw install"):
        make_engine("chainsaw")
    with pytest.raises(ChainsawMissing, match="sigma-env chainsaw install"):
        gymnasium.make(ENV)


def test_a_batch_of_answers_is_one_run_and_truth_is_kept(runs: Path) -> None:
    dataset = load_dataset("starter")
    scorer = Scorer(dataset, "chainsaw")
    tasks = dataset.playable(scorer.engine)
    assert sizes(runs) == [len(dataset.tasks)]  # the truth of all tasks
    scores = scorer.score_batch([(task, reference_answer(task)) for task in tasks])
    assert [score.reward for score in scores] == [scorer.max_reward] * len(tasks)
    assert sizes(runs)[1:] == [len(tasks)]
    again = Scorer(load_dataset("starter"), "chainsaw")
    assert again.score(tasks[0], reference_answer(tasks[0])).reward == scorer.max_reward
    assert sizes(runs)[2:] == [1]


def test_a_step_runs_one_rule(runs: Path) -> None:
    env = gymnasium.make(ENV)
    _, info = env.reset(seed=3)
    before = len(sizes(runs))
    task = load_dataset("starter").task(info["task_id"])
    _, reward, terminated, _, _ = env.step(reference_answer(task))
    env.close()
    assert (round(float(reward), 9), terminated) == (1.1, True)
    assert sizes(runs)[before:] == [1]


def test_match_leaves_it_to_chainsaw_what_a_logsource_means(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stand-in has the meaning of the specification: the rule comes to it, and matches nothing."""
    logs(tmp_path, "sim.evtx")
    command = ["match", "--rules", str(INPUTS / "anylog"), "--logs", str(tmp_path / "inputs")]
    assert _app.run(command) == 1
    assert "not run" in capsys.readouterr().err
    assert _app.run([*command, "--engine", "chainsaw"]) == 0
    assert "not run" not in capsys.readouterr().err
    assert sizes(runs) == [1]


def test_match_takes_it(runs: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    logs(tmp_path, "sim.evtx")
    rules = str(INPUTS / "one")
    assert _app.run(["match", "--rules", rules, "--logs", str(tmp_path / "inputs"), "--engine", "chainsaw"]) == 0
    lines = capsysbinary.readouterr().out.splitlines()
    assert len(lines) == 85
    assert json.loads(lines[0])["rule_id"] == "r-certutil"
    assert sizes(runs) == [1]
