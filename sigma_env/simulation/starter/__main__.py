"""Regenerate the logs of the starter dataset: `python -m sigma_env.simulation.starter [FOLDER]`."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from sigma_env.simulation.starter.files import DATA, LOGS
from sigma_env.simulation.starter.generate import generate


def main() -> None:
    """Write the logs and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m sigma_env.simulation.starter", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DATA, help="where to write (default: the package)")
    folder: Path = parser.parse_args().folder
    labels = generate(folder)
    size = sum(path.stat().st_size for path in (folder / LOGS).rglob("*.evtx"))
    roles = ", ".join(f"{count} {role}" for role, count in sorted(Counter(label.role for label in labels).items()))
    print(f"{folder}: {len({label.file for label in labels})} logs, {size:,} bytes, {len(labels)} events: {roles}")


if __name__ == "__main__":
    main()
