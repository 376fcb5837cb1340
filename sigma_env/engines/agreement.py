"""Where two meanings of a rule part, and the smallest set of switches that makes the difference.

One side is the specification's meaning. The other is Chainsaw's, native or the real program. Starting from the
specification's, switches are turned on until the rule's result is the other side's: none that is needed less, so what
is named is the cause.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from sigma_env.engines.base import Engine, Matches, Unsupported
from sigma_env.engines.causes import Outcome, Runner, Search, Subject, Switches
from sigma_env.engines.rule_cache import load_rules
from sigma_env.engines.switched_match import program_of
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_files import parse_switched_text
from sigma_env.sigma.chainsaw_tree import Refused
from sigma_env.sigma.files import LoadedRule, read_rule_file
from sigma_env.sigma.rule import Meta
from sigma_env.sigma.switches import CHAINSAW, SIGMA, WHEN_READ, Switch
from sigma_env.sigma.taxonomy import select

Verdict: TypeAlias = Literal["equal", "different", "only_sigma_runs", "only_chainsaw_runs", "not_run"]
Progress: TypeAlias = Callable[[str, int, int], None]
_Key: TypeAlias = tuple[str, int]
"""The id of a rule in a file, and how many rules of this id stand before it."""

OF_FILES: Final = WHEN_READ | {Switch.EXCLUSIONS}
"""What is decided by a rule's file and header; the engine that runs the real program writes both anew."""

_ABSENT: Final = "with this meaning the file does not hold this rule"


class Comparison(NamedTuple):
    """One rule under both meanings.

    Attributes:
        path: its file.
        meta: what it says about itself.
        sigma: the specification's outcome.
        chainsaw: Chainsaw's outcome.
        cause: the switches that make the difference; empty if the specification's rules on what is a rule do;
            None if the outcomes are equal, or differ without a cause that is known.
    """

    path: Path
    meta: Meta
    sigma: Outcome
    chainsaw: Outcome
    cause: Switches | None = None

    @property
    def verdict(self) -> Verdict:
        """How the outcomes compare; two rules that are not run are not told apart by the reasons."""
        if isinstance(self.sigma, Unsupported):
            return "not_run" if isinstance(self.chainsaw, Unsupported) else "only_chainsaw_runs"
        if isinstance(self.chainsaw, Unsupported):
            return "only_sigma_runs"
        return "equal" if self.sigma == self.chainsaw else "different"

    @property
    def only_sigma(self) -> Matches:
        """Events that only the specification's meaning matches."""
        return _matches(self.sigma) - _matches(self.chainsaw)

    @property
    def only_chainsaw(self) -> Matches:
        """Events that only Chainsaw's meaning matches."""
        return _matches(self.chainsaw) - _matches(self.sigma)

    @property
    def is_difference(self) -> bool:
        """Whether there is something to explain."""
        return self.verdict not in ("equal", "not_run")

    @property
    def reason(self) -> str | None:
        """Why a side does not run the rule."""
        return next((side.reason for side in (self.sigma, self.chainsaw) if isinstance(side, Unsupported)), None)


class CauseCount(NamedTuple):
    """What one cause costs.

    Attributes:
        cause: the switches; None where no cause is known.
        verdict: of the rules that are counted.
        rules: how many.
        only_sigma: (rule, event) pairs that only the specification's meaning has.
        only_chainsaw: (rule, event) pairs that only Chainsaw's has.
    """

    cause: Switches | None
    verdict: Verdict
    rules: int
    only_sigma: int
    only_chainsaw: int


def labels_of(cause: Switches) -> list[str]:
    """The switches of a cause as they are written on command lines, in the order of `Switch`."""
    return [switch.label for switch in Switch if switch in cause]


def count_causes(compared: Iterable[Comparison]) -> list[CauseCount]:
    """The differences by cause and verdict, the most rules first."""
    rules: Counter[tuple[Switches | None, Verdict]] = Counter()
    left: Counter[tuple[Switches | None, Verdict]] = Counter()
    right: Counter[tuple[Switches | None, Verdict]] = Counter()
    for one in compared:
        if one.is_difference:
            key = (one.cause, one.verdict)
            rules[key] += 1
            left[key] += len(one.only_sigma)
            right[key] += len(one.only_chainsaw)
    counts = [CauseCount(*key, rules[key], left[key], right[key]) for key in rules]
    return sorted(
        counts, key=lambda one: (-one.rules, one.verdict, one.cause is not None, labels_of(one.cause or SIGMA))
    )


def compare_meanings(
    paths: Sequence[Path], store: EventStore, progress: Progress | None = None, *, any_product: bool = False
) -> list[Comparison]:
    """Compares the specification's meaning with Chainsaw's, both of the native engine, in the order of the files.

    Args:
        paths: rule files and folders.
        store: the events.
        progress: told (rule file, explained, to explain).
        any_product: also run rules that are not for Windows' event logs; Chainsaw tries them on every event.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    sigma, chainsaw = _by_file(load_rules(paths, SIGMA)), _by_file(load_rules(paths, CHAINSAW))
    runner = Runner(store)
    subjects: list[Subject] = []
    compared: list[Comparison] = []
    for path, specified in sigma.items():
        switched = chainsaw.get(path, {})
        file = _RuleFile(path)
        for key in {**specified, **switched}:
            sides = _find(specified, key), _find(switched, key)
            meta = (specified.get(key) or switched[key]).meta
            foreign = None if any_product else _foreign(*sides)
            outcomes = (foreign, foreign) if foreign else map(runner.outcome, sides, (SIGMA, CHAINSAW))
            compared.append(Comparison(path, meta, *outcomes))
            subjects.append(_Written(file, key))
    return _explained(compared, subjects, runner, CHAINSAW, progress)


def compare_engine(
    rules: Sequence[LoadedRule],
    store: EventStore,
    engine: Engine,
    progress: Progress | None = None,
    *,
    any_product: bool = False,
) -> list[Comparison]:
    """Compares the specification's meaning with what an engine that runs the real program finds, in the rules' order.

    Such an engine is given rules by the specification only, under headers of its own.

    Args:
        rules: loaded with their documents.
        store: the events.
        engine: the other side.
        progress: told (rule file, explained, to explain).
        any_product: see `compare_meanings`.

    Raises:
        EngineError: the engine failed.
    """
    runner = Runner(store)
    foreign = [None if any_product else _foreign(one) for one in rules]
    given = [one.rule for one, why in zip(rules, foreign, strict=True) if one.rule is not None and why is None]
    answers = iter(engine.match(given, store))
    compared = []
    for one, why in zip(rules, foreign, strict=True):
        left = why or runner.outcome(one, SIGMA)
        right = left if why or one.rule is None else next(answers)
        compared.append(Comparison(one.path, one.meta, left, right))
    return _explained(compared, [_Parsed(one) for one in rules], runner, CHAINSAW - OF_FILES, progress)


def _foreign(*loaded: LoadedRule) -> Unsupported | None:
    """Why a rule is not for Windows' event logs: it is of another product, or of none with such events.

    The specification selects nothing with its logsource, whereas Chainsaw knows no product and tries it on every
    event: a difference that says nothing of the rule.
    """
    rule = next((one.rule for one in loaded if one.rule is not None), None)
    if rule is None or rule.logsource.product == "windows":
        return None
    targets = select(rule.logsource)
    return None if targets.note is None or targets.no_event_source else Unsupported(targets.note)


def _explained(
    compared: Sequence[Comparison],
    subjects: Sequence[Subject],
    runner: Runner,
    every: Switches,
    progress: Progress | None,
) -> list[Comparison]:
    total = sum(one.is_difference for one in compared)
    done = 0
    result = []
    for one, subject in zip(compared, subjects, strict=True):
        if not one.is_difference:
            result.append(one)
            continue
        if progress is not None:
            progress(one.path.name, done, total)
        done += 1
        result.append(one._replace(cause=Search(subject, runner, one.sigma, one.chainsaw, every).smallest()))
    return result


def _matches(outcome: Outcome) -> Matches:
    return Matches({}) if isinstance(outcome, Unsupported) else outcome


def _by_file(loaded: Iterable[LoadedRule]) -> dict[Path, dict[_Key, LoadedRule]]:
    files: dict[Path, dict[_Key, LoadedRule]] = {}
    for one in loaded:
        of_file = files.setdefault(one.path, {})
        of_file[one.meta.id, sum(rule_id == one.meta.id for rule_id, _ in of_file)] = one
    return files


def _find(of_file: Mapping[_Key, LoadedRule], key: _Key) -> LoadedRule:
    """The rule of this key, or what became of it: a file that is refused as a whole has one entry without its ids."""
    found = of_file.get(key)
    if found is not None:
        return found
    refused = next((one for one in of_file.values() if one.rule is None), None)
    reason = _ABSENT if refused is None else refused.reason
    return LoadedRule(Path(), Meta(id=key[0]), None, "unsupported", reason)


class _RuleFile:
    """The text of a rule file, read when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text: str | LoadedRule | None = None

    def load(self, on: Switches) -> Mapping[_Key, LoadedRule]:
        if self._text is None:
            self._text = read_rule_file(self.path)
        text = self._text
        loaded = [text] if isinstance(text, LoadedRule) else parse_switched_text(text, self.path, on)
        return _by_file(loaded).get(self.path, {})


class _Written(NamedTuple):
    """A rule as its file has it."""

    file: _RuleFile
    key: _Key

    def load(self, on: Switches) -> LoadedRule:
        return _find(self.file.load(on), self.key)


class _Parsed(NamedTuple):
    """A rule by the specification, of which a program is made where switches are on."""

    loaded: LoadedRule

    def load(self, on: Switches) -> LoadedRule:
        rule = self.loaded.rule
        assert rule is not None
        if not on:
            return self.loaded
        program = program_of(rule, on)
        if isinstance(program, Refused):
            return self.loaded._replace(rule=None, reason=program.reason)
        return self.loaded._replace(rule=rule._replace(program=program))
