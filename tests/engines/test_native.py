"""The native engine against the row evaluator, which shares nothing with its way of matching."""

from typing import Any

from hypothesis import assume, given, settings

from sigma_env.engines.evaluator import DictEvent, trace
from sigma_env.engines.native import NativeEngine, required_event_ids
from sigma_env.events.store import EventStore
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from tests.engines.strategies import documents, events


def parsed(document: dict[str, Any]) -> Rule | None:
    try:
        return parse_rule(document)
    except RuleError:
        return None


@settings(max_examples=300, deadline=None)
@given(documents(), events())
def test_columns_and_rows_agree_on_every_event(document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rule = parsed(document)
    assume(rule is not None)
    assert rule is not None
    store = EventStore.from_documents(rows)
    [matches] = NativeEngine().match([rule], store)
    found = {store.ref(int(row)).position for row in matches.rows(store)}
    assert found == {i for i, row in enumerate(rows) if trace(rule.condition, DictEvent(row)).holds}
