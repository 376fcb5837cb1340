"""Expressions and wildcard patterns whose text must also have given words in their places."""

import random

import pytest

from sigma_env.engines.evaluator import value_holds
from sigma_env.simulation.schema import FieldKind as K
from sigma_env.simulation.values import Need, solve
from sigma_env.simulation.values.jointly import Words, write_jointly
from tests.simulation.values.fields import NATURAL, SPECS
from tests.simulation.values.written import need

_ADDRESS = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"

JOINT = [
    (K.TEXT, (need(f"^(cifs|HTTP)/{_ADDRESS}$", "re"), need("cifs/10.30.2.", "startswith"))),
    (K.FILE, (need("C:\\inetpub\\\\*\\\\*.as?x"), need("\\wwwroot\\", "contains"))),
    (K.FILE, (need("C:\\inetpub\\\\*\\\\*.as?x"), need(":\\inetpub\\temp\\", "contains"))),
    (K.PIPE, (need(r"^\\[a-z]{4,10}-[a-z]{2,4}-\d{4}$", "re", "i"), need("\\PSEXESVC-ADM-", "startswith"))),
    (
        K.COMMAND_LINE,
        (
            need(r"^\S+ -e[nc]+ [A-Za-z0-9]+=*$", "re"),
            need("powershell", "startswith"),
            need("JAB", "contains"),
            need("==", "endswith"),
        ),
    ),
]


@pytest.mark.parametrize(("kind", "needs"), JOINT, ids=[case[1][0].written for case in JOINT])
def test_a_text_satisfies_the_expression_and_the_words(kind: K, needs: tuple[Need, ...]) -> None:
    for seed in range(20):
        text = solve(needs, (), SPECS[kind], random.Random(seed), NATURAL[kind])
        assert text is not None
        assert all(value_holds(one.pattern, text) for one in needs)


def test_words_keep_their_authors_casing() -> None:
    one = need(r"^\\[a-z]{4,10}-[a-z]{2,4}-\d{4}$", "re", "i")
    text = write_jointly(one, Words("\\PSEXESVC-ADM-", "", ()), random.Random(1))
    assert text is not None
    assert text.startswith("\\PSEXESVC-ADM-")


def test_what_contradicts_the_expression_has_no_text() -> None:
    assert write_jointly(need(r"^[0-9]+$", "re"), Words("a", "", ()), random.Random(1)) is None
    assert write_jointly(need("abc*"), Words("", "", ("\n",)), random.Random(1)) is None
    assert write_jointly(need(r"^[0-9]{2}$", "re"), Words("", "", ("123",)), random.Random(1)) is None


def test_an_expression_that_is_open_to_all_goes_to_an_end() -> None:
    one = need("(.*x?)*" * 8 + "$", "re")
    assert write_jointly(one, Words("", "", ("\u0416",)), random.Random(1)) is None
