"""Files of somebody else that are loaded: profiles, reports, captures, programs, models, data sets."""

from __future__ import annotations

import functools
import hashlib
import io
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import zstandard

from advisor.collect.captured.importing import profile_of_capture
from advisor.predictor import ModelError, load_predictor
from advisor.predictor.store import FACTS, FORESTS, save_model
from advisor.procfs.elf import parse_elf
from advisor.procfs.errors import MalformedError
from advisor.profile.codec import ProfileError, ProfileReader
from advisor.profile.timeline import fold
from advisor.report.document import ReportError, decode_report, encode_report
from advisor.training.dataset import DatasetError, read_dataset
from tests.captured.makers import files_of, smem_files, sos_tree, tar_of, zip_of
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import Target, kernel_targets
from tests.procfs.elf_files import make_elf
from tests.render.conftest import make_report
from tests.render.processes import make_processes
from tests.training import synthetic

SAMPLES = Path(__file__).parents[2] / "sample_profiles"
SMALLEST = 2
"""Sample profiles that are seeds: the smallest, as each input costs what its seed does."""

MOST_SAMPLES = 3
MOST_PROCESSES = 6
"""Of a seed, for the same reason."""


def file_targets() -> dict[str, Callable[[Path], Target]]:
    """By name, what makes each, given an empty folder (in memory at best) for what is loaded by name."""
    return {
        "profile": lambda _: Target("profile", _read_profile, (ProfileError,), _profiles()),
        "profile_without_limits": lambda _: Target(
            "profile_without_limits", functools.partial(_read_profile, limits=False), (ProfileError,), _profiles()
        ),
        "profile_inside_zstd": lambda _: Target(
            "profile_inside_zstd", _read_profile, (ProfileError,), _profiles(), _in_a_frame
        ),
        "profile_zstd": lambda _: Target("profile_zstd", _read_profile, (ProfileError,), _packed_profiles()),
        "report": lambda _: Target("report", decode_report, (ReportError,), _reports()),
        "elf": lambda _: Target("elf", _read_program, (MalformedError,), _programs()),
        "capture_archive": lambda scratch: Target("capture_archive", _Capture(scratch), (ProfileError,), _archives()),
        "capture_file": lambda scratch: Target(
            "capture_file", _Capture(scratch), (ProfileError,), _archives(), _with_one_file_mutated
        ),
        "model_facts": lambda scratch: _Model(scratch).facts_target(),
        "model_forests": lambda scratch: _Model(scratch).forests_target(),
        "data_set": _data_sets,
    }


@functools.cache
def _profiles() -> list[bytes]:
    smallest = sorted(SAMPLES.glob("*.zst"), key=lambda path: path.stat().st_size)[:SMALLEST]
    return [_short(path) for path in smallest]


def _packed_profiles() -> list[bytes]:
    return [zstandard.ZstdCompressor().compress(text) for text in _profiles()]


def _in_a_frame(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Damage that a checksum does not find."""
    return zstandard.ZstdCompressor(level=1).compress(mutated(rng, seeds))


def _short(path: Path) -> bytes:
    """The first samples of a profile, with the first processes, as text."""
    lines = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()[: 1 + MOST_SAMPLES]
    samples = [msgspec.json.decode(line) for line in lines[1:]]
    for sample in samples:
        sample["processes"] = sample.get("processes", [])[:MOST_PROCESSES]
    return b"\n".join([lines[0], *map(msgspec.json.encode, samples)]) + b"\n"


def _read_profile(data: bytes, *, limits: bool = True) -> object:
    reader = ProfileReader("profile", io.BufferedReader(io.BytesIO(data)))
    return fold(reader.header, reader.samples(limits=limits))


def _reports() -> list[bytes]:
    return [encode_report(make_report(make_processes()[:count])) for count in (1, 3)]


def _programs() -> list[bytes]:
    return [
        make_elf(needed=("libc.so.6",), imports=("madvise", "mmap"), exports=("mallctl",), interpreter="/lib/ld.so"),
        make_elf(bits=32, order=">", needed=("libm.so",), soname="liba.so", flags_1=0x08000000),
        make_elf(elf_type=2, sections=((".go.buildinfo", b"\xff Go buildinf:"), (".strtab", b"\0tc_malloc\0"))),
    ]


def _read_program(data: bytes) -> object:
    return parse_elf(io.BytesIO(data), "program", with_symbols=True)


@functools.cache
def _trees() -> list[dict[str, bytes]]:
    with tempfile.TemporaryDirectory() as made:
        return [files_of(sos_tree(Path(made, "sos")), "sos/"), smem_files(Path(made, "smem"))]


def _archives() -> list[bytes]:
    sos, smem = _trees()
    return [tar_of(sos), tar_of(smem), tar_of(smem, mode="w:gz"), tar_of(smem, mode="w:xz"), zip_of(sos)]


def _with_one_file_mutated(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """An undamaged archive in which one file is mutated, seldom into another one."""
    files = rng.choice(_trees())
    name = rng.choice(sorted(files))
    seeds = list(files.values()) if rng.random() < 0.2 else [files[name]]
    return tar_of(files | {name: mutated(rng, seeds)})


class _Capture:
    """Imports an archive."""

    def __init__(self, scratch: Path) -> None:
        self._archive = scratch / "capture"

    def __call__(self, data: bytes) -> object:
        self._archive.write_bytes(data)
        return profile_of_capture(self._archive)


class _Model:
    """Loads a small model with one of its two files exchanged."""

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "model"
        learnt = synthetic.learnt()
        self._facts = save_model(self._folder, learnt.facts(synthetic.DATA), learnt.forests.forests, learnt.reference)

    def facts_target(self) -> Target:
        return Target("model_facts", self._with_facts, (ModelError,), [(self._folder / FACTS).read_bytes()])

    def forests_target(self) -> Target:
        return Target("model_forests", self._with_forests, (ModelError,), [(self._folder / FORESTS).read_bytes()])

    def _with_facts(self, data: bytes) -> object:
        """The forests are read only where the facts are sound, and are not theirs then."""
        (self._folder / FACTS).write_bytes(data)
        (self._folder / FORESTS).write_bytes(b"")
        return load_predictor(self._folder)

    def _with_forests(self, data: bytes) -> object:
        """As of somebody who wrote the digest anew."""
        digest = hashlib.sha256(data).hexdigest()
        (self._folder / FACTS).write_bytes(msgspec.json.encode(msgspec.structs.replace(self._facts, sha256=digest)))
        (self._folder / FORESTS).write_bytes(data)
        return load_predictor(self._folder)


def _data_sets(scratch: Path) -> Target:
    path = scratch / "measurements.jsonl"

    def load(data: bytes) -> object:
        path.write_bytes(data)
        return sum(1 for _ in read_dataset(path))

    return Target("data_set", load, (DatasetError,), [_first_measurement()])


def _first_measurement() -> bytes:
    """The first of the shipped measurements, its profiles shortened."""
    path = SAMPLES.parent / "models" / "measurements.jsonl.zst"
    with path.open("rb") as file:
        reader = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))
        entry = msgspec.json.decode(reader.readline())
    return msgspec.json.encode(entry) + b"\n"


def target_names() -> list[str]:
    """Everything that is fuzzed."""
    return [*(target.name for target in kernel_targets()), *file_targets()]


def target_of(name: str, scratch: Path) -> Target:
    """One of them. scratch: an empty folder."""
    if name in (files := file_targets()):
        return files[name](scratch)
    return next(target for target in kernel_targets() if target.name == name)
