"""Pages that need nothing else: tables and figures in one HTML file; of benchmarks and of trainings."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from benchmarks.drawing import Drawn
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
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 12px; }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """A page.

    Args:
        title: of it, as text.
        parts: of its body, as HTML.
    """
    head = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{escape(title)}</h1>",
    ]
    return "\n".join([*head, *parts, "</body>\n</html>"]) + "\n"


def figure_html(drawn: Drawn) -> str:
    """A figure with its title."""
    return f'<figure id="{escape(drawn.name)}"><figcaption>{escape(drawn.title)}</figcaption>{drawn.svg}</figure>'


def table_html(table: Table) -> Iterator[str]:
    """A table with its title and text."""
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
