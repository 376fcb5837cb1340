"""Which engines and meanings there are, and the engine that a user's choice of both gives."""

from typing import TYPE_CHECKING, Final

from sigma_env.errors import OptionError

if TYPE_CHECKING:
    from sigma_env.engines.base import Engine

ENGINES: Final = ("native",)
SEMANTICS: Final = ("sigma",)


def check_engine(name: str) -> str:
    """Returns the name of an engine that exists.

    Raises:
        OptionError: there is none of this name.
    """
    if name not in ENGINES:
        raise OptionError(f"unknown engine {name!r}; there is {', '.join(map(repr, ENGINES))}")
    return name


def check_semantics(name: str) -> str:
    """Returns the name of a meaning of rules that exists.

    Raises:
        OptionError: there is none of this name.
    """
    if name not in SEMANTICS:
        raise OptionError(f"unknown semantics {name!r}; there is {', '.join(map(repr, SEMANTICS))}")
    return name


def make_engine(name: str = "native", semantics: str = "sigma") -> "Engine":
    """Makes the engine that has the name and gives rules the meaning.

    Raises:
        OptionError: there is no such engine or semantics.
    """
    check_engine(name)
    check_semantics(semantics)
    from sigma_env.engines.native import NativeEngine

    return NativeEngine()
