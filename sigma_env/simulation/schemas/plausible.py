"""Whether a field can hold a text: what its type allows, and what Windows writes into such fields.

`cannot_hold` accepts more than 99.9 % of the values in the public logs (a test over them lists the others), so what it
refuses is nothing that an event shows.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from sigma_env.simulation.schema import FieldKind, FieldSpec, FieldType

PSEUDO_PROCESSES: Final = frozenset(
    """System|System Idle Process|Idle|Registry|MemCompression|Memory Compression|Secure System|vmmem|vmmemWSL
    |<unknown process>|<unknown>|Unknown|UNKNOWN""".replace("\n    ", "").split("|")
)
"""What Windows and Sysmon write instead of an image's path."""

NOTHING: Final = frozenset({"", "-", "?"})
"""What stands in any field where there is nothing to say."""
_UNSIGNED: Final[Mapping[FieldType, int]] = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
_HEX: Final[Mapping[FieldType, int]] = {"hex32": 32, "hex64": 64}
_MAX_BYTES: Final = 0xFFFF
_MAX_TEXT: Final = _MAX_BYTES // 2
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]*")
_SIGNED: Final = re.compile(r"0|-?[1-9][0-9]*")
_HEXADECIMAL: Final = re.compile(r"0x(0|[1-9a-f][0-9a-f]*)")
_SID: Final = re.compile(r"S-1-[0-9]{1,15}(-[0-9]{1,10}){1,15}")
_GUID: Final = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")
_FIRST_YEAR: Final = 1601  # FILETIME counts from there
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z?")
_BYTES: Final = re.compile(r"([0-9A-F]{2})*")
_ROOT: Final = re.compile(
    r"""(\\\\\?\\|\\\?\?\\)?[A-Za-z]:(\\|$)      # a drive
    | \\\\[^\\]                         # a server
    | \\(\?\?|Device|device|SystemRoot|Windows|WINDOWS)\\
    | %[A-Za-z_()0-9]+%(\\|$)""",
    re.VERBOSE,
)
# A colon begins the name of a stream; what ends like a program is a file and has nothing below it.
_PATH_TAIL: Final = re.compile(r"""(?:[^<>"|*?/:\x00-\x1f]|:(?!\\))*""")
_BELOW_A_FILE: Final = re.compile(r"\.(?:exe|dll|sys|scr|ocx|cpl|ps1|psm1|bat|vbs|docx?|xlsx?|pdf)\\", re.IGNORECASE)
# Sysmon's and Security's fields about what runs; `ImageLoaded` and `FileNameBuffer` name libraries too.
_PROGRAMS: Final = frozenset(
    ("Image", "ParentImage", "SourceImage", "TargetImage", "NewProcessName", "ParentProcessName", "ProcessName")
)
_IN_A_DIRECTORY: Final = re.compile(r"[A-Za-z]:\\|\\[^\\]+\\")
_NO_PROGRAM: Final = re.compile(r"\.(?:dll|sys|ocx|cpl|drv)$", re.IGNORECASE)
_KEY: Final = re.compile(r"(HKLM|HKU|HKCR|HKCU|HKEY_[A-Z_]+|\\REGISTRY\\(MACHINE|USER|A|WC)|\(?Unknown\)?)(\\|$)", re.I)
_HASHES: Final = re.compile(r"(MD5=[0-9A-F]{32}|SHA1=[0-9A-F]{40}|SHA256=[0-9A-F]{64}|IMPHASH=[0-9A-F]{32})")
_HOST: Final = re.compile(r"[^\s\\/<>\"|\x00-\x1f]*")
_USER: Final = re.compile(r"[^\x00-\x1f/:*?\"<>|]{0,256}")
NT_AUTHORITY: Final = frozenset(
    """SYSTEM|LOCAL SERVICE|NETWORK SERVICE|ANONYMOUS LOGON|IUSR|LOCALSERVICE|NETWORKSERVICE|AUTHENTICATED USERS
    |INTERACTIVE|NETWORK|SERVICE|BATCH|DIALUP|SELF|RESTRICTED|TERMINAL SERVER USER|REMOTE INTERACTIVE LOGON
    |ENTERPRISE DOMAIN CONTROLLERS|WRITE RESTRICTED|LOCAL ACCOUNT|THIS ORGANIZATION""".replace("\n    ", "").split("|")
)
"""Accounts and groups of the domain NT AUTHORITY in upper case ([MS-DTYP] 2.4.2.4)."""
# [MS-DTYP] 2.4.2.4: those of the NT authority with one number.
_SIDS_OF_NT: Final = frozenset(
    [str(number) for number in (*range(1, 5), *range(6, 16), *range(17, 21), 33, 113, 114, 1000)]
)
_ACCOUNT: Final = re.compile(r"[^\x00-\x1f]{0,256}")


_WQL: Final = re.compile(r"""\s*"?(select|associators|references|start)\b""", re.IGNORECASE)
_SHARE: Final = re.compile(r"""\\\\[^\\/:"<>|\x00-\x1f]+(?:\\[^\\/:*?"<>|\x00-\x1f]+)+\\?""")


_BEGINS: Final = {FieldKind.SHARE: "\\\\", FieldKind.TASK_NAME: "\\"}


def begin_of(spec: FieldSpec) -> str:
    """How every text of a field begins that says something; "" if that is open."""
    begin = _BEGINS.get(spec.kind, "")
    return begin if all(choice.startswith(begin) for choice in spec.choices) else ""


def cannot_hold(spec: FieldSpec, text: str) -> str | None:
    """Why a field cannot hold a text, or None if it can.

    The text is as readers show it: hexadecimal lower-case with 0x, GUIDs upper-case, booleans in words. `rendered`
    brings a text into that form.
    """
    shown = rendered(spec, text)
    if shown is None:
        return _refusal(spec, text) or f"{_called(spec)} is a {spec.type}; {text[:60]!r} is none"
    if shown != text:
        return f"{_called(spec)} shows {text[:60]!r} as {shown[:60]!r}"
    return _refusal(spec, text)


def rendered(spec: FieldSpec, text: str) -> str | None:
    """The text in the form in which readers show it, or None if the field's type or choices have none like it.

    Comparing without case, it is the same text. Only form is looked at here, not what the field's kind allows.
    """
    if spec.kind is FieldKind.ENUM:
        return _choices(spec.choices).get(text.lower())
    if spec.type == "string":
        return text
    if text == "":
        return text
    return _RENDERED[spec.type](spec.type, text)


@lru_cache(maxsize=256)
def _choices(choices: tuple[str, ...]) -> Mapping[str, str]:
    return {choice.lower(): choice for choice in reversed(choices)}


def _decimal(field_type: FieldType, text: str) -> str | None:
    return text if _DECIMAL.fullmatch(text) and int(text) < 1 << _UNSIGNED[field_type] else None


def _int32(_: FieldType, text: str) -> str | None:
    return text if _SIGNED.fullmatch(text) and -(1 << 31) <= int(text) < 1 << 31 else None


def _hexadecimal(field_type: FieldType, text: str) -> str | None:
    lower = text.lower()
    return lower if _HEXADECIMAL.fullmatch(lower) and int(lower, 16) < 1 << _HEX[field_type] else None


def _guid(_: FieldType, text: str) -> str | None:
    return str(UUID(text)).upper() if _GUID.fullmatch(text) and text[0] != "{" else None


def _sid(_: FieldType, text: str) -> str | None:
    upper = text.upper()
    held = _SID.fullmatch(upper) and all(int(part) < 1 << 32 for part in upper.split("-")[3:])
    return upper if held and int(upper.split("-")[2]) < 1 << 48 else None


def _time(_: FieldType, text: str) -> str | None:
    upper = text.upper()
    try:
        return upper if _TIME.fullmatch(upper) and datetime.fromisoformat(upper).year >= _FIRST_YEAR else None
    except ValueError:
        return None


def _bytes(_: FieldType, text: str) -> str | None:
    return text.upper() if len(text) <= 2 * _MAX_BYTES and _BYTES.fullmatch(text.upper()) else None


def _boolean(_: FieldType, text: str) -> str | None:
    return text.lower() if text.lower() in ("true", "false") else None


_RENDERED: Final[Mapping[FieldType, Callable[[FieldType, str], str | None]]] = {
    "int32": _int32, "uint8": _decimal, "uint16": _decimal, "uint32": _decimal, "uint64": _decimal,
    "hex32": _hexadecimal, "hex64": _hexadecimal, "guid": _guid, "sid": _sid, "filetime": _time, "binary": _bytes,
    "boolean": _boolean,
}  # fmt: skip


def _refusal(spec: FieldSpec, text: str) -> str | None:
    if len(text) > _MAX_TEXT and spec.type != "binary":
        return f"{_called(spec)}: {len(text):,} characters are more than an event holds"
    if "\x00" in text or not _is_utf16(text):
        return f"{_called(spec)}: an event holds no NUL and no unpaired surrogate"
    if spec.kind is FieldKind.ENUM:
        listed = ", ".join(repr(choice) for choice in spec.choices[:8])
        return None if text in spec.choices else f"{_called(spec)} can only be one of {listed}; not {text[:60]!r}"
    if text in NOTHING or text in spec.choices:
        return None
    check = _CHECKS.get(spec.kind)
    wanted = check(text) if check is not None else None
    if wanted is None and spec.kind is FieldKind.VERSION_INFO and _IN_A_DIRECTORY.search(text):
        wanted = "what a program says of itself, no path"
    if wanted is None and spec.name in _PROGRAMS and _NO_PROGRAM.search(text):
        wanted = "a program that runs"
    return None if wanted is None else f"{_called(spec)} holds {wanted}; {text[:60]!r} is none"


def _is_utf16(text: str) -> bool:
    """Whether EVTX can hold the text: characters beyond 16 bits count twice, halves of such do not stand alone."""
    if text.isascii():
        return True
    try:
        return len(text.encode("utf-16-le")) <= _MAX_BYTES
    except UnicodeEncodeError:
        return False


def _called(spec: FieldSpec) -> str:
    return spec.name or "Data"


def _path(text: str) -> bool:
    root = _ROOT.match(text)
    if root is None or _PATH_TAIL.fullmatch(text, root.end()) is None:
        return False
    streams = text.count(":", root.end()) - text.endswith(":$DATA")
    return streams < 2 and _BELOW_A_FILE.search(text) is None


def _image(text: str) -> str | None:
    held = text in PSEUDO_PROCESSES or (_path(text) and not text.endswith("\\"))
    return None if held else "an absolute path of a program"


def _file(text: str) -> str | None:
    return None if _path(text) else "an absolute path"


def _registry_key(text: str) -> str | None:
    return None if _KEY.match(text) else "a registry path that begins with its hive, such as HKLM\\"


def _pipe(text: str) -> str | None:
    held = text.startswith("\\") or text == "<Anonymous Pipe>"
    return None if held and not _CONTROL.search(text) else "a pipe's name, which begins with a backslash"


def _host_name(text: str) -> str | None:
    name = text.removeprefix("\\").removeprefix("\\")  # a client of SMB writes one backslash before it
    return None if _HOST.fullmatch(name) else "a name of a computer"


def _ip(text: str) -> str | None:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None if text == "LOCAL" else "an IP address"
    return None


def _port(text: str) -> str | None:
    return None if _DECIMAL.fullmatch(text) and int(text) <= 0xFFFF else "a port from 0 to 65535"


def _user(text: str) -> str | None:
    domain, _, name = text.rpartition("\\")
    if not _USER.fullmatch(text) or "\\" in domain:
        return "an account, DOMAIN\\name"
    known = domain.upper() != "NT AUTHORITY" or name.upper() in NT_AUTHORITY
    return None if known else "an account; NT AUTHORITY has no such"


def _account(text: str) -> str | None:
    return None if _ACCOUNT.fullmatch(text) else "a name of an account"


def _sid_text(text: str) -> str | None:
    if not _SID.fullmatch(text):
        return "a SID, S-1-…"
    parts = text.split("-")
    if parts[2] == "5" and len(parts) == 4 and parts[3] not in _SIDS_OF_NT:
        return "a SID; S-1-5-… alone is one of few well-known ones"
    if parts[2] == "5" and len(parts) > 4 and parts[3] in ("18", "19", "20"):
        return "a SID; an account of Windows has nothing below it"
    return None


def _guid_text(text: str) -> str | None:
    return None if _GUID.fullmatch(text) else "a GUID"


def _logon_id(text: str) -> str | None:
    return None if _HEXADECIMAL.fullmatch(text) else "a hexadecimal number"


def _pid(text: str) -> str | None:
    held = _DECIMAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text)
    return None if held and int(text, 0) < 1 << 32 else "a number of a process"


def _time_text(text: str) -> str | None:
    return None if _TIME.fullmatch(text) else "a time"


def _hashes(text: str) -> str | None:
    held = text == "Unknown" or all(map(_HASHES.fullmatch, text.split(",")))
    return None if held else "hashes such as MD5=…,SHA256=… in upper case"


def _line(text: str) -> str | None:
    return "one line of text" if _CONTROL.search(text) else None


def _task_name(text: str) -> str | None:
    return (
        None if text.startswith("\\") and not _CONTROL.search(text) else "a task's name, which begins with a backslash"
    )


def _wql(text: str) -> str | None:
    return None if _WQL.match(text) else "a query in WQL, SELECT …"


def _share(text: str) -> str | None:
    return None if _SHARE.fullmatch(text) else "a share, \\\\server\\name"


def _url(text: str) -> str | None:
    return "a URL" if _CONTROL.search(text) or text != text.strip() else None


_CHECKS: Final[Mapping[FieldKind, Callable[[str], str | None]]] = {
    FieldKind.IMAGE: _image,
    FieldKind.FILE: _file,
    FieldKind.DIRECTORY: _file,
    FieldKind.REGISTRY_KEY: _registry_key,
    FieldKind.PIPE: _pipe,
    FieldKind.HOST_NAME: _host_name,
    FieldKind.IP: _ip,
    FieldKind.PORT: _port,
    FieldKind.USER: _user,
    FieldKind.ACCOUNT: _account,
    FieldKind.DOMAIN: _line,
    FieldKind.SID: _sid_text,
    FieldKind.GUID: _guid_text,
    FieldKind.LOGON_ID: _logon_id,
    FieldKind.PID: _pid,
    FieldKind.TIME: _time_text,
    FieldKind.HASHES: _hashes,
    FieldKind.VERSION_INFO: _line,
    FieldKind.SERVICE_NAME: _line,
    FieldKind.TASK_NAME: _task_name,
    FieldKind.URL: _url,
    FieldKind.WQL: _wql,
    FieldKind.SHARE: _share,
}
