"""The numbers of a step that verl does not have: what rewards are made of, and signs of cheating.

They are worked out from the records of its rollouts, those of groups that were filtered out among them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Final

from sigma_env.scoring.folding import FIXED_FIELDS
from sigma_env.scoring.options import COMPONENTS
from sigma_env.sigma.answer import STATUSES, parse_answer
from sigma_env.sigma.rule import AnyText, Exists, FieldTest, Null, Regex, Rule
from sigma_env.sigma.tree import field_tests
from trainer.records import ENGINE_ERROR, Record
from trainer.summary import BROAD

PREFIX: Final = "sigma/"
BIN: Final = 0.1
"""Width of the histograms' bins, of rewards and components; of lengths, as a share of the longest."""

COPIED_WORDS: Final = 12
"""So many words of the request in a row are a copy of it; what a rule asks for is shorter."""

_OPEN_EXPRESSIONS: Final = frozenset({"", ".", ".*", ".+", "^", "$", "^.*$", "^.+$", "(.*)"})


def of_step(records: Sequence[Record], requests: Mapping[str, str], longest: int) -> dict[str, float]:
    """The numbers of a step; empty without records.

    Args:
        records: of the step's rollouts.
        requests: of the tasks, by id.
        longest: tokens of the longest answer that is allowed.
    """
    if not records:
        return {}
    scored = [record for record in records if record.reward is not None]
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in scored:
        groups[record.uid].append(record)
    numbers = {
        "rollouts": float(len(records)),
        "groups": float(len({record.uid for record in records})),
        ENGINE_ERROR: float(len(records) - len(scored)),
        **_scoring(records),
    }
    if scored:
        numbers |= {
            "zero_variance": fmean(len({one.reward for one in group}) == 1 for group in groups.values()),
            **dict(_distributions(scored, longest)),
            **{f"status/{name}": _share(one.status == name for one in scored) for name in STATUSES},
            **_hacks(scored, requests, len(groups)),
        }
    return {PREFIX + name: value for name, value in numbers.items()}


def _distributions(scored: Sequence[Record], longest: int) -> Iterator[tuple[str, float]]:
    found = {"reward": [one.reward or 0.0 for one in scored]}
    found |= {name: [one.components[name] for one in scored] for name in COMPONENTS}
    for name, values in found.items():
        yield f"{name}/mean", fmean(values)
        yield f"{name}/std", pstdev(values)
        yield from _histogram(name, values)
    tokens = [float(one.tokens) for one in scored]
    yield "tokens/mean", fmean(tokens)
    yield "tokens/max", max(tokens)
    yield from _histogram("tokens", [number / longest for number in tokens])


def _histogram(name: str, values: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Shares by bin; a bin is named by its lower end, the last one holds what lies above it."""
    last = 11 if name == "reward" else 9  # the best reward is 1.1
    bins = Counter(min(last, int(value / BIN + 1e-9)) for value in values)
    for place in range(last + 1):
        yield f"{name}/histogram/{place * BIN:.1f}", bins[place] / len(values)


def _scoring(records: Sequence[Record]) -> dict[str, float]:
    """What scoring cost. At most the wall time was added to the step: it mostly passes while others are sampled."""
    intervals = sorted((one.began, one.began + one.seconds) for one in records)
    wall, until = 0.0, intervals[0][0]
    for begin, end in intervals:
        wall += max(0.0, end - max(begin, until))
        until = max(until, end)
    cpu = [one.cpu_seconds for one in records]
    return {"scoring/wall_seconds": wall, "scoring/cpu_ms_mean": 1e3 * fmean(cpu), "scoring/cpu_ms_max": 1e3 * max(cpu)}


def _hacks(scored: Sequence[Record], requests: Mapping[str, str], groups: int) -> dict[str, float]:
    rules = [(one, rule) for one in scored if one.status == "ok" and (rule := parse_answer(one.answer).rule)]
    breadths = [found for one, _ in rules if (found := breadth(one)) is not None]
    answered = Counter(answer for answer, _ in {(one.answer, one.uid) for one in scored})
    return {
        "hacks/match_all": _share(matches_all(rule) for _, rule in rules),
        "hacks/breadth_mean": fmean(breadths) if breadths else 0.0,
        "hacks/over_broad": _share(found > BROAD for found in breadths),
        "hacks/copied_request": _share(copies(one.answer, requests.get(one.task_id, "")) for one in scored),
        "hacks/constant_answer": max(answered.values()) / groups,
    }


def breadth(record: Record) -> float | None:
    """Events that an answer matches, against those that are asked for; None where nothing is."""
    wanted = record.metrics["tp"] + record.metrics["fn"]
    return (record.metrics["tp"] + record.metrics["fp"]) / wanted if wanted else None


def matches_all(rule: Rule) -> bool:
    """Whether a rule looks for nothing: no line asks for a value but of what an event's kind fixes."""
    return all(test.field in FIXED_FIELDS or _is_open(test) for test in field_tests(rule.condition))


def _is_open(test: FieldTest) -> bool:
    return all(
        isinstance(pattern, AnyText | Exists | Null)
        or (isinstance(pattern, Regex) and pattern.pattern in _OPEN_EXPRESSIONS)
        for value in test.values
        for pattern in value.alternatives
    )


def copies(answer: str, request: str) -> bool:
    """Whether COPIED_WORDS words of a request stand in an answer in a row."""
    words, text = request.split(), " ".join(answer.split())
    return any(" ".join(words[at : at + COPIED_WORDS]) in text for at in range(len(words) - COPIED_WORDS + 1))


def _share(found: Iterable[bool]) -> float:
    told = list(found)
    return sum(told) / len(told) if told else 0.0
