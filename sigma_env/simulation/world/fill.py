"""From a few decided values to a complete event: every field that neither clock nor counters give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sigma_env.sigma.taxonomy import SECURITY, SYSMON
from sigma_env.simulation.draft import FieldValue, Scene
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.schema import UNNAMED, EventSchema, FieldSpec
from sigma_env.simulation.world.chance import pick, salt
from sigma_env.simulation.world.company import Company
from sigma_env.simulation.world.filling import Filling, Maker
from sigma_env.simulation.world.kind_fields import by_kind
from sigma_env.simulation.world.ordinary import Ordinary, Row, ordinary
from sigma_env.simulation.world.people_fields import PEOPLE_FIELDS, WORKER_FIELDS
from sigma_env.simulation.world.process_fields import PROCESS_FIELDS
from sigma_env.simulation.world.setting import Setting, setting

_OWN_CHANNELS = frozenset((SYSMON.lower(), SECURITY.lower()))
# In these the scene's program decides who acts; an ordinary row may name another only if the scene names none.
_OWN_FIELDS: Mapping[str, Maker] = {**PROCESS_FIELDS, **PEOPLE_FIELDS}
# IANA's number, where an event does not write the name.
_TCP: Maker = lambda _: "6"  # noqa: E731
_ACTING = frozenset(("Image", "SourceImage", "ProcessName", "Application", "NewProcessName"))


def fill(
    schema: EventSchema, values: Mapping[str, FieldValue], scene: Scene, company: Company
) -> dict[str, FieldValue]:
    """Completes an event.

    A pure function: the same arguments give the same event, whatever it is made for. What is not given depends on the
    scene, and on given values only where they decide it by nature: the command line of a given image, the SID of a
    given account, the name of a given port. Version information and hashes are those of the scene's program, also
    where another image is given, so that renaming a program does not change what it says of itself.

    Args:
        schema: the event's kind.
        values: what is decided, by the event's own field names; `Data` for the unnamed ones. It stays as it is.
        scene: where it happens, and the number that decides what is free.
        company: the scene's.

    Returns:
        All fields that are not volatile, and of the volatile ones those that are given.

    Raises:
        SimulationError: the event has no such field, or the company no such host or account.
    """
    filler = _filler(schema)
    if not values.keys() <= filler.names:
        wrong = sorted(values.keys() - filler.names)
        raise SimulationError(f"{schema.name} has no field {wrong}; it has {sorted(filler.names)}")
    here = setting(company, scene)
    f = Filling(schema, here, values, filler.makers)
    f.row = filler.row_for(here, values)
    out = f.out
    for name, maker in filler.steps:
        given = values.get(name)
        if given is not None:
            out[name] = given
        elif maker is not None and name not in out:
            out[name] = maker(f)
    return out


class _Filler(NamedTuple):
    """How to fill events of one schema.

    Attributes:
        steps: every field; without a maker if it is volatile.
    """

    schema: EventSchema
    names: frozenset[str]
    steps: tuple[tuple[str, Maker | None], ...]
    makers: Mapping[str, Maker]
    ordinary: Ordinary | None
    by_letter: Mapping[str, tuple[Row, ...]]
    purpose: int

    def row_for(self, here: Setting, values: Mapping[str, FieldValue]) -> Row | None:
        """An ordinary event that agrees with what is given."""
        if self.ordinary is None:
            return None
        rows = self.by_letter[here.letter]
        for name in self.ordinary.by:
            given = values.get(name)
            if given is not None:
                agreeing = tuple(
                    row for row in self.ordinary.rows if name in row.values and row.values[name](here) == given
                )
                rows = tuple(row for row in agreeing if row in rows) or agreeing or rows
        return pick(rows, here.number, self.purpose)


_FILLERS: dict[str, _Filler] = {}


def _filler(schema: EventSchema) -> _Filler:
    found = _FILLERS.get(schema.name)
    if found is None or found.schema is not schema:
        found = _FILLERS[schema.name] = _make_filler(schema)
    return found


def _make_filler(schema: EventSchema) -> _Filler:
    rows = ordinary().get((schema.channel.lower(), schema.event_id))
    steps: dict[str, Maker | None] = {}
    unnamed = [spec for spec in schema.fields if spec.name is None]
    for spec in schema.fields:
        if spec.name is not None:
            steps[spec.name] = None if spec.volatile else _maker(schema, spec, rows)
    if unnamed:
        steps[UNNAMED] = _unnamed(unnamed, rows)
    by_letter = {}
    if rows is not None:
        for letter in "uas":
            by_letter[letter] = tuple(row for row in rows.rows if not row.who or letter in row.who) or rows.rows
    makers = {name: maker for name, maker in steps.items() if maker is not None}
    return _Filler(
        schema, frozenset(steps), tuple(steps.items()), makers, rows, by_letter, salt(f"row {schema.event_id}")
    )


def _maker(schema: EventSchema, spec: FieldSpec, rows: Ordinary | None) -> Maker:
    assert spec.name is not None
    plain = spec.name.replace(" ", "")
    own = schema.channel.lower() in _OWN_CHANNELS
    known = _OWN_FIELDS if own else WORKER_FIELDS
    maker = known.get(plain) or by_kind(spec)
    if plain == "Protocol" and spec.type != "string":
        maker = _TCP
    elif plain == "Description" and schema.event_id == 255:  # Sysmon's own error
        maker = by_kind(spec)
    if rows is None or not any(spec.name in row.values for row in rows.rows):
        return maker
    return _from_row(spec.name, maker, acting=own and plain in _ACTING)


def _from_row(name: str, otherwise: Maker, *, acting: bool) -> Maker:
    def make(f: Filling) -> FieldValue:
        if f.row is None or (acting and f.here.has_program):
            return otherwise(f)
        producer = f.row.values.get(name)
        return otherwise(f) if producer is None else producer(f.here)

    return make


def _unnamed(specs: list[FieldSpec], rows: Ordinary | None) -> Maker:
    makers = [by_kind(spec) for spec in specs]

    def otherwise(f: Filling) -> FieldValue:
        texts = [maker(f) for maker in makers]
        return tuple(text for text in texts if isinstance(text, str))

    if rows is None:
        return otherwise
    from_row = _from_row(UNNAMED, otherwise, acting=False)

    def make(f: Filling) -> FieldValue:
        # Providers that share an EventID may log another number of values.
        texts = from_row(f)
        return texts if len(texts) == len(specs) else otherwise(f)

    return make
