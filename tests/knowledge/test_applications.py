"""What is said of applications: complete, sourced, by version."""

from __future__ import annotations

import re

import pytest

from advisor.knowledge.applications import STANCES, Application, Stance, load_applications
from advisor.knowledge.versions import fits_any, parse_version
from advisor.units import GIB

AT_LEAST = 40
"""Applications, runtimes and libraries that the table must know."""

X86, ARM, POWER = "x86_64", "aarch64", "ppc64le"


@pytest.mark.parametrize(
    ("id", "page_bytes", "default_bytes", "expected"),
    [
        ("postgresql", 512 << 20, 2 << 20, True),
        ("mysql", 2 << 20, 2 << 20, True),
        ("mysql", GIB, 2 << 20, False),
        ("mysql", GIB, None, None),
        ("firecracker", GIB, 2 << 20, False),
        ("cloud-hypervisor", GIB, None, True),
        ("zgc", GIB, 2 << 20, False),
        ("redis", 2 << 20, 2 << 20, False),
        ("memcached", 2 << 20, 2 << 20, False),
    ],
)
def test_which_pool_an_application_can_use(
    id: str, page_bytes: int, default_bytes: int | None, expected: bool | None
) -> None:
    assert load_applications()[id].takes_page_size(page_bytes, default_bytes) is expected


@pytest.mark.parametrize(
    ("id", "version", "architecture", "expected"),
    [
        ("mongodb", "8.0.4", X86, "wants-on"),
        ("mongodb", "8.0 or later", ARM, "wants-on"),
        ("mongodb", "8.0.4", POWER, "wants-off"),
        ("mongodb", "7.0.15", X86, "wants-off"),
        ("mongodb", "before 8.0", X86, "wants-off"),
        ("mongodb", None, X86, None),
        ("mongodb", None, POWER, "wants-off"),
        ("mongodb", "8.0.4", None, None),
        ("redis", "7.0.15", X86, "self-disables"),
        ("redis", "6.0.16", X86, "wants-off"),
        ("redis", None, X86, "wants-off"),
        ("valkey", None, None, "self-disables"),
        ("mariadb", "10.6.16", X86, "wants-off"),
        ("mariadb", "10.6.17", X86, "self-disables"),
        ("mariadb", "11.4.2", X86, "self-disables"),
        ("varnish", "7.7 or later", X86, "self-disables"),
        ("ceph", None, X86, "self-disables"),
        ("zgc", "17.0.15", X86, "needs-shmem-thp"),
        ("zgc", "25.0.3", X86, "needs-shmem-thp"),
        ("zgc", "26", X86, "mixed"),
        ("shenandoah", "17", X86, "asks-if-told"),
        ("glibc-malloc", "2.31", X86, "neutral"),
        ("glibc-malloc", "2.36", X86, "asks-if-told"),
        ("mimalloc", "2.0", X86, "neutral"),
        ("mimalloc", "2.2", X86, None),
        ("mimalloc", "3.3", X86, "self-madvises"),
        ("go", "1.21.2", X86, "self-madvises"),
        ("go", "1.22.0", X86, "neutral"),
        ("tcmalloc-google", None, X86, "wants-on"),
        ("tcmalloc-gperftools", None, X86, "neutral"),
        ("memcached", "1.6.18", X86, "asks-if-told"),
        ("postgresql", "15", X86, "avoid-always"),
    ],
)
def test_the_makers_word_goes_by_version_and_processor(
    id: str, version: str | None, architecture: str | None, expected: Stance | None
) -> None:
    assert load_applications()[id].stance(version, architecture) == expected


def test_where_the_version_is_unknown_both_answers_are_there() -> None:
    assert [word.stance for word in load_applications()["mongodb"].words(None, X86)] == ["wants-on", "wants-off"]


def test_the_switch_of_memcached_is_thp_and_no_pool() -> None:
    entry = load_applications()["memcached"]
    assert not entry.explicit
    (word,) = entry.thp
    assert word.settings == ["memcached -L -m MB"]
    assert "no pool" in word.says
    assert "pool on Linux" in (entry.notes or "")


def test_those_that_take_a_pool_unasked_are_known() -> None:
    unasked = {entry.id for entry in load_applications().values() if entry.pool_unasked}
    assert {"ucx", "libfabric", "openj9", "spdk"} <= unasked


def test_those_that_switch_thp_off_or_ask_for_it_by_themselves_are_known() -> None:
    by_stance: dict[str, set[str]] = {}
    for entry in load_applications().values():
        for word in entry.thp:
            by_stance.setdefault(word.stance, set()).add(entry.id)
    assert by_stance["self-disables"] >= {"redis", "valkey", "mariadb", "varnish", "ceph"}
    assert by_stance["self-madvises"] >= {"numpy", "mimalloc", "openj9", "scylladb", "qemu"}


def test_there_are_applications_enough() -> None:
    assert len(load_applications()) >= AT_LEAST


@pytest.mark.parametrize("entry", load_applications().values(), ids=lambda entry: entry.id)
def test_every_application_is_complete(entry: Application) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", entry.id)
    assert entry.thp, "the makers' word, or that none was found"
    assert entry.executables or entry.libraries or entry.symbols or entry.require_command_line
    assert bool(entry.command_line) == entry.require_command_line
    for pattern in (*entry.command_line, *([entry.executable_path] if entry.executable_path else [])):
        re.compile(pattern)
    if entry.explicit:
        assert entry.explicit_sizes and entry.pool_size and entry.if_pool_short and entry.settings_2m
    else:
        assert not (entry.explicit_sizes or entry.settings_2m or entry.settings_1g)
        assert not (entry.pool_advised or entry.pool_unasked)
    assert bool(entry.settings_1g) <= bool({"any", "1G"} & set(entry.explicit_sizes))
    assert entry.pool_unasked == (entry.pool_refusal is not None)
    assert set(entry.instead_of) <= set(load_applications())
    assert entry.version_of is None or entry.version_of in load_applications()


@pytest.mark.parametrize("entry", load_applications().values(), ids=lambda entry: entry.id)
def test_every_word_has_a_source_and_every_source_says_whether_it_was_read(entry: Application) -> None:
    for word in entry.thp:
        assert word.stance in STANCES
        assert not word.says.endswith(".")
        fits_any(word.versions, None)
    for source in (*entry.sources, *entry.thp):
        assert source.where
        assert not (source.where == "from memory" and source.verified)
        assert source.date is None or re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", source.date)


@pytest.mark.parametrize("entry", load_applications().values(), ids=lambda entry: entry.id)
def test_one_word_at_most_holds_for_a_version_before_the_last(entry: Application) -> None:
    """A known version on a known processor always has one answer, or none; never a choice."""
    for text in ("1", "2.31", "6.2", "8.0.4", "10.6.17", "26"):
        words = entry.words(text, X86)
        assert len(words) <= 1 or any(word.holds(parse_version(text), X86) is None for word in words)


@pytest.mark.parametrize("entry", load_applications().values(), ids=lambda entry: entry.id)
def test_every_detector_can_answer(entry: Application) -> None:
    for detector in entry.detect:
        assert detector.path is not None or detector.text is not None
        assert detector.beside is None or detector.library is not None
        if detector.path is not None:
            assert re.compile(detector.path).groups == 1
        groups = detector.pattern.groups
        assert groups == (0 if detector.present is not None else 1) or detector.text is None
        for version in (detector.present, detector.absent):
            assert version is None or parse_version(version)
