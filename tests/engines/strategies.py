"""Random detections and random events over one small alphabet, so that they meet often."""

from typing import Any

from hypothesis import strategies as st

FIELDS = ["Image", "CommandLine", "New_Value", "Data"]
ABSENT_FIELD = "Nowhere"
CHANNEL = "Microsoft-Windows-Sysmon/Operational"
PIECES = [
    "a",
    "A",
    "b",
    "ab",
    "\\",
    "/",
    "-",
    "–",
    " ",
    ".",
    "*",
    "?",
    "é",
    "É",
    "İ",
    "ß",
    "ς",
    "\n",
    "1",
    "0x1f",
    "31",
]

texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
numbers = st.one_of(st.integers(-3, 40), st.sampled_from([668, 4688, 2**63, 1.5]))
addresses = st.sampled_from(
    ["10.0.0.1", "10.1.2.3", "192.168.1.9", "::ffff:10.0.0.7", "fe80::1%eth0", "2001:db8::5", "-", "10.0.0.300"]
)
scalars = st.one_of(texts, texts, texts, numbers, st.booleans(), addresses)
cells = st.one_of(scalars, scalars, st.none(), st.lists(st.one_of(scalars, st.none()), max_size=3))


def events() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to a dozen flat events of one channel and EventID."""
    fields = st.dictionaries(st.sampled_from(FIELDS), cells, max_size=len(FIELDS))
    return st.lists(fields.map(lambda f: {"Channel": CHANNEL, "EventID": 1, **f}), min_size=1, max_size=12)


TEXT_MODIFIERS = [
    "", "contains", "startswith", "endswith", "contains|all", "cased", "contains|cased", "windash", "contains|windash",
    "contains|all|windash", "neq", "wide|base64offset|contains", "base64offset|contains", "base64",
    "utf16be|base64offset|contains",
]  # fmt: skip
REGEXES = ["a", "^a", "b$", "a.b", "(a|b)+", "[^a]b", "a?b", r"\.", r"a\\", "A", "ab*", "é", r"\bab\b", "a{2}", "x|a"]
NETWORKS = ["10.0.0.0/8", "10.0.0.0/31", "192.168.0.0/16", "fe80::/10", "::ffff:10.0.0.0/104", "::/0", "0.0.0.0/0"]


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, Any]:
    """One `field|modifiers: values` of a selection."""
    field = draw(st.sampled_from([*FIELDS, *FIELDS, ABSENT_FIELD, "EventID"]))
    kind = draw(st.sampled_from(["text", "text", "text", "plain", "re", "cidr", "compare", "exists", "fieldref"]))
    if kind == "text":
        modifiers = draw(st.sampled_from(TEXT_MODIFIERS))
        values: Any = draw(st.one_of(texts, st.lists(texts, min_size=1, max_size=3)))
        return (f"{field}|{modifiers}" if modifiers else field), values
    if kind == "plain":
        return field, draw(
            st.one_of(scalars, st.none(), st.lists(st.one_of(scalars, st.none()), min_size=1, max_size=3))
        )
    if kind == "re":
        flags = draw(st.sampled_from(["", "|i", "|m", "|s", "|i|s"]))
        return f"{field}|re{flags}", draw(
            st.one_of(st.sampled_from(REGEXES), st.lists(st.sampled_from(REGEXES), min_size=1, max_size=2))
        )
    if kind == "cidr":
        return f"{field}|cidr", draw(st.sampled_from(NETWORKS))
    if kind == "compare":
        return f"{field}|{draw(st.sampled_from(['gt', 'gte', 'lt', 'lte']))}", draw(st.integers(-3, 40))
    if kind == "exists":
        return f"{field}|exists", draw(st.booleans())
    operator = draw(st.sampled_from(["", "|startswith", "|endswith", "|contains"]))
    return f"{field}|fieldref{operator}", draw(st.sampled_from([*FIELDS, ABSENT_FIELD]))


maps = st.lists(lines(), min_size=1, max_size=3).map(dict)
keyword_values = st.lists(st.one_of(texts, texts, numbers, st.none()), min_size=1, max_size=3)
keywords = st.one_of(
    keyword_values,
    keyword_values.map(lambda values: {"|all": values}),
    st.lists(st.sampled_from(REGEXES), min_size=1, max_size=2).map(lambda values: {"|re": values}),
)
selections = st.one_of(maps, maps, st.lists(maps, min_size=1, max_size=3), keywords)
NAMES = ["selection", "sel_one", "sel_two", "filter_main", "_hidden"]


def conditions(names: list[str]) -> st.SearchStrategy[str]:
    """Conditions over the given names, nested."""
    leaves = st.one_of(
        st.sampled_from(names),
        st.sampled_from(["1 of them", "all of them", "1 of sel*", "all of sel*", "1 of *_*", "not 1 of filter*"]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
            inner.map(lambda c: f"not ({c})"),
            inner.map(lambda c: f"({c})"),
        ),
        max_leaves=5,
    )


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A rule's logsource and detection; not every one is valid."""
    detection: dict[str, Any] = draw(st.dictionaries(st.sampled_from(NAMES), selections, min_size=1, max_size=4))
    written = conditions(sorted(detection))
    condition = draw(st.one_of(written, written, st.lists(written, min_size=1, max_size=2)))
    logsource = draw(st.sampled_from([{"category": "process_creation"}, {"service": "sysmon"}, {"product": "windows"}]))
    return {"logsource": {"product": "windows", **logsource}, "detection": {**detection, "condition": condition}}
