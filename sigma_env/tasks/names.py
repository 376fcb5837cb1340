"""Names of datasets: which exist, which a user may give, and how one that is missing is built."""

import re
from typing import Final

from sigma_env.errors import DatasetError

STARTER: Final = "starter"
COMPOSED: Final = "composed"
SIGMAHQ: Final = "sigmahq"
SIGMAHQ_100: Final = "sigmahq-100"
SIGMAHQ_FRESH: Final = "sigmahq-fresh"
SIGMAHQ_REAL: Final = "sigmahq-real"
STARTER_ABSTAIN: Final = "starter-abstain"
SIGMAHQ_ABSTAIN: Final = "sigmahq-abstain"

EMBEDDED: Final = (STARTER, STARTER_ABSTAIN)
"""The datasets that need nothing but the package: they are built when they are first asked for."""

BUILT_BY: Final = {
    COMPOSED: "sigma-env build composed",
    SIGMAHQ: "sigma-env fetch sigma, then: sigma-env build sigmahq",
    SIGMAHQ_100: "sigma-env fetch sigma, then: sigma-env build sigmahq-100",
    SIGMAHQ_ABSTAIN: "sigma-env fetch sigma, then: sigma-env build sigmahq-abstain",
    SIGMAHQ_FRESH: "sigma-env fetch sigma, then: sigma-env build sigmahq-fresh",
    SIGMAHQ_REAL: "sigma-env fetch, then: sigma-env build sigmahq-real",
}
"""The public datasets that are built on the user's machine, and the commands that do it."""

_RESERVED: Final = re.compile(r"starter|composed|sigmahq(-.*)?")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """Returns a name that a dataset may have.

    Raises:
        DatasetError: it is none; names are names of folders too.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith("."):
        raise DatasetError(
            f"{name!r} cannot be the name of a dataset; use letters, digits, '-', '_' and '.', at most 64, beginning "
            "with a letter or digit"
        )
    return name


def check_private_name(name: str) -> str:
    """Returns a name that a user's own dataset may have.

    Raises:
        DatasetError: it is no name, or one of the package's own.
    """
    if _RESERVED.fullmatch(check_name(name).lower()):
        raise DatasetError(f"{name!r} is a name of this package's own datasets; choose another for yours")
    return name


def how_to_build(name: str) -> str:
    """The command that builds a dataset."""
    return BUILT_BY.get(name, f"sigma-env build {name} --rules PATH --logs PATH")
