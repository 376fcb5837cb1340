"""Columns that no event holds as such: values that Sigma finds under another name, or composed of several fields."""

import numpy as np
import numpy.typing as npt

from sigma_env.events.column import ABSENT, Cell, Column, assemble, build_parts

PROCESS_CREATION = "process_creation"

PROCESS_CREATION_FIELDS = {
    "Image": "NewProcessName",
    "ParentImage": "ParentProcessName",
    "ProcessId": "NewProcessId",
    "ParentProcessId": "ProcessId",  # what 4688 calls ProcessId is the creator's
    "LogonId": "SubjectLogonId",
    "IntegrityLevel": "MandatoryLabel",
}
"""Where a Security 4688 holds the fields of Sigma's category process_creation."""

ALWAYS_ALIASED = ("Image", "ParentImage")
"""Those of the above that are found in a 4688 by rules of any logsource."""

_NULL_SID = "s-1-0-0"


def coalesce(name: str, first: Column, second: Column) -> Column:
    """The cells of `first`, and those of `second` where it has none."""
    missing = _first_codes(first) == ABSENT
    if not missing.any():
        return first
    cells: list[Cell] = []
    rows: list[int] = []
    for row, use_second in enumerate(missing.tolist()):
        values = (second if use_second else first).typed_cells(row)
        if values:
            rows.append(row)
            cells.append(values[0] if len(values) == 1 else values)
    return Column(name, build_parts(first.n_rows, rows, cells))


def process_user(
    sid: Column | None,
    target: tuple[Column | None, Column | None],
    subject: tuple[Column | None, Column | None],
) -> Column | None:
    r"""`User` of a process_creation: DOMAIN\name of the account that the new process runs as.

    A 4688 names it as Target only if that differs from the creator; else TargetUserSid is absent or S-1-0-0. Where
    there is a name but no domain at all, the name stands alone. Of repeated elements the first counts.

    Args:
        sid: TargetUserSid.
        target: TargetDomainName and TargetUserName.
        subject: SubjectDomainName and SubjectUserName.

    Returns:
        None if no event can have a user.
    """
    names = [c for c in (target[1], subject[1]) if c is not None]
    if not names:
        return None
    n_rows = names[0].n_rows
    is_target = np.zeros(n_rows, np.bool_)
    if sid is not None:
        codes = _first_codes(sid)
        nobody = [c for c in range(sid.n_values) if sid.lower_value(c) == _NULL_SID]
        is_target = (codes >= 0) & (codes < sid.n_values) & ~np.isin(codes, nobody)
    account = np.full((n_rows, 2), ABSENT, np.int64)
    keys: dict[tuple[str, int], int] = {}
    user = np.full(n_rows, ABSENT, np.int32)
    for chosen, (domain, name) in ((is_target, target), (~is_target, subject)):
        if name is None:
            continue
        account[:, 0] = ABSENT if domain is None else _first_codes(domain)
        account[:, 1] = _first_codes(name)
        chosen = chosen & (account[:, 1] >= 0) & (account[:, 1] < name.n_values)
        pairs, which = np.unique(account[chosen], axis=0, return_inverse=True)
        numbers = [keys.setdefault((_account(domain, int(d), name.value(int(n))), 0), len(keys)) for d, n in pairs]
        user[chosen] = np.asarray(numbers, np.int32)[which.reshape(-1)]
    return Column("User", assemble(list(keys), user, None))


def _account(domain: Column | None, code: int, name: str) -> str:
    if domain is None or not 0 <= code < domain.n_values:
        return name
    return f"{domain.value(code)}\\{name}"


def _first_codes(column: Column) -> npt.NDArray[np.int32]:
    offsets = column.parts.offsets
    if offsets is None:
        return column.codes
    firsts = np.full(column.n_rows, ABSENT, np.int32)
    filled = np.diff(offsets) > 0
    firsts[filled] = column.codes[offsets[:-1][filled]]
    return firsts
