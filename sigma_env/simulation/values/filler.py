"""Words, names, numbers and paths to fill in where a rule leaves a text open."""

import random
import string

WORDS = (
    "report", "update", "backup", "setup", "config", "data", "invoice", "summary", "notes", "budget", "archive",
    "client", "server", "export", "import", "project", "meeting", "sync", "status", "system", "test", "build",
    "service", "agent", "monitor", "helper", "cache", "index", "draft", "review", "plan", "list", "metrics", "audit",
)  # fmt: skip
COMPANY = "HALDEN"
"""The simulated company's domain."""
USERS = ("j.meyer", "a.novak", "s.rossi", "m.keller", "l.dubois", "p.larsen", "k.tanaka", "e.marin")
HOSTS = ("intranet.corp.example", "files.corp.example", "update.vendor.example", "cdn.vendor.example")
STEMS = (
    "updater", "helper", "launcher", "service", "agent", "monitor", "client", "tool", "runner", "loader", "worker",
    "sync", "setup", "console", "broker", "notify",
)  # fmt: skip
EXTENSIONS = ("txt", "log", "dat", "xml", "csv", "json", "ini", "tmp")
_HEX = "0123456789abcdef"


def hex_digits(n: int, rng: random.Random) -> str:
    """`n` lower-case hexadecimal digits."""
    return f"{rng.getrandbits(4 * n):0{n}x}" if n else ""


def word(rng: random.Random) -> str:
    """A plain word."""
    return rng.choice(WORDS)


def file_name(rng: random.Random) -> str:
    """The name of a document."""
    return f"{rng.choice(WORDS)}{rng.randint(1, 99)}.{rng.choice(EXTENSIONS)}"


def program_stem(rng: random.Random) -> str:
    """The name of a program, without extension."""
    return rng.choice(STEMS)


def user(rng: random.Random) -> str:
    """The name of a user's profile."""
    return rng.choice(USERS)


def guid(rng: random.Random) -> str:
    """A version 4 GUID in upper case, without braces."""
    digits = f"{rng.getrandbits(128):032X}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-A{digits[17:20]}-{digits[20:]}"


def public_address(rng: random.Random) -> str:
    """An IPv4 address of the ranges for documentation, which belong to nobody."""
    return f"{rng.choice(('203.0.113', '198.51.100', '192.0.2'))}.{rng.randint(1, 254)}"


def base64_text(n: int, rng: random.Random) -> str:
    """`n` characters of Base64 text without padding."""
    return "".join(rng.choices(string.ascii_letters + string.digits, k=n))


def character(before: str, after: str, rng: random.Random) -> str:
    """One character between two texts, for the wildcard `?`."""
    if after.startswith(":") and (not before or not before[-1].isalnum()):
        return "C"
    if after.startswith((".", "\\")) or before[-1:].isdigit() or before[-2:].lower() == "0x":
        return rng.choice("0123456789")
    if before[-1:].isupper() and len(before) == 1:
        return rng.choice("0123456789ABCDEF")
    if before[-1:] in (">", "<", "|", "&"):
        return " "
    return rng.choice("0123456789") if not before[-1:].isalpha() else rng.choice(string.ascii_lowercase)


def between(before: str, after: str, rng: random.Random) -> str:
    """A text between two others, for the wildcard `*`."""
    left, right = before[-1:], after[:1]
    if after.startswith((":\\", ":/")) and len(after) > 2:
        return " C"
    if after.startswith("\\") and " " in before.strip():
        return rng.choice((f" C:\\Users\\{user(rng)}", f" D:\\{word(rng)}"))
    if right in ".\\_+)]}'\"" or left in "\\_.=([{'\"" or left.isdigit():
        return hex_digits(rng.randint(2, 4), rng) if left.isalnum() else word(rng)
    if left.isspace() or right.isspace():
        return word(rng)
    return f" {word(rng)} " if left == right == "-" else " "
