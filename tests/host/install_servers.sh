#!/bin/sh
# Installs, for host tests, the servers and tools that are missing here. Only as root, and only where apt-get exists.
# Starts no server, and never fails: what is not there makes tests skip, with the reason. INSTALL=no installs nothing.
set -u

# package             what the tests use of it
PACKAGES="
chromium               # the page of score --summary
gcc                    # programs with a known use of memory, /init of a guest
libc6-dev
libvirt-clients        # virt-xml-validate
libxml2-utils          # xmllint
linux-image-cloud-amd64 # the kernel of a guest
memcached
openjdk-17-jdk-headless|default-jdk-headless
postgresql             # initdb, postgres, pgbench
qemu-system-x86
redis-server
redis-tools
shellcheck
strace                 # what a recording calls
stress-ng
sysbench               # memory that a trial gives huge pages
systemd                # systemd-tmpfiles, systemd-analyze
systemd-container      # systemd-nspawn
tmux                   # a terminal for the interface
tuned                  # tuned-adm
"

GUARD=/usr/sbin/policy-rc.d

is_installed() {
    dpkg-query --show --showformat '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# First of the alternatives a|b that is installed; else fails.
any_installed() {
    for alternative in $(echo "$1" | tr '|' ' '); do
        is_installed "$alternative" && return 0
    done
    return 1
}

# First of the alternatives a|b that this distribution has; else prints nothing.
first_known() {
    for alternative in $(echo "$1" | tr '|' ' '); do
        if apt-cache show --no-all-versions "$alternative" >/dev/null 2>&1; then
            echo "$alternative"
            return
        fi
    done
}

[ "${INSTALL:-yes}" = no ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || exit 0
missing=
for package in $(echo "$PACKAGES" | sed 's/#.*//'); do
    any_installed "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "tests that need these packages are skipped:$missing" >&2
    exit 0
fi

echo "installing for host tests:$missing (INSTALL=no for nothing)" >&2
if [ ! -e "$GUARD" ]; then
    # invoke-rc.d asks it before it starts a service; 101 is "not allowed" (Debian's policy-rc.d interface).
    trap 'rm -f "$GUARD"' EXIT
    trap 'exit 0' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$GUARD"
    chmod 755 "$GUARD"
fi
export DEBIAN_FRONTEND=noninteractive
options="-qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 -o Acquire::http::Timeout=20"
# shellcheck disable=SC2086 # lists of words
{
    apt-get $options update
    known=
    for package in $missing; do
        known="$known $(first_known "$package")"
    done
    apt-get $options install --no-install-recommends --yes $known
} </dev/null >/dev/null 2>&1 || echo "not all could be installed; tests that need the rest are skipped" >&2
exit 0
