"""What is wrong in a source file of the starter dataset is refused with the file, the field and the fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sigma_env.simulation.starter import DATA, StarterError, generate

NAME = "security_added_himself"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The starter's sources with one rule."""
    folder = tmp_path / "source"
    for part in ("rules", "scenarios"):
        (folder / part).mkdir(parents=True)
        shutil.copy(DATA / part / f"{NAME}.yml", folder / part)
    for file in ("hosts.yml", "schemas.yml", "images.yml"):
        shutil.copy(DATA / file, folder)
    (folder / "background.yml").write_text("entries: []\n", encoding="utf-8")
    return folder


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def test_one_rule_alone_makes_logs(source: Path, tmp_path: Path) -> None:
    labels = generate(tmp_path / "out", source)
    assert {label.role for label in labels} == {"positive", "near_miss", "filtered"}
    assert (tmp_path / "out" / "logs" / labels[0].file).is_file()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda s: s["positives"][0].update(Typo="x"), "positive 1: Typo: group_member_added has no such field"),
        (lambda s: s["positives"][0].update(host="NOWHERE"), "positive 1: host: there is no host 'NOWHERE'"),
        (lambda s: s["positives"][0].pop("host"), "positive 1: host: name the host"),
        (lambda s: s["positives"][0].update(user="nobody"), "positive 1: user: there is no account 'nobody'"),
        (lambda s: s["positives"][0].pop("MemberSid"), "positive 1: MemberSid: give the value"),
        (lambda s: s["positives"][0].update(TargetUserName=7), "positive 1: TargetUserName: 7 must be str"),
        (lambda s: s["positives"][0].update(MemberSid="me"), "positive 1: MemberSid: 'me' is not a SID"),
        (lambda s: s["positives"][0].update(event="no_such"), "logs no no_such"),
        (lambda s: s["positives"][0].update(host="HR-WS31", event="file_create"), "HR-WS31 logs no file_create"),
        (lambda s: s["near_misses"][0].update(like=[9]), "there is no positive 9"),
        (lambda s: s.update(persona="wizard"), "persona"),
        (lambda s: s.update(request="too short"), "request"),
        (lambda s: s.update(surprise=1), "surprise: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_scenario_is_refused(
    source: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], object], said: str
) -> None:
    change(source / "scenarios" / f"{NAME}.yml", edit)
    with pytest.raises(StarterError) as error:
        generate(tmp_path / "out", source)
    assert f"{NAME}.yml" in str(error.value)
    assert said in str(error.value)


def test_a_rule_needs_its_scenario(source: Path, tmp_path: Path) -> None:
    (source / "scenarios" / f"{NAME}.yml").unlink()
    with pytest.raises(StarterError, match="both rules/ and scenarios/"):
        generate(tmp_path / "out", source)


def test_two_rules_cannot_share_an_id(source: Path, tmp_path: Path) -> None:
    for part in ("rules", "scenarios"):
        shutil.copy(source / part / f"{NAME}.yml", source / part / "copy.yml")
    with pytest.raises(StarterError, match="is also the id of"):
        generate(tmp_path / "out", source)


def test_a_schema_with_an_unknown_type_is_refused(source: Path, tmp_path: Path) -> None:
    change(source / "schemas.yml", lambda s: s["group_member_added"]["fields"][0].__setitem__(1, "text"))
    with pytest.raises(StarterError, match=r"schemas\.yml: group_member_added: fields"):
        generate(tmp_path / "out", source)


def test_an_account_must_be_complete(source: Path, tmp_path: Path) -> None:
    change(source / "hosts.yml", lambda s: s["accounts"]["SYSTEM"].pop("sid"))
    with pytest.raises(StarterError, match="account SYSTEM: give either rid"):
        generate(tmp_path / "out", source)


def test_a_file_that_is_no_yaml_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "background.yml").write_text("entries: [", encoding="utf-8")
    with pytest.raises(StarterError, match=r"background\.yml: cannot be read"):
        generate(tmp_path / "out", source)
