"""Rules put together anew, under the name by which this room knows them; see `sigma_env.sigma.rewrite`."""

from sigma_env.sigma.rewrite import (
    Parts,
    condition_text,
    fenced,
    joined,
    names_in,
    negated,
    parts_of,
    renamed,
    replaced,
    to_yaml,
)

__all__ = [
    "Parts",
    "condition_text",
    "fenced",
    "joined",
    "names_in",
    "negated",
    "parts_of",
    "renamed",
    "replaced",
    "to_yaml",
]
