"""What a broken log source withholds: events of whole channels, and the values of single fields."""

from collections.abc import Iterable

from sigma_env.engines.evaluator import trace
from sigma_env.sigma.rule import Rule
from sigma_env.simulation.cases import DraftEvent, Frame
from sigma_env.simulation.draft import Draft, FieldValue
from sigma_env.simulation.plan import Outage
from sigma_env.simulation.world import Company


def withhold(drafts: Iterable[Draft], outage: Outage, rule: Rule, company: Company) -> tuple[Draft, ...]:
    """What is left of a rule's events.

    Args:
        drafts: made for the rule.
        outage: what is missing.
        rule: the reference; an event that it would judge otherwise now is left out, because nobody could say what it is
            there for.
        company: where the events happen.
    """
    channels = {channel.lower() for channel in outage.channels}
    arriving = (draft for draft in drafts if draft.schema.channel.lower() not in channels)
    blank = [draft._replace(values=_blanked(draft, outage)) for draft in arriving]
    return tuple(draft for draft in blank if _is_as_meant(draft, rule, company))


def _blanked(draft: Draft, outage: Outage) -> dict[str, FieldValue]:
    values = dict(draft.values)
    for name in outage.blank_fields:
        spec = draft.schema.by_name.get(name)
        if spec is not None and spec.name in values and spec.type == "string":
            values[spec.name] = ""
    return values


def _is_as_meant(draft: Draft, rule: Rule, company: Company) -> bool:
    frame = Frame(draft.schema, rule.logsource.category)
    event = DraftEvent(frame, draft.values, company.host(draft.scene.host).fqdn)
    return trace(rule.condition, event).holds == (draft.role == "positive")
