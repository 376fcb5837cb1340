"""Patterns from what an author writes, for the tests of this folder."""

from sigma_env.sigma.limits import RULE_LIMITS
from sigma_env.sigma.modifiers import make_value, parse_chain
from sigma_env.sigma.rule import Scalar, Value
from sigma_env.simulation.values import Need, needs_of


def value(written: Scalar, *modifiers: str) -> Value:
    return make_value(parse_chain(modifiers, False), written, False, RULE_LIMITS)


def need(written: Scalar, *modifiers: str) -> Need:
    return needs_of(value(written, *modifiers))[0]
