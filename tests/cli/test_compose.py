"""`sigma-env compose`, as a user types it."""

import json
from pathlib import Path

import pytest

from sigma_env.cli._app import run
from sigma_env.sigma.answer import parse_answer


def test_it_writes_a_pair_on_each_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pairs.jsonl"
    assert run(["compose", "--count", "30", "--seed", "4", "--out", str(out)]) == 0
    assert "30 pairs" in capsys.readouterr().out
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == 30
    assert all(row.keys() == {"id", "persona", "difficulty", "request", "answer"} for row in rows)
    assert all(parse_answer(row["answer"]).status == "ok" for row in rows)


def test_the_same_options_give_the_same_lines(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for count in ("5", "5", "9"):
        assert run(["compose", "--count", count]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[2].startswith(texts[0])


def test_whole_prompts_can_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compose", "--count", "2", "--chats"]) == 0
    for line in capsys.readouterr().out.splitlines():
        row = json.loads(line)
        assert [message["role"] for message in row["messages"]] == ["system", "user"]
        assert "request" not in row


def test_difficulty_is_a_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compose", "--count", "40", "--most", "0"]) == 0
    assert {json.loads(line)["difficulty"] for line in capsys.readouterr().out.splitlines()} == {0}
    assert run(["compose", "--count", "1", "--least", "0.5", "--most", "0.2"]) == 2
