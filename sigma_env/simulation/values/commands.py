"""Command lines, scripts and free text around given pieces."""

import itertools
import random
import re
from collections.abc import Sequence

from sigma_env.simulation.values.filler import (
    HOSTS,
    base64_text,
    file_name,
    hex_digits,
    program_stem,
    public_address,
    user,
    word,
)
from sigma_env.simulation.values.goal import Goal, in_text
from sigma_env.simulation.values.paths import directory_with, is_rooted

_DEFAULT_PROGRAM = "C:\\Windows\\System32\\cmd.exe"
_PROGRAM = re.compile(r'\s*("[^"]*"|\S+)\s*')
_PROFILE_PARTS = ("\\appdata\\", "\\downloads", "\\desktop", "\\documents", "\\contacts", "\\favorites", "\\pictures")
_WINDOWS_PARTS = ("\\system32", "\\syswow64", "\\temp\\", "\\tasks\\", "\\microsoft.net\\", "\\winsxs\\", "\\debug\\")
_ROOT_PARTS = ("\\windows", "\\users", "\\programdata", "\\program files", "\\perflogs", "\\temp", "\\inetpub", "\\$")
_SCRIPT_LINES = (
    "$ErrorActionPreference = 'Stop'",
    "$started = Get-Date",
    'Write-Verbose "finished after $((Get-Date) - $started)"',
    "$items = @()",
    "Start-Sleep -Seconds 5",
    "$computer = $env:COMPUTERNAME",
    "Write-Output $items.Count",
)
_BEGUN_ADDRESS = re.compile(r"://(\d{1,3}(?:\.\d{1,3}){0,2}\.?)$")
_BEGUN_INSIDE = re.compile(r"(?<![\d.\w\\-])(\d{1,3}(?:\.\d{1,3}){1,2}\.)$")
_VALUELESS = 0.6
"""How many switches that are followed by another get no value."""
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/]{10,}")


def program_of(command_line: str) -> str:
    """The program of a command line as it stands there, with its quotes; '' if there is none."""
    found = _PROGRAM.match(command_line)
    return found[1] if found else ""


def arguments_of(command_line: str) -> str:
    """What follows the program."""
    found = _PROGRAM.match(command_line)
    return command_line[found.end() :] if found else ""


def build_command(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """A command line: the natural program, then the pieces as arguments.

    Args:
        goal: the pieces.
        natural: a realistic command line of the field.
        rng: chooses among what is open.
        attempt: 0 keeps the pieces' order and the natural arguments if there are none of its own.
    """
    program = program_of(natural) or _DEFAULT_PROGRAM
    text = goal.head or (program if attempt < 4 else _other_form(program, rng, attempt))
    if goal.head.endswith("\\"):
        text += f"{word(rng)}.exe" if " " not in goal.head.strip() else file_name(rng)
    lower = text.lower()
    inner = merged_paths([piece for piece in goal.inner if not in_text(piece, lower)], rng)
    if attempt % 3 == 1 and len(inner) > 1:
        rng.shuffle(inner)
    if not inner and not goal.tail:
        rest = arguments_of(natural)
        return _joined(text, rest if attempt == 0 else word(rng) if attempt % 2 else file_name(rng))
    for piece in inner:
        if in_text(piece, text.lower()):
            continue
        text = append(text, wrapped(piece, rng), rng)
    if goal.tail:
        return append(text, left_of(goal.tail, rng) + goal.tail, rng, last=True)
    text += right_of(text, rng)
    rest = arguments_of(natural)
    return _joined(text, rest) if rest and attempt % 4 == 0 and rng.random() < 0.3 and rest not in text else text


def _other_form(program: str, rng: random.Random, attempt: int) -> str:
    """The program without its directory, without its extension, or another one."""
    name = program.strip('"').rpartition("\\")[2]
    match attempt % 4:
        case 0:
            return name
        case 1:
            return name.rpartition(".")[0] or name
        case 2:
            return f"D:\\Tools\\{program_stem(rng)}.exe"
    return program_stem(rng)


def merged_paths(pieces: Sequence[str], rng: random.Random) -> list[str]:
    r"""The pieces with those that are parts of one path put together: `:\\Users\\` and `\\Pictures\\`."""
    parts = [piece for piece in pieces if piece.endswith("\\") and (piece.startswith("\\") or is_rooted(piece))]
    if len(parts) < 2 or sum(map(is_rooted, parts)) > 1:
        return list(pieces)
    whole = directory_with(tuple(sorted(parts, key=is_rooted, reverse=True)), rng)
    return [whole if piece is parts[0] else piece for piece in pieces if piece is parts[0] or piece not in parts]


def _joined(left: str, right: str) -> str:
    if not left or not right or left[-1].isspace() or right[0].isspace():
        return left + right
    return f"{left} {right}"


def append(text: str, piece: str, rng: random.Random, *, last: bool = False) -> str:
    """A text with one more piece, which stays whole; what the text's end leaves open is filled."""
    if not text:
        return piece
    spaced, starts_spaced = text[-1].isspace(), piece[0].isspace()
    if spaced and starts_spaced and not last:
        return text + (piece[1:] if rng.random() < _VALUELESS else _argument(text, rng) + piece)
    if spaced:
        return text + piece
    text += right_of(text, rng)
    return text + piece if starts_spaced or piece[0] == "," else f"{text} {piece}"


def wrapped(piece: str, rng: random.Random) -> str:
    """A piece as (part of) a plausible argument, complete at its left."""
    if _is_base64(piece):
        return base64_text(4 * rng.randint(2, 5), rng) + piece + base64_text(rng.randint(6, 20), rng)
    return left_of(piece, rng) + piece


def _is_base64(piece: str) -> bool:
    """Whether a piece is a cut-out of Base64 text: no word of a language looks like it."""
    if _BASE64_RUN.fullmatch(piece) is None:
        return False
    changes = sum(a.isupper() != b.isupper() or a.isdigit() != b.isdigit() for a, b in itertools.pairwise(piece))
    return changes > len(piece) // 2 and not piece.startswith("/")


def left_of(piece: str, rng: random.Random) -> str:
    """What stands before a piece that begins in the middle of a path, an address or a name."""
    if piece.startswith("://"):
        return "http"
    if piece.startswith((":\\", ":/")):
        return "C"
    if piece.startswith("\\\\"):
        return ""
    if piece.startswith("\\") and len(piece) > 1:
        low = piece.lower()
        if low.startswith(("\\users\\", "\\programdata")):
            return "C:"
        if any(low.startswith(part) for part in _PROFILE_PARTS):
            return f"C:\\Users\\{user(rng)}"
        if any(low.startswith(part) for part in _ROOT_PARTS):
            return "C:"
        if any(low.startswith(part) for part in _WINDOWS_PARTS):
            return "C:\\Windows"
        if low.startswith(("\\registry\\", "\\device\\", "\\??\\", "\\pipe\\")):
            return ""
        if low.startswith(("\\software", "\\system\\", "\\sam", "\\security")):
            return "HKLM"
        if low.startswith(("\\microsoft\\", "\\policies\\")):
            return "HKCU\\Software"
        if low.startswith(("\\services\\", "\\control\\", "\\currentcontrolset")):
            return "HKLM\\SYSTEM" if "\\currentcontrolset" in low else "HKLM\\SYSTEM\\CurrentControlSet"
        return rng.choice((f"C:\\Users\\{user(rng)}\\Downloads", "C:\\ProgramData", "D:\\Work"))
    if piece.startswith(".") and piece[1:2].isalnum():
        low = piece.lower()
        if low.endswith((".com", ".net", ".org", ".io", ".co", ".dev", ".onion", ".me", ".ru", ".link", ".app")):
            return rng.choice(("https://files", "https://cdn", "https://static"))
        return word(rng)
    return ""


def right_of(text: str, rng: random.Random) -> str:
    """What completes a text that ends in the middle of a path, an address or an assignment."""
    end = text[-1:]
    if end == "\\":
        return file_name(rng)
    if text.endswith("://"):
        return f"{rng.choice(HOSTS)}/{word(rng)}"
    if text[-5:].lower().endswith(("http", "https")):
        return f"://{rng.choice(HOSTS)}/{word(rng)}"
    if (begun := _BEGUN_ADDRESS.search(text)) or (begun := _BEGUN_INSIDE.search(text)):
        octets = 3 - begun[1].rstrip(".").count(".")
        return ("" if begun[1].endswith(".") else ".") + ".".join(str(rng.randint(1, 250)) for _ in range(octets))
    if end == "/":
        return word(rng) if text[-2:-1].isalnum() else ""
    if end == "=":
        return word(rng)
    if end == ":" and text[-2:-1].isalnum():
        return word(rng)
    if end == "(" or end == "[":
        return ""
    return _argument(text, rng) if end == " " else ""


def _argument(text: str, rng: random.Random) -> str:
    """A value for the switch at a text's end."""
    switch = text.rstrip().rpartition(" ")[2].lower().lstrip("-/")
    if switch in ("u", "user", "username"):
        return user(rng)
    if switch in ("url", "i", "ip", "h", "host", "server", "t", "target"):
        return public_address(rng) if switch in ("ip", "t", "i") else rng.choice(HOSTS)
    if switch in ("enc", "encodedcommand", "e", "ec"):
        return base64_text(4 * rng.randint(8, 16), rng)
    if switch in ("p", "port"):
        return str(rng.choice((443, 445, 3389, 8080, 8443)))
    return rng.choice((file_name(rng), word(rng), f"C:\\Users\\{user(rng)}\\{file_name(rng)}", hex_digits(4, rng)))


def build_script(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """Program text: the natural script with lines in which the pieces stand."""
    own = natural if attempt % 2 == 0 and natural not in ("", "-") else "\r\n".join(rng.sample(_SCRIPT_LINES, 2))
    inner = [piece for piece in goal.inner if not in_text(piece, own.lower())]
    if attempt % 3 == 1:
        rng.shuffle(inner)
    line = ""
    for piece in inner:
        if not in_text(piece, line.lower()):
            line = append(line, wrapped(piece, rng), rng)
    line += right_of(line, rng) if line else ""
    if attempt % 4 == 3:
        own = ""
    if goal.head:
        return _joined(goal.head, line) + ("" if not goal.tail else _tail_after(line or goal.head, goal.tail, rng))
    text = "\r\n".join(part for part in ((line, own) if goal.tail or rng.random() < 0.3 else (own, line)) if part)
    return f"{text}{_tail_after(text, goal.tail, rng)}" if goal.tail else text


def _tail_after(text: str, tail: str, rng: random.Random) -> str:
    glue = "" if not text or tail[0].isspace() else "\r\n" if len(tail) > 12 else " "
    return glue + left_of(tail, rng) + tail


def build_text(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """Free text: long natural text gets the pieces added, short text is made of them."""
    if not goal.inner and not goal.head and not goal.tail:
        return natural if attempt == 0 else f"{natural} {word(rng)}".strip()
    inner = merged_paths(goal.inner, rng)
    if attempt % 3 == 1:
        rng.shuffle(inner)
    lower = natural.lower()
    keep = len(natural) > 40 and not goal.head and attempt % 2 == 0
    text = goal.head or (natural if keep else "")
    for piece in inner:
        if in_text(piece, lower if keep else text.lower()):
            continue
        text = append(text, wrapped(piece, rng), rng) if text else wrapped(piece, rng)
    if goal.tail:
        return _end_with(text, natural, goal.tail, rng, attempt)
    if filler := right_of(text, rng) or (hex_digits(4, rng) if text.endswith(("-", "_", ".")) else ""):
        return text + filler
    if attempt % 4 == 3:
        text += f" {word(rng)}"
    is_name = "." in text.rpartition(" ")[2]  # of a file, which ends with its extension
    return text + hex_digits(2, rng) if attempt % 4 == 2 and text[-1:].isalnum() and not is_name else text


def _end_with(text: str, natural: str, tail: str, rng: random.Random, attempt: int) -> str:
    if text:
        return append(text, left_of(tail, rng) + tail, rng, last=True)
    left = left_of(tail, rng)
    if left or attempt % 2 == 1 or not natural:
        return (left or (word(rng) + (" " if tail[0].isalnum() else ""))) + tail
    if tail[0].isspace():
        return f'"C:\\ProgramData\\{word(rng).capitalize()}\\{word(rng)}.exe"{tail}'
    stem = natural if len(natural) > 40 else word(rng)
    return f"{stem} {tail}" if tail[0].isalnum() else stem + tail


def build_url(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """A web address that holds the pieces, those that look like a host as its host."""
    scheme, _, rest = natural.partition("://") if "://" in natural else ("https", "", "")
    host, slash, path = rest.partition("/")
    text = goal.head
    for piece in goal.inner:
        if in_text(piece, text.lower()):
            continue
        if not text:
            text = _url_start(piece, scheme if attempt % 2 == 0 else "http", rng)
        else:
            text += ("" if text.endswith("/") or piece.startswith(("/", ".", "?", "&")) else "/") + piece
    if not text:
        text = f"{scheme}://{host or rng.choice(HOSTS)}/"
        path = path if attempt == 0 else word(rng)
    if goal.tail:
        return _url_end(text, goal.tail, rng)
    if text.endswith("://"):
        return f"{text}{host or rng.choice(HOSTS)}/{path}"
    if _BEGUN_ADDRESS.search(text):
        return f"{text}{right_of(text, rng)}/{file_name(rng)}"
    return text + (
        word(rng) if text.endswith(("/", "=", "-")) else f"/{(slash and path) or word(rng)}" if attempt % 2 else ""
    )


def _url_start(piece: str, scheme: str, rng: random.Random) -> str:
    if "://" in piece:
        return f"{scheme if piece.startswith('://') else ''}{piece}"
    if piece.startswith("."):
        if "." not in piece[1:] and "/" not in piece and len(piece) <= 5:
            return f"{scheme}://{rng.choice(HOSTS)}/{word(rng)}{piece}"
        return f"{scheme}://{word(rng)}{piece}"
    if "." in piece and not piece.startswith("/"):
        return f"{scheme}://{piece}"
    return f"{scheme}://{rng.choice(HOSTS)}{'' if piece.startswith('/') else '/'}{piece}"


def _url_end(text: str, tail: str, rng: random.Random) -> str:
    if tail.startswith(".") and text.endswith("/"):
        return text + word(rng) + tail
    return text + ("" if tail.startswith(("/", ".", "?")) or text.endswith("/") else "/") + tail
