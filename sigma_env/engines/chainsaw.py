"""The real Chainsaw as an engine: one process for many rules, and nothing of what it leaves out stays unsaid.

Chainsaw's way of saying nothing is its main hazard: it exits 0 with rules not loaded, files skipped or records lost.
So every count that it prints is held against what it was given, and what doesn't add up is an `EngineError`.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from sigma_env.engines.base import Matches, Unsupported, bit_positions
from sigma_env.engines.chainsaw_binary import Chainsaw, find_chainsaw
from sigma_env.engines.chainsaw_logs import LinkedLogs
from sigma_env.engines.chainsaw_output import (
    RunReport,
    Skipped,
    parse_line,
    parse_lint,
    parse_panic,
    parse_report,
)
from sigma_env.engines.chainsaw_process import Finished, ProcessLimits, run_program
from sigma_env.engines.chainsaw_rule import place_of, rule_text
from sigma_env.engines.chainsaw_slots import THREADS, slot
from sigma_env.engines.chainsaw_verdict import names_of_verdict, why_refused
from sigma_env.errors import EngineError
from sigma_env.events.content import Unreadable
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule

_log = logging.getLogger(__name__)

_WRAPPER: Final = 2
"""Changes whenever this wrapper gives the same rules another outcome."""

_PANIC: Final = 101
_NO_RULES: Final = "No valid detection rules were found in the provided paths"
_SAID: Final = 500


class ChainsawRun(NamedTuple):
    """What came of a batch.

    Attributes:
        results: one per rule, in order.
        skipped: log files, and parts of them, that Chainsaw left out.
    """

    results: list[Matches | Unsupported]
    skipped: tuple[Skipped, ...]


class ChainsawEngine:
    """Runs rules with the Chainsaw program; its own meaning of rules is the only one that it has.

    Attributes:
        name: "chainsaw".
        semantics: "chainsaw".
        version: of the program and its mapping file, by which the same rule may match other events.
        chainsaw: the program.
    """

    name = "chainsaw"
    semantics = "chainsaw"

    def __init__(
        self,
        binary: Path | str | None = None,
        mapping: Path | str | None = None,
        limits: ProcessLimits | None = None,
    ) -> None:
        """Finds the program; see `find_chainsaw`.

        Args:
            binary: the program; by default the one that this machine has.
            mapping: its mapping file; by default the one that came with it.
            limits: what a batch may cost.

        Raises:
            ChainsawMissing: there is none that can be used; the message names the command that gets it.
        """
        self.chainsaw: Chainsaw = find_chainsaw(binary, mapping)
        self.version = f"{self.chainsaw.version_text}-{self.chainsaw.mapping_hash[:12]}-{_WRAPPER}"
        self._of_verdict = names_of_verdict(self.chainsaw.mapping)
        self._limits = limits or ProcessLimits()
        self._told: set[Skipped] = set()
        if not self.chainsaw.tested:
            _log.warning(
                "%s is Chainsaw %s; 2.16.4 is the version that this package was made for",
                self.chainsaw.program,
                self.chainsaw.version_text,
            )

    def __repr__(self) -> str:
        return f"ChainsawEngine({str(self.chainsaw.program)!r}, {self.chainsaw.version_text})"

    @property
    def unread(self) -> list[Unreadable]:
        """What Chainsaw skipped in any run so far, with its reason."""
        return [Unreadable(file, None, f"Chainsaw skipped it: {reason}") for file, reason in sorted([*self._told])]

    def match(self, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:
        """One result per rule, in order; all rules in one run of the program, and what it skipped as a warning.

        Raises:
            EngineError: the program failed, took too long or said something impossible, or the store's log files are
                not at hand. No rule has a result then.
        """
        run = self.run(rules, store)
        for skipped in run.skipped:
            if skipped not in self._told:
                self._told.add(skipped)
                _log.warning("Chainsaw skipped %s: %s", *skipped)
        return run.results

    def run(self, rules: Sequence[Rule], store: EventStore) -> ChainsawRun:
        """Like `match`, with what was skipped.

        Raises:
            EngineError: see `match`.
        """
        if not rules:
            return ChainsawRun([], ())
        try:
            with slot(), tempfile.TemporaryDirectory(prefix="sigma-env-chainsaw-") as folder:
                refused = {at: why for at, rule in enumerate(rules) if (why := why_refused(rule, self._of_verdict))}
                return _Batch(self.chainsaw, self._limits, rules, store, Path(folder), refused).run()
        except OSError as error:
            raise EngineError(
                f"{error.filename or tempfile.gettempdir()}: {error.strerror or error}; Chainsaw needs a temporary "
                "folder that can be written: free space there, or name another one in TMPDIR"
            ) from error


class _Hunted(NamedTuple):
    """A run of `hunt`: its report, and the rows that each rule matches, a bit for each of the store."""

    report: RunReport
    rows: dict[int, bytearray]
    panicked: bool


class _Batch:
    """One batch of rules in a temporary folder: `logs` and one folder of rules per run; `refused` are not run."""

    def __init__(
        self,
        chainsaw: Chainsaw,
        limits: ProcessLimits,
        rules: Sequence[Rule],
        store: EventStore,
        folder: Path,
        refused: Mapping[int, str],
    ) -> None:
        self._chainsaw = chainsaw
        self._limits = limits
        self._deadline = time.monotonic() + limits.seconds
        self._folder = folder
        self._store = store
        self._logs = LinkedLogs(store, folder / "logs")
        self._texts = [rule_text(rule, place) for place, rule in enumerate(rules)]
        self._results: dict[int, Matches | Unsupported] = {at: Unsupported(why) for at, why in refused.items()}
        self._skipped: dict[Skipped, None] = {}
        self._runs = 0

    def run(self) -> ChainsawRun:
        places = range(len(self._texts))
        left = [place for place in places if place not in self._results]
        if len(self._logs):
            self._settle(left)
        else:
            self._results |= {place: Matches({}) for place in left}
        return ChainsawRun([self._results[place] for place in places], tuple(self._skipped))

    def _settle(self, places: list[int]) -> None:
        """Gives each rule its result; a panic is traced to the rules that cause it, the others are run again."""
        if not places:
            return
        hunted = self._hunt(places)
        if not hunted.panicked:
            self._take(places, hunted)
        elif len(places) == 1:
            self._results[places[0]] = _panics(hunted.report)
        elif not hunted.report.hunting and (bad := self._that_panic(places)):
            # While it loads rules, no log is read: those at fault are found without one.
            self._results |= bad
            self._settle([place for place in places if place not in bad])
        else:
            middle = len(places) // 2
            self._settle(places[:middle])
            self._settle(places[middle:])

    def _that_panic(self, places: list[int]) -> dict[int, Matches | Unsupported]:
        """Those of the rules that Chainsaw can't load without a panic, each tried alone in the end."""
        report, panicked = self._load(places)
        if not panicked:
            return {}
        if len(places) == 1:
            return {places[0]: _panics(report)}
        middle = len(places) // 2
        return self._that_panic(places[:middle]) | self._that_panic(places[middle:])

    def _take(self, places: list[int], hunted: _Hunted) -> None:
        """Takes over the matches, and the reasons of rules that were not loaded."""
        reasons = {} if hunted.report.rules == len(places) else self._reasons(places, hunted)
        for place in places:
            if place in reasons and hunted.rows.get(place):
                raise EngineError(f"Chainsaw matched with a rule that it says it did not load: {reasons[place]}")
            bits = int.from_bytes(hunted.rows.get(place, b""), "little")
            found = Matches.from_rows(self._store, bit_positions(bits).tolist())
            self._results[place] = Unsupported(reasons[place]) if place in reasons else found

    def _reasons(self, places: list[int], hunted: _Hunted) -> dict[int, str]:
        """Why rules were not loaded: `hunt` only counts them, and only some of them; `lint` names those."""
        rules = self._write(places)
        done = self._execute(["--no-banner", "lint", "--kind", "sigma", rules.name], _ignore)
        self._check_exit(done, "lint")
        told = parse_lint(done.stderr)
        reasons = {place: f"Chainsaw: {told[name]}" for place in places if (name := f"{place}.yml") in told}
        loaded = hunted.report.rules or 0
        if len(places) - len(reasons) != loaded:  # it ignores some without a word
            for place in places:
                if place not in reasons and not hunted.rows.get(place) and not self._load([place])[0].rules:
                    reasons[place] = "Chainsaw ignores this rule without giving a reason"
        if len(places) - len(reasons) != loaded:
            raise EngineError(
                f"Chainsaw loaded {loaded} of {len(places)} rules, but gives a reason for {len(reasons)}; no rule has "
                "a result that can be trusted"
            )
        return reasons

    def _hunt(self, places: list[int]) -> _Hunted:
        """Runs rules on the logs."""
        rules = self._write(places)
        rows: dict[int, bytearray] = {}
        wanted = set(places)
        lines = 0

        def take(line: bytes) -> None:
            nonlocal lines
            lines += 1
            detection = parse_line(line)
            place = place_of(detection.title)
            if place is None or place not in wanted:
                raise EngineError(f"Chainsaw printed a match of a rule that it was not given: {detection.title!r:.200}")
            bits = rows.setdefault(place, bytearray(self._store.n_events // 8 + 1))
            for path, document in detection.documents:
                for row in self._rows(path, document):
                    bits[row >> 3] |= 1 << (row & 7)

        done = self._execute(self._arguments(rules, "logs", "--skip-errors"), take)
        report = parse_report(done.stderr)
        if done.code == _PANIC:
            return _Hunted(report, {}, True)
        if done.code == 1 and report.error == _NO_RULES:
            return _Hunted(report._replace(rules=0), {}, False)
        self._check_exit(done, "hunt", report)
        self._check_counts(report, lines)
        for skipped in report.skipped:
            self._skipped[self._named(skipped)] = None
        if done.stderr_lost:
            self._skipped[Skipped("logs", f"more than can be listed: {done.stderr_lost:,} bytes of messages")] = None
        return _Hunted(report, rows, False)

    def _load(self, places: list[int]) -> tuple[RunReport, bool]:
        """Has Chainsaw load rules and stop before it reads a log; returns its report and whether it panicked."""
        done = self._execute(self._arguments(self._write(places), "no-such-log.evtx"), _ignore)
        report = parse_report(done.stderr)
        # It stops with an error because the log is missing, which it says only once the rules are loaded.
        if done.code not in (1, _PANIC) or (done.code == 1 and report.error != _NO_RULES and report.rules is None):
            self._check_exit(done, "hunt", report)
        return report, done.code == _PANIC

    def _arguments(self, rules: Path, logs: str, *options: str) -> list[str]:
        mapping = str(self._chainsaw.mapping)
        hunt = ["hunt", logs, "-s", rules.name, "-m", mapping, "--jsonl", *options]
        return ["--no-banner", "--num-threads", str(THREADS), *hunt]

    def _write(self, places: list[int]) -> Path:
        """Writes each rule into its own file, in a new folder."""
        self._runs += 1
        folder = self._folder / f"rules-{self._runs}"
        folder.mkdir()
        for place in places:
            (folder / f"{place}.yml").write_text(self._texts[place], encoding="utf-8")
        return folder

    def _execute(self, arguments: list[str], on_line: Callable[[bytes], None]) -> Finished:
        # A line per rule and event; Chainsaw may read some events that this package can't, but not as many again.
        lines = 2 * len(self._texts) * (self._store.n_events + 1)
        limits = self._limits._replace(lines=min(self._limits.lines, lines))
        return run_program([str(self._chainsaw.program), *arguments], self._folder, self._deadline, on_line, limits)

    def _rows(self, path: str, document: Mapping[str, Any]) -> list[int]:
        found = self._logs.rows_of(path, document)
        if not found:
            file = self._store.files[self._logs.file_of(path)].name
            if not any(one.file == file for one in self._store.unreadable):
                raise EngineError(f"Chainsaw matched an event of {file} that the store does not have")
            self._skipped[Skipped(file, "Chainsaw matched an event that this package cannot read")] = None
        return found

    def _named(self, skipped: Skipped) -> Skipped:
        """The same under the file's own name instead of its link's."""
        return Skipped(self._store.files[self._logs.file_of(skipped.file)].name, skipped.reason)

    def _check_exit(self, done: Finished, command: str, report: RunReport | None = None) -> None:
        if done.code == 0:
            return
        if done.code < 0:
            how = f"was ended by signal {-done.code}"
        elif done.code == 2:
            how = "refused its own command line (exit status 2)"
        else:
            how = f"ended with exit status {done.code}"
        said = (report.error if report else None) or parse_panic(done.stderr) or " ".join(done.stderr.split())
        raise EngineError(f"chainsaw {command} {how}: {self._logs.renamed(said)[-_SAID:] or 'it said nothing'}")

    def _check_counts(self, report: RunReport, lines: int) -> None:
        if report.found is None or report.rules is None:
            raise EngineError("chainsaw hunt ended as if all was well, but not with its own summary")
        if report.found != lines:
            raise EngineError(f"chainsaw hunt counts {report.found} matches, but printed {lines}")
        if report.files != len(self._logs):
            said = "".join(f"; it says of {file}: {reason}" for file, reason in map(self._named, report.skipped))
            raise EngineError(f"chainsaw hunt found {report.files} of {len(self._logs)} log files{said[:_SAID]}")


def _panics(report: RunReport) -> Unsupported:
    return Unsupported(f"Chainsaw panics on this rule: {report.panic or 'it does not say why'}")


def _ignore(_line: bytes) -> None:
    """What `lint` and a run without logs print is of no interest."""
