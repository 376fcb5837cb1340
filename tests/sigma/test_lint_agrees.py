"""lint names before a rule runs what agree finds when it has run."""

from pathlib import Path

import pytest

from sigma_env.engines.agreement import compare_meanings, labels_of
from sigma_env.sigma.lint.run import lint
from tests.real import Real

LOGSOURCE = "title: t\ndescription: d\nlogsource: {product: windows, service: SERVICE}\ndetection: DETECTION\n"

SECURITY = ("ad_user_enumeration", "alert_enable_weak_encryption")


def told(tmp_path: Path, service: str, detection: str) -> str:
    text = LOGSOURCE.replace("SERVICE", service).replace("DETECTION", detection)
    (tmp_path / "rule.yml").write_text(text, encoding="utf-8")
    return " ".join(
        one.finding.message for one in lint([tmp_path / "rule.yml"]).reported if one.finding.check == "chainsaw-differs"
    )


@pytest.mark.parametrize(
    ("service", "detection", "reason"),
    [
        (
            "windefend",
            "{s: {EventID: 5007, NewValue|contains: x}, condition: s}",
            "it does not find NewValue, which the events spell with a space [field-mapping]",
        ),
        (
            "windefend",
            "{s: {EventID: 1116}, condition: s}",
            "no number equals the EventID of forwarded events, which is text [strict-types]",
        ),
        ("sysmon", "{s: {AccessMask|endswith: '1?'}, condition: s}", "[inner-wildcards]"),
        ("sysmon", "{s: {AccessMask|endswith: '1?'}, condition: s}", "[question-mark]"),
    ],
)
def test_what_agree_found_and_lint_did_not_name(tmp_path: Path, service: str, detection: str, reason: str) -> None:
    assert reason in told(tmp_path, service, detection)


def test_a_field_with_a_name_of_its_own_is_found(tmp_path: Path) -> None:
    assert "with a space" not in told(tmp_path, "sysmon", "{s: {EventID: 1, CommandLine: x}, condition: s}")
    assert "with a space" not in told(tmp_path, "windefend", "{s: {EventID: 5007, Image: x}, condition: s}")


def test_every_cause_of_a_difference_is_named(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """On some of SigmaHQ's rules: whatever makes a rule find other events, lint has said."""
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(real.cache))
    rules = real.sigma / "rules" / "windows"
    folders = [rules / "builtin" / name for name in ("windefend", "firewall_as", "system", "ntlm", "bits_client")]
    folders += [rules / "builtin" / "security" / f"win_security_{name}.yml" for name in SECURITY]
    folders += [rules / name for name in ("create_remote_thread", "file/file_rename", "pipe_created")]
    named: dict[Path, str] = {}
    for one in lint(folders).reported:
        if one.finding.check.startswith("chainsaw-"):
            named[one.path] = f"{named.get(one.path, '')} {one.finding.message}"
    differing = [one for one in compare_meanings(folders, real.store) if one.is_difference]
    assert len(differing) > 8
    for one in differing:
        assert one.cause
        missing = [label for label in labels_of(one.cause) if f"[{label}]" not in named.get(one.path, "")]
        assert missing == [], one.path.name
