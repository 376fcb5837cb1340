import pytest
import yaml

from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Meta
from sigma_env.simulation.plan import MAX_REQUEST
from sigma_env.tasks.requests import coverage, request_of


def test_a_request_is_title_and_description() -> None:
    assert request_of(Meta(title="A title", description="What  it\n  is about.\n")) == "A title\n\nWhat it\nis about."
    assert request_of(Meta(title="A title")) == "A title"
    assert request_of(Meta(description="Only this.")) == "Only this."
    assert request_of(Meta()) == ""


@pytest.mark.parametrize(
    ("description", "left"),
    [
        ("Seen in the wild (https://a.example/b?c=d).", "Seen in the wild ."),
        ("See [the report](https://a.example/b) for more.", "See the report for more."),
        ("It happens.\nReferences:\nhttps://a.example", "It happens."),
        ("Before.\n```yaml\ndetection:\n  a: 1\n```\nAfter.", "Before.\n\nAfter."),
        ("Before.\n```\nnever closed", "Before."),
        ("Use this:\nselection_a:\n  Image|endswith: x\ncondition: selection_a", "Use this:"),
        ("The parent: winword.exe. A protocol (file, http...)", "The parent: winword.exe. A protocol (file, http...)"),
    ],
)
def test_links_and_parts_of_rules_are_left_out(description: str, left: str) -> None:
    assert request_of(Meta(title="T", description=description)) == f"T\n\n{left}"


def test_a_long_description_is_cut_between_words() -> None:
    text = request_of(Meta(title="T", description="word " * 2000))
    assert len(text) <= MAX_REQUEST
    assert text.endswith("word…")


def covered(detection: str, request: str) -> float:
    rule = parse_rule({"logsource": {"service": "security"}, "detection": yaml.safe_load(detection)})
    return coverage(request, rule)


def test_coverage_is_the_share_of_values_that_the_request_names() -> None:
    detection = r"{s: {Image|endswith: ['\vssadmin.exe', '\wmic.exe'], CommandLine|contains: 'Delete '}, condition: s}"
    assert covered(detection, "VSSADMIN.EXE is told to delete") == pytest.approx(2 / 3, abs=0.001)
    assert covered(detection, "shadow copies vanish") == 0
    assert covered(detection, "vssadmin.exe or wmic.exe delete") == 1


def test_filters_count_too() -> None:
    assert covered("{s: {Image: a.exe}, f: {Image: b.exe}, condition: s and not f}", "a.exe") == 0.5


def test_numbers_must_stand_alone() -> None:
    assert covered("{s: {EventID: 462}, condition: s}", "event 4625") == 0
    assert covered("{s: {EventID: 4625}, condition: s}", "event 4625.") == 1


def test_values_that_say_nothing_do_not_count() -> None:
    assert covered("{s: {Image: null, User: '*', Host|exists: true}, condition: s}", "anything") == 1
    assert covered("{s: {Image: [null, a.exe]}, condition: s}", "a.exe") == 1


def test_of_a_value_with_wildcards_its_longest_part_is_looked_for() -> None:
    assert covered(r"{s: {Image: '*\Users\Public*up?.exe'}, condition: s}", r"in users\public somewhere") == 1
