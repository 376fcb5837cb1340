"""Which of Chainsaw's switches a rule's text touches, found by compiling it with and without them, and its refusals.

A switch that changes the compiled rule is asked of the compiler. One that works while the rule runs (which events it
is tried on, what an absent field is) is told from the rule: whether there is anything in it for the switch to change.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sigma_env.sigma.chainsaw_compile import compile_detection
from sigma_env.sigma.chainsaw_fields import plain_field
from sigma_env.sigma.chainsaw_files import parse_switched_text
from sigma_env.sigma.chainsaw_mapping import chainsaw_mapping
from sigma_env.sigma.chainsaw_tree import (
    BoolIs,
    FieldCheck,
    Join,
    Negated,
    NumberIs,
    Program,
    Refused,
    Tied,
    Tree,
)
from sigma_env.sigma.event_fields import fields_of, process_creation_aliases
from sigma_env.sigma.files import LoadedRule
from sigma_env.sigma.lint.checks import Finding, Place, found
from sigma_env.sigma.rule import FieldTest, Glob, LogSource, Rule, Text
from sigma_env.sigma.switches import CHAINSAW, SIGMA, WHEN_READ, Switch
from sigma_env.sigma.taxonomy import SECURITY, fixed_fields, select

# Those that work while a rule runs, or mark each test of a text.
_WHEN_RUN: Final = frozenset(
    {
        Switch.ASCII_CASE,
        Switch.STRICT_TYPES,
        Switch.MISSING,
        Switch.AND_ORDER,
        Switch.PRECONDITIONS,
        Switch.FIELD_MAPPING,
        Switch.EXCLUSIONS,
    }
)
# Those that can only keep a rule from loading.
_ONLY_REFUSING: Final = frozenset(
    {
        Switch.KEYWORDS,
        Switch.ONE_CONDITION,
        Switch.OF_FORMS,
        Switch.REPEATED_FIELD,
        Switch.FEW_MODIFIERS,
        Switch.OTHER_AGGREGATIONS,
        Switch.PANICS,
    }
)
# Those that are touched most often stand together, so that the others are excluded at once.
_OFTEN: Final = (
    Switch.OPTIMISER,
    Switch.NO_ESCAPES,
    Switch.RUST_REGEX,
    Switch.INNER_WILDCARDS,
    Switch.PRESENT_NULL,
)
_COMPILED: Final = _OFTEN + tuple(s for s in Switch if s not in {*_OFTEN, *_WHEN_RUN, *WHEN_READ, *_ONLY_REFUSING})
# Those that may do to a value what another does too.
_ALONE: Final = (Switch.INNER_WILDCARDS, Switch.QUESTION_MARK, Switch.NO_ESCAPES)
# What Chainsaw most often refuses a rule for comes first: each is tried by loading the rule without it.
_REFUSING: Final = (
    Switch.FEW_MODIFIERS,
    Switch.KEYWORDS,
    Switch.DESCRIPTION,
    *(switch for switch in Switch if switch not in {Switch.FEW_MODIFIERS, Switch.KEYWORDS, Switch.DESCRIPTION}),
)
_PROCESS_CREATION: Final = "process_creation"
_SECURITY_PROVIDER: Final = "Microsoft-Windows-Security-Auditing"
# What Windows itself writes as numbers, so that a number in a rule means the same to both.
_ALWAYS_NUMBERS: Final = frozenset({"EventID", "EventRecordID", "Level"})
_LIKE_A_TYPE: Final = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?\Z|true\Z|false\Z")
_NAMED_MODIFIERS: Final = re.compile(r"unsupported modifiers - (.+)")


def load_as_chainsaw(text: str, path: Path) -> list[LoadedRule]:
    """The rules of a file's text as Chainsaw loads them, without the documents that it ignores."""
    return [
        one
        for one in parse_switched_text(text, path, CHAINSAW)
        if one.rule is not None or "ignored" not in (one.reason or "")
    ]


def check_refusal(loaded: LoadedRule, text: str, document: Any) -> Iterator[Finding]:
    """Finds that Chainsaw does not load the rule, with its own reason, and the switch behind it."""
    if loaded.rule is not None:
        return
    switch = next((s for s in _REFUSING if _loads(text, loaded, CHAINSAW - {s})), None)
    because = f": {switch.value}" if switch else ""
    name = f" [{switch.label}]" if switch else ""
    yield found("chainsaw-refused", f"{loaded.reason}{because}{name}", _refused_at(loaded.reason or "", document))


def _loads(text: str, refused: LoadedRule, on: frozenset[Switch]) -> bool:
    return any(
        one.rule is not None and one.meta.id == refused.meta.id for one in parse_switched_text(text, refused.path, on)
    )


def _refused_at(reason: str, document: Any) -> Place:
    detection = document.get("detection") if isinstance(document, dict) else None
    if not isinstance(detection, dict):
        return ()
    named = _NAMED_MODIFIERS.search(reason)
    wanted = frozenset(named[1].split(", ")) if named else frozenset()
    for name, body in detection.items():
        for i, part in enumerate(body if isinstance(body, list) else [body]):
            for key in part if isinstance(part, dict) else ():
                if not wanted.isdisjoint(str(key).split("|")[1:]):
                    inner: Place = (i, str(key)) if isinstance(body, list) else (str(key),)
                    return ("detection", str(name), *inner)
    return ("detection", "condition") if "condition" in reason else ("detection",)


def check_differences(rule: Rule, loaded: LoadedRule) -> Iterator[Finding]:
    """Names the switches that a rule touches, one finding for all of them."""
    if loaded.rule is None or not isinstance(loaded.rule.program, Program):
        return
    program = loaded.rule.program
    reasons = {switch: switch.value for switch in touched(loaded.rule, program)}
    unmapped = _unmapped_fields(program.tree)
    if unmapped:
        reasons[Switch.FIELD_MAPPING] = f"its mapping lacks {', '.join(unmapped)}"
    elif spaced := _spelled_with_spaces(rule.logsource, program.tree):
        reasons[Switch.FIELD_MAPPING] = f"it does not find {', '.join(spaced)}, which the events spell with a space"
    elif rule.logsource.category == _PROCESS_CREATION and (own := _only_in_sysmon(program.tree)):
        reasons[Switch.FIELD_MAPPING] = f"it finds {', '.join(own)} in Sysmon's events only, not in Security 4688"
    if _selects_otherwise(rule.logsource, program):
        reasons[Switch.PRECONDITIONS] = Switch.PRECONDITIONS.value
    if program.title in chainsaw_mapping().excluded_titles:
        reasons[Switch.EXCLUSIONS] = Switch.EXCLUSIONS.value
    if any(True for _ in _event_ids(program.tree)):
        reasons[Switch.STRICT_TYPES] = "no number equals the EventID of forwarded events, which is text"
    for switch in _when_run(program.tree, frozenset(), False):
        reasons[switch] = switch.value
    if reasons:
        told = "; ".join(f"{reasons[switch]} [{switch.label}]" for switch in Switch if switch in reasons)
        yield found("chainsaw-differs", told, ("detection",))


def touched(rule: Rule, program: Program) -> frozenset[Switch]:
    """The switches that make another tree of a rule that Chainsaw loads: alone, or missing from all of them.

    Both are asked, because two switches may do the same to a value, and then neither is missed where the other is on.
    """

    def tree_under(on: frozenset[Switch]) -> Tree | None:
        made = compile_detection(program.logsource, rule.document["detection"], on, program.rule_id, program.title)
        return None if isinstance(made, Refused) else _plain(made.tree)

    def split(some: tuple[Switch, ...], changes: Callable[[frozenset[Switch]], bool]) -> Iterator[Switch]:
        if changes(frozenset(some)):
            if len(some) == 1:
                yield some[0]
            else:
                yield from split(some[: len(some) // 2], changes)
                yield from split(some[len(some) // 2 :], changes)

    chainsaw, plain = _plain(program.tree), tree_under(SIGMA)
    off = split(_COMPILED, lambda some: tree_under(CHAINSAW - some) != chainsaw)
    on = () if plain is None else split(_ALONE, lambda some: tree_under(some) not in (plain, None))
    return frozenset((*off, *on))


def _plain(tree: Tree) -> Tree:
    """A tree without marks that change nothing by themselves, joins of joins made one."""
    if isinstance(tree, FieldCheck):
        return tree._replace(ascii_case=True, strict=tree.kind != "any" or tree.strict, selections=())
    if isinstance(tree, Negated):
        return Negated(_plain(tree.part))
    if isinstance(tree, Join):
        parts: list[Tree] = []
        for part in map(_plain, tree.parts):
            parts += part.parts if isinstance(part, Join) and part.op == tree.op else (part,)
        return Join(tree.op, tuple(parts))
    return tree


def _fields(tree: Tree) -> Iterator[str]:
    if isinstance(tree, FieldCheck | FieldTest):
        if tree.field is not None:
            yield plain_field(tree.field)
    elif isinstance(tree, Negated):
        yield from _fields(tree.part)
    else:
        for part in getattr(tree, "parts", ()):
            yield from _fields(part)


def _unmapped_fields(tree: Tree) -> list[str]:
    mapping = chainsaw_mapping()
    known = mapping.system.keys() | mapping.event_data
    return [name for name in dict.fromkeys(_fields(tree)) if name not in known and "." not in name]


def _spelled_with_spaces(logsource: LogSource, tree: Tree) -> list[str]:
    """Fields that the rule's events, as far as they are known, have under a name with spaces."""
    spaced: set[str] = set()
    wanted = frozenset(_event_ids(tree))
    for channel, event_ids, _ in select(logsource).targets:
        for number in sorted(wanted if event_ids is None else event_ids) if channel is not None else ():
            for provider in fixed_fields(channel or "", number).get("Provider_Name", frozenset()):
                names = fields_of(channel or "", number, provider) or frozenset()
                spaced |= {name.replace("_", "") for name in names if "_" in name} & names
    return [name for name in dict.fromkeys(_fields(tree)) if name in spaced]


def _only_in_sysmon(tree: Tree) -> list[str]:
    aliases = process_creation_aliases()
    return [name for name in dict.fromkeys(_fields(tree)) if name in aliases]


def _selects_otherwise(logsource: LogSource, program: Program) -> bool:
    """Whether Chainsaw tries a rule on other events than the taxonomy selects."""
    selected = chainsaw_mapping().precondition(program.logsource, program.rule_id)
    if selected is None:
        return True
    theirs = {(one.provider, one.event_ids) for one in selected}
    ours = set()
    for channel, event_ids, _ in select(logsource).targets:
        provider = fixed_fields(channel or "", 0).get("Provider_Name", frozenset())
        ours.add((_SECURITY_PROVIDER if channel == SECURITY else next(iter(provider), channel), event_ids))
    return ours != theirs or any(
        target.channel == SECURITY
        and _SECURITY_PROVIDER not in fixed_fields(SECURITY, number).get("Provider_Name", frozenset())
        for target in select(logsource).targets
        if target.event_ids is None
        for number in _event_ids(program.tree)
    )


def _event_ids(tree: Tree) -> Iterator[int]:
    """EventIDs that a rule names: those of the log service itself are another provider's."""
    if isinstance(tree, FieldCheck):
        for pattern in tree.patterns if tree.field == "EventID" else ():
            if isinstance(pattern, NumberIs) and isinstance(pattern.number, int):
                yield pattern.number
    elif isinstance(tree, Negated):
        yield from _event_ids(tree.part)
    else:
        for part in getattr(tree, "parts", ()):
            yield from _event_ids(part)


def _when_run(tree: Tree, required: frozenset[str], negated: bool) -> Iterator[Switch]:
    """Switches that work while a rule runs and that something in the tree is for."""
    if isinstance(tree, FieldCheck | FieldTest):
        if negated and tree.field is not None and tree.field not in required:
            yield Switch.MISSING
        if isinstance(tree, FieldCheck):
            yield from _of_patterns(tree)
    elif isinstance(tree, Negated):
        yield from _when_run(tree.part, required, not negated)
    elif isinstance(tree, Join | Tied):
        is_and = isinstance(tree, Tied) or tree.op == "and"
        there = required
        if is_and and not negated:
            there |= {name for part in tree.parts for name in _needed(part)}
        if is_and and negated and len(set(_fields(tree)) - required) > 1:
            yield Switch.AND_ORDER
        for part in tree.parts:
            yield from _when_run(part, there, negated)


def _needed(tree: Tree) -> Iterator[str]:
    """Fields that are there whenever the tree is True."""
    if isinstance(tree, FieldCheck):
        yield tree.field
    elif isinstance(tree, Tied) or (isinstance(tree, Join) and tree.op == "and"):
        for part in tree.parts:
            yield from _needed(part)
    elif isinstance(tree, Join):
        yield from frozenset.intersection(*(frozenset(_needed(part)) for part in tree.parts))


def _of_patterns(check: FieldCheck) -> Iterator[Switch]:
    for pattern in check.patterns:
        if isinstance(pattern, NumberIs | BoolIs):
            if check.field not in _ALWAYS_NUMBERS:
                yield Switch.STRICT_TYPES
        elif isinstance(pattern, Text | Glob):
            texts = [pattern.text] if isinstance(pattern, Text) else [p for p in pattern.parts if isinstance(p, str)]
            if check.ascii_case and not all(text.isascii() for text in texts):
                yield Switch.ASCII_CASE
            if isinstance(pattern, Text) and _LIKE_A_TYPE.match(pattern.text):
                yield Switch.STRICT_TYPES
