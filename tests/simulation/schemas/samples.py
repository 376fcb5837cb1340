"""A text that each field of a schema can hold, in the form in which readers show it."""

from sigma_env.simulation.schema import UNNAMED, EventSchema, FieldKind, FieldSpec

OF_KIND = {
    FieldKind.IMAGE: "C:\\Windows\\System32\\svchost.exe",
    FieldKind.FILE: "C:\\Users\\anna\\Documents\\plan.docx",
    FieldKind.DIRECTORY: "C:\\Windows\\",
    FieldKind.COMMAND_LINE: '"C:\\Windows\\System32\\cmd.exe" /c dir',
    FieldKind.REGISTRY_KEY: "HKLM\\SOFTWARE\\Contoso\\Version",
    FieldKind.PIPE: "\\spoolss",
    FieldKind.IP: "10.0.0.7",
    FieldKind.PORT: "49712",
    FieldKind.USER: "CONTOSO\\anna",
    FieldKind.SID: "S-1-5-21-1004336348-1177238915-682003330-1104",
    FieldKind.GUID: "5770385F-C22A-43E0-BF4C-06F5698FFBD9",
    FieldKind.LOGON_ID: "0x3e7",
    FieldKind.PID: "4711",
    FieldKind.HOST_NAME: "PC1.contoso.com",
    FieldKind.TIME: "2025-01-31 08:15:00.123",
    FieldKind.HASHES: "MD5=D41D8CD98F00B204E9800998ECF8427E",
    FieldKind.TASK_NAME: "\\Contoso\\Backup",
    FieldKind.WQL: "SELECT * FROM Win32_LogicalDisk",
    FieldKind.SHARE: "\\\\*\\IPC$",
    FieldKind.URL: "https://www.contoso.com/file",
}
OF_TYPE = {
    "int32": "-5", "uint8": "7", "uint16": "445", "uint32": "4711", "uint64": "4294967295", "hex32": "0x1410",
    "hex64": "0x3e7", "guid": OF_KIND[FieldKind.GUID], "sid": OF_KIND[FieldKind.SID], "boolean": "true",
    "filetime": "2025-01-31T08:15:00.123456Z", "binary": "0AFF",
}  # fmt: skip


def sample(spec: FieldSpec) -> str:
    if spec.choices:
        return next((choice for choice in spec.choices if choice), spec.choices[0])
    return OF_TYPE.get(spec.type) or OF_KIND.get(spec.kind, "Größe & <Wert>")


def sample_values(schema: EventSchema) -> dict[str, str | tuple[str, ...]]:
    values: dict[str, str | tuple[str, ...]] = {
        spec.name: sample(spec) for spec in schema.fields if spec.name is not None
    }
    unnamed = tuple(sample(spec) for spec in schema.fields if spec.name is None)
    return values | ({UNNAMED: unnamed} if unnamed else {})
