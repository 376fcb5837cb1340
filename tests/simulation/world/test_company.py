"""The company: hosts, accounts and scenes, and the wall between what requests show and what they hide."""

import pickle
import random

import pytest

from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.world import Company
from sigma_env.simulation.world.kinds_on_hosts import hosts_of, versions_of
from sigma_env.simulation.world.programs import programs
from sigma_env.simulation.world.setting import setting

COMPANY = Company.default()


def schema(name: str) -> EventSchema:
    return catalogue().named(name)


class TestHosts:
    def test_forty_hosts_of_every_kind_and_profile(self) -> None:
        hosts = COMPANY.hosts.values()
        assert len(hosts) == 40
        assert {host.kind for host in hosts} == {"workstation", "server", "dc"}
        for pilot in (False, True):
            of_part = [host for host in hosts if host.pilot == pilot]
            ways = {(host.profile, host.windows_age) for host in of_part}
            assert ways == {(p, age) for p in ("sysmon", "security", "both") for age in (0, 1, 2)}

    def test_addresses_names_and_sids_are_each_given_once(self) -> None:
        hosts, accounts = COMPANY.hosts.values(), COMPANY.accounts.values()
        assert len({host.ip for host in hosts}) == len(hosts)
        assert len({account.sid for account in accounts}) == len(accounts)
        assert {f"{host.name}$" for host in hosts} <= COMPANY.accounts.keys()

    def test_who_works_on_a_host_is_of_its_part(self) -> None:
        for host in COMPANY.hosts.values():
            assert COMPANY.accounts[host.user].pilot == host.pilot

    def test_the_same_seed_gives_the_same_company_and_another_one_another(self) -> None:
        assert Company.default(seed=4).hosts == Company.default(seed=4).hosts
        assert Company.default(seed=4).hosts != Company.default(seed=5).hosts
        assert Company.default(seed=4).accounts != Company.default(seed=5).accounts

    def test_another_process_gets_an_equal_company(self) -> None:
        company = Company.default(seed=9, hosts=24)
        assert pickle.loads(pickle.dumps(company)) is company

    def test_a_company_too_small_for_every_profile_is_refused(self) -> None:
        with pytest.raises(SimulationError, match="at least 24"):
            Company.default(hosts=5)

    def test_unknown_names_are_refused_with_what_to_do(self) -> None:
        with pytest.raises(SimulationError, match=r"no host 'NOWHERE'; take one of Company\.hosts"):
            COMPANY.host("NOWHERE")
        with pytest.raises(SimulationError, match=r"no account 'nobody'; take one of Company\.accounts"):
            COMPANY.scene(random.Random(0), schema("sysmon-1-v5"), user="nobody")


class TestScenes:
    @pytest.mark.parametrize("visible", [False, True])
    def test_the_host_logs_such_events_in_this_version(self, visible: bool) -> None:
        rng = random.Random(1)
        for kind in catalogue():
            family = versions_of(kind)
            for _ in range(4):
                host = COMPANY.host(COMPANY.scene(rng, kind, visible=visible).host)
                assert host.pilot == visible
                assert host.logs(kind.logged_by)
                if len(family) <= 3 and not hosts_of(kind):  # few hosts are domain controllers
                    assert host.version_of(family).name == kind.name

    def test_every_version_of_a_process_start_has_its_hosts(self) -> None:
        by_version = {
            kind.name: {host.name for host in COMPANY.hosts_for(kind)}
            for kind in versions_of(schema("security-4688-v2"))
        }
        assert all(by_version.values())
        names = [name for hosts in by_version.values() for name in hosts]
        assert len(names) == len(set(names))

    def test_ticket_requests_are_logged_by_domain_controllers(self) -> None:
        assert {host.kind for host in COMPANY.hosts_for(schema("security-4769-v0"))} == {"dc"}

    def test_visible_scenes_share_nothing_with_the_others(self) -> None:
        rng, kind = random.Random(2), schema("sysmon-1-v5")
        shown, hidden = ([COMPANY.scene(rng, kind, visible=v) for _ in range(300)] for v in (True, False))
        for part in ("host", "user"):
            assert not {getattr(s, part) for s in shown} & {getattr(s, part) for s in hidden}
        these, those = ([setting(COMPANY, scene) for scene in scenes] for scenes in (shown, hidden))
        for what in ("directory", "document"):
            assert not {getattr(s, what) for s in these} & {getattr(s, what) for s in those}
        assert not {s.identity.hashes for s in these} & {s.identity.hashes for s in those}
        assert not {s.account.sid for s in these} & {s.account.sid for s in those}
        assert not {ip for s in these for ip in (s.host.ip, s.peer.ip, s.dc.ip)} & {s.host.ip for s in those}

    def test_a_scene_keeps_the_program_that_it_was_made_for(self) -> None:
        scene = COMPANY.scene(random.Random(3), schema("sysmon-1-v5"), program="C:\\temp\\CertUtil.exe")
        assert setting(COMPANY, scene).program.original_name == "CertUtil.exe"

    def test_a_program_that_nobody_knows_leaves_the_choice_to_the_number(self) -> None:
        scene = COMPANY.scene(random.Random(3), schema("sysmon-1-v5"), user="SYSTEM", program="C:\\temp\\odd.exe")
        assert not setting(COMPANY, scene).has_program
        assert "s" in setting(COMPANY, scene).program.who


class TestPrograms:
    def test_some_two_hundred_programs_with_version_information(self) -> None:
        known = programs().programs
        assert len(known) >= 200
        for program in known:
            assert program.path[1:3] == ":\\"
            assert all([program.description, program.company, program.product, *program.versions])

    def test_every_kind_of_person_has_programs_for_a_quiet_day(self) -> None:
        assert {letter: len(found) > 10 for letter, found in programs().quiet.items()} == dict.fromkeys("uas", True)

    def test_programs_differ_in_hashes_also_between_update_rings(self) -> None:
        hashes = [identity.hashes for program in programs().programs for identity in program.identities]
        assert len(set(hashes)) == len({(p.name, v) for p in programs().programs for v in p.versions})
