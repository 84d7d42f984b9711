"""The kinds of artefacts: who reads the text, where it goes, when it is in force, and what people get wrong."""

from __future__ import annotations

from msgspec import Struct


class Kind(Struct, frozen=True):
    """One kind. read_by: the program that reads it; goes: where to; in_force: after what; undo: what brings it back;

    traps: what is easily got wrong; sources: where that was read.
    """

    name: str
    read_by: str
    goes: str
    in_force: str
    undo: str
    traps: tuple[str, ...]
    sources: tuple[str, ...]


KINDS = {
    "shell": Kind(
        "Commands",
        "a POSIX shell, as root",
        "run once",
        "at once, until the next boot",
        "the values that were there are written back",
        (
            "A write to nr_hugepages never fails: the kernel grants what it finds in one piece. Read it again.",
            "A THP mode holds for memory touched from then on; a running process keeps what it has.",
        ),
        ("Linux Documentation/admin-guide/mm/hugetlbpage.rst", "Linux Documentation/admin-guide/mm/transhuge.rst"),
    ),
    "sysctl": Kind(
        "A file of sysctl.d",
        "systemd-sysctl at boot, or `sysctl --system`",
        "/etc/sysctl.d/zz-hugepage-advisor-pool.conf",
        "at every boot; the commands before it have done the same at once",
        "the file is removed, the number written back",
        (
            "vm.nr_hugepages counts pages of the default size alone, which default_hugepagesz= changes: for any "
            "other size a tmpfiles.d line names the folder of the size.",
            "The last file by name wins, /etc/sysctl.conf after all of them where procps reads it: the name begins "
            "with zz.",
        ),
        ("sysctl.d(5)", "sysctl(8)", "Linux Documentation/admin-guide/sysctl/vm.rst"),
    ),
    "tmpfiles": Kind(
        "A file of tmpfiles.d",
        "systemd-tmpfiles, early at boot",
        "/etc/tmpfiles.d/00-hugepage-advisor-*.conf",
        "at every boot; the commands before it have done the same at once",
        "the file is removed, the values written back",
        (
            "Of two files that write the same path the first by name is applied, unlike sysctl.d: the name begins "
            "with 00.",
            "A unit that writes the same switch when it starts, and tuned, come later and win.",
        ),
        ("tmpfiles.d(5)",),
    ),
    "kernel-command-line": Kind(
        "Parameters of the kernel command line",
        "the kernel at boot",
        "grubby's boot entries, /etc/kernel/cmdline, or /etc/default/grub by hand",
        "after a reboot",
        "the parameters that were there come back, after a reboot",
        (
            "Each hugepages= belongs to the hugepagesz= before it; one that comes first means the default size.",
            "grubby keeps one value for each name, so it cannot hold two page sizes.",
            "Pages of 1G are best reserved here: later there is hardly ever a whole one free.",
            "hugetlb_cma= makes the kernel skip hugepages= of gigantic pages.",
        ),
        ("Linux Documentation/admin-guide/kernel-parameters.txt", "Linux mm/hugetlb.c", "kernel-install(8)"),
    ),
    "grub": Kind(
        "A file for GRUB's generator on Debian and Ubuntu",
        "grub-mkconfig, which sources it in a shell after /etc/default/grub",
        "/etc/default/grub.d/99-hugepage-advisor.cfg",
        "after update-grub and a reboot",
        "the file is removed, then update-grub and a reboot",
        ("Other distributions' GRUB does not read this folder.",),
        ("Debian grub2, mkconfig-loc.patch and grub-mkconfig(8)",),
    ),
    "systemd": Kind(
        "A drop-in of a service, or a mount unit",
        "systemd",
        "/etc/systemd/system/NAME.service.d/50-hugepage-advisor-*.conf, /etc/systemd/system/NAME.mount",
        "after systemctl daemon-reload and a restart of the service, which is left to you",
        "the file is removed, then the same",
        (
            "MemoryTHP= takes inherit, disable, madvise and system, and needs systemd 260; before that the service "
            "is started through a wrapper that calls prctl(PR_SET_THP_DISABLE).",
            "Environment= replaces a variable of the unit, and a variable of an EnvironmentFile= replaces it.",
            "A percent sign is doubled, in ExecStart= a dollar sign, too.",
            "The name of a mount unit is its path, escaped.",
        ),
        ("systemd.exec(5)", "systemd.syntax(7)", "systemd.unit(5)", "github.com/systemd/systemd pull 39085"),
    ),
    "fstab": Kind(
        "A line of /etc/fstab",
        "mount(8) at boot",
        "/etc/fstab, by hand",
        "after mount -a, and at every boot",
        "umount, and the line is taken out",
        ("A blank in the path is \\040.",),
        ("fstab(5)", "Linux Documentation/admin-guide/mm/hugetlbpage.rst"),
    ),
    "tuned": Kind(
        "A profile of tuned",
        "tuned",
        "/etc/tuned/hugepage-advisor/tuned.conf, from 2.23 on below /etc/tuned/profiles",
        "after tuned-adm profile hugepage-advisor, and at every start of tuned",
        "tuned-adm profile with the profile that was active, then the file is removed",
        (
            "Where tuned runs, what its profile says is applied at every start: a file beside it loses. So the "
            "profile includes the active one.",
            "tuned sets no THP mode while the kernel command line says transparent_hugepage=.",
        ),
        ("tuned.conf(5)", "tuned tuned/plugins/plugin_vm.py"),
    ),
    "environment": Kind(
        "A command with environment variables",
        "the program's allocator",
        "where the program is started, by hand",
        "at the next start of the program",
        "the command without them",
        ("Programs that are setuid, or bring another allocator, do not read GLIBC_TUNABLES.",),
        (
            "glibc manual, Memory Allocation Tunables",
            "jemalloc TUNING.md",
            "mimalloc documentation, environment options",
        ),
    ),
    "libvirt": Kind(
        "The element memoryBacking of a guest",
        "libvirt",
        "the guest's XML, by virsh edit",
        "after the guest was shut down and started: a reboot inside it is not enough",
        "virsh edit: the element that was there",
        ("The page element's nodeset is about the guest's nodes; where the host takes them from is numatune's.",),
        ("libvirt, Domain XML format, Memory Backing",),
    ),
    "qemu": Kind(
        "Arguments of QEMU",
        "QEMU",
        "its command line, by hand",
        "at the next start of the guest",
        "the memory options that were there",
        (
            "Without prealloc=on a guest starts on a pool that is too small and is killed later.",
            "hugetlbsize= needs hugetlb=on. vhost-user and virtiofs need share=on.",
        ),
        ("QEMU documentation, memory-backend-memfd",),
    ),
    "postgresql": Kind(
        "Lines of postgresql.conf",
        "PostgreSQL",
        "postgresql.conf, by hand",
        "after a restart of the server",
        "the lines that were there",
        (
            "huge_pages = try, the default, starts on base pages when the pool is short, and says nothing.",
            "SHOW shared_memory_size_in_huge_pages (15) is a number of pages; it is more than shared_buffers.",
        ),
        ("PostgreSQL documentation, Managing Kernel Resources", "PostgreSQL documentation, Resource Consumption"),
    ),
    "mysql": Kind(
        "Lines of my.cnf",
        "MySQL, MariaDB",
        "my.cnf, by hand",
        "after a restart of the server",
        "the lines that were there",
        ("Both take pages of the default size alone.", "With too few pages they warn and go on with base pages."),
        ("MySQL Reference Manual, Enabling Large Page Support", "mariadb.com, Memory Huge Pages"),
    ),
    "redis": Kind(
        "A line of redis.conf or valkey.conf",
        "Redis, Valkey",
        "the server's configuration, by hand",
        "after a restart",
        "the line that was there",
        ("The server switches THP off for itself only where the host's mode is always.",),
        ("redis.conf, disable-thp",),
    ),
    "memcached": Kind(
        "An option of memcached",
        "memcached",
        "its command line or /etc/memcached.conf, by hand",
        "after a restart",
        "the option is taken out",
        ("-L is THP by madvise and touches no pool, whatever guides say; with mode never memcached does not start.",),
        ("memcached memcached.c, enable_large_pages",),
    ),
    "jvm": Kind(
        "Flags of the JVM",
        "HotSpot, OpenJ9",
        "the java command line, JAVA_TOOL_OPTIONS or a file of options, by hand",
        "at the next start",
        "the flags are taken out",
        (
            "A pool of 1G pages is not used without -XX:LargePageSizeInBytes=1g.",
            "The pool must hold code cache and the collector's tables, too: more than -Xmx.",
            "OpenJ9 takes pages of any pool that it finds, by default: -Xlp:objectheap:pagesize=4K keeps it off.",
            "A ZGC heap in a memfd gets THP by shmem_enabled, not by enabled.",
        ),
        ("java(1)", "OpenJDK src/hotspot/os/linux/os_linux.cpp", "eclipse.dev/openj9/docs/xlpobjectheap"),
    ),
    "kubernetes": Kind(
        "Resources of a pod",
        "Kubernetes",
        "the workload's manifest, by hand",
        "when the pod is started anew; the kubelet must be restarted after the node's pool grew",
        "the resources are taken out again",
        (
            "Requests of huge pages equal their limits, and memory or cpu must be requested, too.",
            "A program that takes pages of the node's pool without such a limit is killed by SIGBUS.",
            "Each page size has its own resource and its own emptyDir medium.",
        ),
        ("kubernetes.io/docs/tasks/manage-hugepages/scheduling-hugepages",),
    ),
    "dpdk": Kind(
        "Options of DPDK's EAL, keys of Open vSwitch",
        "DPDK, ovs-vswitchd",
        "the command line or ovs-vsctl, by hand",
        "at the next start",
        "the options that were there",
        ("Files of a program that crashed stay in the mount and hold pages.", "1G pages are best reserved at boot."),
        ("DPDK Linux guide, EAL parameters", "ovs-vswitchd.conf.db(5)"),
    ),
    "application": Kind(
        "Settings of an application",
        "the application",
        "its configuration or command line, by hand",
        "at the next start",
        "the settings that were there",
        ("`explain` with the application's name tells what is known of it, and from where.",),
        ("advisor/knowledge/applications.toml",),
    ),
}
"""By the word that is an artefact's kind."""


def explain_kind(word: str) -> str:
    """A kind as text. Raises KeyError for no kind."""
    kind = KINDS[word]
    lines = [
        f"text of kind {word}: {kind.name}",
        "",
        f"read by   {kind.read_by}",
        f"goes to   {kind.goes}",
        f"in force  {kind.in_force}",
        f"undo      {kind.undo}",
        "",
        *(f"- {trap}" for trap in kind.traps),
        "",
        "sources",
        *(f"  - {source}" for source in kind.sources),
    ]
    return "\n".join(lines)
