"""`sigma-env score`: what an answer earns, for people and for programs."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sigma_env.cli._app import run
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task
from tests.scoring.answers import ANSWERS
from tests.small import EVENTS, NAME, RULES

Output = pytest.CaptureFixture[str]


@pytest.fixture
def whoami(small: Dataset) -> Task:
    return next(task for task in small.tasks if task.source.endswith("whoami.yml"))


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return str(path)


def test_an_answer_to_a_task_is_explained(whoami: Task, tmp_path: Path, capsys: Output) -> None:
    answer = write(tmp_path, "answer.yml", ANSWERS["no filter"])
    assert run(["score", "--dataset", NAME, "--task", whoami.id[:8], answer]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Reward 0.8667 of 1.1\n")
    assert r"✓ reference's f: " not in shown
    assert r"✓ reference's filter: User: 'NT AUTHORITY\SYSTEM' — User is 'NT AUTHORITY\SYSTEM'" in shown


def test_an_answer_may_come_from_stdin(whoami: Task, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ANSWERS["right"].encode())))
    assert run(["score", "--dataset", NAME, "--task", whoami.id, "-"]) == 0
    assert capsys.readouterr().out.startswith("Reward 1.1 of 1.1\n")


def test_json_has_the_numbers_the_examples_and_the_text(whoami: Task, tmp_path: Path, capsys: Output) -> None:
    answer = write(tmp_path, "answer.yml", ANSWERS["no filter"])
    assert run(["score", "--dataset", NAME, "--task", whoami.id, "--json", answer]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["task_id"] == whoami.id
    assert shown["components"] == {"yaml_valid": 1, "logsource_correct": 1, "iou": 2 / 3}
    assert (shown["status"], shown["tp"], shown["fp"], shown["fn"]) == ("ok", 2, 1, 0)
    assert [ref.rsplit(":", 1)[1] for ref in shown["examples"]["tp"]] == ["0", "1"]
    assert shown["explanation"].startswith("Reward 0.8667")


def test_a_low_reward_is_no_failure(whoami: Task, tmp_path: Path, capsys: Output) -> None:
    for text in ("", "\x00\xff", "I don't know"):
        answer = write(tmp_path, "answer.txt", text)
        assert run(["score", "--dataset", NAME, "--task", whoami.id, answer]) == 0
        assert "no_rule: " in capsys.readouterr().out


def test_two_rules_are_compared_without_a_task(tmp_path: Path, small_cache: Path, capsys: Output) -> None:
    reference = write(tmp_path, "reference.yml", RULES["whoami"])
    logs = write(tmp_path, "events.jsonl", "\n".join(map(json.dumps, EVENTS)))
    answer = write(tmp_path, "answer.yml", ANSWERS["half"])
    assert run(["score", "--reference", reference, "--logs", logs, answer]) == 0
    shown = capsys.readouterr().out
    assert "1 right, 1 missed, 0 extra events" in shown
    assert "✗ answer's s: CommandLine|contains: ' /all' — CommandLine is 'cmd /c whoami'" in shown


def lines(*fields: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, fields)) + "\n\n"


def test_saved_answers_are_scored_again(small: Dataset, tmp_path: Path, capsys: Output) -> None:
    scorer = Scorer(small)
    pairs = [(task, text) for task in small.tasks for text in (*ANSWERS.values(), reference_answer(task))]
    path = write(tmp_path, "a.jsonl", lines(*({"task_id": task.id, "answer": text} for task, text in pairs)))
    assert run(["score", "--dataset", NAME, "--answers", path]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, score in zip(shown, scorer.score_batch(pairs), strict=True):
        assert (line["task_id"], line["reward"], line["status"]) == (score.task_id, score.reward, score.status)
        assert line["components"] == score.components
        assert (line["tp"], line["fp"], line["fn"], line["reason"]) == (score.tp, score.fp, score.fn, score.reason)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "line 2: 'task_id' must be a text"),
        ('{"task_id": "x", "answer": 3}', "line 2: 'answer' must be a text"),
        ("[1]", "line 2: 'task_id' must be a text"),
        ("no json", "line 2: no JSON"),
        ('{"task_id": "unheard of", "answer": ""}', "no task has the id 'unheard of'"),
    ],
)
def test_a_wrong_line_is_named(small: Dataset, tmp_path: Path, capsys: Output, text: str, message: str) -> None:
    path = write(tmp_path, "a.jsonl", "\n" + text)
    assert run(["score", "--dataset", NAME, "--answers", path]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["answer.yml"],
        ["--task", "x"],
        ["--task", "x", "--reference", "r.yml", "--logs", "l", "answer.yml"],
        ["--reference", "r.yml", "answer.yml"],
        ["--logs", "l", "--task", "x", "answer.yml"],
        ["--answers", "a.jsonl", "answer.yml"],
    ],
)
def test_what_does_not_go_together_is_a_usage_error(arguments: list[str], capsys: Output) -> None:
    assert run(["score", *arguments]) == 2
    assert "Error: " in capsys.readouterr().err


def test_a_reference_file_holds_one_rule_that_can_be_run(tmp_path: Path, capsys: Output) -> None:
    answer = write(tmp_path, "answer.yml", ANSWERS["right"])
    two = write(tmp_path, "two.yml", f"{RULES['whoami']}\n---\n{RULES['names']}")
    broken = write(tmp_path, "broken.yml", "title: x\nlogsource: {category: x}\ndetection: {s: {a: b}}")
    for reference, message in ((two, "holds 2 rules"), (broken, "has no 'condition'")):
        assert run(["score", "--reference", reference, "--logs", str(tmp_path), answer]) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_files_and_tasks_that_do_not_exist_are_named(small: Dataset, tmp_path: Path, capsys: Output) -> None:
    assert run(["score", "--dataset", NAME, "--task", "x", str(tmp_path / "absent.yml")]) == 1
    assert "absent.yml" in capsys.readouterr().err
    assert run(["score", "--dataset", NAME, "--task", "x", write(tmp_path, "a.yml", "")]) == 1
    assert "no task has the id 'x'" in capsys.readouterr().err
    assert run(["score", "--dataset", "absent", "--task", "x", write(tmp_path, "a.yml", "")]) == 1
    assert "sigma-env build absent" in capsys.readouterr().err
