"""`sigma-env quality`: figures with their meaning and target, gates for build servers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sigma_env.cli._app import run
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.errors import OptionError
from sigma_env.scoring.quality import FIGURES, parse_gate
from sigma_env.tasks.dataset import Dataset
from tests.scoring.quality.planted import Planted, build, process
from tests.small import NAME

Output = pytest.CaptureFixture[str]


@pytest.fixture
def sloppy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset of one task that never asks what image it was."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    image = r"C:\Tools\alpha.exe"
    planted = Planted(
        r"s: {Image|endswith: '\alpha.exe', CommandLine|contains: upload}, condition: s",
        [process(image, f"upload {n}", Company=f"Halden {n}") for n in range(3)],
        [process(image, f"leave {n}", Company="Halden 1") for n in range(3)],
    )
    return build("sloppy", [planted])


def test_the_table_has_every_figure_with_meaning_and_target(sloppy: Dataset, capsys: Output) -> None:
    assert run(["quality", "sloppy"]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0].startswith("sloppy: 1 tasks, measured in ")
    for figure in FIGURES:
        [line] = [line for line in lines if line.split(" ")[0] == figure.name]
        assert line.endswith(figure.about)
    assert "shortcut_rate" in shown
    assert "<= 0.03" in shown
    assert "\nSloppy rules that score like the rule (1 tasks):\n" in shown
    assert f"  {sloppy.tasks[0].id} (planted:0): IoU 1.00, " in shown
    assert "\nMutants that score like the rule (1 tasks):\n" in shown
    assert "1, such as condition: s.Image|endswith\n" in shown
    assert "\nValues that only the true events have (1 tasks):\n" in shown
    assert "2 of 5, such as Company: halden 0\n" in shown  # the kind of event, and three companies
    assert run(["quality", "sloppy", "--worst", "0"]) == 0
    assert "Sloppy rules" not in capsys.readouterr().out


def test_json_has_the_figures_and_no_times(sloppy: Dataset, capsys: Output) -> None:
    assert run(["quality", "sloppy", "--json"]) == 0
    first = capsys.readouterr().out
    shown = json.loads(first)
    assert set(shown) == {"dataset", "split", "measured", "figures", "failed_gates"}
    assert list(shown["figures"]) == [figure.name for figure in FIGURES]
    assert shown["figures"]["shortcut_rate"] == 1
    assert run(["quality", "sloppy", "--json"]) == 0
    assert capsys.readouterr().out == first


def test_a_gate_that_fails_is_named_and_is_the_exit_status(sloppy: Dataset, capsys: Output) -> None:
    gates = ["--gate", "shortcut_rate=0.02", "--gate", "reference_reward_min=1.1", "--gate", "coverage.mean=0"]
    assert run(["quality", "sloppy", *gates]) == 1
    assert capsys.readouterr().out.endswith("\ngate failed: shortcut_rate is 1.0; it must be at most 0.02\n")
    assert run(["quality", "sloppy", "--json", *gates]) == 1
    assert json.loads(capsys.readouterr().out)["failed_gates"] == ["shortcut_rate is 1.0; it must be at most 0.02"]
    assert run(["quality", "sloppy", *gates[2:]]) == 0


def test_a_gate_holds_for_every_part_and_not_for_what_is_not_known() -> None:
    figures = {"held_out_shortcuts": {"a": 0.05, "b": 0.2}, "mutants_killed": 0.97, "artefact_auc": None}
    assert parse_gate("held_out_shortcuts=0.1").failures(figures) == [
        "held_out_shortcuts.b is 0.2; it must be at most 0.1"
    ]
    assert parse_gate("held_out_shortcuts.a=0.1").failures(figures) == []
    assert parse_gate("mutants_killed=0.97").failures(figures) == []
    assert parse_gate("mutants_killed=0.98").failures(figures) == ["mutants_killed is 0.97; it must be at least 0.98"]
    assert parse_gate("artefact_auc=0.6").failures(figures) == ["artefact_auc is not known; it must be at most 0.6"]
    assert parse_gate("held_out_shortcuts.c=1").failures(figures) != []


@pytest.mark.parametrize("gate", ["speed=1", "left_out=1", "shortcut_rate", "shortcut_rate=few"])
def test_a_gate_that_is_none_is_refused(gate: str, sloppy: Dataset, capsys: Output) -> None:
    with pytest.raises(OptionError):
        parse_gate(gate)
    assert run(["quality", "sloppy", "--gate", gate]) == 1
    assert f"--gate '{gate}'" in capsys.readouterr().err


def test_details_have_a_line_for_each_task(sloppy: Dataset, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "details.jsonl"
    assert run(["quality", "sloppy", "--details", str(path)]) == 0
    [row] = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert row["task_id"] == sloppy.tasks[0].id
    assert row["scored"] == 3
    assert {"kind": "condition", "title": "s.Image|endswith", "iou": 1.0} in row["mutants_alive"]
    assert max(version["iou"] for version in row["shortcuts"]) == 1


def test_a_figure_is_drawn_in_the_format_of_its_name(sloppy: Dataset, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "quality.png"
    assert run(["quality", "sloppy", "--figure", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert run(["quality", "sloppy", "--figure", str(tmp_path / "quality.xyz")]) == 1
    assert "xyz" in capsys.readouterr().err


def test_a_figure_without_matplotlib_names_the_extra(
    sloppy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run(["quality", "sloppy", "--figure", str(tmp_path / "quality.png")]) == 1
    assert "pip install sigmaforge[quality]" in capsys.readouterr().err


def test_a_dataset_without_near_misses_has_dashes(small: Dataset, capsys: Output) -> None:
    assert run(["quality", NAME, "--sample", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("small: 3 tasks")
    [line] = [line for line in lines if line.startswith("artefact_auc")]
    assert line.split()[1] == "-"
