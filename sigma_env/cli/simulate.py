"""``sigma-env simulate``: logs on which rules can be judged, with labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sigma_env.sigma.files import LoadedRule
    from sigma_env.simulation.simulate import NotSimulated, Progress, Simulated

_FORMATS = ("evtx", "jsonl")
_SHOWN = 20


def simulate(
    rules: Annotated[
        list[Path],
        typer.Option(metavar="PATH", help="Rule file, folder of rules, or - for standard input; may be given again."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the logs and labels.jsonl; must be empty.")],
    seed: Annotated[int, typer.Option(help="Another seed gives other events. The same one gives the same bytes.")] = 0,
    background: Annotated[
        int, typer.Option(min=0, max=2_000_000, help="Events of a quiet enterprise to put around those of the rules.")
    ] = 2_000,
    log_format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="evtx or jsonl.")] = "evtx",
    force: Annotated[bool, typer.Option("--force", help="Replace the logs that an earlier run left in DIR.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as one JSON object on stdout.")] = False,
) -> None:
    """Write Windows logs on which Sigma rules can be judged.

    For each rule there are events that match it in every way it can match,
    near-misses that lack exactly one thing it needs, and events that its
    filters exclude. They stand among background on the hosts of an invented
    company. Any tool that reads Windows event logs can read them.

    DIR/HOST/CHANNEL.evtx are the logs. DIR/labels.jsonl says of each event
    what it is there for: file, event_record_id, rule_id, role (positive,
    near_miss, filtered, background), branch, broken, visible. Roles are
    decided by running the rules on the logs.

    Rules that cannot be run, and ways to match of which no real event could
    be made, are listed with the reason.

    Exit status: 0 if logs were written, 1 if not, 2 for a usage error.

    For instance:

      sigma-env simulate --rules my.yml --out logs

      sigma-env simulate --rules rules/windows --out logs --seed 7 --background 20000

      cat my.yml | sigma-env simulate --rules - --out logs --format jsonl
    """
    from sigma_env.simulation.simulate import check_empty
    from sigma_env.simulation.simulate import simulate as run

    if log_format not in _FORMATS:
        raise typer.BadParameter(f"--format: {log_format!r} is not served; write one of {', '.join(_FORMATS)}")
    check_empty(out, force=force)
    loaded = _load(rules)
    good = [one.rule for one in loaded if one.rule is not None]
    broken = [_broken(one) for one in loaded if one.rule is None]
    if not good:
        for one in broken:
            print(f"sigma-env: {one.title or one.rule_id}: {one.detail}", file=sys.stderr)
        print("sigma-env: no rule can be run", file=sys.stderr)
        raise typer.Exit(1)
    with _bars(quiet=as_json) as progress:
        done = run(
            good,
            out,
            seed,
            background_events=background,
            log_format="evtx" if log_format == "evtx" else "jsonl",
            force=force,
            progress=progress,
        )
    done = done._replace(rules=len(loaded), not_simulated=broken + done.not_simulated)
    if as_json:
        print(json.dumps({**done._asdict(), "not_simulated": [one._asdict() for one in done.not_simulated]}, indent=1))
    else:
        _tell(done, out)


def _load(paths: list[Path]) -> list[LoadedRule]:
    from sigma_env.sigma.files import load_rules, parse_rule_text

    loaded: list[LoadedRule] = []
    for path in paths:
        if str(path) == "-":
            loaded += parse_rule_text(sys.stdin.read(), Path("stdin"))
        else:
            loaded += load_rules([path])
    if not loaded:
        raise typer.BadParameter(f"--rules: no .yml file under {', '.join(map(str, paths))}")
    return loaded


def _broken(one: LoadedRule) -> NotSimulated:
    from sigma_env.simulation.simulate import NotSimulated

    return NotSimulated(one.meta.id, one.meta.title or str(one.path), "", "unsupported", one.reason or "")


def _tell(done: Simulated, out: Path) -> None:
    from sigma_env.cli._logs import printable

    print(f"{done.events:,} events of {done.hosts} hosts in {done.files} files, for {done.rules_with_events:,} rules")
    for role, count in done.roles.items():
        print(f"  {count:>9,} {role}")
    if done.not_simulated:
        whole = sum(not one.branch for one in done.not_simulated)
        print(f"without events: {whole:,} rules, and {len(done.not_simulated) - whole:,} ways to match of others")
    for one in done.not_simulated[:_SHOWN]:
        where = f"{one.title or one.rule_id}: {one.branch}" if one.branch else one.title or one.rule_id
        print(printable(f"  {where}: {one.reason}: {one.detail}"))
    if len(done.not_simulated) > _SHOWN:
        print(f"  … and {len(done.not_simulated) - _SHOWN:,} more; --json lists all")
    print(out)


@contextmanager
def _bars(quiet: bool) -> Iterator[Progress | None]:
    """One bar per phase on a terminal's stderr; nothing where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    phases: dict[str, TaskID] = {}
    with Bars(console=Console(stderr=True), transient=True) as bars:

        def show(doing: str, done: int, total: int) -> None:
            if doing not in phases:
                phases[doing] = bars.add_task(doing, total=total)
            bars.update(phases[doing], completed=done, total=total)

        yield show
