"""Writes a report: tables as Markdown, CSV and JSON, figures as SVG, and the page with all of it."""

from pathlib import Path
from typing import Final

from benchmarks.figures import draw
from benchmarks.page import page
from benchmarks.report import Report
from benchmarks.tables import to_csv, to_json, to_markdown

PAGE: Final = "index.html"
TABLES: Final = "tables"
FIGURES: Final = "figures"


def write_report(report: Report, out: Path) -> Path:
    """Writes a report into a folder, in the place of an earlier one.

    Returns:
        The page.
    """
    for folder, kinds in ((out / TABLES, ("*.csv",)), (out / FIGURES, ("*.svg",))):
        folder.mkdir(parents=True, exist_ok=True)
        for kind in kinds:  # a figure that can no longer be drawn must not stay
            for old in folder.glob(kind):
                old.unlink()
    for table in report.tables:
        (out / TABLES / f"{table.name}.csv").write_text(to_csv(table), encoding="utf-8")
    (out / "tables.md").write_text("\n".join(map(to_markdown, report.tables)), encoding="utf-8")
    (out / "tables.json").write_bytes(to_json(report.tables))
    drawn = draw(report.results)
    for one in drawn:
        (out / FIGURES / f"{one.name}.svg").write_text(one.svg, encoding="utf-8")
    (out / PAGE).write_text(page(report, drawn), encoding="utf-8")
    return out / PAGE
