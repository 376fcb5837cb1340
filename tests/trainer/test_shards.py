"""Shards of FSDP2 are put together to exactly the weights that were trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainer.saved import save_shards
from trainer.errors import TrainerError
from trainer.shards import whole_weights
from trainer.whole import whole_folder

WEIGHTS = {
    "even": torch.arange(24.0).reshape(8, 3) / 7,
    "uneven": torch.arange(15.0).reshape(5, 3) / 7,
    "fewer rows than ranks": torch.arange(3.0).reshape(1, 3) / 7,
    "vector": torch.arange(6.0) / 7,
    "bf16": torch.arange(8.0).to(torch.bfloat16),
}


@pytest.mark.parametrize("shape", [(1,), (2,), (4,), (2, 2), (3, 2)])
def test_every_weight_is_whole_and_in_its_own_type(tmp_path: Path, shape: tuple[int, ...]) -> None:
    save_shards(tmp_path, WEIGHTS, *shape)
    got = whole_weights(tmp_path)
    assert got.keys() == WEIGHTS.keys()
    for name, tensor in WEIGHTS.items():
        assert got[name].dtype == tensor.dtype
        assert torch.equal(got[name], tensor), name


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    save_shards(tmp_path, WEIGHTS, 2)
    (tmp_path / "model_world_size_2_rank_1.pt").unlink()
    with pytest.raises(TrainerError, match=r"shards are missing: .*2_rank_\[1\]\.pt"):
        whole_weights(tmp_path)


def test_a_folder_without_shards_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="shards are missing"):
        whole_weights(tmp_path)


def test_a_folder_that_was_not_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    def write(*, fails: bool) -> None:
        with whole_folder(tmp_path / "out") as unfinished:
            (unfinished / "one").touch()
            if fails:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        write(fails=True)
    assert not (tmp_path / "out").exists()
    write(fails=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one"]
