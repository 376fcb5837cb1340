"""What the real Chainsaw was recorded to do."""

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_files import parse_switched_text
from sigma_env.sigma.files import LoadedRule

FOLDER = Path(__file__).parent.parent / "data" / "chainsaw"


class Outcome(NamedTuple):
    """What became of a rule: `loaded` or how it ended, the reason, and what it matched."""

    outcome: str
    reason: str | None
    matches: Matches


def recordings(name: str) -> list[dict[str, Any]]:
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def outcome_of(engine: NativeEngine, text: str, store: EventStore) -> Outcome:
    (loaded,) = parse_switched_text(text, Path("rule.yml"), engine.switches)
    return run_loaded(engine, loaded, store)


def run_loaded(engine: NativeEngine, loaded: LoadedRule, store: EventStore) -> Outcome:
    """Runs a loaded rule and words its end as the recordings do."""
    if loaded.rule is None:
        assert loaded.reason
        return Outcome(_ending(loaded.reason) or "not loaded", loaded.reason, Matches({}))
    (found,) = engine.match([loaded.rule], store)
    if isinstance(found, Unsupported):
        return Outcome(_ending(found.reason) or "not run", found.reason, Matches({}))
    return Outcome("evaluated", None, found)


def _ending(reason: str) -> str | None:
    endings = {"panics at load": "panic at load", "panics while hunting": "PANIC", "the mapping excludes": "excluded"}
    return next((ending for beginning, ending in endings.items() if reason.startswith(beginning)), None)
