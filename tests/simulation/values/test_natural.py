"""What texts look like: nothing that an analyst would call impossible, in what satisfies a pattern or nearly does."""

import ipaddress
import random
import re
from itertools import islice

import pytest

from sigma_env.simulation.schema import FieldKind as K
from sigma_env.simulation.schema import FieldSpec
from sigma_env.simulation.schemas import cannot_hold
from sigma_env.simulation.values import misses, solve
from tests.simulation.values.fields import NATURAL, SPECS
from tests.simulation.values.written import need

_PATHS = [K.IMAGE, K.FILE, K.DIRECTORY]


@pytest.mark.parametrize("kind", _PATHS)
@pytest.mark.parametrize(
    "text",
    [
        "C:\\Users\\C:\\ProgramData\\a.exe",
        "C:\\Windows\\SysWOW64\\C:\\inetpub\\a.exe",
        "C:\\Tools\\x.exe\\y.exe",
        "C:\\Tools\\run.ps1\\y.exe",
        "xC:\\Windows\\a.exe",
        "old_C:\\Windows\\a.exe",
    ],
)
def test_a_path_begins_once_and_goes_on_below_directories(kind: K, text: str) -> None:
    assert cannot_hold(SPECS[kind], text) is not None


@pytest.mark.parametrize("kind", _PATHS)
@pytest.mark.parametrize(
    "text", ["\\??\\C:\\Windows\\a.exe", "\\\\?\\C:\\a.exe", "C:\\a.exe:stream.exe", "%SystemRoot%\\a.exe"]
)
def test_other_spellings_of_a_path_remain(kind: K, text: str) -> None:
    assert cannot_hold(SPECS[kind], text) is None


class TestPathsThatBeginAtADrive:
    @pytest.mark.parametrize("kind", _PATHS)
    @pytest.mark.parametrize("piece", ["C:\\ProgramData\\", ":\\ProgramData\\"])
    def test_what_is_contained_is_the_begin(self, kind: K, piece: str) -> None:
        for seed in range(10):
            text = solve([need(piece, "contains")], (), SPECS[kind], random.Random(seed), NATURAL[kind])
            assert text is not None
            assert text.startswith("C:\\ProgramData\\")

    def test_two_begins_have_no_path(self) -> None:
        needs = [need("C:\\ProgramData\\", "contains"), need("C:\\Windows\\", "startswith")]
        assert solve(needs, (), SPECS[K.IMAGE], random.Random(1), NATURAL[K.IMAGE]) is None

    def test_contained_but_not_at_the_begin_is_the_long_form(self) -> None:
        forbid = (need("C:\\ProgramData\\", "startswith").pattern,)
        text = solve([need("C:\\ProgramData\\", "contains")], forbid, SPECS[K.IMAGE], random.Random(1), "")
        assert text is not None
        assert text.startswith("\\\\?\\C:\\ProgramData\\")

    def test_two_names_have_no_path(self) -> None:
        needs = [need("\\chrome.exe", "endswith"), need("\\lsass.exe", "contains")]
        assert solve(needs, (), SPECS[K.IMAGE], random.Random(1), NATURAL[K.IMAGE]) is None


_TELLING = re.compile(r"_old|old_|_bak|\.exe\.exe|\bx[A-Z]|[A-Za-z_]{2,}:\\", re.IGNORECASE)


@pytest.mark.parametrize(
    ("kind", "text", "literal", "op"),
    [
        (K.IMAGE, "C:\\Tools\\certutil.exe", "\\certutil.exe", "endswith"),
        (K.IMAGE, "C:\\Windows\\cmd.exe", "C:\\Windows\\", "startswith"),
        (K.FILE, "C:\\inetpub\\wwwroot\\a.aspx", "C:\\inetpub\\", "startswith"),
        (K.TEXT, "C:\\Windows\\System32\\lsasrv.dll", "C:\\Windows\\System32\\", "startswith"),
        (K.TEXT, "lsass.exe", "lsass.exe", "equals"),
        (K.USER, "NT AUTHORITY\\SYSTEM", "NT AUTHORITY\\SYSTEM", "equals"),
        (K.ACCOUNT, "svc_scan", "svc_scan", "equals"),
        (K.SID, "S-1-5-18", "S-1-5-18", "equals"),
        (K.SHARE, "\\\\*\\ADMIN$", "\\\\\\\\\\*\\\\ADMIN$", "equals"),
        (K.HOST_NAME, "files.file.core.windows.net", ".net", "endswith"),
        (K.TEXT, "192.168.78.56", "192.168.", "startswith"),
        (K.TASK_NAME, "\\Contoso\\Backup", "\\Contoso\\Backup", "equals"),
        (K.SERVICE_NAME, "BITS", "BITS", "equals"),
        (K.VERSION_INFO, "Windows PowerShell", "Windows PowerShell", "equals"),
    ],
)
def test_near_misses_have_no_telling_letters(kind: K, text: str, literal: str, op: str) -> None:
    one = need(literal) if op == "equals" else need(literal, op)
    for seed in range(12):
        found = list(islice(misses(text, one, SPECS[kind], random.Random(seed)), 4))
        assert found
        for other in found:
            assert cannot_hold(SPECS[kind], other) is None
            for address in re.findall(r"\d+\.\d+\.\d+\.\d+", other):
                ipaddress.IPv4Address(address)
            assert _TELLING.search(other.removeprefix("\\\\?\\")) is None, other


def test_a_near_account_of_windows_is_another_one_of_windows() -> None:
    found = list(
        islice(misses("NT AUTHORITY\\SYSTEM", need("NT AUTHORITY\\SYSTEM"), SPECS[K.USER], random.Random(1)), 2)
    )
    assert set(found) == {"NT AUTHORITY\\LOCAL SERVICE", "NT AUTHORITY\\NETWORK SERVICE"}


@pytest.mark.parametrize("text", ["S-1-5-1815", "S-1-5-186", "S-1-5-18-2173", "S-1-5-", "S-1-5-21-report"])
def test_a_sid_of_one_number_is_a_known_one(text: str) -> None:
    assert cannot_hold(SPECS[K.SID], text) is not None
    assert cannot_hold(SPECS[K.SID], "S-1-5-18") is None


@pytest.mark.parametrize("text", ["NT AUTHORITY\\SYSTEM_old", "NT AUTHORITY\\svc_scan", "https://files", "C:\\a\\b"])
def test_what_is_no_account(text: str) -> None:
    assert cannot_hold(SPECS[K.USER], text) is not None


def test_what_runs_is_no_library() -> None:
    for name in ("Image", "ParentImage", "NewProcessName"):
        assert cannot_hold(FieldSpec(name, "string", K.IMAGE), "C:\\Windows\\version.dll") is not None
    assert cannot_hold(FieldSpec("ImageLoaded", "string", K.IMAGE), "C:\\Windows\\version.dll") is None


class TestQueries:
    @pytest.mark.parametrize(
        "pieces",
        [
            ("FROM Win32_ProcessStartTrace",),
            ("FROM __InstanceModificationEvent", "TargetInstance ISA 'Win32_LocalTime'"),
            ("TargetInstance isa 'Win32_LogonSession'",),
            ("ProcessName = 'fleetd.exe'",),
            ("Win32_Service",),
        ],
    )
    def test_they_are_wql(self, pieces: tuple[str, ...]) -> None:
        for seed in range(8):
            needs = [need(piece, "contains") for piece in pieces]
            text = solve(needs, (), SPECS[K.WQL], random.Random(seed), NATURAL[K.WQL])
            assert text is not None
            assert re.match(r"SELECT \* FROM \w+( WITHIN \d+)?( WHERE .+)?$", text), text


class TestShares:
    @pytest.mark.parametrize(("literal", "op"), [("ADMIN$", "endswith"), ("\\C$", "endswith"), ("Data", "contains")])
    def test_they_are_of_a_server(self, literal: str, op: str) -> None:
        for seed in range(8):
            text = solve([need(literal, op)], (), SPECS[K.SHARE], random.Random(seed), NATURAL[K.SHARE])
            assert text is not None
            assert text.startswith("\\\\")
            assert ":" not in text


class TestTextFieldsByTheirText:
    def test_a_path_stays_a_path(self) -> None:
        natural = "C:\\Windows\\NTDS\\ntds.dit"
        for seed in range(8):
            text = solve([need("\\ntds.dit", "endswith")], (), SPECS[K.TEXT], random.Random(seed), "C:\\Temp\\a.edb")
            assert text is not None
            assert cannot_hold(SPECS[K.FILE], text) is None
            forbid = (need("C:\\Windows\\NTDS\\", "startswith").pattern,)
            text = solve([need("\\ntds.dit", "endswith")], forbid, SPECS[K.TEXT], random.Random(seed), natural)
            assert text is not None
            assert cannot_hold(SPECS[K.FILE], text) is None

    def test_a_begun_address_is_completed(self) -> None:
        for seed in range(8):
            one = need(" [CLIENT: 10.30.1.", "contains")
            text = solve([one], (), SPECS[K.TEXT], random.Random(seed), "Login failed for a user of the domain, again.")
            assert text is not None
            ipaddress.IPv4Address(re.findall(r"[0-9a-f.]+", text.partition("CLIENT: ")[2])[0])

    def test_bytes_stay_bytes(self) -> None:
        natural = "020001BD0A1E010E0000000000000000"
        text = solve([need("0200????C0A8", "contains")], (), SPECS[K.TEXT], random.Random(1), natural)
        assert text is not None
        assert re.fullmatch("0200[0-9A-F]{4}C0A8[0-9A-F]{20}", text, re.IGNORECASE)

    def test_a_resource_of_defender_stays_one(self) -> None:
        natural = "file:_C:\\Users\\anna\\Downloads\\setup.exe"
        text = solve([need("C:\\Users\\Public\\", "contains")], (), SPECS[K.TEXT], random.Random(1), natural)
        assert text is not None
        assert text.startswith("file:_C:\\Users\\Public\\")
        assert text.endswith("\\setup.exe")
