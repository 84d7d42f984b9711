"""A JVM, numpy jobs, guests, sparse memory, churn, and a host that does nothing."""

from __future__ import annotations

import time

from tests.samples import knobs
from tests.samples.bench import PLANTED, PROGRAMS, PYTHON, Bench
from tests.samples.guest import GUEST_MIB, GUEST_TOUCHED_MIB, guest_files
from tests.samples.scenario import Scenario

QEMU = "/usr/bin/qemu-system-x86_64"
JVM_HEAP = ("-Xms1g", "-Xmx1g", "-XX:+AlwaysPreTouch")
ACCELERATOR = "tcg"
"""Emulation runs on every host, in a guest too; QEMU maps guest RAM the same way with KVM."""

GATHER_MIB = 1536
SPARSE_MIB = 8192
STRESS_WARM_S = 5.0


def idle(bench: Bench) -> str:
    bench.start(["/bin/bash", "-c", "while :; do sleep 60; done"])
    bench.start(["/usr/bin/dbus-daemon", "--session", "--nofork", f"--address=unix:path={bench.folder}/bus"])
    bench.start(["/usr/bin/redis-server", "--port", "0", "--unixsocket", str(bench.folder / "redis.sock")])
    bench.start([PYTHON, "-m", "http.server", "--bind", "127.0.0.1", "0"])
    time.sleep(2.0)
    return "Bash, D-Bus, Redis and Python of Debian 12"


def jvm(bench: Bench, *options: str) -> str:
    source = bench.copy(PROGRAMS / "RandomAccess.java")
    bench.run(["/usr/bin/javac", "-d", str(bench.folder), source])
    bench.start_until_ready(
        ["/usr/bin/java", *JVM_HEAP, *options, "-cp", str(bench.folder), "RandomAccess"],
    )
    return bench.ask(["/usr/bin/java", "-version"]).splitlines()[1]


def gather(bench: Bench, *, advise: bool) -> str:
    job = bench.copy(PROGRAMS / "gather.py")
    settings = {} if advise else {"NUMPY_MADVISE_HUGEPAGE": "0"}
    bench.start_until_ready([PYTHON, job, str(GATHER_MIB)], more_environment=settings)
    versions = "import platform, numpy; print('Python', platform.python_version(), 'with numpy', numpy.__version__)"
    return bench.ask([PYTHON, "-c", versions])


def sparse(bench: Bench) -> str:
    bench.start_until_ready([PYTHON, bench.copy(PLANTED), "sparse", str(SPARSE_MIB)])
    return bench.ask([PYTHON, "--version"])


def churn(bench: Bench) -> str:
    stress = ["/usr/bin/stress-ng", "--malloc", "2", "--malloc-touch"]
    stress += ["--malloc-bytes", "24m", "--malloc-max", "64"]
    bench.start([*stress, "--temp-path", str(bench.folder)])
    time.sleep(STRESS_WARM_S)
    return bench.ask([stress[0], "--version"])


def guest(bench: Bench, memory: str | None = None, pool_pages: int = 0) -> str:
    """memory: QEMU's memory backend and its options; None is QEMU's own anonymous RAM."""
    kernel, disk = guest_files(bench)
    if pool_pages:
        bench.pool(knobs.pmd_bytes(), pool_pages)
    machine = f"q35,accel={ACCELERATOR}" + (",memory-backend=ram" if memory else "")
    backend = ["-object", f"{memory},id=ram,size={GUEST_MIB}M"] if memory else []
    command = [QEMU, "-name", "guest", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"]
    command += ["-machine", machine, "-cpu", "max", "-smp", "1", "-m", str(GUEST_MIB), *backend]
    command += ["-kernel", kernel, "-initrd", disk, "-append", "console=ttyS0 quiet panic=-1"]
    bench.start_until_ready(command)
    return bench.ask([QEMU, "--version"]).splitlines()[0]


GUEST_LOAD = f"a guest of 1 GiB whose only program reads {GUEST_TOUCHED_MIB} MiB at random"

SCENARIOS = (
    Scenario(
        "idle",
        "a shell that sleeps, a D-Bus daemon, an empty Redis and Python's web server, all without anything to do",
        "Every process is small: leave all of them alone.",
        ("bash", "dbus-daemon", "redis-server", "python3"),
        idle,
    ),
    Scenario(
        "jvm",
        "-Xms1g -Xmx1g -XX:+AlwaysPreTouch (G1); adds at random places of 600 MiB of arrays",
        "A touched heap of 1 GiB on base pages, read and written at random; Java asks for huge pages only "
        "with -XX:+UseTransparentHugePages (THP) or -XX:+UseLargePages (pool).",
        ("java",),
        jvm,
    ),
    Scenario(
        "jvm-thp",
        "as jvm, with -XX:+UseTransparentHugePages",
        "The heap of 1 GiB is advised with MADV_HUGEPAGE and on transparent huge pages: nothing is to be changed.",
        ("java",),
        lambda bench: jvm(bench, "-XX:+UseTransparentHugePages"),
    ),
    Scenario(
        "numpy-gather",
        "random gather from an array of 1.5 GiB",
        "numpy advises large arrays with MADV_HUGEPAGE by itself: the array is on transparent huge pages already.",
        ("python3",),
        lambda bench: gather(bench, advise=True),
    ),
    Scenario(
        "numpy-gather-base-pages",
        "as numpy-gather, with NUMPY_MADVISE_HUGEPAGE=0",
        "An array of 1.5 GiB on base pages, read at random: transparent huge pages are right.",
        ("python3",),
        lambda bench: gather(bench, advise=False),
    ),
    Scenario(
        "sparse-always",
        "tests/planted.py sparse: one byte written in every 2 MiB of 8 GiB, on a host whose THP mode is always",
        "16 MiB of data occupy 8 GiB: each touched byte got a huge page. THP should be off for this program. "
        "Its smaps cannot be told from those of a program that uses all of its memory.",
        ("python3",),
        sparse,
        thp="always",
    ),
    Scenario(
        "sparse-madvise",
        "as sparse-always, on a host whose THP mode is madvise",
        "16 MiB are resident in a mapping of 8 GiB; huge pages would make them 8 GiB. Leave it alone; never THP.",
        ("python3",),
        sparse,
    ),
    Scenario(
        "malloc-churn-always",
        "stress-ng --malloc 2: allocates, touches and frees up to 64 times 24 MiB at random, THP mode always",
        "Many huge pages are allocated, split and freed each second by short-lived memory; "
        "THP gives and takes, so no gain is certain.",
        ("stress-ng-mallo",),
        churn,
        thp="always",
    ),
    Scenario(
        "qemu-thp",
        GUEST_LOAD + "; anonymous RAM, as QEMU does by default",
        "QEMU advises anonymous guest RAM with MADV_HUGEPAGE: what the guest touched is on transparent huge pages.",
        ("qemu-system-x86",),
        guest,
    ),
    Scenario(
        "qemu-base-pages",
        GUEST_LOAD + "; anonymous RAM on a host whose THP mode is never",
        "Guest RAM on base pages because the host's mode is never, although QEMU asks for huge pages by madvise. "
        "Set the mode to madvise, or give the guest a 2M pool of 512 pages.",
        ("qemu-system-x86",),
        guest,
        thp="never",
    ),
    Scenario(
        "qemu-memfd-shared",
        GUEST_LOAD + "; shared RAM in a memfd (as vhost-user and virtiofs need it), all of it allocated at start",
        "1 GiB of shared guest RAM on base pages: THP does not reach it, because shmem_enabled is never. "
        "A 2M pool of 512 pages is right.",
        ("qemu-system-x86",),
        lambda bench: guest(bench, "memory-backend-memfd,share=on,prealloc=on"),
    ),
    Scenario(
        "qemu-hugetlb",
        GUEST_LOAD + "; RAM from a 2M pool of 512 pages (memory-backend-memfd, hugetlb=on, prealloc=on)",
        "Guest RAM is in a pool of exactly its size: nothing is to be changed.",
        ("qemu-system-x86",),
        lambda bench: guest(
            bench,
            f"memory-backend-memfd,share=on,prealloc=on,hugetlb=on,hugetlbsize={knobs.pmd_bytes()}",
            GUEST_MIB * (1 << 20) // knobs.pmd_bytes(),
        ),
    ),
)
