"""The recordings, and programs that stand in for Chainsaw: one that replays them, and small scripts that misbehave."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sigma_env.engines.base import Matches
from sigma_env.engines.chainsaw import ChainsawEngine
from sigma_env.engines.chainsaw_binary import Chainsaw, ChainsawMissing, find_chainsaw
from sigma_env.engines.chainsaw_process import ProcessLimits
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.files import load_rules
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.yaml import load_mapping

DATA = Path(__file__).parents[2] / "data" / "chainsaw-runs"
RUNS = DATA / "runs"
INPUTS = DATA / "inputs"

RULES = {
    "certutil": "one/certutil.yml",
    "cmd": "same-id/b.yml",
    "never": "none",
    "anylog": "anylog",
    "attrib": "attrib",
    "count": "count/count.yml",
    "keyword": "mixed/keyword.yml",
    "windash": "mixed/windash.yml",
    "panic_load": "panic-load/panic.yml",
    "panic_hunt": "panic-hunt/panic.yml",
}
"""Rules of the recordings: name → file, or folder of one file."""

RENAMED = {"UPPER.EVTX": "sim.evtx", "none.evtx": "truncated.evtx"}
"""Log files that a recording names: UPPER.EVTX was the other one, none.evtx was none, and is one for the engine."""


def names(folder: Path = RUNS) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run_of(name: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((RUNS / name / "run.json").read_text(encoding="utf-8"))
    return run


def stderr_of(name: str) -> str:
    return (RUNS / name / "stderr").read_text(encoding="utf-8")


def stdout_of(name: str) -> bytes:
    packed = RUNS / name / "stdout.gz"
    return gzip.decompress(packed.read_bytes()) if packed.exists() else (RUNS / name / "stdout").read_bytes()


def matches_of(name: str) -> dict[str, set[tuple[str, int]]]:
    """Title → (path, EventRecordID) of each event that a recording with one match to a line matches."""
    found: dict[str, set[tuple[str, int]]] = {}
    for line in stdout_of(name).splitlines():
        match = json.loads(line)
        for document in match.get("documents") or [match["document"]]:
            record = document["data"]["Event"]["System"]["EventRecordID"]
            found.setdefault(match["name"], set()).add((document["path"], record))
    return found


def rule(name: str) -> Rule:
    path = INPUTS / RULES[name]
    [loaded] = load_rules([path])
    if loaded.rule is None:  # one that only Chainsaw takes
        return written(path.read_text(encoding="utf-8"))
    return loaded.rule


def written(text: str) -> Rule:
    """A rule whose detection is passed on to Chainsaw as it stands, whatever this package thinks of it."""
    document = load_mapping(text)
    stand_in = {**document, "detection": {"sel": {"EventID": 1}, "condition": "sel"}}
    return parse_rule(stand_in)._replace(document=document)


def title(name: str) -> str:
    path = INPUTS / RULES[name]
    [file] = path.iterdir() if path.is_dir() else [path]
    found: str = load_mapping(file.read_text(encoding="utf-8"))["title"]
    return found


def logs(folder: Path, *files: str) -> EventStore:
    """A store of some of the recordings' log files."""
    inputs = folder / "inputs"
    inputs.mkdir(exist_ok=True)
    for name in files:
        packed = INPUTS / f"{RENAMED.get(name, name)}.gz"
        (inputs / name).write_bytes(gzip.decompress(packed.read_bytes()))
    return build([LogRoot(inputs)])


def program(folder: Path, text: str) -> Path:
    """A program in Python that stands in for Chainsaw 2.16.4, with a mapping file beside it."""
    folder.mkdir(exist_ok=True)
    path = folder / "chainsaw"
    version = "import sys\nif sys.argv[1:] == ['--version']:\n    print('chainsaw 2.16.4')\n    sys.exit(0)\n"
    path.write_text(f"#!{sys.executable}\n{version}{text}", encoding="utf-8")
    path.chmod(0o755)
    with_mapping(folder)
    return path


def with_mapping(folder: Path) -> None:
    (folder / "mappings").mkdir(exist_ok=True)
    (folder / "mappings" / "sigma-event-logs-all.yml").write_text("kind: evtx\nrules: sigma\n", encoding="utf-8")


def replaying(
    folder: Path, answers: Sequence[Mapping[str, Any]], rules: Mapping[str, Rule] | None = None
) -> ChainsawEngine:
    """The engine on a program that replays recordings; see `replay.py` for `answers`."""
    known = rules or {name: rule(name) for name in RULES}
    titles = {name: one.meta.title or title(name) for name, one in known.items()}
    folder.mkdir(exist_ok=True)
    path = folder / "chainsaw"
    source = (Path(__file__).parent / "replay.py").read_text(encoding="utf-8")
    path.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
    path.chmod(0o755)
    with_mapping(folder)
    script = {
        "runs": str(RUNS),
        "rules": {name: one.document["detection"] for name, one in known.items()},
        "titles": titles,
        "answers": list(answers),
    }
    (folder / "replay.json").write_text(json.dumps(script), encoding="utf-8")
    return ChainsawEngine(path)


def hunt(run: str, *rules: str) -> dict[str, Any]:
    """The recording that answers `hunt` with these rules."""
    return {"command": "hunt", "rules": rules, "run": run}


def load(run: str, *rules: str) -> dict[str, Any]:
    """The recording that answers `hunt` with these rules and without logs."""
    return {"command": "load", "rules": rules, "run": run}


def lint(run: str, *rules: str) -> dict[str, Any]:
    """The recording that answers `lint` of these rules."""
    return {"command": "lint", "rules": rules, "run": run}


def records(store: EventStore, matches: Matches) -> set[tuple[str, int]]:
    """(file, EventRecordID) of matches."""
    return {(ref.file, ref.record_id) for ref in store.refs(matches.rows(store))}


def calls(engine: ChainsawEngine) -> list[list[str]]:
    """What a replaying program was called with, but for `--version`."""
    lines = (engine.chainsaw.program.parent / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [call for call in map(json.loads, lines) if call != ["--version"]]


def misbehaving(folder: Path, text: str, **limits: Any) -> ChainsawEngine:
    return ChainsawEngine(program(folder, text), limits=ProcessLimits(**limits))


class Maker(Protocol):
    """Makes the engine; see `replaying`."""

    def __call__(
        self, folder: Path, answers: Sequence[Mapping[str, Any]], rules: Mapping[str, Rule] | None = None
    ) -> ChainsawEngine: ...


def _real() -> Chainsaw | None:
    try:
        return find_chainsaw()
    except ChainsawMissing:
        return None


REAL = _real()
"""The real Chainsaw of this machine, on PATH or installed."""
KINDS = ["replay"] if REAL is None else ["replay", "real"]
"""The programs that tests run."""


def maker(kind: str) -> Maker:
    """Makes the engine on the replaying program or on the real one, which must do the same."""
    if kind == "replay":
        return replaying
    assert REAL is not None
    program, mapping = REAL.program, REAL.mapping
    return lambda folder, answers, rules=None: ChainsawEngine(program, mapping)  # noqa: ARG005
