"""Raw records of EVTX files, read by a second process that may hang or die without harm."""

import marshal
import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from sigma_env.events.evtx_worker import CHUNK_FAILURE, END, LENGTH

PATIENCE_SECONDS = 20.0
"""A reader that gives nothing for so long has hung: 64 KiB take milliseconds, even from a slow disk."""

WORKER = (sys.executable, "-P", str(Path(__file__).with_name("evtx_worker.py")))
"""Command line of the process; -P, as the folder of this package is no place to import from."""

Message = tuple[Any, ...]
"""See `evtx_worker.RECORD`."""


class EvtxProcess:
    """Reads EVTX files one after another, ahead of the caller.

    Args:
        paths: the files, in the order in which `messages` will be called.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = [os.fsencode(path) for path in paths]
        self._at = 0
        self._worker: _Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def messages(self) -> Generator[Message, None, None]:
        """The messages on the next file, without END; each file must be done with before the next is asked for.

        A process that hangs or dies ends the file with a CHUNK_FAILURE; the next file has a new process.
        """
        if self._worker is None:
            self._worker = _Worker(self._paths[self._at :])
        self._at += 1
        whole = False
        try:
            while (message := self._worker.receive()) is not None and message[0] != END:
                yield message
            whole = message is not None
            if not whole:
                yield CHUNK_FAILURE, f"{self._worker.fault()}; the rest of the file is not read"
        finally:
            if not whole:
                self._stop()

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None


class _Worker:
    """The process, and a watch over the time that it takes."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        self._process = subprocess.Popen(
            WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self._hung = False
        self._waiting_since: float | None = None
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._watch_over, daemon=True)
        self._watch.start()
        with suppress(BrokenPipeError), self._process.stdin as stream:  # if it died at once, `receive` will tell
            marshal.dump(list(paths), stream)

    def receive(self) -> Message | None:
        """The next message, or None if the process is dead."""
        self._waiting_since = time.monotonic()
        head = self._out.read(LENGTH.size)
        body = self._out.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""
        self._waiting_since = None
        if not body or len(body) < LENGTH.unpack(head)[0]:
            return None
        message: Message = marshal.loads(body)
        return message

    def _watch_over(self) -> None:
        while not self._stopped.wait(PATIENCE_SECONDS / 4):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > PATIENCE_SECONDS:
                self._hung = True
                self._process.kill()
                return

    def fault(self) -> str:
        """Why the process is dead."""
        code = self._process.wait()
        return "the reader hung" if self._hung else f"the reader died with status {code}"

    def stop(self) -> None:
        """Ends the process, if it has not ended."""
        self._stopped.set()
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._watch.join()
