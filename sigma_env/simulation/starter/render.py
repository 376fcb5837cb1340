"""From an action to the events that its host logs: defaults, coherent identifiers and types."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sigma_env.events.binxml import Element, EventWriteError, TypedValue
from sigma_env.events.writer import Event
from sigma_env.simulation.starter.company import Account, Company, Programs, integrity_label, token_elevation
from sigma_env.simulation.starter.errors import StarterError
from sigma_env.simulation.starter.host_state import UNKNOWN_PROCESS, HostState, Process
from sigma_env.simulation.starter.scenario import Action
from sigma_env.simulation.starter.schemas import FieldSpec, Schema, encode

PROCESS = "process"
_PROCESS_SCHEMAS = ("process_security", "process_sysmon")
_PLACEHOLDER = re.compile(r"@(user|domain_user|sid|host|ip|encoded:[^@]*)@")
# Who the Security element of an event names; these writers name nobody or the acting user instead.
_LOGGER_SIDS = {
    "sysmon": "S-1-5-18",
    "defender": "S-1-5-18",
    "schedule": "S-1-5-18",
    "bits": "S-1-5-18",
    "firewall": "S-1-5-19",
}


@dataclass
class _Scene:
    """Everything that a computed default can be taken from."""

    state: HostState
    account: Account
    fields: Mapping[str, Any]
    process: Process = UNKNOWN_PROCESS
    parent: Process = UNKNOWN_PROCESS
    target: Process = UNKNOWN_PROCESS


class Renderer:
    """Turns actions into events.

    Args:
        company: hosts and accounts.
        programs: version information.
        schemas: the kinds of events by name.
    """

    def __init__(self, company: Company, programs: Programs, schemas: Mapping[str, Schema]) -> None:
        self._company = company
        self._programs = programs
        self._schemas = schemas

    def events(self, action: Action, state: HostState) -> list[Event]:
        """What the action's host logs of it, in order; the clock goes on.

        Raises:
            StarterError: the action names an unknown event, user or field, lacks a value, has one of the wrong
                type, or its host logs nothing of the kind.
        """
        schemas = [self._schemas[name] for name in self._schema_names(action, state)]
        known = {PROCESS: set().union(*(self._schemas[name].field_names() for name in _PROCESS_SCHEMAS))}
        allowed = known.get(action.event) or schemas[0].field_names()
        for name in action.fields.keys() - allowed:
            raise StarterError(f"{action.where}: {name}: {action.event} has no such field; it has {sorted(allowed)}")
        state.advance()
        scene = self._scene(action, schemas[0], state)
        events = []
        for schema in schemas:
            try:
                events.append(self._event(schema, scene, action))
            except EventWriteError as error:
                raise StarterError(f"{action.where}: {error}") from error
            state.pause()
        return events

    def _schema_names(self, action: Action, state: HostState) -> list[str]:
        spec = state.host.spec
        if action.event == PROCESS:
            names = [
                name for name, logs in zip(_PROCESS_SCHEMAS, (spec.process_audit, spec.sysmon), strict=True) if logs
            ]
        else:
            names = [action.event] if action.event in self._schemas else []
            if names and self._schemas[action.event].logger == "sysmon" and not spec.sysmon:
                names = []
        if not names:
            raise StarterError(
                f"{action.where}: {state.host.name} logs no {action.event}; choose another host or event"
            )
        return names

    def _account(self, name: str, action: Action) -> Account:
        try:
            return self._company.accounts[name]
        except KeyError:
            raise StarterError(f"{action.where}: user: there is no account {name!r} in hosts.yml") from None

    def _scene(self, action: Action, schema: Schema, state: HostState) -> _Scene:
        account = self._account(action.user or state.host.spec.user, action)
        fields = {name: _filled(value, account, state) for name, value in action.fields.items()}
        scene = _Scene(state, account, fields)
        if action.event == PROCESS:
            try:
                image, command_line, parent_image = fields["Image"], fields["CommandLine"], fields["ParentImage"]
            except KeyError as error:
                raise StarterError(f"{action.where}: {error.args[0]}: give the value") from None
            scene.parent = state.running(parent_image, account, fields.get("ParentCommandLine"))
            scene.process = state.started(image, command_line, account)
            return scene
        if schema.actor is not None:
            scene.process = state.running(fields.get(schema.actor, schema.actor), account)
        if schema.target is not None and schema.target in fields:
            owner = self._target_account(fields, action)
            scene.target = state.running(fields[schema.target], owner)
        return scene

    def _target_account(self, fields: Mapping[str, Any], action: Action) -> Account:
        """Who owns the target process: whom the scenario says, else the system."""
        name = str(fields.get("TargetUser", "SYSTEM")).rpartition("\\")[2]
        return self._account(name, action)

    def _event(self, schema: Schema, scene: _Scene, action: Action) -> Event:
        state = scene.state
        data = list(self._values(schema, scene, action))
        body: dict[str, Any] = {"data": data, "data_name": schema.data_name}
        if schema.user_data is not None:
            name, namespace = schema.user_data
            children = [Element(field or "Data", (), [value]) for field, value in data]
            body = {"user_data": Element(name, [("xmlns", namespace)], children)}
        acting = schema.logger == "actor"
        return Event(
            provider=schema.provider,
            provider_guid=schema.guid,
            provider_source=schema.source,
            event_id=schema.event_id,
            version=schema.version_on(state.host),
            level=schema.level,
            task=schema.event_id if schema.task is None else schema.task,
            opcode=schema.opcode,
            keywords=schema.keywords,
            qualifiers=schema.qualifiers,
            time=state.now,
            record_id=state.next_record_id(schema.channel),
            channel=schema.channel,
            computer=state.host.fqdn,
            process_id=scene.process.pid if acting else state.service_pid(schema.logger),
            thread_id=0 if schema.logger == "none" else 4 * state.random.randrange(30, 2_000),
            user_sid=scene.account.sid if acting else _LOGGER_SIDS.get(schema.logger),
            **body,
        )

    def _values(self, schema: Schema, scene: _Scene, action: Action) -> Iterator[tuple[str | None, TypedValue]]:
        computed = _computed(scene, self._programs)
        unnamed = iter(scene.fields.get("Data", ()))
        for field in schema.fields_on(scene.state.host):
            value = next(unnamed, field.default) if field.name is None else scene.fields.get(field.name, field.default)
            if value is ...:
                raise StarterError(f"{action.where}: {field.name or 'Data'}: give the value; it has no default")
            try:
                yield field.name, encode(field.type, _default(value, field, computed))
            except EventWriteError as error:
                raise StarterError(f"{action.where}: {field.name or 'Data'}: {error}") from error


def _default(value: Any, field: FieldSpec, computed: Mapping[str, Callable[[], Any]]) -> Any:
    if value is field.default and isinstance(value, str) and value.startswith("="):
        return computed[value[1:]]()
    return value


def _filled(value: Any, account: Account, state: HostState) -> Any:
    """A scenario's value with its placeholders replaced."""
    if isinstance(value, list):
        return [_filled(element, account, state) for element in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("encoded:"):
            # What `powershell -EncodedCommand` takes: Base64 of UTF-16LE.
            return base64.b64encode(name.removeprefix("encoded:").encode("utf-16-le")).decode("ascii")
        return {
            "user": account.name,
            "domain_user": account.full,
            "sid": account.sid,
            "host": state.host.name,
            "ip": state.host.spec.ip,
        }[name]

    return _PLACEHOLDER.sub(replace, value)


def _computed(scene: _Scene, programs: Programs) -> dict[str, Callable[[], Any]]:
    """The computed defaults of schemas.yml by name; each is a function, so that unused ones draw no numbers."""
    state, account, fields = scene.state, scene.account, scene.fields
    host = state.host
    session = state.session(account)
    integrity = fields.get("IntegrityLevel", account.integrity)
    program = programs.at(scene.process.image)
    loaded = programs.at(str(fields.get("ImageLoaded", "-")))
    subject = (f"{host.name}$", host.domain.name) if account.is_built_in else (account.name, account.domain)

    def new_guid() -> str:
        return state.new_guid()

    return {
        "utc_time": lambda: (state.now - timedelta(milliseconds=3)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "yesterday": lambda: state.now - timedelta(days=1, seconds=state.random.randrange(40_000)),
        "port": lambda: state.random.randrange(49_152, 65_500),
        "port_text": lambda: str(state.random.randrange(49_152, 65_500)),
        "thread": lambda: 4 * state.random.randrange(200, 3_000),
        "host.ip": lambda: host.spec.ip,
        "host.fqdn": lambda: host.fqdn,
        "process.guid": lambda: scene.process.guid,
        "process.pid": lambda: scene.process.pid,
        "process.image": lambda: scene.process.image,
        "process.command_line": lambda: scene.process.command_line,
        "parent.guid": lambda: scene.parent.guid,
        "parent.pid": lambda: scene.parent.pid,
        "parent.image": lambda: fields["ParentImage"],
        "parent.command_line": lambda: scene.parent.command_line,
        "parent.user": lambda: scene.parent.user,
        "target.guid": lambda: scene.target.guid,
        "target.pid": lambda: scene.target.pid,
        "target.user": lambda: scene.target.user,
        "user.full": lambda: account.full,
        "user.name": lambda: account.name,
        "user.domain": lambda: account.domain,
        "user.sid": lambda: account.sid,
        "user.principal": lambda: f"{account.name}@{host.domain.dns.upper()}",
        "user.subject_name": lambda: subject[0],
        "user.subject_domain": lambda: subject[1],
        "user.directory": lambda: account.directory,
        "user.logon_id": lambda: session.logon_id,
        "user.logon_guid": lambda: session.logon_guid,
        "user.session": lambda: session.terminal,
        "user.integrity": lambda: account.integrity,
        "user.label": lambda: integrity_label(integrity),
        "user.elevation": lambda: token_elevation(integrity),
        "image.file_version": lambda: program.file_version,
        "image.description": lambda: program.description,
        "image.product": lambda: program.product,
        "image.company": lambda: program.company,
        "image.original_name": lambda: program.original_name,
        "image.hashes": lambda: program.hashes,
        "loaded.file_version": lambda: loaded.file_version,
        "loaded.description": lambda: loaded.description,
        "loaded.product": lambda: loaded.product,
        "loaded.company": lambda: loaded.company,
        "loaded.original_name": lambda: loaded.original_name,
        "loaded.hashes": lambda: loaded.hashes,
        "deleted.hashes": lambda: programs.at(str(fields["TargetFilename"])).hashes,
        "source.is_ipv6": lambda: ":" in str(fields.get("SourceIp", "")),
        "destination.is_ipv6": lambda: ":" in str(fields["DestinationIp"]),
        "new.guid": new_guid,
        "new.guid2": new_guid,
        "new.guid_braces": lambda: f"{{{state.new_guid()}}}",
        "new.pid": state.new_pid,
        "new.logon_id": state.new_logon_id,
        "new.sid": lambda: f"{host.domain.sid}-{state.random.randrange(1_400, 1_900)}",
    }
