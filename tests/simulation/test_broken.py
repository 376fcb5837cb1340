"""What a broken log source withholds from a rule's events."""

import pytest
import yaml

from sigma_env.sigma.parser import parse_rule
from sigma_env.simulation.broken import withhold
from sigma_env.simulation.cases import make_cases
from sigma_env.simulation.draft import Draft
from sigma_env.simulation.plan import Outage
from sigma_env.simulation.produce import Wish, produce
from sigma_env.simulation.requests import full_plan
from sigma_env.simulation.world import Company

RULE = parse_rule(
    yaml.safe_load(
        r"""
        logsource: {category: process_creation, product: windows}
        detection:
          by_path: {Image|endswith: '\rclone.exe'}
          by_name: {OriginalFileName: rclone.exe}
          copying: {CommandLine|contains: ' copy '}
          condition: (by_path or by_name) and copying
        """
    )
)
COMPANY = Company.default()


@pytest.fixture(scope="module")
def drafts() -> tuple[Draft, ...]:
    return make_cases(full_plan(RULE), COMPANY, 0).drafts


def test_a_channel_that_does_not_arrive_has_no_events() -> None:
    switches = ", ".join(f"'--part{number} '" for number in range(9))
    rule = parse_rule(
        yaml.safe_load(
            "logsource: {category: process_creation, product: windows}\n"
            f"detection: {{s: {{CommandLine|contains: [{switches}]}}, condition: s}}"
        )
    )
    drafts = make_cases(full_plan(rule), COMPANY, 0).drafts
    channels = {draft.schema.channel for draft in drafts}
    assert len(channels) == 2
    for channel in channels:
        left = withhold(drafts, Outage(channels=(channel.upper(),)), rule, COMPANY)
        assert {draft.schema.channel for draft in left} == channels - {channel}


def test_a_blank_field_is_empty_and_what_it_decided_is_gone(drafts: tuple[Draft, ...]) -> None:
    left = withhold(drafts, Outage(blank_fields=("OriginalFileName",)), RULE, COMPANY)
    assert {draft.values["OriginalFileName"] for draft in left if "OriginalFileName" in draft.values} == {""}
    positives = [draft for draft in left if draft.role == "positive"]
    assert positives
    assert len(positives) < sum(draft.role == "positive" for draft in drafts)
    for draft in positives:
        image = str(draft.values.get("Image", draft.values.get("NewProcessName")))
        assert image.lower().endswith("\\rclone.exe")


def test_a_request_about_a_broken_source_goes_with_such_logs() -> None:
    made = produce(Wish(RULE, "soc_analyst", "broken_log_source"), COMPANY, 0)
    assert made.request is not None
    assert made.request.scenario == "broken_log_source"
    outage = made.request.outage
    assert outage is not None
    for draft in made.drafts:
        assert draft.schema.channel not in outage.channels
        assert all(draft.values.get(field, "") == "" for field in outage.blank_fields)
