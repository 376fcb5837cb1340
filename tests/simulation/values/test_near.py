"""Near misses of a pattern."""

import random
import re
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.engines.evaluator import value_holds
from sigma_env.sigma.rule import Null, Regex, Text
from sigma_env.simulation.schema import FieldKind as K
from sigma_env.simulation.schemas import cannot_hold
from sigma_env.simulation.values import Need, miss, misses, solve
from tests.simulation.values.conftest import Line
from tests.simulation.values.fields import NATURAL, SPECS, natural_of
from tests.simulation.values.test_solver import some_needs
from tests.simulation.values.written import need


def near(kind: K, text: str, one: Need, count: int = 8, seed: int = 1, **options: object) -> list[str]:
    found = list(islice(misses(text, one, SPECS[kind], random.Random(seed), **options), count))  # type: ignore[arg-type]
    assert len(set(found)) == len(found)
    for other in found:
        assert isinstance(one.pattern, Null) or not value_holds(one.pattern, other)
        assert cannot_hold(SPECS[kind], other) is None
    return found


def test_hashes_can_lack_an_algorithm() -> None:
    (text,) = near(K.HASHES, f"MD5={'A' * 32},IMPHASH={'B' * 32}", need("IMPHASH=", "contains"))[:1]
    assert text == f"MD5={'A' * 32}"


def test_a_program_on_a_share_has_no_drive() -> None:
    one = Need(Regex("[a-zA-Z]:\\\\"), "[a-zA-Z]:\\\\")
    found = near(K.IMAGE, "C:\\Tools\\x.exe", one)
    assert any(re.fullmatch(r"\\\\SRV-\w+\\C\$\\Tools\\x\.exe", text) for text in found)


class TestSloppyPatternsStillAccept:
    def test_a_literal_cut_at_its_end(self) -> None:
        found = near(K.IMAGE, "C:\\Tools\\certutil.exe", need("\\certutil.exe", "endswith"))
        assert any("\\certu" in text and text.endswith(".exe") for text in found)

    def test_a_literal_cut_at_its_begin(self) -> None:
        found = near(K.IMAGE, "C:\\Tools\\certutil.exe", need("\\certutil.exe", "endswith"))
        assert any(text.endswith("certutil.exe") for text in found)

    def test_anywhere_instead_of_at_the_end(self) -> None:
        found = near(K.FILE, "C:\\Tools\\plan.docx", need("\\plan.docx", "endswith"))
        assert any("\\plan.docx" in text for text in found)

    def test_anywhere_instead_of_at_the_begin(self) -> None:
        found = near(K.COMMAND_LINE, "powershell -enc AAAA", need("powershell ", "startswith"))
        assert any("powershell " in text for text in found)

    def test_another_extension(self) -> None:
        found = near(K.FILE, "C:\\Temp\\a.ps1", need(".ps1", "endswith"))
        assert any(text.startswith("C:\\Temp\\a.p") for text in found)

    def test_in_a_command_line(self) -> None:
        text = "certutil.exe -urlcache -f http://files.example/a.txt"
        found = near(K.COMMAND_LINE, text, need("-urlcache", "contains"))
        assert all("-f http" in other for other in found[:3])
        assert any("-urlc" in other for other in found)

    def test_on_the_windows_rules(self, windows_lines: list[Line]) -> None:
        """Of literals of 5 characters or more, over half are told from one without its last or first two characters."""
        cut: Counter[tuple[str, bool]] = Counter()
        for line in windows_lines:
            for written in line.test.values[:3]:
                pattern = written.alternatives[0]
                if not line.specs or not isinstance(pattern, Text) or len(pattern.text) < 5:
                    continue
                spec, one = line.specs[0], Need(pattern, str(written.written))
                text = solve([one], [], spec, random.Random(line.rule), natural_of(spec))
                if text is None or spec.kind is K.ENUM:
                    continue
                found = [other.lower() for other in islice(misses(text, one, spec, random.Random(line.rule)), 5)]
                assert not any(value_holds(pattern, other) for other in found)
                cut["end", any(pattern.text[:-2] in other for other in found)] += 1
                cut["begin", any(pattern.text[2:] in other for other in found)] += 1
        for side in ("end", "begin"):
            assert cut[side, True] > 0.5 * (cut[side, True] + cut[side, False])


class TestKinds:
    def test_an_address_just_outside(self) -> None:
        found = near(K.IP, "172.16.3.4", need("172.16.0.0/12", "cidr"))
        assert any(text.startswith(("172.15.", "172.32.")) for text in found)

    def test_a_number_just_beyond(self) -> None:
        assert "8000" in near(K.NUMBER, "8005", need(8000, "gt"))
        assert "7999" in near(K.NUMBER, "8005", need(8000, "gte"))
        assert "9001" in near(K.PORT, "8005", need(9000, "lte"))

    def test_a_digit_of_a_port(self) -> None:
        assert all(text.isdigit() and int(text) < 65_536 for text in near(K.PORT, "3389", need(3389)))

    def test_another_choice(self) -> None:
        assert set(near(K.ENUM, "High", need("High"))) == {"System", "Medium", "Low"}

    def test_a_hash_stays_a_hash(self) -> None:
        found = near(K.HASHES, NATURAL[K.HASHES], need("IMPHASH=272245E2988E1E430500B852C4FB5E18", "contains"))
        assert found
        assert all(text.count("=") == 4 for text in found)

    def test_null_is_missed_by_any_text(self) -> None:
        assert near(K.IMAGE, NATURAL[K.IMAGE], Need(Null(), ""))[0] == NATURAL[K.IMAGE]

    def test_the_empty_text_is_missed_by_a_filled_one(self) -> None:
        assert all(near(K.VERSION_INFO, "", need("")))

    def test_any_text_cannot_be_missed(self) -> None:
        assert near(K.TEXT, "x", need("*")) == []

    def test_an_expression(self) -> None:
        text = "C:\\Windows\\__1234567890.12"
        assert near(K.FILE, text, need(r"\\__1\d{9}\.\d{1,7}$", "re"))

    @pytest.mark.parametrize("kind", [K.REGISTRY_KEY, K.PIPE, K.TASK_NAME, K.HOST_NAME, K.USER, K.URL])
    def test_every_kind_has_several(self, kind: K) -> None:
        assert len(near(kind, NATURAL[kind], need(NATURAL[kind].replace("\\", "\\\\")))) >= 4


class TestLimits:
    def test_what_must_hold_holds(self) -> None:
        keep = [need("\\Temp\\", "contains"), need("C:\\", "startswith")]
        found = near(K.FILE, "C:\\Temp\\a.exe", need("\\a.exe", "endswith"), keep=keep)
        assert found
        assert all("\\Temp\\" in text and text.startswith("C:\\") for text in found)

    def test_what_is_forbidden_does_not(self) -> None:
        others = [need(f"\\{name}.exe", "endswith").pattern for name in ("pwsh", "wscript")]
        found = near(K.IMAGE, "C:\\a\\powershell.exe", need("\\powershell.exe", "endswith"), forbid=others)
        assert found
        assert not any(value_holds(pattern, text) for pattern in others for text in found)

    def test_numbers_name_different_texts(self) -> None:
        one, spec = need("\\cmd.exe", "endswith"), SPECS[K.IMAGE]
        found = [miss("C:\\a\\cmd.exe", one, spec, random.Random(3), number=number) for number in range(4)]
        assert None not in found
        assert len(set(found)) == 4
        assert found == list(islice(misses("C:\\a\\cmd.exe", one, spec, random.Random(3)), 4))


@given(some_needs(), st.sampled_from(sorted(SPECS)), st.integers(0, 2**32))
def test_a_miss_misses(one: Need, kind: K, seed: int) -> None:
    text = solve([one], [], SPECS[kind], random.Random(seed), NATURAL[kind])
    if text is not None:
        found = near(kind, text, one, count=5, seed=seed)
        assert text not in found
        assert near(kind, text, one, count=5, seed=seed) == found
