import pytest
from pydantic import ValidationError

from sigma_env.tasks.task import Task

FIELDS = {"request": "r", "reference": "x: 1", "logsource": {"service": "security"}, "split": "train", "source": "s"}


def test_equal_contents_have_equal_ids_that_never_change() -> None:
    assert Task(**FIELDS).id == Task(**FIELDS).id == "5feee9bd6604a49b"


@pytest.mark.parametrize(
    "change",
    [
        {"request": "other"},
        {"reference": "x: 2"},
        {"logsource": {"service": "system"}},
        {"source": "t"},
        {"persona": "soc_analyst"},
        {"scenario": "hard"},
        {"author": "a"},
        {"licence": "l"},
        {"coverage": 0.5},
        {"difficulty": 0.5},
        {"may_abstain": True},
        {"may_abstain": True, "detectable": False},
        {"disclosed": "x: 3"},
        {"visible": [("a.evtx", 1, 0)]},
    ],
)
def test_other_contents_have_another_id(change: dict) -> None:
    assert Task(**{**FIELDS, **change}).id != Task(**FIELDS).id


@pytest.mark.parametrize("change", [{"split": "test"}, {"tags": ["attack.t1003"]}])
def test_split_and_tags_are_no_part_of_the_id(change: dict) -> None:
    assert Task(**{**FIELDS, **change}).id == Task(**FIELDS).id


def test_an_id_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError, match="does not fit its contents"):
        Task(**FIELDS, id="0123456789abcdef")


def test_a_task_comes_back_from_json_as_it_was() -> None:
    task = Task(**FIELDS, visible=[("a.evtx", 7, 0)], tags=("t",))
    assert Task.model_validate_json(task.model_dump_json()) == task


@pytest.mark.parametrize(
    "change", [{"request": ""}, {"request": "x" * 4001}, {"split": "dev"}, {"coverage": 1.1}, {"extra": 1}]
)
def test_what_no_task_may_hold_is_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        Task(**{**FIELDS, **change})
