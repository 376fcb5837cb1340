"""pySigma's own validators, where pySigma is installed: they look at tags, titles, ids and style too."""

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sigma_env.sigma.lint.checks import PYSIGMA, Finding, Level

# attacktag and d3fendtag download their data; tlpv1_tag and tlpv2_tag contradict tlptag, which takes both.
_LEFT_OUT: Final = frozenset({"ATTACKTagValidator", "D3FENDTagValidator", "TLPv1TagValidator", "TLPv2TagValidator"})
_LEVELS: Final = {"LOW": Level.NOTE, "MEDIUM": Level.WARNING, "HIGH": Level.WARNING}
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MODULES: Final = ("condition", "logsources", "metadata", "modifiers", "tags", "values")


def pysigma_is_installed() -> bool:
    """Whether its checks can be made; `pip install sigmaforge[lint]` gets it."""
    return find_spec("sigma") is not None and find_spec("sigma.validation") is not None


class PySigmaChecks:
    """pySigma's validators over many rules: some look at all of them, such as for an id that stands twice."""

    def __init__(self) -> None:
        base: Any = import_module("sigma.validators.base")
        classes: dict[str, Any] = {}
        for name in _MODULES:
            module = import_module(f"sigma.validators.core.{name}")
            for key, one in vars(module).items():
                is_own = isinstance(one, type) and one.__module__ == module.__name__
                if is_own and issubclass(one, base.SigmaRuleValidator) and key.endswith("Validator"):
                    classes[key] = one
        self._validators = [classes[name]() for name in sorted(classes) if name not in _LEFT_OUT]
        self._rule: Any = import_module("sigma.rule").SigmaRule
        self._location: Any = import_module("sigma.exceptions").SigmaRuleLocation
        self._places: dict[int, tuple[Any, Path, int]] = {}

    def check(self, document: dict[str, Any], path: Path, number: int) -> Iterator[Finding]:
        """Findings of one rule; `path` and `number` say which document it is when `finish` names it.

        A rule that pySigma can't read is one finding: what of it runs here runs all the same.
        """
        try:
            rule = self._rule.from_dict(document, source=self._location(path))
            self._places[id(rule)] = (rule, path, number)
            issues = [issue for validator in self._validators for issue in validator.validate(rule)]
        except Exception as error:  # of its many kinds each says what is wrong with the rule
            message = f"pySigma does not load the rule: {error}"
            yield Finding(f"{PYSIGMA}/load", Level.WARNING, message, "mend that part")
            return
        yield from map(_finding, issues)

    def finish(self) -> Iterator[tuple[Path, int, Finding]]:
        """What is found of several rules together: file, document and finding, once for each rule."""
        for validator in self._validators:
            for issue in validator.finalize():
                for rule in issue.rules:
                    _, path, number = self._places[id(rule)]
                    yield path, number, _finding(issue)


def _finding(issue: Any) -> Finding:
    name = type(issue).__name__.removesuffix("Issue")
    label = "-".join(_WORD.split(name)).lower()
    details = {key: value for key, value in vars(issue).items() if key != "rules"}
    shown = ", ".join(f"{key} {str(value)[:200]}" for key, value in sorted(details.items()))
    message = f"{type(issue).description}: {shown}" if shown else str(type(issue).description)
    return Finding(
        f"{PYSIGMA}/{label}", _LEVELS[issue.severity.name], message, "see pySigma's documentation", _at(label)
    )


def _at(label: str) -> tuple[str, ...]:
    """The part of a document that a validator looks at, as far as its name says."""
    for word, part in (("tag", "tags"), ("title", "title"), ("references", "references"), ("identifier", "id")):
        if word in label:
            return (part,)
    if "condition" in label:
        return ("detection", "condition")
    return ("logsource",) if "logsource" in label else ("detection",) if "filename" not in label else ()
