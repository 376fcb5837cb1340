"""A stand-in for the Chainsaw program that answers as the real one did: recorded output, streams and exit status.

It is given the rules and log files under names that the engine made up, so it puts these in the place of the recorded
ones; nothing else is changed. What it was never recorded doing it refuses, with exit status 99.

It runs as a program of its own, and so imports nothing but Python's library. Beside it lies `replay.json`:

    runs      folder of the recordings
    rules     name of a rule in the recordings → its detection, by which it is known again
    titles    name of a rule in the recordings → title in the recorded output
    answers   list of {command, rules, run}: which recording answers `hunt`, `load` (hunt without logs) or `lint`, for
              these rules; `reasons` instead of `run` is a lint that gives these reasons
"""

import gzip
import json
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
UNRECORDED = 99


def main(arguments):
    script = json.loads((HERE / "replay.json").read_text())
    with (HERE / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    if arguments == ["--version"]:
        return answer(script, "version", {}, {})
    command = "lint" if "lint" in arguments else "hunt"
    if command == "hunt":
        folder = Path(arguments[arguments.index("-s") + 1])
        logs = Path(arguments[arguments.index("hunt") + 1])
        if not logs.exists():
            command, paths = "load", {}
        else:
            paths = {os.path.realpath(link): f"{logs.name}/{link.name}" for link in logs.iterdir()}
    else:
        folder, paths = Path(arguments[-1]), {}
    given = recognised(script, folder)
    for one in script["answers"]:
        if one["command"] == command and set(one["rules"]) == given.keys():
            if "reasons" in one:
                for name, reason in one["reasons"].items():
                    print(f"[!] /{given[name]}.yml: {reason}", file=sys.stderr)
                return 0
            return answer(script, one["run"], given, paths)
    print(f"nothing was recorded of {command} with {sorted(given)}", file=sys.stderr)
    return UNRECORDED


def recognised(script, folder):
    """Name in the recordings → number under which it was given."""
    given = {}
    for path in folder.glob("*.yml"):
        rule = json.loads(path.read_text())  # the engine writes YAML that is JSON too, as long as it is ASCII
        assert rule["title"] == f"sigma-env rule {path.stem}"
        [name] = [name for name, detection in script["rules"].items() if detection == rule["detection"]]
        given[name] = path.stem
    return given


def answer(script, run, given, paths):
    folder = Path(script["runs"]) / run
    packed = folder / "stdout.gz"
    stdout = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "stdout").read_bytes()
    titles = {script["titles"][name]: f"sigma-env rule {number}" for name, number in given.items()}
    for line in stdout.decode().splitlines():
        if given and line.startswith("{"):
            line = renamed(line, titles, paths)
        sys.stdout.write(line + "\n")
    stderr = (folder / "stderr").read_text()
    stderr = re.sub(r"'([^'\n]*\.(?:evtx|EVTX))'", lambda found: f"'{link_of(found[1], paths)}'", stderr)
    if paths:  # a folder may hold one file twice, which the engine gives once
        stderr = re.sub(r"Loaded \d+ forensic", f"Loaded {len(paths)} forensic", stderr)
    if "lint" in run:
        stderr = re.sub(
            r"^\[!\] /(\w+)\.yml", lambda found: f"[!] /{given.get(found[1], found[1])}.yml", stderr, flags=re.M
        )
    sys.stderr.write(stderr)
    return json.loads((folder / "run.json").read_text())["exit"]


def renamed(line, titles, paths):
    match = json.loads(line)
    match["name"] = titles[match["name"]]
    match["document"]["path"] = link_of(match["document"]["path"], paths)
    return json.dumps(match)


def link_of(recorded, paths):
    ends = [link for real, link in paths.items() if real.lower().endswith("/" + recorded.lower())]
    return ends[0] if len(ends) == 1 else recorded


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
