"""A language model as the voice, against a server of the test's own."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Meta
from sigma_env.simulation.requests import RequestError, make_plan, write_request
from sigma_env.simulation.requests.llm import LlmVoice

RULE = parse_rule(
    {
        "logsource": {"product": "windows", "category": "process_creation"},
        "detection": {"s": {"Image|endswith": "\\odd.exe", "CommandLine|contains": "-load"}, "condition": "s"},
    },
    meta=Meta(id="r", title="Odd starts"),
)
PLAN = make_plan(RULE, 0)
GOOD = "Please watch process starts: the process path ends in `\\odd.exe` and the command line contains `-load`."
Reply = Callable[[dict[str, Any]], tuple[int, Any]]


def answer(text: str) -> tuple[int, Any]:
    return 200, {
        "choices": [{"message": {"content": text}}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 50},
    }


class Server:
    def __init__(self, reply: Reply) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(asked)
                outer.keys.append(self.headers.get("Authorization"))
                assert self.path == "/v1/chat/completions"
                status, body = reply(asked)
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@contextmanager
def serving(reply: Reply) -> Iterator[Server]:
    server = Server(reply)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def test_the_models_words_are_taken_cached_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_KEY", "k1")
    with serving(lambda _: answer(f"\n{GOOD}\n")) as server:
        voice = LlmVoice(server.url, "m", tmp_path, "VOICE_KEY", dollars_per_million=(1.0, 2.0))
        voiced = voice.write(PLAN, "manager", 0)
        assert voiced.fallback is None
        assert voiced.request.text == GOOD
        assert voice.write(PLAN, "manager", 0) == voiced
        assert (voice.usage.calls, voice.usage.cached, voice.usage.fallbacks) == (1, 1, 0)
        assert voice.usage.dollars == pytest.approx((300 + 2 * 50) / 1e6)
        assert server.keys == ["Bearer k1"]
        offline = write_request(PLAN, "manager", 0)
        assert server.asked[0]["messages"][1]["content"] == offline.text
        assert "manager" in server.asked[0]["messages"][0]["content"]
        voice.write(PLAN, "manager", 1)
        assert voice.usage.calls == 2
    again = LlmVoice(server.url, "m", tmp_path, "VOICE_KEY")
    assert again.write(PLAN, "manager", 0) == voiced  # the server is gone


def test_a_model_that_forgets_a_value_is_told_so(tmp_path: Path) -> None:
    texts = iter(["I want `-load` found.", GOOD])
    with serving(lambda _: answer(next(texts))) as server:
        voiced = LlmVoice(server.url, "m", tmp_path).write(PLAN, "red_team", 0)
        assert voiced.request.text == GOOD
        assert "does not say '\\\\odd.exe'" in server.asked[1]["messages"][3]["content"]
        assert server.keys == [None, None]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer("Nothing of the kind."), "does not say"),
        (answer(f"{GOOD}\nlogsource: x"), "part of a rule"),
        (answer(""), "does not say"),
        ((503, "busy"), "status 503"),
        ((429, "slow down"), "status 429"),
        ((200, "no json"), "is no JSON"),
        ((200, {"choices": []}), "no choices"),
        ((200, {"choices": [{"message": {"content": None}}]}), "holds no text"),
    ],
)
def test_after_some_tries_the_offline_text_is_taken(tmp_path: Path, reply: tuple[int, Any], reason: str) -> None:
    with serving(lambda _: reply) as server:
        voice = LlmVoice(server.url, "m", tmp_path, tries=2)
        voiced = voice.write(PLAN, "manager", 0)
        assert len(server.asked) == 2
    assert voiced.request == write_request(PLAN, "manager", 0)
    assert voiced.fallback is not None
    assert voiced.fallback.startswith("2 tries, the last one: ")
    assert reason in voiced.fallback
    assert voice.usage.fallbacks == 1


def test_a_server_that_is_not_there_is_a_reason_too(tmp_path: Path) -> None:
    with serving(lambda _: answer(GOOD)) as server:
        url = server.url
    voiced = LlmVoice(url, "m", tmp_path, tries=1).write(PLAN, "manager", 0)
    assert voiced.fallback is not None
    assert url in voiced.fallback


def test_a_refusal_for_good_is_an_error(tmp_path: Path) -> None:
    with (
        serving(lambda _: (401, "wrong key")) as server,
        pytest.raises(RequestError, match="refuses model 'm': status 401, wrong key"),
    ):
        LlmVoice(server.url, "m", tmp_path).write(PLAN, "manager", 0)


def test_a_missing_key_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICE_KEY", raising=False)
    with pytest.raises(RequestError, match="set the environment variable VOICE_KEY"):
        LlmVoice("http://localhost:1/v1", "m", tmp_path, "VOICE_KEY")
