"""SigmaHQ's Windows rules, a fixed sample of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sigma_env.corpora import ensure_sources
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.sigma.files import load_rules
from sigma_env.sigma.rule import Rule


@pytest.fixture(scope="session")
def sigmahq_rules(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    """Every rule for Windows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("sigma")))
        loaded = load_rules([ensure_sources(["sigma"], mirror)["sigma"]])
    return [one.rule for one in loaded if one.rule is not None and one.rule.logsource.product == "windows"]


@pytest.fixture(scope="session")
def sampled_rules(sigmahq_rules: list[Rule]) -> list[Rule]:
    """Every fortieth of them."""
    return sigmahq_rules[::40]
