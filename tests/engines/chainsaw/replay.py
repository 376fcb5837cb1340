"""A stand-in for the Chainsaw program that answers as the real one did: recorded output, streams and exit status.

A recorded command line is answered byte for byte. The engine's own is answered with the recording that `answers`
names; as the engine gives rules and log files under names that it made up, these are put in the place of the recorded
ones, and nothing else is changed. What it was never recorded doing it refuses, with exit status 99.

It runs as a program of its own, and so imports nothing but Python's library. Beside it lies `replay.json`:

    runs      folder of the recordings
    rules     name of a rule in the recordings → its detection, by which it is known again
    titles    name of a rule in the recordings → title in the recorded output
    answers   list of {command, rules, run}: which recording answers `hunt`, `load` (hunt without logs) or `lint`, for
              these rules; `reasons` instead of `run` is a lint that gives these reasons; with `repeated`, the recorded
              number of log files counts some of equal content, which the engine gives once
"""

import gzip
import json
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
UNRECORDED = 99
NAMED = re.compile(r"('|does not exist - )([^'\n]*\.(?:evtx|EVTX))")
"""Where stderr names a log file."""
LINTED = re.compile(r"^\[!\] /(\w+)\.yml", re.MULTILINE)
"""Where `lint` names a rule's file."""


def main(arguments):
    script = json.loads((HERE / "replay.json").read_text())
    with (HERE / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    for recorded in sorted(Path(script["runs"]).iterdir()):
        if json.loads((recorded / "run.json").read_text())["argv"][1:] == arguments:
            return say(recorded, recorded_stdout(recorded), (recorded / "stderr").read_bytes())
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
            return answer(script, one, given, paths)
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


def answer(script, one, given, paths):
    recorded = Path(script["runs"]) / one["run"]
    titles = {script["titles"][name]: f"sigma-env rule {number}" for name, number in given.items()}
    lines = recorded_stdout(recorded).split(b"\n")
    stdout = b"\n".join(renamed(line, titles, paths) if line.startswith(b"{") else line for line in lines)
    stderr = (recorded / "stderr").read_text()
    stderr = NAMED.sub(lambda found: f"{found[1]}{link_of(found[2], paths)}", stderr)
    if one.get("repeated"):
        stderr = re.sub(r"Loaded \d+ forensic", f"Loaded {len(paths)} forensic", stderr)
    if one["command"] == "lint":
        stderr = LINTED.sub(lambda found: f"[!] /{given.get(found[1], found[1])}.yml", stderr)
    return say(recorded, stdout, stderr.encode())


def recorded_stdout(recorded):
    packed = recorded / "stdout.gz"
    return gzip.decompress(packed.read_bytes()) if packed.exists() else (recorded / "stdout").read_bytes()


def say(recorded, stdout, stderr):
    sys.stdout.buffer.write(stdout)
    sys.stdout.flush()
    sys.stderr.buffer.write(stderr)
    return json.loads((recorded / "run.json").read_text())["exit"]


def renamed(line, titles, paths):
    match = json.loads(line)
    if "name" not in match:  # an event by itself
        return line
    match["name"] = titles[match["name"]]
    for document in match.get("documents") or [match["document"]]:
        document["path"] = link_of(document["path"], paths)
    return json.dumps(match).encode()


def link_of(recorded, paths):
    ends = [link for real, link in paths.items() if real.lower().endswith("/" + recorded.lower())]
    return ends[0] if len(ends) == 1 else recorded


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
