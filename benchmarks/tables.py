"""Tables as Markdown, CSV and JSON. A cell that was not measured is empty, or null."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import orjson

from benchmarks.statistics import Estimate

Cell = Estimate | float | int | str | None
Kind = Literal["text", "score", "signed", "share", "count", "dollars", "seconds", "tokens"]


class Column(NamedTuple):
    """A column: its name in CSV and JSON, its heading for people, and what its cells are."""

    name: str
    heading: str
    kind: Kind = "text"


class Table(NamedTuple):
    """A table.

    Attributes:
        name: of its files.
        title: for people.
        about: what to know when reading it.
        columns: of it.
        rows: cells by the name of their column.
    """

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]


_FORMATS: Final[Mapping[Kind, str]] = {
    "score": ".3f", "signed": "+.3f", "share": ".0%", "count": ",d", "dollars": ".4f", "seconds": ".2f",
    "tokens": ",.0f",
}  # fmt: skip


def shown(cell: Cell, kind: Kind) -> str:
    """A cell as people read it: an estimate with its interval in brackets, nothing for what was not measured."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    form = _FORMATS.get(kind, "g")
    if isinstance(cell, Estimate):
        return f"{cell.mean:{form}} [{cell.low:{form}}, {cell.high:{form}}]"
    return f"{'$' if kind == 'dollars' else ''}{cell:{form}}"


def to_markdown(table: Table) -> str:
    """The table with its title and text."""
    lines = [f"## {table.title}", "", table.about, ""]
    lines.append("| " + " | ".join(column.heading for column in table.columns) + " |")
    lines.append("|" + "|".join(" --- " if column.kind == "text" else " ---: " for column in table.columns) + "|")
    for row in table.rows:
        cells = [shown(row.get(column.name), column.kind) for column in table.columns]
        lines.append("| " + " | ".join(_plain(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _plain(cell: str) -> str:
    return " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split())


def flat(table: Table) -> list[dict[str, float | int | str | None]]:
    """The rows with plain cells: of an estimate its mean under the column's name, its bounds under _low and _high."""
    rows: list[dict[str, float | int | str | None]] = []
    for row in table.rows:
        cells: dict[str, float | int | str | None] = {}
        for column in table.columns:
            cell = row.get(column.name)
            if isinstance(cell, Estimate):
                cells |= {column.name: cell.mean, f"{column.name}_low": cell.low, f"{column.name}_high": cell.high}
            else:
                cells[column.name] = cell
        rows.append(cells)
    return rows


def to_csv(table: Table) -> str:
    """The table with one line per row; what was not measured is empty."""
    rows = flat(table)
    names = list(dict.fromkeys(name for row in rows for name in row)) or [column.name for column in table.columns]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_json(tables: Sequence[Table]) -> bytes:
    """All tables by name."""
    document = {t.name: {"title": t.title, "about": t.about, "rows": flat(t)} for t in tables}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)
