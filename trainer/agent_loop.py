"""How a rollout is made: one question, one answer, sampled with a seed of its own."""

from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from trainer.seeds import request_seed


class SeededAgentLoop(SingleTurnAgentLoop):
    """verl's single turn, in which a request's seed follows from what the request is.

    verl's own `full_determinism` would give the rollouts of a prompt one seed, and every group zero variance.
    """

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Makes one rollout.

        Args:
            sampling_params: shared by the rollouts of a prompt, so that it is left as it is.
            **row: the task's row, with verl's `global_steps` and `session_id`; in training also `repeat`, how often
                the task was dispatched in this step before.
        """
        rollout = row["session_id"] + row.get("repeat", 0) * self.rollout_config.n
        task_id = row["extra_info"]["task_id"]
        seed = request_seed(self.rollout_config.seed, row["global_steps"], task_id, rollout)
        return await super().run({**sampling_params, "seed": seed}, **row)
