"""Whether long training leaks: one process, many steps, no answer twice, and what memory does meanwhile.

    python -m benchmarks.memory [--dataset starter] [--steps 100000] [--json FILE]

Caches may fill during the first tenth of the steps; from there on memory must stay within 1 %.
"""

import argparse
import ctypes
import gc
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sigma_env.env import SigmaRuleEnv
from sigma_env.tasks.reference import reference_answer

ALLOWED_GROWTH: Final = 0.01
_SAMPLES: Final = 10
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzäößλ界🦉"


def varied(text: str, draw: random.Random) -> str:
    """Another text each time, as a model under training writes them: mostly rules, some of them broken in some way.

    Args:
        text: an answer.
        draw: where the variety comes from.
    """
    word = "".join(draw.choices(_LETTERS, k=12))
    kind = draw.randrange(12)
    if kind < 4:
        return text.replace("selection", f"selection_{draw.randrange(10**9)}")
    if kind == 4:
        return text.replace("category:", f"category: {word} #").replace("service:", f"service: {word} #")
    if kind == 5:
        return text.replace("condition:", f"  {word}|contains: x\n  condition:")
    if kind == 6:
        return f"<think>{word}</think>\n{text}"
    if kind == 7:
        return text[: draw.randrange(1, len(text))] + word
    value = draw.choice((f"'*{word}*x'", f"'{word}'", str(draw.randrange(10**9))))
    test = draw.choice((f"CommandLine|re: '{word}.*x+'", f"{word}: {value}", f"EventID: {draw.randrange(70_000)}"))
    place = draw.choice(("category: process_creation", "service: security", "product: windows"))
    selection = f"{word}:\n    {test}\n    Image: {value}"
    return f"```yaml\nlogsource: {{{place}}}\ndetection:\n  {selection}\n  condition: {word}\n```"


def settle() -> None:
    """Collects garbage, and lets glibc give back what it holds free: a large answer's peak is no growth."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def resident() -> int:
    """Bytes of memory that the process has in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def run(env: SigmaRuleEnv, steps: int, seed: int = 0) -> Iterator[tuple[int, int]]:
    """Plays and tells now and then how much memory is in use.

    Args:
        env: where to play.
        steps: how many episodes.
        seed: of tasks and answers.

    Yields:
        (steps done, bytes), every tenth of the steps.
    """
    draw = random.Random(seed)
    env.reset(seed=seed)
    for step in range(1, steps + 1):
        env.step(varied(reference_answer(env.open_task), draw))
        env.reset()
        if step % max(1, steps // _SAMPLES) == 0:
            settle()
            yield step, resident()


def main() -> int:
    """Runs the measurement; 1 if memory grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", default="starter")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    env = SigmaRuleEnv(arguments.dataset, split=None)
    samples: list[tuple[int, int]] = []
    for step, used in run(env, arguments.steps):
        samples.append((step, used))
        print(f"{step:>9,} steps  {used / 1e6:8.2f} MB", flush=True)
    growth = samples[-1][1] / samples[0][1] - 1
    figures: dict[str, Any] = {
        "dataset": arguments.dataset,
        "steps": arguments.steps,
        "bytes": dict(samples),
        "growth": growth,
        "allowed_growth": ALLOWED_GROWTH,
    }
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"growth from {samples[0][0]:,} to {samples[-1][0]:,} steps: {growth:+.2%} (at most {ALLOWED_GROWTH:.0%})")
    return int(growth > ALLOWED_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
