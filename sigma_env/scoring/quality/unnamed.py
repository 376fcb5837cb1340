"""The fields that a rule says nothing about: what is in them must not tell its events from the others."""

from collections.abc import Sequence

from sigma_env.events.column import Column
from sigma_env.events.derived import PROCESS_CREATION
from sigma_env.events.partition import Partition
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests, fields_of

_USER_OF_4688 = frozenset(
    {"TargetUserSid", "TargetDomainName", "TargetUserName", "SubjectUserSid", "SubjectDomainName", "SubjectUserName"}
)


def has_keywords(rule: Rule) -> bool:
    """Whether a rule looks into every field."""
    return any(test.field is None for test in field_tests(rule.condition))


def unnamed_columns(rule: Rule, partition: Partition) -> Sequence[Column]:
    """The columns of a partition that a rule does not name, under any name.

    Args:
        rule: a rule without keywords.
        partition: the events.
    """
    view = rule.logsource.category
    fields = fields_of(rule.condition)
    named = {id(column) for field in fields if (column := partition.column(field, view)) is not None}
    names = set(fields)
    if view == PROCESS_CREATION and partition.event_id == 4688 and "User" in fields:
        names |= _USER_OF_4688  # a 4688 has no field of that name: it is put together from these
    return [column for column in partition.keyword_columns() if id(column) not in named and column.name not in names]
