import re

import pytest

from sigma_env.simulation.fresh import Renamer
from sigma_env.simulation.fresh.texts import renamed_expression, renamed_text
from sigma_env.simulation.schema import FieldKind


def fresh(text: str, kind: FieldKind = FieldKind.COMMAND_LINE) -> str:
    return renamed_text(text, kind, Renamer([text], 0), {})


@pytest.mark.parametrize(
    ("kind", "text", "form"),
    [
        (FieldKind.IMAGE, r"\powershell.exe", r"\\[a-z]{10}\.exe"),
        (FieldKind.IMAGE, r"C:\Windows\System32\sc.exe", r"C:\\Windows\\System32\\[a-z]{2}\.exe"),
        (FieldKind.FILE, r"\AppData\Local\Temp\Evil.DLL", r"\\AppData\\Local\\Temp\\[A-Z][a-z]{3}\.DLL"),
        (FieldKind.IMAGE, r"C:\Program Files (x86)\Foo Bar\*.exe",
         r"C:\\Program Files \(x86\)\\[A-Z]\w\w [A-Z]\w\w\\\*\.exe"),
        (FieldKind.IMAGE, r"\control.exe", r"\\[a-z]{7}\.exe"),
        (FieldKind.VERSION_INFO, "HH.exe", r"[A-Z]{2}\.exe"),
        (FieldKind.VERSION_INFO, "Microsoft Foo", r"Microsoft [A-Z][a-z]{2}"),
        (FieldKind.COMMAND_LINE, " -EncodedCommand ", r" -[A-Z][a-z]{6}[A-Z][a-z]{6} "),
        (FieldKind.COMMAND_LINE, r"copy %TEMP%\x.ps1 /y", r"[a-z]{4} %TEMP%\\x\.ps1 /y"),
        (FieldKind.COMMAND_LINE, "like '%sophos%'", r"[a-z]{4} '%[a-z]{6}%'"),
        (FieldKind.COMMAND_LINE, "http://pastebin.com/raw", r"http://[a-z]{8}\.com/[a-z]{3}"),
        (FieldKind.REGISTRY_KEY, r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\Foo",
         r"HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\[A-Z][a-z]{2}\\[A-Z][a-z]{2}"),
        (FieldKind.REGISTRY_DATA, "DWORD (0x00000001)", r"DWORD \(0x00000001\)"),
        (FieldKind.PIPE, r"\msagent_", r"\\[a-z]{7}_"),
        (FieldKind.HOST_NAME, ".ngrok.io", r"\.[a-z]{5}\.io"),
        (FieldKind.HASHES, "MD5=D41D8CD98F00B204E9800998ECF8427E", r"MD5=[0-9A-F]{32}"),
        (FieldKind.TASK_NAME, r"\Updater", r"\\[A-Z][a-z]{6}"),
    ],
)  # fmt: skip
def test_names_change_and_windows_own_structure_stays(kind: FieldKind, text: str, form: str) -> None:
    new = fresh(text, kind)
    assert re.fullmatch(form, new), new
    assert new != text or kind is FieldKind.REGISTRY_DATA


def test_public_addresses_change_and_private_ones_stay() -> None:
    assert fresh("8.8.8.8", FieldKind.IP) != "8.8.8.8"
    assert fresh("192.168.1.7", FieldKind.IP) == "192.168.1.7"
    assert fresh("127.0.0.1", FieldKind.IP) == "127.0.0.1"


def test_what_was_renamed_is_told() -> None:
    renamed: dict[str, str] = {}
    renamer = Renamer([], 0)
    new = renamed_text(r"\PsExec.exe -Accepteula", FieldKind.COMMAND_LINE, renamer, renamed)
    assert renamed == {"psexec": renamer.name("psexec"), "accepteula": renamer.name("accepteula")}
    assert renamed["psexec"] in new.lower()


class TestExpressions:
    @pytest.mark.parametrize(
        ("expression", "form"),
        [
            (r"\\foobar\.exe$", r"\\\\[a-z]{6}\\\.exe\$"),
            (r"\w+\d{2,4}[a-zA-Z]+\s\x41", r"\\w\+\\d\{2,4\}\[a-zA-Z\]\+\\s\\x41"),
            (r"(?i)invoke.?mimi", r"\(\?i\)[a-z]{6}\.\?[a-z]{4}"),
            (r"[Pp]rogram[Dd]ata\\abcde", r"\[Pp\]rogram\[Dd\]ata\\\\[a-z]{5}"),
            (r"(?:abc|defs?)", r"\(\?:[a-z]{3}\|[a-z]{3}s\?\)"),
        ],
    )
    def test_only_plain_text_changes(self, expression: str, form: str) -> None:
        new = renamed_expression(expression, FieldKind.COMMAND_LINE, Renamer([expression], 0), {})
        assert new != expression or "\\w" in new
        assert re.fullmatch(form, new), new
