"""What a dataset says about itself, and where its logs lie."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from sigma_env.events.logs import LogRoot

FORMAT: Final = 2
"""Changes whenever the same rules and logs give other tasks, or other files."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LogsFrom(_Frozen):
    """A folder or file of logs.

    Attributes:
        kind: what `path` is relative to: a source of the catalogue, the folder of simulated logs, or nothing, for a
            user's own logs.
        source: the source, where the kind is that.
        path: folder or file.
        prefix: stands before the files' names in event references.
    """

    kind: Literal["source", "simulated", "path"]
    source: str = ""
    path: str = ""
    prefix: str = ""

    def root(self) -> LogRoot:
        """Where the logs lie on this machine.

        Raises:
            SourceError: the source has not been fetched; the message names the command.
        """
        if self.kind == "source":
            from sigma_env.corpora.sources import source_path

            return LogRoot(source_path(self.source) / self.path, self.prefix)
        if self.kind == "simulated":
            from sigma_env.corpora.cache import simulated_dir

            return LogRoot(simulated_dir() / self.path, self.prefix)
        return LogRoot(Path(self.path), self.prefix)


class SourceUsed(_Frozen):
    """A public source that rules or logs come from; `absent` are files of its commit that the archive lacked."""

    name: str
    commit: str
    licence: str
    absent: tuple[str, ...] = ()


class StoreUsed(_Frozen):
    """The events that the dataset was built on."""

    fingerprint: str
    events: int
    files: int
    unreadable: int


class Clusters(_Frozen):
    """How the tasks hang together: groups that stand in one split."""

    count: int
    largest: int


class Manifest(_Frozen):
    """How a dataset came to be. It holds no times, so equal inputs give equal bytes.

    Attributes:
        format: see FORMAT.
        name: the dataset's name.
        inputs: hash of what the dataset was made from, where that is quick to compute again; else "".
        seed: of the splits.
        engine: engine, semantics and version under which references had to match.
        sources: public sources, with commit and licence.
        logs: where the logs lie.
        store: the events.
        rules_read: rules that were looked at.
        tasks: rules that became tasks.
        left_out: the others, counted by reason; `left_out.jsonl` names each.
        splits: tasks per split.
        clusters: how the tasks hang together.
    """

    format: int = FORMAT
    name: str
    inputs: str = ""
    seed: int
    engine: tuple[str, str, str]
    sources: tuple[SourceUsed, ...] = ()
    logs: tuple[LogsFrom, ...]
    store: StoreUsed
    rules_read: int
    tasks: int
    left_out: dict[str, int]
    splits: dict[str, int]
    clusters: Clusters
