"""The transparent_hugepage tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advisor.procfs.errors import KernelTextError, MalformedError, MissingError
from advisor.procfs.facts import Thp, ThpSize
from advisor.procfs.fs import KernelFs
from advisor.procfs.thp import THP_FOLDER, parse_choice, read_thp


def write_tree(root: Path, files: dict[str, str]) -> KernelFs:
    for name, text in files.items():
        path = root / THP_FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return KernelFs(str(root / "proc"), str(root))


FILES = {
    "enabled": "always [madvise] never\n",
    "defrag": "always defer [defer+madvise] madvise never\n",
    "shmem_enabled": "always within_size advise [never] deny force\n",
    "use_zero_page": "1\n",
    "shrink_underused": "0\n",
    "hpage_pmd_size": "536870912\n",
    "khugepaged/pages_to_scan": "4096\n",
    "khugepaged/full_scans": "8\n",
    "hugepages-524288kB/enabled": "always [inherit] madvise never\n",
    "hugepages-524288kB/stats/anon_fault_alloc": "312\n",
    "hugepages-64kB/enabled": "[always] inherit madvise never\n",
    "hugepages-64kB/shmem_enabled": "always inherit within_size advise [never]\n",
    "hugepages-64kB/stats/nr_anon": "5\n",
    "hugepages-8kB/shmem_enabled": "always inherit [within_size] advise never\n",
}


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        (b"always [madvise] never\n", "madvise"),
        (b"[always] madvise never", "always"),
        (b"always defer [defer+madvise] madvise never\n", "defer+madvise"),
        (b"[never]\n", "never"),
    ],
)
def test_the_choice_is_the_word_in_brackets(text: bytes, choice: str) -> None:
    assert parse_choice(text) == choice


@pytest.mark.parametrize(
    "text", [b"", b"always madvise never\n", b"[always] [never]\n", b"[]\n", b"always [madvise never\n", b"[\xff]\n"]
)
def test_without_exactly_one_choice_the_text_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_choice(text)


def test_the_whole_tree_is_read_with_sizes_smallest_first(tmp_path: Path) -> None:
    assert read_thp(write_tree(tmp_path, FILES)) == Thp(
        enabled="madvise",
        defrag="defer+madvise",
        shmem_enabled="never",
        use_zero_page=1,
        shrink_underused=0,
        pmd_bytes=512 << 20,
        sizes=[
            ThpSize(8192, None, "within_size", {}),
            ThpSize(65536, "always", "never", {"nr_anon": 5}),
            ThpSize(512 << 20, "inherit", None, {"anon_fault_alloc": 312}),
        ],
        khugepaged={"full_scans": 8, "pages_to_scan": 4096},
    )


def test_what_an_old_kernel_lacks_is_unknown_and_no_problem(tmp_path: Path) -> None:
    problems: dict[str, str] = {}
    fs = write_tree(tmp_path, {"enabled": "[always] madvise never\n"})
    assert read_thp(fs, problems) == Thp(enabled="always")
    assert problems == {}


def test_a_kernel_without_thp_has_no_tree(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_thp(KernelFs(str(tmp_path), str(tmp_path)))


def test_a_broken_file_costs_only_itself_where_problems_are_noted(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, FILES | {"khugepaged/full_scans": "many\n", "enabled": "always never\n"})
    problems: dict[str, str] = {}
    thp = read_thp(fs, problems)
    assert thp.enabled is None
    assert thp.khugepaged == {"pages_to_scan": 4096}
    assert problems == {
        f"{THP_FOLDER}/enabled": "malformed",
        f"{THP_FOLDER}/khugepaged/full_scans": "malformed",
    }
    with pytest.raises(MalformedError) as caught:
        read_thp(fs)
    assert caught.value.path == f"{tmp_path}/{THP_FOLDER}/enabled"


def test_a_folder_in_place_of_a_file_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, FILES)
    (tmp_path / THP_FOLDER / "khugepaged/max_ptes_none").mkdir()
    problems: dict[str, str] = {}
    assert "max_ptes_none" not in read_thp(fs, problems).khugepaged
    assert list(problems.values()) == ["unreadable"]


def test_dumps_of_the_tree_read_as_they_say(corpus: Path, tmp_path: Path) -> None:
    for dump in sorted((corpus / "thp_sysfs").iterdir()):
        lines = [line.split(": ", 1) for line in dump.read_text().splitlines()]
        thp = read_thp(write_tree(tmp_path / dump.stem, {name: f"{value}\n" for name, value in lines}))
        for name, value in lines:
            assert f"[{getattr(thp, name)}]" in value.split(), dump


def test_this_host_agrees_with_a_walk_over_its_tree() -> None:
    root = f"/sys/{THP_FOLDER}"
    try:
        thp = read_thp(KernelFs())
    except KernelTextError:
        pytest.skip("no THP here")
    found = sorted(
        int(name.removeprefix("hugepages-").removesuffix("kB")) * 1024
        for name in os.listdir(root)
        if name.startswith("hugepages-")
    )
    assert [size.page_bytes for size in thp.sizes] == found
    for size in thp.sizes:
        stats = Path(root, f"hugepages-{size.page_bytes // 1024}kB/stats")
        assert set(size.stats) == {path.name for path in stats.iterdir()}
    assert f"[{thp.enabled}]" in Path(root, "enabled").read_text()
