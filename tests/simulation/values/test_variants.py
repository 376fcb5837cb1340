"""Other spellings of a text."""

import random

from hypothesis import given
from hypothesis import strategies as st

from sigma_env.simulation.schema import FieldKind as K
from sigma_env.simulation.schemas import cannot_hold
from sigma_env.simulation.values import variant
from tests.simulation.values.fields import NATURAL, SPECS


def variants(kind: K, text: str, n: int = 60, *, windash: bool = False) -> set[str]:
    return {variant(text, SPECS[kind], random.Random(seed), windash=windash) for seed in range(n)}


def test_command_lines() -> None:
    text = '"C:\\Windows\\System32\\certutil.exe" -urlcache -f a.txt -split b.txt'
    found = variants(K.COMMAND_LINE, text)
    assert "C:\\Windows\\System32\\certutil.exe -urlcache -f a.txt -split b.txt" in found
    assert "certutil.exe -urlcache -f a.txt -split b.txt" in found
    assert '"C:\\Windows\\System32\\certutil" -urlcache -f a.txt -split b.txt' in found
    assert any("  " in one for one in found)
    assert any(one.lower() == text.lower() and one != text for one in found)
    assert any("-split b.txt -urlcache" in one for one in found)
    assert not any("/urlcache" in one for one in found)


def test_other_dashes_only_where_the_rule_takes_them() -> None:
    found = variants(K.COMMAND_LINE, "certutil -urlcache -f a.txt", 200, windash=True)
    assert "certutil /urlcache /f a.txt" in found


def test_a_program_in_a_path_with_spaces_keeps_its_quotes() -> None:
    text = '"C:\\Program Files\\A\\a.exe" -x'
    assert not any(one.startswith("C:\\Program Files\\A\\a.exe ") for one in variants(K.COMMAND_LINE, text))


def test_encoded_text_keeps_its_case() -> None:
    blob = "JABzAD0ATgBlAHcALQBPAGIAagBlAGMAdAA="
    assert all(blob in one for one in variants(K.COMMAND_LINE, f"powershell -enc {blob}"))


def test_scripts_have_aliases() -> None:
    assert "iex $x" in variants(K.SCRIPT, "Invoke-Expression $x")


def test_keys_have_two_spellings_of_their_hive() -> None:
    text = "HKLM\\SOFTWARE\\Vendor\\Value"
    assert "HKLM\\Software\\Vendor\\Value" in variants(K.REGISTRY_KEY, text)


def test_kinds_without_other_spellings_stay_as_they_are() -> None:
    assert variants(K.GUID, NATURAL[K.GUID]) == {NATURAL[K.GUID]}
    assert variants(K.PORT, "443") == {"443"}


@given(st.sampled_from(sorted(SPECS)), st.integers(0, 2**32), st.booleans())
def test_a_variant_is_one_that_the_field_holds(kind: K, seed: int, windash: bool) -> None:
    text = variant(NATURAL[kind], SPECS[kind], random.Random(seed), windash=windash)
    assert cannot_hold(SPECS[kind], text) is None
    assert text == variant(NATURAL[kind], SPECS[kind], random.Random(seed), windash=windash)
