"""The published profiles: real, whole, small, described, and with nothing of the machine that recorded them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest
import zstandard

from advisor.procfs.facts import CgroupMembership
from advisor.profile.codec import ProfileError, load_profile
from advisor.profile.model import ProcessFacts, ProcessRecord, Profile
from advisor.profile.timeline import ProcessState, Timeline
from tests.samples.readme import readme
from tests.samples.record import FOLDER, SCENARIOS, SUFFIX
from tests.samples.scrub import HOSTNAME, private_text, scrubbed

LARGEST_PROFILE_BYTES = 150_000
FEWEST_PROFILES = 8
CUTS = 24
"""Places at which each profile is cut off; one profile is cut at many more."""

PROFILES = sorted(FOLDER.glob(f"*{SUFFIX}"))
SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}

each_profile = pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.name.removesuffix(SUFFIX))


@cache
def loaded(path: Path) -> Profile:
    return load_profile(path)


def name_of(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def processes_at_end(path: Path) -> Iterator[ProcessState]:
    profile = loaded(path)
    timeline = Timeline(profile.header)
    for sample in profile.samples:
        timeline.add(sample)
    yield from timeline.processes.values()


def whole_samples(data: bytes) -> int:
    """Lines after the header that are whole in a cut-off stream, by zstandard alone."""
    return max(0, zstandard.ZstdDecompressor().decompressobj().decompress(data).count(b"\n") - 1)


def sample_ends(data: bytes) -> list[int]:
    """Lengths at which a growing file holds one sample more."""
    stream = zstandard.ZstdDecompressor().decompressobj()
    lines = [stream.decompress(data[place : place + 1]).count(b"\n") for place in range(len(data))]
    return [place + 1 for place, found in enumerate(lines) if found][1:]


def assert_reads_to_last_whole_sample(copy: Path, full: Profile) -> None:
    whole = whole_samples(copy.read_bytes())
    if whole == 0:
        with pytest.raises(ProfileError):
            load_profile(copy)
        return
    assert load_profile(copy).samples == full.samples[:whole]


def test_there_are_enough_profiles_and_each_has_a_script() -> None:
    assert len(PROFILES) >= FEWEST_PROFILES
    assert {name_of(path) for path in PROFILES} == set(SCENARIO)


def test_the_readme_says_of_each_profile_what_the_profile_says() -> None:
    items = [(scenario, f"{scenario.name}{SUFFIX}") for scenario in SCENARIOS]
    expected = readme((scenario, name, loaded(FOLDER / name)) for scenario, name in items)
    assert (FOLDER / "README.md").read_text() == expected


@each_profile
def test_it_is_whole_small_and_long_enough_for_rates(path: Path) -> None:
    profile = loaded(path)
    assert not profile.truncated
    assert len(profile.samples) >= 2
    assert path.stat().st_size < LARGEST_PROFILE_BYTES


@each_profile
def test_it_names_its_program_and_commands(path: Path) -> None:
    program, *commands = (loaded(path).header.origin or "").splitlines()
    assert program
    assert commands


@each_profile
def test_it_holds_nothing_of_the_machine_that_recorded_it(path: Path) -> None:
    profile = loaded(path)
    assert profile.header.redacted
    assert profile.header.host.hostname == HOSTNAME
    assert profile.header.host.boot_id is None
    assert private_text(profile) == []
    groups = [group for state in processes_at_end(path) if state.facts for group in state.facts.cgroup or []]
    assert {group.path for group in groups} <= {"/"}


@each_profile
def test_the_mappings_of_the_program_are_in_it(path: Path) -> None:
    states = list(processes_at_end(path))
    for name in SCENARIO[name_of(path)].processes:
        named = [state for state in states if state.facts and state.facts.name == name]
        assert named, name
        assert all(state.maps for state in named), name


@each_profile
def test_thp_and_pools_were_as_described_all_the_time(path: Path) -> None:
    hosts = [sample.host for sample in loaded(path).samples]
    assert {host.thp.enabled if host.thp else None for host in hosts} == {SCENARIO[name_of(path)].thp}
    pools = {tuple((pool.page_bytes, pool.node, pool.total) for pool in host.pools or []) for host in hosts}
    assert len(pools) == 1


@each_profile
def test_a_copy_cut_off_anywhere_reads_to_its_last_whole_sample(path: Path, tmp_path: Path) -> None:
    data, copy = path.read_bytes(), tmp_path / path.name
    for cut in range(0, len(data), len(data) // CUTS):
        copy.write_bytes(data[:cut])
        assert_reads_to_last_whole_sample(copy, loaded(path))


def test_a_copy_cut_off_at_every_offset_around_a_sample_reads_to_its_last_whole_one(tmp_path: Path) -> None:
    path = min(PROFILES, key=lambda path: path.stat().st_size)
    data, copy = path.read_bytes(), tmp_path / path.name
    for end in sample_ends(data)[:3]:
        for cut in range(end - 8, end + 9):
            copy.write_bytes(data[:cut])
            assert_reads_to_last_whole_sample(copy, loaded(path))


@pytest.mark.parametrize("place", ["/home/somebody/bin/tool", "/root/.pyenv/shims/python3", "/tmp/x/data"])
def test_a_folder_of_whoever_recorded_would_be_found(place: str) -> None:
    profile = loaded(PROFILES[0])
    telling = msgspec.structs.replace(profile.header, origin=f"Tool 1.0\n{place} --serve")
    assert private_text(Profile(telling, profile.samples)) == [f"Tool 1.0\n{place} --serve"]


def test_scrubbing_takes_out_name_boot_folder_and_control_groups() -> None:
    profile = loaded(PROFILES[0])
    facts = ProcessFacts("tool", executable="/tmp/abc/tool", cgroup=[CgroupMembership(0, [], "/user.slice/me")])
    host = msgspec.structs.replace(profile.header.host, hostname="db7", boot_id="09c69f8b")
    sample = msgspec.structs.replace(profile.samples[0], processes=[ProcessRecord(7, 1, facts)])
    clean = scrubbed(Profile(msgspec.structs.replace(profile.header, host=host), [sample]), ["/tmp/abc"], "Tool 1.0")
    assert (clean.header.host.hostname, clean.header.host.boot_id) == (HOSTNAME, None)
    found = clean.samples[0].processes[0].facts
    assert found == ProcessFacts("tool", executable="/srv/sample/tool", cgroup=[CgroupMembership(0, [], "/")])
