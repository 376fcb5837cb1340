"""`python -m benchmarks`: ask models, and make the tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from sigma_env.errors import SigmaEnvError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.models import Choice, ModelSpec
    from benchmarks.runs import Estimate, Settings

app = typer.Typer(
    help="Ask models for Sigma rules and make the tables and figures.", no_args_is_help=True, add_completion=False
)

Out = Annotated[Path, typer.Option(help="Folder of logs, answers and tables. A run that was stopped goes on there.")]
Catalogue = Annotated[Path | None, typer.Option(help="Catalogue of models; by default the one of this package.")]
Endpoints = Annotated[
    list[str] | None, typer.Option(help="NAME=URL#MODEL: a model of an OpenAI-compatible server. Repeatable.")
]
MaxTokens = Annotated[
    int | None, typer.Option(min=1, help="The most that an --endpoint may answer; by default what its server allows.")
]
DEFAULT_OUT = Path("out/bench")


@app.command()
def run(
    model: Annotated[list[str] | None, typer.Option(help="Name of a model, or all. Repeatable.")] = None,
    endpoint: Endpoints = None,
    max_tokens: MaxTokens = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Name of a dataset. Repeatable.")] = None,
    split: Annotated[str, typer.Option(help="train, validation, test or all.")] = "test",
    strategy: Annotated[list[str] | None, typer.Option(help="zero-shot, few-shot or fields. Repeatable.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers per task.")] = 1,
    rewordings: Annotated[
        int, typer.Option(min=0, help="Ask each task so often again in another persona's words.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many tasks.")] = None,
    max_usd: Annotated[float | None, typer.Option(help="What all runs in this folder may cost together.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests under way at a time, per model.")] = 8,
    per_minute: Annotated[float | None, typer.Option(min=0.001, help="Requests per minute, per model.")] = None,
    retries: Annotated[int, typer.Option(min=0, help="Attempts after the first.")] = 5,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one attempt.")] = 600.0,
    out: Out = DEFAULT_OUT,
    models: Catalogue = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and ask nobody.")] = False,
    display: Annotated[str, typer.Option(help="How Inspect shows progress: none, plain, rich or full.")] = "plain",
) -> None:
    """Ask models, and write the tables.

    The reference agents always run, and need no key. Without --model, all
    models run whose key or server is set; the others are named and skipped.

    Answers are kept in the folder as they come. The same command goes on
    after a stop, and asks for no answer twice.

    For instance:

      python -m benchmarks run --model gpt-5-mini --max-usd 5 --dry-run

      python -m benchmarks run --endpoint mine=http://localhost:8000/v1#Qwen3
    """
    from inspect_ai.util import DisplayType

    from benchmarks.asking import Limits
    from benchmarks.inspect_task import checked_strategy
    from benchmarks.ledger import checked_limit
    from benchmarks.runs import Settings
    from benchmarks.runs import run as run_all

    known, choice = _choose(models, model, endpoint, max_tokens)
    choice = _bounded(choice, checked_limit(max_usd))
    shown = next((one for one in get_args(DisplayType) if one == display), None)
    if shown is None:
        raise typer.BadParameter(f"unknown display {display!r}; there is {', '.join(get_args(DisplayType))}")
    settings = Settings(
        out=out,
        datasets=tuple(dataset or ("starter",)),
        split=split,
        strategies=tuple(checked_strategy(name) for name in strategy or ("zero-shot",)),
        models=choice.ready,
        samples=samples,
        rewordings=rewordings,
        limit=limit,
        max_usd=max_usd,
        limits=Limits(concurrency=concurrency, per_minute=per_minute, retries=retries, timeout=timeout),
        display=shown,
    )
    for name, why in choice.skipped.items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    if dry_run:
        _print_estimates(settings)
        return
    run_all(settings)
    _write(out, known, choice.skipped)


@app.command()
def report(out: Out = DEFAULT_OUT, models: Catalogue = None) -> None:
    """Write the tables of what has been run, and ask nobody."""
    known, choice = _choose(models, ["all"])
    _write(out, known, choice.skipped)


@app.command("models")
def list_models(models: Catalogue = None) -> None:
    """List the models, and what keeps each from running here."""
    known, choice = _choose(models, ["all"])
    for spec in known.values():
        price = (
            "no price" if spec.price is None else f"${spec.price.input:g} / ${spec.price.output:g} ({spec.price.date})"
        )
        print(f"{spec.name:<22} {spec.group:<13} {price:<26} {choice.skipped.get(spec.name, 'ready')}")


def _choose(
    catalogue: Path | None,
    names: Sequence[str] | None,
    endpoints: Sequence[str] | None = None,
    max_tokens: int | None = None,
) -> tuple[dict[str, ModelSpec], Choice]:
    from benchmarks.models import CATALOGUE, choose, endpoint, load_models

    known = load_models(catalogue or CATALOGUE)
    added = {spec.name: spec for spec in (endpoint(text, max_tokens) for text in endpoints or ())}
    # Who names an endpoint and nothing else wants that one, not every model whose key happens to be set.
    wanted = [*(names if names is not None else () if added else ("all",)), *added]
    return known, choose({**known, **added}, wanted)


def _bounded(choice: Choice, max_usd: float | None) -> Choice:
    """Without the models that a spend limit could not hold: those that bill us, and of which no price is known."""
    from benchmarks.models import Choice

    if max_usd is None:
        return choice
    unbounded = {spec.name for spec in choice.ready if spec.key and spec.price is None}
    why = "it has no price, so --max-usd cannot hold; give it one in the catalogue, or leave --max-usd out"
    ready = tuple(spec for spec in choice.ready if spec.name not in unbounded)
    return Choice(ready, {**choice.skipped, **dict.fromkeys(sorted(unbounded), why)})


def _print_estimates(settings: Settings) -> None:
    from benchmarks.ledger import Ledger
    from benchmarks.runs import estimate

    with Ledger(settings.out) as ledger:
        found = estimate(settings, ledger)
        spent = ledger.spent
    print(
        f"{'model':<22} {'dataset':<16} {'prompt':<10} {'requests':>8} {'to ask':>8} {'at most':>12} {'expected':>12}"
    )
    for one in found:
        print(_estimate_line(one))
    if not found:
        print("no model but the reference agents would run")
    bounds = [one.at_most for one in found if one.at_most is not None]
    print(f"spent so far ${spent:.4f}; the requests that are left can cost at most ${sum(bounds):.2f}")
    print("expected: as much per request as the model's answers so far; empty if it has given none, or has no price")


def _estimate_line(one: Estimate) -> str:
    at_most = "" if one.at_most is None else f"${one.at_most:.2f}"
    expected = "" if one.expected is None else f"${one.expected:.2f}"
    left = one.requests - one.answered
    return (
        f"{one.model:<22} {one.dataset:<16} {one.strategy:<10} {one.requests:>8} {left:>8} {at_most:>12} {expected:>12}"
    )


def _write(out: Path, models: Mapping[str, ModelSpec], skipped: Mapping[str, str]) -> None:
    from benchmarks.output import write_report
    from benchmarks.report import make_report
    from benchmarks.results import load_results
    from benchmarks.tables import to_markdown

    made = make_report(load_results(out), models, skipped)
    if not made.results:
        print(f"{out}: there is no finished run; start one with: python -m benchmarks run", file=sys.stderr)
        raise typer.Exit(1)
    page = write_report(made, out)
    for table in made.tables:
        if table.name.startswith("table"):
            print(to_markdown(table))
    print(f"all tables and figures: {page}")


def main() -> None:
    """Runs the command line; an error of ours is one line."""
    try:
        app()
    except SigmaEnvError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
