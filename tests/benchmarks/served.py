"""A server that speaks OpenAI's chat completions as its script says: well, slowly, or badly."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Says(NamedTuple):
    """A good reply."""

    text: str
    prompt_tokens: int = 100
    completion_tokens: int = 20
    cached_tokens: int = 0
    finish_reason: str = "stop"
    usage: bool = True


class Refuses(NamedTuple):
    """A reply with an HTTP status."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


class Writes(NamedTuple):
    """A reply of these bytes; `missing` bytes more are promised than come."""

    body: bytes
    missing: int = 0


class Stalls(NamedTuple):
    """No reply, until the server is told to end."""


Action = Says | Refuses | Writes | Stalls
Script = Callable[[str, int], Action]
"""The last message, and how often it has been sent with this one → what to do."""


@dataclass
class Server:
    """What the server has seen."""

    url: str
    script: Script
    requests: list[dict[str, Any]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ending: threading.Event = field(default_factory=threading.Event)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].removesuffix("/v1"))

    def next(self, body: dict[str, Any]) -> Action:
        asked = body["messages"][-1]["content"]
        with self.lock:
            self.requests.append(body)
            self.seen[asked] += 1
            count = self.seen[asked]
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.script(asked, count)
        finally:
            with self.lock:
                self.at_once -= 1


@contextmanager
def served(script: Script, port: int = 0) -> Iterator[Server]:
    """A server on a free port of this machine, or on this one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            action = server.next(body)
            if isinstance(action, Stalls):
                server.ending.wait()
                self.close_connection = True
            elif isinstance(action, Refuses):
                self.reply(action.status, b'{"error": {"message": "no", "type": "t"}}', action.headers)
            elif isinstance(action, Writes):
                self.reply(200, action.body, missing=action.missing)
            else:
                self.reply(200, json.dumps(completion(body["model"], action)).encode())

        def reply(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = (), missing: int = 0) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body) + missing))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = bool(missing)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that are killed, or lose patience, close their connections

    http = Quiet(("127.0.0.1", port), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}/v1", script)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        http.shutdown()
        thread.join()
        http.server_close()


def completion(model: str, says: Says) -> dict[str, Any]:
    usage = {
        "prompt_tokens": says.prompt_tokens,
        "completion_tokens": says.completion_tokens,
        "total_tokens": says.prompt_tokens + says.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": says.cached_tokens},
    }
    message = {"role": "assistant", "content": says.text}
    choice = {"index": 0, "message": message, "finish_reason": says.finish_reason}
    made = {"id": "c", "object": "chat.completion", "created": 0, "model": model, "choices": [choice]}
    return {**made, "usage": usage} if says.usage else made
