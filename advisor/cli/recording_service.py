"""`record --systemd`: a service and a timer that record regularly with the least rights, and what installs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from advisor.artefacts.quoting import systemd_word
from advisor.cli.errors import CommandError, ExitCode
from advisor.privilege.needs import WATCHING

NAME = "hugepage-advisor-record"
FOLDER = Path("/etc/systemd/system")
STATE = "hugepage-advisor"
"""Below /var/lib."""

DURATION_S = 600
"""Seconds a day. Source: own choice. Reason: khugepaged's passes, load and coverage change within minutes."""

KEPT_DAYS = 30
"""Age at which a recording is removed. Source: own choice. Reason: a month to compare with; a few MiB a host."""

LONGEST_S = DURATION_S + 300
"""After which systemd ends it: it should have ended by itself."""

HOMES = ("/home/", "/root/", "/run/user/")
"""What ProtectHome=yes hides (systemd.exec(5))."""

REFUSED_CALLS = (
    "~@privileged @resources @debug @keyring @memlock process_vm_readv process_vm_writev process_madvise kcmp"
)
"""Taken off @system-service: what CAP_SYS_PTRACE would permit beyond reading /proc, and what nobody here calls."""

SERVICE = """\
[Unit]
Description=Record what huge pages do for this host
Documentation=https://docs.kernel.org/admin-guide/mm/transhuge.html

[Service]
Type=exec
ExecStartPre=/usr/bin/find %S/{state}/ -maxdepth 1 -type f -name "*.jsonl.zst" -mtime +{days} -delete
ExecStart=/bin/sh -c '{shell}' record {program} record --duration={duration}
SuccessExitStatus=130
RuntimeMaxSec={longest}
OOMScoreAdjust=500
Nice=5

# Who it is, and what it may see: mappings of every process, and files that only their owners may read.
DynamicUser=yes
AmbientCapabilities={capabilities}
CapabilityBoundingSet={capabilities}
NoNewPrivileges=yes
# Not ProtectProc=invisible, ProcSubset=pid or PrivateUsers=yes: they hide what is to be recorded.

# What it may write: its own folder. Not PrivateDevices=yes: it hides hugetlbfs mounts such as /dev/hugepages1G.
StateDirectory={state}
StateDirectoryMode=0700
UMask=0077
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
PrivateMounts=yes
DevicePolicy=closed
PrivateIPC=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes

# Whom it may talk to: nobody but name services of this host, for the names of users.
PrivateNetwork=yes
IPAddressDeny=any
RestrictAddressFamilies=AF_UNIX

# What it may call.
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
KeyringMode=private
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter={refused}
SystemCallErrorNumber=EPERM
"""

SHELL = 'exec "$$@" -o "%S/{state}/%H-$$(date -u +%%Y%%m%%dT%%H%%M%%SZ).jsonl.zst"'
"""As a unit has it, where $$ and %% are literal: the arguments that follow, and a file for each recording."""

TIMER = """\
[Unit]
Description=Record what huge pages do for this host, once a day

[Timer]
# When this host is busiest; hosts spread over an hour.
OnCalendar=*-*-* 14:00
RandomizedDelaySec=1h

[Install]
WantedBy=timers.target
"""

SCRIPT = """\
# Records ten minutes a day into /var/lib/{state}, and removes recordings older than {days} days.
# Read it, choose the hour, then, as root:  hugepage-advisor record --systemd | sh
# Undo:  systemctl disable --now {name}.timer
#        rm {service_path} {timer_path}
#        rm -r /var/lib/{state} /var/lib/private/{state}    (the recordings)
# Then:  hugepage-advisor report FILE,  hugepage-advisor score /var/lib/{state}/
set -eu
cat > {service_path} << 'END_OF_UNIT'
{service}END_OF_UNIT
cat > {timer_path} << 'END_OF_UNIT'
{timer}END_OF_UNIT
systemctl daemon-reload
systemctl enable --now {name}.timer
"""


def print_script(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """For an eager option: print, and do nothing else. Raises CommandError."""
    del parameter
    if asked and not context.resilient_parsing:
        click.echo(script(this_program()), nl=False)
        context.exit()


def script(program: Sequence[str]) -> str:
    """What is pasted. Raises CommandError where the program lies at a path that no unit can hold."""
    return SCRIPT.format(
        name=NAME,
        state=STATE,
        days=KEPT_DAYS,
        service_path=FOLDER / f"{NAME}.service",
        timer_path=FOLDER / f"{NAME}.timer",
        service=service(program),
        timer=TIMER,
    )


def service(program: Sequence[str], duration_s: int = DURATION_S) -> str:
    """The unit. program: the words that start this program. Raises CommandError."""
    try:
        words = " ".join(systemd_word(word, command=True) for word in program)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.FAILED) from error
    return SERVICE.format(
        state=STATE,
        days=KEPT_DAYS,
        shell=SHELL.format(state=STATE),
        program=words,
        duration=duration_s,
        longest=LONGEST_S,
        capabilities=" ".join(WATCHING),
        home="read-only" if lies_in_home((program[0], sys.prefix, sys.base_prefix)) else "yes",
        refused=REFUSED_CALLS,
    )


def this_program() -> list[str]:
    """The words that start this program, from any folder."""
    started = Path(sys.argv[0]).absolute()
    if started.name == "hugepage-advisor" and os.access(started, os.X_OK):
        return [str(started)]
    return [sys.executable, "-P", "-m", "advisor"]


def lies_in_home(paths: Iterable[str]) -> bool:
    """Whether one of them, or what it links to, is below the folders of users."""
    return any(os.path.realpath(path).startswith(HOMES) or path.startswith(HOMES) for path in paths)
