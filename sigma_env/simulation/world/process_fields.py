"""Fields about processes, files on disk and what they say of themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sigma_env.simulation.world.accounts import ELEVATION_TYPES, INTEGRITY_LABELS
from sigma_env.simulation.world.chance import pick, salt
from sigma_env.simulation.world.filling import Filling, Maker
from sigma_env.simulation.world.programs import Identity, Program, hashes_of, programs

_FIRST_WORD = re.compile(r'\s*(?:"([^"]+)"|(\S+))')
_LEVELS = {label: name for name, label in INTEGRITY_LABELS.items()}
_SYSTEM = "NT AUTHORITY\\SYSTEM"
# What only Windows itself starts.
_SYSTEM_IMAGES = frozenset(
    ("services.exe", "svchost.exe", "wininit.exe", "winlogon.exe", "smss.exe", "csrss.exe", "lsass.exe", "fleetd.exe")
)
_TARGETS = ("explorer.exe", "svchost.exe", "chrome.exe", "outlook.exe", "spoolsv.exe", "msedge.exe")
_EXECUTABLES = (".exe", ".dll", ".sys", ".scr", ".com", ".cpl", ".ocx")
_TARGET, _TRACE, _START = salt("target image"), salt("call trace"), salt("start address")
_TRACES = (
    "C:\\Windows\\SYSTEM32\\ntdll.dll+9d234|C:\\Windows\\System32\\KERNELBASE.dll+2c13e|C:\\Windows\\System32\\wbem\\cimwin32.dll+2a31",
    "C:\\Windows\\SYSTEM32\\ntdll.dll+9f4b4|C:\\Windows\\System32\\KERNELBASE.dll+305fe|C:\\Windows\\System32\\psmserviceexthost.dll+1a7c4",
    "C:\\Windows\\SYSTEM32\\ntdll.dll+9d4e4|C:\\Windows\\System32\\KERNELBASE.dll+2e0ae|C:\\Windows\\System32\\lsm.dll+11e6c",
)


@lru_cache(maxsize=4096)
def image_of(command_line: str) -> str | None:
    """The image that a command line names by its path or by a known program's name; None if it names none."""
    found = _FIRST_WORD.match(command_line)
    if found is None:
        return None
    word = found[1] or found[2]
    if word[1:3] == ":\\":
        return word if word.lower().endswith((".exe", ".com", ".scr")) else None
    name = word.rpartition("\\")[2].lower()
    known = programs()
    index = known.by_name.get(name, known.by_name.get(f"{name}.exe"))
    return None if index is None else known.programs[index].path


def known_program(path: str) -> Program | None:
    """The company's program of a path's name."""
    known = programs()
    index = known.by_name.get(path.rpartition("\\")[2].lower())
    return None if index is None else known.programs[index]


def _call_of(f: Filling, image: str) -> str:
    if image == f.here.program.path:
        return f.here.command_line
    program = known_program(image)
    if program is not None:
        return f.here.call(program, image)
    return f'"{image}"' if image not in ("", "-") else image


def _image(f: Filling) -> str:
    command_line = f.given_text("CommandLine")
    if command_line is not None:
        named = image_of(command_line)
        if named is not None:
            return named
    return f.here.program.path


def _command_line(f: Filling) -> str:
    image = f.given_text("Image", "NewProcessName")
    return f.here.command_line if image is None else _call_of(f, image)


def _parent_image(f: Filling) -> str:
    command_line = f.given_text("ParentCommandLine")
    if command_line is not None:
        named = image_of(command_line)
        if named is not None:
            return named
    return f.here.parent[0]


def _parent_command_line(f: Filling) -> str:
    image = f.given_text("ParentImage", "ParentProcessName")
    if image is None or image == f.here.parent[0]:
        return f.here.parent[1]
    return _call_of(f, image)


def runs_as_system(image: str) -> bool:
    """Whether only Windows itself starts this image."""
    return image.rpartition("\\")[2].lower() in _SYSTEM_IMAGES


def _parent_user(f: Filling) -> str:
    if "\\" not in f.text("ParentImage"):
        return "-"
    return _SYSTEM if runs_as_system(f.text("ParentImage")) else f.text("User")


def integrity(f: Filling) -> str:
    """The integrity level of the process, as Sysmon names it."""
    given = f.given_text("IntegrityLevel", "MandatoryLabel")
    if given is not None:
        return _LEVELS.get(given, given)
    return f.actor.integrity


def _mandatory_label(f: Filling) -> str:
    return INTEGRITY_LABELS.get(integrity(f), INTEGRITY_LABELS["Medium"])


def _elevation(f: Filling) -> str:
    return ELEVATION_TYPES.get(integrity(f), "%%1938")


def _session(f: Filling) -> str:
    return "0" if f.actor.letter == "s" else "1"


def _file_identity(f: Filling) -> Identity:
    """Of the file that an event is about: the loaded one, else the program."""
    if f.schema.event_id == 7:
        return f.here.library.identities[f.here.host.pilot]
    if f.schema.event_id == 6:
        return f.here.driver.identities[f.here.host.pilot]
    return f.here.identity


def _hashes(f: Filling) -> str:
    if f.schema.event_id in (15, 23, 24, 26, 27, 28, 29):  # of a file that is no program of the company
        executable = f.text("TargetFilename").lower().endswith(_EXECUTABLES)
        return hashes_of(f"file {f.here.host.pilot} {f.here.document}", executable=executable)
    return _file_identity(f).hashes


def _image_loaded(f: Filling) -> str:
    return (f.here.driver if f.schema.event_id == 6 else f.here.library).path


def _signature(f: Filling) -> str:
    if f.given_text("Signed") == "false":
        return "-"
    return (f.here.driver if f.schema.event_id == 6 else f.here.library).signature


def _signed(f: Filling) -> str:
    return "false" if f.given_text("SignatureStatus") in ("Unavailable", "") else "true"


def _signature_status(f: Filling) -> str:
    return "Unavailable" if f.text("Signed") == "false" else "Valid"


def _target_image(f: Filling) -> str:
    known = programs()
    return known.programs[known.by_name[pick(_TARGETS, f.here.number, _TARGET)]].path


def _target_user(f: Filling) -> str:
    return _SYSTEM if runs_as_system(f.text("TargetImage")) else f.here.account.full


def _actor_name(f: Filling) -> str:
    return f.actor.full


def _start_address(f: Filling) -> str:
    return f"0x00007FFB5C{pick(range(0x2E1000, 0x2E9000, 16), f.here.number, _START):06X}"


PROCESS_FIELDS: Mapping[str, Maker] = {
    "Image": _image,
    "NewProcessName": _image,
    "CommandLine": _command_line,
    "CurrentDirectory": lambda f: f.here.directory,
    "ParentImage": _parent_image,
    "ParentProcessName": _parent_image,
    "ParentCommandLine": _parent_command_line,
    "User": _actor_name,
    "SourceUser": _actor_name,
    "ParentUser": _parent_user,
    "TargetUser": _target_user,
    "IntegrityLevel": integrity,
    "MandatoryLabel": _mandatory_label,
    "TokenElevationType": _elevation,
    "TerminalSessionId": _session,
    "FileVersion": lambda f: _file_identity(f).file_version,
    "Description": lambda f: _file_identity(f).description,
    "Product": lambda f: _file_identity(f).product,
    "Company": lambda f: _file_identity(f).company,
    "OriginalFileName": lambda f: _file_identity(f).original_name,
    "Hashes": _hashes,
    "Hash": _hashes,
    "ImageLoaded": _image_loaded,
    "Signature": _signature,
    "Signed": _signed,
    "SignatureStatus": _signature_status,
    "SourceImage": lambda f: f.here.program.path,
    "TargetImage": _target_image,
    "CallTrace": lambda f: pick(_TRACES, f.here.number, _TRACE),
    "StartAddress": _start_address,
    "StartModule": lambda _: "C:\\Windows\\System32\\KERNEL32.DLL",
    "StartFunction": lambda _: "CtrlRoutine",
    "ProcessName": lambda f: f.here.program.path,
    "Application": lambda f: f.here.program.path,
}
"""By name, for events of Sysmon and Security; `Description` and `Company` mean other things in other channels."""
