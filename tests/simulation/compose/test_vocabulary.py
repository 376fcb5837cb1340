from itertools import permutations

import pytest

from sigma_env.simulation.compose.rules import compose
from sigma_env.simulation.compose.vocabulary import HALVES, Half, half_of, stock, vocabulary


@pytest.mark.parametrize("half", HALVES)
def test_a_half_has_words_enough_for_many_rules(half: Half) -> None:
    words = vocabulary(half)
    assert len(words.stems) > 2_000
    assert len(words.unmet) == 0 if half == "held_out" else len(words.unmet) > 500
    assert len(words.words) > 60
    assert len(words.programs) > 25
    assert min(len(words.folders), len(words.keys)) >= 4


def test_every_word_belongs_to_one_half_by_its_own_hash() -> None:
    training, held_out = vocabulary("training"), vocabulary("held_out")
    for mine, theirs in permutations((training, held_out)):
        for name in ("stems", "unmet", "words", "programs", "folders", "keys"):
            assert not set(getattr(mine, name)) & set(getattr(theirs, name)), name
        assert all(half_of(word) == mine.half for word in (*mine.stems, *mine.unmet, *mine.words, *mine.programs))
        assert mine.foreign == frozenset((*theirs.stems, *theirs.unmet, *theirs.words))


def test_tasks_have_invented_names_that_no_training_pair_has() -> None:
    words = vocabulary("training")
    assert not set(words.stems) & set(words.unmet)
    met, unmet = ("".join(one.text for one in compose(2, 60, unmet=unmet)).lower() for unmet in (False, True))
    assert not [stem for stem in words.unmet if stem in met]
    assert [stem for stem in words.unmet if stem in unmet]
    assert not [stem for stem in words.stems if stem in unmet]


def test_no_word_is_part_of_one_of_the_other_half() -> None:
    for mine in map(vocabulary, HALVES):
        texts = (*mine.stems, *mine.unmet, *mine.words, *mine.programs, *mine.folders, *mine.keys)
        assert not [text for text in texts if mine.holds_foreign(text)]


def test_no_english_word_is_part_of_another() -> None:
    words = stock()["words"]
    assert len(set(words)) == len(words)
    assert not [(one, other) for one in words for other in words if one != other and one in other]


def test_a_foreign_word_is_found_wherever_it_arises() -> None:
    training, held_out = vocabulary("training"), vocabulary("held_out")
    stem = held_out.stems[0]
    for text in (stem, f"x{stem.upper()}y", f"{training.stems[0]}{stem}", f"\\{stem}.exe"):
        assert training.holds_foreign(text)
        assert not training.holds_foreign(text.lower().replace(stem, ""))
