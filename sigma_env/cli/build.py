"""``sigma-env build``: a dataset of tasks, from the public sources or from a user's own rules and logs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sigma_env.simulation.plan import Scenario

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
    "nothing_to_rename": "names nothing that could have another name",
    "still_remembered": "still matches what the rule with the old names matches",
    "no_events": "is one for which no event can be simulated",
    "unsupported": "uses a part of Sigma that is not served",
    "bad_yaml": "is no YAML",
    "invalid_rule": "is no Sigma rule",
    "too_complex": "is too large or too costly to run",
    "unsatisfiable: schema": "needs what no kind of event has",
    "unsatisfiable: implausible value": "needs what the field cannot hold",
}
"""Why a rule becomes no task, for people: `Manifest.left_out` counts by these reasons."""


def build(
    name: Annotated[
        str | None,
        typer.Argument(help="One of the package's, or a name of your own with --rules. Without it: what is built."),
    ] = None,
    rules: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Rule file or folder of rules; may be given again.")
    ] = None,
    logs: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="EVTX file or folder of them; may be given again.")
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate the requests, and logs; those of --logs stay beside them.")
    ] = False,
    scenario: Annotated[
        Scenario, typer.Option(help="What is special about simulated requests; see docs/simulation.md.")
    ] = "default",
    seed: Annotated[
        int, typer.Option(help="Another seed gives another partition, and other simulated events and words.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object on stdout.")] = False,
) -> None:
    """Make a dataset of tasks, from the public sources or from your own rules and logs.

    Each rule becomes a task: a request, to be answered with a rule that
    matches the same events. Rules that are near to each other go to the same
    split. The package's own datasets, of SigmaHQ's rules, which must have
    been fetched:

      sigmahq       every rule that can be satisfied, with simulated logs
                    that tell it from wrong versions of it, and requests that
                    say what it needs
      sigmahq-100   the same tasks, 100 of them for training
      sigmahq-fresh  its test split with new names of files, keys, programs …,
                    so that a remembered rule does not help
      sigmahq-abstain  the tasks of sigmahq, and for every four of them one
                    that the logs cannot show
      sigmahq-real  the rules that fire on the public attack logs; requests
                    are the rules' own titles and descriptions

    And, without any source:

      composed      rules of invented names; those for tests share no name
                    with those for training, nor with what sigma-env compose
                    writes

    starter and starter-abstain are made when they are first asked for, here
    or by any other command.

    A dataset of your own is made of the rules that you name, on logs that you
    name (the rules that fire become tasks) or, with --simulate, on simulated
    ones, to which --logs adds yours; nothing leaves your machine. What is there under the name is
    replaced. The same rules, logs and seed give the same dataset.

    The dataset is kept in your cache (SIGMA_ENV_CACHE names another place).
    left_out.jsonl beside its tasks names every rule that became none, with
    the reason.

    Exit status: 0 if the dataset is there, 1 if it could not be made, 2 for
    a usage error.

    For instance:

      sigma-env build

      sigma-env build sigmahq-real

      sigma-env build mine --rules rules/ --logs logs/

      sigma-env build mine --rules rules/ --simulate
    """
    from sigma_env.tasks.names import BUILT_BY, EMBEDDED

    if name is None:
        if rules or logs or simulate:
            raise typer.BadParameter("give the dataset a name: sigma-env build NAME --rules PATH --logs PATH")
        _list(as_json)
        return
    if name in BUILT_BY or name in EMBEDDED:
        if rules or logs or simulate or scenario != "default":
            raise typer.BadParameter(f"{name} has rules and logs of its own; choose another name for yours")
        if name in EMBEDDED and seed:
            raise typer.BadParameter(f"{name} is the same everywhere; --seed makes no other one")
    elif not rules or not (logs or simulate):
        needs = f"sigma-env build {name} --rules PATH --logs PATH, or --simulate, or both"
        raise typer.BadParameter(f"a dataset of your own needs rules and logs: {needs}")
    elif scenario != "default" and not simulate:
        raise typer.BadParameter("--scenario is about simulated requests; add --simulate")
    with _bars(quiet=as_json) as progress:
        manifest = _build(name, rules or [], logs or [], scenario if simulate else None, seed, progress)
    if as_json:
        print(manifest.model_dump_json(indent=1))
    else:
        _tell(manifest)


def _build(
    name: str,
    rules: list[Path],
    logs: list[Path],
    scenario: Scenario | None,
    seed: int,
    progress: BuildProgress | None,
) -> Manifest:
    """Builds one of the package's datasets or a user's own, simulated if there is a scenario."""
    from sigma_env.tasks import names
    from sigma_env.tasks.build import build_private, private_candidates

    if name in names.BUILT_BY:
        from sigma_env.tasks import composed, sigmahq

        build_it = {
            names.COMPOSED: composed.build_composed,
            names.SIGMAHQ: sigmahq.build_sigmahq,
            names.SIGMAHQ_100: sigmahq.build_sigmahq_100,
            names.SIGMAHQ_ABSTAIN: sigmahq.build_sigmahq_abstain,
            names.SIGMAHQ_FRESH: sigmahq.build_sigmahq_fresh,
            names.SIGMAHQ_REAL: sigmahq.build_sigmahq_real,
        }[name]
        return build_it(seed, progress)
    if name in names.EMBEDDED:
        from sigma_env.tasks.folder import read_manifest
        from sigma_env.tasks.starter import ensure_embedded

        ensure_embedded(name)
        return read_manifest(name)
    if scenario is None:
        return build_private(name, rules, logs, seed=seed, progress=progress)
    from sigma_env.tasks.simulated import build_simulated

    names.check_private_name(name)
    candidates = private_candidates(name, rules)
    return build_simulated(name, candidates, logs=logs, scenario=scenario, seed=seed, progress=progress)


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
    from sigma_env.tasks.names import BUILT_BY, EMBEDDED

    known = {
        **dict.fromkeys(EMBEDDED, "comes with the package"),
        **{name: f"build it with: {how}" for name, how in BUILT_BY.items()},
    }
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
