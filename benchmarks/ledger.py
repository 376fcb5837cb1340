"""The ledger of a benchmark: every request that was sent, with its answer, so that nothing is paid for twice.

An append-only file of JSON lines. A line is with the operating system before the next request begins, so a run that
is killed loses at most the answers that were still on their way; those count against the spend limit all the same.
"""

import os
from collections.abc import Iterator
from hashlib import blake2b
from io import BufferedWriter
from pathlib import Path
from typing import Any, Final, Literal

import orjson
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from sigma_env.errors import OptionError, SigmaEnvError


class LedgerError(SigmaEnvError):
    """A ledger cannot be read, or another run is writing it."""


class Answered(BaseModel):
    """A request that was answered.

    Attributes:
        text: what the model said.
        stop_reason: why it stopped, in Inspect's words.
        input_tokens: of the prompt that the provider had not cached; None if it did not say.
        cached_tokens: of the prompt that it had.
        output_tokens: with what the model thought; None if it did not say.
        cost: in dollars; None without a price or tokens.
        at_most: what it could have cost; counts against the spend limit where the cost is not known.
        seconds: that the provider took for the attempt that succeeded.
        retries: attempts before it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    stop_reason: str = "stop"
    input_tokens: int | None = None
    cached_tokens: int = 0
    output_tokens: int | None = None
    cost: float | None = None
    at_most: float = 0.0
    seconds: float | None = None
    retries: int = 0


Kind = Literal["sent", "answered", "failed"]
_FILE: Final = "answers.jsonl"
_KEY_SIZE: Final = 16


def request_key(identity: dict[str, Any], chat: list[dict[str, str]], sample: int) -> str:
    """Names a request: equal requests of one sample number are the same one.

    Args:
        identity: of the model; see `ModelSpec.identity`.
        chat: role and content of each message.
        sample: which of several answers to the same prompt, from 1.
    """
    contents = orjson.dumps([identity, chat, sample], option=orjson.OPT_SORT_KEYS)
    return blake2b(contents, digest_size=_KEY_SIZE).hexdigest()


class Ledger:
    """What was asked and answered, by request. One process writes it at a time.

    Attributes:
        path: the file.
    """

    def __init__(self, folder: Path) -> None:
        """Opens, or makes, the ledger of a folder.

        Raises:
            LedgerError: it is damaged, or another run is writing it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / _FILE
        self._lock = FileLock(folder / f"{_FILE}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise LedgerError(f"{folder}: another run is writing here; wait for it, or choose another --out") from error
        self._answered: dict[str, Answered] = {}
        self._open: dict[str, list[float]] = {}
        self._settled = 0.0
        try:
            for number, (kind, key, rest) in enumerate(self._lines(), start=1):
                self._read(kind, key, rest, number)
        except LedgerError:
            self._lock.release()
            raise
        self._file: BufferedWriter = self.path.open("ab")

    def _lines(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The lines; a last one that was not written to its end is cut off."""
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self.path.open("r+b") as file:
                file.truncate(whole)
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                entry = orjson.loads(line)
                yield entry.pop("kind"), entry.pop("key"), entry
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
                raise LedgerError(f"{self.path}:{number}: no line of a ledger; mend or delete it: {error}") from error

    def _read(self, kind: str, key: str, rest: dict[str, Any], number: int) -> None:
        try:
            if kind == "sent":
                self._open.setdefault(key, []).append(float(rest["at_most"]))
            elif kind == "answered":
                self._keep(key, Answered.model_validate(rest))
            elif kind == "failed":
                self._settle(key, float(rest["billed"]))
            else:
                raise LedgerError(f"{self.path}:{number}: unknown kind {kind!r}; was it written by another version?")
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise LedgerError(f"{self.path}:{number}: a field is missing or wrong: {error}") from error

    def _keep(self, key: str, answer: Answered) -> None:
        self._settle(key, answer.at_most if answer.cost is None else answer.cost)
        self._answered[key] = answer

    def _settle(self, key: str, cost: float) -> None:
        waiting = self._open.get(key)
        if waiting:
            waiting.pop()
            if not waiting:
                del self._open[key]
        self._settled += cost

    @property
    def spent(self) -> float:
        """Dollars, over all runs: known costs, and of what was sent and never settled the most that it could cost."""
        return self._settled + sum(sum(amounts) for amounts in self._open.values())

    def answer(self, key: str) -> Answered | None:
        """What a request was answered, in this or an earlier run."""
        return self._answered.get(key)

    def sent(self, key: str, at_most: float) -> None:
        """Notes an attempt before it is sent, with the most that it can cost."""
        self._write("sent", key, {"at_most": at_most})
        self._open.setdefault(key, []).append(at_most)

    def answered(self, key: str, answer: Answered) -> None:
        """Notes an answer."""
        self._write("answered", key, answer.model_dump(mode="json"))
        self._keep(key, answer)

    def failed(self, key: str, error: str, billed: float) -> None:
        """Notes an attempt without an answer, and what it may have cost."""
        self._write("failed", key, {"error": error, "billed": billed})
        self._settle(key, billed)

    def _write(self, kind: Kind, key: str, rest: dict[str, Any]) -> None:
        self._file.write(orjson.dumps({"kind": kind, "key": key, **rest}) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Lets another run write."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()
            self._lock.release()

    def __enter__(self) -> "Ledger":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()


def checked_limit(max_usd: float | None) -> float | None:
    """A spend limit.

    Raises:
        OptionError: it is no amount.
    """
    if max_usd is not None and not 0 <= max_usd < float("inf"):
        raise OptionError(f"--max-usd is {max_usd}; it must be an amount of dollars, 0 or more")
    return max_usd
