"""Files → findings with file and line."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from yaml.nodes import Node

from sigma_env.sigma.errors import BadYaml, RuleError, UnsupportedRule
from sigma_env.sigma.files import LoadedRule, meta_of, read_rule_file, rule_files
from sigma_env.sigma.limits import RULE_LIMITS
from sigma_env.sigma.lint.chainsaw import check_differences, check_refusal, load_as_chainsaw
from sigma_env.sigma.lint.checks import Finding, Reported, found
from sigma_env.sigma.lint.fields import check_fields
from sigma_env.sigma.lint.places import Placed, compose, line_and_column
from sigma_env.sigma.lint.pysigma import PySigmaChecks
from sigma_env.sigma.lint.values import check_values, check_yaml
from sigma_env.sigma.parser import parse_logsource, parse_rule
from sigma_env.sigma.rule import And, LogSource, Not, Or, Rule, Selection
from sigma_env.sigma.rule import Node as RuleNode
from sigma_env.sigma.taxonomy import select
from sigma_env.sigma.yaml import iterate_documents

_STATUS_CHECKS: Final = {
    "no_rule": "bad-yaml",
    "bad_yaml": "bad-yaml",
    "invalid_rule": "invalid-rule",
    "too_complex": "too-complex",
    "unsupported": "unsupported",
}
_WINDOWS: Final = (None, "windows")


class Linted:
    """What came of linting.

    Attributes:
        reported: every finding, by file in their order, then line.
        rules: how many documents were looked at.
    """

    def __init__(self) -> None:
        self.reported: list[Reported] = []
        self.rules = 0


def lint(
    paths: Iterable[Path],
    pysigma: PySigmaChecks | None = None,
    on_file: Callable[[Path], None] | None = None,
) -> Linted:
    """Looks at every rule of files and folders.

    Args:
        paths: rule files, and folders of them.
        pysigma: pySigma's own checks, if they are wanted.
        on_file: is told each file.

    Raises:
        RulesNotFound: a path does not exist.
    """
    linted = Linted()
    roots: dict[tuple[Path, int], tuple[Node, str]] = {}
    files = list(rule_files(paths))
    for path in files:
        if on_file is not None:
            on_file(path)
        text = read_rule_file(path)
        if isinstance(text, LoadedRule):
            linted.reported.append(Reported(path, 1, 1, path.stem, found("bad-yaml", text.reason or "")))
            continue
        for number, (root, document, findings) in enumerate(lint_text(text, path)):
            linted.rules += 1
            rule_id = meta_of(document, path.stem).id
            if pysigma is not None and isinstance(document, dict) and "detection" in document:
                findings += pysigma.check(document, path, number)
            if root is not None:
                roots[path, number] = root, rule_id
            linted.reported += [_reported(path, root, rule_id, finding) for finding in findings]
    if pysigma is not None:
        for path, number, finding in pysigma.finish():
            root, rule_id = roots[path, number]
            linted.reported.append(_reported(path, root, rule_id, finding))
    order = {path: i for i, path in enumerate(files)}
    linted.reported.sort(key=lambda one: (order[one.path], one.line, one.column, one.finding.check))
    return linted


def _reported(path: Path, root: Node | None, rule_id: str, finding: Finding) -> Reported:
    if root is None:
        line, column = _line_in(finding.message), 1
    else:
        line, column = line_and_column(root, finding.at)
    return Reported(path, line, column, rule_id, finding)


def _line_in(message: str) -> int:
    """The line that the reader of YAML names in its message."""
    number = message.removeprefix("line ").partition(":")[0]
    return int(number) if message.startswith("line ") and number.isdecimal() else 1


def lint_text(text: str, path: Path) -> Iterator[tuple[Node | None, Any, list[Finding]]]:
    """Looks at each document of a text: its node, None if it is no YAML, its content, and what was found."""
    try:
        documents = [one for one in iterate_documents(text, RULE_LIMITS) if one is not None]
        if not documents:
            raise BadYaml("the file is empty")
    except RuleError as error:
        yield None, None, [found(_STATUS_CHECKS[error.status], str(error))]
        return
    as_chainsaw = load_as_chainsaw(text, path)
    if len(as_chainsaw) != len(documents):
        as_chainsaw = []
    for number, (root, document) in enumerate(zip(compose(text), documents, strict=True)):
        chainsaw = as_chainsaw[number] if as_chainsaw else None
        yield root, document, list(dict.fromkeys(_findings(root, document, text, chainsaw)))


def _findings(root: Node, document: Any, text: str, chainsaw: LoadedRule | None) -> Iterator[Finding]:
    if not isinstance(document, dict):
        yield found("invalid-rule", "the document is no mapping; write 'logsource:' and 'detection:'")
        return
    if "action" in document:
        yield found("unsupported", "a rule collection ('action: …') is not served; write the rules out", ("action",))
        return
    try:
        rule: Rule | None = parse_rule(document)
    except UnsupportedRule as error:
        rule = error.rule
        yield found("unsupported", str(error), _refused_at(str(error), document))
    except RuleError as error:
        rule = None
        yield found(_STATUS_CHECKS[error.status], str(error), _refused_at(str(error), document))
    if isinstance(document.get("detection"), dict):
        yield from check_yaml(root, document)
    if rule is None:
        return
    yield from _check_logsource(document)
    if rule.logsource.product not in _WINDOWS:
        return
    placed = _placed(rule, document)
    yield from check_values(rule, placed)
    yield from check_fields(rule, placed)
    if chainsaw is not None:
        yield from check_refusal(chainsaw, text, document)
        yield from check_differences(rule, chainsaw)


def _check_logsource(document: dict[Any, Any]) -> Iterator[Finding]:
    logsource: LogSource = parse_logsource(document)
    targets = select(logsource)
    if targets.note is None:
        return
    part = "service" if "unknown service" in targets.note else "category"
    if logsource.product not in _WINDOWS:
        yield found("not-windows", targets.note, ("logsource", "product"))
    elif targets.no_event_source:
        yield found("no-event-source", targets.note, ("logsource", part))
    elif logsource.product is None:  # Sigma has more categories, such as proxy and webserver
        yield found("not-windows", targets.note, ("logsource", part))
    else:
        yield found("unknown-logsource", targets.note, ("logsource", part))


def _placed(rule: Rule, document: dict[Any, Any]) -> Placed:
    placed = Placed()
    detection = document["detection"]
    for selection in _selections(rule.condition):
        placed.add(detection[selection.name], selection.child, ("detection", selection.name))
    return placed


def _selections(node: RuleNode) -> Iterator[Selection]:
    if isinstance(node, Selection):
        yield node
    elif isinstance(node, And | Or):
        for child in node.children:
            yield from _selections(child)
    elif isinstance(node, Not):
        yield from _selections(node.child)


def _refused_at(reason: str, document: dict[Any, Any]) -> tuple[str, ...]:
    """The part of a document that a refusal names."""
    detection = document.get("detection")
    if reason.startswith(("'logsource'", "logsource:")):
        return ("logsource",)
    if not isinstance(detection, dict):
        return ()
    if reason.startswith("condition"):
        return ("detection", "condition")
    quoted = reason.split("'")[1::2]
    for name, body in detection.items():
        if quoted and str(name) == quoted[0]:
            key = quoted[1] if len(quoted) > 1 and isinstance(body, dict) and quoted[1] in body else None
            return ("detection", str(name), *((key,) if key else ()))
    for name, body in detection.items():
        if isinstance(body, dict) and (key := next((one for one in quoted if one in body), None)):
            return ("detection", str(name), key)
    return ("detection",)
