"""Made rules, hostile to prose: nasty texts, every modifier, nested conditions."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Meta, Rule

FIELDS = ["Image", "CommandLine", "ParentImage", "EventID", "param1", "Odd Name", "IpAddress", "tick`s"]
LOGSOURCES = [
    {"product": "windows", "category": "process_creation"},
    {"product": "windows", "service": "security"},
    {"category": "registry_set"},
    {"category": "process_creation", "service": "sysmon"},
    {"category": "made up"},
    {"product": "windows"},
]
_NASTY = st.text(alphabet="ab/-\\*?`\"«»'., ()\u2013\nör1", max_size=12)
_PLAIN = st.sampled_from(
    [
        "\\cmd.exe",
        "or `x`",
        " and it ",
        "-enc foo",
        "/c-d -e",
        "C:\\*\\x?",
        "",
        "*",
        "**",
        "true",
        "4625",
        " (either ",
        "µß",
    ]
)
_TEXTS = st.one_of(_NASTY, _PLAIN)
_TEXT_CHAINS = st.sampled_from(
    ["", "contains", "startswith", "endswith", "contains|windash", "windash", "cased", "contains|cased", "neq",
     "endswith|neq", "wide|base64offset|contains", "base64", "utf16be|contains", "utf16", "contains|all", "all",
     "contains|all|windash", "contains|utf16", "utf16|endswith", "windash|base64", "base64|windash|contains",
     "startswith|wide"]
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, Any]:
    field = draw(st.sampled_from(FIELDS))
    kind = draw(st.sampled_from(["text"] * 6 + ["plain", "re", "cidr", "gt", "exists", "fieldref"]))
    values: Any
    if kind == "text":
        chain = draw(_TEXT_CHAINS)
        values = draw(st.lists(_TEXTS, min_size=1, max_size=9))
    elif kind == "plain":
        chain = ""
        values = draw(
            st.lists(st.one_of(_TEXTS, st.integers(0, 9999), st.none(), st.booleans()), min_size=1, max_size=5)
        )
    elif kind == "re":
        chain = draw(st.sampled_from(["re", "re|i", "re|i|m", "re|s"]))
        values = draw(st.lists(st.sampled_from(["a.*b", '^x`y"$', "\\d{1,3}", "(?:a|b)"]), min_size=1, max_size=3))
    elif kind == "cidr":
        chain = "cidr"
        values = draw(st.lists(st.sampled_from(["10.0.0.0/8", "fe80::/10", "127.0.0.1/32"]), min_size=1, max_size=3))
    elif kind == "gt":
        chain = draw(st.sampled_from(["gt", "gte", "lt", "lte", "gt|neq"]))
        values = draw(st.one_of(st.integers(-5, 5000), st.sampled_from([1.5, -0.25])))
    elif kind == "exists":
        chain, values = "exists", draw(st.booleans())
    else:
        chain = draw(st.sampled_from(["fieldref", "fieldref|startswith", "fieldref|neq"]))
        values = draw(st.sampled_from(["Image", "User", "param1"]))
    if isinstance(values, list) and len(values) == 1:
        values = values[0]
    return (f"{field}|{chain}" if chain else field), values


_MAPS = st.lists(lines(), min_size=1, max_size=3).map(dict)
_DEFINITIONS = st.one_of(
    _MAPS, _MAPS, st.lists(_MAPS, min_size=1, max_size=3), st.lists(_TEXTS, min_size=1, max_size=3), _TEXTS
)
_NAMES = ("selection", "sel_b", "filter_x", "filter_y")
_CONDITIONS = st.recursive(
    st.sampled_from([*_NAMES, "1 of sel*", "all of filter_*"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=6,
)


@st.composite
def rules(draw: st.DrawFn) -> Rule | None:
    """A rule; None where the parts make none."""
    detection: dict[str, Any] = {name: draw(_DEFINITIONS) for name in _NAMES}
    detection["condition"] = draw(st.one_of(_CONDITIONS, st.lists(_CONDITIONS, min_size=1, max_size=2)))
    document = {"logsource": draw(st.sampled_from(LOGSOURCES)), "detection": detection}
    try:
        return parse_rule(document, meta=Meta(id="made", title="A made rule", description="Detects something odd."))
    except RuleError:
        return None
