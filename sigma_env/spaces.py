"""UnicodeText: the space of prompts and answers, which Gymnasium's own Text (ASCII letters and digits) cannot hold."""

from collections.abc import Iterable
from copy import deepcopy
from types import ModuleType
from typing import Any, Final, Never

import numpy as np
from gymnasium.error import CustomSpaceError
from gymnasium.spaces import Space, Tuple
from gymnasium.vector.utils import batch_differing_spaces, create_empty_array, create_shared_memory

_LONGEST_SAMPLE: Final = 256
# What a sample is made of: mostly what rules are written in, and some of every kind of text that has broken parsers.
_ALPHABETS: Final = (
    (0x20, 0x7F, 0.7),  # ASCII
    (0x09, 0x0B, 0.1),  # tab and line feed
    (0xA0, 0xD800, 0.1),  # the Basic Multilingual Plane, before the surrogates
    (0x10000, 0x110000, 0.1),  # everything beyond it, such as emoji
)


class UnicodeText(Space[str]):
    """All strings of at most `max_length` characters.

    Batched, it is a `Tuple` of itself, so a batch is a tuple of strings.
    """

    def __init__(self, max_length: int, *, min_length: int = 0, seed: int | np.random.Generator | None = None) -> None:
        """Makes the space.

        Args:
            max_length: most characters (code points) of a text.
            min_length: fewest.
            seed: of the generator that `sample` draws from.

        Raises:
            ValueError: 0 ≤ min_length ≤ max_length does not hold.
        """
        if not 0 <= min_length <= max_length:
            raise ValueError(f"a text has 0 ≤ min_length ≤ max_length characters, not {min_length} … {max_length}")
        self.min_length = int(min_length)
        self.max_length = int(max_length)
        super().__init__(dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: a text has no fixed number of elements."""
        return False

    def sample(self, mask: None = None, probability: None = None) -> str:
        """Draws a text of at most 256 characters, fewer if the space asks for fewer, more if it asks for more.

        It has no surrogates, so it can be encoded.

        Args:
            mask: must be None; there is no alphabet to mask.
            probability: must be None.

        Raises:
            ValueError: a mask or probability was given.
        """
        if mask is not None or probability is not None:
            raise ValueError("UnicodeText.sample takes no mask and no probability: it has no alphabet")
        draw = self.np_random
        longest = max(self.min_length, min(self.max_length, _LONGEST_SAMPLE))
        length = int(draw.integers(self.min_length, longest + 1))
        kinds = draw.choice(len(_ALPHABETS), size=length, p=[share for _, _, share in _ALPHABETS])
        bounds = np.array([(first, end) for first, end, _ in _ALPHABETS], np.int64)[kinds]
        return "".join(map(chr, draw.integers(bounds[:, 0], bounds[:, 1]).tolist()))

    def contains(self, x: Any) -> bool:
        """Whether `x` is a string of an allowed length."""
        return isinstance(x, str) and self.min_length <= len(x) <= self.max_length

    def to_jsonable(self, sample_n: Iterable[str]) -> list[str]:
        """The texts as a list: JSON has strings."""
        return [str(text) for text in sample_n]

    def from_jsonable(self, sample_n: list[str]) -> list[str]:
        """The inverse of `to_jsonable`."""
        return list(sample_n)

    def __repr__(self) -> str:
        return f"UnicodeText({self.min_length}, {self.max_length})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, UnicodeText)
            and self.min_length == other.min_length
            and self.max_length == other.max_length
        )


@create_shared_memory.register(UnicodeText)
def _refuse_shared_memory(space: UnicodeText, n: int = 1, ctx: ModuleType | None = None) -> Never:  # noqa: ARG001
    # Gymnasium's own Text goes through arrays of character indexes, which corrupts what is not in its alphabet.
    raise CustomSpaceError(
        f"{space!r} cannot be kept in shared memory: a text has no fixed size. "
        'Make the environments with vector_kwargs={"shared_memory": False}, '
        'as in gymnasium.make_vec(id, num_envs=8, vectorization_mode="async", vector_kwargs={"shared_memory": False}).'
    )


@create_empty_array.register(UnicodeText)
def _create_empty_texts(space: UnicodeText, n: int = 1, fn: Any = None) -> tuple[str, ...]:  # noqa: ARG001
    return (" " * space.min_length,) * n


@batch_differing_spaces.register(UnicodeText)
def _batch_differing_texts(spaces: list[UnicodeText]) -> Tuple[str]:  # type: ignore[misc]  # looked up by the elements
    return Tuple([deepcopy(space) for space in spaces])
