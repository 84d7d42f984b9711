"""The page of measurements: what a reader finds on it, and that its numbers are those of the trials."""

from __future__ import annotations

import re

from msgspec.structs import replace

from advisor.profile.model import ProcessFacts
from advisor.training.dataset import Measurement, StateProfile
from advisor.training.reference import reference_page
from advisor.trial.document import Run
from advisor.units import GIB, MIB
from tests.features import factory
from tests.training.documents import measurement, run, trial

SLOW, FAST, FASTER = [2.00, 2.02, 1.98, 2.01, 1.99], [1.00, 1.01, 0.99, 1.0, 1.02], [0.9, 0.91, 0.89, 0.9, 0.92]
NOISY = [1.0, 1.4, 0.8, 1.2, 0.9]


def measured(
    name: str, values: dict[str, list[float]], *, extra: list[Run] | None = None, **facts: object
) -> Measurement:
    one = measurement(name, GIB, 0.0)
    return replace(one, trial=trial(values, extra=extra or []), **facts)


def cells(page: str, configuration: str) -> list[list[str]]:
    """The rows of one configuration in its family's table, by cell."""
    lines = page.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(f"| `{configuration}`"))
    rows = [lines[first]]
    for line in lines[first + 1 :]:
        if not line.startswith("|  |"):
            break
        rows.append(line)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_one_row_a_policy_with_the_numbers_of_the_trial() -> None:
    values = {"base": SLOW, "thp": SLOW, "pool-2M": FAST, "pool-1G": FASTER}
    page = reference_page([measured("a/1", values)])
    base, thp, pool, gigantic = cells(page, "a/1")
    assert base[1:5] == ["base", "1", "0 %", "1.0 GiB"]
    assert re.fullmatch(r"1\.00 \(0\.9\d to 1\.0\d\) \*tie\*", thp[2])
    assert thp[3:5] == ["98 %", "+0 MiB"]
    assert re.fullmatch(r"\*\*(1\.99|2\.00)\*\* \(1\.9\d to 2\.0\d\)", pool[2])
    assert pool[4:] == ["+8 MiB", "0.10 s"]
    assert re.fullmatch(r"\*\*2\.2\d\*\* \(.*\); over 2M \*\*1\.1\d\*\* \(.*\)", gigantic[2])


def test_warm_up_runs_count_for_nothing() -> None:
    values = {"base": SLOW, "thp": FAST}
    warm_up = [run(name, 0, 100.0) for name in values]
    assert reference_page([measured("a/1", values, extra=warm_up)]) == reference_page([measured("a/1", values)])


def test_what_was_not_measured_says_why() -> None:
    refused = [run("thp", number, 5.0, not_counted="coverage | 0") for number in range(1, 6)]
    _, thp = cells(reference_page([measured("a/1", {"base": SLOW}, extra=refused)]), "a/1")
    assert thp[1:3] == ["THP", "not measured: coverage \\| 0"]


def test_a_policy_whose_runs_spread_is_marked() -> None:
    page = reference_page([measured("a/1", {"base": SLOW, "thp": NOISY})])
    assert [row[1] for row in cells(page, "a/1")] == ["base", "THP ~"]
    assert "spread by more than 5 %" in page


def test_families_are_listed_by_what_they_gain() -> None:
    page = reference_page(
        [
            measured("a/1", {"base": SLOW, "thp": SLOW}),
            measured("b/1", {"base": SLOW, "thp": FAST}),
            measured("b/2", {"base": SLOW, "thp": SLOW}),
        ]
    )
    assert "3 configurations of 2 families" in page
    listed = [line for line in page.splitlines() if line.startswith("| [made-up]")]
    assert [line.split(" | ")[0] for line in listed] == ["| [made-up](#b)", "| [made-up](#a)"]
    assert re.search(r"\| 2 \| steady \| 1\.4\d \(1\.00 to (1\.99|2\.00)\) \|  \|  \|", listed[0])
    assert page.index('<a id="a">') < page.index('<a id="b">')


def test_several_machines_are_told_apart() -> None:
    one = measured("a/1", {"base": SLOW, "thp": FAST})
    page = reference_page([one, replace(one, campaign_environment="1" * 12)])
    assert page.count("| `a/1` on `") == 2
    assert "1 configuration of 1 family" in page
    assert "- `111111111111`: made-up, 2 CPUs, 24 GiB, Linux 6.18.0, glibc 2.36" in page


def test_the_virtual_machine_comes_first_and_says_how_it_ran() -> None:
    facts = ProcessFacts("qemu", command_line=["qemu-system-x86_64", "-accel", "tcg"])
    seen = factory.profile(factory.sample(factory.process(facts=facts)))
    guest = measured(
        "qemu-guest/1",
        {"base": SLOW, "pool-2M": FAST},
        family="qemu-guest",
        profiles=[StateProfile("base", seen.header, seen.samples)],
    )
    page = reference_page([measured("a/1", {"base": SLOW, "thp": FAST}), guest])
    first = page.index("## A virtual machine's memory")
    assert first < page.index("## By family")
    assert "under emulation (TCG)" in page
    assert re.search(r"- `qemu-guest/1`, times as fast as with base pages: 2M pool \*\*", page)
    assert "A virtual machine's memory" not in reference_page([measured("a/1", {"base": SLOW, "thp": FAST})])


def test_a_page_of_nothing_is_a_page() -> None:
    assert "0 configurations of 0 families" in reference_page([], "<!-- marker -->\n")


def test_small_and_large_memory() -> None:
    small = replace(measurement("a/1", GIB, 0.0), trial=trial({"base": SLOW}, size=512 << 10))
    assert cells(reference_page([small]), "a/1")[0][4] == "512 KiB"
    middle = replace(measurement("a/1", GIB, 0.0), trial=trial({"base": SLOW}, size=300 * MIB))
    assert cells(reference_page([middle]), "a/1")[0][4] == "300 MiB"
