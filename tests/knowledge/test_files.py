"""Knowledge files are read strictly, and a bad one says what is wrong."""

from __future__ import annotations

import pytest

from advisor.knowledge.applications import FILES, ApplicationFile
from advisor.knowledge.files import KnowledgeError, load_knowledge, parse_knowledge
from advisor.knowledge.programs import ProgramSigns
from advisor.knowledge.tlb import TlbTable

GOOD = """
[[application]]
id = "x"
name = "X"
kind = "cache"
explicit = false
thp = [{stance = "neutral", says = "nothing", where = "manual", verified = true}]
sources = [{where = "manual", claim = "all", verified = true}]
"""


@pytest.mark.parametrize(
    ("name", "shape"),
    [*((name, ApplicationFile) for name in FILES), ("programs.toml", ProgramSigns), ("tlb.toml", TlbTable)],
)
def test_the_files_of_the_package_have_their_declared_shape(name: str, shape: type) -> None:
    assert load_knowledge(name, shape)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "cache"', 'kind = "cash"', r"applications\.toml: Invalid enum value 'cash' - at `\$.application"),
        ("explicit = false", 'explicit = "no"', r"Expected `bool`, got `str`"),
        ('id = "x"', 'ident = "x"', r"unknown field `ident`|missing required field `id`"),
        ("[[application]]", "[[application]", r"applications\.toml: "),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_place(old: str, new: str, message: str) -> None:
    with pytest.raises(KnowledgeError, match=message):
        parse_knowledge(GOOD.replace(old, new), ApplicationFile, "applications.toml")


def test_the_good_one_is_read() -> None:
    assert parse_knowledge(GOOD, ApplicationFile, "applications.toml").application[0].id == "x"
