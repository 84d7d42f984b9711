"""Options of single programs that take a secret, where nothing but the program's manual says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.profile.secret_names import word_set


@dataclass(frozen=True, slots=True)
class ProgramOption:
    """An option, or a word, whose meaning only its program gives. user_ends: characters after a name that is kept.

    attached: `-pSECRET`; separate: `-p SECRET`. takes: what becomes of the arguments after a separate one: h is
    hidden, k is kept (redacted by its form), s is shown as it is. after: a word that must stand before, such as
    "login". rest: no option, but every later NAME=VALUE. flags: short options that may be clustered before: `-su x`.
    """

    programs: frozenset[str]
    options: tuple[str, ...]
    attached: bool = False
    separate: bool = True
    user_ends: str = ""
    takes: str = "h"
    after: str | None = None
    rest: bool = False
    flags: str = ""


def _of(programs: str, *options: str, **how: bool | str) -> ProgramOption:
    return ProgramOption(word_set(programs), options, **how)  # type: ignore[arg-type]


CURL_FLAGS = "#0123469aBfgGiIjJkLlMnNOpqRsSvVZ"
MYSQL_FLAGS = "ABCEfNnqstv"
"""Short options without a value; of mysql those that its kin reads the same way."""

PROGRAM_OPTIONS = (
    _of("mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mysqlbinlog mysqlslap mysqlpump mysqlsh "
        "xtrabackup mariadb mariadb-dump mariadb-admin mariadb-backup 7z 7za 7zz rar unrar", "-p", attached=True,
        separate=False, flags=MYSQL_FLAGS),
    _of("mongo mongosh mongodump mongorestore mongoexport sshpass cqlsh rabbitmqadmin clickhouse-client influx "
        "mydumper myloader cypher-shell cbq couchbase-cli beeline rdesktop yt-dlp youtube-dl ncftp ncftpput ncftpget "
        "mycli mytop innotop hdbsql snowsql isql-fb twine openfortivpn globalprotect racadm pcs ipmi-power "
        "ipmiconsole mcrcon rcon fs_cli veracrypt steghide testsaslauthd check_mysql check_pgsql hydra xmrig esxcli "
        "evil-winrm "
        "fence_ipmilan fence_ilo fence_apc fence_drac fence_idrac fence_virsh fence_vmware_rest fence_vmware_soap",
        "-p", attached=True),
    _of("docker podman oc helm az skopeo nerdctl buildah ibmcloud cf crane oras", "-p", attached=True, after="login"),
    _of("doveadm", "-p", after="pw"),
    _of("asmcmd tbuilder poetry conan fab crackmapexec", "-p"),
    _of("hdbuserstore", "SET", "set", takes="kkkh"),
    _of("dotnet", "-p", "-k", after="nuget"),
    _of("redis-cli valkey-cli keydb-cli iredis redis-benchmark memtier_benchmark", "-a", attached=True),
    _of("redis-cli valkey-cli keydb-cli", "AUTH", "auth", takes="hh"),
    _of("redis-cli valkey-cli keydb-cli redis-sentinel", "AUTH2", "auth2", "auth-pass", takes="kh"),
    _of("redis-cli valkey-cli", ">", attached=True, separate=False, after="SETUSER"),
    _of("redis-server valkey-server", ">", attached=True, separate=False, after="--user"),
    _of("curl etcdctl", "-u", "-U", "--user", "--proxy-user", attached=True, user_ends=":", flags=CURL_FLAGS),
    _of("curl", "-E", "--cert", "--proxy-cert", attached=True, user_ends=":", flags=CURL_FLAGS),
    _of("curl", "-b", "--cookie", attached=True, user_ends="=", flags=CURL_FLAGS),
    _of("ab", "-A", "-P", user_ends=":"),
    _of("ab", "-C", user_ends="="),
    _of("http https httpie xh", "-a", "--auth", user_ends=":"),
    _of("transmission-remote", "-n", user_ends=":"),
    _of("ttyd gotty", "-c", user_ends=":"),
    _of("lftp", "-u", "--user", attached=True, user_ends=","),
    _of("ctr", "-u", "--user", attached=True, user_ends=":"),
    _of("turnserver coturn", "-u", user_ends=":"),
    _of("check_http hey", "-a", user_ends=":"),
    _of("zkCli zkcli", "digest", user_ends=":"),
    _of("wbinfo", "-a", "--authenticate", attached=True, user_ends="%"),
    _of("smbclient rpcclient net smbget winexe", "-U", "--user", attached=True, user_ends="%"),
    _of("ldapsearch ldapmodify ldapadd ldapdelete ldapwhoami ldappasswd", "-w", attached=True),
    _of("ldappasswd slappasswd", "-s", attached=True),
    _of("vsql", "-w", attached=True),
    _of("kadmin ipa-client-install ipa-replica-install dsadm squidclient", "-w", "-W"),
    _of("ipa-server-install", "-p", "-a"),
    _of("knife check_ldap", "-P"),
    _of("p4", "-P", attached=True),
    _of("ssh-keygen", "-P", "-N"),
    _of("sqlcmd bcp tsql isql mosquitto_pub mosquitto_sub ipmitool zip unzip", "-P", attached=True),
    _of("isql", "isql", "-v", takes="kkh"),
    _of("snmpget snmpwalk snmpset snmpbulkget snmpbulkwalk snmpgetnext snmptable snmptrap snmpinform", "-A", "-X",
        "-c", attached=True),
    _of("check_snmp", "-C", attached=True),
    _of("xfreerdp xfreerdp3 wlfreerdp", "/p:", "/gp:", attached=True, separate=False),
    _of("xfreerdp xfreerdp3 wlfreerdp", "/p", "/gp"),
    _of("openssl", "-k", "-K", "-hmac"),
    _of("openssl", "-macopt", user_ends=":"),
    _of("openssl", "passwd", takes="hh"),
    _of("mkpasswd", "mkpasswd"),
    _of("mkpasswd", "-m", takes="kh"),
    _of("ss-local ss-server ss-redir ss-tunnel sslocal ssserver", "-k", attached=True),
    _of("ccrypt ccencrypt ccdecrypt", "-K", attached=True),
    _of("rar unrar", "-hp", attached=True, separate=False),
    _of("qpdf", "--encrypt", takes="hh"),
    _of("pdftk", "input_pw", "user_pw", "owner_pw"),
    _of("gbak gsec", "-pas", "-pa"),
    _of("gitlab-runner", "-r", after="register"),
    _of("Runner.Listener config", "--pat"),
    _of("codecov doctl", "-t"),
    _of("transmission-daemon", "-v", attached=True),
    _of("openconnect", "-C", attached=True),
    _of("swift", "-K", "--key", attached=True),
    _of("newrelic-infra", "-license"),
    _of("frpc frps", "-t"),
    _of("swaks", "-ap"),
    _of("sendemail sendEmail", "-xp"),
    _of("consul nomad serf", "-encrypt", "--encrypt", attached=True),
    _of("vault bao", "login", "unseal", "unwrap"),
    _of("vault bao", "lookup", "renew", "revoke", after="token"),
    _of("vault bao", after="write", rest=True),
    _of("cargo wandb", "login", "--relogin"),
    _of("snyk", "auth"),
    _of("pro ubuntu-advantage", "attach"),
    _of("b2", "authorize-account", "authorize", takes="kh"),
    _of("cf", "auth", takes="kh"),
    _of("rclone", "obscure"),
    _of("ansible-vault", "encrypt_string"),
    _of("caddy", "--plaintext"),
    _of("keytool", "-new"),
    _of("samba-tool", "create", takes="kh", after="user"),
    _of("doveadm", "test", "login", takes="kh", after="auth"),
    _of("bitcoin-cli", "walletpassphrase", "encryptwallet"),
    _of("aws", "--value", attached=True, after="put-parameter"),
    _of("az", "--value", attached=True, after="secret"),
    _of("vault bao", after="kv", rest=True),
    _of("doppler fly flyctl railway supabase", after="secrets", rest=True),
    _of("kubectl oc k3s microk8s", "--from-literal", attached=True, user_ends="=", after="secret"),
    _of("gh", "--body", "-b", after="secret"),
    _of("pulumi", "--secret", takes="kh"),
    _of("virsh", "--base64", after="secret-set-value"),
    _of("iscsiadm", "-v", "--value"),
    _of("iscsiadm", "--value", attached=True),
    _of("ipmitool", "password", takes="kh", after="user"),
    _of("wpa_cli", "psk", "password"),
    _of("nmcli", "wifi-sec.psk", "802-11-wireless-security.psk", "802-1x.password"),
    _of("nmcli pppd", "password"),
    _of("mysqladmin mariadb-admin", "password"),
    _of("db2", "using"),
    _of("ngrok", "authtoken", "add-authtoken"),
    _of("grafana-cli grafana", "reset-admin-password"),
    _of("rabbitmqctl", "add_user", "change_password", "authenticate_user", takes="kh"),
    _of("mc mcli", "set", takes="kkkh", after="alias"),
    _of("mc mcli", "add", takes="kkkh", after="host"),
    _of("mc mcli", "add", takes="kkh", after="user"),
    _of("htpasswd", "-b", "-bB", "-Bb", "-cb", "-bc", "-cbB", "-bcB", "-cBb", "-c", "-bnBC", takes="kkh"),
    _of("mosquitto_passwd", "-b", takes="kkh"),
    _of("htpasswd", "-nb", "-bn", "-nbB", "-bnB", "-nBb", takes="kh"),
    _of("wpa_passphrase", "wpa_passphrase", takes="kh"),
    _of("radtest", "radtest", takes="kh"),
    _of("steamcmd", "+login", takes="kh"),
    _of("neo4j-admin", "set-initial-password"),
    _of("ceph rbd rados radosgw-admin rbd-nbd mount.ceph", "--key", "--secret", attached=True),
    _of("ConvertTo-SecureString", "ConvertTo-SecureString", "-String"),
    _of("airflow superset", "-p", after="create"),
    _of("useradd usermod", "-p"),
    _of("pkcs11-tool pkcs15-tool softhsm2-util", "-p", "--pin", "--so-pin", "--new-pin"),
    # What follows is a name and no program, though it may look like one: docker exec mysql app -prealloc
    _of("docker podman nerdctl kubectl oc crictl lxc", "exec", "--name", "--network", "--net", "--hostname", "-h",
        "-n", "--namespace", "--container", takes="k"),
    _of("docker podman nerdctl sudo runuser doas", "-u", "--user", "-g", "--group", attached=True, takes="s"),
    _of("systemctl service", "start", "stop", "restart", "reload", "status", takes="k"),
    _of("containerd-shim containerd-shim-runc-v1 containerd-shim-runc-v2 conmon", "-id", "-c", "-u", takes="s"),
)  # fmt: skip
"""Sources: the manual pages of the programs."""

ORACLE_PROGRAMS = word_set("sqlplus rman dgmgrl expdp impdp sqlldr exp imp sql")
"""Programs that take `user/password@service` as an argument."""


def _by_program(entries: tuple[ProgramOption, ...]) -> Mapping[str, tuple[ProgramOption, ...]]:
    programs = {program for entry in entries for program in entry.programs}
    return {program: tuple(entry for entry in entries if program in entry.programs) for program in programs}


OPTIONS_OF = _by_program(PROGRAM_OPTIONS)
"""The entries of a program, by its base name."""
