"""Inspect leaves some of its streams to the garbage collector, which tests would take for errors of ours."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def inspects_leftovers() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
        gc.collect()
