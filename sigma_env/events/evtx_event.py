"""An event of the Windows event log, typed: what `EvtxWriter` writes and what recorded logs are turned into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sigma_env.events.binxml import Element, TypedValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: the System part and a body, which is `data`, `user_data` or neither.

    Numbers of System may be None: the element, or attribute, is then left out. Classic event sources have neither
    `version` nor `opcode`, and no Execution: both ids of that are None.

    Attributes:
        provider: name of the provider.
        provider_guid: its GUID; None for a classic event source. In braces it is stored as text, as the
            services that bridge to the classic API do, else as a GUID; readers show it as it is given here.
        provider_source: Provider's EventSourceName attribute, which bridged services have.
        event_id: EventID, 0 to 65,535.
        channel: name of the log; "" leaves Channel empty, as traces have it.
        in_channel: False leaves out EventRecordID, Channel and Security: bookmarks of subscriptions are so.
        computer: name of the host that logged it.
        time: TimeCreated; must be aware, exact to the microsecond.
        record_id: EventRecordID, the number by which people look an event up.
        process_id: Execution's ProcessID. Without it and `thread_id` there are neither Execution nor Correlation.
        processor_id: Execution's ProcessorID; this and the next four are found in events made of traces.
        session_id: Execution's SessionID.
        kernel_time: Execution's KernelTime, in ticks of the clock.
        user_time: Execution's UserTime, in ticks of the clock.
        processor_time: Execution's ProcessorTime, in ticks of the processor.
        qualifiers: EventID's Qualifiers attribute, which only classic sources have.
        user_sid: Security's UserID, `S-1-5-18`.
        data: EventData as (name, value) in order; a name of None gives an unnamed `Data`.
        data_name: EventData's own Name attribute, which some providers set (TaskScheduler).
        binary: EventData's Binary element, which classic sources put behind their `Data`.
        user_data: the one child of UserData.
        other: further children of Event (ProcessingErrorData, RenderingInfo).
        rendered: values of System that stand as text where Windows has numbers, GUIDs or times, by field name
            (`EventID`, `Execution_ProcessID`, `TimeCreated_SystemTime`): logs exported by way of XML are so. They
            take the place of the typed value.
    """

    provider: str
    provider_guid: str | None = None
    provider_source: str | None = None
    event_id: int
    version: int | None = 0
    level: int | None = 4
    task: int | None = 0
    opcode: int | None = 0
    keywords: int | None = 0
    time: datetime
    record_id: int
    channel: str
    in_channel: bool = True
    computer: str
    process_id: int | None = 0
    thread_id: int | None = 0
    processor_id: int | None = None
    session_id: int | None = None
    kernel_time: int | None = None
    user_time: int | None = None
    processor_time: int | None = None
    qualifiers: int | None = None
    activity_id: str | None = None
    related_activity_id: str | None = None
    user_sid: str | None = None
    data: Sequence[tuple[str | None, TypedValue]] | None = None
    data_name: str | None = None
    binary: TypedValue | None = None
    user_data: Element | None = None
    other: Sequence[Element] = ()
    rendered: Mapping[str, str] = field(default_factory=dict)
