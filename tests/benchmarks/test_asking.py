"""Requests are paid for once, repeated within limits, as slowly as the server asks, and never beyond the budget."""

import threading
from pathlib import Path

import anyio
import pytest
from inspect_ai.model import ChatMessageUser

from benchmarks.asking import Asker, Limits, Reply, RequestFailed, most_cost
from benchmarks.budget import Budget, SpendLimitReached
from benchmarks.ledger import Answered, Ledger, LedgerError, request_key
from benchmarks.models import ModelSpec, Price
from tests.benchmarks.quiet import inspects_leftovers
from tests.benchmarks.served import Action, Refuses, Says, Script, Server, Stalls, Writes, served

PRICE = Price(input=2.0, cached_input=0.5, output=10.0, date="2026-01", source="these tests")


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now = max(self.now, self.now + seconds)
        await anyio.lowlevel.checkpoint()


def spec(url: str, max_tokens: int = 1000) -> ModelSpec:
    return ModelSpec(
        name="m", title="M", group="closed", inspect="openai-api/local/m", url=url, price=PRICE,
        generation={"max_tokens": max_tokens},
    )  # fmt: skip


def ask(
    folder: Path,
    script: Script,
    prompts: list[str],
    *,
    limits: Limits = Limits(),  # noqa: B008
    max_usd: float | None = None,
    clock: Clock | None = None,
    samples: int = 1,
    port: int = 0,
) -> tuple[list[Reply | Exception], Server, float]:
    """Asks a served model some prompts at once: replies in order, the server, and what was spent."""
    clock = clock or Clock()

    async def main(server: Server) -> list[Reply | Exception]:
        made = spec(server.url)
        found: dict[int, Reply | Exception] = {}
        with Ledger(folder) as ledger:
            budget = Budget(ledger, max_usd)
            asker = Asker(made, made.connect(), ledger, budget, limits, clock=clock, sleep=clock.sleep)

            async def one(number: int, prompt: str, sample: int) -> None:
                try:
                    found[number] = await asker.ask([ChatMessageUser(content=prompt)], sample)
                except (RequestFailed, SpendLimitReached) as error:
                    found[number] = error

            async with anyio.create_task_group() as group:
                for sample in range(1, samples + 1):
                    for number, prompt in enumerate(prompts):
                        group.start_soon(one, number + (sample - 1) * len(prompts), prompt, sample)
            spent.append(ledger.spent)
        return [found[number] for number in sorted(found)]

    spent: list[float] = []
    with inspects_leftovers(), served(script, port) as server:
        replies = anyio.run(main, server)
    return replies, server, spent[0]


def once_then(first: Action, then: Action) -> Script:
    return lambda _, count: first if count == 1 else then


GOOD = Says("fine", prompt_tokens=100, completion_tokens=20, cached_tokens=40)
COST = (60 * 2.0 + 40 * 0.5 + 20 * 10.0) / 1e6


def test_an_answer_has_its_tokens_cost_and_time(tmp_path: Path) -> None:
    [reply], _, spent = ask(tmp_path, lambda *_: GOOD, ["hello"])
    assert isinstance(reply, Reply)
    one = reply.answered
    assert (one.text, one.input_tokens, one.cached_tokens, one.output_tokens) == ("fine", 60, 40, 20)
    assert one.cost == pytest.approx(COST)
    assert spent == pytest.approx(COST)
    assert one.seconds is not None
    assert one.seconds > 0
    assert (one.retries, reply.replayed) == (0, False)


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    prompts = ["a", "b", "a"]
    first, server, spent = ask(tmp_path, lambda asked, _: Says(asked.upper()), prompts)
    assert sorted(server.seen.items()) == [("a", 1), ("b", 1)]
    again, server, spent_again = ask(tmp_path, lambda *_: Says("other"), prompts, port=server.port)
    assert server.requests == []
    assert spent_again == spent
    assert [r.answered for r in again if isinstance(r, Reply)] == [r.answered for r in first if isinstance(r, Reply)]
    assert all(isinstance(reply, Reply) and reply.replayed for reply in again)


def test_another_server_is_another_model(tmp_path: Path) -> None:
    one, other = spec("http://a.example/v1"), spec("http://b.example/v1")
    assert request_key(one.identity(), [], 1) != request_key(other.identity(), [], 1)
    assert request_key(one.identity(), [], 1) == request_key(spec("http://a.example/v1").identity(), [], 1)


def test_samples_are_asked_one_by_one(tmp_path: Path) -> None:
    _, server, _ = ask(tmp_path, lambda *_: GOOD, ["a"], samples=3)
    assert server.seen == {"a": 3}
    _, server, _ = ask(tmp_path, lambda *_: GOOD, ["a"], samples=4, port=server.port)
    assert server.seen == {"a": 1}


def test_a_server_that_asks_to_wait_is_obeyed(tmp_path: Path) -> None:
    clock = Clock()
    script = once_then(Refuses(429, (("Retry-After", "17"),)), GOOD)
    [reply], server, spent = ask(tmp_path, script, ["a"], clock=clock)
    assert isinstance(reply, Reply)
    assert sum(clock.slept) == 17
    assert (reply.answered.retries, len(server.requests)) == (1, 2)
    assert spent == pytest.approx(COST)


def test_who_is_told_to_wait_waits_with_all_requests_of_the_model(tmp_path: Path) -> None:
    clock = Clock()
    sent: list[float] = []

    def script(asked: str, count: int) -> Action:
        sent.append(clock.now)
        return Refuses(429, (("Retry-After", "30"),)) if (asked, count) == ("a", 1) else GOOD

    async def main(server: Server) -> None:
        made = spec(server.url)
        with Ledger(tmp_path) as ledger:
            limits = Limits(retries=0)
            asker = Asker(made, made.connect(), ledger, Budget(ledger, None), limits, clock=clock, sleep=clock.sleep)
            with pytest.raises(RequestFailed):
                await asker.ask([ChatMessageUser(content="a")], 1)
            await asker.ask([ChatMessageUser(content="b")], 1)

    with inspects_leftovers(), served(script) as server:
        anyio.run(main, server)
    assert sent == [0, 30]


def test_a_server_that_asks_to_wait_too_long_ends_the_request(tmp_path: Path) -> None:
    script = once_then(Refuses(429, (("Retry-After", "86400"),)), GOOD)
    [reply], server, _ = ask(tmp_path, script, ["a"])
    assert isinstance(reply, RequestFailed)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Refuses(500),
        Refuses(503),
        Writes(b"no json at all"),
        Writes(b'"a text"'),
        Writes(b'{"id": "c", "object": "chat.completion", "choices": []}'),
        Writes(b'{"id": "c", "object": "chat.completion"', missing=40),
    ],
    ids=["500", "503", "no JSON", "no object", "no choice", "truncated"],
)
def test_faults_are_repeated_within_limits(tmp_path: Path, fault: Action) -> None:
    clock = Clock()
    [reply], server, _ = ask(tmp_path / "1", once_then(fault, GOOD), ["a"], clock=clock)
    assert isinstance(reply, Reply)
    assert reply.answered.text == "fine"
    assert (reply.answered.retries, clock.slept) == (1, [2.0])
    [reply], server, _ = ask(tmp_path / "2", lambda *_: fault, ["a"], limits=Limits(retries=2), clock=Clock())
    assert isinstance(reply, RequestFailed)
    assert "after 3 attempts" in str(reply)
    assert len(server.requests) == 3


def test_a_stalled_request_is_given_up_and_may_have_been_billed(tmp_path: Path) -> None:
    limits = Limits(timeout=3, retries=1)
    [reply], server, spent = ask(tmp_path, once_then(Stalls(), GOOD), ["a"], limits=limits)
    assert isinstance(reply, Reply)
    assert spent == pytest.approx(COST + most_cost(spec(server.url), ["a"]))


@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_will_not_get_better_is_not_repeated(tmp_path: Path, status: int) -> None:
    [reply], server, spent = ask(tmp_path, lambda *_: Refuses(status), ["a"])
    assert isinstance(reply, RequestFailed)
    assert str(reply).endswith(f"Error code: {status} - no")  # what the server said, not what it was asked
    assert (len(server.requests), spent) == (1, 0)


def test_a_failed_request_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    ask(tmp_path, lambda *_: Refuses(500), ["a"], limits=Limits(retries=0))
    [reply], _, _ = ask(tmp_path, lambda *_: GOOD, ["a"])
    assert isinstance(reply, Reply)


def test_no_more_requests_per_minute_than_allowed(tmp_path: Path) -> None:
    clock = Clock()
    ask(tmp_path, lambda *_: GOOD, ["a", "b", "c", "d"], limits=Limits(per_minute=30), clock=clock)
    assert clock.now == pytest.approx(6)


def test_as_many_requests_at_a_time_as_allowed(tmp_path: Path) -> None:
    two = threading.Barrier(2, timeout=60)

    def script(*_: object) -> Action:
        two.wait()  # until another one is under way
        return GOOD

    replies, server, _ = ask(tmp_path, script, [f"p{number}" for number in range(6)], limits=Limits(concurrency=2))
    assert all(isinstance(reply, Reply) for reply in replies)
    assert server.most_at_once == 2


def test_the_budget_is_never_exceeded(tmp_path: Path) -> None:
    bound = most_cost(spec("http://x"), ["p00"])
    limit = bound + 2.5 * COST
    prompts = [f"p{number:02}" for number in range(10)]
    replies, server, spent = ask(tmp_path, lambda *_: GOOD, prompts, max_usd=limit)
    answered = [reply for reply in replies if isinstance(reply, Reply)]
    assert spent == pytest.approx(len(answered) * COST)
    assert spent <= limit
    assert len(answered) == len(server.requests) == 3
    assert all(isinstance(reply, SpendLimitReached) for reply in replies if not isinstance(reply, Reply))
    assert "not sent: it could cost $0.01" in str(next(r for r in replies if isinstance(r, SpendLimitReached)))


def test_without_money_nothing_is_sent(tmp_path: Path) -> None:
    [reply], server, _ = ask(tmp_path, lambda *_: GOOD, ["a"], max_usd=0.0)
    assert isinstance(reply, SpendLimitReached)
    assert server.requests == []


def test_an_answer_without_a_count_of_tokens_has_no_cost_but_counts_against_the_limit(tmp_path: Path) -> None:
    [reply], server, spent = ask(tmp_path, lambda *_: Says("x", usage=False), ["a"])
    assert isinstance(reply, Reply)
    assert (reply.answered.cost, reply.answered.output_tokens) == (None, None)
    assert spent == most_cost(spec(server.url), ["a"])


def write_some(folder: Path) -> Path:
    with Ledger(folder) as ledger:
        ledger.sent("k1", 0.5)
        ledger.answered("k1", Answered(text="one", cost=0.1))
        ledger.sent("k2", 0.5)
        return ledger.path


def test_a_line_that_was_not_written_to_its_end_is_cut_off(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "answered", "key": "k2", "te')
    with Ledger(tmp_path) as ledger:
        assert ledger.answer("k1") == Answered(text="one", cost=0.1)
        assert ledger.answer("k2") is None
        assert ledger.spent == pytest.approx(0.6)  # k2 is not known to have been answered, and may have been billed
        ledger.answered("k2", Answered(text="two", cost=0.2))
    with Ledger(tmp_path) as ledger:
        assert ledger.spent == pytest.approx(0.3)


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"[]\n", b'{"kind": "paid", "key": "k"}\n', b'{"kind": "sent", "key": "k"}\n']
)
def test_a_damaged_ledger_is_refused_and_named(tmp_path: Path, line: bytes) -> None:
    path = write_some(tmp_path)
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(LedgerError, match=r"answers\.jsonl:4: "):
        Ledger(tmp_path)


def test_two_runs_cannot_write_one_ledger(tmp_path: Path) -> None:
    with Ledger(tmp_path), pytest.raises(LedgerError, match="another run is writing here"):
        Ledger(tmp_path)
