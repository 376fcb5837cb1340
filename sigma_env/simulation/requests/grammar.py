"""The words of simulated requests that say nothing of any one rule."""

import re
from functools import lru_cache
from itertools import chain
from typing import Final

from sigma_env.simulation.requests import prose, words
from sigma_env.simulation.requests.voices import fixed_words

_JOINING: Final = (
    "either or and both any all one of these it they them not the field pattern patterns networks expressions"
)
_WORD: Final = re.compile(r"\w+")


@lru_cache(maxsize=1)
def grammar_text() -> str:
    """Everything that requests can say of any rule, in lower case: sentences, names of logs and fields, comparisons."""
    said = [
        fixed_words(),
        *chain.from_iterable(words.OPERATIONS.values()),
        *words.NUMBER,
        *words.NOUNS.values(),
        *words.FLAGS.values(),
        *words.ENCODINGS.values(),
        *(words.ANY_FIELD, words.RECORDS, words.ESCAPED, words.KEYWORDS_ALL, words.ENCODED),
        *(*prose.ALL, *prose.ANY, prose.NOT_ALL, prose.NONE, prose.NOT, prose.EVERY, _JOINING),
    ]
    return "\n".join(said).lower()


@lru_cache(maxsize=1)
def grammar_words() -> frozenset[str]:
    """The words of `grammar_text`."""
    return frozenset(_WORD.findall(grammar_text()))
