"""Downloading one archive: retries, resumes, and never takes more than it may."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sigma_env.corpora.archive import LIMITS, ByteProgress
from sigma_env.errors import SourceError

if TYPE_CHECKING:
    import httpx

RetryNotice = Callable[[str, float], None]
"""Called with the reason of a retry and the seconds until it."""

_TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class DownloadPolicy:
    """How patient a download is.

    Attributes:
        attempts: Requests in all.
        first_wait: Seconds before the second request; each later wait is twice the one before.
        longest_wait: Seconds. A server that asks for a longer wait (Retry-After) ends the download.
        connect_timeout: Seconds until the connection must stand.
        read_timeout: Seconds that may pass without a byte.
        max_bytes: Size of the archive.
        sleep: Waits some seconds.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 120.0
    connect_timeout: float = 20.0
    read_timeout: float = 60.0
    max_bytes: int = LIMITS.archive_bytes
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class _PartState:
    """What is known of an unfinished download, kept beside its bytes."""

    url: str
    etag: str | None
    total: int | None


class _Transient(Exception):
    """A fault that another request may mend."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _Part:
    """An unfinished download: its bytes, and the state that says whether they can be continued."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._state_path = target.with_name(target.name + ".part.json")

    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def state(self, url: str) -> _PartState | None:
        """Returns the state of a part that can be continued from ``url``; any other part is discarded."""
        try:
            state = _PartState(**json.loads(self._state_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            state = None
        if state is None or state.url != url or not self.size():
            self.discard()
            return None
        return state

    def save(self, state: _PartState) -> None:
        self._state_path.write_text(json.dumps(asdict(state)), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._state_path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        self.path.replace(target)
        self._state_path.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    *,
    policy: DownloadPolicy | None = None,
    progress: ByteProgress | None = None,
    on_retry: RetryNotice | None = None,
) -> bool:
    """Downloads ``url`` to ``target``.

    An interrupted download leaves ``target.part``, which the next call continues with a Range request. What was
    continued is not trusted to be whole: the caller verifies the content, and starts afresh if it is refused.

    Args:
        url: An http or https URL.
        target: The file to make. Its folder exists.
        policy: How patient to be.
        progress: Called as bytes arrive.
        on_retry: Called before each wait.

    Returns:
        Whether bytes of an earlier request are part of the file.

    Raises:
        SourceError: The server refuses, answers nonsense, or does not answer in time; the message names the URL.
        OSError: The file cannot be written.
    """
    import httpx

    policy = policy or DownloadPolicy()
    part = _Part(target)
    timeout = httpx.Timeout(policy.read_timeout, connect=policy.connect_timeout)
    # identity: the archive is compressed already, and its own bytes are what Range counts.
    headers = {"User-Agent": "sigmaforge", "Accept-Encoding": "identity"}
    with httpx.Client(follow_redirects=True, max_redirects=5, timeout=timeout, headers=headers) as client:
        for attempt in range(1, policy.attempts + 1):
            try:
                resumed = _request(client, url, part, policy, progress)
                part.finish(target)
                return resumed
            except _Transient as fault:
                wait = policy.first_wait * 2 ** (attempt - 1) if fault.wait is None else fault.wait
                if attempt == policy.attempts or wait > policy.longest_wait:
                    _give_up(
                        url,
                        part,
                        f"{attempt} of {policy.attempts}",
                        fault,
                        wait if wait > policy.longest_wait else None,
                    )
                if on_retry is not None:
                    on_retry(str(fault), wait)
                policy.sleep(wait)
            except (httpx.TooManyRedirects, httpx.InvalidURL, httpx.UnsupportedProtocol) as fault:
                raise SourceError(f"{url}: {fault}; check SIGMA_ENV_FORGE, or use --mirror") from fault
    raise AssertionError("the last attempt returns or raises")


def _give_up(url: str, part: _Part, attempt: str, fault: _Transient, asked: float | None) -> NoReturn:
    """Ends a download for good, saying what remains of it."""
    reason = f"{fault}" if asked is None else f"{fault}, and the server asks to wait {asked:.0f} seconds"
    kept = f"{part.size()} bytes are kept and the next fetch continues there" if part.size() else "try again later"
    raise SourceError(f"{url}: gave up at request {attempt}: {reason}; {kept}, or use --mirror") from fault


def _request(
    client: httpx.Client, url: str, part: _Part, policy: DownloadPolicy, progress: ByteProgress | None
) -> bool:
    """Makes one request and takes what it brings; returns whether the part holds earlier bytes too.

    Raises:
        _Transient: Another request may bring the rest.
        SourceError: None will.
    """
    import httpx

    state = part.state(url)
    have = part.size()
    if state is not None and have == state.total:
        return True
    headers = {}
    if state is not None:
        headers["Range"] = f"bytes={have}-"
        # A weak tag is no promise about bytes, and RFC 9110 (13.1.5) forbids it here.
        if state.etag is not None and not state.etag.startswith("W/"):
            headers["If-Range"] = state.etag
    try:
        with client.stream("GET", url, headers=headers) as response:
            if url.startswith("https:") and response.url.scheme != "https":
                raise SourceError(f"{url}: redirects to {response.url}, which is not encrypted")
            _check_status(url, response, part)
            if response.status_code == 206:
                total = _check_continues(response, part, have, state)
            else:
                have, total = 0, _number(response.headers.get("Content-Length"))
            _receive(url, response, part, have, total, policy, progress)
            return have > 0
    except httpx.UnsupportedProtocol:
        raise
    except httpx.TransportError as fault:
        raise _Transient(f"{type(fault).__name__}: {fault}") from fault


def _check_status(url: str, response: httpx.Response, part: _Part) -> None:
    """Lets only 200 and an asked-for 206 pass."""
    status = response.status_code
    if status == 200 or (status == 206 and "Range" in response.request.headers):
        return
    if status == 416:
        part.discard()
        raise _Transient("the server cannot continue the part that is here", wait=0.0)
    if status in _TRANSIENT_STATUS:
        raise _Transient(f"status {status}", wait=_retry_after(response))
    hint = "the forge has no such archive; check SIGMA_ENV_FORGE" if status == 404 else "check SIGMA_ENV_FORGE"
    raise SourceError(f"{url}: status {status} {response.reason_phrase}: {hint}, or use --mirror")


def _check_continues(response: httpx.Response, part: _Part, have: int, state: _PartState | None) -> int | None:
    """Discards the part unless the answer begins where the part ends, in the same file; returns that file's size."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    etag = response.headers.get("ETag")
    changed = state is not None and (
        (state.etag is not None and etag is not None and etag != state.etag)
        or (span is not None and state.total is not None and span[2] not in ("*", str(state.total)))
    )
    if span is None or int(span[1]) != have or changed:
        part.discard()
        raise _Transient("the server's file is not the one that was begun", wait=0.0)
    return _number(span[2])


def _receive(
    url: str,
    response: httpx.Response,
    part: _Part,
    have: int,
    total: int | None,
    policy: DownloadPolicy,
    progress: ByteProgress | None,
) -> None:
    """Appends the body to the part's first ``have`` bytes; ``total`` is the size that the file should get."""
    size = have
    if not have:
        # Before the new state is saved: old bytes under it would be taken for the new file's.
        part.discard()
    part.save(_PartState(url=url, etag=response.headers.get("ETag"), total=total))
    with part.path.open("ab") as out:
        # Raw: a server that labels a .tar.gz as Content-Encoding gzip must not have it unpacked on the way.
        # As it comes: with a chunk size, httpx would drop what it holds back when the connection breaks.
        for chunk in response.iter_raw():
            size += len(chunk)
            if max(size, total or 0) > policy.max_bytes:
                break
            out.write(chunk)
            if progress is not None:
                progress(size, total)
    if max(size, total or 0) > policy.max_bytes:
        part.discard()
        raise SourceError(f"{url}: refused: more than {policy.max_bytes} bytes, which no source's archive has")
    if total is not None and size != total:
        raise _Transient(f"the answer ended after {size} of {total} bytes")


def _number(text: str | None) -> int | None:
    """Reads a header's number of bytes, None if it has none."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,15}", text) else None


def _retry_after(response: httpx.Response) -> float | None:
    """Returns the seconds that the server asks to wait: RFC 9110 (10.2.3), a number or a date."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
