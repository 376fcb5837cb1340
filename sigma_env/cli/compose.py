"""``sigma-env compose``: requests and answers about composed rules, to train on."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sigma_env.simulation.compose import Pair


def compose(
    count: Annotated[int, typer.Option(min=1, help="How many pairs.")],
    seed: Annotated[int, typer.Option(help="Another seed gives other rules and words.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; what is there is replaced. Default: stdout.")
    ] = None,
    least: Annotated[float, typer.Option(min=0, max=1, help="Difficulty of the easiest rule.")] = 0.0,
    most: Annotated[float, typer.Option(min=0, max=1, help="Difficulty of the hardest rule.")] = 1.0,
    chats: Annotated[
        bool, typer.Option("--chats", help="Write the whole prompt (system and user message) as `messages`.")
    ] = False,
) -> None:
    """Write requests and answers about composed rules, to train on.

    Rules are put together of invented names, and each is asked for in the
    words of one of the personas, so that the request tells all that the
    answer needs. There are no logs to them. The names are never those of the
    test split of the dataset composed, whatever the seeds.

    One JSON object on each line: id, persona, difficulty, request (or
    messages), answer. A rule of difficulty 0 has one line with one value.
    The same options give the same lines; a larger count only adds more.

    Exit status: 0 if all were written, 1 if not, 2 for a usage error.

    For instance:

      sigma-env compose --count 40000 --seed 1 --out pairs.jsonl

      sigma-env compose --count 1000 --most 0.2 --chats
    """
    from sigma_env.tasks.composed import training_chats

    if least > most:
        raise typer.BadParameter(f"--least {least} is more than --most {most}")
    with ExitStack() as files:
        stream = sys.stdout if out is None else files.enter_context(out.open("w", encoding="utf-8"))
        if chats:
            for chat in training_chats(seed, count, difficulty=(least, most)):
                _write(stream, chat.pair, {"messages": chat.messages})
        else:
            from sigma_env.simulation.compose import training_pairs

            for pair in training_pairs(seed, count, difficulty=(least, most)):
                _write(stream, pair, {"request": pair.request})
    if out is not None:
        print(f"{count:,} pairs: {out}")


def _write(stream: Any, pair: Pair, prompt: dict[str, Any]) -> None:
    head = {"id": pair.composed.rule.meta.id, "persona": pair.persona, "difficulty": pair.composed.difficulty}
    stream.write(json.dumps({**head, **prompt, "answer": pair.answer}, ensure_ascii=False) + "\n")
