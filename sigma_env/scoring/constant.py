"""The best answer that is the same for every task: what a reward is worth shows beside it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sigma_env.engines.base import Matches, bit_positions
from sigma_env.scoring.folding import has_fixed_field
from sigma_env.scoring.options import weighted
from sigma_env.scoring.scorer import Scorer
from sigma_env.scoring.yardstick import Yardstick, run
from sigma_env.sigma.answer import ABSTENTION, parse_answer
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task


class Constant(NamedTuple):
    """One answer for every task, and what it earns on average."""

    answer: str
    reward: float
    iou: float


def best_constant(scorer: Scorer, tasks: Sequence[Task]) -> Constant:
    """The answer that earns most if it is given to every task.

    It is sought among: every event of each reference's logsource; there, every event of each EventID that some
    task's scored true events have; each reference; and, where some task is not detectable, the abstention. Of
    equally good ones the first is taken.

    Args:
        scorer: of the dataset.
        tasks: at least one.
    """
    yardsticks = [scorer.yardstick(task) for task in tasks]
    answers = list(dict.fromkeys([*_whole_logsources(yardsticks), *map(reference_answer, tasks)]))
    rules = [parse_answer(answer).rule for answer in answers]
    runnable = [(answer, rule) for answer, rule in zip(answers, rules, strict=True) if rule is not None]
    found = run(scorer.engine, [rule for _, rule in runnable], scorer.dataset.store)
    ledger = _Ledger(yardsticks)
    constants = []
    for (answer, rule), matches in zip(runnable, found, strict=True):
        if isinstance(matches, Matches):
            components = ledger.means(rule, matches)
            constants.append(Constant(answer, weighted(components, scorer.weights), components["iou"]))
    if not all(yardstick.detectable for yardstick in yardsticks):
        share = sum(not yardstick.detectable for yardstick in yardsticks) / len(yardsticks)
        constants.append(Constant(ABSTENTION, share * scorer.max_reward, share))
    return max(constants, key=lambda constant: constant.reward)


def selecting(logsource: LogSource, selection: object) -> str:
    """The answer with one selection."""
    parts = {name: value for name, value in logsource._asdict().items() if value is not None}
    return fenced(to_yaml({"logsource": parts, "detection": {"selection": selection, "condition": "selection"}}))


def _whole_logsources(yardsticks: Sequence[Yardstick]) -> Iterator[str]:
    seen: set[tuple[LogSource, int | None]] = set()
    for yardstick in yardsticks:
        logsource = yardstick.reference.logsource
        for event_id in (None, *(event_id for _, event_id in yardstick.check.true_pairs)):
            if (logsource, event_id) not in seen:
                seen.add((logsource, event_id))
                yield selecting(logsource, {"EventID": "*" if event_id is None else event_id})


class _Ledger:
    """Many tasks, to be asked about one answer at once. Where to abstain is right, no rule earns anything."""

    def __init__(self, yardsticks: Sequence[Yardstick]) -> None:
        self._size = len(yardsticks)
        self._yardsticks = [yardstick for yardstick in yardsticks if yardstick.detectable]
        # Tasks that judge every logsource alike, and who has a scored event: most answers share none with most tasks.
        self._alike: defaultdict[object, list[Yardstick]] = defaultdict(list)
        self._owners: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        self._owned: dict[int, int] = {}
        for number, yardstick in enumerate(self._yardsticks):
            self._alike[yardstick.check.key].append(yardstick)
            for index, row in Matches(yardstick.scored):
                self._owners[index, row].append(number)
            for index, bits in yardstick.scored.items():
                self._owned[index] = self._owned.get(index, 0) | bits
        self._correct: dict[LogSource, int] = {}

    def means(self, rule: Rule, matches: Matches) -> dict[str, float]:
        """The mean components of an answer."""
        sums = {
            "yaml_valid": len(self._yardsticks),
            "logsource_correct": self._n_correct(rule),
            "iou": sum(self._yardsticks[number].count(matches).iou for number in self._concerned(matches)),
        }
        return {name: total / self._size for name, total in sums.items()}

    def _n_correct(self, rule: Rule) -> int:
        if has_fixed_field(rule.condition):
            return self._count_correct(rule)
        if rule.logsource not in self._correct:
            self._correct[rule.logsource] = self._count_correct(rule)
        return self._correct[rule.logsource]

    def _count_correct(self, rule: Rule) -> int:
        return sum(len(g) for g in self._alike.values() if g[0].check.correct(rule.logsource, rule.condition))

    def _concerned(self, matches: Matches) -> list[int]:
        """Numbers of the tasks that have a scored event among those matched."""
        concerned: set[int] = set()
        for index, bits in matches.bits.items():
            for row in bit_positions(bits & self._owned.get(index, 0)).tolist():
                concerned.update(self._owners[index, row])
        return sorted(concerned)
