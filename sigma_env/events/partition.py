"""All events of one (channel, EventID), and which value a field name means in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from sigma_env.events.column import Cell, Column
from sigma_env.events.content import ColumnInfo, PartitionInfo, StoreContent
from sigma_env.events.derived import (
    ALWAYS_ALIASED,
    PROCESS_CREATION,
    PROCESS_CREATION_FIELDS,
    coalesce,
    process_user,
)

_SYSTEM_WINS = frozenset({"EventID", "Channel", "Provider_Name"})

# Sysmon's own verdict on an event, by whatever configuration a host has: often the name of the technique. A rule that
# reads it would tell which events were labelled, not what happened.
_VERDICT = "RuleName"
_VERDICT_CHANNEL = "microsoft-windows-sysmon/operational"


class Partition:
    """The events of one channel and EventID, one column per field.

    Attributes:
        index: its place among the store's partitions.
        channel: as the first of its events spells it; "" if they have none.
        event_id: decimal EventID, -1 if its events have none.
        n_rows: how many events it has.
        base: global row number of its first event; rows base … base + n_rows - 1 are its.
    """

    def __init__(self, index: int, base: int, first_column: int, info: PartitionInfo, content: StoreContent) -> None:
        self.index = index
        self.channel = info.channel
        self.event_id = info.event_id
        self.n_rows = info.n_rows
        self.base = base
        self._infos = info.columns
        self._first_column = first_column
        self._content = content
        self._opened: list[Column | None] = [None] * len(info.columns)
        self._resolved: dict[tuple[str, bool], Column] = {}

    def __repr__(self) -> str:
        return f"Partition({self.channel!r}, {self.event_id}, {self.n_rows} events)"

    def column(self, field: str, view: str | None = None) -> Column | None:
        """The values that a rule means by `field`, or None if no event of the partition can have it.

        Names match case-sensitively. A field of the event's data wins over an element of System of the same name,
        except EventID, Channel and Provider_Name, which say what the event is: a rule's logsource is judged by them.
        A name with spaces is found without them and with underscores. Sysmon's RuleName is no field: it holds what
        somebody's configuration made of the event. In Security 4688 the names of Sigma's
        category process_creation stand for 4688's own.

        Args:
            field: the name in the rule.
            view: category of the rule's logsource, if it has one.
        """
        key = (field, view == PROCESS_CREATION and self._is_4688)
        try:
            return self._resolved[key]
        except KeyError:
            column = self._resolve(*key)
            if column is not None:  # a model may ask for any name: only those that exist are kept
                self._resolved[key] = column
            return column

    def has(self, field: str, view: str | None = None) -> bool:
        """Whether some event of the partition may have the field; see `column`."""
        return self.column(field, view) is not None

    def keyword_columns(self) -> Sequence[Column]:
        """Every value that the events hold, once: elements and attributes of System, attributes, data.

        Sysmon's RuleName is not among them; see `column`.
        """
        return self._every_original

    @cached_property
    def _every_original(self) -> tuple[Column, ...]:
        return tuple(self._original(i) for i in range(len(self._infos)) if i not in self._verdicts)

    @property
    def columns(self) -> Mapping[str, Column]:
        """The fields by their own Sigma names, without aliases, opened when looked up."""
        return _Columns(self)

    def cells(self, row: int, view: str | None = None) -> dict[str, Cell]:
        """Field name → value (a list for several) of an event that has it, System first.

        Args:
            row: row in the partition.
            view: with "process_creation", a 4688 also shows the fields of that category.
        """
        names = list(dict.fromkeys(info.name for info in self._infos))
        if view == PROCESS_CREATION and self._is_4688:
            names += [name for name in (*PROCESS_CREATION_FIELDS, "User") if name not in names]
        cells: dict[str, Cell] = {}
        for name in names:
            column = self.column(name, view)
            values = [] if column is None else column.typed_cells(row)
            if values:
                cells[name] = values[0] if len(values) == 1 else values
        return cells

    def system_column(self, name: str) -> Column | None:
        """An element or attribute of System, even if the data has a field of that name."""
        index = self._by_name.get(name, (None, None))[0]
        return None if index is None else self._original(index)

    def event_data_column(self, name: str) -> Column | None:
        """A value of EventData by exactly the name that the events give it, spaces included; not Sysmon's RuleName."""
        index = self._event_data.get(name)
        return None if index is None else self._original(index)

    def elsewhere_column(self, name: str) -> Column | None:
        """A value that stands neither in System nor in EventData by itself, by the name that it has in the store."""
        for i, info in enumerate(self._infos):
            if info.elsewhere and info.name == name:
                return self._original(i)
        return None

    def event_data_names(self) -> Iterable[str]:
        """The names by which `event_data_column` finds something."""
        return self._event_data

    @cached_property
    def _event_data(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for i, info in enumerate(self._infos):
            if not info.system and not info.elsewhere and i not in self._verdicts:
                for name in [alias.replace("_", " ") for alias in info.aliases] or [info.name]:
                    found.setdefault(name, i)
        return found

    @cached_property
    def _verdicts(self) -> frozenset[int]:
        if self.channel.lower() != _VERDICT_CHANNEL:
            return frozenset()
        return frozenset(i for i, info in enumerate(self._infos) if info.name == _VERDICT)

    @cached_property
    def _is_4688(self) -> bool:
        return self.event_id == 4688 and self.channel.lower() == "security"

    @cached_property
    def _by_name(self) -> dict[str, tuple[int | None, int | None]]:
        """Name → (System's column, the data's column)."""
        found: dict[str, tuple[int | None, int | None]] = {}
        for i, info in enumerate(self._infos):
            if i in self._verdicts:
                continue
            system, data = found.get(info.name, (None, None))
            found[info.name] = (i, data) if info.system else (system, i)
        for i, info in enumerate(self._infos):
            for alias in info.aliases:
                found.setdefault(alias, (None, i))
        return found

    def _original(self, index: int) -> Column:
        column = self._opened[index]
        if column is None:
            parts = self._content.parts(self._first_column + index)
            column = self._opened[index] = Column(self._infos[index].name, parts)
        return column

    def _resolve(self, field: str, as_process: bool) -> Column | None:
        if as_process:
            source = self._own(PROCESS_CREATION_FIELDS[field]) if field in PROCESS_CREATION_FIELDS else None
            if field == "User":
                source = process_user(
                    self._own("TargetUserSid"),
                    (self._own("TargetDomainName"), self._own("TargetUserName")),
                    (self._own("SubjectDomainName"), self._own("SubjectUserName")),
                )
            if source is not None:
                return source
        own = self._own(field)
        if own is None and self._is_4688 and field in ALWAYS_ALIASED:
            return self._own(PROCESS_CREATION_FIELDS[field])
        return own

    def _own(self, name: str) -> Column | None:
        system, data = self._by_name.get(name, (None, None))
        if system is None or (data is not None and name not in _SYSTEM_WINS):
            if data is None:
                return None
            column = self._original(data)
            return column if system is None else coalesce(name, column, self._original(system))
        return self._original(system)

    @property
    def infos(self) -> Sequence[ColumnInfo]:
        """What is known of the original columns without opening them."""
        return self._infos


class _Columns(Mapping[str, Column]):
    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._names = {info.name: None for info in partition.infos if partition.has(info.name)}

    def __getitem__(self, name: str) -> Column:
        if name not in self._names:
            raise KeyError(name)
        column = self._partition.column(name)
        assert column is not None
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
