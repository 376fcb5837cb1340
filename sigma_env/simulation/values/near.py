"""From a text that satisfies a pattern to near ones that do not.

A near text is one that a sloppier pattern would still accept: a literal cut short at its end or its begin, or looked
for anywhere instead of at its place. What has to be broken is broken a little and in different ways.
"""

import ipaddress
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from sigma_env.engines.patterns import parse_network
from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import AnyText, Cidr, Compare, Exists, FieldRef, Glob, Null, Pattern, Regex, Text
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas.plausible import cannot_hold, rendered
from sigma_env.simulation.values.goal import Goal
from sigma_env.simulation.values.literal import Need, accepts, satisfies
from sigma_env.simulation.values.near_words import broken, edits, hex_edits, number_edits, sibling_edits, swap_edits
from sigma_env.simulation.values.neighbours import neighbours, otherwise
from sigma_env.simulation.values.shown import kind_shown
from sigma_env.simulation.values.solver import build

_CANDIDATES: Final = 60
"""How many texts are looked at for one that is near, realistic and fails."""
_REPAIRS: Final = 4
_REPAIR_CANDIDATES: Final = 8
"""How many other patterns are broken in a text, and how many ways are tried for each."""
_PREFIXES: Final[dict[FieldKind, tuple[str, ...]]] = {
    FieldKind.IMAGE: ("\\\\?\\",),
    FieldKind.FILE: ("\\\\?\\",),
    FieldKind.DIRECTORY: ("\\\\?\\",),
    FieldKind.COMMAND_LINE: ("cmd /c ", "start ", "\"C:\\Windows\\System32\\cmd.exe\" /c "),
    FieldKind.SCRIPT: ("$null\r\n", "Set-StrictMode -Version 2\r\n", "& "),
    FieldKind.PIPE: ("\\local", "\\pipe"),
    FieldKind.HOST_NAME: ("www.", "cdn.", "api."),
    FieldKind.URL: ("view-source:", "https://proxy.corp.example/?u="),
    FieldKind.USER: (),
    FieldKind.ACCOUNT: ("adm_", "ext_"),
    FieldKind.SID: (),
    FieldKind.SHARE: (),
    FieldKind.IP: (),
    FieldKind.VERSION_INFO: ("Microsoft ", "Windows ", "Legacy "),
    FieldKind.TASK_NAME: ("\\Microsoft", "\\Custom"),
}  # fmt: skip
_SUFFIXES: Final[dict[FieldKind, tuple[str, ...]]] = {
    FieldKind.IMAGE: (".tmp", ".new", ".bak", ".bin"),  # what installers and updaters leave behind and run
    FieldKind.FILE: (".bak", ".tmp", ".config", ".lnk", ":Zone.Identifier"),
    FieldKind.DIRECTORY: ("Data\\", "Backup\\"),
    FieldKind.COMMAND_LINE: (" 2>nul", " > report.txt", " -Verbose", " /quiet"),
    FieldKind.SCRIPT: ("\r\nWrite-Output 'done'", " | Out-Null"),
    FieldKind.REGISTRY_KEY: ("Ex", "\\Settings", "List"),
    FieldKind.REGISTRY_DATA: (" /background", ",0", " -q"),
    FieldKind.PIPE: ("-1", "2", "_server"),
    FieldKind.HOST_NAME: (".corp.example", ".cdn.example"),
    FieldKind.URL: ("?ref=1", "&v=2"),
    FieldKind.USER: (),
    FieldKind.ACCOUNT: ("2", "01", "_adm"),
    FieldKind.SID: (),
    FieldKind.SHARE: (),
    FieldKind.IP: (),
    FieldKind.WQL: (" WITHIN 30", " AND Name != NULL"),
    FieldKind.TASK_NAME: ("2", "Logon", "\\Daily"),
    FieldKind.SERVICE_NAME: ("2", "Svc", "Helper"),
    FieldKind.VERSION_INFO: (" (x86)", " Service", " Helper"),
}
_PREFIXED_PATHS: Final = frozenset({FieldKind.IMAGE, FieldKind.FILE, FieldKind.DIRECTORY})
_WITHOUT_PREFIX: Final = 0.7
"""How often no path with a prefix is offered: most programs write none."""
_DEFAULT_PREFIXES: Final = ("My", "New")
_ADDRESS: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_DEFAULT_SUFFIXES: Final = ("2", "s", " (1)")
_IDENTIFIER: Final = re.compile(r"[\\\s{]*[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}[\\\s}]*")
_SWAPPED_HEX: Final = frozenset({FieldKind.HASHES, FieldKind.GUID})
_DIGITS_ONLY: Final = frozenset({FieldKind.NUMBER, FieldKind.PORT, FieldKind.PID, FieldKind.LOGON_ID})


def miss(
    text: str,
    need: Need,
    spec: FieldSpec,
    rng: random.Random,
    forbid: Sequence[Pattern] = (),
    keep: Sequence[Need] = (),
    number: int = 0,
) -> str | None:
    """A text near to one that satisfies a need, which does not satisfy it.

    Args:
        text: satisfies the need; for Null, the natural text of the field.
        need: what has to fail.
        spec: the field.
        rng: chooses among the ways to fail.
        forbid: further patterns that must fail as well: the line's other values, filters.
        keep: what must still hold.
        number: which of the different texts: 0 the first. Different numbers with rngs of the same seed give different
            texts, of different kinds as far as there are some.

    Returns:
        The text; None if there are not so many.
    """
    for at, found in enumerate(misses(text, need, spec, rng, forbid, keep)):
        if at == number:
            return found
    return None


def misses(
    text: str,
    need: Need,
    spec: FieldSpec,
    rng: random.Random,
    forbid: Sequence[Pattern] = (),
    keep: Sequence[Need] = (),
) -> Iterator[str]:
    """The near texts of `miss`, one after the other, each once; the ways to fail alternate."""
    seen = {text} if not isinstance(need.pattern, Null) else set()
    refused = (need.pattern, *forbid)
    for tried, candidate in enumerate(_candidates(text, need, spec, rng)):
        if tried >= _CANDIDATES:
            return
        shown = rendered(spec, candidate) or candidate
        if shown in seen or (_is_spoilt(shown, spec) and not _is_spoilt(text, spec)):
            continue
        seen.add(shown)
        whole = shown if satisfies(shown, keep, refused) else _repaired(shown, refused, keep, spec, rng)
        if whole is not None and cannot_hold(spec, whole) is None and (whole is shown or whole not in seen):
            seen.add(whole)
            yield whole


def _is_spoilt(text: str, spec: FieldSpec) -> bool:
    """Whether something is written like an IPv4 address or a name of a host and is none."""
    if spec.kind is FieldKind.HOST_NAME and (".." in text or text.startswith(".")):
        return True
    octets = [octet for found in _ADDRESS.finditer(text) for octet in found[0].split(".")]
    return any(int(octet) > 255 or (octet[0] == "0" and octet != "0") for octet in octets)


def _repaired(
    text: str, refused: Sequence[Pattern], keep: Sequence[Need], spec: FieldSpec, rng: random.Random
) -> str | None:
    """The text with all broken that another refused pattern still accepts; None if that is not possible."""
    if not satisfies(text, keep, ()):
        return None
    for _ in range(_REPAIRS):
        lower = text.lower()
        holding = next((p for p in refused if accepts(p, text, lower, of_others=False)), None)
        if holding is None:
            return text
        for candidate in islice(_alternated(_ways(text, holding, spec, rng)), _REPAIR_CANDIDATES):
            changed = candidate.lower()
            if not accepts(holding, candidate, changed) and all(accepts(k.pattern, candidate, changed) for k in keep):
                text = candidate
                break
        else:
            return None
    return None


def _candidates(text: str, need: Need, spec: FieldSpec, rng: random.Random) -> Iterator[str]:
    pattern = need.pattern
    if spec.kind is FieldKind.ENUM:
        yield from rng.sample(spec.choices, len(spec.choices))
        return
    if isinstance(pattern, AnyText | FieldRef):
        return
    if isinstance(pattern, Exists | Null):
        yield from () if isinstance(pattern, Exists) else _filled(text, spec, rng)
        return
    if isinstance(pattern, Cidr):
        yield from _outside(pattern.network, rng)
        return
    if isinstance(pattern, Compare):
        yield from _beyond(pattern, text, spec, rng)
        return
    if text == "":
        yield from _filled(text, spec, rng)
        return
    yield from neighbours(text, spec.kind, rng)
    if text in spec.choices:
        yield from (choice for choice in rng.sample(spec.choices, len(spec.choices)))
    ways = _ways(text, pattern, spec, rng)
    if spec.kind is FieldKind.IMAGE:
        # Few programs have a name that goes on behind its extension: other names come first.
        yield from _alternated(ways)
        yield from _moved(text, pattern, spec, rng)
    else:
        loosened = list(_moved(text, pattern, spec, rng))
        yield from _alternated([*ways, loosened] if rng.random() < 0.5 else [loosened, *ways])
    yield from otherwise(text, spec.kind, rng)
    yield from (choice for choice in rng.sample(spec.choices, len(spec.choices)))
    yield from _filled(text, spec, rng)


def _alternated(ways: Sequence[Iterable[str]]) -> Iterator[str]:
    """One of each way in turn."""
    running = [iter(way) for way in ways]
    while running:
        left = []
        for way in running:
            found = next(way, None)
            if found is not None:
                left.append(way)
                yield found
        running = left


def _filled(text: str, spec: FieldSpec, rng: random.Random) -> Iterator[str]:
    """Realistic texts of the field that have nothing to do with the pattern."""
    if text:
        yield text
    open_goal = Goal(None, "", "", ())
    for attempt in range(1, 9):
        yield build(open_goal, spec, text, rng, attempt)


def _ways(text: str, pattern: Pattern, spec: FieldSpec, rng: random.Random) -> list[Iterable[str]]:
    """The ways to fail a pattern about the words of a text."""
    spans = _spans(text, pattern, rng)
    ways: list[Iterable[str]] = []
    if spans:
        begin, end = spans
        whole = text[begin:end]
        edit = hex_edits if _IDENTIFIER.fullmatch(whole) else _edit_of(spec, text)
        ways = [(_replaced(text, whole, changed) for changed in edit(whole, at_end, rng)) for at_end in (True, False)]
        if edit is edits:
            ways.append(_replaced(text, whole, changed) for changed in sibling_edits(whole, rng))
        rng.shuffle(ways)
        if isinstance(pattern, Regex):
            ways.append(_replaced(text, whole, changed) for changed in broken(whole, rng))
        if spec.kind in (FieldKind.COMMAND_LINE, FieldKind.SCRIPT, FieldKind.TEXT):
            ways.append(_without(text, whole))
    return ways


def _edit_of(spec: FieldSpec, text: str) -> Callable[[str, bool, random.Random], Iterator[str]]:
    if spec.kind in _SWAPPED_HEX or spec.type in ("guid", "binary"):
        return hex_edits
    if spec.kind in _DIGITS_ONLY or spec.type in ("hex32", "hex64") or spec.kind is FieldKind.IP:
        return number_edits
    if spec.kind is FieldKind.SID or text.isdigit() or text.startswith("%%"):
        return swap_edits
    return edits


def _spans(text: str, pattern: Pattern, rng: random.Random) -> tuple[int, int] | None:
    """Where in the text what the pattern asks for stands."""
    if isinstance(pattern, Text):
        lower = text if pattern.cased else text.lower()
        if pattern.op == "endswith":
            return len(text) - len(pattern.text), len(text)
        at = lower.find(pattern.text)
        return (at, at + len(pattern.text)) if at >= 0 else None
    if isinstance(pattern, Glob):
        lower = text if pattern.cased else text.lower()
        literals = [part for part in pattern.parts if isinstance(part, str) and any(map(str.isalnum, part))]
        if not literals:
            return None
        part = rng.choice(literals)
        at = lower.find(part)
        return (at, at + len(part)) if at >= 0 else None
    if isinstance(pattern, Regex):
        found = compile_regex(pattern.pattern, pattern.flags).search(text)
        return (found.start(), found.end()) if found is not None and found.end() > found.start() else None
    return None


def _replaced(text: str, old: str, new: str) -> str:
    """The text with every occurrence of a piece, whatever its case, replaced."""
    if text.lower().count(old.lower()) == 1:
        at = text.lower().find(old.lower())
        return text[:at] + new + text[at + len(old) :]
    return re.sub(re.escape(old), lambda _: new, text, flags=re.IGNORECASE)


def _without(text: str, piece: str) -> list[str]:
    """The text without the piece."""
    left = _replaced(text, piece, " " if piece[:1] == " " or piece[-1:] == " " else "")
    return [re.sub(r" {2,}", " ", left).strip()] if left.strip() else []


def _moved(text: str, pattern: Pattern, spec: FieldSpec, rng: random.Random) -> Iterator[str]:
    """The text with something before it or behind it, where the pattern is fixed to that side."""
    begins = ends = False
    if text.startswith("%%"):  # the number of a message
        return
    if isinstance(pattern, Text):
        begins, ends = pattern.op in ("startswith", "equals"), pattern.op in ("endswith", "equals")
    elif isinstance(pattern, Glob):
        begins, ends = isinstance(pattern.parts[0], str), isinstance(pattern.parts[-1], str)
    elif isinstance(pattern, Regex):
        begins, ends = (
            "^" in pattern.pattern or "\\A" in pattern.pattern,
            "$" in pattern.pattern or "\\z" in pattern.pattern,
        )
    kind = kind_shown(spec, text)
    prefixes, suffixes = _PREFIXES.get(kind, _DEFAULT_PREFIXES), _SUFFIXES.get(kind, _DEFAULT_SUFFIXES)
    if kind in _PREFIXED_PATHS and rng.random() < _WITHOUT_PREFIX:
        prefixes = ()
    if text.endswith("$"):
        suffixes = ()  # of a machine's account
    heads = [prefix + text for prefix in rng.sample(prefixes, len(prefixes))] if begins else []
    sides = [text + suffix for suffix in rng.sample(suffixes, len(suffixes))] if ends else []
    yield from _alternated([sides, heads] if rng.random() < 0.5 else [heads, sides])


def _outside(network: str, rng: random.Random) -> Iterator[str]:
    """Addresses just outside of a network and near it, then elsewhere."""
    version, first, last = parse_network(network)
    most = (1 << 32) - 1 if version == 4 else (1 << 128) - 1
    size = last - first + 1
    numbers = [
        first - 1 - rng.randint(0, min(size, 200)),
        last + 1 + rng.randint(0, min(size, 200)),
        first - 1,
        last + 1,
    ]
    numbers += [
        first - size + rng.randrange(size),
        last + rng.randint(1, size),
        first ^ (1 << (31 if version == 4 else 127)),
    ]
    for number in numbers:
        if 0 < number <= most and not first <= number <= last:
            yield str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))
    for _ in range(4):
        yield f"{rng.choice((8, 13, 52, 203, 104))}.{rng.randint(1, 250)}.{rng.randint(1, 250)}.{rng.randint(1, 250)}"


def _beyond(pattern: Compare, text: str, spec: FieldSpec, rng: random.Random) -> Iterator[str]:
    """Numbers just beyond a bound, then further away."""
    op, bound = pattern
    edge = int(bound)
    hexadecimal = text[:2].lower() == "0x" or spec.type in ("hex32", "hex64")
    down = op in ("gt", "gte")
    for step in (0, 1, rng.randint(2, 9), rng.randint(10, 99), max(1, edge // 2)):
        number = edge - step if down else edge + step
        if number >= 0 or spec.type == "int32":
            yield hex(number) if hexadecimal and number >= 0 else str(number)
