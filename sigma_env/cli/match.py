"""``sigma-env match``: Sigma rules on Windows event logs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sigma_env.cli._hunting import Phases, check_choice, name_losses, open_store

if TYPE_CHECKING:
    from sigma_env.engines.hunt import Hunt, NotRun
    from sigma_env.events.store import EventStore
    from sigma_env.sigma.files import LoadedRule

_LINES_AT_ONCE = 500


def match(
    rules: Annotated[list[Path], typer.Option("--rules", help="Rule file or folder of .yml files; repeatable.")],
    logs: Annotated[list[Path], typer.Option("--logs", help="EVTX file or folder; repeatable.")],
    engine: Annotated[str, typer.Option(help="Who runs the rules; 'native' runs them in process.")] = "native",
    semantics: Annotated[
        str,
        typer.Option(help="What rules mean: 'sigma', the specification's meaning, or 'chainsaw', Chainsaw 2.16.4's."),
    ] = "sigma",
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON object per match (default if piped).")] = False,
    table: Annotated[bool, typer.Option("--table", help="Print a table (default on a terminal).")] = False,
    count: Annotated[bool, typer.Option("--count", help="Print the number of matches per rule.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report of the run to this file.")] = None,
    level: Annotated[list[str] | None, typer.Option(help="Only rules of this level; repeatable.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only rules of this status; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only rules with this tag or one below it; repeatable.")] = None,
    rule_id: Annotated[list[str] | None, typer.Option("--id", help="Only the rule with this id; repeatable.")] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Only events from this time on (ISO 8601; UTC if it names no zone)."
        ),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only events before this time.")] = None,
    fail_on_match: Annotated[
        bool, typer.Option("--fail-on-match", help="Exit with 3 if anything matches, for CI.")
    ] = False,
) -> None:
    """Run Sigma rules on Windows event logs and print every match.

    One line per match, sorted by file, position in the file and rule, with the
    lines of the rule that made it match. The logs are read once and kept in
    the cache, the rules too, so the next run starts at once.

    A rule that cannot be run, a file or record that cannot be read, is named
    with its reason on stderr and in the report; it does not stop the others.

    Exit status: 0 also if some rules were not run; 1 if none was, or no log
    could be read; 2 for a usage error; 3 with --fail-on-match and a match.

    For instance:

      sigma-env match --rules sigma/rules/windows --logs ./evtx

      sigma-env match --rules my.yml --logs a.evtx --logs b.evtx --table

      sigma-env match --rules rules --logs evtx --level high --level critical --count

      sigma-env match --rules rules --logs evtx --semantics chainsaw
    """
    if jsonl + table + count > 1:
        raise typer.BadParameter("give one of --jsonl, --table and --count")
    check_choice(engine, semantics)
    begins, ends = _time(begin, "--from"), _time(end, "--to")
    gc.disable()  # what is made here stays until the end, and collecting it takes as long as matching
    run = Phases()
    loaded, not_run = _load_rules(run, rules, engine, semantics, level, status, tag, rule_id)
    store = open_store(run, logs)
    hunted = _hunt(run, engine, semantics, loaded, store, begins, ends)
    with run.phase("output"):
        _print(hunted, "jsonl" if jsonl else "table" if table else "count" if count else None)
    not_run += hunted.not_run
    rules_run = len(hunted.rules) - len(hunted.not_run)
    name_losses(not_run, store)
    if report is not None:
        _write_report(report, hunted, rules_run, not_run, run)
    if not rules_run or not store.n_events:
        print(f"sigma-env: {'no event could be read' if rules_run else 'no rule was run'}", file=sys.stderr)
        raise typer.Exit(1)
    if fail_on_match and hunted.matches:
        raise typer.Exit(3)


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text!r} is no time; write it like 2026-03-01T12:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _load_rules(
    run: Phases,
    paths: list[Path],
    engine: str,
    semantics: str,
    level: list[str] | None,
    status: list[str] | None,
    tag: list[str] | None,
    rule_id: list[str] | None,
) -> tuple[list[LoadedRule], list[NotRun]]:
    with run.phase("rules"):
        from sigma_env.engines.hunt import RuleFilter, runnable
        from sigma_env.engines.rule_cache import load_rules
        from sigma_env.sigma.files import load_rules as load_written  # the cache has no texts, which Chainsaw reads
        from sigma_env.sigma.switches import BY_NAME

        wanted = RuleFilter(_lower(level), _lower(status), _lower(tag), frozenset(rule_id or ()))
        try:
            loaded = load_written(paths) if engine == "chainsaw" else load_rules(paths, BY_NAME[semantics])
        except FileNotFoundError as error:
            raise typer.BadParameter(f"--rules: {error}") from None
        return runnable((one for one in loaded if wanted.accepts(one)), any_logsource=engine == "chainsaw")


def _lower(values: list[str] | None) -> frozenset[str]:
    return frozenset(value.lower() for value in values or ())


def _hunt(
    run: Phases,
    engine: str,
    semantics: str,
    rules: list[LoadedRule],
    store: EventStore,
    begin: datetime | None,
    end: datetime | None,
) -> Hunt:
    with run.phase("match"):
        from sigma_env.engines.choose import make_engine
        from sigma_env.engines.hunt import hunt

        return hunt(rules, store, make_engine(engine, semantics), begin, end)


def _print(hunted: Hunt, form: str | None) -> None:
    if form is None:
        form = "table" if sys.stdout.isatty() else "jsonl"
    printers: dict[str, Callable[[Hunt], None]] = {"jsonl": _print_jsonl, "table": _print_table, "count": _print_counts}
    printers[form](hunted)


def _print_jsonl(hunted: Hunt) -> None:
    import orjson

    lines: list[bytes] = []
    for found in hunted:
        lines.append(orjson.dumps(found.as_json(), option=orjson.OPT_APPEND_NEWLINE))
        if len(lines) == _LINES_AT_ONCE:  # stdout may be unbuffered
            sys.stdout.buffer.write(b"".join(lines))
            lines.clear()
    sys.stdout.buffer.write(b"".join(lines))


def _print_table(hunted: Hunt) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("time", "level", "rule", "event", "file:record", "matched on", box=None, pad_edge=False)
    for found in hunted:
        row = found.as_json()
        lines: Any = row["matched_on"]
        where = f"{row['file']}:{row['event_record_id']}"
        seen = "\n".join(f"{line['field'] or 'keyword'}: {line['value']}" for line in lines)
        cells = (row["time"], row["level"], row["title"], f"{row['channel']} {row['event_id']}", where, seen)
        # Text, because what stands in a log is no markup.
        table.add_row(*(Text("" if cell is None else str(cell), overflow="fold") for cell in cells))
    Console().print(table)
    print(f"{len(hunted.matches):,} matches of {len({place for place, _ in hunted.matches}):,} rules")


def _print_counts(hunted: Hunt) -> None:
    from collections import Counter

    counts = Counter(place for place, _ in hunted.matches)
    order = sorted(counts, key=lambda place: (-counts[place], hunted.rules[place].meta.id))
    for place in order:
        meta = hunted.rules[place].meta
        print(f"{counts[place]}\t{meta.level or '-'}\t{meta.id}\t{meta.title}")


def _write_report(path: Path, hunted: Hunt, rules_run: int, not_run: list[NotRun], run: Phases) -> None:
    import orjson

    content = {
        "rules_run": rules_run,
        "not_run": [{"rule_id": one.rule_id, "path": one.path, "reason": one.reason} for one in not_run],
        "unreadable": [one._asdict() for one in (*hunted.store.unreadable, *hunted.unread)],
        "events": hunted.store.n_events,
        "matches": len(hunted.matches),
        "seconds": run.seconds,
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
