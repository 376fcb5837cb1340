"""Renews the recorded blob ids, for whoever changes a pinned commit or a selection in the catalogue.

``python -m sigma_env.corpora.pin FOLDER`` reads ``REPO-COMMIT.tar.gz`` of every source in FOLDER, writes the ids into
this package's folder ``data``, and prints what changed. The archives decide what every later fetch accepts, so get
them from the forge and compare with ``git ls-tree -r COMMIT`` of a clone. At an unchanged commit no id may change; ids
that appear belong to files that were absent before, and their entries under ``unverified`` can go.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sigma_env.corpora.archive import SourceArchive
from sigma_env.corpora.blobs import blob_file_name, blob_hash, load_blobs, pack_blobs
from sigma_env.corpora.catalogue import Source, catalogue
from sigma_env.errors import SourceError


def archive_blobs(archive: Path, source: Source) -> dict[str, str]:
    """Returns path to blob id of every used file of an archive.

    Raises:
        SourceError: The archive is damaged, hostile or foreign.
    """
    blobs: dict[str, str] = {}
    with SourceArchive(archive, source) as contents:
        for file in contents.files():
            digest = blob_hash(file.size)
            for chunk in file.chunks:
                digest.update(chunk)
            blobs[file.path] = digest.hexdigest()
    return blobs


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m sigma_env.corpora.pin", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the archives of all sources")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data", help="where to write the records")
    options = parser.parse_args(arguments)
    for source in catalogue().sources.values():
        try:
            before = load_blobs(source.name)
        except SourceError:
            before = {}
        now = archive_blobs(options.folder / source.archive_name, source)
        (options.out / blob_file_name(source.name)).write_bytes(pack_blobs(now))
        changed = [path for path in before.keys() & now.keys() if before[path] != now[path]]
        print(
            f"{source.name}: {len(now)} files; {len(now.keys() - before.keys())} new, "
            f"{len(before.keys() - now.keys())} gone, {len(changed)} changed"
        )


if __name__ == "__main__":
    main()
