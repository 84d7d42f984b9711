"""What docs/security.md says that each look needs is what this kernel asks for: every row is tried."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from advisor.privilege.needs import LOOK, NEEDS
from tests.host import looks

pytestmark = [
    pytest.mark.host,
    pytest.mark.beside,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user"),
]

Answers = dict[str, set[str]]


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    """Set of capabilities -> looks that worked with it."""
    other = subprocess.Popen(
        ["cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=looks.OTHER,
        group=looks.OTHER,
        extra_groups=[],
    )
    with other:
        assert other.stdin is not None and other.stdout is not None
        other.stdin.write(b"here\n")
        other.stdin.flush()
        other.stdout.readline()
        program = [sys.executable, "-m", "tests.host.looks", str(other.pid)]
        done = subprocess.run(program, capture_output=True, text=True, check=True)
        other.kill()
    yield {names: set(worked) for names, worked in json.loads(done.stdout).items()}


def possible(answers: Answers) -> list[str]:
    """Looks that this kernel has at all."""
    return [name for name, need in NEEDS.items() if name in answers["all"] or need.root]


def test_every_row_of_the_table_is_tried(answers: Answers) -> None:
    assert set(looks.looks(1)) == set(NEEDS)
    assert {"processes", "mappings", "program", "pages", "frames", "flags", "clear"} <= answers["all"]


def test_the_least_capabilities_are_enough(answers: Answers) -> None:
    for name in possible(answers):
        if not NEEDS[name].root:
            assert name in answers[" ".join(NEEDS[name].least)], name


def test_without_any_of_a_clause_all_other_capabilities_do_not_help(answers: Answers) -> None:
    for name in possible(answers):
        for clause in NEEDS[name].others:
            assert name not in answers["-" + " ".join(clause)], (name, clause)


def test_each_capability_of_a_clause_stands_for_the_first(answers: Answers) -> None:
    before_6_15 = "mappings" not in answers["CAP_PERFMON"]
    for name in possible(answers):
        need = NEEDS[name]
        for place, clause in enumerate(need.others):
            for one in clause:
                if not (clause is LOOK and before_6_15):
                    key = " ".join((*need.least[:place], one, *need.least[place + 1 :]))
                    assert name in answers[key], (name, key)


def test_ones_own_processes_need_what_the_table_says(answers: Answers) -> None:
    for name in possible(answers):
        own = NEEDS[name].own
        if own is not None:
            assert (name in answers["own"]) == (own == ()), name
            for clause in own:
                assert name in answers["own " + clause[0]], name


def test_sysctls_go_by_the_user_id_alone(answers: Answers) -> None:
    assert "sysctl" not in answers["all"]
    assert "sysctl" in answers["root"] or not os.access("/proc/sys/vm/nr_hugepages", os.W_OK)
