"""How many Chainsaws run at a time: each decodes every log file, so more than there are cores for only wait."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sigma_env.corpora.cache import locks_dir

_log = logging.getLogger(__name__)

THREADS: Final = 2
"""Of one Chainsaw: one decodes, the other evaluates; more gain nothing with few rules."""

SLOTS: Final = max(1, (os.cpu_count() or THREADS) // THREADS)
"""On this machine, for all processes of this user together."""

_POLL_SECONDS: Final = 0.02

_here = threading.BoundedSemaphore(SLOTS)


@contextmanager
def slot() -> Iterator[None]:
    """Waits until another Chainsaw may run. Workers of a training step wait for each other, in no order."""
    with _here:
        taken = _take()
        try:
            yield
        finally:
            if taken is not None:
                taken()


def _take() -> Callable[[], None] | None:
    """Takes one of the machine's slots and returns how to give it back; None if they cannot be counted."""
    from filelock import FileLock, Timeout

    try:
        locks = [FileLock(locks_dir() / f"chainsaw-{number}.lock") for number in range(SLOTS)]
        while True:
            for lock in locks:
                with suppress(Timeout):
                    lock.acquire(blocking=False)
                    return lock.release
            time.sleep(_POLL_SECONDS)
    except OSError as error:  # a cache that cannot be written: the processes do not know of each other
        _log.info("Chainsaws of other processes are not counted: %s", error)
        return None
