"""The lines of composed rules: for each kind of value, the ways to compare it and texts to compare with."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from sigma_env.simulation.compose.names import Names
from sigma_env.simulation.compose.vocabulary import stock

Written = str | int | None
Maker = Callable[[Names, random.Random], Written]


class Form(NamedTuple):
    """One way to compare a kind of value.

    Attributes:
        weight: how often it is chosen.
        modifiers: as in a rule, without the field.
        make: one written value.
        least: fewest values.
        most: most values.
        cost: how much harder it is than a plain line, in steps of difficulty.
    """

    weight: float
    modifiers: str
    make: Maker
    least: int = 1
    most: int = 5
    cost: int = 0


def _file_name(names: Names, rng: random.Random, endings: Sequence[str]) -> str:
    return f"{names.cased(rng)}.{rng.choice(endings)}"


def _in_path(endings: Sequence[str]) -> tuple[Form, ...]:
    """Forms of a path whose file has one of some extensions."""

    def name(names: Names, rng: random.Random) -> str:
        return _file_name(names, rng, endings)

    return (
        Form(60, "endswith", lambda names, rng: f"\\{name(names, rng)}"),
        Form(10, "contains", lambda names, rng: f"\\{names.title(rng)}\\"),
        Form(6, "contains", lambda names, rng: rng.choice(names.folders), most=2),
        Form(9, "startswith", Names.whole_folder, most=3),
        Form(6, "", lambda names, rng: names.whole_folder(rng) + name(names, rng), most=3),
        Form(4, "contains|all", lambda names, rng: f"\\{names.name(rng)}", 2, 3, 1),
        Form(3, "re", lambda names, rng: _expression(names, rng, rf"\.{rng.choice(endings)}$"), most=2, cost=2),
    )


def _expression(names: Names, rng: random.Random, end: str) -> str:
    part = rng.choice(("[0-9]{1,3}", "[a-f0-9]{4}", r"\d{2}", "[a-z]{3,5}", r"-\d+"))
    return rf"\\{names.stem(rng)}{part}{end}"


def _program(names: Names, rng: random.Random) -> str:
    return f"\\{names.program(rng)}"


def _phrase(names: Names, rng: random.Random) -> str:
    """A piece of a command line."""
    match rng.randrange(9):
        case 0 | 1 | 2:
            return f" {names.switch(rng)}"
        case 3:
            return f"{names.switch(rng)} "
        case 4:
            return f" {names.switch(rng)} {names.name(rng)}"
        case 5:
            return f"{names.name(rng)} {names.word(rng)}"
        case 6:
            return f"\\{_file_name(names, rng, stock()['scripts'])}"
        case 7:
            return f"http{rng.choice(('', 's'))}://{names.domain(rng)}/"
    return names.name(rng)


def _dashed(names: Names, rng: random.Random) -> str:
    return f" -{names.stem(rng) if rng.random() < 0.5 else names.word(rng)}"


def _code(names: Names, rng: random.Random) -> str:
    """A piece of PowerShell."""
    stem, verb = names.stem(rng).capitalize(), rng.choice(stock()["verbs"])
    match rng.randrange(6):
        case 0 | 1:
            return f"{verb}-{stem}"
        case 2:
            return f"{verb}-{stem}{names.word(rng).capitalize()}"
        case 3:
            return f"[{stem}.{names.word(rng).capitalize()}]::"
        case 4:
            return f" -{names.word(rng).capitalize()} {stem}"
    return f"${names.stem(rng)}.{verb}{names.word(rng).capitalize()}("


def _key(names: Names, rng: random.Random) -> str:
    own = names.title(rng)
    match rng.randrange(5):
        case 0:
            return f"\\SOFTWARE\\{own}\\"
        case 1:
            return f"\\Services\\{names.name(rng)}\\"
        case 2:
            return f"{rng.choice(names.keys)}{names.cased(rng)}"
        case 3:
            return f"\\{own}\\{names.word(rng).capitalize()}"
    return f"\\SOFTWARE\\{own}\\{names.word(rng).capitalize()}\\"


def _value_name(names: Names, rng: random.Random) -> str:
    stem, word = names.stem(rng).capitalize(), names.word(rng).capitalize()
    match rng.randrange(4):
        case 0:
            return f"\\{stem}\\{word}"
        case 1:
            return f"\\{word}{stem}"
        case 2:
            return f"\\{names.title(rng)}\\Parameters\\{word}"
    return f"\\{stem}{word}"


def _hash(_: Names, rng: random.Random) -> str:
    name, size = rng.choice((("MD5", 32), ("SHA1", 40), ("SHA256", 64), ("IMPHASH", 32)))
    return f"{name}={rng.getrandbits(size * 4):0{size}X}"


def _account(names: Names, rng: random.Random) -> str:
    return rng.choice(("svc-{}", "{}_adm", "{}-{}", "adm.{}", "{}")).format(names.stem(rng), names.word(rng))


def _enum(*texts: Written, most: int = 1) -> tuple[Form, ...]:
    return (Form(1, "", lambda _, rng: rng.choice(texts), most=most),)


_LEVELS: Final = ("System", "High", "Medium", "Low")
_TRUTHS: Final = ("true", "false")
_PROTOCOLS: Final = ("tcp", "udp")
_NUMBERS: Final = tuple(f"DWORD (0x{number:08x})" for number in range(6))
CHOICES: Final = (*_LEVELS, *_TRUTHS, *_PROTOCOLS, *_NUMBERS)
"""Texts of which a field can hold few."""

_PROGRAM: Final = (Form(70, "endswith", _program), *_in_path(("exe",))[1:])
_COMMAND: Final = (
    Form(45, "contains", _phrase),
    Form(22, "contains|all", _phrase, 2, 3, 1),
    Form(6, "endswith", lambda names, rng: f" {names.switch(rng)} {names.name(rng)}", most=3),
    Form(8, "contains|windash", _dashed, most=3, cost=1),
    Form(3, "startswith", lambda names, rng: f"{names.name(rng)} {names.switch(rng)}", most=2),
    Form(3, "re", lambda names, rng: rf"\s-{names.stem(rng)}\s+{rng.choice(('[0-9]+', '[a-z]{2,8}', '.{4,12}'))}\s",
         most=2, cost=2),
)  # fmt: skip
_SCRIPT: Final = (
    Form(50, "contains", _code),
    Form(30, "contains|all", _code, 2, 3, 1),
    Form(5, "re", lambda names, rng: rf"{rng.choice(stock()['verbs'])}-{names.stem(rng).capitalize()}\s+-\w{{2,9}}\s",
         most=2, cost=2),
)  # fmt: skip
_KEY: Final = (
    Form(35, "contains", _key),
    Form(35, "endswith", _value_name),
    Form(8, "contains|all", _key, 2, 2, 1),
    Form(5, "startswith", lambda names, rng: f"HKLM\\SOFTWARE\\{names.title(rng)}\\", most=2),
    Form(5, "contains", lambda names, rng: rng.choice(names.keys), most=2),
)
_DATA: Final = (
    Form(25, "", lambda _, rng: rng.choice(_NUMBERS), most=3),
    Form(20, "contains", lambda names, rng: f"\\{names.cased(rng)}.{rng.choice(('exe', 'dll', 'ps1', 'vbs'))}"),
    Form(10, "endswith", lambda names, rng: f"\\{names.cased(rng)}.{rng.choice(('exe', 'dll'))}"),
    Form(10, "contains", lambda names, rng: names.name(rng)),
    Form(10, "", lambda names, rng: names.title(rng), most=3),
    Form(6, "contains", lambda names, rng: rng.choice(names.folders), most=2),
)
_HOST: Final = (
    Form(40, "endswith", lambda names, rng: f".{names.domain(rng)}"),
    Form(30, "contains", lambda names, rng: names.domain(rng)),
    Form(15, "", lambda names, rng: f"{names.word(rng)}.{names.domain(rng)}"),
    Form(5, "startswith", lambda names, rng: f"{names.stem(rng)}.", most=3),
    Form(4, "re", lambda names, rng: rf"^[a-z0-9]{{6,12}}\.{names.stem(rng)}\.", most=1, cost=2),
)

FORMS: Final[Mapping[str, tuple[Form, ...]]] = {
    "program": _PROGRAM,
    "program_device": (_PROGRAM[0], _PROGRAM[1]),
    "library": _in_path(("dll",)),
    "library_device": _in_path(("dll", "sys"))[:2],
    "driver": _in_path(("sys",))[:4],
    "file": (
        *_in_path(stock()["files"]),
        Form(8, "endswith", lambda names, rng: f".{names.stem(rng)}", most=3),
    ),
    "script_file": _in_path(stock()["scripts"])[:3],
    "stream": (
        Form(50, "endswith", lambda names, rng: f"\\{_file_name(names, rng, stock()['files'])}"),
        Form(20, "contains", lambda names, rng: f"{names.name(rng)}:{names.word(rng)}"),
    ),
    "folder": _in_path(("exe",))[1:4],
    "original": (Form(1, "", Names.program),),
    "original_library": (Form(1, "", lambda names, rng: f"{names.cased(rng)}.dll"),),
    "caption": (Form(70, "", Names.title), Form(30, "contains", lambda names, rng: names.stem(rng).capitalize())),
    "maker": (Form(60, "", lambda names, rng: f"{names.title(rng)} {rng.choice(('Ltd', 'GmbH', 'Inc.', 'LLC'))}"),
              Form(40, "contains", lambda names, rng: names.stem(rng).capitalize())),
    "command": _COMMAND,
    "script": _SCRIPT,
    "key": _KEY,
    "data": _DATA,
    "data_path": (Form(1, "contains", lambda names, rng: f"\\{names.title(rng)}\\"),),
    "integrity": _enum(*_LEVELS, most=2),
    "yes_no": _enum(*_TRUTHS),
    "protocol": _enum(*_PROTOCOLS),
    "logon": (Form(1, "", lambda _, rng: rng.choice((2, 3, 4, 5, 7, 8, 9, 10, 11)), most=3),),
    "user": (Form(1, "endswith", lambda names, rng: f"\\{_account(names, rng)}"),),
    "account": (
        Form(50, "", _account),
        Form(20, "startswith", lambda names, rng: f"{names.stem(rng)}-", most=3),
        Form(20, "contains", lambda names, rng: names.stem(rng)),
        Form(8, "endswith", lambda names, rng: f"-{names.stem(rng)}$", most=2),
    ),
    "workstation": (
        Form(50, "", lambda names, rng: names.name(rng).upper()),
        Form(30, "startswith", lambda names, rng: f"{names.stem(rng).upper()}-", most=2),
    ),
    "hash": (Form(1, "contains", _hash),),
    "host": _HOST,
    "address": (
        Form(50, "", Names.address),
        Form(40, "cidr", lambda names, rng: names.address(rng, network=True), cost=1),
    ),
    "port": (
        Form(80, "", lambda _, rng: rng.choice((rng.randint(1025, 65000), rng.randint(20, 1024)))),
        Form(8, "gte", lambda _, rng: 1000 * rng.randint(20, 60), most=1, cost=1),
        Form(8, "lt", lambda _, rng: 100 * rng.randint(2, 90), most=1, cost=1),
    ),
    "mask": (Form(1, "", Names.mask),),
    "trace": (Form(1, "contains", lambda names, rng: f"\\{names.cased(rng)}.dll"),),
    "pipe": (
        Form(40, "", lambda names, rng: f"\\{names.name(rng)}"),
        Form(30, "startswith", lambda names, rng: f"\\{names.name(rng)}{rng.choice('-_')}"),
        Form(20, "contains", lambda names, rng: names.stem(rng)),
        Form(6, "re", lambda names, rng: rf"^\\{names.stem(rng)}{rng.choice(('-', '_', ''))}[0-9a-f]{{2,8}}$",
             most=2, cost=2),
    ),
    "service": (
        Form(50, "", lambda names, rng: names.cased(rng)),
        Form(25, "contains", lambda names, rng: names.stem(rng)),
        Form(15, "startswith", lambda names, rng: names.stem(rng).capitalize(), most=3),
    ),
    "task": (
        Form(50, "", lambda names, rng: f"\\{names.title(rng)}"),
        Form(25, "startswith", lambda names, rng: f"\\{names.title(rng)}\\", most=3),
        Form(25, "contains", lambda names, rng: names.stem(rng)),
    ),
    "share": (Form(1, "endswith", lambda names, rng: f"\\{names.name(rng)}$", most=3),),
    "share_file": (
        Form(60, "endswith", lambda names, rng: _file_name(names, rng, stock()["files"])),
        Form(30, "contains", lambda names, rng: names.stem(rng)),
    ),
    "url": (
        Form(40, "contains", lambda names, rng: names.domain(rng)),
        Form(20, "contains", lambda names, rng: f"/{names.name(rng)}/"),
        Form(20, "endswith", lambda names, rng: f"/{_file_name(names, rng, stock()['files'])}"),
        Form(15, "startswith", lambda names, rng: f"http://{names.domain(rng)}/"),
    ),
}  # fmt: skip
"""The ways to compare each kind of value that `logsources.yaml` names."""

JOINABLE: Final = frozenset({"command", "script"})
"""Kinds of which one text holds several values: two lists of them can be asked for, or one of them filtered."""
