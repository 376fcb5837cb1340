"""One field of each kind, with a natural text of it."""

from sigma_env.simulation.schema import FieldKind as K
from sigma_env.simulation.schema import FieldSpec

NATURAL = {
    K.IMAGE: "C:\\Windows\\System32\\svchost.exe",
    K.FILE: "C:\\Users\\j.meyer\\Documents\\report.docx",
    K.DIRECTORY: "C:\\Users\\j.meyer\\",
    K.COMMAND_LINE: '"C:\\Windows\\System32\\cmd.exe" /c dir /s',
    K.REGISTRY_KEY: "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Explorer\\Advanced\\Hidden",
    K.REGISTRY_DATA: "DWORD (0x00000001)",
    K.PIPE: "\\lsass",
    K.HOST_NAME: "www.example.com",
    K.IP: "10.1.2.3",
    K.PORT: "443",
    K.USER: "CORP\\j.meyer",
    K.ACCOUNT: "j.meyer",
    K.DOMAIN: "CORP",
    K.SID: "S-1-5-21-1085031214-1563985344-725345543-1104",
    K.GUID: "{6B1D3C0E-1F4A-4D6B-9C1B-0A1B2C3D4E5F}",
    K.LOGON_ID: "0x3e7",
    K.PID: "4712",
    K.TIME: "2025-03-04 10:11:12.123",
    K.HASHES: "SHA1=2FAE9C9B3E5B1E1A0C8A4A1A9B3C0D2E4F607182,MD5=8A2122E8162DBEF04694B9C3E0B6CDEE,"
    "SHA256=B99D61D874728EDC0918CA0EB10EAB93D381E7367E377406E65963366C874450,"
    "IMPHASH=272245E2988E1E430500B852C4FB5E18",
    K.VERSION_INFO: "Windows Command Processor",
    K.SCRIPT: "$x = Get-Process\r\nWrite-Output $x.Count",
    K.URL: "https://intranet.corp.example/index.html",
    K.SERVICE_NAME: "BITS",
    K.TASK_NAME: "\\Microsoft\\Windows\\UpdateOrchestrator\\Scan",
    K.WQL: "SELECT * FROM Win32_LogicalDisk WHERE DriveType = 3",
    K.SHARE: "\\\\*\\SYSVOL",
    K.ENUM: "High",
    K.NUMBER: "7",
    K.TEXT: "-",
}
SPECS = {kind: FieldSpec("Field", "string", kind) for kind in K}
SPECS[K.ENUM] = FieldSpec("IntegrityLevel", "string", K.ENUM, ("System", "High", "Medium", "Low"))


def natural_of(spec: FieldSpec) -> str:
    """A natural text of any field."""
    if spec.choices:
        return spec.choices[0]
    return "0x1f" if spec.type in ("hex32", "hex64") else NATURAL[spec.kind]
