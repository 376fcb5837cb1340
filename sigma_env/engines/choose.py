"""Which engines and meanings there are, and the engine that a user's choice of both gives."""

from typing import TYPE_CHECKING, Final

from sigma_env.errors import OptionError

if TYPE_CHECKING:
    from sigma_env.engines.base import Engine

ENGINES: Final = ("native", "chainsaw")
SEMANTICS: Final = ("sigma", "chainsaw")


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

    Chainsaw has one meaning, its own, whatever `semantics` asks for; the engine's `semantics` says which it gives.

    Raises:
        OptionError: there is no such engine or semantics.
        EngineError: the engine is a program that this machine lacks; the message names the command that gets it.
    """
    check_engine(name)
    check_semantics(semantics)
    if name == "chainsaw":
        from sigma_env.engines.chainsaw import ChainsawEngine

        return ChainsawEngine()
    from sigma_env.engines.native import NativeEngine

    return NativeEngine(semantics)
