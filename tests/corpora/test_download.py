from __future__ import annotations

import random
import socket
from email.utils import formatdate
from pathlib import Path

import pytest

from sigma_env.corpora.download import DownloadPolicy, download
from sigma_env.errors import SourceError
from tests.corpora.served import Answer, Forge, Handler, cut, ranged, status, whole

BODY = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)


class Waits(list[float]):
    """The waits of a download, which are not spent."""

    def policy(self, **options: float) -> DownloadPolicy:
        return DownloadPolicy(sleep=self.append, **options)  # type: ignore[arg-type]


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads" / "a.tar.gz"


def url(forge: Forge) -> str:
    return f"{forge.url}/a.tar.gz"


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole_and_alone(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [whole(BODY)]
    assert download(url(forge), target, policy=waits.policy()) is False
    assert target.read_bytes() == BODY
    assert names(target) == ["a.tar.gz"]
    assert waits == []
    assert forge.requests[0][1]["Accept-Encoding"] == "identity"


def test_progress_ends_at_the_files_size(forge: Forge, target: Path) -> None:
    forge.script = [whole(BODY)]
    seen: list[tuple[int, int | None]] = []
    download(url(forge), target, progress=lambda *call: seen.append(call))
    assert seen == sorted(seen)
    assert seen[-1] == (len(BODY), len(BODY))


def test_redirects_are_followed(forge: Forge, target: Path) -> None:
    forge.script = [status(302, Location="/elsewhere.tar.gz"), whole(BODY)]
    download(url(forge), target)
    assert [path for path, _ in forge.requests] == ["/a.tar.gz", "/elsewhere.tar.gz"]
    assert target.read_bytes() == BODY


def test_endless_redirects_end(forge: Forge, target: Path, waits: Waits) -> None:
    forge.otherwise = status(302, Location="/a.tar.gz")
    with pytest.raises(SourceError, match=r"a\.tar\.gz: .*redirects"):
        download(url(forge), target, policy=waits.policy())


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_waited_out_ever_longer(code: int, forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [status(code), status(code), status(code), whole(BODY)]
    notices: list[tuple[str, float]] = []
    download(url(forge), target, policy=waits.policy(), on_retry=lambda *notice: notices.append(notice))
    assert target.read_bytes() == BODY
    assert waits == [1, 2, 4]
    assert notices == [(f"status {code}", wait) for wait in waits]


def test_the_wait_that_the_server_asks_for_is_kept(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [status(429, Retry_After="7"), status(503, Retry_After=formatdate(0, usegmt=True)), whole(BODY)]
    download(url(forge), target, policy=waits.policy())
    assert waits == [7, 0]


def test_a_wait_that_cannot_be_read_is_our_own(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [status(429, Retry_After="soon"), whole(BODY)]
    download(url(forge), target, policy=waits.policy())
    assert waits == [1]


def test_a_wait_that_is_too_long_ends_the_download(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [status(429, Retry_After="3600")]
    with pytest.raises(SourceError, match=r"status 429, and the server asks to wait 3600 seconds; try again later"):
        download(url(forge), target, policy=waits.policy())
    assert waits == []


def test_the_last_fault_is_named_when_patience_ends(forge: Forge, target: Path, waits: Waits) -> None:
    forge.otherwise = status(503)
    with pytest.raises(SourceError, match=rf"{url(forge)}: gave up at request 3 of 3: status 503; .*--mirror"):
        download(url(forge), target, policy=waits.policy(attempts=3))
    assert len(forge.requests) == 3
    assert names(target) == []


@pytest.mark.parametrize("code", [401, 403, 404, 410, 206, 204])
def test_a_lasting_fault_is_not_repeated(code: int, forge: Forge, target: Path, waits: Waits) -> None:
    forge.otherwise = status(code)
    with pytest.raises(SourceError, match=rf"a\.tar\.gz: status {code} .*check SIGMA_ENV_FORGE, or use --mirror"):
        download(url(forge), target, policy=waits.policy())
    assert len(forge.requests) == 1
    assert names(target) == []


def test_a_server_that_is_not_there_is_named(target: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(SourceError, match=f"127.0.0.1:{port}/a.tar.gz: gave up at request 5 of 5: ConnectError"):
            download(f"http://127.0.0.1:{port}/a.tar.gz", target, policy=waits.policy())
    assert waits == [1, 2, 4, 8]


def test_a_dropped_connection_is_continued(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [ranged(BODY, at=100_000), ranged(BODY, at=50_000), ranged(BODY)]
    assert download(url(forge), target, policy=waits.policy()) is True
    assert target.read_bytes() == BODY
    assert forge.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert [headers["If-Range"] for _, headers in forge.requests] == [None, '"v1"', '"v1"']
    assert names(target) == ["a.tar.gz"]


def test_a_download_is_continued_by_the_next_call(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [ranged(BODY, at=100_000)]
    forge.otherwise = status(503)
    with pytest.raises(SourceError, match="100000 bytes are kept and the next fetch continues there"):
        download(url(forge), target, policy=waits.policy())
    assert names(target) == ["a.tar.gz.part", "a.tar.gz.part.json"]
    forge.otherwise = ranged(BODY)
    assert download(url(forge), target, policy=waits.policy()) is True
    assert target.read_bytes() == BODY


def test_an_interrupt_keeps_what_has_arrived(forge: Forge, target: Path) -> None:
    forge.otherwise = ranged(BODY)

    def interrupt(done: int, total: int | None) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(url(forge), target, progress=interrupt)
    download(url(forge), target)
    assert target.read_bytes() == BODY
    assert forge.ranges[1] is not None


def test_a_part_that_is_whole_needs_no_request(forge: Forge, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill between the last byte and the renaming."""
    forge.script = [whole(BODY)]

    def killed(self: Path, to: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            download(url(forge), target)
    assert download(url(forge), target) is True
    assert target.read_bytes() == BODY
    assert len(forge.requests) == 1


def test_a_server_that_ignores_range_is_started_over(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [cut(BODY, 100_000), whole(BODY)]
    assert download(url(forge), target, policy=waits.policy()) is False
    assert forge.ranges == [None, "bytes=100000-"]
    assert target.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_started_over_by_the_server(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [ranged(BODY, at=100_000), ranged(OTHER, etag='"v2"')]
    download(url(forge), target, policy=waits.policy())
    assert target.read_bytes() == OTHER


def test_a_file_that_changed_meanwhile_is_noticed_by_its_tag(forge: Forge, target: Path, waits: Waits) -> None:
    """A weak tag cannot be sent as a condition, so the server continues another file."""
    forge.script = [ranged(BODY, etag='W/"v1"', at=100_000), ranged(OTHER, etag='W/"v2"'), ranged(OTHER, etag='W/"v2"')]
    download(url(forge), target, policy=waits.policy())
    assert forge.ranges == [None, "bytes=100000-", None]
    assert all(headers["If-Range"] is None for _, headers in forge.requests)
    assert target.read_bytes() == OTHER


def test_a_file_that_changed_meanwhile_is_noticed_by_its_size(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [ranged(BODY, etag=None, at=100_000), ranged(OTHER + b"x", etag=None), whole(OTHER)]
    download(url(forge), target, policy=waits.policy())
    assert target.read_bytes() == OTHER


def test_a_range_that_begins_elsewhere_is_not_appended(forge: Forge, target: Path, waits: Waits) -> None:
    def elsewhere(handler: Handler) -> None:
        handler.answer(206, BODY[5:], Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")

    forge.script = [ranged(BODY, at=100_000), elsewhere, whole(BODY)]
    download(url(forge), target, policy=waits.policy())
    assert forge.ranges == [None, "bytes=100000-", None]
    assert target.read_bytes() == BODY


def test_a_server_may_give_the_rest_piece_by_piece(forge: Forge, target: Path, waits: Waits) -> None:
    def piece(start: int, end: int) -> Answer:
        span = f"bytes {start}-{end - 1}/{len(BODY)}"
        return lambda handler: handler.answer(206, BODY[start:end], Content_Range=span)

    forge.script = [ranged(BODY, at=100_000), piece(100_000, 200_000), piece(200_000, len(BODY))]
    download(url(forge), target, policy=waits.policy())
    assert target.read_bytes() == BODY
    assert forge.ranges == [None, "bytes=100000-", "bytes=200000-"]


def test_a_range_that_the_server_cannot_serve_is_started_over(forge: Forge, target: Path, waits: Waits) -> None:
    forge.script = [ranged(BODY, at=100_000), status(416), whole(BODY)]
    download(url(forge), target, policy=waits.policy())
    assert target.read_bytes() == BODY
    assert waits == [1, 0]


@pytest.mark.parametrize("state", [None, "{", "[]", '{"url": "http://other/", "etag": null, "total": 9}'])
def test_a_part_of_unknown_origin_is_not_continued(state: str | None, forge: Forge, target: Path, waits: Waits) -> None:
    target.with_name("a.tar.gz.part").write_bytes(OTHER[:1000])
    if state is not None:
        target.with_name("a.tar.gz.part.json").write_text(state)
    forge.script = [ranged(BODY)]
    assert download(url(forge), target, policy=waits.policy()) is False
    assert forge.ranges == [None]
    assert target.read_bytes() == BODY


def test_a_body_labelled_as_gzip_is_not_unpacked(forge: Forge, target: Path) -> None:
    forge.script = [whole(BODY, Content_Encoding="gzip")]
    download(url(forge), target)
    assert target.read_bytes() == BODY


def test_a_body_without_a_length_ends_with_its_chunks(forge: Forge, target: Path, waits: Waits) -> None:
    def chunked(handler: Handler, end: bytes = b"0\r\n\r\n") -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n%s" % (len(BODY), BODY, end))
        handler.close_connection = True

    forge.script = [lambda handler: chunked(handler, end=b""), chunked]
    download(url(forge), target, policy=waits.policy())
    assert target.read_bytes() == BODY
    assert len(waits) == 1


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_big_is_refused_and_not_kept(
    announced: bool, forge: Forge, target: Path, waits: Waits
) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY)
        handler.close_connection = True

    forge.otherwise = whole(BODY) if announced else endless
    with pytest.raises(SourceError, match="refused: more than 200000 bytes"):
        download(url(forge), target, policy=waits.policy(max_bytes=200_000))
    assert len(forge.requests) == 1
    assert names(target) == []


def test_a_redirect_out_of_encryption_is_refused(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"Location": "http://forge.example/a.tar.gz"})
        return httpx.Response(200, content=BODY)

    client = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: client(transport=httpx.MockTransport(answer), **options))
    with pytest.raises(SourceError, match=r"redirects to http://forge\.example/a\.tar\.gz, which is not encrypted"):
        download("https://forge.example/a.tar.gz", target)
    assert names(target) == []
