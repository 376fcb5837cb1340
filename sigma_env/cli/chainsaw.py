"""``sigma-env chainsaw``: get the Chainsaw program, or say where it is."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sigma_env.engines.chainsaw_binary import Chainsaw


class _Action(StrEnum):
    install = "install"
    where = "where"


def chainsaw(
    action: Annotated[_Action, typer.Argument(help="'install' gets it, 'where' says which one is used.")],
    force: Annotated[bool, typer.Option("--force", help="install: get it also if it is here.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Get the Chainsaw program, which can run rules instead of the built-in engine, or say where it is.

    'install' downloads the release that this package was made for, compares
    it with the SHA-256 that its forge publishes, and puts the program and its
    mapping file into your cache. Chainsaw is by WithSecure, under GPL-3.0; it
    is a program of its own, of which nothing is part of this package.

    'where' names the program that '--engine chainsaw' uses: the one in
    SIGMA_ENV_CHAINSAW, else the one on PATH, else the installed one. The
    mapping file is the one in SIGMA_ENV_CHAINSAW_MAPPING, else the one beside
    the program. Versions before 2.16.4 are refused.

    Exit status: 0 if there is a program that can be used, 1 if not.

    For instance:

      sigma-env chainsaw install

      sigma-env chainsaw where --json
    """
    from sigma_env.engines.chainsaw_binary import find_chainsaw

    notes = _install(force) if action is _Action.install else {}
    found = find_chainsaw(notes.get("program"))
    if as_json:
        print(json.dumps({**_described(found), **notes}, indent=1))
        return
    print(f"program: {found.program}\nversion: {found.version_text}\nmapping: {found.mapping}")
    for name in ("licence", "licence_file"):
        if notes.get(name):
            print(f"{name.replace('_', ' ')}: {notes[name]}")
    if not found.tested:
        print("warning: this is not the version that this package was made for, 2.16.4", file=sys.stderr)


def _install(force: bool) -> dict[str, Any]:
    from sigma_env.engines.chainsaw_release import install, release

    wanted = release()
    print(f"Chainsaw {wanted.tag}, by {wanted.owner}; licence: {wanted.licence}", file=sys.stderr, flush=True)
    done = install(force=force)
    return {
        "program": str(done.program),
        "licence": done.licence,
        "licence_file": None if done.licence_file is None else str(done.licence_file),
    }


def _described(found: Chainsaw) -> dict[str, Any]:
    return {
        "program": str(found.program),
        "version": found.version_text,
        "tested": found.tested,
        "mapping": str(found.mapping),
        "mapping_sha256": found.mapping_hash,
    }
