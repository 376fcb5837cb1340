from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE, cache_dir, cache_root


def test_the_cache_is_the_platforms_unless_a_variable_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert cache_root() == Path(platformdirs.user_cache_dir("sigmaforge", appauthor=False))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "elsewhere"))
    assert cache_root() == tmp_path / "elsewhere"


def test_a_relative_cache_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, "here")
    assert cache_root() == tmp_path / "here"


def test_folders_are_made_when_asked_for(cache: Path) -> None:
    assert not cache.exists()
    folder = cache_dir("stores", "abc")
    assert folder == cache / "stores" / "abc"
    assert folder.is_dir()
    assert cache_dir("stores", "abc") == folder


@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "/etc", "a\\b", "a\0b"])
def test_no_part_leads_out_of_the_cache(cache: Path, part: str) -> None:
    with pytest.raises(ValueError, match="not the name of one folder"):
        cache_dir("stores", part)
    assert not cache.exists()
