"""How fast EVTX files are written, and in how much memory.

    python -m benchmarks.writer [--events 1000000] [--out out/bench-writer.json]

The events are the real ones of the public logs, typed, over and over: `shuffled`, so that a chunk holds as many kinds
as it can, which is the most work; `in order`, as logs have them; `alike`, all process starts of Sysmon. Each part runs
in a process of its own. Seconds are those that the process itself ran, as others may run too. The floor is what nobody
can do without: the checksums and the writing of the same bytes.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import memory, settled
from sigma_env.events.writer import Event, EvtxWriter

PARTS: Final = ("alike", "in order", "shuffled")
_SEED: Final = 0
_CHUNK_BYTES: Final = 65_536


def real_events() -> list[Event]:
    """The events of all public log files, files of equal content read once."""
    from sigma_env.corpora import ensure_sources
    from sigma_env.events.recorded import recorded_events

    seen: set[bytes] = set()
    events: list[Event] = []
    for folder in ensure_sources().values():
        for path in sorted(folder.rglob("*.evtx")):
            content = path.read_bytes()
            if content not in seen:
                seen.add(content)
                events += [one for one in recorded_events(path) if isinstance(one, Event)]
    return events


def _chosen(part: str) -> list[Event]:
    events = real_events()
    if part == "alike":
        events = [one for one in events if one.provider == "Microsoft-Windows-Sysmon" and one.event_id == 1]
    if part == "shuffled":
        random.Random(_SEED).shuffle(events)
    return events


def measure(part: str, count: int) -> dict[str, Any]:
    """Writes `count` events to a file; reads them again, outside of the time that is taken, to count them."""
    from evtx import PyEvtxParser

    events = _chosen(part)
    with tempfile.TemporaryDirectory() as folder, settled():
        path = Path(folder) / "log.evtx"
        endless = itertools.cycle(events)
        before = memory()["now_mib"]
        with EvtxWriter(path) as log:
            begin = time.process_time()
            _write(log, itertools.islice(endless, count // 10))
            tenth = memory()["now_mib"]
            _write(log, itertools.islice(endless, count - count // 10))
        seconds = time.process_time() - begin
        after = memory()["now_mib"]
        size = path.stat().st_size
        begin = time.process_time()
        _copy(path, path.with_name("copy.evtx"))
        floor = time.process_time() - begin
        read = sum(1 for _ in PyEvtxParser(str(path), 1, validate_checksums=True).records_json())
    if read != count:
        raise SystemExit(f"{count:,} events were written, {read:,} were read")
    return {
        "events": count,
        "different_events": len(events),
        "seconds": seconds,
        "events_per_second": count / seconds,
        "file_mib": size / 2**20,
        "mib_per_second": size / 2**20 / seconds,
        "bytes_per_event": size / count,
        "floor_seconds": floor,
        "before_mib": before,
        "after_a_tenth_mib": tenth,
        "after_mib": after,
    }


def _write(log: EvtxWriter, events: Iterator[Event]) -> None:
    for event in events:
        log.write(event)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK_BYTES):
            zlib.crc32(chunk)
            write.write(chunk)


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writer", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="how many to write (1 GB of disk per million)")
    parser.add_argument("--out", type=Path, default=Path("out/bench-writer.json"), help="where the figures go")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(measure(options.part, options.events)))
        return
    parts: dict[str, Any] = {}
    line = [sys.executable, "-m", "benchmarks.writer", "--events", str(options.events), "--part"]
    print(
        f"{'events':<10} {'per second':>10} {'MiB/s':>6} {'seconds':>8} {'floor':>6} {'bytes each':>10}   memory: ",
        end="",
    )
    print("before → after a tenth → after, MiB")
    for part in PARTS:
        done = subprocess.run([*line, part], stdout=subprocess.PIPE, text=True, check=True)
        one = parts[part] = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{part:<10} {one['events_per_second']:>10,.0f} {one['mib_per_second']:>6.1f} {one['seconds']:>8.1f}"
            f" {one['floor_seconds']:>6.1f} {one['bytes_per_event']:>10,.0f}"
            f"   {one['before_mib']:.0f} → {one['after_a_tenth_mib']:.0f} → {one['after_mib']:.0f}"
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(parts, indent=1) + "\n")
    print(f"\n{options.out}")


if __name__ == "__main__":
    main()
