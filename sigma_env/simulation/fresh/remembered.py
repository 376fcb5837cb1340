"""What the remembered original of a fresh rule is worth on the fresh rule's own events."""

from collections.abc import Sequence

from sigma_env.sigma.rule import Rule
from sigma_env.simulation.cases import DraftEvent, Frame
from sigma_env.simulation.draft import Draft
from sigma_env.simulation.masks import Masks, iou
from sigma_env.simulation.world import Company


def remembered_iou(original: Rule, fresh: Rule, drafts: Sequence[Draft], company: Company) -> float:
    """Intersection over union of the events that the original and the fresh rule match.

    Args:
        original: the rule that a model may know.
        fresh: the same with new names.
        drafts: the fresh rule's events.
        company: where they happen.
    """
    category = fresh.logsource.category
    frames: dict[str, Frame] = {}
    events = []
    for draft in drafts:
        frame = frames.setdefault(draft.schema.name, Frame(draft.schema, category))
        events.append(DraftEvent(frame, draft.values, company.host(draft.scene.host).fqdn))
    masks = Masks(events)
    return iou(masks.of(original.condition), masks.of(fresh.condition))
