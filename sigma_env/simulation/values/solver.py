"""A text that required patterns accept and forbidden ones do not, and that its field can hold."""

import random
import re
from collections.abc import Sequence

from sigma_env.sigma.rule import Glob, Pattern, Regex, Text
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas.plausible import cannot_hold, rendered
from sigma_env.simulation.values.commands import build_command, build_script, build_text, build_url
from sigma_env.simulation.values.fields import (
    build_address,
    build_bytes,
    build_data,
    build_hashes,
    build_name,
    build_number,
    build_share,
    build_sid,
    build_user,
    choose,
)
from sigma_env.simulation.values.goal import Goal, goal_of
from sigma_env.simulation.values.keys import build_key, build_pipe
from sigma_env.simulation.values.literal import Need, satisfies
from sigma_env.simulation.values.paths import build_path
from sigma_env.simulation.values.queries import build_query
from sigma_env.simulation.values.shown import kind_shown

ATTEMPTS = 24
"""How often another text is tried before a field is given up."""
_JOINT_ATTEMPTS = 2
"""From here on texts are tried in which patterns overlap."""
_ODD_ATTEMPTS = 8
"""From here on unlikely texts are tried too, such as another drive."""

_PATHS = frozenset({FieldKind.IMAGE, FieldKind.FILE, FieldKind.DIRECTORY})
_BELOW_A_SHARE = "RelativeTargetName"
_ANY_ROOT = "C:\\"
_FILE_RESOURCE = "file:_"
"""What Defender puts before the path of a file."""
_BYTES = re.compile(r"[0-9A-F]{16,}")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")
_NUMBERS = frozenset({FieldKind.NUMBER, FieldKind.PORT, FieldKind.PID, FieldKind.LOGON_ID})


def solve(
    require: Sequence[Need],
    forbid: Sequence[Pattern],
    spec: FieldSpec,
    rng: random.Random,
    natural: str,
    *,
    attempts: int = ATTEMPTS,
) -> str | None:
    """A realistic text of a field which every required pattern accepts and no forbidden one does.

    The natural text is returned as it is if it will do, and else changed as little as is needed. Each text that is
    tried is checked with the evaluator's meaning of the patterns.

    Args:
        require: patterns that must accept the text. Exists and references to other fields ask for nothing here.
        forbid: patterns that must not accept it; references to other fields are left to the caller.
        spec: the field.
        rng: chooses what is open; the same state gives the same text.
        natural: a realistic text of the field, such as the simulator fills in by default.
        attempts: how many texts are tried at most.

    Returns:
        The text; None if none was found.
    """
    if satisfies(natural, require, forbid) and cannot_hold(spec, natural) is None:
        return natural
    if spec.kind is FieldKind.ENUM:
        return _choice(require, forbid, spec, rng)
    for attempt in range(attempts):
        goal = goal_of(require, rng, jointly=attempt >= _JOINT_ATTEMPTS and attempt % 2 == 0)
        if goal is None or (attempt == 1 and _is_hopeless(goal, require, forbid)):
            return None
        text = _tried(goal, spec, natural, rng, attempt)
        if satisfies(text, require, forbid) and cannot_hold(spec, text) is None:
            return text
    return _choice(require, forbid, spec, rng)


def _tried(goal: Goal, spec: FieldSpec, natural: str, rng: random.Random, attempt: int) -> str:
    """The text of one attempt, in the form in which the field shows it."""
    text = build(goal, spec, natural, rng, attempt) if goal.whole is None else goal.whole
    if attempt >= _ODD_ATTEMPTS and attempt % 3 == 0:
        text = text.replace("C:\\", "D:\\")  # a filter may name the drive
    return rendered(spec, text) or text


def _is_hopeless(goal: Goal, require: Sequence[Need], forbid: Sequence[Pattern]) -> bool:
    """Whether no other attempt can do better: the text is given, or contradicts itself."""
    is_open = any(isinstance(need.pattern, Glob | Regex) for need in require)
    return (goal.whole is not None and not is_open) or _contradict(require, forbid)


def _contradict(require: Sequence[Need], forbid: Sequence[Pattern]) -> bool:
    """Whether a literal that is required holds one that is forbidden at the same place or anywhere."""
    literals = [(need.pattern.op, need.pattern.text) for need in require if isinstance(need.pattern, Text)]
    for pattern in forbid:
        if not isinstance(pattern, Text) or pattern.cased:
            continue
        for op, text in literals:
            lower = text.lower()
            if pattern.op == "contains" and pattern.text in lower:
                return True
            if pattern.op == "endswith" and op in ("endswith", "equals") and lower.endswith(pattern.text):
                return True
            if pattern.op == "startswith" and op in ("startswith", "equals") and lower.startswith(pattern.text):
                return True
    return False


def _choice(require: Sequence[Need], forbid: Sequence[Pattern], spec: FieldSpec, rng: random.Random) -> str | None:
    """One of the field's own examples that will do."""
    usable = [text for text in spec.choices if satisfies(text, require, forbid) and cannot_hold(spec, text) is None]
    return rng.choice(usable) if usable else None


def _looks_like(goal: Goal) -> bool:
    """Whether all pieces can be parts of a path or an address: none is made of several words alone."""
    return all(" " not in piece.strip() or "\\" in piece for piece in (goal.head, *goal.inner, goal.tail))


def build(goal: Goal, spec: FieldSpec, natural: str, rng: random.Random, attempt: int) -> str:
    """One text for a goal in the form of the field's kind; `attempt` 0 stays near the natural text, others vary."""
    kind = kind_shown(spec, natural)
    if kind is not spec.kind and (attempt > _ODD_ATTEMPTS or not _looks_like(goal)):
        kind = spec.kind
    if natural.startswith(_FILE_RESOURCE) and kind is FieldKind.TEXT and attempt <= _ODD_ATTEMPTS:
        head = goal.head.removeprefix(_FILE_RESOURCE)
        inner = tuple([piece.removeprefix(_FILE_RESOURCE) for piece in goal.inner])
        path = goal._replace(head=head, inner=tuple([piece for piece in inner if piece]))
        return _FILE_RESOURCE + build_path(path, FieldKind.FILE, natural.removeprefix(_FILE_RESOURCE), rng, attempt)
    if spec.name == _BELOW_A_SHARE and attempt <= _ODD_ATTEMPTS and _looks_like(goal):
        placed = goal._replace(head=f"{_ANY_ROOT}{goal.head}" if goal.head else "")
        return build_path(placed, FieldKind.FILE, _ANY_ROOT + natural, rng, attempt).removeprefix(_ANY_ROOT)
    if goal.bounds and kind not in _NUMBERS:
        return build_number(goal, spec, natural, rng, attempt)
    if goal.networks:
        return build_address(goal, natural, rng, attempt)
    if kind in _PATHS:
        return build_path(goal, kind, natural, rng, attempt)
    if kind in _NUMBERS:
        return build_number(goal, spec, natural, rng, attempt)
    if spec.choices and attempt % 2 == 0:
        found = choose(goal, tuple(rng.sample(spec.choices, len(spec.choices))) if attempt else spec.choices)
        if found is not None:
            return found
    match kind:
        case FieldKind.COMMAND_LINE:
            return build_command(goal, natural, rng, attempt)
        case FieldKind.SCRIPT:
            return build_script(goal, natural, rng, attempt)
        case FieldKind.REGISTRY_KEY:
            return build_key(goal, natural, rng, attempt)
        case FieldKind.PIPE:
            return build_pipe(goal, natural, rng, attempt)
        case FieldKind.IP:
            return build_address(goal, natural, rng, attempt)
        case FieldKind.HASHES:
            return build_hashes(goal, natural, rng, attempt)
        case FieldKind.USER:
            return build_user(goal, natural, rng, attempt)
        case FieldKind.SID:
            return build_sid(goal, natural, rng, attempt)
        case FieldKind.SHARE:
            return build_share(goal, natural, rng, attempt)
        case FieldKind.WQL:
            return build_query(goal, natural, rng, attempt)
        case FieldKind.URL:
            return build_url(goal, natural, rng, attempt)
        case FieldKind.REGISTRY_DATA:
            return build_data(goal, natural, rng, attempt) or build_text(goal, natural, rng, attempt)
        case FieldKind.TEXT if _BYTES.fullmatch(natural):
            return build_bytes(goal, natural)
        case FieldKind.TEXT if _NUMBER.fullmatch(natural):
            return build_number(goal, spec, natural, rng, attempt)
        case FieldKind.TEXT | FieldKind.VERSION_INFO | FieldKind.ENUM:
            return build_text(goal, natural, rng, attempt)
    return build_name(goal, spec, natural, rng, attempt)
