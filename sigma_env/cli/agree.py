"""``sigma-env agree``: where Chainsaw and the Sigma specification part, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sigma_env.engines.agreement import Comparison
    from sigma_env.engines.base import Matches
    from sigma_env.events.store import EventStore

_UNKNOWN = "no known cause"
_VALIDITY = "only the specification refuses it"
_NAMES = {
    "equal": "same events on both sides",
    "different": "run by both, with different events",
    "only_sigma_runs": "run by the specification's meaning only",
    "only_chainsaw_runs": "run by Chainsaw's meaning only",
    "not_run": "run by neither",
}


def agree(
    rules: Annotated[list[Path], typer.Option("--rules", help="Rule file or folder of .yml files; repeatable.")],
    logs: Annotated[list[Path], typer.Option("--logs", help="EVTX file or folder; repeatable.")],
    engine: Annotated[
        str,
        typer.Option(help="Who gives Chainsaw's meaning: 'native', or 'chainsaw', the real program."),
    ] = "native",
    any_product: Annotated[
        bool, typer.Option("--any-product", help="Also compare rules that are not for Windows' event logs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(help="What --json printed once: differences without a cause that it has are accepted."),
    ] = None,
) -> None:
    """Show where Chainsaw and the Sigma specification part on rules, and why.

    Each rule is run on the logs with both meanings. Where the results differ,
    the cause is named: the smallest set of switches that, turned on in the
    specification's meaning, gives Chainsaw's result.

    With --engine chainsaw the real program is compared instead of the native
    form of its meaning. It is given the rules that the specification accepts.

    Rules for other products are not run, as in 'match': they are not for these
    logs. Chainsaw tries them on every event, which --any-product shows. What
    is not run, or cannot be read, is named with its reason on stderr.

    Exit status: 1 if no rule was run, or no log could be read; 2 for a usage
    error; 3 if a difference has no cause and is not in the baseline.

    For instance:

      sigma-env agree --rules rules --logs evtx

      sigma-env agree --rules rules --logs evtx --engine chainsaw --json

      sigma-env agree --rules my.yml --logs evtx --baseline known.json
    """
    from sigma_env.cli._hunting import Phases, check_choice, name_losses, open_store
    from sigma_env.engines.hunt import NotRun

    check_choice(engine, "sigma")
    known = {} if baseline is None else _read_baseline(baseline)
    store = open_store(Phases(), logs)
    compared = _compared(rules, store, engine, any_product)
    fresh = [one for one in compared if one.is_difference and one.cause is None and not _is_known(one, store, known)]
    if as_json:
        import orjson

        content = _as_json(compared, store, engine)
        sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    else:
        _print_tables(compared)
    not_run = [NotRun(one.meta.id, str(one.path), one.reason or "") for one in compared if one.verdict == "not_run"]
    name_losses(not_run, store, all_with="--json")
    if not store.n_events or all(one.verdict == "not_run" for one in compared):
        print(f"sigma-env: {'no rule was run' if store.n_events else 'no event could be read'}", file=sys.stderr)
        raise typer.Exit(1)
    if fresh:
        for one in fresh:
            print(f"{one.path}: {one.meta.id}: differs without a known cause", file=sys.stderr)
        raise typer.Exit(3)


def _compared(rules: list[Path], store: EventStore, engine: str, any_product: bool) -> list[Comparison]:
    from sigma_env.cli._progress import building
    from sigma_env.engines.agreement import compare_engine, compare_meanings
    from sigma_env.engines.choose import make_engine
    from sigma_env.sigma.files import load_rules

    try:
        with building("looking for causes") as progress:
            if engine == "native":
                return compare_meanings(rules, store, progress, any_product=any_product)
            return compare_engine(load_rules(rules), store, make_engine(engine), progress, any_product=any_product)
    except FileNotFoundError as error:
        raise typer.BadParameter(f"--rules: {error}") from None


def _cause_text(one: frozenset[Any] | None) -> str:
    from sigma_env.engines.agreement import labels_of

    if one is None:
        return _UNKNOWN
    return " + ".join(labels_of(one)) or _VALIDITY


def _print_tables(compared: Sequence[Comparison]) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sigma_env.cli._logs import printable
    from sigma_env.engines.agreement import count_causes

    # A file or pipe has no width of its own, and a folded table is of no use to a program that reads lines.
    console = Console() if sys.stdout.isatty() else Console(width=250)
    verdicts: Counter[str] = Counter(one.verdict for one in compared)
    for verdict, name in _NAMES.items():
        console.print(f"{verdicts[verdict]:>7,} rules {name}", highlight=False)
    differing = [one for one in compared if one.is_difference]
    if not differing:
        return
    causes = Table("cause", "rules", "events only by sigma", "only by chainsaw", "are", box=None, pad_edge=False)
    for row in count_causes(compared):
        numbers = (f"{number:,}" for number in (row.rules, row.only_sigma, row.only_chainsaw))
        causes.add_row(_cause_text(row.cause), *numbers, _NAMES[row.verdict])
    listed = Table("rule", "sigma", "chainsaw", "cause", "reason", box=None, pad_edge=False)
    for one in differing:
        cells = (one.meta.title or one.meta.id, _side(one.sigma), _side(one.chainsaw), _cause_text(one.cause))
        # Text, because what stands in a rule is no markup.
        listed.add_row(*(Text(printable(cell), overflow="fold") for cell in (*cells, one.reason or "")))
    for table in (causes, listed):
        console.print()
        console.print(table, highlight=False)


def _side(outcome: Any) -> str:
    from sigma_env.engines.base import Unsupported

    return "not run" if isinstance(outcome, Unsupported) else f"{len(outcome):,}"


def _as_json(compared: Sequence[Comparison], store: EventStore, engine: str) -> dict[str, Any]:
    from collections import Counter

    from sigma_env.engines.agreement import count_causes, labels_of

    verdicts: Counter[str] = Counter(one.verdict for one in compared)
    return {
        "engine": engine,
        "events": store.n_events,
        "rules": {verdict: verdicts[verdict] for verdict in _NAMES},
        "causes": [
            {**row._asdict(), "cause": None if row.cause is None else labels_of(row.cause)}
            for row in count_causes(compared)
        ],
        "differences": [_rule_json(one, store) for one in compared if one.is_difference],
        "not_run": [
            {"rule_id": one.meta.id, "path": str(one.path), "reason": one.reason}
            for one in compared
            if one.verdict == "not_run"
        ],
        "unreadable": [one._asdict() for one in store.unreadable],
    }


def _rule_json(one: Comparison, store: EventStore) -> dict[str, Any]:
    from sigma_env.engines.agreement import labels_of
    from sigma_env.engines.base import Unsupported

    sides = {"sigma": one.sigma, "chainsaw": one.chainsaw}
    return {
        "rule_id": one.meta.id,
        "title": one.meta.title,
        "path": str(one.path),
        "verdict": one.verdict,
        "cause": None if one.cause is None else labels_of(one.cause),
        "reason": one.reason,
        "matches": {name: None if isinstance(side, Unsupported) else len(side) for name, side in sides.items()},
        "only_sigma": _events(one.only_sigma, store),
        "only_chainsaw": _events(one.only_chainsaw, store),
    }


def _events(matches: Matches, store: EventStore) -> list[dict[str, Any]]:
    refs = sorted(store.refs(matches.rows(store)), key=lambda ref: (ref.file, ref.position))
    return [{"file": ref.file, "event_record_id": ref.record_id, "position": ref.position} for ref in refs]


_Known: TypeAlias = dict[str, tuple[str, set[tuple[str, str, int]]]]
"""By rule id: the verdict, and the events on one side only as (side, file, position)."""


def _read_baseline(path: Path) -> _Known:
    import orjson

    try:
        listed = orjson.loads(path.read_bytes())["differences"]
        return {
            row["rule_id"]: (
                row["verdict"],
                {(side, e["file"], e["position"]) for side in ("only_sigma", "only_chainsaw") for e in row[side]},
            )
            for row in listed
            if row["cause"] is None
        }
    except OSError as error:
        raise typer.BadParameter(f"--baseline: {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise typer.BadParameter(f"--baseline: {path} is not what sigma-env agree --json prints") from None


def _is_known(one: Comparison, store: EventStore, known: _Known) -> bool:
    """Whether the baseline has the difference, or a greater one: what got better needs no new baseline."""
    verdict, events = known.get(one.meta.id, (None, set()))
    sides = {"only_sigma": one.only_sigma, "only_chainsaw": one.only_chainsaw}
    found = {(side, ref["file"], ref["position"]) for side, only in sides.items() for ref in _events(only, store)}
    return verdict == one.verdict and found <= events
