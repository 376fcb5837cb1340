"""UnicodeText holds any text of a model, alone and in every kind of vector environment."""

import json
import multiprocessing

import pytest
from gymnasium.error import CustomSpaceError
from gymnasium.spaces import Text, Tuple
from gymnasium.vector.utils import (
    batch_differing_spaces,
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
)
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.spaces import UnicodeText

HARD_TEXTS = [
    "",
    "detection:\n  sel:\n\tImage: '\\\\srv\\*'",
    "schöne Grüße",
    "检测",
    "🕵️‍♀️\x00",
    "\ud800 alone",
    "a" * 100,
]


@given(st.text(max_size=50))
def test_any_text_that_is_short_enough_is_a_member(text: str) -> None:
    assert text in UnicodeText(50)
    assert (text in UnicodeText(10)) == (len(text) <= 10)


@pytest.mark.parametrize("stranger", [None, 3, b"bytes", ["text"]])
def test_only_strings_are_members(stranger: object) -> None:
    assert stranger not in UnicodeText(50)


def test_bounds_are_checked() -> None:
    assert "ab" not in UnicodeText(5, min_length=3)
    for shortest, longest in ((-1, 5), (6, 5)):
        with pytest.raises(ValueError, match=f"{shortest} … {longest}"):
            UnicodeText(longest, min_length=shortest)


def test_samples_follow_from_the_seed_and_can_be_encoded() -> None:
    one, other = UnicodeText(10_000, seed=7), UnicodeText(10_000)
    other.seed(7)
    texts = [one.sample() for _ in range(50)]
    assert texts == [other.sample() for _ in range(50)]
    assert len(set(texts)) == 50
    assert all(text in one and len(text) <= 256 and text.encode() for text in texts)
    assert any(not text.isascii() for text in texts)
    assert all(len(text) == 300 for text in (UnicodeText(300, min_length=300, seed=1).sample(),))


def test_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="no mask"):
        UnicodeText(5).sample(mask=(None, None))  # type: ignore[arg-type]


def test_spaces_are_equal_by_their_bounds() -> None:
    assert UnicodeText(5, seed=1) == UnicodeText(5, seed=2)
    assert UnicodeText(5) != UnicodeText(6)
    assert UnicodeText(5, min_length=1) != UnicodeText(5)
    assert UnicodeText(5) != Text(5)
    assert repr(UnicodeText(5)) == "UnicodeText(0, 5)"


def test_texts_survive_json() -> None:
    space = UnicodeText(200)
    assert space.from_jsonable(json.loads(json.dumps(space.to_jsonable(HARD_TEXTS)))) == HARD_TEXTS


def test_a_batch_is_a_tuple_of_texts() -> None:
    space = UnicodeText(200)
    batch = batch_space(space, 3)
    assert isinstance(batch, Tuple)
    assert all(part == space for part in batch.spaces)
    assert ("a", "ä", "") in batch
    assert batch.sample() in batch
    assert tuple(iterate(batch, ("a", "ä", ""))) == ("a", "ä", "")
    empty = create_empty_array(space, 3)
    assert empty in batch
    assert concatenate(space, HARD_TEXTS, empty) == tuple(HARD_TEXTS)
    assert batch_differing_spaces([UnicodeText(5), UnicodeText(6)]).spaces == (UnicodeText(5), UnicodeText(6))


def test_shared_memory_is_refused_with_the_argument_to_give() -> None:
    with pytest.raises(CustomSpaceError, match=r'vector_kwargs=\{"shared_memory": False\}'):
        create_shared_memory(UnicodeText(5), n=2, ctx=multiprocessing)
