"""Which texts a process and a host get, from what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from advisor.artefacts import Artefact
from advisor.features import FEATURES
from advisor.procfs.configuration import ConfiguredValue, HostConfiguration, HugetlbfsMount
from advisor.recommendation import PoolPlan, Setup, StartedAs, ThpPlan
from advisor.recommendation.artefacts import Artefacts, make_artefacts
from advisor.recommendation.model import CgroupPlan, Plan, ProcessAdvice, Reason, Recommendation, Words
from advisor.recommendation.plan import EMPTY_PLAN
from advisor.recommendation.process_artefacts import with_huge_pages, without_thp
from advisor.recommendation.setup import in_kubernetes
from advisor.recommendation.tenants import Means
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import program

REASON = Reason("x", "matched", "low", Words("x"))
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-2.scope"
SERVICE = "/system.slice/app.service"


def advice(policy: str, page_bytes: int | None = None, pages: int | None = None) -> Recommendation:
    return Recommendation(policy, page_bytes, pages, None, None, "high", "rules", None, None, [REASON], [], [])


def process(**values: object) -> dict[str, object]:
    """A row of the whole table; what is not given is unknown."""
    return {**dict.fromkeys(FEATURES), **program(7, **values)}


def texts(recommendation: Recommendation, setup: Setup | None = None, **row: object) -> list[Artefact]:
    made = process(**row)
    return with_huge_pages(made, recommendation, [made], setup or Setup(default_page_bytes=2 * MIB))


def kinds(made: Sequence[Artefact]) -> list[str]:
    return [artefact.kind for artefact in made]


POOL_2M = advice("hugetlb", 2 * MIB, 512)
POOL_1G = advice("hugetlb", GIB, 4)


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        ("postgresql", "huge_pages = on"),
        ("mysql", "large-pages = ON"),
        ("mariadb", "[mariadbd]"),
        ("cloud-hypervisor", "--memory size=1073741824,"),
        ("firecracker", '"huge_pages": "2M"'),
        ("dpdk", "--socket-mem 1024"),
        ("ovs-dpdk", 'dpdk-socket-mem="1024"'),
    ],
)
def test_an_application_that_can_use_a_pool_gets_its_own_setting(application: str, expected: str) -> None:
    made = texts(POOL_2M, application_id=application, sharing_leader=True)
    assert any(expected in artefact.text for artefact in made), [artefact.text for artefact in made]


def test_whoever_only_shares_an_instance_s_memory_gets_none() -> None:
    assert texts(POOL_2M, application_id="postgresql", sharing_leader=False) == []


def test_in_a_pod_the_pod_s_request_goes_with_the_application_s_setting() -> None:
    made = texts(POOL_2M, application_id="postgresql", sharing_leader=True, cgroup=POD)
    assert kinds(made) == ["postgresql", "kubernetes"]
    assert "hugepages-2Mi: '1Gi'" in made[1].text


@pytest.mark.parametrize("path", [POD, "/kubepods/burstable/podx/y", "/kubelet.slice/kubelet-kubepods.slice/x.scope"])
def test_a_pod_is_known_by_its_cgroup(path: str) -> None:
    assert in_kubernetes({"cgroup": path})
    assert not in_kubernetes({"cgroup": "/system.slice/kubelet.service"})


QEMU = ["/usr/bin/qemu-system-x86_64", "-name", "guest=web,,1,debug-threads=on", "-m", "1024"]


def guest(command_line: list[str], cgroup: str) -> list[Artefact]:
    setup = Setup(programs={7: StartedAs("/usr/bin/qemu-system-x86_64", command_line)})
    return texts(POOL_2M, setup, application_id="qemu", is_vmm=True, guest_ram_bytes=GIB, cgroup=cgroup)


def test_a_guest_of_libvirt_gets_xml_under_its_own_name() -> None:
    made = guest(QEMU, "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator")
    assert kinds(made) == ["libvirt"] and "web,1" in made[0].title
    beside = [*QEMU, "-object", '{"file":"/var/lib/libvirt/qemu/domain-1-web/master-key.aes"}']
    assert kinds(guest(beside, "/user.slice/x.scope")) == ["libvirt"]


def test_a_guest_that_somebody_started_gets_qemu_s_arguments() -> None:
    assert kinds(guest(QEMU, "/user.slice/user-0.slice/session-1.scope")) == ["qemu"]


def test_a_command_is_shown_whole_unless_something_of_it_was_hidden() -> None:
    def command(*arguments: str) -> str:
        setup = Setup(programs={7: StartedAs("/opt/app/run", list(arguments))})
        return texts(POOL_2M, setup, application_id=None)[0].undo

    assert command("run", "--n=1") == "/opt/app/run --n=1\n"
    assert command("run", "--password=***") == "python3.11\n"


def test_allocators_other_than_glibc_have_settings_of_their_own() -> None:
    thp = texts(advice("thp", 2 * MIB), allocator="jemalloc", cgroup=SERVICE)
    assert 'Environment="MALLOC_CONF=thp:always,metadata_thp:auto"' in thp[0].text
    assert texts(POOL_2M, allocator="jemalloc", application_id=None) == []
    assert texts(POOL_2M, allocator="tcmalloc", components="tcmalloc-google") == []
    gperftools = texts(POOL_2M, allocator="tcmalloc", components="tcmalloc-gperftools 2.9")
    assert kinds(gperftools) == ["systemd", "environment"]
    assert "MIMALLOC_RESERVE_HUGE_OS_PAGES=4" in texts(POOL_1G, allocator="mimalloc", application_id=None)[0].text


def test_who_maps_files_of_a_pool_gets_a_mount_where_there_is_none() -> None:
    def kinds_with(configuration: HostConfiguration) -> list[str]:
        return kinds(texts(POOL_1G, Setup(configuration, 2 * MIB), application_id="dpdk"))

    assert kinds_with(HostConfiguration(mounts=[], systemd_runs=True)) == ["systemd", "dpdk"]
    assert kinds_with(HostConfiguration(mounts=[], systemd_runs=False)) == ["fstab", "dpdk"]
    assert kinds_with(HostConfiguration(mounts=[HugetlbfsMount("/mnt/1G", GIB)])) == ["dpdk"]


def test_what_is_bound_to_a_node_takes_pages_of_that_node() -> None:
    bound = {"numa_nodes": "1", "host_numa_nodes": 2}
    assert "--socket-mem 0,1024" in texts(POOL_2M, application_id="dpdk", **bound)[-1].text
    guest = texts(POOL_2M, application_id="qemu", guest_ram_bytes=GIB, **bound)
    assert "host-nodes=1,policy=bind" in guest[0].text
    assert "--socket-mem 512,512" in texts(POOL_2M, application_id="dpdk", host_numa_nodes=2)[-1].text


def test_sysv_shared_memory_in_a_pool_needs_its_group_and_the_right_to_lock() -> None:
    made = texts(POOL_2M, application_id="oracle", user="oracle", cgroup="/system.slice/oracle.service")
    assert [artefact.id for artefact in made][:2] == ["shared-memory-group", "memlock-oracle.service"]


def test_memcached_gets_thp_by_its_own_option() -> None:
    assert texts(advice("thp", 2 * MIB), application_id="memcached")[0].text.endswith("-L\n")


def off(means: Means, **row: object) -> Artefact:
    setup = Setup(programs={7: StartedAs("/usr/bin/app", ["/usr/bin/app", "--serve"])})
    return without_thp(process(**row), means, setup)[0]


def test_thp_is_switched_off_by_what_the_program_and_the_host_know() -> None:
    assert off(Means.APPLICATION, application_id="redis", cgroup=SERVICE).text.endswith("disable-thp yes\n")
    assert "MemoryTHP=disable" in off(Means.MEMORY_THP, cgroup=SERVICE).text
    wrapped = off(Means.PRCTL, cgroup=SERVICE)
    assert wrapped.by_hand and '"/usr/bin/app" "--serve"' in wrapped.text
    assert off(Means.ALLOCATOR, allocator="jemalloc").text == "env MALLOC_CONF=thp:never /usr/bin/app --serve\n"
    assert off(Means.PRCTL, cgroup=None).kind == "shell"


# the host


def plan_of(pools: list[PoolPlan], enabled: str | None = None) -> Plan:
    thp = ThpPlan(enabled, None, None, {}, ["enabled"] if enabled else [], "x")
    return replace(EMPTY_PLAN, pools=pools, thp=thp)


def host_texts(plan: Plan, configuration: HostConfiguration | None) -> Artefacts:
    one = ProcessAdvice(7, 1007, advice("leave"), 0)
    return make_artefacts([process()], [one], plan, Setup(configuration, 2 * MIB))


AT_BOOT = [PoolPlan(GIB, None, 4, 0, "boot", [])]


@pytest.mark.parametrize(
    ("tools", "files", "expected"),
    [
        (["grubby", "grub2-mkconfig"], ["/etc/default/grub"], "pool-grubby"),
        (["update-grub"], ["/etc/default/grub"], "pool-grub"),
        (["grub-mkconfig"], ["/etc/default/grub"], "pool-default-grub"),
        (["kernel-install"], ["/etc/kernel/cmdline"], "pool-kernel-cmdline"),
        (["kernel-install"], [], "pool-command-line"),
        (None, None, "pool-command-line"),
    ],
)
def test_the_kernel_command_line_is_set_the_way_the_host_sets_it(
    tools: list[str] | None, files: list[str] | None, expected: str
) -> None:
    configuration = HostConfiguration(boot_tools=tools, boot_files=files)
    assert list(host_texts(plan_of(AT_BOOT), configuration).by_id) == [expected]


def test_what_the_running_kernel_was_told_is_kept() -> None:
    configuration = HostConfiguration(boot_parameters=["hugepagesz=2M", "hugepages=64"])
    made = host_texts(plan_of(AT_BOOT), configuration)
    assert "hugepagesz=2M hugepages=64 hugepagesz=1G hugepages=4" in made.by_id["pool-command-line"].text


def test_grubby_gets_the_largest_pages_and_the_others_are_taken_early_at_boot() -> None:
    both = [*AT_BOOT, PoolPlan(2 * MIB, None, 64, 0, "boot", [])]
    made = host_texts(plan_of(both), HostConfiguration(boot_tools=["grubby"], boot_files=[]))
    assert list(made.by_id) == ["pool-grubby", "pool-boot-2048kB"]
    assert "hugepagesz=2M" not in made.by_id["pool-grubby"].text
    assert made.by_id["pool-boot-2048kB"].needs_reboot


def test_a_pool_of_the_default_size_is_a_sysctl_file() -> None:
    made = host_texts(plan_of([PoolPlan(2 * MIB, None, 64, 0, "runtime", [])]), None)
    assert [artefact.kind for artefact in made.by_id.values()] == ["shell", "sysctl"]


def test_where_tuned_runs_its_profile_sets_the_mode() -> None:
    running = HostConfiguration(tuned_profile="postgresql", tuned_folder="/etc/tuned")
    assert list(host_texts(plan_of([], "always"), running).by_id) == ["thp-now", "tuned-profile"]
    silenced = replace(running, boot_parameters=["transparent_hugepage=never"])
    assert list(host_texts(plan_of([], "always"), silenced).by_id) == ["thp-now", "thp-boot"]
    own = HostConfiguration(tuned_profile="hugepage-advisor", tuned_folder="/etc/tuned")
    assert list(host_texts(plan_of([], "always"), own).by_id) == ["thp-now", "thp-boot"]


def test_a_file_that_wins_over_the_plan_s_is_named_with_its_line() -> None:
    other = ConfiguredValue("sysctl", "/etc/sysctl.conf", 9, "vm.nr_hugepages", "8")
    plan = plan_of([PoolPlan(2 * MIB, None, 64, 8, "runtime", [])])
    made = host_texts(plan, HostConfiguration(values=[other]))
    assert ["/etc/sysctl.conf line 9" in warning for warning in made.by_id["pool-boot-2048kB"].warnings] == [True]


def limit(path: str, controller: str, *, required: bool = True) -> CgroupPlan:
    page_bytes = 2 * MIB if controller == "hugetlb" else None
    return CgroupPlan(path, controller, page_bytes, GIB, 2 * GIB, required, [7], "x")


def test_limits_that_stand_in_the_way_of_a_pool_are_raised() -> None:
    def made(one: CgroupPlan) -> list[Artefact]:
        return list(host_texts(replace(plan_of([]), cgroups=[one]), None).by_id.values())

    assert "hugetlb.2MB.max" in made(limit("/system.slice/app.service", "hugetlb"))[0].text
    assert "MemoryMax=2147483648" in made(limit("/system.slice/app.service", "memory"))[0].text
    assert made(limit(POD, "hugetlb")) == []
    assert made(limit("/system.slice/app.service", "memory", required=False)) == []
    assert made(limit("/x/a\nb", "hugetlb")) == []
