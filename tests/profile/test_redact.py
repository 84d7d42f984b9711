"""Secrets leave a command line, everything else stays readable."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.profile.redact import CUT, LONGEST_ARGUMENT_CHARS, REDACTED, redact_command_line

HIDDEN = "S3cr3t-Hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
AWS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY9"

SHAPES = [
    ["app", f"--password={HIDDEN}"],
    ["app", "--password", HIDDEN],
    ["app", "-password", HIDDEN],
    ["app", f"--db-password={HIDDEN}, with comma; and more"],
    ["mysql", "-uroot", f"-p{HIDDEN}", "shop"],
    ["/usr/bin/mysqldump", f"--password={HIDDEN}", "--all-databases"],
    ["sudo", "mysql", f"-p{HIDDEN}"],
    ["sshpass", "-p", HIDDEN, "ssh", "host"],
    ["redis-cli", "-a", HIDDEN, "ping"],
    ["redis-server", "--requirepass", HIDDEN],
    ["redis-server", "--masterauth", HIDDEN, "--port", "6379"],
    ["mongodump", "-u", "backup", "-p", HIDDEN],
    ["psql", f"postgresql://app:{HIDDEN}@db:5432/shop"],
    ["psql", f"host=db user=app password={HIDDEN} dbname=shop"],
    ["psql", f"host=db password='{HIDDEN} x' dbname=shop"],
    ["worker", f"amqp://guest:{HIDDEN}@mq.example:5672/%2f"],
    ["worker", f"redis://:{HIDDEN}@cache:6379/0"],
    ["git", "clone", f"https://{HIDDEN}@github.com/a/b.git"],
    ["app", f"mongodb+srv://app:p@ss/{HIDDEN}@cluster0.example/db"],
    ["app", f"app:{HIDDEN}@tcp(db:3306)/shop?parseTime=true"],
    ["env", f"PGPASSWORD={HIDDEN}", "psql"],
    ["env", f"AWS_SECRET_ACCESS_KEY={HIDDEN}", "aws", "s3", "ls"],
    ["env", f"DB_PASS={HIDDEN}"],
    ["java", f"-Djavax.net.ssl.keyStorePassword={HIDDEN}", "-jar", "a.jar"],
    ["java", f"-Dspring.datasource.password={HIDDEN}", "Main"],
    ["java", f"-Dhttp.proxyPassword={HIDDEN}"],
    ["java", f"-Durl=jdbc:sqlserver://db;user=sa;password={HIDDEN};encrypt=true"],
    ["java", f"-Durl=jdbc:mysql://db/shop?user=app&password={HIDDEN}&useSSL=true"],
    ["java", f"jdbc:oracle:thin:scott/{HIDDEN}@db:1521:orcl"],
    ["keytool", "-storepass", HIDDEN, "-keypass", HIDDEN],
    ["curl", "-u", f"admin:{HIDDEN}", "https://host/"],
    ["curl", f"-uadmin:{HIDDEN}", "https://host/"],
    ["curl", f"--user=admin:{HIDDEN}", "https://host/"],
    ["curl", "-H", f"Authorization: Bearer {HIDDEN}", "https://host/"],
    ["curl", "-H", f"X-Api-Key: {HIDDEN}", "https://host/"],
    ["curl", f"-HAuthorization: Basic {HIDDEN}"],
    ["curl", "-b", f"Cookie: session={HIDDEN}"],
    ["curl", f"https://host/path?access_token={HIDDEN}&page=2"],
    ["curl", f"https://acct.blob.example/c?sv=2020&sig={HIDDEN}"],
    ["app", f"--token={HIDDEN}"],
    ["kubectl", "--token", HIDDEN, "get", "pods"],
    ["consul", "agent", f"-token={HIDDEN}"],
    ["app", f"--api-key={HIDDEN}"],
    ["app", "--apiKey", HIDDEN],
    ["app", f"--client-secret={HIDDEN}"],
    ["vault", "write", "auth/approle/login", f"secret_id={HIDDEN}"],
    ["docker", "login", "-u", "bob", "-p", HIDDEN],
    ["sqlplus", f"scott/{HIDDEN}@orcl"],
    ["sqlcmd", "-S", "db", "-U", "sa", "-P", HIDDEN],
    ["ldapsearch", "-D", "cn=admin", "-w", HIDDEN],
    ["smbclient", "//host/share", "-U", f"bob%{HIDDEN}"],
    ["mount.cifs", "//host/x", "/mnt", "-o", f"username=bob,password={HIDDEN},vers=3.0"],
    ["openssl", "rsa", "-passin", f"pass:{HIDDEN}"],
    ["7z", "a", f"-p{HIDDEN}", "out.7z"],
    ["xfreerdp", f"/p:{HIDDEN}", "/v:host"],
    ["erl", "-sname", "a", "-setcookie", HIDDEN],
    ["qemu-system-x86_64", "-object", f"secret,id=sec0,data={HIDDEN}"],
    ["qemu-system-x86_64", "-spice", f"port=5900,password={HIDDEN},tls-port=0"],
    ["sh", "-c", f"mysql -uroot -p{HIDDEN} shop < dump.sql"],
    ["sh", "-c", f"exec curl -H 'Authorization: Bearer {HIDDEN}' https://host/"],
    ["bash", "-c", f"export API_TOKEN='{HIDDEN} b'; ./run --level 3"],
    ["app", f'{{"user": "bob", "password": "{HIDDEN}"}}'],
    ["ansible", "-e", f"ansible_become_pass={HIDDEN}"],
    ["app", f"AccountName=a;AccountKey={HIDDEN};EndpointSuffix=x"],
]
TOKENS = [
    JWT,
    "AKIAIOSFODNN7EXAMPLE",
    AWS_KEY,
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "glpat-abcdefghij0123456789",
    "xoxb-123456789012-abcdefghijkl",
    "sk_live_abcdefghijklmnop0123",
    "hvs.CAESIJabcdefghijklmnop",
    "5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
]
READABLE = [
    ["java", "-Xmx4g", "-XX:+UseTransparentHugePages", "-cp", "/opt/a.jar:/opt/b.jar", "com.example.Main"],
    ["postgres", "-D", "/var/lib/postgresql/16/main", "-c", "config_file=/etc/postgresql/16/main/postgresql.conf"],
    ["server", "--port", "5432", "--workers=16"],
    ["mysql", "-p", "shop"],
    ["mysqld", "--basedir=/usr", "--pid-file=/run/mysqld/mysqld.pid"],
    ["ssh", "-p", "2222", "user@host"],
    ["docker", "run", "-p", "8080:80", "nginx:1.25"],
    ["app", "--password-file=/run/secrets/db", "--token-ttl", "3600"],
    ["psql", "--no-password", "shop"],
    ["llm", "--max-tokens", "512", "--tokenizer", "gpt2"],
    ["app", "--auth-method", "trust", "--author", "Ada", "--bypass", "x"],
    ["app", "--pass-through", "yes"],
    ["env", "PWD=/home/ada", "OLDPWD=/"],
    ["curl", "-u", "admin", "https://host:8443/v1/items?page=2&sort=name"],
    ["app", "--private-key", "/etc/ssl/private/server.key"],
    ["app", "--enable-password=true", "--auth=off"],
    ["containerd", "image@sha256:" + "0123456789abcdef" * 4],
    ["runc", "--root", "/run/containerd/" + "0123456789abcdef" * 4],
    ["npm", "install", "http://registry:8080/@scope/package"],
    ["qemu-system-x86_64", "-m", "8G", "-uuid", "123e4567-e89b-12d3-a456-426614174000"],
    ["redis-server *:6379"],
    ["postgres: app shop 10.0.0.7(55432) idle"],
    ["nginx: master process /usr/sbin/nginx -g daemon on;"],
    ["python3", "-m", "http.server", "8000"],
    ["rsync", "--password-file=/etc/rsync.pass", "host::module"],
    ["app", "num=12345678901234567890123456789012345678901234567890"],
]  # fmt: skip


@pytest.mark.parametrize("command", SHAPES, ids=lambda c: " ".join(c)[:60])
def test_a_secret_leaves_the_command_line(command: list[str]) -> None:
    redacted = redact_command_line(command)
    assert len(redacted) == len(command)
    assert HIDDEN not in " ".join(redacted)
    assert REDACTED in " ".join(redacted)
    assert redacted[0] == command[0]


@pytest.mark.parametrize("token", TOKENS, ids=lambda t: t[:24])
@pytest.mark.parametrize("form", ["{}", "--opaque={}", "run {} now"])
def test_a_credential_is_told_by_its_form_alone(token: str, form: str) -> None:
    redacted = redact_command_line(["app", form.format(token)])
    assert token not in redacted[1]
    assert REDACTED in redacted[1]


@pytest.mark.parametrize("command", READABLE, ids=lambda c: " ".join(c)[:60])
def test_what_is_no_secret_stays_readable(command: list[str]) -> None:
    assert redact_command_line(command) == command


def test_user_and_host_of_a_url_with_a_password_stay_recognisable() -> None:
    assert redact_command_line(["psql", f"postgres://app:{HIDDEN}@db:5432/shop"])[1] == "postgres://***@db:5432/shop"
    assert redact_command_line(["curl", "-u", f"bob:{HIDDEN}"])[2] == "bob:***"


def test_other_settings_beside_a_secret_stay_readable() -> None:
    redacted = redact_command_line(["psql", f"host=db password={HIDDEN} dbname=shop"])[1]
    assert redacted == "host=db password=*** dbname=shop"
    redacted = redact_command_line(["x", f"username=bob,password={HIDDEN},vers=3.0"])[1]
    assert redacted == "username=bob,password=***,vers=3.0"


def test_an_option_after_a_password_prompt_option_is_kept() -> None:
    assert redact_command_line(["mysql", "--password", "--host=db"]) == ["mysql", "--password", "--host=db"]


def test_a_long_argument_is_cut_and_says_so() -> None:
    redacted = redact_command_line(["java", "/a/b.jar:" * 10_000])[1]
    assert len(redacted) == LONGEST_ARGUMENT_CHARS
    assert redacted.endswith(CUT)


PIECES = st.sampled_from(
    ["--password", "password=", "token:", "mysql", "curl", "-p", "-u", "a:b@c", "://", "'", '"', " ", "=", ",", ";",
     "&", "Authorization: ", "Bearer ", "/x/y", REDACTED, JWT, "sqlplus", "u/p@d", "pass:", "secret,data=", "-", "x"]
)  # fmt: skip
ARGUMENTS = st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=5)


@given(st.one_of(ARGUMENTS, st.lists(st.text(max_size=80), max_size=5)))
@settings(max_examples=400, deadline=None)
def test_redacting_twice_is_redacting_once(command: list[str]) -> None:
    once = redact_command_line(command)
    assert redact_command_line(once) == once
    assert len(once) == len(command)


@given(st.text("bcdghijkqvxzBCDGHJ0123456789!$%^#", min_size=6, max_size=30))
def test_a_password_of_any_text_leaves_with_its_option(secret: str) -> None:
    shell = shlex.join(["a", f"PW={secret}"])
    for command in (["a", f"--password={secret}"], ["a", "--password", secret], ["sh", "-c", shell]):
        assert secret not in " ".join(redact_command_line(command))
