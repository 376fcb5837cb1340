"""``sigma-env doctor``: what is here, what is missing, and how to get it."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Say what is here, what is missing, and the command that gets it.

    It looks at Python and the packages, plays one task of the embedded dataset, and looks at the other datasets, the
    cache, the public sources, event stores, Chainsaw, a GPU, and the names of API keys that are set (never their
    values). It uses no network.

    "missing" is no fault: only what you want to do with it needs it. "broken" is there and does not work.

    Exit status: 0 if the embedded dataset can be played, 1 if not.

    Examples:
      sigma-env doctor
      sigma-env doctor --json
    """
    from sigma_env.cli._checks import all_findings

    findings = all_findings()
    works = not any(finding.required and finding.state != "ok" for finding in findings)
    if as_json:
        print(json.dumps({"works": works, "findings": [asdict(finding) for finding in findings]}, indent=1))
    else:
        width = max(len(finding.name) for finding in findings)
        for group, members in groupby(findings, key=lambda finding: finding.group):
            print(group)
            for finding in members:
                print(f"  {finding.state:8} {finding.name:{width}}  {finding.found}")
                if finding.mend:
                    print(f"  {'':8} {'':{width}}  → {finding.mend}")
        print("\nThe embedded dataset can be played." if works else "\nThe embedded dataset cannot be played.")
    if not works:
        raise typer.Exit(1)
