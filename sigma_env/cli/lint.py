"""``sigma-env lint``: what is wrong with rules, before they run."""

from __future__ import annotations

import gc
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from sigma_env.sigma.lint.checks import Reported
    from sigma_env.sigma.lint.pysigma import PySigmaChecks

_FAULTY = 1


def lint(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Rule files, and folders of .yml files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    sarif: Annotated[
        Path | None, typer.Option(help="Write a SARIF 2.1.0 report to this file; '-' is stdout.", metavar="FILE|-")
    ] = None,
    level: Annotated[
        Literal["error", "warning", "note"], typer.Option(help="Leave out what is less bad than this.")
    ] = "note",
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="CHECK", help="Leave out a check; 'pysigma' means all of its; repeatable."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for notes too.")] = False,
) -> None:
    """Find what is wrong with Sigma rules, or will surprise, before they run.

    Found are: what is no valid rule; categories, services and fields that do
    not exist (the nearest is named); filters that never hold; values that a
    field can't have; EventIDs that the logsource lacks; values that YAML or
    Sigma reads otherwise than they look; where Chainsaw would refuse the rule,
    or find other events; and what pySigma's validators find, if pySigma is
    installed (the extra 'lint').

    Each line names file, line, level, check, problem and fix. docs/lint.md
    lists the checks.

    Exit status: 0 if nothing but notes is found, 1 if errors or warnings are
    (with --strict notes too), 2 for a usage error, also a path that is not
    there.

    For instance:

      sigma-env lint rules/

      sigma-env lint rules/ --level warning --ignore chainsaw-refused

      sigma-env lint rules/ --sarif lint.sarif
    """
    from sigma_env.sigma.errors import RulesNotFound
    from sigma_env.sigma.lint.checks import CHECKS, PYSIGMA, Level, is_check
    from sigma_env.sigma.lint.pysigma import PySigmaChecks, pysigma_is_installed
    from sigma_env.sigma.lint.run import lint as lint_rules

    ignored = frozenset(ignore or ())
    unknown = sorted(name for name in ignored if not is_check(name))
    if unknown:
        raise typer.BadParameter(f"no check is called {unknown[0]!r}; there is {', '.join([*CHECKS, PYSIGMA])}")
    on_stdout = sarif is not None and str(sarif) == "-"
    if as_json and on_stdout:
        raise typer.BadParameter("--json and --sarif - both want stdout; write one of them to a file")
    gc.disable()  # what is made here stays until the end
    try:
        pysigma: PySigmaChecks | None = None
        if PYSIGMA not in ignored and pysigma_is_installed():
            pysigma = PySigmaChecks()
        elif PYSIGMA not in ignored:
            print("pySigma is not installed: its checks are left out (pip install 'sigmaforge[lint]')", file=sys.stderr)
        try:
            linted = lint_rules(paths, pysigma)
        except RulesNotFound as error:
            raise typer.BadParameter(str(error)) from None
    finally:
        gc.enable()
    reported = [
        one
        for one in linted.reported
        if one.finding.level.rank <= Level(level).rank
        and one.finding.check not in ignored
        and not (PYSIGMA in ignored and one.finding.check.startswith(f"{PYSIGMA}/"))
    ]
    if sarif is not None:
        from sigma_env.cli._sarif import sarif_text

        _write(sarif_text(reported), None if on_stdout else sarif)
    if as_json:
        print(json.dumps(_as_json(reported, linted.rules), indent=1))
    elif not on_stdout:
        _tell(reported, linted.rules)
    if any(strict or one.finding.level is not Level.NOTE for one in reported):
        raise typer.Exit(_FAULTY)


def _write(text: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, encoding="utf-8")


def _tell(reported: list[Reported], rules: int) -> None:
    from sigma_env.cli._logs import printable
    from sigma_env.sigma.lint.checks import Level

    for path, line, _, _, finding in reported:
        print(
            f"{printable(str(path))}:{line}: {finding.level.value}: [{finding.check}] {printable(finding.message)}"
            f" — {printable(finding.fix)}"
        )
    counts = Counter(one.finding.level for one in reported)
    told = ", ".join(f"{counts[level]:,} {level.value}{'s' * (counts[level] != 1)}" for level in Level)
    print(f"{rules:,} rule{'s' * (rules != 1)}: {told}", file=sys.stderr)


def _as_json(reported: list[Reported], rules: int) -> dict[str, Any]:
    return {
        "rules": rules,
        "findings": [
            {
                "file": str(path),
                "line": line,
                "column": column,
                "rule": rule,
                "check": finding.check,
                "level": finding.level.value,
                "message": finding.message,
                "fix": finding.fix,
            }
            for path, line, column, rule, finding in reported
        ],
    }
