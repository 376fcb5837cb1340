"""A checkpoint behind OpenAI's interface: a server that is started as a user starts it, asked by their clients."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages
from tests.trainer.saved import adapted, verl_run
from tests.trainer.speaking import teach
from tests.trainer.test_configs import composed
from trainer.checkpoints import Checkpoint
from trainer.errors import TrainerError
from trainer.evaluate import Request, Result, evaluate
from trainer.serve import Served, command, serving

ROOT = Path(__file__).parents[2]
DATASET = load_dataset("starter")
ABOUT = {"r": 4, "lora_alpha": 16, "task_type": "CAUSAL_LM"}
TASKS = 4


class Server(NamedTuple):
    """A server of a LoRA run's checkpoint."""

    process: subprocess.Popen[str]
    run: Path
    url: str
    name: str

    def ask(self, task_id: str, **options: Any) -> Any:
        """Asks as any client does, who knows nothing of how the model was trained."""
        with openai.OpenAI(base_url=self.url, api_key="none") as client:
            chat: Any = messages(DATASET.task(task_id))
            return client.chat.completions.create(**{"model": self.name, "messages": chat, **options})


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    teach(folder / "base", DATASET.of_split("train")[:8])
    verl_run(folder / "run", folder / "base", adapted(folder / "base").state_dict(), ABOUT)
    environment = {name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"}
    words = [sys.executable, "-m", "trainer", "serve", str(folder / "run"), f"--port={free_port()}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"(\S+) answers at (http://127\.0\.0\.1:\d+/v1); stop it with Ctrl-C\n", line)
        try:
            assert found, (folder / "log").read_text()[-5000:]
            yield Server(process, folder / "run", found[2], found[1])
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(90) == (0 if found else 1)
            process.stdout.close()


@pytest.fixture(scope="module")
def here(server: Server) -> Result:
    """The same checkpoint, evaluated without a server."""
    return evaluate(Request(model=str(server.run), dataset="starter", tasks=TASKS, name="here"))


def test_a_client_gets_the_answers_that_an_evaluation_gets(server: Server, here: Result) -> None:
    rows = list(here.rows())
    assert len(rows) == TASKS
    for row in rows:
        reply = server.ask(row["task_id"], temperature=0)
        assert reply.choices[0].message.content == row["answer"]
        assert reply.choices[0].finish_reason == row["finish"]


def test_an_endpoint_is_evaluated_like_a_checkpoint(server: Server, here: Result) -> None:
    there = evaluate(
        Request(
            model=server.name,
            endpoint=server.url,
            overlay="tiny",
            dataset="starter",
            tasks=TASKS,
            folder=server.run / "there",
        )
    )
    # The overlay's answers may be longer than those of the run, which ends them after 16 tokens.
    for row, other in zip(here.rows(), there.rows(), strict=True):
        assert other["task_id"] == row["task_id"]
        assert other["answer"].startswith(row["answer"])
        assert other["tokens"] >= row["tokens"]


def test_who_says_nothing_gets_the_runs_longest_answer_and_its_base_is_there_too(server: Server) -> None:
    task = DATASET.of_split("test")[0].id
    assert server.ask(task).usage.completion_tokens <= 16
    adapter, base = (
        server.ask(task, model=name, temperature=0, logprobs=True) for name in (server.name, f"{server.name}-base")
    )
    first = [reply.choices[0].logprobs.content[0].logprob for reply in (adapter, base)]
    assert first[0] != pytest.approx(first[1], abs=1e-4)  # they may still write the same


def test_it_goes_through_the_model_table(server: Server, tmp_path: Path) -> None:
    words = f"--endpoint small={server.url}#{server.name} --limit 3 --out {tmp_path}/bench --display none"
    done = subprocess.run(
        ["make", "bench", f"BENCH_ARGS={words}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads((tmp_path / "bench/tables.json").read_text(encoding="utf-8"))["table1-starter-test"]["rows"]
    by_title = {row["title"]: row for row in rows}
    assert (by_title["small"]["scored"], by_title["small"]["unscored"]) == (3, 0)
    assert by_title["small"]["output_tokens"] > 0
    assert by_title["Oracle: the reference itself"]["reward"] == pytest.approx(1.1)


def test_a_server_that_ends_before_it_answers_is_an_error() -> None:
    served = Served(f"http://127.0.0.1:{free_port()}/v1", "m")
    with pytest.raises(TrainerError, match="ended with status 3"), serving(["sh", "-c", "exit 3"], {}, served):
        pass


def living(group: int) -> list[str]:
    """States of the processes of a group that have not ended; who ended may wait to be collected by its parent."""
    found = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return [state for pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    """As vLLM's engine would, were its server killed: here a shell's child, beside something that answers."""
    (tmp_path / "health").touch()
    port = free_port()
    web = f"'{sys.executable}' -m http.server {port} --bind 127.0.0.1 --directory '{tmp_path}'"
    served = Served(f"http://127.0.0.1:{port}/v1", "m")
    with serving(["sh", "-c", f"sleep 1000 & exec {web}"], os.environ, served) as process:
        assert len(living(process.pid)) == 2
    for _ in range(100):  # what was killed ends when it next runs
        if not living(process.pid):
            break
        time.sleep(0.1)
    assert living(process.pid) == []


PLAIN = Checkpoint("mine", "/models/mine")


def options(checkpoint: Checkpoint, overlay: str) -> dict[str, str]:
    words = command(checkpoint, composed(overlay), "mine", "127.0.0.1", 8000)
    assert words[1:5] == ["-m", "trainer.vllm_server", "serve", checkpoint.model]
    flags = " ".join(words[5:]).split(" --")
    return dict((*flag.removeprefix("--").split(" ", 1), "")[:2] for flag in flags)


@pytest.mark.parametrize("overlay", ["tiny", "qwen3_14b", "gpt_oss_20b"])
def test_a_server_asks_as_the_overlay_says(overlay: str) -> None:
    config, given = composed(overlay), options(PLAIN, overlay)
    assert json.loads(given["default-chat-template-kwargs"]) == dict(config.data.apply_chat_template_kwargs)
    assert json.loads(given["override-generation-config"])["max_new_tokens"] == config.data.max_response_length
    assert int(given["max-model-len"]) == config.actor_rollout_ref.rollout.max_model_len
    assert given["tensor-parallel-size"] == str(config.actor_rollout_ref.rollout.tensor_model_parallel_size)
    assert given["served-model-name"] == "mine"


def test_gpt_oss_is_served_as_it_is_with_the_adapter_beside_it(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 32}), encoding="utf-8")
    given = options(Checkpoint("mine", "openai/gpt-oss-20b", tmp_path), "gpt_oss_20b")
    assert given["enable-lora"] == ""
    assert given["max-lora-rank"] == "32"
    assert json.loads(given["lora-modules"]) == {"name": "mine", "path": str(tmp_path)}
    assert given["served-model-name"] == "mine-base"
    assert json.loads(given["default-chat-template-kwargs"])["reasoning_effort"] == "low"
    assert "quantization" not in given
