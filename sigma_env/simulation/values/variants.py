"""Other spellings of a text that mean the same to Windows: casing, quotes, spaces, order of arguments, directory."""

import random
import re
from collections.abc import Callable
from typing import Final

from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas.plausible import cannot_hold
from sigma_env.simulation.values.commands import arguments_of, program_of

_DASHED: Final = re.compile(r"(?<!\S)[-/](?=[A-Za-z]\w*(?:\s|$))")
_PROGRAM_ENDS: Final = (".exe", ".com")
_OPAQUE: Final = re.compile(r"[A-Za-z0-9+/=]{24,}|://")
_ALIASES: Final = (
    ("Invoke-Expression", "iex"),
    ("Invoke-WebRequest", "iwr"),
    ("Invoke-RestMethod", "irm"),
    ("Get-ChildItem", "gci"),
    ("Get-Content", "gc"),
    ("Get-Process", "gps"),
    ("Get-Item", "gi"),
    ("Get-WmiObject", "gwmi"),
    ("Copy-Item", "cpi"),
    ("Remove-Item", "ri"),
    ("Select-Object", "select"),
    ("ForEach-Object", "%"),
    ("Where-Object", "?"),
    ("Write-Output", "echo"),
)
_HIVES: Final = re.compile(r"(?<=\\)(SOFTWARE|SYSTEM|Software|System)(?=\\)")

Change = Callable[[str, random.Random], str]


def variant(text: str, spec: FieldSpec, rng: random.Random, *, windash: bool = False) -> str:
    """Another spelling of a field's text; the text itself if its kind has none.

    Whether the rule's lines still hold is the caller's to check: casing never decides in a rule without `cased` or
    `re`, the rest may.

    Args:
        text: what the field holds.
        spec: the field.
        rng: chooses the change.
        windash: whether switches may be spelt with the other dash, as the modifier of that name allows.
    """
    changes = _CHANGES.get(spec.kind, ())
    if windash and spec.kind is FieldKind.COMMAND_LINE:
        changes = (*changes, _other_dash)
    if not changes or not text:
        return text
    for _ in range(4):
        changed = rng.choice(changes)(text, rng)
        if changed != text and cannot_hold(spec, changed) is None:
            return changed
    return text


def _recased(text: str, rng: random.Random) -> str:
    """All lower case, all upper case, or words with their first letter turned."""
    way = rng.randrange(4)
    if way < 2:
        return text.lower()
    if way == 2:
        return text.upper()
    return re.sub(r"(?<![A-Za-z])[A-Za-z]", lambda found: found[0].swapcase(), text)


def _recased_arguments(text: str, rng: random.Random) -> str:
    """Words of a command line in another case, but for what is encoded and for addresses."""
    words = text.split(" ")
    at = [
        i
        for i, word in enumerate(words)
        if word.isascii() and word.lower() != word.upper() and not _OPAQUE.search(word)
    ]
    for i in rng.sample(at, min(len(at), rng.randint(1, 3))):
        words[i] = _recased(words[i], rng)
    return " ".join(words)


def _recased_name(text: str, rng: random.Random) -> str:
    """The last part of a path in another case."""
    directory, slash, name = text.rpartition("\\")
    return directory + slash + _recased(name, rng)


def _recased_windows(text: str, rng: random.Random) -> str:
    """The Windows directory as different programs write it."""
    written = rng.choice(("C:\\WINDOWS\\system32\\", "C:\\Windows\\system32\\", "C:\\windows\\System32\\"))
    return re.sub(r"^C:\\windows\\system32\\", lambda _: written, text, flags=re.IGNORECASE)


def _requoted(text: str, rng: random.Random) -> str:
    """The program with quotes instead of without, or the other way round."""
    del rng
    program, arguments = program_of(text), arguments_of(text)
    if not program:
        return text
    if program.startswith('"'):
        bare = program.strip('"')
        return text if " " in bare else f"{bare} {arguments}".rstrip()
    return f'"{program}" {arguments}'.rstrip()


def _respaced(text: str, rng: random.Random) -> str:
    """One space made two, where it is between arguments."""
    gaps = [i for i, char in enumerate(text) if char == " " and text[:i].count('"') % 2 == 0]
    if not gaps:
        return text
    at = gaps[0] if rng.random() < 0.7 else rng.choice(gaps)
    return f"{text[:at]} {text[at:]}"


def _reordered(text: str, rng: random.Random) -> str:
    """A switch without a value moved to another place among the arguments."""
    program, words = program_of(text), arguments_of(text).split(" ")
    if len(words) < 2 or '"' in "".join(words) or "|" in words or "&" in words:
        return text
    starts = [i for i, word in enumerate(words) if word[:1] in "-/" and len(word) > 1]
    if len(starts) < 2:
        return text
    groups = [words[begin:end] for begin, end in zip(starts, [*starts[1:], len(words)], strict=True)]
    rng.shuffle(groups)
    return " ".join([program, *words[: starts[0]], *(word for group in groups for word in group)])


def _other_program_form(text: str, rng: random.Random) -> str:
    """The program without its extension or with it, without its directory or as it was."""
    program, arguments = program_of(text), arguments_of(text)
    quote = '"' if program.startswith('"') else ""
    bare = program.strip('"')
    if bare.lower().endswith(_PROGRAM_ENDS) and rng.random() < 0.5:
        bare = bare[:-4]
    elif "\\" in bare:
        bare = bare.rpartition("\\")[2]
        quote = ""
    elif "." not in bare:
        bare += ".exe"
    return f"{quote}{bare}{quote} {arguments}".rstrip()


def _other_dash(text: str, rng: random.Random) -> str:
    """All switches with the other dash."""
    dashes = [found[0] for found in _DASHED.finditer(text)]
    if not dashes:
        return text
    other = "/" if dashes[0] == "-" else rng.choice(("-", "-", "–"))
    return _DASHED.sub(other, text)


def _other_hive(text: str, rng: random.Random) -> str:
    """SOFTWARE and SYSTEM as different programs write them."""
    upper = rng.random() < 0.5
    return _HIVES.sub(lambda found: found[0].upper() if upper else found[0].capitalize(), text)


def _aliased(text: str, rng: random.Random) -> str:
    """One command of PowerShell by its alias."""
    low = text.lower()
    known = [(long, short) for long, short in _ALIASES if long.lower() in low]
    if not known:
        return text
    long, short = rng.choice(known)
    return re.sub(re.escape(long), short, text, flags=re.IGNORECASE)


_CHANGES: Final[dict[FieldKind, tuple[Change, ...]]] = {
    FieldKind.COMMAND_LINE: (
        _recased_arguments,
        _requoted,
        _respaced,
        _reordered,
        _other_program_form,
        _recased_windows,
    ),
    FieldKind.SCRIPT: (_recased_arguments, _aliased, _respaced),
    FieldKind.IMAGE: (_recased_name, _recased, _recased_windows),
    FieldKind.FILE: (_recased_name, _recased),
    FieldKind.DIRECTORY: (_recased, _recased_windows),
    FieldKind.REGISTRY_KEY: (_other_hive, _recased_name),
    FieldKind.REGISTRY_DATA: (_recased_name,),
    FieldKind.HOST_NAME: (_recased,),
    FieldKind.USER: (_recased_name,),
    FieldKind.ACCOUNT: (_recased,),
    FieldKind.URL: (_recased_name,),
}
