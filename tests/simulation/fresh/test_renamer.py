import re

from hypothesis import given
from hypothesis import strategies as st

from sigma_env.simulation.fresh import Renamer

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{2,14}", fullmatch=True)


@given(NAMES, st.integers(0, 9))
def test_a_new_name_has_the_length_the_casing_and_the_digits_of_the_old_one(name: str, seed: int) -> None:
    new = Renamer(["rundll32 powershell"], seed).name(name)
    assert new.lower() != name.lower()
    assert [c.isdigit() for c in new] == [c.isdigit() for c in name]
    assert [c.isupper() for c in new] == [c.isupper() for c in name]
    assert [c for c in new if c.isdigit()] == [c for c in name if c.isdigit()]


@given(st.lists(NAMES, min_size=1, max_size=30))
def test_one_old_name_has_one_new_one_in_any_casing_and_no_two_share_theirs(names: list[str]) -> None:
    renamer = Renamer(names, 0)
    new = {name.lower(): renamer.name(name).lower() for name in names}
    assert len(set(new.values())) == len(new)
    assert all(renamer.name(name.upper()).lower() == renamer.name(name).lower() == new[name.lower()] for name in names)


@given(st.lists(NAMES, min_size=1, max_size=30))
def test_new_names_occur_in_no_known_text(names: list[str]) -> None:
    known = "\\".join(names)
    renamer = Renamer([known], 0)
    words = set(re.findall(r"[a-z0-9]+", known.lower()))
    for name in names:
        new = renamer.name(name).lower()
        assert new not in words
        assert len(new) < 5 or not any(new in word for word in words)


def test_the_same_names_in_the_same_order_have_the_same_new_ones() -> None:
    names = ["mimikatz", "rundll32", "at", "w3wp", "PsExec"]
    first, again, other = Renamer(names, 1), Renamer(names, 1), Renamer(names, 2)
    assert [first.name(name) for name in names] == [again.name(name) for name in names]
    assert [first.name(name) for name in names] != [other.name(name) for name in names]


def test_hexadecimal_digits_keep_their_form() -> None:
    renamer = Renamer([], 0)
    for old in ("4590F811-1D3A-11D0-891F-00AA004B2E24", "d41d8cd98f00b204e9800998ecf8427e"):
        new = renamer.hexadecimal(old)
        assert new != old
        assert [c if c == "-" else "x" for c in new] == [c if c == "-" else "x" for c in old]
        assert new.isupper() == old.isupper()
        assert re.fullmatch(r"[0-9A-Fa-f-]+", new)
        assert renamer.hexadecimal(old) == new


def test_ports_keep_their_digits_and_are_unused() -> None:
    renamer = Renamer(["4444 8080"], 0)
    for old in (4444, 8080, 50050, 443):
        new = renamer.port(old)
        assert new != old
        assert len(str(new)) == len(str(old))
        assert new <= 65_000
        assert str(new) not in ("4444", "8080")
