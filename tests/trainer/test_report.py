"""A run's report: a picture and a page that need nothing else, from whatever is in its folder."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.trainer.test_metrics import log_of
from tests.trainer.test_records import record
from trainer import curves
from trainer.errors import TrainerError
from trainer.folder import CONFIG
from trainer.metrics import read
from trainer.records import ROLLOUTS, VALIDATION, Writer
from trainer.report import PAGE, PICTURE, write_report
from trainer.summary import SUMMARY, Change, Gate, Result, Summary

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three steps, validated once."""
    for step in (1, 2, 3):
        for rollout in range(4):
            Writer(tmp_path / ROLLOUTS).write(record(step, rollout=rollout, reward=0.1 * step, answer=HOSTILE))
    Writer(tmp_path / VALIDATION).write(record(2, reward=0.7))
    for step in (1, 2, 3):
        log_of(tmp_path).log({"actor/entropy": 0.5, "timing_s/step": 2.0, "actor/pg_clipfrac": 0.0}, step)
    return tmp_path


def config(updates: int) -> str:
    return yaml.safe_dump(
        {
            "sigmaforge": {"dataset": "starter", "engine": "native", "semantics": "sigma"},
            "trainer": {"total_training_steps": 40},
            "data": {"train_batch_size": 8},
            "actor_rollout_ref": {"model": {"path": "a/model"}, "actor": {"ppo_mini_batch_size": 8 // updates}},
        }
    )


class Elements(HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_there_is_a_picture_and_a_page(run: Path) -> None:
    assert write_report(run) == run / PAGE
    assert (run / PICTURE).read_bytes().startswith(b"\x89PNG")
    text = (run / PAGE).read_text(encoding="utf-8")
    elements = Elements(text).found
    assert sum(tag == "svg" for tag, _ in elements) == len(curves.draw(read(run))) >= 9
    assert "seconds of a step" in text


def test_the_page_needs_nothing_else_and_runs_nothing_that_a_model_wrote(run: Path) -> None:
    write_report(run)
    elements = Elements((run / PAGE).read_text(encoding="utf-8")).found
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in elements}
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]


@pytest.mark.parametrize(("updates", "said"), [(1, "is 0 by construction"), (2, "makes 2 updates")])
def test_it_says_when_nothing_can_be_clipped(run: Path, updates: int, said: str) -> None:
    (run / CONFIG).write_text(config(updates), encoding="utf-8")
    write_report(run)
    text = (run / PAGE).read_text(encoding="utf-8")
    assert said in text
    assert "Steps: 3 of 40" in text


def test_results_are_shown_where_the_run_was_evaluated(run: Path) -> None:
    change = Change(before=0.5, after=0.625, gain=0.125, low=0.0625, high=0.25)
    result = Result(split="test", decoding="sampled", seed=3, tasks=400, clusters=200, reward=change, iou=change)
    gate = Gate(about="values in a rule", value=0.5, least=0.9)
    Summary(
        commit="", seeds=[3], seconds={}, results=[result], gates={"literals": gate}, control={"sampled": result}
    ).write(run / SUMMARY)
    write_report(run)
    text = (run / PAGE).read_text(encoding="utf-8")
    assert "+0.125 [+0.062, +0.250]" in text
    assert "control" in text
    assert "literals: values in a rule is 0.500; it must be at least 0.9" in text


def test_a_figure_of_which_nothing_was_measured_is_not_made(tmp_path: Path) -> None:
    log_of(tmp_path).log({"actor/entropy": 0.5}, 1)
    assert [drawn.name for drawn in curves.draw(read(tmp_path))] == ["entropy"]


def test_the_same_run_gives_the_same_figures(run: Path) -> None:
    assert curves.draw(read(run)) == curves.draw(read(run))


def test_a_run_without_steps_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"metrics\.jsonl: there is no step in it yet"):
        write_report(tmp_path)
