"""Secrets leave a command line, everything else stays readable."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.profile.redact import CUT, LONGEST_ARGUMENT_CHARS, redact_command_line, redact_name
from advisor.profile.secret_names import REDACTED
from tests.secrets import HIDDEN, JWT, NAMES, READABLE, READABLE_NAMES, SHAPES, TOKENS


@pytest.mark.parametrize("command", SHAPES, ids=lambda c: " ".join(c)[:60])
def test_a_secret_leaves_the_command_line(command: list[str]) -> None:
    redacted = redact_command_line(command)
    assert len(redacted) == len(command)
    assert HIDDEN not in " ".join(redacted)
    assert REDACTED in " ".join(redacted)
    assert len(command) == 1 or redacted[0] == command[0]


@pytest.mark.parametrize("token", TOKENS, ids=lambda t: t[:24])
@pytest.mark.parametrize("form", ["{}", "--opaque={}", "run {} now"])
def test_a_credential_is_told_by_its_form_alone(token: str, form: str) -> None:
    redacted = redact_command_line(["app", form.format(token)])
    assert token not in redacted[1]
    assert REDACTED in redacted[1]


@pytest.mark.parametrize("command", READABLE, ids=lambda c: " ".join(c)[:60])
def test_what_is_no_secret_stays_readable(command: list[str]) -> None:
    assert redact_command_line(command) == command


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_leaves_a_name(name: str) -> None:
    redacted = redact_name(name)
    assert HIDDEN not in redacted and "ghp_" not in redacted
    assert REDACTED in redacted


@pytest.mark.parametrize("name", READABLE_NAMES)
def test_a_name_without_a_secret_stays(name: str) -> None:
    assert redact_name(name) == name


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


def test_of_a_very_long_command_line_the_beginning_is_searched_and_redacting_twice_is_redacting_once() -> None:
    words = ["--data", '{"password": "x"}', ".decuf"] * 30_000
    redacted = redact_command_line(words)
    assert len(redacted) == len(words)
    assert redacted[:3] == ["--data", '{"password": "***"}', ".decuf"]
    assert redacted[-1] == CUT
    assert redact_command_line(redacted) == redacted


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
