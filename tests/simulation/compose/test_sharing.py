from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.compose import Composed, Shared, literals, shares
from sigma_env.tasks.split import Profile, clusters, why_near


def rule(field: str, value: object, **logsource: str) -> Rule:
    logsource = logsource or {"category": "process_creation"}
    document = {"logsource": {"product": "windows", **logsource}, "detection": {"s": {field: value}, "condition": "s"}}
    return parse_rule(document)


class TestLiterals:
    def test_they_are_texts_of_six_characters_or_more_in_lower_case(self) -> None:
        assert literals(rule("Image|endswith", ["\\Ventar.exe", "\\a.ex"])) == {"\\ventar.exe"}

    def test_wildcards_cut_them(self) -> None:
        assert literals(rule("CommandLine", "*ventar*lo?korvan")) == {"ventar", "korvan"}

    def test_of_an_expression_they_are_its_plain_text(self) -> None:
        assert literals(rule("CommandLine|re", r"\\ventar[0-9]{2,4}\.korvan(abc|defghi)?\s")) == {
            "\\ventar",
            ".korvan",
            "defghi",
        }  # fmt: skip

    def test_what_the_events_form_decides_is_none(self) -> None:
        assert not literals(rule("IntegrityLevel", "System"))
        assert not literals(rule("Provider_Name", "Service Control Manager", service="system"))
        assert not literals(rule("Details", "DWORD (0x00000001)", category="registry_set"))
        assert not literals(rule("DestinationPort", 445, category="network_connection"))


class TestShares:
    def test_equal_literals_are_shared_whatever_their_case_and_field(self) -> None:
        found = shares([rule("Image", "C:\\Ventar.exe")], [rule("CommandLine", "c:\\VENTAR.exe")])
        assert found == [Shared("c:\\ventar.exe", "c:\\ventar.exe")]

    def test_so_are_parts_of_literals_on_either_side(self) -> None:
        short, long = rule("Image|contains", "ventar"), rule("Image|endswith", "\\xventar.exe")
        assert shares([short], [long]) == shares([long], [short]) == [Shared("ventar", "\\xventar.exe")]

    def test_parts_of_fewer_than_six_characters_are_not(self) -> None:
        assert not shares([rule("Image|endswith", "\\ventar.exe")], [rule("Image|endswith", "\\korvan.exe")])


def test_held_out_rules_share_no_literal_with_forty_thousand_training_rules(
    training: list[Composed], tests_rules: list[Composed]
) -> None:
    assert len(training) >= 40_000
    assert len(tests_rules) >= 300
    assert not shares([one.rule for one in training], [one.rule for one in tests_rules])


def test_nearly_every_rule_has_a_literal_to_be_known_by(training: list[Composed], tests_rules: list[Composed]) -> None:
    for rules in (training, tests_rules):
        assert sum(bool(literals(one.rule)) for one in rules) > 0.95 * len(rules)


def profile(composed: Composed) -> Profile:
    values = {str(value.written).lower() for test in field_tests(composed.rule.condition) for value in test.values}
    return Profile(composed.text, frozenset(), frozenset(values), frozenset())


def test_held_out_rules_stand_in_more_than_a_hundred_families_and_clusters(tests_rules: list[Composed]) -> None:
    assert len({one.family for one in tests_rules}) >= 100
    assert len(clusters([profile(one) for one in tests_rules])) >= 100


def test_no_held_out_rule_is_near_to_a_training_rule(training: list[Composed], tests_rules: list[Composed]) -> None:
    assert not {one.family for one in training} & {one.family for one in tests_rules}
    held = [profile(one) for one in tests_rules]
    near = [why_near(mine, theirs) for mine in map(profile, training[::20]) for theirs in held]
    assert set(near) == {None}
