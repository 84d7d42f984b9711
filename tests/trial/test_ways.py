"""How policies are brought to commands: what is started, what is needed, and why not where it cannot be."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.fs import KernelFs
from advisor.trial.document import Policy, Way
from advisor.trial.way_command import WRAPPERS, take_apart
from advisor.trial.way_malloc import glibc_obstacle, with_tunables
from advisor.trial.way_model import Case, CustomWay, HostFacts, size_label
from advisor.trial.way_program import ProgramFile, look_at
from advisor.trial.ways import host_facts, parse_custom_way, policies_of, ways_for
from advisor.units import GIB, MIB
from tests.fake_proc import FakeProc

BASE, DEFAULT = Policy("base", "base"), Policy("default", "default")
THP = Policy("thp", "thp", 2 * MIB)
POOL_2M, POOL_1G = Policy("pool-2M", "hugetlb", 2 * MIB), Policy("pool-1G", "hugetlb", GIB)
ALL = [BASE, THP, POOL_2M, POOL_1G, DEFAULT]
HOST = HostFacts((2, 36), "madvise", "never", {2 * MIB: 0, GIB: 0}, 2 * MIB, may_change=True, root=True)
FIXED = replace(HOST, may_change=False)
MARKS = {"HUGEPAGE_ADVISOR_POLICY", "HUGEPAGE_ADVISOR_PAGE_BYTES"}


def ways(
    command: Sequence[str],
    host: HostFacts = HOST,
    environment: Mapping[str, str] | None = None,
    custom: Mapping[str, CustomWay] | None = None,
    own_way: bool = False,
) -> dict[str, Way]:
    found = ways_for(command, {"PATH": "/nowhere", **(environment or {})}, ALL, host, custom, own_way)
    return {way.policy.name: way for way in found}


def tunables(way: Way) -> str | None:
    return way.environment.get("GLIBC_TUNABLES")


def sysfs(root: Path, pools: Sequence[int], pmd_bytes: int | None) -> KernelFs:
    fake = FakeProc(root)
    thp = fake.sysfs / "kernel/mm/transparent_hugepage"
    if pmd_bytes is None:
        (thp / "hpage_pmd_size").unlink()
    else:
        (thp / "hpage_pmd_size").write_text(f"{pmd_bytes}\n")
    for size in pools:
        folder = fake.sysfs / f"kernel/mm/hugepages/hugepages-{size // 1024}kB"
        folder.mkdir(parents=True)
        for name, count in {"nr": 5, "free": 3, "resv": 1, "surplus": 0}.items():
            (folder / f"{name}_hugepages").write_text(f"{count}\n")
    return KernelFs(str(fake.procfs), str(fake.sysfs))


def test_all_policies_of_a_host(tmp_path: Path) -> None:
    fs = sysfs(tmp_path, [GIB, 2 * MIB], 2 * MIB)
    assert policies_of(fs, None) == [BASE, THP, POOL_2M, POOL_1G]
    assert policies_of(fs, ["1G", "default", "pool-1G"]) == [POOL_1G, DEFAULT]
    with pytest.raises(ValueError, match=r"pool-4M.*base, thp, pool-2M, pool-1G, default"):
        policies_of(fs, ["pool-4M"])


def test_policies_of_a_host_with_64k_base_pages(tmp_path: Path) -> None:
    fs = sysfs(tmp_path, [2 * MIB, 512 * MIB, 16 * GIB], 512 * MIB)
    names = ["base", "thp", "pool-2M", "pool-512M", "pool-16G"]
    assert [policy.name for policy in policies_of(fs, None)] == names
    assert policies_of(fs, ["thp"])[0].page_bytes == 512 * MIB


def test_policies_of_a_kernel_without_huge_pages(tmp_path: Path) -> None:
    fs = sysfs(tmp_path, [], None)
    assert policies_of(fs, None) == [BASE]
    with pytest.raises(ValueError, match="thp"):
        policies_of(fs, ["thp"])


def test_facts_of_the_host(tmp_path: Path) -> None:
    facts = host_facts(sysfs(tmp_path, [2 * MIB], 2 * MIB), may_change=True)
    assert (facts.thp_enabled, facts.shmem_enabled) == ("madvise", None)
    assert facts.pools == {2 * MIB: 2}
    assert facts.may_change


def test_settings_that_are_mounted_read_only_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = sysfs(tmp_path, [], 2 * MIB)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert host_facts(fs, may_change=True).changes
    found = os.statvfs(tmp_path)
    read_only = os.statvfs_result([*found[:8], found.f_flag | os.ST_RDONLY, found.f_namemax, found.f_fsid])
    monkeypatch.setattr("os.statvfs", lambda _: read_only)
    assert not host_facts(fs, may_change=True).changes


@given(st.integers(min_value=1, max_value=1 << 50))
def test_a_size_label_says_the_size(size: int) -> None:
    label = size_label(size)
    units = {"K": 10, "M": 20, "G": 30}
    assert (int(label[:-1]) << units[label[-1]] if label[-1] in units else int(label)) == size


def test_general_ways() -> None:
    found = ways(["work", "{policy}", "{page_bytes}", "{other}"])
    assert found["base"].thp_disable
    assert found["base"].command == ["work", "base", "", "{other}"]
    assert set(found["base"].environment) == MARKS
    assert found["thp"].thp_enabled == "always"
    assert tunables(found["thp"]) == "glibc.malloc.hugetlb=1"
    assert tunables(found["pool-1G"]) == f"glibc.malloc.hugetlb={GIB}:glibc.malloc.mmap_threshold={GIB}"
    assert found["pool-1G"].pool_page_bytes == GIB
    assert found["pool-1G"].environment["HUGEPAGE_ADVISOR_PAGE_BYTES"] == str(GIB)
    assert found["default"].command[1] == "default"
    assert set(found["default"].environment) == MARKS
    assert found["default"].thp_enabled is None
    assert [way.id for way in found.values()] == [
        "prctl",
        "system-mode+glibc-tunables",
        "glibc-tunables",
        "glibc-tunables",
        "as-it-is",
    ]
    assert all(way.why_unusable is None for way in found.values())


def test_the_callers_tunables_are_kept() -> None:
    caller = {"GLIBC_TUNABLES": "glibc.malloc.check=1:glibc.malloc.hugetlb=2"}
    found = ways(["work"], environment=caller)
    assert tunables(found["base"]) == "glibc.malloc.check=1:glibc.malloc.hugetlb=0"
    assert tunables(found["thp"]) == "glibc.malloc.check=1:glibc.malloc.hugetlb=1"
    assert "GLIBC_TUNABLES" not in found["default"].environment


def test_without_leave_to_change_settings() -> None:
    assert ways(["work"], FIXED)["thp"].id == "glibc-tunables"
    assert ways(["work"], FIXED)["thp"].thp_enabled is None
    assert "never" in str(ways(["work"], replace(FIXED, thp_enabled="never"))["thp"].why_unusable)
    assert ways(["work"], replace(FIXED, thp_enabled="always"))["thp"].why_unusable is None
    assert "nothing would ask" in str(ways(["work"], replace(FIXED, glibc=None))["thp"].why_unusable)
    assert "no free page" in str(ways(["work"], FIXED)["pool-2M"].why_unusable)
    filled = replace(FIXED, pools={2 * MIB: 10})
    assert ways(["work"], filled)["pool-2M"].why_unusable is None
    not_root = replace(HOST, root=False)
    assert ways(["work"], not_root)["pool-2M"].why_unusable == ways(["work"], FIXED)["pool-2M"].why_unusable


def test_unusable_ways_are_otherwise_empty() -> None:
    way = ways(["work"], replace(HOST, glibc=(2, 34)))["pool-2M"]
    assert "2.35" in str(way.why_unusable)
    assert (way.command, way.environment, way.pool_page_bytes) == ([], {}, None)


@pytest.mark.parametrize("program", ["docker", "systemd-run", "ssh"])
def test_work_that_somebody_else_starts(program: str) -> None:
    found = ways([program, "run", "x"])
    assert all("somebody else" in str(found[name].why_unusable) for name in ("base", "thp", "pool-2M"))
    assert found["default"].why_unusable is None


def test_sudo_loses_the_environment_and_keeps_the_prctl() -> None:
    found = ways(["sudo", "-E", "work"], environment={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=2"})
    assert "under sudo" in str(found["pool-2M"].why_unusable)
    assert found["base"].thp_disable
    assert found["thp"].id == "system-mode"


@pytest.mark.parametrize(
    ("command", "program", "arguments"),
    [
        ("nice -n 5 java -x", "java", ["-x"]),
        ("nice -n5 java", "java", []),
        ("nice -10 java", "java", []),
        ("nice --adjustment 5 java", "java", []),
        ("nice --adjustment=5 java", "java", []),
        ("/usr/bin/env -u HOME A=1 B=2 java -x", "java", ["-x"]),
        ("env -i java", "env", ["-i", "java"]),
        ("taskset -c 0,1 java", "java", []),
        ("taskset -p 1", "taskset", ["-p", "1"]),
        ("timeout -k 1 10s java", "java", []),
        ("numactl -m 0 --physcpubind=1 -- java -x", "java", ["-x"]),
        ("setpriv --reuid postgres --clear-groups java", "java", []),
        ("runuser -u me -- java", "java", []),
        ("runuser me -c java", "runuser", ["me", "-c", "java"]),
        ("nice nohup setsid taskset 1 java -x", "java", ["-x"]),
        ("sh -c 'exec java -x \"a b\"'", "java", ["-x", "a b"]),
        ("nice sh -c 'taskset 1 java {policy}'", "java", ["{policy}"]),
        ("sh -c 'java | tee x'", "sh", ["-c", "java | tee x"]),
        ("sh -c 'java {a,b}'", "sh", ["-c", "java {a,b}"]),
        ("sh -c 'A=1 java'", "sh", ["-c", "A=1 java"]),
        ("bash script.sh", "bash", ["script.sh"]),
        ("nice", "nice", []),
        ("nice -n", "nice", ["-n"]),
    ],
)
def test_behind_wrappers(command: str, program: str, arguments: list[str]) -> None:
    found = take_apart(shlex.split(command))
    assert (found.program, list(found.arguments)) == (program, arguments)


def test_what_env_assigns_counts_and_gives_way() -> None:
    found = ways(["env", "A=1", "GLIBC_TUNABLES=glibc.malloc.check=3", "work"])
    assert found["pool-2M"].command == ["env", "A=1", "work"]
    assert str(tunables(found["pool-2M"])).startswith("glibc.malloc.check=3:glibc.malloc.hugetlb=")
    assert found["base"].command == ["env", "A=1", "GLIBC_TUNABLES=glibc.malloc.check=3", "work"]


WORDS = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=8), min_size=1, max_size=6)


@given(WORDS, st.lists(st.sampled_from([*sorted(WRAPPERS), "sh", "-c", "-n", "--", "A=1", "x y", "5"]), max_size=8))
def test_a_command_taken_apart_is_the_same_when_rebuilt(words: list[str], wrappers: list[str]) -> None:
    command = [*wrappers, *words]
    found = take_apart(command)
    rebuilt = found.rebuilt(found.arguments)
    if not any(layer.quoted for layer in found.layers):
        assert rebuilt == command
    assert take_apart(rebuilt).arguments == found.arguments


SHELL_WORD = st.text(st.sampled_from("ab '\"-{}=/.:"), min_size=1, max_size=6)


@given(st.lists(SHELL_WORD, min_size=1, max_size=5))
def test_a_shells_command_means_the_same_when_quoted_again(words: list[str]) -> None:
    text = shlex.join(words)
    found = take_apart(["sh", "-c", text])
    rebuilt = found.rebuilt(found.arguments)
    assert rebuilt[:2] == ["sh", "-c"]
    expected = words[1:] if words[0] == "exec" else words
    assert shlex.split(rebuilt[2]) == expected


TUNABLE = st.text(st.sampled_from("abc._"), min_size=1, max_size=6)


@given(st.dictionaries(TUNABLE, TUNABLE), st.dictionaries(TUNABLE, TUNABLE))
def test_tunables_merge(present: dict[str, str], ours: dict[str, str]) -> None:
    text = ":".join(f"{name}={value}" for name, value in present.items())
    merged = dict(part.split("=") for part in with_tunables(text, ours).split(":") if part)
    assert merged == {**present, **ours}


def test_an_empty_command() -> None:
    with pytest.raises(ValueError, match="no command"):
        ways([])


def test_custom_ways_are_parsed() -> None:
    assert parse_custom_way("pool-2M: --large-pages VAR=1 --name='a b'") == (
        "pool-2M",
        CustomWay({"VAR": "1"}, (), ("--large-pages", "--name=a b")),
    )
    assert parse_custom_way("thp: -XX:+A ... -b")[1] == CustomWay({}, ("-XX:+A",), ("-b",))
    for text in ("", "pool-2M", "pool-2M:", ": -x", "thp: 'open"):
        with pytest.raises(ValueError, match=r".+"):
            parse_custom_way(text)


def test_a_custom_way_takes_the_place_of_what_is_known() -> None:
    custom = {"pool-2M": CustomWay({"PAGES": "{page_bytes}"}, ("-a",), ("-z", "{policy}"))}
    found = ways(["nice", "java", "Main"], custom=custom)
    way = found["pool-2M"]
    assert way.command == ["nice", "java", "-a", "Main", "-z", "pool-2M"]
    assert way.environment["PAGES"] == str(2 * MIB)
    assert "GLIBC_TUNABLES" not in way.environment
    assert (way.id, way.pool_page_bytes) == ("custom", 2 * MIB)
    assert "jvm-flags" in found["pool-1G"].id


def test_a_custom_way_goes_before_all_others() -> None:
    custom = {"default": CustomWay({}, (), ("-d",)), "thp": CustomWay({"A": "1"})}
    found = ways(["work"], custom=custom, own_way=True)
    assert found["default"].command == ["work", "-d"]
    assert (found["thp"].id, found["base"].id) == ("system-mode+custom", "prctl+own")
    assert "under sudo" in str(ways(["sudo", "work"], custom=custom)["thp"].why_unusable)
    tuned = ways(["work"], environment={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=2"}, custom=custom)
    assert tunables(tuned["thp"]) == "glibc.malloc.hugetlb=0"
    assert tunables(tuned["default"]) is None


def test_a_command_that_applies_the_policy_itself() -> None:
    found = ways(["./bench", "--pages={page_bytes}"], own_way=True)
    assert found["pool-2M"].command == ["./bench", f"--pages={2 * MIB}"]
    assert found["pool-2M"].pool_page_bytes == 2 * MIB
    assert found["base"].thp_disable
    assert found["thp"].thp_enabled == "always"
    assert all(set(way.environment) == MARKS for way in found.values())
    assert ways(["./bench"], FIXED, own_way=True)["thp"].why_unusable is None


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (ProgramFile("/x", "static"), "statically linked"),
        (ProgramFile("/x", "musl"), "musl"),
        (ProgramFile("/x", "glibc", setuid=True), "setuid"),
        (ProgramFile("/x", "static", allocator="go"), "allocates with go"),
        (ProgramFile("/x", "glibc"), None),
        (ProgramFile(), None),
    ],
)
def test_which_programs_the_tunables_reach(file: ProgramFile, why: str | None) -> None:
    found = glibc_obstacle(Case(POOL_2M, HOST, take_apart(["x"]), {}, file))
    assert found is None if why is None else why in str(found)


def test_what_is_no_program_is_unknown(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no ELF file")
    text.chmod(0o755)
    endless = tmp_path / "endless"
    endless.write_text(f"#!{endless}\n")
    endless.chmod(0o755)
    assert look_at(str(text), {}) == ProgramFile(path=str(text))
    assert look_at(str(endless), {}) == look_at("no-such-program", {}) == ProgramFile()


def test_a_real_program_and_its_script(tmp_path: Path) -> None:
    """The interpreter of this very test is found behind a script, and read."""
    script = tmp_path / "tool"
    script.write_text(f"#!/usr/bin/env {sys.executable}\n")
    script.chmod(0o755)
    assert look_at(str(script), {}).path == sys.executable
    assert look_at(str(script), {}).libc in ("glibc", "musl", "static")


def test_another_allocator_by_preload() -> None:
    preload = {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2", "MALLOC_CONF": "narenas:1,thp:never"}
    found = ways(["work"], environment=preload)
    assert "allocates with jemalloc" in str(found["pool-2M"].why_unusable)
    assert found["thp"].environment["MALLOC_CONF"] == "narenas:1,thp:always"
    assert found["thp"].id == "system-mode+jemalloc-conf"
    mimalloc = ways(["work"], environment={"LD_PRELOAD": "libmimalloc.so.2"})
    assert mimalloc["pool-2M"].environment["MIMALLOC_ALLOW_LARGE_OS_PAGES"] == "1"
    assert "RESERVE_HUGE_OS_PAGES" in str(mimalloc["pool-1G"].why_unusable)
    assert "tcmalloc" in str(ways(["work"], environment={"LD_PRELOAD": "libtcmalloc.so.4"})["pool-2M"].why_unusable)
