"""Texts that satisfy a rule's lines."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.engines.evaluator import value_holds
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.rule import Exists, FieldRef, Null, Pattern, Text
from sigma_env.simulation.schema import FieldKind as K
from sigma_env.simulation.schema import FieldSpec
from sigma_env.simulation.schemas import cannot_hold
from sigma_env.simulation.values import Need, needs_of, solve
from tests.simulation.values.conftest import Line
from tests.simulation.values.fields import NATURAL, SPECS, natural_of
from tests.simulation.values.written import need, value


def solved(kind: K, *needs: Need, seed: int = 1, forbid: tuple[Pattern, ...] = (), natural: str | None = None) -> str:
    text = solve(needs, forbid, SPECS[kind], random.Random(seed), NATURAL[kind] if natural is None else natural)
    assert text is not None
    assert all(value_holds(one.pattern, text) for one in needs)
    assert not any(value_holds(pattern, text) for pattern in forbid)
    return text


class TestLittleIsChanged:
    def test_a_natural_text_that_will_do_is_kept(self) -> None:
        assert solved(K.IMAGE, need("\\svchost.exe", "endswith")) == NATURAL[K.IMAGE]

    def test_a_program_keeps_its_directory(self) -> None:
        assert solved(K.IMAGE, need("\\CertUtil.exe", "endswith")) == "C:\\Windows\\System32\\CertUtil.exe"

    def test_a_directory_keeps_the_programs_name(self) -> None:
        text = solved(K.IMAGE, need("\\AppData\\", "contains"))
        assert text.startswith("C:\\Users\\")
        assert text.endswith("\\svchost.exe")

    def test_a_command_line_keeps_its_program(self) -> None:
        text = solved(K.COMMAND_LINE, need(" -urlcache ", "contains"), need("http", "contains"))
        assert text.startswith('"C:\\Windows\\System32\\cmd.exe" ')

    def test_other_hashes_stay(self) -> None:
        text = solved(K.HASHES, need("IMPHASH=ABCDEF0123456789ABCDEF0123456789", "contains"))
        assert text.split(",")[:3] == NATURAL[K.HASHES].split(",")[:3]

    def test_a_long_text_keeps_what_it_says(self) -> None:
        natural = "The service entered the running state after the update."
        assert solved(K.TEXT, need("Defender", "contains"), natural=natural).startswith(natural)


class TestForms:
    def test_a_drive_is_put_before_a_path(self) -> None:
        assert solved(K.FILE, need(":\\Temp\\a.txt", "endswith")) == "C:\\Temp\\a.txt"

    def test_parts_of_one_path_become_one_path(self) -> None:
        text = solved(K.COMMAND_LINE, need(":\\Users\\", "contains"), need("\\Pictures\\", "contains"))
        assert text.count(":\\Users\\") == 1

    def test_a_server_gets_a_share(self) -> None:
        text = solved(K.IMAGE, need("\\\\\\\\", "startswith"))
        assert text.startswith("\\\\")
        assert text.count("\\") >= 4

    def test_base64_stands_inside_a_longer_text(self) -> None:
        (first, *_) = needs_of(value("DownloadString", "wide", "base64offset", "contains"))
        text = solved(K.COMMAND_LINE, first)
        assert first.written in text
        blob = next(word for word in text.split(" ") if first.written in word)
        assert len(blob) > len(first.written) + 8

    @pytest.mark.parametrize(
        ("written", "among"), [("AUTHORI", "NT AUTHORITY\\"), ("AUTORI", "AUTORI"), ("\\SYSTEM", "\\SYSTEM")]
    )
    def test_accounts_of_the_system(self, written: str, among: str) -> None:
        assert among in solved(K.USER, need(written, "contains"))

    def test_an_address_lies_in_the_network(self) -> None:
        assert solved(K.IP, need("172.16.0.0/12", "cidr")).startswith("172.")
        assert ":" in solved(K.IP, need("fe80::/10", "cidr"))

    def test_networks_can_be_left(self) -> None:
        assert solved(K.IP, forbid=(need("10.0.0.0/8", "cidr").pattern,)) != NATURAL[K.IP]

    @pytest.mark.parametrize("kind", [K.NUMBER, K.PORT])
    def test_numbers_lie_within_their_bounds(self, kind: K) -> None:
        assert 8000 < int(solved(kind, need(8000, "gt"), need(9000, "lte"))) <= 9000

    def test_hexadecimal_fields_stay_hexadecimal(self) -> None:
        spec = FieldSpec("GrantedAccess", "hex32", K.NUMBER)
        for one in (need("1A", "endswith"), need(0x1000, "gt")):
            text = solve([one], [], spec, random.Random(1), "0x1000")
            assert text is not None
            assert text.startswith("0x")
            assert value_holds(one.pattern, text)

    def test_an_enum_is_one_of_its_choices(self) -> None:
        spec = SPECS[K.ENUM]
        for seed in range(5):
            assert solve([], [Text("equals", "high")], spec, random.Random(seed), "High") in spec.choices
        assert solve([need("Extreme")], [], spec, random.Random(1), "High") is None

    def test_an_empty_text(self) -> None:
        assert solved(K.VERSION_INFO, need("")) == ""


class TestForbidden:
    def test_other_filler_is_chosen(self) -> None:
        forbid = tuple(
            need(text, "startswith").pattern
            for text in ("C:\\Windows\\", "C:\\Program Files\\", "C:\\Program Files (x86)\\")
        )
        assert solved(K.IMAGE, need("\\cmd.exe", "endswith"), forbid=forbid).endswith("\\cmd.exe")

    def test_what_is_required_and_forbidden_has_no_text(self) -> None:
        one = need("\\cmd.exe", "endswith")
        assert solve([one], [one.pattern], SPECS[K.IMAGE], random.Random(1), NATURAL[K.IMAGE]) is None

    def test_presence_cannot_be_forbidden(self) -> None:
        assert solve([], [Exists(True)], SPECS[K.TEXT], random.Random(1), "x") is None
        assert solve([], [Null()], SPECS[K.TEXT], random.Random(1), "x") == "x"

    def test_null_has_no_text(self) -> None:
        assert solve([Need(Null(), "")], [], SPECS[K.TEXT], random.Random(1), "x") is None


def test_the_windows_rules(windows_lines: list[Line]) -> None:
    """99.5 % of the written values have a text; a whole text without one is one that its field cannot hold."""
    outcome: Counter[bool] = Counter()
    for line in windows_lines:
        for written in line.test.values[:40]:
            one = needs_of(written)[0]
            if not line.specs or isinstance(one.pattern, Null | Exists | FieldRef):
                continue
            texts = [solve([one], [], spec, random.Random(line.rule), natural_of(spec)) for spec in line.specs[:3]]
            found = [text for text in texts if text is not None]
            outcome[bool(found)] += 1
            if found:
                assert value_holds(one.pattern, found[0])
            elif isinstance(one.pattern, Text) and one.pattern.op == "equals":
                assert all(cannot_hold(spec, one.written) is not None for spec in line.specs[:3])
    assert outcome[False] <= 0.005 * outcome.total()


def test_lists_of_the_windows_rules_that_must_hold_together(windows_lines: list[Line]) -> None:
    outcome: Counter[bool] = Counter()
    for line in windows_lines:
        if line.test.all and len(line.test.values) > 1 and line.specs:
            needs = [needs_of(written)[0] for written in line.test.values]
            texts = [solve(needs, [], spec, random.Random(line.rule), natural_of(spec)) for spec in line.specs[:2]]
            outcome[any(text is not None for text in texts)] += 1
    assert outcome.total() > 500
    assert outcome[False] <= 0.005 * outcome.total()


words = st.text(st.sampled_from("aBcXyZ019 .-_\\/:=$%()[]{}\"'é*?"), min_size=1, max_size=14)
modifiers = st.sampled_from(
    [(), ("contains",), ("startswith",), ("endswith",), ("cased",), ("cased", "contains"), ("windash", "contains"),
     ("base64offset", "contains"), ("wide", "base64offset", "contains"), ("re",)]
)  # fmt: skip
numbers = st.tuples(st.integers(0, 70_000), st.sampled_from(["gt", "gte", "lt", "lte"]))
networks = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: f"{'.'.join(str(pair[0] >> s & 255) for s in (24, 16, 8, 0))}/{pair[1]}"
)


@st.composite
def some_needs(draw: st.DrawFn) -> Need:
    match draw(st.integers(0, 9)):
        case 0:
            number, op = draw(numbers)
            return need(number, op)
        case 1:
            return need(
                draw(st.sampled_from(["10.0.0.0/8", "192.168.4.0/30", "::1/128", "fe80::/10", "8.8.8.8/32"])), "cidr"
            )
    try:
        return draw(st.sampled_from(needs_of(value(draw(words), *draw(modifiers)))))
    except RuleError:
        return need("plain", "contains")


@given(
    st.lists(some_needs(), max_size=3),
    st.lists(some_needs(), max_size=2),
    st.sampled_from(sorted(SPECS)),
    st.integers(0, 2**32),
)
def test_a_text_satisfies_what_was_asked(needs: list[Need], forbidden: list[Need], kind: K, seed: int) -> None:
    forbid = [one.pattern for one in forbidden]
    text = solve(needs, forbid, SPECS[kind], random.Random(seed), NATURAL[kind])
    if text is not None:
        assert all(value_holds(one.pattern, text) for one in needs)
        assert not any(value_holds(pattern, text) for pattern in forbid)
        assert cannot_hold(SPECS[kind], text) is None


@given(st.lists(some_needs(), max_size=3), st.sampled_from(sorted(SPECS)), st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_text(needs: list[Need], kind: K, seed: int) -> None:
    first = solve(needs, [], SPECS[kind], random.Random(seed), NATURAL[kind])
    solve([need("between", "contains")], [], SPECS[kind], random.Random(seed + 1), NATURAL[kind])
    assert solve(needs, [], SPECS[kind], random.Random(seed), NATURAL[kind]) == first


@given(
    st.text(st.sampled_from("abCD12"), min_size=2, max_size=10), st.sampled_from(["contains", "startswith", "endswith"])
)
def test_a_plain_word_always_has_a_text(word: str, op: str) -> None:
    """In every kind of field that holds words."""
    for kind in (K.TEXT, K.COMMAND_LINE, K.SCRIPT, K.VERSION_INFO, K.SERVICE_NAME, K.ACCOUNT, K.REGISTRY_DATA):
        assert solve([need(word, op)], [], SPECS[kind], random.Random(word), NATURAL[kind]) is not None
