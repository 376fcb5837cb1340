"""A store of as many events as one likes, grown by varying real ones where hosts and days differ."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sigma_env.events.builder import StoreBuilder
from sigma_env.events.column import Cell
from sigma_env.events.content import LogFile, MemoryContent
from sigma_env.events.flatten import NO_TIME, FlatEvent
from sigma_env.events.logs import LogRoot, find_logs
from sigma_env.events.reader import Problem, read_log

_DAY = 86_400_000_000
_DIGITS = "0123456789"
_FACTORS = (1, 3, 7, 9)
_USER = re.compile(r"(\\Users\\)([^\\]+)", re.IGNORECASE)


def read_events(folders: Sequence[Path]) -> list[FlatEvent]:
    """The events of all log files under the folders, files of equal size and name end read once."""
    seen: set[bytes] = set()
    events: list[FlatEvent] = []
    for file in find_logs([LogRoot(folder) for folder in folders]):
        content = Path(file.path).read_bytes()
        if content not in seen:
            seen.add(content)
            events += [item.event for item in read_log(Path(file.path)) if not isinstance(item, Problem)]
    return events


def grown(events: Sequence[FlatEvent], count: int, fingerprint: str) -> MemoryContent:
    """The content of a store of `count` events: the given ones, again and again, each time varied.

    In each round the digits of all values are exchanged in another way, so ids, GUIDs, ports, addresses, times and
    hashes are new, and so are user folders and hosts; program names, field names and literals of attacks stay.
    """
    builder = StoreBuilder()
    for round_, batch in enumerate(_batches(events, count)):
        for position, event in enumerate(batch):
            builder.add(_varied(event, round_) if round_ else event, round_, position + 1, position)
        builder.files.append(LogFile(f"round-{round_:03d}.evtx", (), 0, len(batch)))
    return builder.finish(fingerprint)


def _batches(events: Sequence[FlatEvent], count: int) -> Iterator[Sequence[FlatEvent]]:
    while count > 0:
        yield events[:count]
        count -= len(events)


def _varied(event: FlatEvent, round_: int) -> FlatEvent:
    # 40 different permutations of the digits: 1,000,000 events are 40 rounds of the public logs.
    factor, offset = _FACTORS[round_ // 10 % len(_FACTORS)], round_ % 10
    turned = str.maketrans(_DIGITS, "".join(str((factor * d + offset) % 10) for d in range(10)))
    user = rf"\g<1>\g<2>{round_}"
    data = {name: _cell(cell, turned, user) for name, cell in event.data.items()}
    system = dict(event.system)
    if "Computer" in system:
        system["Computer"] = f"{system['Computer']}-{round_}"
    time = event.time if event.time == NO_TIME else event.time + round_ * _DAY
    return event._replace(data=data, system=system, time=time)


def _cell(cell: Cell, turned: dict[int, int], user: str) -> Cell:
    if isinstance(cell, list):
        return [_cell(one, turned, user) for one in cell]  # type: ignore[misc]  # lists hold no lists
    if not isinstance(cell, str) or len(cell) < 4:
        return cell
    return _USER.sub(user, cell.translate(turned) if any(c.isdigit() for c in cell) else cell)
