"""The native engine on SigmaHQ's rules and the public logs."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.evaluator import StoredEvent, trace
from sigma_env.engines.native import NativeEngine, selects
from tests.real import Real


def test_every_windows_rule_parses_but_the_two_that_use_expand(real: Real) -> None:
    refused = [one for one in real.rules if one.rule is None]
    assert len(real.rules) == 2_858
    assert [one.path.name for one in refused] == [
        "win_security_adcs_certighost_cdc_chase_request.yml",
        "win_security_adcs_certighost_cert_issued_via_chase.yml",
    ]
    assert all("expand" in (one.reason or "") for one in refused)


def regression_tests(root: Path) -> list[tuple[str, str, int]]:
    """(rule id, log file relative to regression_data, least number of matches) of SigmaHQ's own EVTX tests."""
    found = []
    for info in sorted(root.glob("regression_data/**/info.yml")):
        document: dict[str, Any] = yaml.safe_load(info.read_text(encoding="utf-8"))
        for test in document.get("regression_tests_info") or ():
            if test["type"] == "evtx":
                name = test["path"].removeprefix("regression_data/")
                found.append((document["rule_metadata"][0]["id"], name, test.get("match_count", 1)))
    return found


def test_sigmahq_s_own_regression_tests_pass(real: Real) -> None:
    """As SigmaHQ judges: the rule fires on its log at least as often as expected."""
    rules = {one.meta.id: one.rule for one in real.rules}
    index = {name: i for i, file in enumerate(real.store.files) for name in (file.name, *file.aliases)}
    tests = regression_tests(real.sigma)
    failed = []
    for rule_id, name, expected in tests:
        rule = rules[rule_id]
        assert rule is not None
        rows = set(real.store.rows_of_file(index[f"regression_data/{name}"]).tolist())
        matched = rows & set(NativeEngine().match_rule(rule, real.store).rows(real.store).tolist())
        if len(matched) < expected:
            failed.append((rule_id, name, len(matched), expected))
    assert failed == []
    assert len(tests) == 202


@pytest.fixture(scope="module")
def results(real: Real) -> dict[str, Matches]:
    rules = [one for one in real.rules if one.rule is not None]
    found = NativeEngine().match([one.rule for one in rules if one.rule is not None], real.store)
    assert not any(isinstance(one, Unsupported) for one in found)
    return {one.meta.id: result for one, result in zip(rules, found, strict=True) if isinstance(result, Matches)}


def test_what_fires_on_the_public_logs(real: Real, results: dict[str, Matches]) -> None:
    """docs/meaning.md says where these counts differ from those of an engine with a looser meaning, and why."""
    assert real.store.n_events == 25_298
    assert len(real.store.files) == 790
    assert sum(map(bool, results.values())) == 678
    assert sum(map(len, results.values())) == 7_615


def test_the_row_evaluator_agrees_on_the_public_logs(real: Real, results: dict[str, Matches]) -> None:
    """Each event that a rule matches, and as many that its logsource selects besides, judged one by one."""
    disagreements: Counter[str] = Counter()
    judged = 0
    for one in real.rules:
        rule = one.rule
        if rule is None or not results[one.meta.id]:
            continue
        rows = {int(row) for row in results[one.meta.id].rows(real.store)}
        others = {(row * 7_919 + 13) % real.store.n_events for row in rows}
        for row in sorted(rows | others):
            event = StoredEvent.at(real.store, row, rule.logsource.category)
            holds = selects(rule.logsource, real.store, row) and trace(rule.condition, event).holds
            disagreements[one.path.name] += holds != (row in rows)
            judged += 1
    assert +disagreements == Counter()
    assert judged > 10_000
