"""Known applications as columns: who it is, its version, what its makers say, what is in it."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.features import feature_table
from advisor.procfs.facts import ElfFacts, ProgramFacts
from advisor.profile.model import ProcessFacts
from tests.features.factory import process, profile, sample, status


def row(facts: ProcessFacts | None, arch: str | None = "x86_64", **sections: Any) -> dict[str, Any]:
    return feature_table(profile(sample(process(facts=facts, **sections)), arch=arch)).row(0, named=True)


def facts(executable: str, *, libraries: list[str] | None = None, **program: Any) -> ProcessFacts:
    arguments = program.pop("arguments", None)
    exports = program.pop("exports", [])
    elf = ElfFacts(executable, "pie", False, exports=exports)
    made = ProgramFacts(elf, **program)
    name = executable.rpartition("/")[2]
    return ProcessFacts(name, executable=executable, command_line=arguments, libraries=libraries or [], program=made)


def test_the_version_decides_what_the_makers_say() -> None:
    new = row(facts("/usr/bin/mongod", versions={"mongodb": "8.0 or later"}))
    old = row(facts("/usr/bin/mongod", versions={"mongodb": "before 8.0"}))
    assert (new["application_id"], new["application_version"]) == ("mongodb", "8.0 or later")
    assert (new["application_stance"], old["application_stance"]) == ("wants-on", "wants-off")
    assert new["application_says"].startswith("MongoDB 8.0 or later: ")
    assert "2026" in old["application_source"]


def test_an_unknown_version_leaves_the_stance_open_and_states_both() -> None:
    found = row(facts("/usr/bin/mongod"))
    assert (found["application_version"], found["application_stance"]) == (None, None)
    assert "8.0 or later" in found["application_says"] and "otherwise" in found["application_says"]


def test_the_processor_counts_too() -> None:
    new = facts("/usr/bin/mongod", versions={"mongodb": "8.0 or later"})
    assert row(new, "ppc64le")["application_stance"] == "wants-off"
    assert row(new, None)["application_stance"] is None


def test_a_profile_without_versions_gets_what_the_path_tells() -> None:
    found = row(ProcessFacts("postgres", executable="/usr/lib/postgresql/15/bin/postgres"))
    assert (found["application_version"], found["application_stance"]) == ("15", "avoid-always")


def test_components_are_listed_with_their_versions() -> None:
    libraries = ["libc.so.6", "libjemalloc.so.2"]
    found = row(facts("/usr/bin/redis-server", libraries=libraries, versions={"glibc-malloc": "2.36"}))
    assert found["components"] == "glibc-malloc 2.36, jemalloc"


def test_a_library_speaks_for_a_program_that_nobody_knows() -> None:
    found = row(facts("/opt/service", exports=["MallocExtension_Internal_GetStats"]))
    assert (found["application_id"], found["application_stance"]) == (None, "wants-on")
    assert found["application_says"].startswith("TCMalloc")


def test_an_unknown_program_has_no_words() -> None:
    found = row(facts("/opt/service", libraries=["libc.so.6"], versions={"glibc-malloc": "2.31"}))
    names = ("application_id", "application_stance", "application_says", "application_source", "asks_for_thp")
    assert [found[name] for name in names] == [None] * 5
    assert found["components"] == "glibc-malloc 2.31"


@pytest.mark.parametrize(
    ("version", "allocator", "expected"),
    [("2.31", "glibc", False), ("2.35", "glibc", True), (None, "glibc", None), ("2.36", "jemalloc", None)],
)
def test_whether_malloc_can_be_told_goes_by_the_release(
    version: str | None, allocator: str, expected: bool | None
) -> None:
    versions = {"glibc-malloc": version} if version else {}
    made = facts("/opt/service", libraries=["libc.so.6"], allocator=allocator, versions=versions)
    assert row(made)["malloc_tunable"] is expected


@pytest.mark.parametrize(
    ("arguments", "collector"),
    [
        (["java", "-XX:+UseZGC", "Main"], "zgc"),
        (["java", "-XX:+UseG1GC", "-XX:+UseShenandoahGC", "Main"], "shenandoah"),
        (["java", "-XX:-UseZGC", "Main"], None),
        (None, None),
    ],
)
def test_the_collector_is_the_last_that_the_command_line_chooses(
    arguments: list[str] | None, collector: str | None
) -> None:
    made = facts("/opt/jdk/bin/java", libraries=["libjvm.so"], arguments=arguments, versions={"java": "21.0.4"})
    found = row(made)
    assert found["collector"] == collector
    assert ("zgc 21.0.4" in (found["components"] or "")) == (collector == "zgc")


def test_what_asks_for_thp_and_what_takes_a_pool_unasked_is_named() -> None:
    numpy = row(facts("/usr/bin/python3.11", libraries=["_multiarray_umath.x.so"]))
    rank = row(facts("/home/me/solver", libraries=["libuct.so.0", "libucp.so.0"]))
    assert (numpy["asks_for_thp"], numpy["takes_pool_unasked"]) == ("NumPy", None)
    assert (rank["asks_for_thp"], rank["takes_pool_unasked"]) == ("UCX (MPI)", "UCX (MPI)")
    assert "UCX_SYSV_HUGETLB_MODE=n" in rank["pool_refusal"]


def test_mimalloc_asks_only_in_releases_that_do() -> None:
    made = {
        version: facts("/opt/s", libraries=["libmimalloc.so.2"], versions={"mimalloc": version})
        for version in ("2.0", "3.3")
    }
    assert {version: row(one)["asks_for_thp"] for version, one in made.items()} == {"2.0": None, "3.3": "mimalloc"}


def test_the_runtime_tells_its_version_under_any_application() -> None:
    arguments = ["java", "org.elasticsearch.bootstrap.Elasticsearch"]
    made = facts(
        "/opt/jdk/bin/java", libraries=["libjvm.so"], arguments=arguments, runtime="jvm", versions={"java": "21.0.4"}
    )
    found = row(made)
    assert (found["application_id"], found["application_version"]) == ("elasticsearch", None)
    assert found["runtime_version"] == "21.0.4"


def test_a_process_without_facts_is_known_by_its_name_alone() -> None:
    found = row(None, status=status())
    assert (found["application_id"], found["is_vmm"], found["components"]) == (None, False, None)
