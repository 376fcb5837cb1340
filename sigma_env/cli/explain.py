"""``sigma-env explain``: why a rule matches an event, or why not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sigma_env.cli._hunting import check_choice

if TYPE_CHECKING:
    from sigma_env.engines.evaluator import Trace
    from sigma_env.events.store import EventStore
    from sigma_env.sigma.files import LoadedRule
    from sigma_env.sigma.rule import Rule


def explain(
    rule: Annotated[
        Path, typer.Option("--rule", help="The rule's file; - reads a rule or a model's answer from stdin.")
    ],
    event: Annotated[
        str,
        typer.Option("--event", help="FILE:RECORD or FILE:RECORD:POSITION. FILE is a path, or a name under --logs."),
    ],
    logs: Annotated[list[Path] | None, typer.Option("--logs", help="Where FILE is; repeatable.")] = None,
    rule_id: Annotated[str | None, typer.Option("--id", help="Which rule of a file that has several.")] = None,
    engine: Annotated[
        str, typer.Option(help="Whose matches to explain; 'chainsaw' means --semantics chainsaw, and runs no program.")
    ] = "native",
    semantics: Annotated[
        str,
        typer.Option(help="What rules mean: 'sigma', the specification's meaning, or 'chainsaw', Chainsaw 2.16.4's."),
    ] = "sigma",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show line by line why a rule matches an event, or why it doesn't.

    Prints the condition as a tree: ✓ in front of what holds, ✗ in front of what
    does not, and behind each line what the event has in that field. With
    Chainsaw's meaning it is the tree that Chainsaw evaluates, – stands for what
    is neither true nor false, and the switches are named that make the result
    another one than the specification's. RECORD is the event's EventRecordID;
    POSITION, its place in the file from 0, is needed only where the number
    comes twice. `sigma-env match` prints all three.

    Exit status: 0 if the rule matches the event, 3 if it does not, 1 if the
    rule or the event cannot be read, 2 for a usage error.

    For instance:

      sigma-env explain --rule my.yml --event Security.evtx:4711

      sigma-env explain --rule my.yml --logs ./evtx --event dc01/Security.evtx:4711:12

      sigma-env explain --rule my.yml --event Security.evtx:4711 --semantics chainsaw
    """
    check_choice(engine, semantics)
    if "chainsaw" in (engine, semantics):
        from sigma_env.cli._explain_chainsaw import detection_for_chainsaw, show, written_for_chainsaw

        # Whoever runs the program writes the rule's header anew, and an answer has none that counts.
        by_detection = engine == "chainsaw" or str(rule) == "-"
        written = detection_for_chainsaw(_rule(rule, rule_id)) if by_detection else written_for_chainsaw(rule, rule_id)
        store, row = _event(event, logs or [])
        matches = show(written, store, row, runs_program=engine == "chainsaw", as_json=as_json)
    else:
        chosen = _rule(rule, rule_id)
        store, row = _event(event, logs or [])
        matches = _show(chosen, store, row, as_json)
    if not matches:
        raise typer.Exit(3)


def _show(rule: Rule, store: EventStore, row: int, as_json: bool) -> bool:
    """Prints why a rule matches an event or not, with the specification's meaning; whether it does."""
    from sigma_env.engines.evaluator import StoredEvent, trace

    found = trace(rule.condition, StoredEvent.at(store, row, rule.logsource.category))
    selected, why = _selection(rule, store, row)
    if as_json:
        _print_json(found, store, row, selected, why)
    else:
        _print_tree(found, rule, store, row, selected, why)
    return selected and found.holds


def _rule(path: Path, rule_id: str | None) -> Rule:
    from sigma_env.sigma.errors import RulesNotFound
    from sigma_env.sigma.files import load_rules

    if str(path) == "-":
        return _answer(sys.stdin.read())
    try:
        loaded = load_rules([path])
    except RulesNotFound as error:
        raise typer.BadParameter(f"--rule: {error}") from None
    wanted = [one for one in loaded if rule_id in (None, one.meta.id)]
    if len(wanted) != 1:
        ids = ", ".join(one.meta.id for one in loaded[:10])
        raise typer.BadParameter(f"--rule: {path} has {len(loaded)} rules; choose one with --id: {ids}")
    return _or_fail(wanted[0])


def _or_fail(loaded: LoadedRule) -> Rule:
    if loaded.rule is None:
        from sigma_env.errors import SigmaEnvError

        raise SigmaEnvError(f"{loaded.path}: {loaded.reason}")
    return loaded.rule


def _answer(text: str) -> Rule:
    from sigma_env.errors import SigmaEnvError
    from sigma_env.sigma.answer import parse_answer

    answer = parse_answer(text)
    if answer.status != "ok" or answer.rule is None:
        raise SigmaEnvError(f"stdin: {answer.status}: {answer.reason}")
    return answer.rule


def _event(text: str, logs: list[Path]) -> tuple[EventStore, int]:
    from sigma_env.cli._logs import open_logs

    if not logs:
        parts = text.rsplit(":", 2)
        # A path may hold colons, and POSITION may be left out: take the longest beginning that is a file.
        path = next((p for p in (text.rsplit(":", 1)[0], parts[0]) if Path(p).is_file()), None)
        if path is None:
            raise typer.BadParameter(f"--event: there is no log file {parts[0]}; write FILE:RECORD, or give --logs")
        logs, text = [Path(path)], f"{Path(path).name}{text[len(path) :]}"
    store = open_logs(logs)
    return store, store.resolve(text)


def _selection(rule: Rule, store: EventStore, row: int) -> tuple[bool, str]:
    """Whether the rule's logsource selects the event, and a line that says so."""
    from sigma_env.engines.native import selects
    from sigma_env.sigma.taxonomy import select

    partition = store.partition_of(row)
    where = f"{partition.channel} {partition.event_id}"
    if selects(rule.logsource, store, row):
        return True, f"logsource {rule.logsource} selects {where}"
    note = select(rule.logsource).note
    return False, f"logsource {rule.logsource} does not select {where}" + (f": {note}" if note else "")


def _print_tree(found: Trace, rule: Rule, store: EventStore, row: int, selected: bool, why: str) -> None:
    from sigma_env.engines.show import mark, tree

    colour = sys.stdout.isatty()
    print(f"event {store.ref(row)}  {store.time(row)}  {store.computer(row)}")
    print(f"rule  {rule.meta.title or rule.meta.id or 'answer'}")
    print(f"{mark(selected, colour=colour)} {why}")
    print(tree(found, colour=colour))
    print("match" if selected and found.holds else "no match")


def _print_json(found: Trace, store: EventStore, row: int, selected: bool, why: str) -> None:
    import orjson

    from sigma_env.engines.show import as_dict

    content = {
        "event": str(store.ref(row)),
        "matches": selected and found.holds,
        "logsource": {"selects": selected, "reason": why},
        "condition": as_dict(found),
    }
    sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
