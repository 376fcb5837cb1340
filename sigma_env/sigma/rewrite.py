"""A rule's logsource and detection as parts that can be put together anew, and written as YAML."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import yaml

from sigma_env.sigma.condition import Expression, Junction, Name, Negation
from sigma_env.sigma.rule import And, Node, Not, Or, Rule, Selection

_WRITABLE: Final = re.compile(r"[A-Za-z0-9_-]+")
_RESERVED: Final = frozenset({"and", "or", "not", "of", "1", "any", "all", "them"})
_NEVER_FOLD: Final = 1 << 20


class Parts(NamedTuple):
    """What an answer consists of. Values are as YAML has them.

    Attributes:
        logsource: as written.
        selections: definition by name.
        condition: over the names of the selections, without quantifiers.
    """

    logsource: Mapping[str, Any]
    selections: Mapping[str, Any]
    condition: Expression

    def document(self) -> dict[str, Any]:
        """The rule's document."""
        detection = {**self.selections, "condition": condition_text(self.condition)}
        return {"logsource": dict(self.logsource), "detection": detection}


def parts_of(rule: Rule) -> Parts:
    """The parts of a rule; names that no condition could write are replaced."""
    detection = rule.document["detection"]
    definitions = {name: detection[name] for name in detection if name != "condition"}
    parts = Parts(rule.document["logsource"], definitions, expression_of(rule.condition))
    if all(map(is_writable, definitions)):
        return parts
    return renamed(parts, {name: f"selection{n}" for n, name in enumerate(definitions, 1)})


def is_writable(name: str) -> bool:
    """Whether a condition can name a selection so; `1 of them` also means others."""
    return name not in _RESERVED and _WRITABLE.fullmatch(name) is not None


def renamed(parts: Parts, names: Mapping[str, str]) -> Parts:
    """The same rule with other names of selections."""
    selections = {names[name]: definition for name, definition in parts.selections.items()}
    replacements: dict[str, Expression] = {old: Name(new) for old, new in names.items()}
    return parts._replace(selections=selections, condition=replaced(parts.condition, replacements))


def replaced(expression: Expression, by_name: Mapping[str, Expression]) -> Expression:
    """The expression with other expressions in the place of some names."""
    if isinstance(expression, Name):
        return by_name.get(expression.name, expression)
    if isinstance(expression, Negation):
        return Negation(replaced(expression.operand, by_name))
    if isinstance(expression, Junction):
        return joined(expression.operator, [replaced(operand, by_name) for operand in expression.operands])
    raise TypeError(f"{expression!r} has a quantifier")


def joined(operator: Any, operands: list[Expression]) -> Expression:
    """The operands joined by `and` or `or`; a single one stays alone."""
    return operands[0] if len(operands) == 1 else Junction(operator, tuple(operands))


def negated(expression: Expression) -> Expression:
    """The opposite of an expression, with every `not` moved down to a name (De Morgan's laws)."""
    if isinstance(expression, Negation):
        return expression.operand
    if isinstance(expression, Junction):
        opposite = "or" if expression.operator == "and" else "and"
        return joined(opposite, [negated(operand) for operand in expression.operands])
    return Negation(expression)


def names_in(expression: Expression) -> list[str]:
    """The names in an expression, each time that they occur."""
    if isinstance(expression, Name):
        return [expression.name]
    if isinstance(expression, Negation):
        return names_in(expression.operand)
    if isinstance(expression, Junction):
        return [name for operand in expression.operands for name in names_in(operand)]
    raise TypeError(f"{expression!r} has a quantifier")


def condition_text(expression: Expression) -> str:
    """The expression as a condition; parentheses wherever two operators meet, so that no precedence matters."""
    if isinstance(expression, Name):
        return expression.name
    if isinstance(expression, Negation):
        return f"not {_operand_text(expression.operand)}"
    if isinstance(expression, Junction):
        return f" {expression.operator} ".join(_operand_text(operand) for operand in expression.operands)
    raise TypeError(f"{expression!r} has a quantifier")


def _operand_text(expression: Expression) -> str:
    text = condition_text(expression)
    return text if isinstance(expression, Name) else f"({text})"


def expression_of(node: Node) -> Expression:
    """The condition that a tree was made of, without quantifiers."""
    if isinstance(node, Selection):
        return Name(node.name)
    if isinstance(node, Not):
        return Negation(expression_of(node.child))
    if isinstance(node, And | Or):
        return joined("and" if isinstance(node, And) else "or", [expression_of(child) for child in node.children])
    raise TypeError(f"{node!r} stands in a condition outside a selection")


class _Dumper(yaml.CSafeDumper):
    """Writes each value out: an alias would be no valid answer."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def to_yaml(document: Mapping[str, Any], *, flow: bool = False) -> str:
    """The document as YAML in its own order, block style or, with `flow`, on one line."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NEVER_FOLD, default_flow_style=flow
    )


def fenced(text: str) -> str:
    """The text as a fenced YAML block, the form in which models answer."""
    return f"```yaml\n{text.rstrip()}\n```"
