"""`python -m trainer evaluate`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from trainer.errors import ConfigError
from trainer.evaluate.request import Decoding, Request, Result
from trainer.evaluate.start import evaluate_all

Overlay = Annotated[
    str | None, typer.Option(help="Overlay that says how the model is asked, where it is of no run of ours.")
]


def evaluate(
    checkpoint: Annotated[
        str | None,
        typer.Argument(help="Folder of a run, a checkpoint, a model or an adapter, or OWNER/NAME on the hub."),
    ] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="URL", help="OpenAI-compatible server, instead.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Which model of --endpoint.")] = None,
    dataset: Annotated[str, typer.Option(help="Dataset; by default the one that the configuration names.")] = "",
    split: Annotated[list[str] | None, typer.Option(help="train, validation, test or all. Repeatable.")] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="Only so many tasks, always the same ones.")] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="One answer a task, of the likeliest tokens.")] = False,
    temperature: Annotated[float | None, typer.Option(min=0.01, help="Sample answers, at this temperature.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each task that are sampled.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    overlay: Overlay = None,
    name: Annotated[str, typer.Option(help="Of the files, where there is one split and one decoding.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the files; by default RUN/evaluation, or out/evaluation.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summaries as JSON.")] = False,
) -> None:
    """Ask a model a dataset's tasks by vLLM, and score its answers.

    Without --temperature, it is asked greedily; with both --greedy and
    --temperature, in both ways. The model is loaded once.

    Each evaluation writes NAME.jsonl with all answers, and NAME.json with the
    means. The same command goes on after a stop.

    For instance:

      python -m trainer evaluate runs/tiny --greedy --temperature 1 --samples 4

      python -m trainer evaluate Qwen/Qwen3-14B --overlay qwen3_14b --tasks 100

      python -m trainer evaluate --endpoint http://localhost:8000/v1 --model mine --overlay tiny
    """
    asked = _model(checkpoint, endpoint, model)
    decodings = [Decoding(temperature=temperature, samples=samples)] if temperature is not None else []
    if temperature is None and samples > 1:
        raise ConfigError(f"--samples {samples} needs --temperature: greedily, all answers would be the same")
    if greedy or not decodings:
        decodings.insert(0, Decoding())
    splits = split or ["test"]
    if name and len(splits) * len(decodings) > 1:
        raise ConfigError("--name is for one split and one decoding; leave it out, and each gets a name of its own")
    results = evaluate_all(
        [
            Request(
                model=asked, endpoint=endpoint or "", dataset=dataset, split=one, tasks=tasks, decoding=decoding,
                seed=seed, overlay=overlay or "", name=name, folder=out,
            )
            for one in splits
            for decoding in decodings
        ]
    )  # fmt: skip
    if as_json:
        print(orjson.dumps([result.summary for result in results], option=orjson.OPT_INDENT_2).decode())
    else:
        print(table(results))


def _model(checkpoint: str | None, endpoint: str | None, model: str | None) -> str:
    """What is asked.

    Raises:
        ConfigError: nothing, or two things.
    """
    if endpoint is None and model is None and checkpoint is not None:
        return checkpoint
    if endpoint is not None and model is not None and checkpoint is None:
        return model
    raise ConfigError("name a CHECKPOINT, or a server with --endpoint URL and --model NAME")


def table(results: Sequence[Result]) -> str:
    """The means for people, with the best constant answer beside them."""
    lines = [
        f"{'evaluation':<44} {'tasks':>6} {'clusters':>8}  {'reward':<22} {'IoU':<22} {'cut off':>7} {'overlong':>8}"
    ]
    for summary in (result.summary for result in results):
        lines.append(
            f"{summary['name']:<44} {summary['tasks']:>6} {summary['clusters']:>8}  "
            f"{_shown(summary, 'reward'):<22} {_shown(summary, 'iou'):<22} "
            f"{summary['cut_off']:>7} {len(summary['overlong']):>8}"
        )
        constant = summary["constant"]
        best = "  best constant answer, for comparison"
        lines.append(f"{best:<44} {'':>15}  {constant['reward']:<22.3f} {constant['iou']:<22.3f}")
    lines += [str(result.answers) for result in results]
    return "\n".join(lines)


def _shown(summary: Mapping[str, Any], name: str) -> str:
    if name not in summary["means"]:
        return ""
    low, high = summary["intervals"][name]
    return f"{summary['means'][name]:.3f} [{low:.3f}, {high:.3f}]"
