"""Rule files: SigmaHQ's layout, one or several YAML documents to a file. Nothing is dropped without a reason."""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from sigma_env.sigma.errors import BadYaml, FaultStatus, InvalidRule, RuleError, RulesNotFound
from sigma_env.sigma.limits import RULE_LIMITS, Limits
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Meta, Rule
from sigma_env.sigma.yaml import iterate_documents

RULE_SUFFIXES: Final = (".yml", ".yaml")

_COLLECTION: Final = (
    "the file is a rule collection ('action: global' or the like), which is not served; write the rules out"
)


class LoadedRule(NamedTuple):
    """One document of a rule file: a rule, or the reason why it is none.

    Attributes:
        path: The file, as it was named.
        meta: What the document says about itself; its id falls back to the file's stem.
        rule: The rule, None if it cannot be run.
        status: Why it cannot, None if it can.
        reason: The same for a person.
    """

    path: Path
    meta: Meta
    rule: Rule | None = None
    status: FaultStatus | None = None
    reason: str | None = None


def load_rules(paths: Iterable[Path], limits: Limits = RULE_LIMITS) -> list[LoadedRule]:
    """Load every rule of files and folders, in the order of the paths, a folder's files sorted.

    Args:
        paths: Rule files, and folders that are searched for `.yml` and `.yaml` files at any depth.
        limits: Caps on one rule.

    Raises:
        RulesNotFound: A path does not exist.
    """
    return [loaded for path in rule_files(paths) for loaded in parse_rule_file(path, limits)]


def rule_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that `load_rules` reads.

    Raises:
        RulesNotFound: A path does not exist.
    """
    for path in paths:
        if path.is_dir():
            yield from map(Path, sorted(_under(path), key=_parts))
        elif path.exists():
            yield path
        else:
            raise RulesNotFound(f"no rule file or folder at {path}")


def _parts(file: str) -> list[str]:
    return file.split(os.sep)  # noqa: PTH206 - not a Path, see below


def _under(folder: Path) -> Iterator[str]:
    # Texts instead of Path objects: a folder has thousands of files, and this runs before anything is cached.
    for at, _, names in os.walk(folder):
        yield from (os.path.join(at, name) for name in names if name.endswith(RULE_SUFFIXES))  # noqa: PTH118


def parse_rule_file(path: Path, limits: Limits = RULE_LIMITS) -> list[LoadedRule]:
    """Load the rules of one file; a file that cannot be read is one `LoadedRule` with the reason."""
    text = read_rule_file(path)
    return [text] if isinstance(text, LoadedRule) else parse_rule_text(text, path, limits)


def read_rule_file(path: Path) -> str | LoadedRule:
    """The text of a rule file, or why there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        return _failed(path, Meta(id=path.stem), BadYaml(f"the file cannot be read: {error.strerror or error}"))
    except UnicodeDecodeError as error:
        reason = f"the file is not UTF-8 (byte {error.start}); save it as UTF-8"
        return _failed(path, Meta(id=path.stem), BadYaml(reason))


def parse_rule_text(text: str, path: Path, limits: Limits = RULE_LIMITS) -> list[LoadedRule]:
    """Load the rules of a file's text.

    Args:
        text: The text.
        path: The file that it came from; names the results.
        limits: Caps on one rule.

    Returns:
        One `LoadedRule` for each document that is not empty; one for the whole text if that is no YAML.
    """
    try:
        documents = [document for document in iterate_documents(text, limits) if document is not None]
    except RuleError as error:
        return [_failed(path, Meta(id=path.stem), error)]
    if not documents:
        return [_failed(path, Meta(id=path.stem), BadYaml("the file is empty"))]
    if any(isinstance(document, dict) and "action" in document for document in documents):
        return [
            LoadedRule(path, meta_of(document, path.stem), None, "unsupported", _COLLECTION) for document in documents
        ]
    return [_loaded(document, path, limits) for document in documents]


def _loaded(document: Any, path: Path, limits: Limits) -> LoadedRule:
    meta = meta_of(document, path.stem)
    if not isinstance(document, dict):
        return _failed(path, meta, InvalidRule("the document is no mapping; write 'logsource:' and 'detection:'"))
    try:
        return LoadedRule(path, meta, parse_rule(document, limits, meta))
    except RuleError as error:
        return _failed(path, meta, error)


def _failed(path: Path, meta: Meta, error: RuleError) -> LoadedRule:
    return LoadedRule(path, meta, None, error.status, str(error))


def meta_of(document: Any, stem: str) -> Meta:
    """What a document says about itself, as far as it is well-formed; the rest must not cost the rule."""
    if not isinstance(document, Mapping):
        return Meta(id=stem)
    tags = document.get("tags")
    level, status = _text(document.get("level")), _text(document.get("status"))
    return Meta(
        id=_text(document.get("id")) or stem,
        title=_text(document.get("title")) or "",
        level=level.lower() if level else None,
        status=status.lower() if status else None,
        description=_text(document.get("description")),
        author=_text(document.get("author")),
        date=_text(document.get("date")),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
    )


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, date):
        return value.isoformat()
    return None
