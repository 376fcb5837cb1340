"""Tables, figures and page say what was measured, and nothing else."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import draw
from benchmarks.models import load_models
from benchmarks.numbers import FRESH_SUFFIX, compare, gap, numbers_of
from benchmarks.output import write_report
from benchmarks.report import make_report
from benchmarks.results import Job, Result, Row
from benchmarks.tables import flat, to_csv, to_markdown

RULES = ("r0", "r1", "r2", "r3")


def job(model: str, group: str = "closed", **changes: Any) -> Job:
    given = {
        "model": model, "title": f"<{model}>|", "group": group, "dataset": "d", "split": "test",
        "strategy": "zero-shot", "samples": 1, "tasks": len(RULES), "max_reward": 1.1,
    }  # fmt: skip
    return Job.model_validate({**given, **changes})


def row(rule: str, iou: float | None, **changes: Any) -> Row:
    made = Row(task=f"t-{rule}", sample=1, persona="p", source=rule, cluster=rule, detectable=True)
    if iou is not None:
        made = made._replace(
            reward=0.4 + 0.7 * iou, yaml_valid=1.0, logsource_correct=1.0, iou=iou, passed=iou >= 0.9, status="ok",
            failure=None if iou >= 0.9 else "too broad", stop_reason="stop", cost=0.01, seconds=2.0, input_tokens=10,
            output_tokens=5,
        )  # fmt: skip
    return made._replace(**changes)


def result(of: Job, ious: list[float | None], **changes: Any) -> Result:
    return Result(of, tuple(row(rule, iou, **changes) for rule, iou in zip(RULES, ious, strict=True)))


def agent(name: str, ious: list[float | None]) -> Result:
    return result(job(name, "agent"), ious, stop_reason=None, cost=None, seconds=None)


CONSTANT = agent("constant", [0.2, 0.2, 0.0, 0.0])
CLOSED = result(job("gpt-5"), [1.0, 0.5, 0.5, 0.5])
BASE = result(job("qwen3-14b", "base"), [0.0, 0.5, 0.5, None])
TRAINED = result(job("qwen3-14b-trained", "trained", base="qwen3-14b"), [1.0, 1.0, 1.0, 1.0], cost=0.001)
ALL = [CONSTANT, CLOSED, BASE, TRAINED]


def tables(results: list[Result]) -> dict[str, Any]:
    return {
        table.name: table for table in make_report(results, load_models(), {"o4-mini": "set OPENAI_API_KEY"}).tables
    }


def rows(results: list[Result], name: str) -> dict[str, dict[str, Any]]:
    return {str(cells["title"]): cells for cells in flat(tables(results)[name])}


def test_every_table_has_the_best_constant_answer_and_the_iou_alone() -> None:
    for name, table in tables(ALL).items():
        titles = [f"{cells.get('title')} {cells.get('second')}" for cells in table.rows]
        assert any("constant" in title for title in titles), name
        assert "IoU" in " ".join(column.heading for column in table.columns), name


def test_what_was_not_run_is_empty() -> None:
    found = rows(ALL, "table1-d-test")["o4-mini"]
    assert found.pop("note") == "not run: set OPENAI_API_KEY"
    assert {value for name, value in found.items() if name not in ("title", "strategy")} == {None}


def test_a_failed_request_is_unscored_and_not_zero() -> None:
    numbers = numbers_of(BASE)
    assert (numbers.scored, numbers.unscored) == (3, 1)
    assert numbers.iou is not None
    assert numbers.iou.mean == pytest.approx(1 / 3)


def test_costs() -> None:
    numbers = numbers_of(CLOSED)
    assert (numbers.cost, numbers.cost_per_request, numbers.cost_per_correct) == pytest.approx((0.04, 0.01, 0.04))
    assert numbers_of(result(job("m"), [0.0] * 4)).cost_per_correct is None
    one_unknown = Result(CLOSED.job, (*CLOSED.rows[:3], CLOSED.rows[3]._replace(cost=None)))
    assert numbers_of(one_unknown).cost is None  # a sum with a hole would be a figure that nobody measured


def test_a_trained_model_is_compared_with_its_base_and_the_best_closed_one_on_common_tasks() -> None:
    found = rows(ALL, "table2-d-test")["<qwen3-14b-trained>|"]
    assert found["against_base"] == pytest.approx(0.7 * (1 + 0.5 + 0.5) / 3)
    assert found["against_closed_iou"] == pytest.approx(1.5 / 4)
    assert rows(ALL, "table2-d-test")["<constant>|"]["against_base"] is None


def test_a_paired_comparison_counts_tasks() -> None:
    found = compare(TRAINED, CLOSED)
    assert found is not None
    assert (found.better, found.equal, found.worse) == (3, 1, 0)
    turned = compare(CLOSED, TRAINED)
    assert turned is not None
    assert turned.reward.mean == pytest.approx(-found.reward.mean)
    assert compare(CLOSED, result(job("x"), [None] * 4)) is None


def test_the_gap_compares_rule_by_rule() -> None:
    fresh_job = job("gpt-5", dataset="d-fresh")
    fresh = Result(
        fresh_job,
        tuple(row(rule, 0.5)._replace(task=f"f-{rule}", source=f"{rule}{FRESH_SUFFIX}") for rule in RULES[:2]),
    )
    found = gap(CLOSED, fresh)
    assert found is not None
    assert found.reward.tasks == 2
    assert found.iou.mean == pytest.approx(0.25)
    assert "gap" in tables([*ALL, fresh])
    assert "gap" not in tables(ALL)


def test_rewordings_say_how_far_words_matter_and_count_for_nothing_else() -> None:
    told = [row("r0", 1.0), row("r0", 0.1, task="t-other", persona="q", reworded="t-r0"), row("r1", 1.0)]
    numbers = numbers_of(Result(CLOSED.job, tuple(told)))
    assert (numbers.rewordings, numbers.samples) == (0, 2)
    assert numbers.iou is not None
    assert numbers.iou.mean == 1
    assert numbers_of(CLOSED).rewordings is None


def test_abstention_rates() -> None:
    hidden = row("r0", 1.0, detectable=False, status="abstained")
    missed = row("r1", 0.0, detectable=False, failure="not abstained")
    timid = row("r2", 0.0, status="abstained", failure="abstained")
    numbers = numbers_of(Result(CLOSED.job, (hidden, missed, timid, row("r3", 1.0))))
    assert (numbers.abstained_rightly, numbers.abstained_wrongly) == (0.5, 0.5)
    assert (numbers_of(CLOSED).abstained_rightly, numbers_of(CLOSED).abstained_wrongly) == (None, None)


def test_every_answer_has_its_place_in_the_failure_table() -> None:
    found = rows(ALL, "failures-d-test")
    assert (found["<gpt-5>|"]["right"], found["<gpt-5>|"]["too broad"]) == (1, 3)
    assert (found["<qwen3-14b>|"]["too broad"], found["<qwen3-14b>|"]["unscored"]) == (3, 1)


def test_markdown_csv_and_json_say_the_same() -> None:
    table = tables(ALL)["table1-d-test"]
    text = to_markdown(table)
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert widths == {len(table.columns) + 1}
    assert "0.837 [0.750, 1.013]" not in text.splitlines()[0]
    read = list(csv.DictReader(io.StringIO(to_csv(table))))
    for cells, plain in zip(read, flat(table), strict=True):
        assert {name: cells[name] for name in plain} == {
            name: "" if value is None else str(value) for name, value in plain.items()
        }


def test_figures_show_only_what_was_measured() -> None:
    assert draw([CONSTANT]) == []
    assert {one.name.split("-d-test")[0] for one in draw(ALL)} == {
        "score-cost", "cost-reduction", "latency", "improvement",
    }  # fmt: skip
    unpriced = [Result(r.job, tuple(x._replace(cost=None) for x in r.rows)) for r in ALL]
    assert {one.name.split("-d-test")[0] for one in draw(unpriced)} == {"latency", "improvement"}
    assert [one.svg for one in draw(ALL)] == [one.svg for one in draw(ALL)]


class _Links(HTMLParser):
    """What a page would load, and the elements that it leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [str(value) for name, value in attrs if name in ("src", "href") and value and value[0] != "#"]
        self.loads += [value for _, value in attrs if value and "url(" in value and "url(#" not in value]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_needs_nothing_else_and_holds_everything(tmp_path: Path) -> None:
    report = make_report(ALL, load_models(), {"o4-mini": "set OPENAI_API_KEY"})
    path = write_report(report, tmp_path)
    found = _Links()
    found.feed(path.read_text(encoding="utf-8"))
    assert (found.loads, found.open) == ([], [])
    text = "".join(found.text)
    assert all(table.title in text for table in report.tables)
    assert "<gpt-5>|" in text
    assert {one.name for one in draw(ALL)} == {file.stem for file in (tmp_path / "figures").glob("*.svg")}
    assert set(json.loads((tmp_path / "tables.json").read_bytes())) == {table.name for table in report.tables}


def test_a_figure_that_can_no_longer_be_drawn_does_not_stay(tmp_path: Path) -> None:
    write_report(make_report(ALL, {}, {}), tmp_path)
    write_report(make_report([CONSTANT], {}, {}), tmp_path)
    assert list((tmp_path / "figures").iterdir()) == []
