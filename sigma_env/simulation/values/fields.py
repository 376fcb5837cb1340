"""Values of fields with a form of their own: addresses, numbers, hashes, accounts, host names, identifiers."""

import ipaddress
import random
import re
import string

from sigma_env.engines.patterns import parse_network
from sigma_env.sigma.rule import Compare
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.values.filler import COMPANY, guid, hex_digits, user, word
from sigma_env.simulation.values.goal import Goal, in_text

_ALGORITHMS = {"SHA1": 40, "MD5": 32, "SHA256": 64, "IMPHASH": 32}
_HASH = re.compile(r"([A-Za-z0-9]+)=([0-9A-Fa-f]*)")
_SYSTEM_USERS = (
    "NT AUTHORITY\\SYSTEM",
    "NT AUTHORITY\\NETWORK SERVICE",
    "NT AUTHORITY\\LOCAL SERVICE",
    "NT-AUTORITÄT\\SYSTEM",
    "AUTORITE NT\\Système",
    "AUTORIDAD NT\\SYSTEM",
    "NT AUTHORITY\\ANONYMOUS LOGON",
    "NT AUTHORITY\\IUSR",
    "Window Manager\\DWM-1",
    "Font Driver Host\\UMFD-0",
    "BUILTIN\\Administrators",
)
_SIDS = ("S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-7", "S-1-0-0", "S-1-5-32-544", "S-1-1-0")
_SHARES = ("IPC$", "ADMIN$", "C$", "D$", "SYSVOL", "NETLOGON", "print$", "Projects", "Users")
_ACCOUNTS = ("administrator", "svc_backup", "svc_sql", "helpdesk", "guest", "krbtgt", "SYSTEM", "ANONYMOUS LOGON")
_DOMAIN_SID = "S-1-5-21-1085031214-1563985344-725345543"
_LIMITS = {"uint8": 0xFF, "uint16": 0xFFFF, "uint32": 0xFFFFFFFF, "int32": 0x7FFFFFFF, "hex32": 0xFFFFFFFF}
_BEGUN_ADDRESS = re.compile(r"\\{0,2}(\d{1,3}(?:\.\d{1,3}){0,3}\.?)")
_DOMAINS = ("com", "net", "org", "io")


def build_address(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """An IP address, inside of the networks and with the pieces."""
    if goal.networks:
        parsed = [parse_network(network) for network in goal.networks]
        version, first, last = max(parsed, key=lambda block: block[1])
        last = min([last, *(block[2] for block in parsed)])
        if first > last:
            return ""
        low, high = (first + 1, last - 1) if last - first > 2 else (first, last)
        number = rng.randint(low, min(high, low + 0xFFFFFF))
        return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))
    text = goal.head or "".join(goal.inner[:1])
    if ":" in text + goal.tail:
        groups = [f"{rng.getrandbits(16):x}" for _ in range(7)]
        return f"{text}{':'.join(groups[: max(1, 7 - text.count(':'))])}{goal.tail}"
    if not text and not goal.tail:
        return natural if attempt == 0 else _any_address(rng, attempt)
    wanted = text.strip(".") + ("." if text.strip(".") and goal.tail else "") + goal.tail.strip(".")
    octets = [octet for octet in wanted.split(".") if octet]
    while len(octets) < 4:
        octets.insert(
            len(octets) if text and not text.startswith(".") and not goal.tail else 0, str(rng.randint(1, 250))
        )
    return ".".join(octets)


def _any_address(rng: random.Random, attempt: int) -> str:
    """An address of a company, then one of somebody else."""
    network = ("10.20", "192.168", "172.20", "203.0", "198.51", "8.8")[(attempt - 1) % 6]
    return f"{network}.{rng.randint(1, 250)}.{rng.randint(1, 250)}"


def build_number(goal: Goal, spec: FieldSpec, natural: str, rng: random.Random, attempt: int) -> str:
    """A number, decimal or 0x as the natural one, within the bounds."""
    prefixed = natural[:2].lower() == "0x" or spec.type in ("hex32", "hex64")
    if goal.bounds:
        number = _within(goal.bounds, rng, spec.type, attempt)
        if isinstance(number, float):
            return f"{number:.3f}"
        return hex(number) if prefixed and number >= 0 else str(number)
    digits = "".join(goal.inner) or ""
    text = goal.head
    if prefixed and not text and digits[:2].lower() != "0x" and goal.tail[:2].lower() != "0x":
        text = "0x"
    text += digits
    if goal.tail:
        middle = "" if attempt % 3 == 0 else hex_digits(attempt % 3 + 1, rng) if prefixed else str(rng.randint(1, 99))
        return text + (middle if text in ("", "0x") and middle.strip("0") else middle if text else "") + goal.tail
    if not digits and not goal.head:
        return natural if attempt == 0 else text + (hex_digits(4, rng) if prefixed else str(rng.randint(1, 60_000)))
    return text if attempt % 2 == 0 else text + (hex_digits(2, rng) if prefixed else str(rng.randint(0, 9)))


def _within(bounds: tuple[Compare, ...], rng: random.Random, kind: str, attempt: int) -> int | float:
    low, high = (0, _LIMITS.get(kind, 1 << 63))
    below: float | None = None
    for op, number in bounds:
        if op in ("gt", "gte"):
            low = max(low, _ceil(number) + (op == "gt" and number == _ceil(number))) if number >= 0 or low else low
        else:
            edge = _floor(number) - (op == "lt" and number == _floor(number))
            high, below = min(high, edge), number
    if low <= high:
        reach = max(2, low // 3) if attempt % 2 else 1
        return rng.randint(low, min(high, low + reach)) if below is None else rng.randint(max(low, high - reach), high)
    return high if below is not None and high < 0 else (low + high) / 2


def _ceil(number: int | float) -> int:
    return -int(-number // 1)


def _floor(number: int | float) -> int:
    return int(number // 1)


def build_hashes(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """`SHA1=…,MD5=…,SHA256=…,IMPHASH=…` with the required ones in their places."""
    parts = dict(_HASH.findall(natural))
    if not parts:
        parts = {name: hex_digits(n, rng).upper() for name, n in _ALGORITHMS.items()}
    elif attempt:
        parts = {
            name: hex_digits(len(text), rng).upper() if name != "IMPHASH" or attempt > 2 else text
            for name, text in parts.items()
        }
    loose = []
    for piece in (goal.head, *goal.inner, goal.tail):
        named = _HASH.findall(piece)
        for name, text in named:
            known = next((key for key in parts if key.lower() == name.lower()), name)
            parts[known] = text.upper() + parts.get(known, "")[len(text) :]
        if piece and not named:
            loose.append(piece)
    for piece in loose:
        bare = piece.strip("=,")
        home = next((key for key in parts if key.lower() == bare.lower()), None)
        if home is None and all(c in string.hexdigits for c in bare):
            home = next((key for key, text in parts.items() if len(text) == len(bare)), next(iter(parts)))
            parts[home] = bare.upper() + parts[home][len(bare) :]
    return ",".join(f"{name}={text}" for name, text in parts.items())


def build_user(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    r"""`DOMAIN\\name`."""
    domain, _, name = natural.rpartition("\\")
    found = choose(goal, _SYSTEM_USERS)
    if found is not None and attempt % 3 != 2:
        return found
    if domain.upper() in ("", "NT AUTHORITY"):  # which has no other accounts than those above
        domain = COMPANY
    inner = "".join(goal.inner)
    if goal.head:
        return f"{goal.head}{inner}{'' if goal.tail else _user_end(goal.head, rng)}{goal.tail}"
    if goal.tail:
        tail = goal.tail.lstrip("\\")
        return f"{domain}\\{'' if tail[:1].isalnum() else user(rng)}{inner}{tail}" if "\\" not in tail else tail
    if inner:
        return (
            inner
            if "\\" in inner.strip("\\")
            else f"{inner}{name}"
            if inner.endswith("\\")
            else f"{domain}\\{inner.lstrip(chr(92))}"
        )
    return natural if attempt == 0 else f"{domain}\\{user(rng)}"


def build_sid(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """A SID: a well-known one, or one of a domain with what the pieces leave open."""
    found = choose(goal, (natural, *_SIDS))
    if found is not None and attempt % 3 != 2 and (attempt == 0 or found != natural):
        return found
    domain = natural.rpartition("-")[0] if natural.startswith("S-1-5-21-") else _DOMAIN_SID
    text = goal.head or (domain if not goal.inner else "")
    for piece in goal.inner:
        text = piece if not text and piece[:2].upper() == "S-" else f"{text or domain}-{piece.strip('-')}"
    if goal.tail:
        return f"{text}{'' if goal.tail[0] == '-' or text.endswith('-') else '-'}{goal.tail}"
    if text.rstrip("-").upper() == "S-1-5-21":
        return f"{domain}-{rng.randint(1100, 2900)}"
    return text + (f"{'' if text.endswith('-') else '-'}{rng.randint(1100, 2900)}" if attempt or not goal.head else "")


def build_share(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    r"""`\\\\server\\share`, the server `*` as in Security's events where nothing names one."""
    found = choose(goal, tuple(f"\\\\*\\{share}" for share in _SHARES))
    if found is not None and attempt % 2 == 0 and (goal.head or goal.tail or goal.inner):
        return found
    pieces = [piece for piece in (*goal.inner, goal.tail) if piece]
    if not goal.head and not pieces:
        return natural if attempt == 0 else f"\\\\*\\{rng.choice(_SHARES)}"
    text = goal.head or "\\\\*"
    for piece in pieces:
        text = piece if piece.startswith("\\\\") else f"{text.rstrip(chr(92))}\\{piece.lstrip(chr(92))}"
    if text.count("\\") > 2 and not text.endswith("\\"):
        return text
    return f"{text.rstrip(chr(92)) or chr(92) * 2 + '*'}\\{rng.choice(_SHARES)}"


def build_bytes(goal: Goal, natural: str) -> str:
    """Bytes as hexadecimal digits, of the natural length: an address as the socket has it."""
    body = goal.head + "".join(goal.inner)
    return body + natural[len(body) : len(natural) - len(goal.tail)] + goal.tail


def _user_end(head: str, rng: random.Random) -> str:
    return user(rng) if head.endswith("\\") else "" if "\\" in head else f"\\{user(rng)}"


def choose(goal: Goal, choices: tuple[str, ...]) -> str | None:
    """The first of some texts that has all pieces in their places."""
    for text in choices:
        low = text.lower()
        if (
            low.startswith(goal.head.lower())
            and low.endswith(goal.tail.lower())
            and all(in_text(p, low) for p in goal.inner)
        ):
            return text
    return None


def build_name(goal: Goal, spec: FieldSpec, natural: str, rng: random.Random, attempt: int) -> str:
    """One name without spaces of its own: an account, a domain, a host, a service, an identifier."""
    kind = spec.kind
    text = goal.head
    for piece in goal.inner:
        text += ("" if not text or text[-1] in "-_. \\" or not piece[0].isalnum() else "-") + piece
    if kind is FieldKind.ACCOUNT and not text.strip("$") and (text or goal.tail == "$"):
        return f"{(natural if natural not in ('', '-') else user(rng)).rstrip('$')}$"
    if goal.tail:
        return _name_end(goal, text, kind, natural, rng, attempt)
    if not text:
        return natural if attempt == 0 else _fresh_name(kind, rng)
    if kind is FieldKind.HOST_NAME and (begun := _BEGUN_ADDRESS.fullmatch(text)):
        octets = begun[1].rstrip(".").split(".")
        if len(octets) < 4:
            return ".".join([text.rstrip("."), *(str(rng.randint(1, 250)) for _ in range(4 - len(octets)))])
    if kind is FieldKind.HOST_NAME and not goal.head:
        return _host_around(text, rng, attempt)
    if kind is FieldKind.TASK_NAME and not text.startswith("\\"):
        text = "\\" + text
    if text[-1] in "-_.\\{":
        return text + (guid(rng) + "}" if text[-1] == "{" else word(rng))
    return text if attempt % 2 == 0 else text + hex_digits(2, rng)


def _fresh_name(kind: FieldKind, rng: random.Random) -> str:
    match kind:
        case FieldKind.GUID:
            return f"{{{guid(rng)}}}"
        case FieldKind.ACCOUNT:
            return rng.choice((*_ACCOUNTS[:4], user(rng)))
        case FieldKind.HOST_NAME:
            return f"{word(rng)}.{word(rng)}.example"
        case FieldKind.TASK_NAME:
            return f"\\{word(rng).capitalize()}Task"
        case FieldKind.TIME:
            return f"2025-0{rng.randint(1, 9)}-{rng.randint(10, 28)} 0{rng.randint(0, 9)}:{rng.randint(10, 59)}:00.000"
    return word(rng).capitalize() + word(rng).capitalize()


def _name_end(goal: Goal, text: str, kind: FieldKind, natural: str, rng: random.Random, attempt: int) -> str:
    tail = goal.tail
    if kind is FieldKind.HOST_NAME:
        label = word(rng) if attempt % 2 == 0 else f"{word(rng)}{rng.randint(1, 30)}"
        if tail[:1] in ".-":
            return (text or label) + tail
        return f"{text or ('www' if attempt % 3 else label)}.{tail}"
    if kind is FieldKind.GUID and not text:
        whole = _fresh_name(kind, rng)
        return whole[: max(0, len(whole) - len(tail))] + tail
    if text:
        return text + tail
    if kind is FieldKind.TASK_NAME:
        return f"\\Microsoft\\Windows{tail}" if tail.startswith("\\") else f"\\{word(rng).capitalize()}{tail}"
    if tail[0].isalnum() and len(tail) > 2 and (attempt % 2 or rng.random() < 0.6):
        return tail
    stem = natural if natural not in ("", "-") and attempt == 0 else word(rng)
    return f"{stem}{tail}"


def _host_around(text: str, rng: random.Random, attempt: int) -> str:
    if text.startswith(("-", ".")):
        text = word(rng) + text
    elif attempt % 2:
        text = f"{word(rng)}.{text}"
    if text.endswith((".", "-")):
        return text + rng.choice(_DOMAINS) if text.endswith(".") else f"{text}{word(rng)}.com"
    return text if "." in text else f"{text}.{rng.choice(_DOMAINS)}"


def build_data(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """What a registry value is set to: only `DWORD (0x…)` and `QWORD (0x…)` have a form."""
    del natural, attempt
    if (goal.head or goal.tail or "".join(goal.inner)).lower().startswith(("dword", "qword")):
        return f"{goal.head}{''.join(goal.inner)}{goal.tail or f'{rng.randint(1, 9):08x})'}"
    return ""
