"""Queries to WMI around given pieces."""

import random
import re

from sigma_env.simulation.values.goal import Goal, in_text

_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
_CLASS = re.compile(r"(?:Win32|CIM|MSFT|Msft)_\w+|__\w+", re.IGNORECASE)
_CLAUSE = re.compile(r"\s(?:isa|=|<|>|like)\s*['\"\d]|\s(?:isa|like)\b|[=<>]", re.IGNORECASE)
_CLASSES = ("Win32_Process", "Win32_Service", "Win32_LogicalDisk", "Win32_OperatingSystem", "Win32_ComputerSystem")
_NAMES = ("Name", "Caption", "Description")


def build_query(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """A SELECT statement of WQL that holds the pieces: a class after FROM, conditions after WHERE.

    Args:
        goal: the pieces.
        natural: a realistic query; its parts are kept where the pieces leave them open.
        rng: chooses among what is open.
        attempt: 0 keeps the natural query.
    """
    pieces = [piece for piece in (*goal.inner, goal.tail) if piece]
    if not pieces and not goal.head:
        return natural if attempt == 0 else f"SELECT * FROM {rng.choice(_CLASSES)}"
    if goal.head:
        text = goal.head
        for piece in pieces:
            if not in_text(piece, text.lower()):
                text += ("" if text[-1].isspace() or piece[0].isspace() else " ") + piece
        return text
    source, clauses, rest = "", [], []
    for piece in pieces:
        if _FROM.search(piece):
            source = source or piece
        elif _CLAUSE.search(piece):
            clauses.append(piece.strip())
        elif _CLASS.fullmatch(piece.strip(" '\"")):
            rest.append(piece.strip(" '\""))
        else:
            rest.append(piece.strip())
    return _assembled(source, clauses, rest, natural, rng, attempt)


def _assembled(source: str, clauses: list[str], rest: list[str], natural: str, rng: random.Random, attempt: int) -> str:
    events = "" if source or not any("targetinstance" in clause.lower() for clause in clauses) else "__Instance"
    if source:
        text = source if source.lower().lstrip(' "').startswith("select") else f"SELECT * {source.strip()}"
    elif events:
        text = f"SELECT * FROM {events}{rng.choice(('Creation', 'Modification', 'Operation'))}Event WITHIN 60"
    elif rest and _CLASS.fullmatch(rest[0]):
        text = f"SELECT * FROM {rest.pop(0)}"
    elif attempt % 2 and (found := _FROM.search(natural)):
        text = f"SELECT * FROM {found[1]}"
    else:
        text = f"SELECT * FROM {rng.choice(_CLASSES)}"
    for piece in rest:
        if in_text(piece, text.lower()) or any(in_text(piece, clause.lower()) for clause in clauses):
            continue
        is_class = _CLASS.fullmatch(piece) is not None
        clauses.append(f"TargetInstance ISA '{piece}'" if is_class else f"{rng.choice(_NAMES)} LIKE '%{piece}%'")
    where = " AND ".join(clause for clause in clauses if not in_text(clause, text.lower()))
    if not where:
        return text
    if where.lower().startswith(("where ", "within ")):
        return f"{text} {where}"
    return f"{text} AND {where}" if " where " in text.lower() else f"{text} WHERE {where}"
