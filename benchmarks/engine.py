"""`make bench-engine`: how fast rules and answers are run, beside the floor that each figure could reach.

Every part runs in a process of its own, so that its memory is its own. All figures of a table come from one run.
"""

import argparse
import copy
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import best_of, memory, once, quantile, settled

BATCH: Final = 64
GROWN_EVENTS: Final = 1_000_000
ANSWERS: Final = 6_000
_SEED: Final = 0

Part = dict[str, Any]


def _sources() -> tuple[Path, list[Path]]:
    from sigma_env.corpora import ensure_sources

    paths = ensure_sources()
    return paths["sigma"], [paths["EVTX-ATTACK-SAMPLES"], paths["hayabusa-sample-evtx"], paths["sigma"]]


def _rules() -> list[Any]:
    from sigma_env.engines.hunt import runnable
    from sigma_env.engines.rule_cache import load_rules

    return [one.rule for one in runnable(load_rules([_sources()[0]]))[0]]


def _roots() -> list[Any]:
    from sigma_env.events.logs import LogRoot

    return [LogRoot(path) for path in _sources()[1]]


def build() -> Part:
    """EVTX files → store, and the floor: the reader's decoding to JSON alone."""
    from evtx import PyEvtxParser

    from sigma_env.events.build import build as build_store
    from sigma_env.events.logs import find_logs

    roots = _roots()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SIGMA_ENV_CACHE"] = cache
        seconds = once(lambda: build_store(roots))
        opened = best_of(5, lambda: build_store(roots))
        store = build_store(roots)
        names = {file.name for file in store.files}
        paths = [file.path for file in find_logs(roots) if file.name in names]

        def decode() -> None:
            for path in paths:
                for _ in PyEvtxParser(path, separate_json_attributes=True).records_json():
                    pass

        floor = once(decode)
    return {
        "files": len(paths),
        "events": store.n_events,
        "build_seconds": seconds,
        "build_floor_seconds": floor,
        "open_seconds": opened,
    }


def rules() -> Part:
    """All rules over all events, the first time and once warm, and the floor: the calls of `bytes.find` alone."""
    from sigma_env.engines.native import NativeEngine
    from sigma_env.events.build import build as build_store

    parsed, store, engine = _rules(), build_store(_roots()), NativeEngine()
    with settled():
        first = once(lambda: engine.match(parsed, store))
        warm = best_of(5, lambda: engine.match(parsed, store))
        results = engine.match(parsed, store)
        floor = best_of(3, _finds_of(lambda: engine.match(parsed, store)))
    return {
        "rules": len(parsed),
        "events": store.n_events,
        "first_seconds": first,
        "warm_seconds": warm,
        "floor_seconds": floor,
        "rules_that_fire": sum(map(bool, results)),
        "pairs": sum(len(one) for one in results if hasattr(one, "bits")),
        **memory(),
    }


def semantics() -> Part:
    """The same rules over the same events with the specification's meaning and with Chainsaw's."""
    from sigma_env.engines.native import NativeEngine
    from sigma_env.engines.rule_cache import load_rules
    from sigma_env.events.build import build as build_store
    from sigma_env.events.store import EventStore
    from sigma_env.sigma.switches import BY_NAME

    loaded = {name: load_rules([_sources()[0]], on) for name, on in BY_NAME.items()}
    by_path = {name: {one.path: one.rule for one in rules if one.rule} for name, rules in loaded.items()}
    common = [path for path in by_path["sigma"] if path in by_path["chainsaw"]]
    part: Part = {"rules": len(common), "events": build_store(_roots()).n_events}
    engine_of = {name: NativeEngine(name) for name in BY_NAME}
    for name, engine in engine_of.items():  # what Python itself loads the first time is nobody's
        engine.match([by_path[name][common[0]]], EventStore.from_documents([{"Channel": "Security", "EventID": 1}]))
    with settled():
        for name, engine in engine_of.items():
            rules, store = [by_path[name][path] for path in common], build_store(_roots())  # each opens the store anew
            part[f"{name}_first_seconds"] = once(lambda e=engine, r=rules, s=store: e.match(r, s))  # type: ignore[misc]
            part[f"{name}_seconds"] = best_of(5, lambda e=engine, r=rules, s=store: e.match(r, s))  # type: ignore[misc]
    return part


def _finds_of(work: Callable[[], Any]) -> Callable[[], None]:
    """What `work` asked of `bytes.find`, as one loop without anything around it."""
    from sigma_env.events import column

    calls: list[tuple[bytes, bytes, int, int]] = []
    scan = column._scan

    def recorded(blob: bytes, starts: Any, needles: Any, begin: int = 0, end: int | None = None) -> list[int]:
        asked = tuple(needles)
        calls.extend((blob, needle, begin, len(blob) if end is None else end) for needle in asked)
        return scan(blob, starts, asked, begin, end)

    column._scan = recorded  # the benchmark looks into the engine on purpose
    try:
        work()
    finally:
        column._scan = scan

    def replay() -> None:
        for blob, needle, begin, end in calls:
            blob.find(needle, begin, end)

    return replay


def answers() -> Part:
    """Answer → Score, one at a time on one core, each answer new, and the floor: the C parser of YAML alone."""
    import yaml

    from sigma_env.scoring.scorer import Scorer
    from sigma_env.tasks.dataset import load_dataset

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    scorer = Scorer(load_dataset("sigmahq-real"))
    asked = _new_answers(scorer, ANSWERS)
    warm, timed = asked[: ANSWERS // 6], asked[ANSWERS // 6 :]
    for task, text in warm:
        scorer.score(task, text)
    with settled():
        seconds = [once(lambda t=task, a=text: scorer.score(t, a)) for task, text in timed]  # type: ignore[misc]
        floor = [once(lambda a=text: list(yaml.parse(_yaml_of(a), Loader=yaml.CSafeLoader))) for _, text in timed]  # type: ignore[misc]
    scores = [scorer.score(task, text) for task, text in timed[:1000]]
    return {
        "answers": len(timed),
        "answers_that_are_rules": sum(score.status == "ok" for score in scores) / len(scores),
        "p50_ms": quantile(seconds, 0.5) * 1e3,
        "p95_ms": quantile(seconds, 0.95) * 1e3,
        "max_ms": max(seconds) * 1e3,
        "per_second": len(seconds) / sum(seconds),
        "floor_p50_ms": quantile(floor, 0.5) * 1e3,
        **memory(),
    }


def _yaml_of(answer: str) -> str:
    return answer.split("```yaml\n", 1)[1].split("```", 1)[0]


def _new_answers(scorer: Any, count: int) -> list[tuple[Any, str]]:
    """(task, answer) pairs: references in which one value each is changed, so that none was seen before."""
    import yaml

    from sigma_env.tasks.reference import reference_rule

    tasks = scorer.dataset.playable(scorer.engine)
    chance = random.Random(_SEED)
    pairs = []
    for i in range(count):
        task = tasks[chance.randrange(len(tasks))]
        document = copy.deepcopy(dict(reference_rule(task).document))
        texts = list(_texts(document["detection"]))
        if texts:
            container, key = chance.choice(texts)
            container[key] = f"{container[key]}{i}"
        text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=1000)
        pairs.append((task, f"Rule number {i} for this request.\n\n```yaml\n{text}```\n"))
    return pairs


def _texts(part: Any) -> Iterator[tuple[Any, Any]]:
    """Where in a detection, the condition left out, texts stand: (mapping or list, key)."""
    for key in list(part) if isinstance(part, dict) else range(len(part)):
        if isinstance(part[key], str) and key != "condition":
            yield part, key
        elif isinstance(part[key], dict | list):
            yield from _texts(part[key])


def process() -> Part:
    """Memory of a process that has opened the store and run rules on it, and the floor: the libraries alone."""
    for library in ("numpy", "orjson", "re2", "yaml"):
        importlib.import_module(library)
    before = memory()["now_mib"]
    from sigma_env.engines.native import NativeEngine
    from sigma_env.events.build import build as build_store

    store = build_store(_roots())
    opened = memory()["now_mib"]
    NativeEngine().match(_rules(), store)
    return {"libraries_mib": before, "opened_mib": opened, "after_all_rules_mib": memory()["peak_mib"]}


def command() -> Part:
    """`sigma-env match` as a whole, from the shell, rules and logs in the cache."""
    rules_at, logs = _sources()
    program = [sys.executable, "-c", "import sys; from sigma_env.cli import main; sys.exit(main())"]
    arguments = ["match", "--rules", str(rules_at), *(part for path in logs for part in ("--logs", str(path)))]

    def run(form: str) -> None:
        subprocess.run([*program, *arguments, form], check=True, capture_output=True)

    run("--jsonl")
    return {"jsonl_seconds": best_of(3, lambda: run("--jsonl")), "count_seconds": best_of(3, lambda: run("--count"))}


def chainsaw() -> Part:
    """One rule, and 64 in a batch, over all events: by the Chainsaw program, where there is one, and by us."""
    from sigma_env.engines.chainsaw import ChainsawEngine
    from sigma_env.engines.chainsaw_binary import ChainsawMissing
    from sigma_env.engines.native import NativeEngine
    from sigma_env.events.build import build as build_store
    from sigma_env.sigma.files import load_rules

    try:
        program = ChainsawEngine()
    except ChainsawMissing as missing:
        return {"missing": str(missing)}
    # From their files: rules of the cache have no texts, which Chainsaw reads.
    loaded = load_rules([_sources()[0] / "rules" / "windows" / "process_creation"])
    parsed = [one.rule for one in loaded if one.rule is not None][:BATCH]
    store, native = build_store(_roots()), NativeEngine()
    with settled():
        return {
            "version": program.version,
            "one_seconds": best_of(3, lambda: program.match(parsed[:1], store)),
            "batch_seconds": best_of(3, lambda: program.match(parsed, store)),
            "native_one_seconds": best_of(3, lambda: native.match(parsed[:1], store)),
            "native_batch_seconds": best_of(3, lambda: native.match(parsed, store)),
        }


def grow(folder: Path) -> Part:
    """Makes the store of a million events."""
    from benchmarks.grow import grown, read_events
    from sigma_env.events.store import EventStore

    events = read_events(_sources()[1])
    seconds = once(lambda: EventStore(grown(events, GROWN_EVENTS, "grown")).save(folder))
    return {"build_seconds": seconds, **memory()}


def million(folder: Path) -> Part:
    """Each rule by itself over a million events."""
    from sigma_env.engines.native import NativeEngine
    from sigma_env.events.store import EventStore

    parsed, engine = _rules(), NativeEngine()
    opened = once(lambda: EventStore.open(folder))
    store = EventStore.open(folder)
    with settled():
        first = [once(lambda r=rule: engine.match([r], store)) for rule in parsed]  # type: ignore[misc]
        warm = [once(lambda r=rule: engine.match([r], store)) for rule in parsed]  # type: ignore[misc]
    return {
        "events": store.n_events,
        "open_seconds": opened,
        "p50_ms": quantile(warm, 0.5) * 1e3,
        "p95_ms": quantile(warm, 0.95) * 1e3,
        "first_all_seconds": sum(first),
        "all_seconds": sum(warm),
        **memory(),
    }


def _in_process(part: str, *arguments: str) -> Part:
    """Runs one part in a process of its own."""
    line = [sys.executable, "-m", "benchmarks.engine", "--part", part, *arguments]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the part {part} failed with status {done.returncode}")
    result: Part = json.loads(done.stdout.splitlines()[-1])
    return result


def _all_parts(with_million: bool) -> dict[str, Part]:
    parts = {}
    for name in ("build", "rules", "semantics", "answers", "process", "command", "chainsaw"):
        print(f"… {name}", file=sys.stderr, flush=True)
        parts[name] = _in_process(name)
    if with_million:
        folder = Path(tempfile.mkdtemp(prefix="grown-"))
        try:
            for name in ("grow", "million"):
                print(f"… {name}", file=sys.stderr, flush=True)
                parts[name] = _in_process(name, "--folder", str(folder))
        finally:
            shutil.rmtree(folder)
    return parts


def _rows(parts: dict[str, Part]) -> list[tuple[str, str, str, str]]:
    """(what, measured, wanted, floor) as text."""
    b, r, a, p, c = (parts[name] for name in ("build", "rules", "answers", "process", "command"))
    s = parts["semantics"]
    rows = [
        ("rules over events, warm", f"{r['warm_seconds']:.2f} s", "≤ 0.8 s", f"{r['floor_seconds']:.2f} s bytes.find"),
        ("  the first time", f"{r['first_seconds']:.2f} s", "", ""),
        (f"{s['rules']:,} rules with Sigma's meaning", f"{s['sigma_seconds']:.2f} s", "", ""),
        ("  with Chainsaw's", f"{s['chainsaw_seconds']:.2f} s", f"≤ {1.5 * s['sigma_seconds']:.2f} s", ""),
        ("  with Sigma's, the first time", f"{s['sigma_first_seconds']:.2f} s", "", ""),
        (
            "  with Chainsaw's, the first time",
            f"{s['chainsaw_first_seconds']:.2f} s",
            f"≤ {1.5 * s['sigma_first_seconds']:.2f} s",
            "",
        ),
        ("answer → Score, p50", f"{a['p50_ms']:.2f} ms", "≤ 0.3 ms", f"{a['floor_p50_ms']:.2f} ms YAML in C"),
        ("answer → Score, p95", f"{a['p95_ms']:.2f} ms", "≤ 2 ms", ""),
        ("answers per second, one core", f"{a['per_second']:,.0f}", "≥ 2,000", ""),
        ("store from EVTX files", f"{b['build_seconds']:.1f} s", "≤ 5 s", f"{b['build_floor_seconds']:.1f} s decoding"),
        ("store from the cache", f"{b['open_seconds']:.3f} s", "≤ 0.1 s", ""),
        ("memory", f"{p['after_all_rules_mib']:.0f} MiB", "≤ 300 MB", f"{p['libraries_mib']:.0f} MiB libraries"),
        ("sigma-env match --jsonl, all of it", f"{c['jsonl_seconds']:.2f} s", "≤ 1.4 s", ""),
        ("sigma-env match --count, all of it", f"{c['count_seconds']:.2f} s", "≤ 1.4 s", ""),
    ]  # fmt: skip
    if "missing" not in (x := parts["chainsaw"]):
        one, batch = (f"{x[f'native_{name}_seconds'] * 1e3:.1f} ms natively" for name in ("one", "batch"))
        rows += [
            ("one rule by Chainsaw", f"{x['one_seconds']:.2f} s", "", one),
            (f"{BATCH} rules by Chainsaw", f"{x['batch_seconds']:.2f} s", "≤ 2 s", batch),
        ]
    if "million" in parts:
        m = parts["million"]
        rows += [
            (f"one rule over {m['events']:,} events, p50", f"{m['p50_ms']:.2f} ms", "≤ 3 ms", ""),
            ("  p95", f"{m['p95_ms']:.1f} ms", "", ""),
            ("  all rules", f"{m['all_seconds']:.1f} s", "", ""),
            ("  memory, all rules run", f"{m['peak_mib']:,.0f} MiB", "≤ 2 GB", ""),
        ]
    return rows


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/bench-engine.json"), help="where the figures go")
    parser.add_argument("--no-million", action="store_true", help="leave out the million events (2 minutes, 3 GB)")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        part: Callable[..., Part] = globals()[options.part]
        print(json.dumps(part(options.folder) if options.folder else part()))
        return
    parts = _all_parts(not options.no_million)
    print(f"{parts['rules']['rules']:,} rules, {parts['rules']['events']:,} events, {parts['build']['files']:,} files")
    width = max(len(row[0]) for row in _rows(parts))
    for what, measured, wanted, floor in [("", "measured", "wanted", "floor"), *_rows(parts)]:
        print(f"{what:<{width}}  {measured:>12}  {wanted:>10}  {floor}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(parts, indent=1) + "\n")
    print(f"\n{options.out}")


if __name__ == "__main__":
    main()
