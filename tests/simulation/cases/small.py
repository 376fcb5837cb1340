"""Rules of every shape, and their events as both engines see them."""

from __future__ import annotations

from typing import Any

from sigma_env.engines.evaluator import trace
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import And, Node, Rule
from sigma_env.simulation.cases import Cases, DraftEvent, Frame, make_cases
from sigma_env.simulation.cases.fold import Folds
from sigma_env.simulation.cases.parts import parts_of
from sigma_env.simulation.cases.sameness import Sameness
from sigma_env.simulation.cases.stage import Stage
from sigma_env.simulation.draft import Draft
from sigma_env.simulation.masks import Masks
from sigma_env.simulation.plan import Plan
from sigma_env.simulation.schemas import catalogue
from sigma_env.simulation.world import Company

COMPANY = Company.default()


def rule_of(condition: str, logsource: dict[str, str] | None = None, **detection: Any) -> Rule:
    written = {**detection, "condition": condition}
    return parse_rule({"logsource": logsource or {"category": "process_creation"}, "detection": written})


def full(rule: Rule, cut: Rule | None = None) -> Plan:
    return Plan(rule, (), cut or rule, 1.0)


def made(rule: Rule, cut: Rule | None = None, *, seed: int = 0, visible: int = 0) -> Cases:
    return make_cases(full(rule, cut), COMPANY, seed, visible=visible)


def event(draft: Draft, rule: Rule) -> DraftEvent:
    frame = Frame(draft.schema, rule.logsource.category)
    return DraftEvent(frame, draft.values, COMPANY.host(draft.scene.host).fqdn)


def holds(node: Node, draft: Draft, rule: Rule) -> bool:
    return trace(node, event(draft, rule)).holds


def by_native_engine(rule: Rule, drafts: tuple[Draft, ...]) -> list[bool]:
    """Which of the drafts match, as flat documents in a store."""
    documents = [
        {
            "Channel": draft.schema.channel,
            "EventID": draft.schema.event_id,
            "Provider_Name": draft.schema.provider,
            "Level": draft.schema.level,
            "Computer": COMPANY.host(draft.scene.host).fqdn,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in draft.values.items()},
        }
        for draft in drafts
    ]
    store = EventStore.from_documents(documents)
    (matches,) = NativeEngine().match([rule], store)
    found = {ref.position for ref in store.refs(matches.rows(store).tolist())}  # type: ignore[union-attr]
    return [position in found for position in range(len(drafts))]


def short_parts(plan: Plan, cases: Cases) -> list[str]:
    """Disclosed conditions and filters with fewer than max(3, a third of the positives) events that only they exclude.

    Those that are proven to exclude nothing by themselves are left out.
    """
    rule, condition = plan.rule, plan.cut.condition
    folds = Folds()
    stage = Stage(rule, [condition, rule.condition], catalogue(), folds)
    sameness = Sameness(stage.frames, folds)
    masks = Masks([event(draft, rule) for draft in cases.drafts])
    true = masks.of(condition)
    least = max(3, -(-true.bit_count() // 3))
    short = []
    for part in parts_of(condition):
        rest = And(()) if part.rest is None else part.rest
        alone = (masks.of(rest) & ~true).bit_count()
        if alone < least and not sameness.same(rest, condition):
            short.append(f"{rule.meta.title}: {part.title}: {alone} of {least}")
    return short


SHAPES: dict[str, Rule] = {
    "lines": rule_of("s", s={"Image|endswith": "\\certutil.exe", "CommandLine|contains": "-urlcache"}),
    "list": rule_of("s", s={"CommandLine|contains": ["sekurlsa::", "lsadump::", "kerberos::", "crypto::"]}),
    "all": rule_of("s", s={"CommandLine|contains|all": ["schtasks", "/create", "/ru system"]}),
    "one of": rule_of("1 of s_*", s_one={"Image|endswith": "\\a1.exe"}, s_two={"CommandLine|contains": " --b2"}),
    "all of": rule_of("all of s_*", s_one={"Image|endswith": "\\a1.exe"}, s_two={"CommandLine|contains": " --b2"}),
    "list of maps": rule_of(
        "s",
        s=[{"Image|endswith": "\\psexec.exe"}, {"OriginalFileName": "psexec.c", "CommandLine|contains": "accepteula"}],
    ),
    "filters": rule_of(
        "s and not 1 of f_*",
        s={"Image|endswith": "\\rundll32.exe"},
        f_parent={"ParentImage|endswith": "\\msiexec.exe"},
        f_pair={"User|contains": "SYSTEM", "CommandLine|contains": "shell32.dll"},
    ),
    "empty and null filters": rule_of(
        "s and not f_null and not f_empty",
        s={"Image|endswith": "\\bash.exe"},
        f_null={"CommandLine": None},
        f_empty={"CommandLine": ""},
    ),
    "regex": rule_of("s", s={"CommandLine|re": r"(?i)invoke-[a-z]{4,8}\s+-enc(oded)?\s"}),
    "wildcards": rule_of("s", s={"CommandLine": "*\\net.exe use ?: \\\\\\\\*"}),
    "windash": rule_of("s", s={"CommandLine|windash|contains": " -decode "}),
    "cidr": rule_of(
        "s and not f",
        {"category": "network_connection"},
        s={"Image|endswith": "\\regsvr32.exe", "Initiated": "true"},
        f={"DestinationIp|cidr": ["10.0.0.0/8", "192.168.0.0/16", "127.0.0.0/8"]},
    ),
    "keywords": rule_of("k", {"service": "application"}, k=["Mimikatz", "Cobalt Strike"]),
    "fieldref": rule_of(
        "s and not f", s={"Image|endswith": "\\node.exe"}, f={"ParentImage|fieldref": "Image"}
    ),
    "event ids": rule_of("s", {"service": "security"}, s={"EventID": [4720, 4722, 4723]}),
    "alternatives of other events": rule_of(
        "1 of s_*",
        {"service": "security"},
        s_task={"EventID": 4698, "TaskContent|contains": "mshta"},
        s_service={"EventID": 4697, "ServiceFileName|contains": "mshta"},
    ),
    "registry": rule_of(
        "s",
        {"category": "registry_set"},
        s={"TargetObject|contains": "\\CurrentVersion\\Run\\", "Details|endswith": ".scr"},
    ),
    "script": rule_of("s", {"category": "ps_script"}, s={"ScriptBlockText|contains|all": ["Net.WebClient", "IEX"]}),
    "unnamed data": rule_of("s", {"category": "ps_classic_start"}, s={"Data|contains": "EngineVersion=2."}),
    "comparison": rule_of(
        "s", {"category": "network_connection"}, s={"DestinationPort|gte": 49152, "Initiated": "true"}
    ),
}  # fmt: skip
"""Rules of every shape that SigmaHQ's have."""
