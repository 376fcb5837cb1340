"""A local forge that answers each request as the test's script says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Forge

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.requests.append((self.path, self.headers))
            answer = self.server.script.pop(0) if self.server.script else self.server.otherwise
        answer(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", cut: int | None = None, **headers: str) -> None:
        """Sends an answer whose length is that of ``body``; ``cut`` closes the connection after that many bytes."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True


Answer = Callable[[Handler], None]


class Forge(ThreadingHTTPServer):
    """Answers by ``script``, one entry per request, then by ``otherwise``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.requests: list[tuple[str, Message]] = []
        self.script: list[Answer] = []
        self.otherwise: Answer = status(404)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of each request."""
        return [headers["Range"] for _, headers in self.requests]


@contextmanager
def running() -> Iterator[Forge]:
    forge = Forge()
    thread = threading.Thread(target=forge.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield forge
    finally:
        forge.shutdown()
        forge.server_close()
        thread.join()


def status(code: int, **headers: str) -> Answer:
    return lambda handler: handler.answer(code, **headers)


def whole(body: bytes, **headers: str) -> Answer:
    """The whole file, whatever Range was asked for."""
    return lambda handler: handler.answer(200, body, **headers)


def cut(body: bytes, at: int, **headers: str) -> Answer:
    """The whole file, but the connection drops."""
    return lambda handler: handler.answer(200, body, cut=at, **headers)


def ranged(body: bytes, etag: str | None = '"v1"', at: int | None = None) -> Answer:
    """The file of a server that knows Range and If-Range; ``at`` drops the connection after so many bytes."""

    def answer(handler: Handler) -> None:
        tags = {"ETag": etag} if etag else {}
        wanted = handler.headers["Range"]
        condition = handler.headers["If-Range"]
        if wanted is None or (condition is not None and condition != etag):
            handler.answer(200, body, cut=at, **tags)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            handler.answer(416, Content_Range=f"bytes */{len(body)}")
            return
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.answer(206, body[start:], cut=at, Content_Range=span, **tags)

    return answer
