"""The pinned SigmaHQ rules, from the mirror's archive."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

import pytest

from sigma_env.sigma.yaml import load_mapping

RULE_FOLDERS = ("rules", "rules-emerging-threats", "rules-threat-hunting")


@pytest.fixture(scope="session")
def sigmahq(mirror: Path) -> dict[str, str]:
    """Path → text of SigmaHQ's rules for Windows: those of its three rule folders whose product is windows."""
    (archive,) = mirror.glob("sigma-*.tar.gz")
    texts: dict[str, str] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            file = tar.extractfile(member) if path.suffix == ".yml" and path.parts[0] in RULE_FOLDERS else None
            if file is not None:
                texts[str(path)] = file.read().decode()
    windows = {
        path: text for path, text in texts.items() if load_mapping(text)["logsource"].get("product") == "windows"
    }
    return dict(sorted(windows.items()))


@pytest.fixture(scope="session")
def sigmahq_answers(sigmahq: dict[str, str]) -> dict[str, str]:
    """The same, cut to the lines of logsource and detection: what a perfect model would answer."""
    return {path: logsource_and_detection(text) for path, text in sigmahq.items()}


def logsource_and_detection(text: str) -> str:
    kept: list[str] = []
    keep = False
    for line in text.splitlines():
        if line[:1].strip() and not line.startswith(("#", "-")):
            keep = line.startswith(("logsource:", "detection:"))
        if keep:
            kept.append(line)
    return "\n".join(kept) + "\n"
