"""What `sigma-env explain` shows of Chainsaw's meaning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import typer

from sigma_env.engines.judge import OF_DETECTIONS, Causes, Switches, judge, same_document, told
from sigma_env.engines.switched_match import refusal_of
from sigma_env.sigma.switches import CHAINSAW, SIGMA, Switch

if TYPE_CHECKING:
    from sigma_env.engines.judge import Judgement
    from sigma_env.events.store import EventStore
    from sigma_env.sigma.files import LoadedRule
    from sigma_env.sigma.rule import Rule

_NOT_RUN = "the program was not run: its meaning in the native engine explains it"


class ChainsawRule(NamedTuple):
    """A rule as Chainsaw runs it, its meaning, and where to look for the switches that make a difference."""

    rule: Rule
    on: Switches
    causes: Causes


def detection_for_chainsaw(rule: Rule) -> ChainsawRule:
    """A rule by the specification, of which only logsource and detection are Chainsaw's to read.

    Raises:
        SigmaEnvError: Chainsaw does not run it.
    """
    causes = Causes(same_document(rule), OF_DETECTIONS)
    reason = refusal_of(rule, OF_DETECTIONS)
    if reason is not None:
        _fail(rule.meta.title or rule.meta.id or "answer", reason, causes)
    return ChainsawRule(rule, OF_DETECTIONS, causes)


def written_for_chainsaw(path: Path, rule_id: str | None) -> ChainsawRule:
    """The rule of a file as Chainsaw loads it.

    Raises:
        typer.BadParameter: the file does not hold just one that is meant.
        SigmaEnvError: Chainsaw does not run it.
    """
    from sigma_env.errors import SigmaEnvError
    from sigma_env.sigma.chainsaw_files import parse_switched_text
    from sigma_env.sigma.files import LoadedRule, read_rule_file

    if not path.exists():
        raise typer.BadParameter(f"--rule: no rule file at {path}")
    text = read_rule_file(path)
    if isinstance(text, LoadedRule):
        raise SigmaEnvError(f"{path}: {text.reason}")

    def wanted(on: Switches) -> list[LoadedRule]:
        return [one for one in parse_switched_text(text, path, on) if rule_id in (None, one.meta.id)]

    def load(on: Switches) -> Rule | None:
        rules = [one.rule for one in wanted(on) if one.rule is not None]
        return rules[0] if len(rules) == 1 else None

    found = wanted(CHAINSAW)
    runnable = [one.rule for one in found if one.rule is not None]
    causes = Causes(load, CHAINSAW)
    if not runnable and found:
        _fail(str(path), found[0].reason or "it is no rule", causes)
    if len(runnable) != 1:
        ids = ", ".join(one.meta.id for one in parse_switched_text(text, path, CHAINSAW)[:10])
        raise typer.BadParameter(f"--rule: {path} has {len(runnable)} rules; choose one with --id: {ids}")
    return ChainsawRule(runnable[0], CHAINSAW, causes)


def _fail(name: str, reason: str, causes: Causes) -> NoReturn:
    from sigma_env.errors import SigmaEnvError

    cause = SIGMA if causes.load(SIGMA) is None else causes.refusal()
    why = f"; it is a rule by the specification, and the difference is made by {told(cause)}" if cause else ""
    raise SigmaEnvError(f"{name}: Chainsaw does not run it: {reason}{why}")


def show(written: ChainsawRule, store: EventStore, row: int, *, runs_program: bool, as_json: bool) -> bool:
    """Prints why a rule matches an event in Chainsaw's meaning, or why not; whether it does."""
    found = judge(written.rule, store, row, written.on)
    specified = None if written.causes.load(SIGMA) is None else written.causes.matches(store, row, SIGMA)
    cause = None if specified is None else written.causes.at(store, row)
    if as_json:
        _print_json(found, store, row, specified, cause, runs_program)
    else:
        _print_tree(found, written.rule, store, row, cause, runs_program)
    return found.matches


def _print_tree(
    found: Judgement, rule: Rule, store: EventStore, row: int, cause: Switches | None, runs_program: bool
) -> None:
    from sigma_env.engines.show import mark
    from sigma_env.engines.switched_show import tree

    colour = sys.stdout.isatty()
    print(f"event {store.ref(row)}  {store.time(row)}  {store.computer(row)}")
    print(f"rule  {rule.meta.title or rule.meta.id or 'answer'}")
    print(f"by    Chainsaw's meaning{f'; {_NOT_RUN}' if runs_program else ''}")
    print(f"{mark(found.selection.selects, colour=colour)} {found.selection.reason}")
    if found.condition is not None:
        print(tree(found.condition, colour=colour))
    if found.problem:
        print(found.problem)
    print("match" if found.matches else "no match")
    if cause is not None:
        print(
            f"by the specification: {'no match' if found.matches else 'match'}; the difference is made by {told(cause)}"
        )


def _print_json(
    found: Judgement, store: EventStore, row: int, specified: bool | None, cause: Switches | None, runs_program: bool
) -> None:
    import orjson

    from sigma_env.engines.switched_show import as_dict

    content = {
        "event": str(store.ref(row)),
        "semantics": "chainsaw",
        "note": _NOT_RUN if runs_program else None,
        "matches": found.matches,
        "logsource": {"selects": found.selection.selects, "reason": found.selection.reason},
        "condition": None if found.condition is None else as_dict(found.condition),
        "problem": found.problem,
        "specification_matches": specified,
        "difference": None if cause is None else [switch.label for switch in Switch if switch in cause],
    }
    sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
