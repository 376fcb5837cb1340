"""verl's trainer as our runs need it: groups with names that repeat, and a run that can go on after a kill."""

from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any, Final

from transfer_queue import KVBatchMeta
from verl.trainer.main_ppo import TaskRunnerV1
from verl.trainer.ppo.v1 import trainer_base
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils import tensordict_utils as tu

from trainer import records, resume
from trainer.metrics import MetricsLog, read
from trainer.upstream import Reliance, check

_BASE: Final = "verl/trainer/ppo/v1/trainer_base.py"
_NAMES: Final = "trainer.task_runner.Uids takes the place of the module `uuid` there"
_ORDER: Final = "trainer.resume.mend, and Trainer._save_checkpoint, take this order for granted"

VERL: Final = (
    Reliance(
        "verl",
        _BASE,
        'batch_dict["uid"] = np.array([str(uuid.uuid4()) for _ in range(len(batch_dict["raw_prompt"]))], dtype=object)',
        "groups that are trained on get random names, so that their order differs from run to run",
        _NAMES,
    ),
    Reliance(
        "verl",
        _BASE,
        '[str(uuid.uuid4()) for _ in range(len(batch_dict["raw_prompt"]))], dtype=object',
        "so do groups that are validated on",
        _NAMES,
    ),
    Reliance(
        "verl",
        _BASE,
        "torch.save(self.train_dataloader.state_dict(), dataloader_local_path)",
        "this is the last file of a checkpoint",
        _ORDER,
    ),
    Reliance(
        "verl",
        _BASE,
        'with open(local_latest_checkpointed_iteration, "w") as f:',
        "the checkpoint's number is written after it, into a file that is emptied first",
        _ORDER,
    ),
    Reliance(
        "verl",
        _BASE,
        "self._compute_metrics(batch, metrics, self.timing_raw, global_steps=self.global_steps, epoch=current_epoch)",
        "a step is logged after its checkpoint and its validation: a kill between them would leave it out",
        "trainer.task_runner.Trainer._save_checkpoint logs what there is first, by the same call",
    ),
)
"""What this module relies on."""


class Uids:
    """Names of groups: the step and the place in it, by order of dispatch. Sorted, they are in that order."""

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, step: int) -> None:
        """Starts counting anew."""
        self._step, self._places = step, count()

    def uuid4(self) -> str:
        """The next name. verl splits names at underscores."""
        return f"{self._step:06d}-{next(self._places):04d}"


class Trainer(PPOTrainerSync):
    """verl's synchronous trainer; what it trains on is chosen by `trainer.sampler`."""

    def __init__(self, config: Any) -> None:
        check(VERL)
        super().__init__(config)
        self._uids = trainer_base.uuid = Uids()
        self._repeats: Counter[str] = Counter()
        self._log = MetricsLog(config)
        # verl would delete the old checkpoint before it names the new one.
        self._keep = config.trainer.max_actor_ckpt_to_keep
        config.trainer.max_actor_ckpt_to_keep = None

    def on_validate_begin(self) -> None:
        """Names the groups of a validation, which may come before the training begins."""
        super().on_validate_begin()
        self._uids.begin(self.global_steps)
        self._attach_log()

    def on_train_begin(self) -> None:
        """Makes sure that metrics.jsonl is written."""
        super().on_train_begin()
        self._attach_log()

    def on_step_begin(self) -> None:
        """Starts naming the groups of a step."""
        super().on_step_begin()
        self._uids.begin(self.global_steps)
        self._repeats.clear()

    def _attach_log(self) -> None:
        # First, so that verl's other backends get what it adds.
        self.logger.logger = {"sigmaforge": self._log, **self.logger.logger}

    def _fetch_one_gen_batch(self) -> Any:
        """The next prompts, each with `repeat`: how often its task was dispatched in this step before."""
        batch = super()._fetch_one_gen_batch()
        repeats = []
        for info in batch["extra_info"]:
            task_id = getattr(info, "data", info)["task_id"]
            repeats.append(self._repeats[task_id])
            self._repeats[task_id] += 1
        tu.assign_non_tensor_stack(batch, "repeat", repeats)
        return batch

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> KVBatchMeta:
        """One step of training; its batch and metrics are kept until it is logged."""
        batch = super().step(metrics, timing_raw)
        self._unlogged = batch, metrics, timing_raw
        return batch

    def _save_checkpoint(self) -> None:
        """Saves. What is known of the step is logged before: a run that goes on after it does not take it again."""
        batch, metrics, timing = self._unlogged
        so_far = dict(metrics)
        epoch = (self.global_steps - 1) // self.steps_per_epoch
        self._compute_metrics(batch, so_far, {**timing, "step": sum(timing.values())}, self.global_steps, epoch)
        self._log.log(so_far, self.global_steps)
        if self._keep:
            resume.prune(self._checkpoints, max(1, self._keep - 1))
        super()._save_checkpoint()
        if self._keep:
            resume.prune(self._checkpoints, self._keep)

    def _load_checkpoint(self) -> None:
        """Goes on after the last checkpoint, and forgets what was recorded of later steps."""
        resume.mend(self._checkpoints)
        super()._load_checkpoint()
        self.config.trainer.val_before_train = validates = self._validates_again()
        resume.forget_after(self._checkpoints, self.global_steps)
        records.forget_after(self.config.sigmaforge.run_dir, self.global_steps, validates)
        self._log.forget_after(self.global_steps)

    def _validates_again(self) -> bool:
        """Whether the run begins with a validation: a new one as configured, a resumed one if the kill came before."""
        trainer = self.config.trainer
        if self.global_steps == 0:
            return bool(trainer.val_before_train)
        if trainer.test_freq <= 0 or (
            self.global_steps % trainer.test_freq and self.global_steps < self.total_training_steps
        ):
            return False
        lines = [line for line in read(self.config.sigmaforge.run_dir) if line["step"] == self.global_steps]
        return not any(name.startswith("val-") for line in lines for name in line)

    @property
    def _checkpoints(self) -> Path:
        return Path(self.config.trainer.default_local_dir)


class TaskRunner(TaskRunnerV1.__ray_metadata__.modified_class):
    """verl's task runner, with our trainer as the synchronous one; to be made an actor of Ray."""

    def run(self, config: Any) -> None:
        """Trains."""
        trainer_base.TRAINER_REGISTRY["sync"] = Trainer
        super().run(config)
