"""Every answer that does not pass has one cause."""

import pytest

from benchmarks.failures import FAILURES, failure_of
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_answer


def rule(logsource: str, selection: str, condition: str = "s") -> str:
    return f"logsource: {{{logsource}}}\ndetection: {{s: {{{selection}}}, condition: {condition}}}"


PROCESS = "category: process_creation, product: windows"
CMD = r"Image|endswith: '\cmd.exe'"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("", "no rule"),
        ("I can't help with that.", "no rule"),
        ("```yaml\nlogsource: [\n```", "bad YAML"),
        (rule(PROCESS, CMD, "s and t"), "invalid rule"),
        (rule(PROCESS, CMD, "s | count() > 3"), "unsupported"),
        ("not_detectable: true", "abstained"),
        (rule("category: dns_query", CMD), "wrong logsource"),
        (rule(PROCESS, f"{CMD}, EventID: 4688"), "wrong EventID"),
        (rule(PROCESS, f"{CMD}, QueryName: a"), "unknown field"),
        (rule(PROCESS, "Image: nothing"), "fires on nothing"),
        (rule(PROCESS, f"{CMD}, CommandLine|contains: whoami"), "filter missing"),
        (rule(PROCESS, "CommandLine: '*'"), "filter missing"),
        (rule(PROCESS, "CommandLine|contains: [dir, urlcache, WHOAMI /]"), "too broad"),
        (rule(PROCESS, f"{CMD}, CommandLine|contains: /all"), "too narrow"),
    ],
)
def test_the_cause(small: Dataset, answer: str, failure: str) -> None:
    scoring = Scorer(small)
    [task] = [task for task in small.tasks if "whoami" in task.source]
    assert failure_of(scoring.score(task, answer), answer, scoring.yardstick(task)) == failure
    assert failure in FAILURES


def test_what_passes_has_no_cause(small: Dataset) -> None:
    scoring = Scorer(small)
    for task in small.tasks:
        answer = reference_answer(task)
        assert failure_of(scoring.score(task, answer), answer, scoring.yardstick(task)) is None
