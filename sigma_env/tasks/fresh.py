"""Candidates with new names: the same rules about things that no public rule names."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sigma_env.sigma.limits import RULE_LIMITS
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.taxonomy import select
from sigma_env.sigma.yaml import load_mapping
from sigma_env.simulation.fresh import Fresh, Renamer, freshened, remembered_iou
from sigma_env.simulation.produce import Wish, produce_all
from sigma_env.simulation.requests import PERSONAS
from sigma_env.simulation.world import Company
from sigma_env.tasks.assemble import BuildProgress, Candidate, LeftOut

MOST_REMEMBERED: Final = 0.5
"""A fresh rule is kept if the original, run on its events, has an intersection over union below this."""


class _Made(NamedTuple):
    candidate: Candidate
    original: Rule
    fresh: Rule


def fresh_candidates(
    candidates: Sequence[Candidate],
    *,
    known: Iterable[str] | None = None,
    seed: int = 0,
    progress: BuildProgress | None = None,
) -> tuple[list[Candidate], list[LeftOut]]:
    """Gives the rules of candidates new names, one mapping for all.

    Each fresh rule is tried: its events are simulated, and the original, run on them, must have an intersection over
    union below `MOST_REMEMBERED`.

    Args:
        candidates: rules; their requests, events and splits are not taken over.
        known: texts in which no new name may occur, such as all rules of a collection; None: those of the candidates.
        seed: of names and events.
        progress: is told how far it is.

    Returns:
        The candidates with new names, and the ones that have none, with the reason: "nothing_to_rename",
        "still_remembered", "no_events", or why the rule is none.
    """
    texts = [candidate.text for candidate in candidates] if known is None else known
    renamer = Renamer(texts, seed)
    left_out: list[LeftOut] = []
    made: list[_Made] = []
    for candidate in candidates:
        fresh = _fresh(candidate, renamer)
        if isinstance(fresh, LeftOut):
            left_out.append(fresh)
        else:
            made.append(fresh)
    kept, remembered = _tried(made, seed, progress)
    return kept, left_out + remembered


def _fresh(candidate: Candidate, renamer: Renamer) -> _Made | LeftOut:
    source, original = candidate.source, candidate.loaded.rule
    if original is None:
        return LeftOut(source, str(candidate.loaded.status), str(candidate.loaded.reason))
    if not (selected := select(original.logsource)).targets:
        return LeftOut(source, "no_event_source", selected.note or "the logsource selects no Windows event")
    fresh: Fresh = freshened(load_mapping(candidate.text, RULE_LIMITS), original, renamer, Path(f"{source}#fresh"))
    if not fresh.renamed:
        return LeftOut(source, "nothing_to_rename", "its values are numbers, choices and names of Windows itself")
    if fresh.loaded.rule is None:
        return LeftOut(source, str(fresh.loaded.status), f"with new names: {fresh.loaded.reason}")
    new = Candidate(f"{source}#fresh", fresh.loaded, fresh.text, licence=candidate.licence)
    return _Made(new, original, fresh.loaded.rule)


def _tried(made: Sequence[_Made], seed: int, progress: BuildProgress | None) -> tuple[list[Candidate], list[LeftOut]]:
    """The fresh rules on which the originals are worth little, and the others."""
    company = Company.default(seed)

    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress("trying the remembered rules", done, total)

    kept: list[Candidate] = []
    left_out: list[LeftOut] = []
    # With a request's plan, which tells of long lists only a part: these are the events that a task is scored on.
    wishes = [Wish(one.fresh, PERSONAS[0]) for one in made]
    produced = produce_all(wishes, company, seed, progress=tell)
    for one, events in zip(made, produced, strict=True):
        if not any(draft.role == "positive" for draft in events.drafts):
            why = events.fault or (events.unsatisfiable[0].detail if events.unsatisfiable else "none says why")
            left_out.append(LeftOut(one.candidate.source, "no_events", why))
            continue
        worth = remembered_iou(one.original, one.fresh, events.drafts, company)
        if worth < MOST_REMEMBERED:
            kept.append(one.candidate)
        else:
            detail = f"the original rule has an IoU of {worth:.2f} on the events of the one with new names"
            left_out.append(LeftOut(one.candidate.source, "still_remembered", detail))
    return kept, left_out
