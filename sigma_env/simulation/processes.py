"""Work in several processes at once: children take over what is in memory, and send back their results."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

PROCESSES = 2
"""How many processes work at once if nobody says: more would only help on larger machines, and take their memory."""

# What children inherit by fork: to send it would take longer than most of the work.
_inherited: dict[int, tuple[Callable[[Any], Any], Sequence[Any]]] = {}
_keys = count()


def in_processes(
    function: Callable[[_Item], _Result], items: Sequence[_Item], processes: int, *, at_once: int = 1
) -> Iterator[_Result]:
    """Calls a function for every item, in several processes where the system can fork; results come in order.

    Args:
        function: must not depend on what it did before, so that the results are the same in any number of processes.
        items: its arguments; neither they nor the function are sent, so they need not be picklable. Results must be.
        processes: 1 works in this process.
        at_once: how many items a process takes before it sends results.
    """
    if processes < 2 or len(items) < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(function, items)
        return
    key = next(_keys)
    _inherited[key] = (function, items)
    try:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
            with warnings.catch_warnings():
                # Python warns of a fork beside threads; the children wait for nothing that a thread might hold.
                warnings.simplefilter("ignore", DeprecationWarning)
                results = pool.map(partial(_call, key), range(len(items)), chunksize=at_once)
            yield from results
    finally:
        del _inherited[key]


def _call(key: int, index: int) -> Any:
    function, items = _inherited[key]
    return function(items[index])
