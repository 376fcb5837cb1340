"""One run of a program that nothing is trusted of: its time, its output and its children are bounded."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

from sigma_env.errors import EngineError

_READ_BYTES: Final = 1 << 16
_GRACE_SECONDS: Final = 5.0


class ProcessLimits(NamedTuple):
    """What a run may cost.

    Attributes:
        seconds: for a whole batch, with all its runs.
        line_bytes: of one line of stdout; a match's line holds its event.
        lines: of stdout.
        stderr_head: bytes kept from the beginning of stderr.
        stderr_tail: bytes kept from its end.
    """

    seconds: float = 900.0
    line_bytes: int = 64 << 20
    lines: int = 1 << 24
    stderr_head: int = 1 << 20
    stderr_tail: int = 1 << 16


class Finished(NamedTuple):
    """How a run ended.

    Attributes:
        code: exit status; -N if signal N ended it.
        stderr: what it wrote there, without what lies between head and tail.
        stderr_lost: how many bytes of it were not kept.
    """

    code: int
    stderr: str
    stderr_lost: int


def run_program(
    arguments: Sequence[str],
    folder: Path,
    deadline: float,
    on_line: Callable[[bytes], None],
    limits: ProcessLimits,
) -> Finished:
    """Runs a program to its end, without a shell, in a process group of its own, which does not outlive the call.

    Args:
        arguments: the program and its arguments.
        folder: where it runs.
        deadline: `time.monotonic()` at which it is stopped.
        on_line: called with each line of stdout, in another thread; an exception stops the run and is raised here.
        limits: of the output.

    Raises:
        EngineError: it cannot be started, takes too long or writes too much.
    """
    what = Path(arguments[0]).name
    environment = {**os.environ, "NO_COLOR": "1", "RUST_BACKTRACE": "0"}
    try:
        process = subprocess.Popen(
            list(arguments),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"{arguments[0]}: cannot be started: {error.strerror or error}") from error
    assert process.stdout is not None
    assert process.stderr is not None
    lines = _Lines(process, process.stdout, on_line, limits, what)
    notes = _Notes(process.stderr, limits)
    readers = (lines, notes)
    try:
        for reader in readers:
            reader.start()
        _wait(process, readers, deadline, what)
    finally:
        _kill(process)
        process.wait()
        for reader in readers:
            reader.join(_GRACE_SECONDS)
        alive = any(reader.is_alive() for reader in readers)
        if not alive:
            process.stdout.close()
            process.stderr.close()
    if lines.fault is not None:
        raise lines.fault
    if alive:
        raise EngineError(f"{what} ended, but something that it started holds its output open")
    if lines.cut and process.returncode == 0:
        raise EngineError(f"{what} ended as if all was well, but in the middle of a line")
    return Finished(process.returncode, notes.text(), notes.lost)


def _wait(process: "subprocess.Popen[bytes]", readers: "Sequence[_Lines | _Notes]", deadline: float, what: str) -> None:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"{what} did not end in time and was stopped; the answers of this batch have no result"
        ) from None
    # A child that it left behind may hold the pipes; what the program itself wrote is read in no time.
    end = time.monotonic() + _GRACE_SECONDS
    for reader in readers:
        reader.join(max(0.0, end - time.monotonic()))


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


class _Lines(threading.Thread):
    """Hands the lines of stdout on; `fault` is why it stopped before the end, `cut` that the last line had no end."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        stream: IO[bytes],
        on_line: Callable[[bytes], None],
        limits: ProcessLimits,
        what: str,
    ) -> None:
        super().__init__(daemon=True)
        self.fault: BaseException | None = None
        self.cut = False
        self._process, self._stream, self._on_line, self._limits, self._what = process, stream, on_line, limits, what
        self._left = limits.lines

    def run(self) -> None:
        try:
            self._read()
        except BaseException as fault:
            self.fault = fault
            _kill(self._process)

    def _read(self) -> None:
        pieces: list[bytes] = []
        size = 0
        while data := os.read(self._stream.fileno(), _READ_BYTES):
            *ended, rest = data.split(b"\n")
            for end in ended:
                self._take(b"".join([*pieces, end]))
                pieces, size = [], 0
            pieces.append(rest)
            size += len(rest)
            if size > self._limits.line_bytes:
                raise EngineError(f"{self._what} wrote a line of more than {self._limits.line_bytes:,} bytes")
        self.cut = size > 0

    def _take(self, line: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise EngineError(f"{self._what} wrote more than {self._limits.lines:,} lines, which is no possible result")
        self._on_line(line)


class _Notes(threading.Thread):
    """Keeps the beginning and the end of stderr."""

    def __init__(self, stream: IO[bytes], limits: ProcessLimits) -> None:
        super().__init__(daemon=True)
        self.lost = 0
        self._stream, self._limits = stream, limits
        self._head, self._tail = bytearray(), bytearray()

    def run(self) -> None:
        while data := os.read(self._stream.fileno(), _READ_BYTES):
            room = self._limits.stderr_head - len(self._head)
            self._head += data[:room]
            self._tail += data[room:]
            if (over := len(self._tail) - self._limits.stderr_tail) > 0:
                del self._tail[:over]
                self.lost += over

    def text(self) -> str:
        gap = b"\n" if self.lost else b""
        return bytes(self._head + gap + self._tail).decode("utf-8", "replace")
