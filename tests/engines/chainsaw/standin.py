"""A stand-in for the Chainsaw program with the native engine in it, for what stands above the engine.

It shows nothing of Chainsaw's meaning: it reads the rules and log files that it is given, and prints what the native
engine matches in the form that the recordings have. Beside it, `runs` gets a line per hunt: the number of its rules.
"""

import json
import sys
from pathlib import Path

import evtx

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.sigma.parser import parse_rule


def hunt(rules, logs):
    store = build([LogRoot(logs)])
    documents = {}
    for index, file in enumerate(store.files):
        records = evtx.PyEvtxParser(str(logs / file.name), separate_json_attributes=True).records_json()
        documents[index] = [json.loads(record["data"]) for record in records]
    written = [json.loads(path.read_text()) for path in sorted(rules.glob("*.yml"))]
    found = NativeEngine().match([parse_rule(rule) for rule in written], store)
    lines = 0
    for rule, matches in zip(written, found, strict=True):
        assert isinstance(matches, Matches)
        for row in matches.rows(store):
            index, position = store.refs_table.file[row], store.refs_table.position[row]
            document = {"kind": "evtx", "path": f"{logs}/{store.files[index].name}", "data": documents[index][position]}
            print(json.dumps({"kind": "individual", "document": document, "name": rule["title"]}))
            lines += 1
    print(f"[+] Loaded {len(written)} detection rules", file=sys.stderr)
    print(f"[+] Loading forensic artefacts from: {logs} (extensions: .evtx, .evt)", file=sys.stderr)
    print(f"[+] Loaded {len(store.files)} forensic artefacts (1.0 MiB)", file=sys.stderr)
    print(f"\n[+] {lines} Detections found on {lines} documents", file=sys.stderr)
    with Path(__file__).with_name("runs").open("a") as runs:
        runs.write(f"{len(written)}\n")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print("chainsaw 2.16.4")
    else:
        hunt(Path(arguments[arguments.index("-s") + 1]), Path(arguments[arguments.index("hunt") + 1]))
