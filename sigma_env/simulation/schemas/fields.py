"""Which field of an event a rule means."""

from typing import Final

from sigma_env.events.derived import ALWAYS_ALIASED, PROCESS_CREATION, PROCESS_CREATION_FIELDS
from sigma_env.events.flatten import is_system_field
from sigma_env.sigma.taxonomy import SECURITY
from sigma_env.simulation.schema import EventSchema, FieldSpec

_NEW_PROCESS: Final = 4688
_USER: Final = "User"
# They say what an event is; a field of its data that has such a name can't be asked for (see `Partition.column`).
_ALWAYS_SYSTEM: Final = frozenset({"EventID", "Channel", "Provider_Name"})


def resolve(schema: EventSchema, rule_field: str, category: str | None = None) -> FieldSpec | str | None:
    """The field of an event that a rule's field name stands for.

    Names have no spaces, or underscores for them, and are compared with case. The event's own names win, but for
    those of System that say what the event is; under the
    category process_creation those that a Security 4688 has for it do.

    Args:
        schema: of the event.
        rule_field: name in the rule.
        category: of the rule's logsource.

    Returns:
        The field; the name of a System field, such as `Provider_Name`, which the schema itself answers for; `"User"`
        for the account of a 4688 under process_creation, which is composed of several fields (see
        `sigma_env.events.derived.process_user`); None if the event has no such field.
    """
    if rule_field in _ALWAYS_SYSTEM:
        return rule_field
    if schema.event_id == _NEW_PROCESS and schema.channel == SECURITY:
        under_category = category == PROCESS_CREATION
        if under_category and rule_field == _USER:
            return _USER if "SubjectUserName" in schema.by_name else None
        alias = PROCESS_CREATION_FIELDS.get(rule_field)
        if alias is not None and (
            under_category or (rule_field in ALWAYS_ALIASED and rule_field not in schema.by_name)
        ):
            return schema.by_name.get(alias)
    if rule_field in schema.by_name:
        return schema.by_name[rule_field]
    if any(spec.name is None for spec in schema.fields) and rule_field == "Data":
        return next(spec for spec in schema.fields if spec.name is None)
    if "_" in rule_field:
        for spec in schema.fields:
            if spec.name is not None and " " in spec.name and spec.name.replace(" ", "_") == rule_field:
                return spec
    return rule_field if is_system_field(rule_field) else None
