"""Rules in short: what the tests of this folder write them with."""

import yaml

from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule

SYSMON = "Microsoft-Windows-Sysmon/Operational"


def rule(logsource: str, detection: str) -> Rule:
    """A rule of two flow mappings without their braces, such as `category: x` and `s: {A: b}, condition: s`."""
    return parse_rule(yaml.safe_load(f"logsource: {{{logsource}}}\ndetection: {{{detection}}}"))


def select(logsource: str, selection: str) -> Rule:
    """A rule with one selection, the lines of which are given."""
    return rule(logsource, f"s: {{{selection}}}, condition: s")
