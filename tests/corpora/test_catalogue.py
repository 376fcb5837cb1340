from __future__ import annotations

import gzip
import subprocess
import sys

import pytest

from sigma_env.corpora.blobs import blob_hash, load_blobs, pack_blobs, parse_blobs
from sigma_env.corpora.catalogue import FORGE_VARIABLE, Source, catalogue, parse_catalogue
from sigma_env.corpora.extract import MANIFEST_NAME
from sigma_env.errors import SourceError
from tests.corpora.packed import SOURCE

SOURCES = list(catalogue().sources.values())
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)

ENTRY = """
sources:
  one:
    title: t
    owner: o
    repo: r
    commit: {commit}
    licence: l
    licence_file: null
    data: [{{folder: "", suffixes: [.evtx]}}]
    unverified: []
"""


def test_the_pinned_sources() -> None:
    assert [(s.owner, s.repo, s.commit, s.licence) for s in SOURCES] == [
        ("SigmaHQ", "sigma", "8eaafff1f2845a696050e05e72ba1140ee190698", "Detection Rule License 1.1"),
        ("sbousseaden", "EVTX-ATTACK-SAMPLES", "4ceed2f4706daf601c212a8f91c113dd85349a2c", "GPL-3.0"),
        (
            "Yamato-Security",
            "hayabusa-sample-evtx",
            "071da2e1f18d570162a61d8fd476f5454bbf6631",
            "none stated at its root",
        ),
    ]


def test_the_url_is_the_forges_source_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FORGE_VARIABLE, raising=False)
    assert SOURCE.url == f"https://github.com/someone/sample/archive/{SOURCE.commit}.tar.gz"
    monkeypatch.setenv(FORGE_VARIABLE, "http://proxy.example:8080/forge/")
    assert SOURCE.url == f"http://proxy.example:8080/forge/someone/sample/archive/{SOURCE.commit}.tar.gz"


@pytest.mark.parametrize("base", ["ftp://x", "github.com", "file:///tmp", "https://"])
def test_a_forge_that_is_no_url_is_named(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    monkeypatch.setenv(FORGE_VARIABLE, base)
    with pytest.raises(SourceError, match="SIGMA_ENV_FORGE is"):
        _ = SOURCE.url


def test_names_are_found_in_any_case_and_unknown_ones_list_the_known() -> None:
    assert catalogue().find("evtx-attack-samples").name == "EVTX-ATTACK-SAMPLES"
    with pytest.raises(SourceError, match=r"'sigm'.*sigma, EVTX-ATTACK-SAMPLES, hayabusa-sample-evtx"):
        catalogue().find("sigm")


def test_selecting_no_name_selects_all_and_a_name_counts_once() -> None:
    assert catalogue().select([]) == SOURCES
    assert [s.name for s in catalogue().select(["sigma", "SIGMA"])] == ["sigma"]


@each_source
def test_every_recorded_file_is_one_that_the_catalogue_selects(source: Source) -> None:
    blobs = load_blobs(source.name)
    assert blobs
    assert [path for path in blobs if not source.selects(path)] == []
    assert source.licence_file is None or source.licence_file in blobs


@each_source
def test_an_unverified_entry_is_selected_and_not_recorded(source: Source) -> None:
    blobs = load_blobs(source.name)
    for entry in source.unverified:
        example = entry.replace("*", "x")
        assert source.selects(example)
        assert source.unverified_entry(example) == entry
    assert [path for path in blobs if source.unverified_entry(path)] == []


@each_source
def test_recorded_names_differ_in_more_than_case_and_leave_the_manifests_name_free(source: Source) -> None:
    blobs = load_blobs(source.name)
    assert len({path.casefold() for path in blobs}) == len(blobs)
    assert not source.selects(MANIFEST_NAME)


def test_what_is_recorded_of_each_source() -> None:
    counts = {s.name: sum(path.endswith(".evtx") for path in load_blobs(s.name)) for s in SOURCES}
    assert counts == {"sigma": 202, "EVTX-ATTACK-SAMPLES": 277, "hayabusa-sample-evtx": 593}


def test_a_star_stands_for_a_part_of_one_folder() -> None:
    assert SOURCE.unverified_entry("logs/a/T1000.001-x/odd.evtx") == "logs/*/T1000*/odd.evtx"
    assert SOURCE.unverified_entry("logs/a/b/T1000/odd.evtx") is None
    assert SOURCE.unverified_entry("logs/extra.evtx") == "logs/extra.evtx"
    assert SOURCE.unverified_entry("logs/extraXevtx") is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (ENTRY.format(commit="main"), r"sources\.one\.commit"),
        (ENTRY.format(commit="c" * 40).replace("licence: l", "licence: ''"), r"sources\.one\.licence"),
        (ENTRY.format(commit="c" * 40).replace("owner: o", "owner: o/../x"), r"sources\.one\.owner"),
        (ENTRY.format(commit="c" * 40) + "    stars: 5\n", r"sources\.one\.stars"),
        ("sources: 5", "not a mapping with the key 'sources'"),
        ("sources: [", "not a mapping with the key 'sources'"),
        ("", "not a mapping with the key 'sources'"),
    ],
)
def test_a_wrong_catalogue_names_its_entry_and_field(text: str, fault: str) -> None:
    with pytest.raises(SourceError, match=f"mine.yaml: .*{fault}"):
        parse_catalogue(text, origin="mine.yaml")


def test_a_catalogue_that_is_right_is_read() -> None:
    assert parse_catalogue(ENTRY.format(commit="c" * 40), origin="x").find("one").top_folder == f"r-{'c' * 40}"


@pytest.mark.parametrize(
    ("content", "blob"),
    [  # as `git hash-object` prints them
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_blob_ids_are_gits(content: bytes, blob: str) -> None:
    digest = blob_hash(len(content))
    digest.update(content)
    assert digest.hexdigest() == blob


def test_a_record_survives_packing_and_equal_ids_pack_equally() -> None:
    blobs = {"b c.yml": "1" * 40, "a.evtx": "2" * 40}
    packed = pack_blobs(blobs)
    assert parse_blobs(gzip.decompress(packed).decode()) == blobs
    assert pack_blobs(dict(reversed(blobs.items()))) == packed


@pytest.mark.parametrize("text", ["x a\n", f"{'1' * 40} \n", f"{'1' * 40} a\n{'2' * 40} a\n", "\n"])
def test_a_damaged_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no new 'BLOB-ID PATH'"):
        parse_blobs(text)


def test_a_missing_record_names_its_file() -> None:
    with pytest.raises(SourceError, match=r"nothing\.blobs\.gz: .* reinstall"):
        load_blobs("nothing")


def test_the_cache_can_be_imported_without_the_libraries_that_fetching_needs() -> None:
    code = "import sigma_env.corpora.cache, sys; print({'httpx', 'pydantic', 'yaml', 'rich'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
