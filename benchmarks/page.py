"""The page: all tables and figures of a run in one HTML file that needs nothing else."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from benchmarks.figures import Drawn
from benchmarks.report import Report
from benchmarks.tables import Table, shown

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } p { max-width: 52rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; white-space: nowrap; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: right; }
th { border-bottom: 2px solid #888; vertical-align: bottom; } .text { text-align: left; }
th:first-child, td:first-child { position: sticky; left: 0; background: #fff; }
figure { margin: 1.5rem 0; } figure svg { max-width: 100%; height: auto; } figcaption { font-weight: 600; }
"""


def page(report: Report, drawn: Sequence[Drawn]) -> str:
    """The HTML of a report."""
    return "\n".join(_parts(report, drawn)) + "\n"


def _parts(report: Report, drawn: Sequence[Drawn]) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>SigmaForge benchmark</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield "<h1>SigmaForge benchmark</h1>"
    if report.skipped:
        missing = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in report.skipped.items())
        yield f"<p>Models that were not run:</p><ul>{missing}</ul>"
    for table in report.tables:
        yield from _table(table)
    for one in drawn:
        yield f'<figure id="{escape(one.name)}"><figcaption>{escape(one.title)}</figcaption>{one.svg}</figure>'
    if not drawn:
        yield "<p>There are no figures: no model but the reference agents was run.</p>"
    yield "</body>\n</html>"


def _table(table: Table) -> Iterator[str]:
    yield f'<h2 id="{escape(table.name)}">{escape(table.title)}</h2>\n<p>{escape(table.about.replace("**", ""))}</p>'
    yield '<div class="wide"><table>\n<thead><tr>'
    for column in table.columns:
        yield f"<th{_class(column.kind)}>{escape(column.heading)}</th>"
    yield "</tr></thead>\n<tbody>"
    for row in table.rows:
        cells = (
            f"<td{_class(column.kind)}>{escape(shown(row.get(column.name), column.kind))}</td>"
            for column in table.columns
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _class(kind: str) -> str:
    return ' class="text"' if kind == "text" else ""
