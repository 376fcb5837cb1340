"""`python -m trainer serve`: a checkpoint behind an OpenAI-compatible address, by vLLM."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Final, NamedTuple

import httpx
import typer

from trainer.asking import Asking
from trainer.checkpoints import Checkpoint, find, load_config
from trainer.errors import TrainerError
from trainer.serving import engine_options, environment
from trainer.shards import ready

_ASKS_EVERY: Final = 0.5
_SECONDS_TO_STOP: Final = 30.0


class Served(NamedTuple):
    """A server that answers.

    Attributes:
        url: what OpenAI's clients take as their base address.
        name: by which the model is asked for.
    """

    url: str
    name: str


def command(checkpoint: Checkpoint, config: Any, name: str, host: str, port: int) -> list[str]:
    """The command line of vLLM's server.

    Who asks without saying how gets what training asked with: the chat template's arguments, the longest answer, and
    the model's own probabilities, whatever its generation_config.json says.

    Args:
        checkpoint: see `trainer.shards.ready`.
        config: see `trainer.config.compose`.
        name: of the model; an adapter's base is served as NAME-base.
        host: to listen at.
        port: to listen at.
    """
    asking = Asking.of(config)
    sampling = {"max_new_tokens": asking.longest_answer, "temperature": 1.0, "top_p": 1.0, "top_k": -1}
    options: dict[str, Any] = {
        **engine_options(checkpoint, config),
        "served_model_name": name if checkpoint.adapter is None else f"{name}-base",
        "host": host,
        "port": port,
        "default_chat_template_kwargs": asking.template,
        "override_generation_config": sampling,
    }
    if checkpoint.adapter is not None:
        options["lora_modules"] = {"name": name, "path": str(checkpoint.adapter)}
    model = options.pop("model")
    words = [word for option, value in options.items() for word in _words(option, value)]
    return [sys.executable, "-m", "trainer.vllm_server", "serve", model, *words]


def _words(option: str, value: Any) -> list[str]:
    flag = option.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", json.dumps(value) if isinstance(value, dict) else str(value)]


@contextmanager
def serving(words: list[str], variables: Mapping[str, str], served: Served) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server, from when it answers until the end of the block.

    Args:
        words: its command line.
        variables: its environment.
        served: what it will be.

    Raises:
        TrainerError: it ended before it answered.
    """
    # A session of its own: an interrupt at the terminal is for us, who then stop all of it.
    process = subprocess.Popen(words, env=dict(variables), stdout=sys.stderr, start_new_session=True)
    try:
        _wait_until_ready(process, served)
        yield process
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], served: Served) -> None:
    health = f"{served.url.removesuffix('/v1')}/health"
    while process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(health, trust_env=False).is_success:
                return
        time.sleep(_ASKS_EVERY)
    raise TrainerError(f"the server ended with status {process.returncode} before it answered; see what it printed")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Lets it finish, and ends what is left of it."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_STOP)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def serve_command(
    checkpoint: Annotated[
        str, typer.Argument(help="Folder of a run, a checkpoint, a model or an adapter, or OWNER/NAME on the hub.")
    ],
    port: Annotated[int, typer.Option(help="To listen at.")] = 8000,
    host: Annotated[str, typer.Option(help="To listen at; 0.0.0.0 for all, which anybody can then ask.")] = "127.0.0.1",
    name: Annotated[str | None, typer.Option(help="By which the model is asked for.")] = None,
    overlay: Annotated[
        str | None, typer.Option(help="Overlay that says how the model is asked, where it is of no run of ours.")
    ] = None,
) -> None:
    """Serve a checkpoint to OpenAI's clients, until it is interrupted.

    An adapter is served beside its base, unmerged.

    For instance:

      python -m trainer serve runs/tiny --port 8000

      make bench BENCH_ARGS="--endpoint tiny=http://localhost:8000/v1#tiny"
    """
    found = ready(find(checkpoint))
    config = load_config(found, overlay)
    asked = name or found.name
    served = Served(f"http://{host}:{port}/v1", asked)
    signal.signal(signal.SIGTERM, _interrupted)
    with (
        suppress(KeyboardInterrupt),
        serving(command(found, config, asked, host, port), environment(config), served) as process,
    ):
        print(f"{served.name} answers at {served.url}; stop it with Ctrl-C", flush=True)
        process.wait()
        raise TrainerError(f"the server ended with status {process.returncode}; see what it printed")


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
