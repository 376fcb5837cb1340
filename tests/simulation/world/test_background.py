"""Background: every kind of event that rules ask for, in proportion, and nothing that looks like an attack."""

from collections import Counter
from pathlib import Path

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.engines.base import Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.files import parse_rule_text
from sigma_env.simulation.schema import UNNAMED
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.world import Company, background, write_logs
from sigma_env.simulation.world.background import FILE
from sigma_env.simulation.world.files import read_data
from sigma_env.simulation.world.kinds_on_hosts import hosts_of
from sigma_env.simulation.world.ordinary import ordinary

COMPANY = Company.default()


class TestBackground:
    @pytest.mark.parametrize("n", [0, 1, 100, 3000])
    def test_as_many_events_as_are_asked_for(self, n: int) -> None:
        assert len(background(COMPANY, 1, n)) == n

    def test_every_kind_occurs_a_few_times_and_the_common_ones_often(self) -> None:
        listed = read_data(FILE)
        counts = Counter((d.schema.channel, d.schema.event_id) for d in background(COMPANY, 1, 4000))
        for channel, events in listed["kinds"].items():
            for event_id in events:
                assert counts[channel, event_id] >= listed["at_least"]
        assert counts["Microsoft-Windows-Sysmon/Operational", 1] > 20 * counts["Security", 4720]

    def test_every_weight_has_a_reason(self) -> None:
        for events in read_data(FILE)["kinds"].values():
            assert all(weight > 0 and len(reason) > 5 for weight, reason in events.values())

    def test_hosts_log_only_what_they_log(self) -> None:
        for draft in background(COMPANY, 2, 2000):
            host = COMPANY.host(draft.scene.host)
            assert host.logs(draft.schema.logged_by)
            assert not hosts_of(draft.schema) or host.kind in hosts_of(draft.schema)

    def test_the_same_seed_gives_the_same_events(self) -> None:
        assert background(COMPANY, 3, 300) == background(COMPANY, 3, 300)
        assert background(COMPANY, 3, 300) != background(COMPANY, 4, 300)

    @pytest.mark.parametrize(
        "selection",
        [
            "{CommandLine|contains: [' -enc', '-EncodedCommand', 'IEX(', 'DownloadString', 'mimikatz', 'whoami']}",
            "{Image|endswith: ['\\mshta.exe', '\\certutil.exe', '\\bitsadmin.exe', '\\vssadmin.exe']}",
            "{TargetImage|endswith: '\\lsass.exe', GrantedAccess: ['0x1010', '0x1410', '0x1438', '0x1fffff']}",
            "{TargetObject|contains: ['\\CurrentVersion\\Run\\', '\\Image File Execution Options\\']}",
            "{ScriptBlockText|contains: ['Invoke-Mimikatz', 'FromBase64String', 'Net.WebClient', 'AmsiUtils']}",
            "{TicketEncryptionType: '0x17'}",
            "{Channel: [Security, System], EventID: [1102, 104]}",
        ],
    )
    def test_nothing_in_it_looks_like_an_attack(self, selection: str, store: EventStore) -> None:
        assert matches(store, selection) == 0

    def test_but_what_is_in_it_is_found(self, store: EventStore) -> None:
        assert matches(store, "{TargetImage|endswith: '\\lsass.exe'}") > 0
        assert matches(store, "{ScriptBlockText|contains: 'Import-Csv'}") > 0


def matches(store: EventStore, selection: str) -> int:
    text = f"logsource: {{product: windows}}\ndetection: {{selection: {selection}, condition: selection}}"
    rule = parse_rule_text(text, Path("rule.yml"))[0].rule
    assert rule is not None
    (found,) = NativeEngine().match([rule], store)
    assert not isinstance(found, Unsupported)
    return len(found)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    folder = tmp_path_factory.mktemp("background")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder / "cache"))
        write_logs(background(COMPANY, 1, 4000), COMPANY, folder / "logs", seed=1)
        return build([LogRoot(folder / "logs")])


class TestRows:
    def test_deciding_fields_are_in_the_rows(self) -> None:
        for (channel, event_id), rows in ordinary().items():
            for name in rows.by:
                assert any(name in row.values for row in rows.rows), (channel, event_id, name)

    def test_every_value_of_a_row_has_a_field(self) -> None:
        fields: dict[str, set[str]] = {}
        for schema in catalogue():
            fields.setdefault(schema.channel.lower(), set()).update(spec.name or UNNAMED for spec in schema.fields)
        for (channel, event_id), rows in ordinary().items():
            assert catalogue().of_event(channel, event_id), (channel, event_id)
            assert {name for row in rows.rows for name in row.values} <= fields[channel], (channel, event_id)
