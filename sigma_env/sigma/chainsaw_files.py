"""Rule files under switches: documents, headers and collections as Chainsaw reads them, then their programs."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sigma_env.sigma.chainsaw_compile import compile_detection
from sigma_env.sigma.chainsaw_tree import Refused
from sigma_env.sigma.errors import BadYaml, FaultStatus, RuleError
from sigma_env.sigma.files import LoadedRule, meta_of, parse_rule_text, read_rule_file
from sigma_env.sigma.limits import RULE_LIMITS, Limits
from sigma_env.sigma.rule import And, LogSource, Meta, Rule
from sigma_env.sigma.switches import Switch
from sigma_env.sigma.yaml import iterate_documents

_CUT: Final = re.compile(r"---\s*\n")
_TEXTS: Final = ("author", "id", "status")
_LISTS: Final = ("references", "tags", "falsepositives")
_PARTS: Final = ("category", "product", "service", "definition")
_HEADER: Final = "failed to parse sigma rule"
_IGNORED: Final = "the document has no detection; it is ignored"


def written_logsource(source: object) -> LogSource:
    """The names of a logsource as they are written, case and spaces included."""
    if not isinstance(source, Mapping):
        return LogSource()
    names = [source.get(part) for part in _PARTS[:3]]
    return LogSource(*(name if isinstance(name, str) else None for name in names))


def plain_logsource(written: LogSource) -> LogSource:
    """The same names as the specification compares them: stripped, lower-cased, None for none."""
    return LogSource(*((name.strip().lower() or None) if name is not None else None for name in written))


def parse_switched_file(path: Path, on: frozenset[Switch], limits: Limits = RULE_LIMITS) -> list[LoadedRule]:
    """Loads the rules of one file for a meaning; see `parse_switched_text`."""
    text = read_rule_file(path)
    return [text] if isinstance(text, LoadedRule) else parse_switched_text(text, path, on, limits)


def parse_switched_text(text: str, path: Path, on: frozenset[Switch], limits: Limits = RULE_LIMITS) -> list[LoadedRule]:
    """Loads the rules of a file's text for a meaning.

    Args:
        text: the text.
        path: the file that it came from; names the results.
        on: the meaning; with none of its switches this is `parse_rule_text`.
        limits: caps on one rule.

    Returns:
        One `LoadedRule` per document, each rule with its program, each other with what Chainsaw would say, or
        with what it does not say.
    """
    if not on:
        return parse_rule_text(text, path, limits)
    documents, problems = _documents(text, path, on, limits)
    first = documents[0] if documents else None
    if isinstance(first, Mapping) and "action" in first:
        if Switch.COLLECTIONS not in on:
            return parse_rule_text(text, path, limits)
        documents, refusal = _collection(documents)
        if refusal:
            return [_not_loaded(path, first, "unsupported", refusal)]
    loaded = [_loaded(document, path, on, limits) for document in documents]
    failed = next((one for one in loaded if one.rule is None and one.reason != _IGNORED), None)
    if failed is not None and Switch.WHOLE_FILE in on:
        loaded = [
            one if one.rule is None else one._replace(rule=None, status=failed.status, reason=failed.reason)
            for one in loaded
        ]
    return problems + loaded


def _documents(text: str, path: Path, on: frozenset[Switch], limits: Limits) -> tuple[list[Any], list[LoadedRule]]:
    pieces = _CUT.split(text) if Switch.DOCUMENT_SPLIT in on else [text]
    core = Switch.YAML_CORE in on
    documents: list[Any] = []
    problems: list[LoadedRule] = []
    for piece in pieces:
        if not piece:
            continue
        try:
            found = list(iterate_documents(piece, limits, core=core))
            if core and len(found) > 1 and Switch.DOCUMENT_SPLIT in on:
                raise BadYaml("it holds several documents")
        except RuleError as error:
            problems.append(_not_loaded(path, None, error.status, f"ignored, for it is no YAML: {error}"))
            continue
        if core and not found:
            found = [None]
        documents += found if Switch.DOCUMENT_SPLIT in on else [one for one in found if one is not None]
    return documents, problems


def _loaded(document: Any, path: Path, on: frozenset[Switch], limits: Limits) -> LoadedRule:
    if not isinstance(document, Mapping):
        return _not_loaded(path, None, "invalid_rule", _HEADER)
    problem = _header_problem(document, on)
    if problem:
        return _not_loaded(path, document, "invalid_rule", problem)
    detection = document.get("detection")
    if not isinstance(detection, Mapping):
        return _not_loaded(path, document, "unsupported", _IGNORED if detection is None else _HEADER)
    meta = meta_of(document, path.stem)
    written = written_logsource(document.get("logsource"))
    plain = plain_logsource(written)
    rule_id, title = document.get("id"), document.get("title")
    program = compile_detection(
        written if Switch.PRECONDITIONS in on else plain,
        detection,
        on,
        rule_id if isinstance(rule_id, str) else "",
        title if isinstance(title, str) else "",
        limits,
    )
    if isinstance(program, Refused):
        return _not_loaded(path, document, "unsupported", program.told)
    content = {key: document[key] for key in ("logsource", "detection") if key in document}
    return LoadedRule(path, meta, Rule(plain, And(()), (), content, meta, program))


def _header_problem(document: Mapping[Any, Any], on: frozenset[Switch]) -> str | None:
    if "detection" not in document:
        return None
    if Switch.DESCRIPTION in on and not all(isinstance(document.get(name), str) for name in ("title", "description")):
        return f"{_HEADER}: it has no title or no description"
    if Switch.HEADER_TYPES not in on:
        return None
    source = document.get("logsource")
    texts = [document.get(name) for name in _TEXTS]
    texts += [source.get(part) for part in _PARTS] if isinstance(source, Mapping) else []
    if any(text is not None and not isinstance(text, str) for text in texts):
        return f"{_HEADER}: a field of its header is no text"
    for name in _LISTS:
        listed = document.get(name)
        if listed is not None and not (isinstance(listed, list) and all(isinstance(one, str) for one in listed)):
            return f"{_HEADER}: {name} is no list of texts"
    return None


def _collection(documents: Iterable[Any]) -> tuple[list[Any], str | None]:
    """The rules of a collection: each later part's detection, merged into the first's, under the first's header."""
    first, *others = documents
    shared = first.get("detection") or {}
    rules = []
    for part in others:
        own = part.get("detection") if isinstance(part, Mapping) else None
        if not isinstance(own, Mapping):
            continue
        merged = dict(shared)
        for name, body in own.items():
            before = shared.get(name)
            if before is None or name == "condition":
                merged[name] = body
            elif isinstance(before, Mapping) and isinstance(body, Mapping):
                merged[name] = {**before, **body}
            elif isinstance(before, list) and isinstance(body, Mapping):
                merged[name] = [{**element, **body} for element in before if isinstance(element, Mapping)]
            else:
                return [], "unsupported rule collection format"
        rules.append({**first, "detection": merged})
    return rules, None


def _not_loaded(path: Path, document: object, status: FaultStatus, reason: str) -> LoadedRule:
    meta = Meta(id=path.stem) if document is None else meta_of(document, path.stem)
    return LoadedRule(path, meta, None, status, reason)
