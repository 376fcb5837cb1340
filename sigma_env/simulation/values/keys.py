"""Registry keys and names of pipes around given pieces."""

import random
from functools import lru_cache

from sigma_env.simulation.values.filler import guid, hex_digits, word
from sigma_env.simulation.values.goal import Goal
from sigma_env.simulation.values.paths import SIDS, filled, join, recased

_KEYS = (
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\{Word}",
    "HKU\\{sid}\\Software\\Microsoft\\Windows\\CurrentVersion\\Run\\{Word}",
    "HKLM\\System\\CurrentControlSet\\Services\\{Word}\\ImagePath",
    "HKU\\{sid}\\Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\Advanced\\{Word}",
    "HKLM\\System\\CurrentControlSet\\Control\\Session Manager\\{Word}",
    "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\{Word}\\Enabled",
    "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\{Word}",
    "HKU\\{sid}_Classes\\CLSID\\{{guid}}\\InprocServer32\\(Default)",
    "HKLM\\SOFTWARE\\Classes\\CLSID\\{{guid}}\\InProcServer32\\(Default)",
    "HKU\\{sid}\\Software\\Classes\\{Word}\\shell\\open\\command\\(Default)",
    "HKU\\{sid}\\Software\\Microsoft\\Office\\16.0\\Outlook\\Security\\{Word}",
    "HKU\\{sid}\\Software\\Microsoft\\Office\\16.0\\Excel\\Security\\{Word}",
    "HKU\\{sid}\\Software\\Policies\\Microsoft\\office\\16.0\\word\\security\\{Word}",
    "HKU\\{sid}\\Software\\Microsoft\\Internet Explorer\\Main\\{Word}",
    "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\{Word}",
    "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\{word}.exe\\Debugger",
    "HKLM\\System\\CurrentControlSet\\Control\\Lsa\\{Word}",
    "HKLM\\System\\CurrentControlSet\\Control\\SafeBoot\\Minimal\\{Word}\\(Default)",
    "HKLM\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Run\\{Word}",
    "HKU\\{sid}\\Control Panel\\Desktop\\{Word}",
    "HKU\\{sid}\\Environment\\{Word}",
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System\\{Word}",
    "HKU\\{sid}\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\{Word}",
)
_KEYS_LIKELY = 6


def build_key(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """A registry key, with the value's name where the natural one has it."""
    fitting = _fitting(goal.head.lower(), goal.inner, goal.tail.lower())
    if fitting and attempt % 4 != 3:
        return _from_template(filled(rng.choice(fitting), rng), goal)
    base = goal.head or _hive(goal, natural, rng, attempt)
    order = list(goal.inner) if attempt % 2 == 0 else list(reversed(goal.inner))
    rooted = [piece for piece in order if piece.upper().startswith(("HK", "\\REGISTRY"))]
    path = "" if rooted and not goal.head else base
    for piece in [*rooted, *[p for p in order if p not in rooted]]:
        path = _key_join(path, piece, rng)
    if goal.tail:
        return _key_join(path, goal.tail, rng)
    return path + word(rng).capitalize() if path.endswith("\\") else path


def _key_join(left: str, right: str, rng: random.Random) -> str:
    if left.lower().endswith("\\clsid\\") and right.startswith("\\"):
        return f"{left}{{{guid(rng)}}}{right}"
    if left.endswith("{"):
        return f"{left}{guid(rng)}}}" + ("" if right.startswith("\\") else "\\") + right
    return join(left, right)


@lru_cache(maxsize=4096)
def _fitting(head: str, inner: tuple[str, ...], tail: str) -> tuple[str, ...]:
    """The well-known keys that have all pieces; the value's name may be another, best one that is there."""
    if not head and not inner and not tail:
        return _KEYS[:_KEYS_LIKELY]
    parent = tail.rpartition("\\")[0]
    found = []
    for entry in _KEYS:
        low = entry.lower()
        folder = low.rpartition("\\")[0]
        held = f"{folder}\\{tail.rpartition(chr(92))[2]}" if tail else low
        if held.startswith(head) and folder.endswith(parent) and all(piece.lower() in held for piece in inner):
            if tail and low.endswith(tail):
                return (entry,)
            found.append(entry)
    return tuple(found)


def _from_template(key: str, goal: Goal) -> str:
    if goal.tail:
        key = f"{key.rpartition(chr(92))[0]}\\{goal.tail.rpartition(chr(92))[2]}"
    return recased(key, (goal.head, *goal.inner, goal.tail))


def _hive(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """What a key begins with, given what follows."""
    first = (goal.inner or (goal.tail,))[0].lower()
    machine, person = "HKLM", f"HKU\\{rng.choice(SIDS)}"
    if first.startswith(("\\services\\", "\\control\\", "services\\", "control\\")):
        return f"{machine}\\System\\CurrentControlSet"
    if first.startswith(("\\system\\", "system\\")):
        return machine
    if first.startswith(("\\software\\", "software\\", "\\classes\\", "\\environment")):
        return person if attempt % 2 == 0 else machine
    if first.startswith(("\\microsoft\\", "microsoft\\", "\\policies\\", "\\wow6432node\\")):
        return f"{machine}\\SOFTWARE"
    if first.startswith(("\\securityproviders", "\\lsa", "\\print\\", "\\terminal server", "\\session manager")):
        return f"{machine}\\System\\CurrentControlSet\\Control"
    if first.startswith(("\\winlogon", "\\image file exec", "\\silentprocess", "\\appcompatflags")):
        return f"{machine}\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
    if attempt % 3 == 0 and natural.count("\\") > 2 and not first.startswith("\\"):
        return natural.rpartition("\\")[0]
    return f"{machine}\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion" if attempt % 3 else f"{person}\\Software"


def build_pipe(goal: Goal, natural: str, rng: random.Random, attempt: int) -> str:
    """The name of a pipe, which begins with a backslash."""
    middle = "".join(goal.inner) if attempt % 2 == 0 else "-".join(piece.strip("\\") for piece in goal.inner)
    if goal.inner and len(goal.inner) == 1:
        middle = goal.inner[0]
    text = goal.head + middle
    if not text:
        text = natural if not goal.tail else "\\" + word(rng)
    if not text.startswith("\\") and not goal.head:
        text = ("\\" + word(rng) if attempt % 2 and not text[:1].isalnum() else "\\") + text
    elif attempt > 2 and not goal.head:
        text = f"\\{word(rng)}{text}"
    if goal.tail:
        return text + goal.tail if not (text.endswith("\\") and goal.tail.startswith("\\")) else text + goal.tail[1:]
    if text.endswith(("\\", "-", "_", ".")) or attempt:
        text += hex_digits(rng.randint(2, 6), rng)
    return text
