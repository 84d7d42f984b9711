"""Whatever a name, path or value holds: a text says it literally, or is refused. Each syntax is read back by its own
rules."""

from __future__ import annotations

import re
import shlex
import string
from xml.etree import ElementTree

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from advisor import artefacts
from advisor.artefacts import Artefact
from advisor.artefacts.mounts import escaped_unit_path
from advisor.artefacts.quoting import comment, dns_label, systemd_word, xml_comment, xml_text, yaml_text
from advisor.units import GIB, MIB

SPECIAL = "%$`\"'\\#;&|<>(){}[]*?!~=,:@/- \t\n\r\x00\x1b\x7f\x85\u2028\u202e\ud800é日"
hostile = st.text(st.one_of(st.sampled_from(SPECIAL), st.characters()), max_size=30)
shown = hostile.filter(lambda text: bool(text) and text.isprintable())


def lines_of_code(artefact: Artefact, mark: str = "#") -> list[str]:
    """The lines of a text that are no comment; split as every reader of configuration splits them."""
    return [line for line in artefact.text.split("\n") if line and not line.startswith(mark)]


def only_known_lines(artefact: Artefact, count: int) -> None:
    """A name that broke out of its line would add one."""
    assert len(lines_of_code(artefact)) == count, artefact.text
    assert all(character == "\n" or character.isprintable() for character in artefact.text)
    assert all(character == "\n" or character.isprintable() for character in artefact.undo)


@given(hostile)
def test_texts_of_applications_hold_a_name_in_comments_and_ids_alone(name: str) -> None:
    made = [
        (artefacts.postgresql_huge_pages(name, GIB, default_page_bytes=2 * MIB), 2),
        (artefacts.mysql_large_pages(name, "mysqld", 2 * MIB), 2),
        (artefacts.redis_without_thp(name, "redis"), 1),
        (artefacts.memcached_large_pages(name), 1),
        (artefacts.jvm_flags(name, GIB, default_page_bytes=2 * MIB), 1),
        (artefacts.dpdk_memory(name, GIB, [GIB], directory="/dev/hugepages1G"), 1),
        (artefacts.qemu_memory(name, GIB, GIB, host_node=0, shared=True), 1),
        (artefacts.application_settings(name, name, name, ["-x SIZE"], artefacts.numbers_for(GIB, GIB), name), 1),
    ]
    for artefact, count in made:
        only_known_lines(artefact, count)
        assert re.fullmatch(r"[A-Za-z0-9.-]+", artefact.id) and artefact.title.isprintable()


def systemd_reads(word: str, *, command: bool) -> str:
    """A double-quoted word as systemd.syntax(7) and systemd.service(5) read it."""
    assert word[0] == word[-1] == '"'
    out, at = "", 1
    doubled = "%$" if command else "%"
    while at < len(word) - 1:
        character = word[at]
        if character == "\\":
            assert word[at + 1] in '\\"'
            out, at = out + word[at + 1], at + 2
        elif character in doubled:
            assert word[at + 1] == character, "a specifier or variable"
            out, at = out + character, at + 2
        else:
            assert character != '"'
            out, at = out + character, at + 1
    return out


@given(hostile, st.booleans())
def test_a_systemd_word_is_read_as_it_was_or_refused(word: str, command: bool) -> None:
    try:
        written = systemd_word(word, command=command)
    except ValueError:
        assert not word.isprintable()
        return
    assert systemd_reads(written, command=command) == word


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), shown, min_size=1, max_size=3))
def test_variables_of_a_service_are_its_values(variables: dict[str, str]) -> None:
    made = artefacts.environment_drop_in("app.service", "x", "x", variables)
    code = lines_of_code(made)
    assert code[0] == "[Service]"
    words = [systemd_reads(line.removeprefix("Environment="), command=False) for line in code[1:]]
    assert words == [f"{name}={value}" for name, value in variables.items()]


@given(st.lists(shown, min_size=1, max_size=4))
def test_a_wrapped_start_runs_the_same_command(arguments: list[str]) -> None:
    command = ["/usr/bin/app", *arguments]
    made = artefacts.thp_off_start("app.service", command)
    code = lines_of_code(made)
    assert code[:2] == ["[Service]", "ExecStart="] and len(code) == 3
    words = re.findall(r'"(?:[^"\\]|\\.)*"', code[2].removeprefix("ExecStart="))
    assert [systemd_reads(word, command=True) for word in words][3:] == command


@given(hostile)
def test_a_command_of_a_shell_is_read_as_it_was_or_refused(word: str) -> None:
    try:
        made = artefacts.environment_command("x", "x", "x", ["app", word], {"A": "1"})
    except ValueError:
        assert not word.isprintable()
        return
    assert shlex.split(made.text) == ["env", "A=1", "app", word]


@given(hostile)
def test_a_guest_s_xml_is_one_element_whatever_its_name(name: str) -> None:
    try:
        made = artefacts.libvirt_memory(name, 2 * MIB, GIB, shared=True)
    except ValueError:
        assert not name.isprintable() or not name
        return
    assert ElementTree.fromstring(f"<x>{made.text}</x>")[0].tag == "memoryBacking"  # noqa: S314 - own text
    assert shlex.split(made.undo, comments=True) == ["virsh", "edit", "--", name]


@given(shown)
def test_xml_and_yaml_say_a_text_literally(text: str) -> None:
    assume(re.fullmatch("[\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*", text))
    assert ElementTree.fromstring(f"<x a='{xml_text(text)}'/>").get("a") == text  # noqa: S314
    assert yaml.safe_load(f"- {yaml_text(text)}") == [text]
    ElementTree.fromstring(f"<x><!--{xml_comment(text)}--></x>")  # noqa: S314


@given(hostile)
def test_a_pod_is_yaml_with_plain_names_whatever_the_program_s(name: str) -> None:
    pod = yaml.safe_load(artefacts.pod_resources(name, 2 * MIB, 4, 0).text)
    names = [pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]]
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", one) and len(one) <= 63 for one in names)
    assert dns_label(name) == names[0]


@given(hostile)
def test_a_mount_is_of_its_path_or_refused(name: str) -> None:
    path = f"/mnt/{name}"
    try:
        unit, line = artefacts.mount_unit(path, GIB), artefacts.mount_in_fstab(path, GIB)
    except ValueError:
        return
    settings = dict(text.split("=", 1) for text in lines_of_code(unit) if "=" in text)
    assert settings["Where"].strip().rstrip("\\").replace("%%", "%") == path and settings["What"] == "hugetlbfs"
    assert set(escaped_unit_path(path)) <= set(string.ascii_letters + string.digits + ":_.-\\")
    fields = lines_of_code(line)[0].split(" ")
    assert len(fields) == 6
    assert re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]) == path
    assert shlex.split(line.undo.split("\n")[0]) == ["umount", path]


@given(hostile)
def test_a_comment_stays_on_its_line(text: str) -> None:
    assert comment(text).isprintable() or not text


@given(hostile)
def test_a_profile_to_include_is_a_plain_name_or_refused(name: str) -> None:
    try:
        made = artefacts.tuned_profile(name, "/etc/tuned", [])
    except ValueError:
        return
    assert f"\ninclude={name}\n" in made.text and re.fullmatch(r"[A-Za-z0-9_.-]+", name)
    assert shlex.split(made.undo.split("\n")[0]) == ["tuned-adm", "profile", name]
