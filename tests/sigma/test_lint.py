"""The linter: what each check finds, and what it must not take for a fault."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.sigma.errors import RulesNotFound
from sigma_env.sigma.event_fields import fields_of, system_fields
from sigma_env.sigma.limits import RULE_LIMITS
from sigma_env.sigma.lint.chainsaw import _refused_at, load_as_chainsaw, touched
from sigma_env.sigma.lint.checks import CHECKS, Finding, Level, is_check
from sigma_env.sigma.lint.constraints import contradiction, demands
from sigma_env.sigma.lint.places import line_and_column
from sigma_env.sigma.lint.pysigma import PySigmaChecks
from sigma_env.sigma.lint.run import lint, lint_text
from sigma_env.sigma.modifiers import make_value, parse_chain
from sigma_env.sigma.rule import FieldTest
from sigma_env.sigma.switches import Switch
from tests.real import Real
from tests.sigma.mutations import Mutator

PROCESS = "{category: process_creation, product: windows}"
SECURITY = "{service: security, product: windows}"
DOCUMENT = Path(__file__).parent.parent.parent / "docs/lint.md"


def text_of(detection: str, logsource: str = PROCESS) -> str:
    """A rule with this detection, whose lines begin at line 5."""
    lines = "\n".join(f"  {line}" for line in detection.strip("\n").splitlines())
    return f"title: A rule\ndescription: It is one.\nlogsource: {logsource}\ndetection:\n{lines}\n"


def findings(text: str) -> list[Finding]:
    return [finding for _, _, found in lint_text(text, Path("rule.yml")) for finding in found]


def checks(detection: str, logsource: str = PROCESS) -> set[str]:
    """The ids of what is found, but for Chainsaw's."""
    return {f.check for f in findings(text_of(detection, logsource)) if not f.check.startswith("chainsaw")}


def one_of(field: str, value: str, logsource: str = PROCESS) -> set[str]:
    return checks(f"s: {{{field}: {value}}}\ncondition: s", logsource)


# ---------------------------------------------------------------- what is no rule


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("a: [", "bad-yaml"),
        ("", "bad-yaml"),
        ("- a", "invalid-rule"),
        ("title: x\nlogsource: {product: windows}\n", "invalid-rule"),
        (text_of("s: {A|nonsense: 1}\ncondition: s"), "invalid-rule"),
        (text_of("s: {A|expand: '%x%'}\ncondition: s"), "unsupported"),
        (text_of("s: {A: 1}\ncondition: s | count() > 3"), "unsupported"),
        ("action: global\ntitle: x\n", "unsupported"),
        (text_of(f"s: {{A|contains: '{'a' * 9000}'}}\ncondition: s"), "too-complex"),
        (text_of("s: {Image: x}\ncondition: s", "{category: proces_creation, product: windows}"), "unknown-logsource"),
        (text_of("s: {Image: x}\ncondition: s", "{service: secruity, product: windows}"), "unknown-logsource"),
        (text_of("s: {FileName: x}\ncondition: s", "{category: file_access, product: windows}"), "no-event-source"),
        (text_of("s: {a: x}\ncondition: s", "{service: auditd, product: linux}"), "not-windows"),
        (text_of("s: {c-uri: x}\ncondition: s", "{category: proxy}"), "not-windows"),
    ],
)
def test_what_does_not_run_is_named(text: str, check: str) -> None:
    assert check in [finding.check for finding in findings(text)]


def test_a_sound_rule_has_no_finding() -> None:
    detection = r"""
selection:
  Image|endswith: '\whoami.exe'
  CommandLine|contains: '/all'
filter:
  User|contains: 'AUTHORI'
condition: selection and not filter
"""
    assert checks(detection) == set()


def test_a_misspelled_category_gets_the_nearest() -> None:
    text = text_of("s: {Image: x}\ncondition: s", "{category: proces_creation, product: windows}")
    assert "'process_creation'" in findings(text)[0].message


# ---------------------------------------------------------------- fields


def test_an_unknown_field_gets_the_nearest() -> None:
    [finding] = [f for f in findings(text_of("s: {Comandline: x}\ncondition: s")) if f.check == "unknown-field"]
    assert finding.fix == "write 'CommandLine'"
    assert finding.at == ("detection", "s", "Comandline")


@pytest.mark.parametrize(
    ("field", "logsource"),
    [
        ("ParentImage", PROCESS),
        ("MandatoryLabel", PROCESS),
        ("Provider_Name", PROCESS),
        ("Execution_ProcessID", PROCESS),
        ("EventRecordID", PROCESS),
        ("Contents", "{category: create_stream_hash, product: windows}"),
        # Nothing is known of all the events of a service, or of a type that the table lacks.
        ("Whatever", SECURITY),
        ("Whatever", "{service: sense, product: windows}"),
        ("Whatever", "{product: windows}"),
    ],
)
def test_a_field_that_some_selected_event_may_have_is_fine(field: str, logsource: str) -> None:
    assert "unknown-field" not in one_of(field, "x", logsource)


def test_an_event_id_of_the_rule_says_which_fields_there_are() -> None:
    detection = "s: {EventID: %d, NewProcessNam: x}\ncondition: s"
    assert "unknown-field" in checks(detection % 4688, SECURITY)
    assert "unknown-field" not in checks(detection % 6400, SECURITY)
    # A channel of many providers: what an event has depends on who wrote it.
    system = "{service: system, product: windows}"
    assert "unknown-field" not in checks("s: {EventID: 7045, Nothing: x}\ncondition: s", system)
    named = "s: {EventID: 7045, Provider_Name: Service Control Manager, Nothing: x}\ncondition: s"
    assert "unknown-field" in checks(named, system)


def test_the_aliases_of_4688_are_fields_of_process_creation_only() -> None:
    provider = "Microsoft-Windows-Security-Auditing"
    as_process = fields_of("security", 4688, provider, "process_creation")
    raw = fields_of("Security", 4688, provider)
    assert as_process is not None
    assert raw is not None
    assert {"IntegrityLevel", "User", "LogonId"} <= as_process - raw
    assert {"Image", "ParentImage", "NewProcessName"} <= raw
    assert system_fields() <= raw


def test_of_unnamed_data_and_unknown_events_nothing_is_known() -> None:
    assert fields_of("Application", 0, "gupdate") is None
    assert fields_of("Nowhere", 1, "x") is None


# ---------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("selected", "filtered"),
    [
        (r"Image|endswith: '\a.exe'", r"Image|endswith: '\b.exe'"),
        (r"Image: 'C:\a.exe'", r"Image|startswith: 'D:\'"),
        (r"Image: 'C:\a.exe'", r"Image: 'C:\b.exe'"),
        (r"Image|startswith: 'C:\'", r"Image|startswith: ['D:\', 'E:\']"),
        (r"Image: 'C:\a*.exe'", r"Image|endswith: '.dll'"),
        (r"Image|contains: 'a'", "Image: null"),
        (r"Image|contains: 'a'", "Image: ''"),
        (r"Image: 'a'", "CommandLin: 'x'"),
        ("Image: 'a'", "EventID: 4624"),
    ],
)
def test_a_filter_that_contradicts_the_rest_is_idle(selected: str, filtered: str) -> None:
    for condition in ("s and not f", "not 1 of f* and s", "s and not (f or g)", "(s and not f) or g"):
        detection = f"s:\n  {selected}\nf:\n  {filtered}\ng:\n  User: x\ncondition: {condition}"
        assert "idle-filter" in checks(detection), condition


@pytest.mark.parametrize(
    ("selected", "filtered"),
    [
        (r"Image|endswith: '\a.exe'", r"Image|startswith: 'C:\'"),
        (r"Image|endswith: ['\a.exe', '\b.exe']", r"Image|endswith: '\b.exe'"),
        (r"Image|startswith: 'C:\'", r"Image|startswith: 'C:\Windows'"),
        (r"Image|endswith: '\A.EXE'", r"Image: 'c:\a.exe'"),
        (r"Image|re: 'a.*'", r"Image: 'b'"),
        (r"Image|contains: 'a'", "User: null"),
        (r"Image|contains: 'a'", "EventID: 4688"),
        (r"Image: 'a'", "Nowhere: null"),
        ("Image|neq: a", "Image: b"),
    ],
)
def test_a_filter_that_may_hold_is_not(selected: str, filtered: str) -> None:
    detection = f"s:\n  {selected}\nf:\n  {filtered}\ncondition: s and not f"
    assert "idle-filter" not in checks(detection)


def test_a_demand_of_one_alternative_does_not_make_a_filter_idle() -> None:
    detection = "s:\n  - Image: a\n  - User: x\nf: {Image: b}\ncondition: s and not f"
    assert "idle-filter" not in checks(detection)
    assert "idle-filter" in checks("s:\n  - Image: a\n  - Image: c\nf: {Image: b}\ncondition: s and not f")


VALUES = st.text(alphabet="aAb*?\\", max_size=4)
MODIFIERS = st.sampled_from([(), ("contains",), ("startswith",), ("endswith",)])


def _holds(modifiers: tuple[str, ...], written: str, value: str) -> bool:
    """The slow meaning of a text with one modifier, by a regular expression."""
    pattern, rest = "", written
    while rest:
        if rest[0] == "\\" and rest[1:2] in ("*", "?", "\\"):
            pattern, rest = pattern + re.escape(rest[1]), rest[2:]
        else:
            pattern, rest = pattern + {"*": ".*", "?": "."}.get(rest[0], re.escape(rest[0])), rest[1:]
    before = ".*" if "contains" in modifiers or "endswith" in modifiers else ""
    after = ".*" if "contains" in modifiers or "startswith" in modifiers else ""
    return re.fullmatch(before + pattern + after, value, re.I | re.S) is not None


@given(MODIFIERS, VALUES, MODIFIERS, VALUES, st.text(alphabet="aAb*?\\", max_size=8))
def test_two_tests_that_are_said_to_contradict_each_other_never_hold_on_one_value(
    first: tuple[str, ...], one: str, second: tuple[str, ...], other: str, value: str
) -> None:
    tests = []
    for names, written in ((first, one), (second, other)):
        made = make_value(parse_chain(names, False), written, False, RULE_LIMITS)
        tests.append(FieldTest("F", names, (made,)))
    if contradiction(tests[0], demands(tests[1])):
        assert not (_holds(first, one, value) and _holds(second, other, value))


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("field", "value", "logsource", "check"),
    [
        ("EventID", "4624", PROCESS, "event-id-outside"),
        ("EventID", "7045", SECURITY, "event-id-outside"),
        ("EventID", "517", SECURITY, "event-id-outside"),
        ("EventID", "300", "{service: sysmon, product: windows}", "event-id-outside"),
        ("EventID", "'four'", SECURITY, "event-id-text"),
        ("Image", "'cmd.exe'", PROCESS, "image-without-path"),
        ("Image", r"'\cmd.exe'", PROCESS, "image-without-path"),
        ("ParentImage|startswith", "'cmd.exe'", PROCESS, "image-without-path"),
        ("IntegrityLevel", "'Hihg'", PROCESS, "impossible-value"),
        ("LogonType", "'Network'", SECURITY, "impossible-value"),
        ("LogonType", "99", SECURITY, "impossible-value"),
        ("Initiated", "'yes'", "{category: network_connection, product: windows}", "impossible-value"),
        ("EventType", "'SetKey'", "{category: registry_set, product: windows}", "impossible-value"),
        ("LogonId", "0x3e7", PROCESS, "yaml-value"),
        ("CommandLine", "1.10", PROCESS, "yaml-value"),
        ("Initiated", "yes", "{category: network_connection, product: windows}", "yaml-value"),
        ("CommandLine|contains", r"'\\srv\share'", PROCESS, "unc-path"),
        ("CommandLine", r"'\\srv'", PROCESS, "unc-path"),
    ],
)
def test_values_that_cannot_be_or_mean_something_else(field: str, value: str, logsource: str, check: str) -> None:
    assert check in one_of(field, value, logsource)


@pytest.mark.parametrize(
    ("field", "value", "logsource"),
    [
        ("EventID", "4688", PROCESS),
        ("EventID", "'1'", PROCESS),
        ("EventID", "4624", SECURITY),
        ("EventID", "1102", SECURITY),
        ("EventID", "300", "{service: application, product: windows}"),
        ("EventID", "'46*'", SECURITY),
        ("Image|endswith", "'cmd.exe'", PROCESS),
        ("Image", r"'*\cmd.exe'", PROCESS),
        ("Image", r"'C:\cmd.exe'", PROCESS),
        ("Image", "'System'", PROCESS),
        ("IntegrityLevel", "['High', 'S-1-16-12288']", PROCESS),
        ("LogonType", "[3, '10']", SECURITY),
        ("Signed", "['false', '-', '']", "{category: image_load, product: windows}"),
        ("EventType", "'setvalue'", "{category: registry_set, product: windows}"),
        ("LogonId", "'0x3e7'", PROCESS),
        ("LogonId|gte", "0x3e7", PROCESS),
        ("ProcessId", "1000", PROCESS),
        ("ProcessId", "-1.5", PROCESS),
        ("CommandLine", "null", PROCESS),
        ("Initiated", "true", "{category: network_connection, product: windows}"),
        ("CommandLine|contains", r"'\\\\srv\share'", PROCESS),
        ("CommandLine|contains", r"'\\Windows\\Temp'", PROCESS),
        ("CommandLine|contains", r"'\Windows\Temp'", PROCESS),
        ("Image|endswith", r"'\\cmd.exe'", PROCESS),
        ("CommandLine|re", r"'\\srv'", PROCESS),
    ],
)
def test_values_that_are_fine(field: str, value: str, logsource: str) -> None:
    assert one_of(field, value, logsource) == set()


def test_the_place_of_a_value_is_its_element() -> None:
    text = text_of("s:\n  - {User: a}\n  - Image: ['*b', 'c.exe']\ncondition: s")
    [finding] = [one for one in findings(text) if one.check == "image-without-path"]
    assert finding.at == ("detection", "s", 1, "Image", 1)


# ---------------------------------------------------------------- Chainsaw


def chainsaw(detection: str, logsource: str = PROCESS, head: str = "") -> Iterator[Finding]:
    return (f for f in findings(head + text_of(detection, logsource)) if f.check.startswith("chainsaw"))


@pytest.mark.parametrize(
    ("detection", "label"),
    [
        ("s: {CommandLine|windash|contains: -x}\ncondition: s", "few-modifiers"),
        ("s: [a, b]\ncondition: s", "keywords"),
        ("_s: {Image: x}\ncondition: _s", "underscore-names"),
        ("a-b: {Image: x}\ncondition: a-b", "name-characters"),
        ("s: {Image: '>x'}\ncondition: s", "numeric-prefix"),
        ("s: {Image: x}\ncondition: [s, s]", "one-condition"),
    ],
)
def test_what_chainsaw_does_not_load_is_named_with_the_switch(detection: str, label: str) -> None:
    [refusal] = [one for one in chainsaw(detection) if one.check == "chainsaw-refused"]
    assert refusal.message.endswith(f"[{label}]")


def test_a_rule_without_description_is_refused_for_that() -> None:
    text = text_of("s: {Image: x}\ncondition: s").replace("description: It is one.\n", "")
    [refusal] = [one for one in findings(text) if one.check == "chainsaw-refused"]
    assert refusal.message.endswith("[description]")


def test_a_refused_modifier_is_placed() -> None:
    document = {"detection": {"a": {"X": 1}, "b": [{"Y|cidr": "::/0"}], "condition": "a or b"}}
    assert _refused_at("unsupported modifiers - cidr", document) == ("detection", "b", 0, "Y|cidr")


def labels(detection: str, logsource: str = PROCESS) -> set[str]:
    return {label for f in chainsaw(detection, logsource) for label in re.findall(r"\[([a-z-]+)\]", f.message)}


@pytest.mark.parametrize(
    ("detection", "label"),
    [
        ("a: {Image: x}\nb: {User: y}\nc: {Company: z}\ncondition: a and b or c", "precedence"),
        ("s: {Image: 'a*b'}\ncondition: s", "inner-wildcards"),
        (r"s: {Image: 'a\\b'}" + "\ncondition: s", "no-escapes"),
        ("s: {Image: 'É'}\ncondition: s", "ascii-case"),
        ("s: {Image: '\"x\"'}\ncondition: s", "quotes-stripped"),
        ("s: {ProcessId: 4}\ncondition: s", "strict-types"),
        ("s: {ProcessId: '4'}\ncondition: s", "strict-types"),
        ("s: {Image: null}\ncondition: s", "present-null"),
        ("s: {Image: x}\nf: {User: y}\ncondition: s and not f", "missing"),
        ("s: {Image: x}\nf: {User: y, Company: z}\ncondition: s and not f", "and-order"),
        ("s: {Image: '*'}\ncondition: s", "star-is-text"),
        ("s: {Image: x, User: y}\ncondition: 1 of s", "one-of-name"),
        ("s: {Nowhere: x}\ncondition: s", "field-mapping"),
    ],
)
def test_the_switches_that_a_rule_touches(detection: str, label: str) -> None:
    assert label in labels(detection)


def test_a_plain_rule_touches_no_switch() -> None:
    assert labels("s: {CommandLine|endswith: 'a.exe', Level: 4}\ncondition: s") == set()
    assert labels("s: {CommandLine: x}\nf: {CommandLine: '*y'}\ncondition: s and not f") == set()


def test_chainsaw_does_not_find_the_aliases_of_4688() -> None:
    assert labels("s: {Image: x}\ncondition: s") == {"field-mapping"}
    assert labels("s: {ImageLoaded: x, Image: y}\ncondition: s", "{category: image_load, product: windows}") == set()


def test_the_same_text_means_other_events_under_a_logsource_that_chainsaw_does_not_know() -> None:
    detection = "s: {ScriptBlockText: x}\ncondition: s"
    assert "preconditions" in labels(detection, "{category: ps_script, product: windows}")
    assert "preconditions" not in labels("s: {Image: x}\ncondition: s")


def test_chainsaw_tries_rules_for_security_on_the_audit_provider_only() -> None:
    assert "preconditions" in labels("s: {EventID: 1102}\ncondition: s", SECURITY)
    assert "preconditions" not in labels("s: {EventID: 4624}\ncondition: s", SECURITY)


def test_the_compiler_is_asked_for_the_switches() -> None:
    text = text_of("a: {Image: x}\nb: {User: y}\nc: {Company: z}\ncondition: a and b or c")
    [loaded] = load_as_chainsaw(text, Path("rule.yml"))
    assert loaded.rule is not None
    program = loaded.rule.program
    assert touched(loaded.rule, program) == {Switch.PRECEDENCE}  # type: ignore[arg-type]


# ---------------------------------------------------------------- files


def test_each_document_has_its_own_findings_and_lines(tmp_path: Path) -> None:
    file = tmp_path / "two.yml"
    file.write_text(
        text_of("s:\n  Imag: x\ncondition: s") + "---\n" + text_of("s:\n  Image: x.exe\ncondition: s"),
        encoding="utf-8",
    )
    linted = lint([tmp_path])
    assert linted.rules == 2
    found = [
        (one.finding.check, one.line, one.column) for one in linted.reported if "chainsaw" not in one.finding.check
    ]
    assert found == [("unknown-field", 6, 5), ("image-without-path", 14, 5)]


def test_a_file_that_is_no_yaml_is_found_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("title: x\nlogsource: {a: b}\nlogsource: c\n", encoding="utf-8")
    (tmp_path / "b.yml").write_bytes(b"title: \xff\n")
    [one, other] = lint([tmp_path]).reported
    assert (one.path.name, one.line, one.finding.check) == ("a.yml", 3, "bad-yaml")
    assert (other.path.name, other.line, other.finding.check) == ("b.yml", 1, "bad-yaml")


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RulesNotFound):
        lint([tmp_path / "nothing"])


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "9" * 400])
def test_numbers_beyond_all_bounds_are_findings(value: str) -> None:
    assert "invalid-rule" in one_of("ProcessId", value) or value.isdecimal()


def test_mutated_rules_are_linted_without_a_fault() -> None:
    mutator = Mutator(7)
    rule = text_of("s: {Image|endswith: ['a', 'b?'], EventID: 1}\nf: {User: null}\ncondition: s and not 1 of f*")
    pysigma = PySigmaChecks()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pySigma warns of what it deprecates
        for number in range(300):
            for root, document, found in lint_text(mutator.answer(rule), Path("rule.yml")):
                if isinstance(document, dict) and "detection" in document:
                    found += pysigma.check(document, Path("rule.yml"), number)
                assert all(root is None or min(line_and_column(root, finding.at)) >= 1 for finding in found)


def test_hostile_depth_is_a_finding() -> None:
    [finding] = findings("a: " + "[" * 5000)
    assert finding.check == "too-complex"


# ---------------------------------------------------------------- pySigma


def test_pysigma_checks_are_made_over_one_rule_and_over_all(tmp_path: Path) -> None:
    body = text_of("s: {Image: x}\nunused: {User: y}\ncondition: s")
    for name in ("one_rule_of_two", "two_rule_of_two"):
        head = "id: 0d4b5d8e-1f2a-4c3b-9a77-000000000001\ntags: [attack.Bad]\n"
        (tmp_path / f"{name}.yml").write_text(head + body, encoding="utf-8")
    found = [(one.path.name, one.finding.check, one.line) for one in lint([tmp_path], PySigmaChecks()).reported]
    for name in ("one_rule_of_two.yml", "two_rule_of_two.yml"):
        assert (name, "pysigma/identifier-collision", 1) in found
        assert (name, "pysigma/dangling-detection", 6) in found
        assert (name, "pysigma/invalid-tag-format", 2) in found


def test_what_pysigma_cannot_load_is_a_warning() -> None:
    document = {"title": "x", "logsource": {"product": "windows"}, "detection": {"s": {"A": 1}}}
    [finding] = PySigmaChecks().check(document, Path("x.yml"), 0)
    assert (finding.check, finding.level) == ("pysigma/load", Level.WARNING)


# ---------------------------------------------------------------- SigmaHQ


def test_of_sigmahqs_rules_none_has_an_error_and_few_have_a_warning(real: Real) -> None:
    linted = lint([real.sigma / "rules" / "windows"])
    assert linted.rules == 2407
    counts = Counter(one.finding.check for one in linted.reported if one.finding.level is not Level.NOTE)
    # Each was looked at: fields and values of ETW, of EDRs and of Windows before Vista, and slips.
    assert counts == {
        "chainsaw-refused": 116,
        "event-id-outside": 5,
        "idle-filter": 29,
        "image-without-path": 4,
        "impossible-value": 2,
        "no-event-source": 8,
        "unc-path": 3,
        "unknown-field": 9,
    }


# ---------------------------------------------------------------- the list of checks


def test_ids_are_known() -> None:
    assert is_check("idle-filter")
    assert is_check("pysigma")
    assert is_check("pysigma/dangling-detection")
    assert not is_check("nonsense")


def test_the_documentation_lists_the_checks() -> None:
    rows = [row for row in DOCUMENT.read_text(encoding="utf-8").splitlines() if row.startswith("| `")]
    assert rows == [
        f"| `{check.id}` | {check.level.value} | {check.finds} | {check.fix} |".replace("|endswith", r"\|endswith")
        for check in CHECKS.values()
    ]
