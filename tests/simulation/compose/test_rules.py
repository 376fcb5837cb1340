from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.errors import OptionError
from sigma_env.sigma.answer import parse_answer
from sigma_env.sigma.rewrite import fenced
from sigma_env.sigma.rule import LogSource
from sigma_env.sigma.taxonomy import select
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.cases import make_cases
from sigma_env.simulation.compose import Composed, compose, held_out
from sigma_env.simulation.compose.structure import sources
from sigma_env.simulation.requests import full_plan
from sigma_env.simulation.schemas import catalogue, resolve
from sigma_env.simulation.world import Company

_SHAPES = (
    "selection and not filter",
    "selection and not 1 of filter_*",
    "all of selection_*",
    "1 of selection_*",
    "1 of selection_* and not 1 of filter_*",
    "selection and 1 of selection_*",
)


def test_forty_thousand_different_rules_come_on_demand(training: list[Composed]) -> None:
    assert len({one.text.lower() for one in training}) == len(training) == 40_000
    assert len({one.rule.meta.id for one in training}) == 40_000


def test_every_rule_is_an_answer_that_earns_the_maximum(training: list[Composed]) -> None:
    for one in training[::40]:
        answer = parse_answer(fenced(one.text))
        assert answer.status == "ok"
        assert answer.rule is not None
        assert answer.rule.condition == one.rule.condition
        assert select(one.rule.logsource).targets


def test_answers_are_short(training: list[Composed]) -> None:
    sizes = sorted(len(fenced(one.text)) for one in training)
    assert sizes[int(0.9 * len(sizes))] <= 400
    assert sizes[-1] <= 900


def test_rules_have_the_shapes_modifiers_and_logsources_of_real_ones(training: list[Composed]) -> None:
    conditions = Counter(one.rule.conditions[0] for one in training)
    assert conditions["selection"] > 0.3 * len(training)
    for shape in _SHAPES:
        assert conditions[shape] > 100, shape
    tests = [test for one in training[:8000] for test in field_tests(one.rule.condition)]
    modifiers = Counter("|".join(test.modifiers) for test in tests)
    for expected in (
        "",
        "contains",
        "startswith",
        "endswith",
        "contains|all",
        "re",
        "contains|windash",
        "cidr",
        "exists",
    ):
        assert modifiers[expected] > 5, expected
    assert modifiers["re"] < 0.05 * modifiers.total()
    assert {str(one.rule.logsource) for one in training} == {
        str(LogSource(source.logsource.get("category"), "windows", source.logsource.get("service")))
        for source in sources()
    }
    written = {type(value.written) for test in tests for value in test.values}
    assert written == {str, int, bool, type(None)}


def test_titles_and_descriptions_tell_nothing(training: list[Composed]) -> None:
    assert all(not one.rule.meta.title and not one.rule.meta.description for one in training)


def test_every_field_is_one_of_the_events_that_the_logsource_selects() -> None:
    for source in sources():
        logsource = LogSource(source.logsource.get("category"), "windows", source.logsource.get("service"))
        schemas = catalogue().selectable(logsource)
        for field in (*source.always, *(field.name for field in source.fields)):
            assert any(resolve(schema, field, logsource.category) is not None for schema in schemas), field


def test_every_rule_can_be_satisfied_in_every_way() -> None:
    company = Company.default(0)
    for one in (*islice(held_out(3), 20), *compose(3, 20)):
        cases = make_cases(full_plan(one.rule), company, 0)
        assert [draft for draft in cases.drafts if draft.role == "positive"], one.text
        assert not cases.unsatisfiable, one.text


def test_the_easiest_rules_have_one_line_with_one_value() -> None:
    for one in compose(5, 200, difficulty=(0, 0)):
        own = [test for test in field_tests(one.rule.condition) if test.field not in ("EventID", "Provider_Name")]
        assert [len(test.values) for test in own] == [1], one.text
        assert one.difficulty == 0


def test_harder_rules_are_longer() -> None:
    def mean(difficulty: tuple[float, float]) -> float:
        sizes = [len(one.text) for one in compose(6, 300, difficulty=difficulty)]
        return sum(sizes) / len(sizes)

    assert mean((0, 0.1)) < mean((0.3, 0.4)) < mean((0.8, 1.0))


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 20))
def test_the_same_seed_gives_the_same_rules_and_a_larger_count_more(seed: int, count: int) -> None:
    first = [one.text for one in compose(seed, count)]
    assert first == [one.text for one in islice(compose(seed, count + 5), count)]
    assert [one.text for one in compose(seed + 1, count)] != first


def test_rules_of_a_family_speak_of_the_same_things() -> None:
    families: dict[str, list[str]] = {}
    for one in compose(7, 80):
        families.setdefault(one.family, []).append(one.text)
    assert len(families) >= 20
    assert max(map(len, families.values())) == 4


@pytest.mark.parametrize("difficulty", [(-0.1, 1), (0, 1.1), (0.6, 0.5)])
def test_a_difficulty_that_is_none_is_refused(difficulty: tuple[float, float]) -> None:
    with pytest.raises(OptionError, match="from 0 to 1"):
        next(compose(1, 1, difficulty=difficulty))
