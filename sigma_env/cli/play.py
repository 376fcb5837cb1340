"""``sigma-env play``: built-in agents, or a person, answer tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from sigma_env.env import SigmaRuleEnv
    from sigma_env.scoring.agents import Agent
    from sigma_env.scoring.constant import Constant
    from sigma_env.tasks.task import Task

_END = "."
_ANSWER_LINES = 14


class _Episode(NamedTuple):
    task_id: str
    agent: str
    answer: str
    reward: float
    info: dict[str, Any]


def play(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")] = "starter",
    agent: Annotated[str, typer.Option(help="Name of an agent, or all that make sense on the dataset.")] = "all",
    tasks: Annotated[int, typer.Option(min=0, help="Show the play of so many tasks; the table is about all.")] = 3,
    split: Annotated[
        Literal["train", "validation", "test", "all"], typer.Option(help="Which tasks of the dataset.")
    ] = "all",
    interactive: Annotated[bool, typer.Option("--interactive", help="Answer tasks yourself.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the tasks.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Let built-in agents, or you, answer tasks and see the rewards.

    The agents show what a reward is worth. They know the reference or the
    truth, which no model does:

      oracle        the reference itself
      one-literal   its logsource, and its longest text as the only line
      eventid-only  its logsource, and the EventIDs of the true events
      constant      the one answer that earns most if given to every task
      empty         no text at all

    and where the logs cannot show what some tasks ask for:

      never-abstains   the reference itself, there too
      always-abstains  says so of every task

    The table has, for each agent, the mean reward over all tasks, and beside
    it the mean overlap of events (IoU) alone: a rule that only looks in the
    right place earns 0.4 without finding anything.

    With --interactive, you are shown a request, type a rule, end it with a
    line that has only a full stop, and are told what you missed. Ctrl-D
    leaves.

    Exit status: 0; 1 if there is nothing to play; 2 for a usage error.

    For instance:

      sigma-env play starter --agent all

      sigma-env play sigmahq-real --agent one-literal --tasks 10

      sigma-env play --interactive
    """
    from sigma_env.env import SigmaRuleEnv
    from sigma_env.scoring.agents import ABSTAIN_AGENT_NAMES, AGENT_NAMES, make_agent
    from sigma_env.scoring.constant import best_constant

    known = (*AGENT_NAMES, *ABSTAIN_AGENT_NAMES)
    if agent != "all" and agent not in known:
        raise typer.BadParameter(f"unknown agent {agent!r}; there is {', '.join(known)} and all")
    env = SigmaRuleEnv(dataset, None if split == "all" else split, seed=seed)
    if interactive:
        _converse(env)
        return
    playable = env.dataset.playable(env.scorer.engine, None if split == "all" else split)
    sensible = AGENT_NAMES if all(task.detectable for task in playable) else known
    names = sensible if agent == "all" else (agent,)
    agents = [make_agent(name, env.scorer, playable) for name in names]
    episodes = _play(env, agents, playable, 0 if as_json else tasks)
    best = best_constant(env.scorer, playable)
    if as_json:
        print(json.dumps(_as_json(env, agents, episodes, best), indent=1))
    else:
        _print_table(env, agents, episodes, best)


def _play(env: SigmaRuleEnv, agents: Sequence[Agent], tasks: Sequence[Task], shown: int) -> list[_Episode]:
    episodes: list[_Episode] = []
    by_id = {task.id: task for task in tasks}
    for number in range(len(tasks)):
        _, start = env.reset()
        task = by_id[start["task_id"]]
        if number < shown:
            print(f"task {task.id} ({number + 1} of {len(tasks)})\n\n{_indented(task.request)}\n")
        for agent in agents:
            env.reset(options={"task_id": task.id})
            answer = agent.answer(task)
            _, reward, _, _, info = env.step(answer)
            episodes.append(_Episode(task.id, agent.name, answer, reward, info))
            if number < shown:
                _print_episode(episodes[-1], env.max_reward)
    return episodes


def _print_episode(episode: _Episode, best: float) -> None:
    info = episode.info
    counts = f"{info['tp']:,} right, {info['fn']:,} missed, {info['fp']:,} extra"
    iou = info["components"]["iou"]
    print(f"  {episode.agent}: reward {episode.reward:.2f} of {best:.4g}, IoU {iou:.2f} ({counts}), {info['status']}")
    lines = episode.answer.splitlines()
    if len(lines) > _ANSWER_LINES:
        lines = [*lines[:_ANSWER_LINES], f"… {len(lines) - _ANSWER_LINES:,} more lines"]
    print(_indented("\n".join(lines), 4) if lines else "    (no text)", end="\n\n")


def _indented(text: str, width: int = 2) -> str:
    from sigma_env.scoring.explain import printable

    return "\n".join(" " * width + printable(line) for line in text.splitlines())


class _Row(NamedTuple):
    """Means over an agent's episodes; `solved` is the share with an IoU of 1."""

    reward: float
    iou: float
    logsource_correct: float
    yaml_valid: float
    solved: float


def _row(episodes: Sequence[_Episode], agent: str) -> _Row:
    own = [episode for episode in episodes if episode.agent == agent]
    components = [episode.info["components"] for episode in own]
    return _Row(
        sum(episode.reward for episode in own) / len(own),
        sum(each["iou"] for each in components) / len(own),
        sum(each["logsource_correct"] for each in components) / len(own),
        sum(each["yaml_valid"] for each in components) / len(own),
        sum(each["iou"] == 1 for each in components) / len(own),
    )


def _print_table(env: SigmaRuleEnv, agents: Sequence[Agent], episodes: Sequence[_Episode], best: Constant) -> None:
    count = len({episode.task_id for episode in episodes})
    print(f"means over {count:,} tasks of {env.dataset.name}; the best reward is {env.max_reward:.4g}\n")
    print(f"  {'agent':<13} {'reward':>7} {'IoU':>6} {'logsource':>10} {'valid':>6} {'solved':>7}   what it answers")
    for agent in agents:
        row = _row(episodes, agent.name)
        print(
            f"  {agent.name:<13} {row.reward:>7.3f} {row.iou:>6.3f} {row.logsource_correct:>10.2f}"
            f" {row.yaml_valid:>6.2f} {row.solved:>6.0%}    {agent.about}"
        )
    print(f"\n  the best constant answer earns {best.reward:.3f}, with an IoU of {best.iou:.3f}")


def _as_json(
    env: SigmaRuleEnv, agents: Sequence[Agent], episodes: Sequence[_Episode], best: Constant
) -> dict[str, Any]:
    return {
        "dataset": env.dataset.name,
        "max_reward": env.max_reward,
        "best_constant": best._asdict(),
        "agents": {agent.name: {"about": agent.about, **_row(episodes, agent.name)._asdict()} for agent in agents},
        "episodes": [
            {"agent": episode.agent, "answer": episode.answer, "reward": episode.reward, **episode.info}
            for episode in episodes
        ],
    }


def _converse(env: SigmaRuleEnv) -> None:
    """Asks a person until the end of the input."""
    while True:
        _, start = env.reset()
        task = env.dataset.task(start["task_id"])
        print(f"task {task.id}\n\n{_indented(task.request)}\n\nYour rule, and at its end a line with only a full stop:")
        lines: list[str] = []
        for line in sys.stdin:
            if line.rstrip() == _END:
                break
            lines.append(line)
        else:
            if not any(map(str.strip, lines)):
                return
        score = env.scorer.score(task, "".join(lines))
        env.conclude("".join(lines), score)
        print(f"\n{score.explain()}\n")
