"""SigmaRuleVectorEnv: many episodes side by side, their answers scored with one call of the engine."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from sigma_env.env import SigmaRuleEnv
from sigma_env.errors import OptionError

_Flags = npt.NDArray[np.bool_]


class SigmaRuleVectorEnv(VectorEnv[tuple[str, ...], Sequence[str], npt.NDArray[Any]]):
    """What plain `gymnasium.make_vec` makes; like SyncVectorEnv of as many SigmaRuleEnv with same-step autoreset.

    So each step returns the prompts of the next tasks, and `info["final_info"]` tells of the answers just given.

    Attributes:
        envs: the environments.
        max_reward: what the best answer earns.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  # as in VectorEnv
        **SigmaRuleEnv.metadata,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        dataset: str = "starter",
        split: str | None = "train",
        engine: str = "native",
        semantics: str = "sigma",
        weights: Mapping[str, float] | None = None,
        seed: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Makes the environments; they share the dataset and the scorer.

        Args:
            num_envs: how many.
            dataset: as for SigmaRuleEnv, like the others.
            split: which tasks.
            engine: runs the rules.
            semantics: what rules mean.
            weights: of the components.
            seed: of the first reset, unless that brings its own: seed, seed + 1, …
            render_mode: "ansi", "human" or None.

        Raises:
            DatasetNotBuilt: the dataset is not on this machine; the message says how to build it.
            OptionError: an argument has a value that is not served.
        """
        if num_envs < 1:
            raise OptionError(f"num_envs must be at least 1, not {num_envs}")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.envs = [
            SigmaRuleEnv(
                dataset, split, engine, semantics, weights, None if seed is None else seed + number, render_mode
            )
            for number in range(num_envs)
        ]
        first = self.envs[0]
        self.max_reward = first.max_reward
        self.single_observation_space = first.observation_space
        self.single_action_space = first.action_space
        self.observation_space = batch_space(first.observation_space, num_envs)
        self.action_space = batch_space(first.action_space, num_envs)
        self._observations = [""] * num_envs

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]  # as SyncVectorEnv has it
        """The seed of each environment."""
        return tuple(env.np_random_seed for env in self.envs)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment."""
        return tuple(env.np_random for env in self.envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Begins an episode in each environment.

        Args:
            seed: None; one number, from which the environments get seed, seed + 1, …; or one for each.
            options: "task_id" as for SigmaRuleEnv, one id for all or a list with one for each; "reset_mask", a bool
                array of shape (num_envs,), leaves the episodes of the others as they are.

        Returns:
            The prompts, and their infos as SyncVectorEnv lays them out.

        Raises:
            OptionError: an option or the number of seeds is wrong.
            DatasetError: the dataset has no such task.
        """
        seeds = self._seeds(seed)
        own = dict(options or {})
        mask = self._mask(own.pop("reset_mask", None))
        task_ids = own.pop("task_id", None)
        if task_ids is None or isinstance(task_ids, str):
            task_ids = [task_ids] * self.num_envs
        elif len(task_ids) != self.num_envs:
            raise OptionError(f"options['task_id'] has {len(task_ids)} ids for {self.num_envs} environments")
        infos: dict[str, Any] = {}
        for i, env in enumerate(self.envs):
            if mask[i]:
                wanted = own if task_ids[i] is None else {**own, "task_id": task_ids[i]}
                self._observations[i], info = env.reset(seed=seeds[i], options=wanted)
                infos = self._add_info(infos, info, i)
        return tuple(self._observations), infos

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise OptionError(f"{len(seed)} seeds were given for {self.num_envs} environments")
        return seed

    def _mask(self, mask: Any) -> _Flags:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        if (
            not isinstance(mask, np.ndarray)
            or mask.dtype != np.bool_
            or mask.shape != (self.num_envs,)
            or not mask.any()
        ):
            raise OptionError(
                f"options['reset_mask'] must be a bool array of shape ({self.num_envs},) with at least one True"
            )
        flags: _Flags = mask
        return flags

    def step(
        self, actions: Sequence[str]
    ) -> tuple[tuple[str, ...], npt.NDArray[np.float64], _Flags, _Flags, dict[str, Any]]:
        """Scores an answer for each environment and begins their next episodes.

        Args:
            actions: num_envs texts.

        Returns:
            The next prompts; rewards, float64, shape (num_envs,); terminations, all True; truncations, all False; and
            the infos: "final_obs" and "final_info" of the episodes that ended, beside those of the new ones.

        Raises:
            OptionError: not as many actions as environments.
            ResetNeeded: `reset` was not called.
            EngineError: the engine failed; all episodes stay open.
        """
        if isinstance(actions, str) or len(actions) != self.num_envs:
            given = "one text" if isinstance(actions, str) else f"{len(actions)} actions"
            raise OptionError(f"{given} given for {self.num_envs} environments; give a sequence with one text for each")
        tasks = [env.open_task for env in self.envs]
        scores = self.envs[0].scorer.score_batch(list(zip(tasks, actions, strict=True)))
        rewards = np.zeros(self.num_envs, np.float64)
        infos: dict[str, Any] = {}
        for i, (env, action, score) in enumerate(zip(self.envs, actions, scores, strict=True)):
            observation, rewards[i], _, _, info = env.conclude(action, score)
            infos = self._add_info(infos, {"final_obs": observation, "final_info": info}, i)
            self._observations[i], info = env.reset()
            infos = self._add_info(infos, info, i)
        ended, cut = np.ones(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_)
        return tuple(self._observations), rewards, ended, cut, infos

    def render(self) -> tuple[str | None, ...]:  # type: ignore[override]  # Gymnasium's type forgets text
        """The frame of each environment."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ARG002
        """Closes the environments."""
        for env in self.envs:
            env.close()
