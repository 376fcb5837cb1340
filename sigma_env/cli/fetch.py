"""``sigma-env fetch``: the pinned public sources, into the user's cache."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from sigma_env.corpora.catalogue import Source
    from sigma_env.corpora.sources import FetchProgress, FetchReport

_SHOWN = 3


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Sources to get; all of them if none is named. See --list.")
    ] = None,
    mirror: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the archives REPO-COMMIT.tar.gz, used instead of the network. "
            "The environment variable SIGMA_ENV_MIRROR does the same."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Get also what is already here.")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="Show the sources, their licences and what is here; get nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Get the public rules and event logs that tasks are built from.

    Each source is one repository at one pinned commit. Its archive is
    downloaded from the forge, and an interrupted download is continued.
    Every file is compared with the commit's own record, and only those that
    SigmaForge uses go into your cache (SIGMA_ENV_CACHE names another place).

    An archive that is damaged, or has a file that the commit does not have,
    is refused and changes nothing. Files that it lacks are listed as a
    warning.

    Each source has its own licence, shown here and kept in its
    manifest.json: read it before you pass the files on.

    Exit status: 0 if every source is here, 1 if one could not be had, 2 if a
    name is unknown.

    For instance:

      sigma-env fetch

      sigma-env fetch sigma --mirror ~/archives

      sigma-env fetch --list
    """
    from sigma_env.corpora.catalogue import catalogue
    from sigma_env.errors import SourceError

    try:
        sources = catalogue().select(names or ())
    except SourceError as error:
        _complain(str(error))
        raise typer.Exit(2) from None
    if list_:
        _list(sources, as_json)
        return
    reports, errors = _fetch_each(sources, mirror, force, quiet=as_json)
    if as_json:
        print(json.dumps({"sources": [_as_json(report) for report in reports], "errors": errors}, indent=1))
    if errors:
        raise typer.Exit(1)


def _fetch_each(
    sources: list[Source], mirror: Path | None, force: bool, quiet: bool
) -> tuple[list[FetchReport], dict[str, str]]:
    """Fetches one source after another; one that fails does not keep the others from being fetched."""
    from sigma_env.corpora.sources import fetch as fetch_sources
    from sigma_env.errors import SourceError

    reports: list[FetchReport] = []
    errors: dict[str, str] = {}
    for source in sources:
        if not quiet:
            print(f"{source.name}: {source.title}\n  licence: {source.licence}", flush=True)
        try:
            with _progress(quiet) as progress:
                [report] = fetch_sources([source.name], mirror=mirror, force=force, progress=progress)
        except SourceError as error:
            errors[source.name] = str(error)
            _complain(f"{source.name}: {error}")
            continue
        reports.append(report)
        if not quiet:
            _tell(report)
        _warn(report)
    return reports, errors


def _tell(report: FetchReport) -> None:
    how = {"cache": "already here", "mirror": "taken from the mirror", "download": "downloaded"}[report.origin]
    manifest = report.manifest
    print(f"  {how}, commit {manifest.commit[:12]}: {manifest.files:,} files, {manifest.bytes / 1e6:,.1f} MB")
    print(f"  {report.path}", flush=True)


def _warn(report: FetchReport) -> None:
    """Names what the archive lacked and what could not be compared; the manifest has the whole lists."""
    from sigma_env.corpora.extract import MANIFEST_NAME

    where = report.path / MANIFEST_NAME
    for paths, what in (
        (report.manifest.absent, "the archive lacks {} of the pinned commit's files"),
        (report.manifest.unverified, "{} files were taken unverified, as no blob id is recorded for them"),
    ):
        if paths:
            shown = "".join(f"\n    {path}" for path in paths[:_SHOWN])
            more = f"\n    and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            _complain(f"{report.name}: {what.format(len(paths))} (all named in {where}):{shown}{more}", "warning")


def _list(sources: list[Source], as_json: bool) -> None:
    from sigma_env.corpora.sources import source_manifest

    rows = [(source, source_manifest(source)) for source in sources]
    if as_json:
        print(
            json.dumps({"sources": [_described(source, manifest is not None) for source, manifest in rows]}, indent=1)
        )
        return
    for source, manifest in rows:
        here = "not here" if manifest is None else f"here, {manifest.files:,} files"
        print(f"{source.name} ({here})\n  {source.title}")
        print(f"  licence: {source.licence}\n  commit:  {source.commit}\n  from:    {source.url}")


def _described(source: Source, fetched: bool) -> dict[str, Any]:
    fields = source.model_dump(include={"name", "title", "owner", "repo", "commit", "licence"})
    return {**fields, "url": source.url, "fetched": fetched}


def _as_json(report: FetchReport) -> dict[str, Any]:
    manifest = report.manifest.model_dump(mode="json")
    return {"name": report.name, "path": str(report.path), "origin": report.origin, "manifest": manifest}


def _complain(message: str, kind: Literal["error", "warning"] = "error") -> None:
    print(f"{kind}: {message}", file=sys.stderr, flush=True)


@contextmanager
def _progress(quiet: bool) -> Iterator[FetchProgress]:
    """Shows a bar on a terminal's stderr; elsewhere only the reasons of retries."""
    if quiet or not sys.stderr.isatty():
        yield _Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("  {task.description:>8}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)


class _Bars:
    """A fetch's progress: one bar per source and phase."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def advance(self, source: str, phase: Literal["download", "verify"], done: int, total: int | None) -> None:
        if self._bars is None:
            return
        if (source, phase) not in self._tasks:
            self._tasks[source, phase] = self._bars.add_task(phase, total=total)
        self._bars.update(self._tasks[source, phase], completed=done, total=total)

    def retrying(self, source: str, reason: str, seconds: float) -> None:
        message = f"{source}: {reason}; trying again {f'in {seconds:.0f} seconds' if seconds >= 1 else 'now'}"
        if self._bars is None:
            _complain(message, "warning")
        else:
            self._bars.console.print(f"warning: {message}", markup=False, highlight=False)
