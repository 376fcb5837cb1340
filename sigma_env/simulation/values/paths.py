"""Paths of files and directories around given pieces."""

import random
from functools import lru_cache

from sigma_env.simulation.schema import FieldKind
from sigma_env.simulation.values.filler import file_name, guid, hex_digits, program_stem, user, word
from sigma_env.simulation.values.goal import Goal, in_text

_DIRECTORIES = (
    "C:\\Windows\\System32\\",
    "C:\\Users\\{user}\\AppData\\Local\\Temp\\",
    "C:\\Program Files\\{Word} Suite\\",
    "C:\\Users\\{user}\\Downloads\\",
    "C:\\ProgramData\\{Word}\\",
    "C:\\Users\\{user}\\AppData\\Roaming\\{Word}\\",
    "C:\\Windows\\SysWOW64\\",
    "C:\\Tools\\",
    "D:\\{Word}\\bin\\",
    "C:\\Users\\{user}\\Desktop\\",
    "C:\\Users\\Public\\Documents\\",
    "C:\\Windows\\Temp\\",
    "C:\\Program Files (x86)\\{Word} Tools\\",
    "C:\\Users\\{user}\\AppData\\Local\\Programs\\{Word}\\",
    "C:\\Users\\{user}\\Documents\\",
    "C:\\Windows\\",
    "C:\\Temp\\",
    "C:\\PerfLogs\\",
    "C:\\Users\\Public\\",
    "C:\\Windows\\Tasks\\",
    "C:\\Windows\\System32\\Tasks\\",
    "C:\\Windows\\System32\\drivers\\",
    "C:\\Windows\\System32\\wbem\\",
    "C:\\Windows\\System32\\spool\\drivers\\x64\\3\\",
    "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\",
    "C:\\Users\\{user}\\AppData\\Roaming\\Microsoft\\Windows\\Start Menu\\Programs\\Startup\\",
    "C:\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\Startup\\",
    "C:\\Windows\\Microsoft.NET\\Framework64\\v4.0.30319\\",
    "C:\\Program Files\\Microsoft Office\\root\\Office16\\",
    "C:\\Users\\{user}\\AppData\\Local\\Microsoft\\Windows\\INetCache\\Content.Outlook\\{hex}\\",
    "C:\\Users\\{user}\\Pictures\\",
    "C:\\Users\\{user}\\Music\\",
    "C:\\Users\\{user}\\Videos\\",
    "C:\\Users\\{user}\\Contacts\\",
    "C:\\Users\\{user}\\Favorites\\",
    "C:\\Users\\Default\\",
    "C:\\$Recycle.Bin\\S-1-5-21-1085031214-1563985344-725345543-1104\\",
    "C:\\inetpub\\wwwroot\\",
    "C:\\Windows\\WinSxS\\amd64_microsoft-windows-servicingstack_31bf3856ad364e35_10.0.19041.3745_none_7ded3f327ca60a41\\",
    "C:\\Program Files\\Common Files\\microsoft shared\\ClickToRun\\",
    "C:\\Program Files\\Windows Defender\\",
    "C:\\Program Files\\WindowsApps\\Microsoft.WindowsTerminal_1.18.3181.0_x64__8wekyb3d8bbwe\\",
)
_LIKELY = 16
"""So many of the directories are chosen from if any will do."""
SIDS = (
    "S-1-5-21-1085031214-1563985344-725345543-1104",
    "S-1-5-21-1085031214-1563985344-725345543-1127",
)
"""Of people, for keys and directories."""
# fmt: off
_FILE_ENDS = frozenset((
    "exe", "dll", "sys", "ps1", "psm1", "bat", "cmd", "vbs", "js", "hta", "txt", "log", "dat", "xml", "csv", "json",
    "ini", "tmp", "doc", "docx", "xls", "xlsx", "pdf", "zip", "lnk", "msi", "cpl", "scr", "ocx", "drv", "com", "wsf",
    "vbe", "jse", "jar", "py", "sh", "chm", "iso", "img", "rtf", "ppt", "pptx", "xll", "wll", "aspx", "asp", "jsp",
    "php", "html", "htm", "db", "reg", "inf", "mof", "job", "dmp",
))
# fmt: on
_USER_ROOTS = ("c:\\users", "c:\\users\\")


_LONG_ATTEMPT = 5
_LONG = "\\\\?\\"
"""Before a path whose length is not limited; nothing else can stand before a drive."""


def from_root(goal: Goal, natural: str, attempt: int) -> Goal | None:
    r"""The goal with the piece that begins at a drive as the path's begin: `:\\Users\\` stands nowhere else.

    Args:
        goal: the pieces.
        natural: a path, whose drive is taken where the piece leaves that open.
        attempt: later ones put `\\\\?\\` before the drive, where the begin is open.

    Returns:
        The goal; None if two pieces can't be the begin of one path.
    """
    rooted = [piece for piece in (*goal.inner, goal.tail) if piece[:2] == ":\\" or piece[1:3] == ":\\"]
    if not rooted:
        return goal
    drive = natural[:1] if natural[1:2] == ":" else "C"
    heads = sorted((drive + piece if piece[0] == ":" else piece for piece in rooted), key=len)
    prefix = goal.head if goal.head in (_LONG, "\\??\\") else ""
    if goal.head and not prefix:
        heads = sorted((*heads, goal.head), key=len)
    elif not goal.head and attempt == _LONG_ATTEMPT:
        prefix = _LONG
    head = heads[-1]
    if not all(head.lower().startswith(shorter.lower()) for shorter in heads[:-1]):
        return None
    inner = tuple([piece for piece in goal.inner if piece not in rooted and not in_text(piece, head.lower())])
    if goal.tail in rooted:
        whole = (drive + goal.tail if goal.tail[0] == ":" else goal.tail) if not inner else ""
        return goal._replace(whole=prefix + whole, head="", tail="", inner=()) if whole == head else None
    tail = "" if head.lower().endswith(goal.tail.lower()) and not inner else goal.tail
    return goal._replace(head=prefix + head, tail=tail, inner=inner)


def build_path(goal: Goal, kind: FieldKind, natural: str, rng: random.Random, attempt: int) -> str:
    """A path that begins, ends and is made as the goal says; the natural directory and name are kept if they can be.

    Args:
        goal: the pieces.
        kind: IMAGE, FILE or DIRECTORY.
        natural: a realistic path of the field.
        rng: chooses among what is open.
        attempt: 0 keeps as much of `natural` as possible; later ones choose anew.
    """
    placed = from_root(goal, natural, attempt)
    if placed is None:
        return ""
    if placed.whole is not None:
        return placed.whole
    goal = placed
    if goal.head.startswith(_LONG):
        return _LONG + build_path(goal._replace(head=goal.head[len(_LONG) :]), kind, natural, rng, attempt)
    directory, name = _split(natural)
    if ":" in goal.tail or any(":" in piece for piece in goal.inner):
        name = name.partition(":")[0]  # another stream of the file
    named = [piece for piece in goal.inner if not piece.endswith("\\")]
    if attempt > 1 or len(named) + bool(goal.tail) > 1 or any("\\" in piece.strip("\\") for piece in named):
        return _sequence(goal, kind, directory, name, rng, attempt)
    tail = goal.tail
    if "\\" in tail.removeprefix("\\") or tail.startswith(":\\"):
        if goal.head or goal.inner:
            return _sequence(goal, kind, directory, name, rng, attempt)
        return _before(tail, directory, rng, attempt)
    last = _last(goal, kind, name, rng, attempt)
    wanted = tuple(piece for piece in goal.inner if not in_text(piece, "\\" + last.lower()))
    base = _base(goal.head, wanted, directory, rng, attempt)
    if kind is FieldKind.DIRECTORY and not tail:
        return base if natural.endswith("\\") or not natural else base.rstrip("\\")
    return base + last


def _split(path: str) -> tuple[str, str]:
    directory, slash, name = path.rpartition("\\")
    return directory + slash, name


def _last(goal: Goal, kind: FieldKind, natural: str, rng: random.Random, attempt: int) -> str:
    """The last part of the path."""
    stem, dot, extension = natural.rpartition(".")
    if not dot:
        stem, extension = natural, ""
    if attempt % 3 == 2 or not stem:
        stem = program_stem(rng) if kind is FieldKind.IMAGE else word(rng)
    tail = goal.tail.rpartition("\\")[2] if "\\" in goal.tail else goal.tail
    if "\\" in goal.tail:
        return tail
    if tail:
        if tail[0] == ":":
            return (natural or file_name(rng)) + tail
        if tail.startswith((".", "~", "_", "-", " ", "$")) or not tail[0].isalnum():
            return stem + tail
        return tail if "." in tail.strip(".") and attempt % 4 != 3 else f"{stem}{tail}"
    part = _name_piece(goal, stem, rng)
    if part:
        return (
            part if "." in part.strip(".") and not part.endswith(".") else _with_extension(part, extension, kind, rng)
        )
    if not natural or (attempt % 3 == 2 and kind is not FieldKind.DIRECTORY):
        return _with_extension(stem, extension, kind, rng)
    return natural


def _with_extension(stem: str, extension: str, kind: FieldKind, rng: random.Random) -> str:
    if kind is FieldKind.DIRECTORY:
        return stem
    if not extension:
        extension = "exe" if kind is FieldKind.IMAGE else file_name(rng).rpartition(".")[2]
    return f"{stem.rstrip('.')}.{extension}"


def _name_piece(goal: Goal, stem: str, rng: random.Random) -> str:
    """What of the pieces belongs in the last part: a file name, or the begin or end of one."""
    for piece in goal.inner:
        body = piece.rpartition("\\")[2]
        if not body or ":" in body:
            continue
        if piece.startswith("."):
            return (
                stem + piece + ("" if len(piece) < 8 and not piece.endswith(".") else file_name(rng).rpartition(".")[2])
            )
        if "\\" in piece and "." not in body and len(goal.inner) == 1:
            return body + rng.choice(("", "32", "64", "_" + hex_digits(3, rng)))
        return body
    return ""


def _before(tail: str, directory: str, rng: random.Random, attempt: int) -> str:
    """A path that ends with a directory and a name, or with all but its drive."""
    if tail.startswith(":\\"):
        return (directory[:1] if directory[:1].isalpha() else "C") + tail
    parent, _, name = tail.rpartition("\\")
    for known in _known(f"{parent}\\", rng):
        return join(known[: -len(parent) - 1] + parent, name)
    root = "C:" if attempt % 2 == 0 else f"C:\\{rng.choice(('Program Files', 'ProgramData', 'Tools'))}"
    return join(root, tail)


def _sequence(goal: Goal, kind: FieldKind, directory: str, name: str, rng: random.Random, attempt: int) -> str:
    """The pieces one after the other, each part of the path completed."""
    order = sorted(goal.inner, key=_rank)
    if attempt > 2:
        rng.shuffle(order)
    if not goal.head and attempt % 3 != 2:
        folders = tuple([piece for piece in order if piece.endswith("\\")])
        base = _base("", folders, directory, rng, attempt)
        order = [piece for piece in order if not in_text(piece, base.lower())]
        deep = "\\" in (order[0] if order else goal.tail).strip("\\")
        path = "" if any(map(is_rooted, (*order, goal.tail))) or (deep and not folders) else base
    else:
        path = goal.head
    tail = goal.tail
    for piece in order:
        if in_text(piece, path.lower()):
            continue
        path = _linked(path or _root(piece, directory, rng), piece, rng)
    if tail:
        return _linked(path or _root(tail, directory, rng), tail, rng)
    if kind is FieldKind.DIRECTORY or path.startswith("\\\\"):
        return _closed(path, rng) + ("" if kind is FieldKind.DIRECTORY else name)
    if path.rpartition(".")[2].lower() in _FILE_ENDS and (attempt % 2 == 0 or not path.endswith("\\")):
        return path
    last = path.rpartition("\\")[2]
    if last and attempt % 2 == 1 and len(order) == 1:
        return (
            path
            + ("" if path.endswith(".") else f"{hex_digits(2, rng)}.")
            + (name.rpartition(".")[2] if "." in name else "exe")
        )
    return _closed(path, rng) + (name or f"{program_stem(rng)}.exe")


def _rank(piece: str) -> tuple[int, int]:
    """Roots first, then directories, then names, then what ends a name."""
    if is_rooted(piece):
        return 0, 0
    if piece.startswith(("\\", ".")):
        return (1 if piece.endswith("\\") and piece[0] == "\\" else 2), piece.startswith(".")
    return (1, 1) if piece.endswith("\\") else (3, 0)


def is_rooted(piece: str) -> bool:
    """Whether a piece of a path begins at the path's root, with or without the letter of the drive."""
    return piece.startswith((":\\", "\\\\")) or piece[1:3] == ":\\"


def _linked(path: str, piece: str, rng: random.Random) -> str:
    """A path with a piece after it; what is begun of a part is completed before the next begins."""
    if path.endswith("\\") or not path:
        return path + word(rng) + piece if piece[0] in ".-_~" else join(path, piece)
    if piece.startswith("\\"):
        return join(_closed(path, rng), piece)
    if piece.startswith(":"):
        return path + piece
    return (
        path + (hex_digits(3, rng) if path[-1] in "-_~{" else "") + piece
        if piece[0] in ".-_~ "
        else join(_closed(path, rng), piece)
    )


def _known(piece: str, rng: random.Random) -> list[str]:
    """The well-known directories that end with a piece."""
    low = piece.lower()
    return [filled(entry, rng) for entry in _DIRECTORIES if entry.lower().endswith(low)][:1]


def filled(template: str, rng: random.Random) -> str:
    """A template with its placeholders replaced."""
    if "{" not in template:
        return template
    return (
        template.replace("{user}", user(rng))
        .replace("{Word}", word(rng).capitalize())
        .replace("{word}", word(rng))
        .replace("{hex}", hex_digits(8, rng).upper())
        .replace("{sid}", rng.choice(SIDS))
        .replace("{guid}", guid(rng))
    )


def _base(head: str, wanted: tuple[str, ...], natural: str, rng: random.Random, attempt: int) -> str:
    """A directory, with a backslash at its end, that begins with `head` and holds the pieces."""
    low = natural.lower()
    if natural and attempt % 4 < 2 and low.startswith(head.lower()) and all(p.lower() in low for p in wanted):
        return natural
    pieces = tuple([piece.rpartition("\\")[0] + "\\" if "\\" in piece else piece for piece in wanted])
    if not head and not pieces:
        return filled(_DIRECTORIES[(attempt // 2 + rng.randrange(3)) % _LIKELY], rng)
    fitting = _fitting(head.lower(), pieces)
    if fitting:
        return recased(filled(rng.choice(fitting), rng), (head, *pieces))
    return _composed(head, pieces, natural, rng, attempt)


@lru_cache(maxsize=4096)
def _fitting(head: str, pieces: tuple[str, ...]) -> tuple[str, ...]:
    """The well-known directories that begin with a text and hold all pieces."""
    lower = [piece.lower() for piece in pieces]
    return tuple(
        entry
        for entry in _DIRECTORIES
        if entry.lower().startswith(head) and all(piece in entry.lower() for piece in lower)
    )


def recased(path: str, pieces: tuple[str, ...]) -> str:
    """The path with the pieces in their own casing."""
    for piece in pieces:
        at = path.lower().find(piece.lower())
        if at >= 0:
            path = path[:at] + piece + path[at + len(piece) :]
    return path


def _composed(head: str, pieces: tuple[str, ...], natural: str, rng: random.Random, attempt: int) -> str:
    """A directory put together from the pieces, each as part of the path."""
    path = head
    order = pieces if attempt % 2 == 0 else pieces[::-1]
    rooted = [piece for piece in order if is_rooted(piece)]
    for piece in [*rooted, *[p for p in order if p not in rooted]]:
        if in_text(piece, path.lower()):
            continue
        path = join(path or _root(piece, natural, rng), piece)
    return _closed(path, rng)


def _root(piece: str, natural: str, rng: random.Random) -> str:
    if piece.startswith(":\\"):
        return natural[:1] if natural[:1].isalpha() else "C"
    if is_rooted(piece):
        return ""
    low = piece.lower()
    first = next(
        (entry for entry in _DIRECTORIES if low.split("\\")[1:2] and f"\\{low.split(chr(92))[1]}\\" in entry.lower()),
        None,
    )
    if first is not None and piece.startswith("\\"):
        at = first.lower().find(f"\\{low.split(chr(92))[1]}\\")
        return filled(first[:at], rng)
    return rng.choice(("C:\\Program Files", "C:\\ProgramData", "C:\\Tools", "C:\\Program Files (x86)"))


def _closed(path: str, rng: random.Random) -> str:
    """The path with its last part complete and a backslash at the end."""
    if path.startswith("\\\\") and "\\" not in path[2:].rstrip("\\"):
        return _closed_server(path[2:].rstrip("\\"), rng)
    if path.endswith("\\"):
        return path
    if path.lower() in _USER_ROOTS:
        return f"{path}\\{user(rng)}\\"
    if path.endswith("{"):
        return f"{path}{guid(rng)}}}\\"
    if path.endswith(("-", "_", "~", "(")) or path[-2:] == "\\v":
        path += hex_digits(4, rng) if not path.endswith("v") else "4.0.30319"
    return path + "\\" if len(path) > 1 else path + ":\\"


def directory_with(pieces: tuple[str, ...], rng: random.Random) -> str:
    """A directory, with a backslash at its end, that holds all pieces."""
    return _base("", pieces, "", rng, 0)


def _closed_server(name: str, rng: random.Random) -> str:
    """A share of a server whose name or address is begun."""
    if not name or name[-1] in "-_":
        name += rng.choice(("files01", "backup02", "deploy"))
    elif name[-1].isdigit() and 0 < name.count(".") < 3 and name.replace(".", "").isdigit():
        name += f".{rng.randint(1, 250)}" * (3 - name.count("."))
    return f"\\\\{name.rstrip('.')}\\{rng.choice(('share', 'software', 'C$'))}\\"


def join(left: str, right: str) -> str:
    """Two pieces of a path with one backslash between them, and a user's name where one belongs."""
    if left.lower() in _USER_ROOTS and right.lower().startswith(("\\appdata", "\\downloads", "\\desktop")):
        left = left.rstrip("\\") + "\\j.meyer"
    if left.endswith("\\") and right.startswith("\\") and not right.startswith("\\\\"):
        return left + right[1:]
    if not left or left.endswith("\\") or right.startswith(("\\", ":")):
        return left + right
    return f"{left}\\{right}"
