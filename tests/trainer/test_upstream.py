"""Every line of verl and vLLM that we work around is there; one that is gone is an error."""

from __future__ import annotations

import pytest

from trainer import task_runner
from trainer.cpu_platform import upstream as cpu_platform
from trainer.errors import UpstreamChanged
from trainer.upstream import Reliance, check


@pytest.mark.parametrize("needed", [*cpu_platform.VERL, *cpu_platform.VLLM, *task_runner.VERL])
def test_every_line_that_is_worked_around_is_there(needed: Reliance) -> None:
    check([needed])


@pytest.mark.parametrize(
    "change", [{"line": "this line is gone"}, {"path": "verl/no_such_file.py"}, {"package": "no-such-package"}]
)
def test_a_line_that_is_gone_is_an_error_that_names_it_and_its_work_around(change: dict[str, str]) -> None:
    changed = cpu_platform.VERL[1]._replace(**change)
    with pytest.raises(UpstreamChanged) as caught:
        check([changed])
    assert changed.line in str(caught.value)
    assert changed.path in str(caught.value)
    assert changed.workaround in str(caught.value)


def test_every_reliance_says_what_the_line_does_and_what_we_do() -> None:
    assert all(
        needed.problem and needed.workaround for needed in (*cpu_platform.VERL, *cpu_platform.VLLM, *task_runner.VERL)
    )
