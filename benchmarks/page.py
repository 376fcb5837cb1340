"""The page: all tables and figures of a run in one HTML file that needs nothing else."""

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.document import document, figure_html, table_html
from benchmarks.drawing import Drawn
from benchmarks.report import Report


def page(report: Report, drawn: Sequence[Drawn]) -> str:
    """The HTML of a report."""
    return document("SigmaForge benchmark", _parts(report, drawn))


def _parts(report: Report, drawn: Sequence[Drawn]) -> Iterator[str]:
    if report.skipped:
        missing = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in report.skipped.items())
        yield f"<p>Models that were not run:</p><ul>{missing}</ul>"
    for table in report.tables:
        yield from table_html(table)
    yield from map(figure_html, drawn)
    if not drawn:
        yield "<p>There are no figures: no model but the reference agents was run.</p>"
