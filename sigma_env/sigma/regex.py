"""Regular expressions of rules: RE2 only, which runs in linear time whatever a model writes."""

import re
from collections import OrderedDict
from functools import lru_cache
from threading import Lock
from typing import Any, Final

import re2

from sigma_env.sigma.errors import InvalidRule, TooComplex
from sigma_env.sigma.limits import RE2_MEMORY, RE2_MEMORY_OF_PLAIN, Limits

# RE2 needs 100 ms to compile what 8 MiB can hold (`\pL{300}`), so an expression that may be large is
# first tried in little memory. RE2 spends two thirds of it on instructions of 16 bytes.
_TRIAL_MEMORY_PER_INSTRUCTION: Final = 32
_MAY_GROW: Final = re.compile(r"\{|\\[pP]|\[:")

_CONSTRUCTS: Final = (
    (re.compile(r"\(\?[=!]"), "look-ahead"),
    (re.compile(r"\(\?<[=!]"), "look-behind"),
    (re.compile(r"\(\?>"), "atomic group"),
    (re.compile(r"\(\?\("), "conditional group"),
    (re.compile(r"\(\?P$"), "back-reference or recursion by name"),
    (re.compile(r"\(\?[R0-9&]"), "recursion"),
    (re.compile(r"\\[1-9k]"), "back-reference"),
    (re.compile(r"[*+?}]\+"), "possessive repetition"),
)


def compile_regex(pattern: str, flags: str = "") -> Any:
    """Compile an expression as rules mean it: classes are ASCII, `$` is the end of the text.

    Args:
        pattern: The expression, as written.
        flags: A sorted subset of "ims": ignore case, `^ $` at line breaks, `.` matches line breaks.

    Returns:
        A compiled RE2 expression; `search` is its only method that rules need.

    Raises:
        InvalidRule: RE2 refuses it; look-around and back-references are named.
    """
    return _kept.get(pattern, flags)


class _Kept:
    """Compiled expressions, the least used forgotten first.

    Its size is counted in instructions: they differ a thousandfold, and large ones that came and went would tear
    holes into the memory of a long run.

    Attributes:
        entries: most that are kept.
        instructions: most that all of them have together; an expression of half as many is not kept.
    """

    def __init__(self, entries: int, instructions: int) -> None:
        self.entries, self.instructions = entries, instructions
        self._programs: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._total = 0
        self._lock = Lock()

    def get(self, pattern: str, flags: str) -> Any:
        key = (pattern, flags)
        with self._lock:
            found = self._programs.get(key)
            if found is not None:
                self._programs.move_to_end(key)
                return found
        program = _compile(pattern, flags, RE2_MEMORY if _MAY_GROW.search(pattern) else RE2_MEMORY_OF_PLAIN)
        if program.programsize <= self.instructions // 2:
            with self._lock:
                if key not in self._programs:
                    self._programs[key] = program
                    self._total += program.programsize
                while self._total > self.instructions or len(self._programs) > self.entries:
                    _, forgotten = self._programs.popitem(last=False)
                    self._total -= forgotten.programsize
        return program

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._programs.clear()
            self._total = 0


_kept: Final = _Kept(entries=512, instructions=40_000)


def check_regex(pattern: str, flags: str, limits: Limits) -> None:
    """Refuse an expression that is invalid or costs too much to run.

    Raises:
        InvalidRule: RE2 refuses it.
        TooComplex: It is too long, or compiles to too many instructions.
    """
    if len(pattern) > limits.regex_chars:
        raise TooComplex(f"regular expression of {len(pattern)} characters; at most {limits.regex_chars}")
    _check_compiled(pattern, flags, limits.regex_program)


@lru_cache(maxsize=256)
def _check_compiled(pattern: str, flags: str, program: int) -> None:
    if _MAY_GROW.search(pattern):
        _compile(pattern, flags, program * _TRIAL_MEMORY_PER_INSTRUCTION)
    size = compile_regex(pattern, flags).programsize
    if size > program:
        raise TooComplex(f"regular expression '{_shortened(pattern)}' needs {size} instructions; at most {program}")


def _compile(pattern: str, flags: str, memory: int) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    try:
        program = re2.compile(f"(?{flags}){pattern}" if flags else pattern, options)
        re2.purge()  # the library keeps 128 of any size
        return program
    except UnicodeEncodeError:
        raise InvalidRule("regular expression holds half of a surrogate pair") from None
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
    if "too large" in reason:
        raise TooComplex(f"regular expression '{_shortened(pattern)}' is too large; repeat less")
    construct = _construct(reason)
    if construct is not None:
        raise InvalidRule(
            f"regular expression '{_shortened(pattern)}': {construct} ('{reason.rpartition(': ')[2]}') is not served, "
            "because it needs more than linear time; write it without"
        )
    raise InvalidRule(f"regular expression '{_shortened(pattern)}': {reason}")


def _construct(reason: str) -> str | None:
    """Name of the construct that RE2 leaves out on purpose, from its message, which quotes the offending text."""
    if not reason.startswith(("invalid perl operator", "invalid escape sequence", "bad repetition operator")):
        return None
    return next((name for expression, name in _CONSTRUCTS if expression.search(reason)), None)


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
