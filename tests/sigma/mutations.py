"""Answers that are nearly rules: seeded mutations of a rule's text and of its structure."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import yaml

from sigma_env.sigma.modifiers import MODIFIERS

CHARACTERS = list(" \t\n:-#'\"[]{}|>*&!%@`,?\\/=<~._0123456789aAeEnNoOtTyYzZ()$^+\u00a0\u00e9\u2013\u200b\x07\ufeff")
SCALARS: list[Any] = [
    "", "*", "?", "**", "*a*b*", "a?b", "\\*", "\\\\*", "\\?", "a\\", "C:\\Windows\\*", "\\\\srv\\share", "-", " ",
    "é*Σ", "-a /b", "-a -b -c", "-a -b -c -d", "/a-b", "x -enc y", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.1", "::1/128",
    "fe80::/10", "::ffff:10.0.0.0/104", "fe80::1%eth0", "a.*b", "^a$", "(a|b)", "a|b", "(?i)a", "(?=a)b", "(?<!a)b",
    r"(a)\1", "a++", "(", "[a", "a{1,3}", "a{1001}", r"\d+\w", "%name%", "CommandLine", "1", "true", "null", "0x17",
    "selection", 0, 1, -1, 4688, 23, 1.0, 1.5, -0.0, 1e-7, 1e300, float("inf"), float("nan"), 2**53 + 1, 10**30,
    10**400, True, False, None,
]  # fmt: skip
RAW_SCALARS = [
    "yes", "no", "on", "off", "y", "~", "null", "NULL", "True", "0x1F", "0b11", "017", "08", "1_000", "12:30:45",
    "190:20:30", "1e3", "1.0e+3", "1.0e+999", ".inf", "-.INF", ".nan", "2024-01-01", "2024-13-45",
    "2024-01-01 10:00:00", "=", "<<", "*alias", "&anchor x", "!tag x", "!!str 5", "'it''s'", '"a\\tb"', '"\\x41"',
    '"\\q"', "'open", "[a, b]", "[]", "{}", "{a: b}", "|", ">-", "| x", "a: b", "a #b", "- a", "%x", "@x", "`x`",
    "\\", "'*'", '"*"', "1 of them", "0x" + "f" * 300, "9" * 320,
]  # fmt: skip
CONDITIONS: list[Any] = [
    "selection", "not selection", "not not selection", "1 of them", "any of them", "all of them", "1 of selection*",
    "all of *", "1 of *_*", "1 of _*", "2 of them", "1 of sel-*", "them", "all", "1", "any of", "1 of", "not", "and",
    "or", "selection and", "selection and and", "selection and not", "and and and", "selection AND filter",
    "(selection)", "((selection))", "(selection", "selection)", "()", "", " ", "not(selection)",
    "selection and(1 of them)", "1 of them and not selection", "1 of them | count() > 5",
    "selection | count() by User > 5", "selection | x", "selection|", "selection or selection and not selection",
    "of", "1 of 1", "1of them", "1 of*", "all  of\tthem", "selection\nand selection", "selection selection",
    "sélection", "selection-1", "-", "_", None, 1, True, [], {}, ["selection"], ["selection", "1 of them"],
    ["selection", None], [[]], {"a": "b"},
]  # fmt: skip
WORDS = [
    "and",
    "or",
    "not",
    "(",
    ")",
    "1",
    "of",
    "all",
    "any",
    "them",
    "*",
    "selection",
    "filter_*",
    "_",
    "|",
    "-",
    "sel*",
    "AND",
]


class Mutator:
    """Makes one mutated answer after the other; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def answer(self, text: str) -> str:
        """A mutation of an answer: one to three changes of its text or of its structure."""
        if self.random.random() < 0.5:
            document = copy.deepcopy(yaml.load(text, yaml.CSafeLoader))
            for _ in range(self.random.randint(1, 3)):
                self._pick(self._of_structure)(document)
            text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
            if self.random.random() < 0.8:
                return text
        for _ in range(self.random.randint(1, 3)):
            text = self._pick(self._of_text)(text)
        return text

    def _pick(self, actions: list[Callable[..., Any]]) -> Callable[..., Any]:
        return self.random.choice(actions)

    # Of the text.

    @property
    def _of_text(self) -> list[Callable[[str], str]]:
        return [
            self._insert_character, self._delete_characters, self._swap_lines, self._drop_line, self._repeat_line,
            self._indent_line, self._replace_value, self._replace_value, self._change_modifiers, self._change_word,
        ]  # fmt: skip

    def _insert_character(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        return text[:at] + self.random.choice(CHARACTERS) + text[at:]

    def _delete_characters(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        return text[:at] + text[at + self.random.randint(1, 3) :]

    def _swap_lines(self, text: str) -> str:
        lines = text.split("\n")
        one, other = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        return "\n".join(lines)

    def _drop_line(self, text: str) -> str:
        lines = text.split("\n")
        del lines[self.random.randrange(len(lines))]
        return "\n".join(lines)

    def _repeat_line(self, text: str) -> str:
        lines = text.split("\n")
        line = self.random.choice(lines)
        lines.insert(self.random.randrange(len(lines) + 1), line)
        return "\n".join(lines)

    def _indent_line(self, text: str) -> str:
        lines = text.split("\n")
        at = self.random.randrange(len(lines))
        lines[at] = self.random.choice(["", " ", "  ", "    ", "\t", "- "]) + lines[at].removeprefix(
            self.random.choice(["", " ", "    "])
        )
        return "\n".join(lines)

    def _replace_value(self, text: str) -> str:
        lines = text.split("\n")
        at = self.random.randrange(len(lines))
        raw = self.random.choice(RAW_SCALARS)
        key, colon, _ = lines[at].partition(": ")
        if colon:
            lines[at] = f"{key}: {raw}"
        elif "- " in lines[at]:
            lines[at] = lines[at].partition("- ")[0] + f"- {raw}"
        else:
            lines[at] += f" {raw}"
        return "\n".join(lines)

    def _change_modifiers(self, text: str) -> str:
        lines = text.split("\n")
        keys = [at for at, line in enumerate(lines) if ":" in line]
        if not keys:
            return text
        at = self.random.choice(keys)
        key, _, value = lines[at].partition(":")
        lines[at] = f"{self._modified(key)}:{value}"
        return "\n".join(lines)

    def _change_word(self, text: str) -> str:
        before, condition, after = text.rpartition("condition:")
        if not condition:
            return text
        words = after.split(" ")
        at = self.random.randrange(len(words) + 1)
        words[at : at + self.random.randint(0, 1)] = [self.random.choice(WORDS)] * self.random.randint(0, 2)
        return f"{before}{condition} {' '.join(words)}"

    def _modified(self, key: str) -> str:
        names = key.split("|")
        at = self.random.randint(1, len(names))
        names[at : at + self.random.randint(0, 1)] = self.random.sample(sorted(MODIFIERS), self.random.randint(0, 2))
        if self.random.random() < 0.1:
            names[0] = ""
        if self.random.random() < 0.1:
            names.append(self.random.choice(["", "Contains", "contain", "re", "all", "neq"]))
        return "|".join(names)

    # Of the structure.

    @property
    def _of_structure(self) -> list[Callable[[Any], None]]:
        return [
            self._replace_leaf, self._replace_leaf, self._change_key, self._change_key, self._change_condition,
            self._wrap, self._replace_definition, self._rename_selection, self._change_logsource, self._add_selection,
        ]  # fmt: skip

    def _containers(self, document: Any) -> list[Any]:
        found, todo = [], [document.get("detection")] if isinstance(document, dict) else []
        while todo:
            container = todo.pop()
            if isinstance(container, dict | list) and container:
                found.append(container)
                todo.extend(container.values() if isinstance(container, dict) else container)
        return found

    def _place(self, document: Any) -> tuple[Any, Any] | None:
        containers = self._containers(document)
        if not containers:
            return None
        container = self.random.choice(containers)
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        return container, self.random.choice(keys)

    def _value(self) -> Any:
        roll = self.random.random()
        if roll < 0.7:
            return self.random.choice(SCALARS)
        if roll < 0.85:
            return [self.random.choice(SCALARS) for _ in range(self.random.randint(0, 3))]
        if roll < 0.95:
            return {self.random.choice(["Image", "|all", "", "a|re", 5, None]): self.random.choice(SCALARS)}
        return self.random.choice([[[]], [["a"], "b"], {}, [{"a": 1}, "b"], [{"a": 1}, None, ["c"]]])

    def _replace_leaf(self, document: Any) -> None:
        if place := self._place(document):
            place[0][place[1]] = copy.deepcopy(self._value())

    def _change_key(self, document: Any) -> None:
        mappings = [container for container in self._containers(document) if isinstance(container, dict)]
        if not mappings:
            return
        mapping = self.random.choice(mappings)
        old = self.random.choice(list(mapping))
        new = self._modified(old) if isinstance(old, str) else "Image"
        items = [(new if key == old else key, value) for key, value in mapping.items()]
        mapping.clear()
        mapping.update(items)

    def _change_condition(self, document: Any) -> None:
        if isinstance(document.get("detection"), dict):
            document["detection"]["condition"] = copy.deepcopy(self.random.choice(CONDITIONS))

    def _wrap(self, document: Any) -> None:
        if place := self._place(document):
            container, key = place
            value = container[key]
            container[key] = self.random.choice([[value], [value, value], {"Image": value}, [[value]], [value, "x"]])

    def _replace_definition(self, document: Any) -> None:
        detection = document.get("detection")
        if isinstance(detection, dict) and detection:
            detection[self.random.choice(list(detection))] = copy.deepcopy(self._value())
        if self.random.random() < 0.05:
            document["detection"] = copy.deepcopy(self._value())

    def _rename_selection(self, document: Any) -> None:
        detection = document.get("detection")
        if not isinstance(detection, dict) or not detection:
            return
        old = self.random.choice(list(detection))
        names = [
            "_x",
            "selection-1",
            "a b",
            "not",
            "and",
            "1",
            "all",
            "them",
            "x\ny",
            "é",
            "",
            1,
            None,
            True,
            "timeframe",
            "filter_1",
        ]
        detection[self.random.choice(names)] = detection.pop(old)

    def _add_selection(self, document: Any) -> None:
        if isinstance(document.get("detection"), dict):
            document["detection"][self.random.choice(["extra", "_extra", "selection_2"])] = self._value()

    def _change_logsource(self, document: Any) -> None:
        logsource = document.get("logsource")
        if not isinstance(logsource, dict) or self.random.random() < 0.2:
            document["logsource"] = copy.deepcopy(self._value())
            return
        part = self.random.choice(["category", "product", "service", "definition", "x"])
        logsource[part] = copy.deepcopy(self._value())
        if self.random.random() < 0.3:
            logsource.pop(self.random.choice(list(logsource)))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True
