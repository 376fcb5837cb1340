"""SigmaHQ's Windows rules as lines with the fields they can be about, and kinds of fields with natural texts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from sigma_env.corpora import ensure_sources
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.engines.rule_cache import load_rules
from sigma_env.sigma.rule import FieldTest
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.schema import FieldSpec
from sigma_env.simulation.schemas import catalogue, resolve


class Line(NamedTuple):
    """A line of a rule and the different fields that its logsource gives it."""

    rule: str
    test: FieldTest
    specs: tuple[FieldSpec, ...]


@pytest.fixture(scope="session")
def windows_lines(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("rules")))
        loaded = load_rules([ensure_sources(["sigma"], mirror)["sigma"]])
    lines: dict[tuple[FieldTest, tuple[FieldSpec, ...]], Line] = {}
    for one in loaded:
        if one.rule is None or one.rule.logsource.product != "windows":
            continue
        schemas = catalogue().selectable(one.rule.logsource)
        for test in field_tests(one.rule.condition):
            if test.field is not None:
                found = (resolve(schema, test.field, one.rule.logsource.category) for schema in schemas)
                specs = tuple(dict.fromkeys(spec for spec in found if isinstance(spec, FieldSpec)))
                lines.setdefault((test, specs), Line(one.meta.id, test, specs))
    return list(lines.values())
