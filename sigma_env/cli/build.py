"""``sigma-env build``: a dataset of tasks, from the public sources or from a user's own rules and logs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sigma_env.tasks.assemble import BuildProgress
    from sigma_env.tasks.manifest import Manifest

REASONS = {
    "no_match": "matches no event of the logs",
    "nothing_scored": "matches only events that no score may count",
    "no_event_source": "asks for events that no Windows log holds",
    "no_request": "has neither title nor description to ask for it with",
    "no_answer": "is larger than an answer may be",
    "duplicate": "asks for the same as another rule",
    "unsupported": "uses a part of Sigma that is not served",
    "bad_yaml": "is no YAML",
    "invalid_rule": "is no Sigma rule",
    "too_complex": "is too large or too costly to run",
}
"""Why a rule becomes no task, for people: `Manifest.left_out` counts by these reasons."""


def build(
    name: Annotated[
        str | None,
        typer.Argument(help="sigmahq-real, or a name of your own with --rules and --logs. Without it: what is built."),
    ] = None,
    rules: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Rule file or folder of rules; may be given again.")
    ] = None,
    logs: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="EVTX file or folder of them; may be given again.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Another seed gives another partition into train, validation and test.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object on stdout.")] = False,
) -> None:
    """Make a dataset of tasks, from the public sources or from your own rules and logs.

    Each rule that fires on the logs becomes a task: a request made of its
    title and description, to be answered with a rule that matches the same
    events. Rules that are near to each other go to the same split.

    sigmahq-real is made of SigmaHQ's rules and the public attack logs, which
    must have been fetched. A dataset of your own is made of the rules and
    logs that you name; nothing leaves your machine. What is there under the
    name is replaced. The same rules and logs give the same dataset.

    The dataset is kept in your cache (SIGMA_ENV_CACHE names another place).
    left_out.jsonl beside its tasks names every rule that became none, with
    the reason.

    Exit status: 0 if the dataset is there, 1 if it could not be made, 2 for
    a usage error.

    For instance:

      sigma-env build

      sigma-env build sigmahq-real

      sigma-env build mine --rules rules/ --logs logs/
    """
    from sigma_env.tasks.names import BUILT_BY

    if name is None:
        if rules or logs:
            raise typer.BadParameter("give the dataset a name: sigma-env build NAME --rules PATH --logs PATH")
        _list(as_json)
        return
    if name in BUILT_BY and (rules or logs):
        raise typer.BadParameter(f"{name} has rules and logs of its own; choose another name for yours")
    if name not in BUILT_BY and not (rules and logs):
        raise typer.BadParameter(f"a dataset of your own needs both: sigma-env build {name} --rules PATH --logs PATH")
    manifest = _build(name, rules or [], logs or [], seed, quiet=as_json)
    if as_json:
        print(manifest.model_dump_json(indent=1))
    else:
        _tell(manifest)


def _build(name: str, rules: list[Path], logs: list[Path], seed: int, quiet: bool) -> Manifest:
    from sigma_env.tasks.build import build_private, build_sigmahq_real
    from sigma_env.tasks.names import SIGMAHQ_REAL

    with _bars(quiet) as progress:
        if name == SIGMAHQ_REAL:
            return build_sigmahq_real(seed, progress)
        return build_private(name, rules, logs, seed=seed, progress=progress)


def _tell(manifest: Manifest) -> None:
    from sigma_env.tasks.folder import LEFT_OUT, dataset_folder

    store, folder = manifest.store, dataset_folder(manifest.name)
    print(f"{manifest.name}: {manifest.tasks:,} tasks of {manifest.rules_read:,} rules, on {store.events:,} events")
    for reason, count in sorted(manifest.left_out.items(), key=lambda item: -item[1]):
        print(f"  left out {count:>6,} × the rule {REASONS.get(reason, reason)}")
    splits = ", ".join(f"{manifest.splits.get(split, 0):,} {split}" for split in ("train", "validation", "test"))
    print(f"splits: {splits} (in {manifest.clusters.count:,} clusters)")
    if store.unreadable:
        print(f"{store.unreadable:,} files or records could not be read; sigma-env index names them")
    for source in manifest.sources:
        absent = f"; {len(source.absent)} of its files were not in the archive" if source.absent else ""
        print(f"source: {source.name}, commit {source.commit[:12]}, licence: {source.licence}{absent}")
    print(f"{folder}\nrules that became no task: {folder / LEFT_OUT}")


def _list(as_json: bool) -> None:
    """Shows which datasets are on this machine, and how to get the others."""
    from sigma_env.corpora.cache import datasets_dir
    from sigma_env.errors import DatasetError
    from sigma_env.tasks.folder import read_manifest
    from sigma_env.tasks.names import BUILT_BY, STARTER

    known = {STARTER: "comes with the package", **{name: f"build it with: {how}" for name, how in BUILT_BY.items()}}
    present = sorted(path.name for path in datasets_dir().iterdir() if path.is_dir() and path.name[0] != ".")
    rows: list[dict[str, object]] = []
    for name in dict.fromkeys([*known, *present]):
        try:
            manifest = read_manifest(name)
        except DatasetError as error:
            note = known.get(name, str(error))
            rows.append({"name": name, "built": False, "tasks": None, "events": None, "note": note})
        else:
            counts = {"tasks": manifest.tasks, "events": manifest.store.events}
            rows.append({"name": name, "built": True, **counts, "note": ""})
    if as_json:
        print(json.dumps({"datasets": rows}, indent=1))
        return
    for row in rows:
        here = f"{row['tasks']:,} tasks on {row['events']:,} events" if row["built"] else row["note"]
        print(f"{row['name']}: {here}")


@contextmanager
def _bars(quiet: bool) -> Iterator[BuildProgress | None]:
    """One bar per phase on a terminal's stderr; nothing where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    phases: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def show(doing: str, done: int, total: int) -> None:
            if doing not in phases:
                phases[doing] = bars.add_task(doing, total=total)
            bars.update(phases[doing], completed=done, total=total)

        yield show
