"""``sigma-env score``: what an answer earns, and which line decided on each wrong event."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from sigma_env.scoring.score import Score
    from sigma_env.scoring.scorer import Scorer

_LINES_AT_ONCE = 256


def score(
    answer: Annotated[
        str | None,
        typer.Argument(metavar="[ANSWER]", help="File with the answer: a rule, or a model's text; - is stdin."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Id of the task that is answered, or its beginning.")] = None,
    dataset: Annotated[str, typer.Option(help="Dataset that the task is of.")] = "starter",
    reference: Annotated[
        Path | None, typer.Option(help="Rule to compare the answer with, instead of a task; needs --logs.")
    ] = None,
    logs: Annotated[list[Path] | None, typer.Option(help="EVTX file or folder for --reference; repeatable.")] = None,
    answers: Annotated[
        Path | None,
        typer.Option(help='Score a file of lines {"task_id": …, "answer": …} again; prints a JSON object per line.'),
    ] = None,
    engine: Annotated[Literal["native", "chainsaw"], typer.Option(help="Who runs the rules.")] = "native",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Score an answer and name the line that decided on each wrong event.

    The reward is 0.1 for a valid rule, 0.3 for the right logsource and 0.7
    times the overlap (intersection over union) of the events that the answer
    matches with those that are asked for.

    Missed events are shown with the line of the answer that failed on them,
    extra ones with the line of the reference that excludes them, each beside
    the value that the event has. That tells what the reference is.

    Without a task, --reference compares two rules on any logs; there, every
    matching event counts.

    Exit status: 0 whatever the answer earned; 1 if it could not be scored;
    2 for a usage error.

    For instance:

      sigma-env score --task 3f2a answer.yml

      sigma-env score --reference theirs.yml --logs evtx/ mine.yml

      sigma-env score --dataset sigmahq-real --answers rollouts.jsonl
    """
    wanted = {"--task": task, "--reference": reference, "--answers": answers}
    if sum(value is not None for value in wanted.values()) != 1:
        raise typer.BadParameter("give one of --task, --reference and --answers")
    if (reference is None) != (not logs):
        raise typer.BadParameter("--reference and --logs go together")
    if (answers is None) == (answer is None):
        raise typer.BadParameter(
            "give the answer's file, or - for stdin" if answers is None else "--answers is the file"
        )
    if answers is not None:
        _score_lines(answers, dataset, engine)
        return
    assert answer is not None
    text = _read(answer)
    if reference is not None:
        scored = _against_rule(text, reference, logs or [], engine)
    else:
        assert task is not None
        scored = _scorer(dataset, engine).score(task, text)
    print(json.dumps(_as_json(scored), indent=1) if as_json else scored.explain())


def _scorer(dataset: str, engine: str) -> Scorer:
    from sigma_env.scoring.scorer import Scorer
    from sigma_env.tasks.dataset import load_dataset

    return Scorer(load_dataset(dataset), engine)


def _read(path: str) -> str:
    """The text of a file; what is no UTF-8 becomes U+FFFD, for an answer may be any text."""
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    return data.decode("utf-8", "replace")


def _against_rule(text: str, reference: Path, logs: list[Path], engine: str) -> Score:
    from sigma_env.cli._logs import open_logs
    from sigma_env.scoring.scorer import score_rule
    from sigma_env.sigma.files import load_rules

    loaded = load_rules([reference])
    if len(loaded) != 1:
        raise typer.BadParameter(f"--reference: {reference} holds {len(loaded)} rules; give a file with one")
    rule = loaded[0].rule
    if rule is None:
        raise typer.BadParameter(f"--reference: {reference}: {loaded[0].reason}")
    return score_rule(text, rule, open_logs(logs), engine)


def _score_lines(path: Path, dataset: str, engine: str) -> None:
    scorer = _scorer(dataset, engine)
    batch: list[tuple[str, str]] = []
    for line in _lines(path):
        batch.append(line)
        if len(batch) == _LINES_AT_ONCE:
            _print_scores(scorer, batch)
            batch.clear()
    _print_scores(scorer, batch)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    from sigma_env.errors import SigmaEnvError

    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise SigmaEnvError(f"{path}, line {number}: no JSON: {error}") from None
            wrong = [name for name in ("task_id", "answer") if not isinstance(_get(fields, name), str)]
            if wrong:
                raise SigmaEnvError(f"{path}, line {number}: {wrong[0]!r} must be a text")
            yield fields["task_id"], fields["answer"]


def _get(fields: Any, name: str) -> Any:
    return fields.get(name) if isinstance(fields, dict) else None


def _print_scores(scorer: Scorer, batch: list[tuple[str, str]]) -> None:
    for scored in scorer.score_batch(list(batch)):
        print(json.dumps(_numbers(scored)))


def _numbers(scored: Score) -> dict[str, Any]:
    return {
        "task_id": scored.task_id,
        "reward": scored.reward,
        "status": scored.status,
        "reason": scored.reason,
        "components": dict(scored.components),
        "tp": scored.tp,
        "fp": scored.fp,
        "fn": scored.fn,
    }


def _as_json(scored: Score) -> dict[str, Any]:
    examples = {kind: [str(ref) for ref in refs] for kind, refs in scored.examples.items()}
    return {**_numbers(scored), "examples": examples, "explanation": scored.explain()}
