"""Seeds of requests, derived from what a request is, so that they do not depend on when it is sent or by whom."""

from hashlib import blake2b


def request_seed(run_seed: int, step: int, task_id: str, rollout: int) -> int:
    """The seed with which vLLM samples one answer.

    Args:
        run_seed: of the run or the evaluation.
        step: of training; 0 outside of it.
        task_id: of the task that is asked.
        rollout: index of the answer among those to the same prompt.

    Returns:
        A number in 0…2^63 - 1, which vLLM takes, the same in every process.
    """
    name = f"{run_seed} {step} {task_id} {rollout}"
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) >> 1
