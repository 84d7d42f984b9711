"""The campaign's families: what is shipped can be read and expanded, what is wrong is refused with its reason."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.training.families import (
    LEFT_TO_TRIAL,
    Family,
    FamilyError,
    Place,
    build_commands,
    campaign_folder,
    commands_of,
    configurations,
    load_families,
    missing_programs,
    read_family,
)

PLACE = Place(Path("/build"), campaign_folder() / "programs", "python3")

MINIMAL = """
id = "walk"
title = "Walk"
about = "A walk."
steady = true
way = "general"
policies = ["base", "thp"]
command = ["walk", "{size}", "{seconds}"]

[metric]
kind = "output"
better = "lower"
unit = "ns"
regex = 'value (\\S+)'

[[configuration]]
id = "small"
working_set_bytes = 4096
parameters = { size = 1 }
"""


def written(folder: Path, text: str, name: str = "walk") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def shipped() -> list[Family]:
    return load_families()


def test_the_campaign_is_wide_enough(shipped: list[Family]) -> None:
    assert len(shipped) >= 38
    assert sum(len(family.configuration) for family in shipped) >= 130


def test_shipped_ids_are_unique(shipped: list[Family]) -> None:
    ids = [configuration.id for family in shipped for configuration in configurations(family, PLACE)]
    assert len(ids) == len(set(ids))


def test_shipped_commands_are_filled_and_their_files_exist(shipped: list[Family]) -> None:
    for family in shipped:
        commands = build_commands(family, PLACE)
        for configuration in configurations(family, PLACE):
            commands.append(list(configuration.command))
            commands += [way.command for way in configuration.custom.values() if way.command]
        for word in (word for command in commands for word in command):
            left = {name for name in (*LEFT_TO_TRIAL, "seconds", "build", "programs") if f"{{{name}}}" in word}
            assert left <= LEFT_TO_TRIAL, family.id
            if word.startswith(str(PLACE.programs)):
                assert Path(word).exists(), f"{family.id}: {word}"


def test_every_program_of_the_campaign_is_used(shipped: list[Family]) -> None:
    words = {word for family in shipped for command in (*family.build, *commands_of(family)) for word in command}
    named = {Path(word).name for word in words if word.startswith("{programs}")}
    helpers = {"servers.py", "steady.py", "workers.py", "guest_init.c", "kernels.h"}
    there = {path.name for path in PLACE.programs.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert there == named | helpers


def test_own_way_reaches_the_program(shipped: list[Family]) -> None:
    """A program with its own way takes the policy as an argument, or a wrapper that reads it from the environment."""
    for family in (family for family in shipped if family.way == "own"):
        wrapped = any(word.startswith("{programs}") for word in family.command)
        assert wrapped or "{policy}" in family.command, family.id


def test_minimal_family(tmp_path: Path) -> None:
    family = read_family(written(tmp_path, MINIMAL))
    (only,) = configurations(family, PLACE, 2.5)
    assert only.id == "walk/small"
    assert only.command == ("walk", "1", "2.5")
    assert only.policies == ("base", "thp")
    assert only.pool_bytes == only.working_set_bytes == 4096
    assert not family.fixed_job


def test_policy_is_left_to_the_trial(tmp_path: Path) -> None:
    text = MINIMAL.replace('"{size}"', '"{size}", "--pages={policy}:{page_bytes}", "{{x}}"')
    (only,) = configurations(read_family(written(tmp_path, text)), PLACE)
    assert only.command == ("walk", "1", "--pages={policy}:{page_bytes}", "{x}", "1")


def test_custom_way_is_expanded(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "[[configuration]]",
        '[custom.thp]\ncommand = ["walk", "--huge", "{size}", "{seconds}"]\nenvironment = { SIZE = "{size}" }\n'
        'thp_enabled = "always"\n[[configuration]]',
        1,
    )
    (only,) = configurations(read_family(written(tmp_path, text)), PLACE)
    assert only.custom["thp"].command == ["walk", "--huge", "1", "1"]
    assert only.custom["thp"].environment == {"SIZE": "1"}
    assert only.custom["thp"].thp_enabled == "always"


def test_a_job_without_seconds_is_fixed(tmp_path: Path) -> None:
    family = read_family(written(tmp_path, MINIMAL.replace(', "{seconds}"', "")))
    assert family.fixed_job


def test_missing_programs_are_named_with_their_package(tmp_path: Path) -> None:
    text = MINIMAL + '\n[needs]\n"no-such-program" = "its-package"\nsh = "dash"\n'
    assert missing_programs(read_family(written(tmp_path, text))) == {"no-such-program": "its-package"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("{size}", "{length}", "nothing fills {length}"),
        ('"{size}", ', "", "parameter size is not used"),
        ("size = 1", "seconds = 1, size = 1", "has a meaning of its own"),
        ("{size}", "{", "Single '{'"),
        ('"thp"]', '"huge"]', "unknown policy 'huge'"),
        ('["base", "thp"]', '["thp"]', "no base policy"),
        (r"value (\S+)", "value", "exactly one group"),
        (r"value (\S+)", "value (", "metric.regex"),
        ('kind = "output"', 'kind = "wall"', "takes no regex"),
        ('id = "walk"', 'id = "Walk"', "is not of lower-case letters"),
        ('id = "walk"', 'id = "run"', "differs from the file's name"),
        ("= 4096", "= 0", "must be positive"),
        ("parameters", 'policies = ["pool-2M"]\nparameters', "a policy that the family does not have"),
        ("[[configuration]]", "[custom.pool-2M]\n[[configuration]]", "not a policy of it"),
        ('unit = "ns"', 'unit = "ns"\nspeed = 1', "unknown field"),
        ('title = "Walk"', "", "missing required field"),
        ('title = "Walk"', "title =", "Invalid value"),
    ],
)
def test_wrong_family_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in MINIMAL
    path = written(tmp_path, MINIMAL.replace(old, new, 1))
    with pytest.raises(FamilyError, match=r"walk\.toml") as error:
        read_family(path)
    assert reason in str(error.value)


def test_twice_the_same_configuration(tmp_path: Path) -> None:
    again = MINIMAL[MINIMAL.index("[[configuration]]") :]
    with pytest.raises(FamilyError, match="'small' is there twice"):
        read_family(written(tmp_path, MINIMAL + again))


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match="no-such"):
        read_family(tmp_path / "no-such.toml")


@given(
    value=st.one_of(st.integers(), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)),
    seconds=st.floats(0.1, 1000),
)
def test_every_value_arrives_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, value: int | str, seconds: float
) -> None:
    quoted = f'"{value}"' if isinstance(value, str) else str(value)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        quoted = f'"{value}"'
    folder = tmp_path_factory.mktemp("families")
    family = read_family(written(folder, MINIMAL.replace("size = 1", f"size = {quoted}")))
    (only,) = configurations(family, PLACE, seconds)
    assert only.command[1] == str(value)
    assert float(only.command[2]) == pytest.approx(seconds, rel=1e-4)


@pytest.fixture(scope="module")
def kernels(shipped: list[Family], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The micro kernels, built as the campaign builds them."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    place = Place(tmp_path_factory.mktemp("build"), PLACE.programs)
    family = next(family for family in shipped if family.id == "pointer-chase")
    for command in build_commands(family, place):
        subprocess.run(command, check=True, timeout=60)
    return str(place.build / "kernels")


@pytest.mark.host
def test_every_kernel_of_the_families_prints_its_metric(kernels: str, shipped: list[Family]) -> None:
    place = Place(Path(kernels).parent, PLACE.programs)
    tried = set()
    for family in (family for family in shipped if family.command[0] == "{build}/kernels"):
        for configuration in configurations(family, place, 0.001):
            words = [word.format(policy="base", page_bytes="") for word in configuration.command]
            if words[1] in tried:
                continue
            tried.add(words[1])
            words[words.index("--mib") + 1] = "1"
            if "--knob" in words and words[1] in {"histogram", "window"}:
                words[words.index("--knob") + 1] = "0.5"
            done = subprocess.run(words, capture_output=True, text=True, timeout=20)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("ready\nvalue ")
    assert len(tried) >= 20


@pytest.mark.host
def test_a_kernel_refuses_what_it_does_not_know(kernels: str) -> None:
    for words in (["no-such-kernel"], ["chase", "--pages", "huge"], ["chase", "--pages", "pool-2M"], []):
        assert subprocess.run([kernels, *words], capture_output=True, timeout=20).returncode == 2
