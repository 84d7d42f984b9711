"""Input files of the fixed jobs, the same ones each time: `make_inputs.py FOLDER`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

LINES = 1_200_000
"""Lines of the text to sort, 30 bytes each."""

WORDS_BYTES = 8 << 20
"""Bytes of the text to compress."""

FEW_WORDS_BYTES = 2 << 20
"""Bytes of the text for slow compressors."""

FUNCTIONS = 1500
"""Functions of the C file to compile: about a second and a half at -O1."""


def lines(path: Path) -> None:
    choose = random.Random(1)
    with path.open("w") as file:
        for number in range(LINES):
            file.write(f"{choose.getrandbits(64):020d} {number:08d}\n")


def words(path: Path) -> None:
    path.write_text(_words(WORDS_BYTES))


def few_words(path: Path) -> None:
    path.write_text(_words(FEW_WORDS_BYTES))


def _words(count: int) -> str:
    choose = random.Random(2)
    vocabulary = ["".join(choose.choices("etaoinshrdlucmfwypvbgk", k=choose.randint(2, 10))) for _ in range(20_000)]
    text = " ".join(choose.choices(vocabulary, cum_weights=_skewed(len(vocabulary)), k=count // 5))
    return text[:count]


def _skewed(count: int) -> list[float]:
    """Cumulative weights of words: the n-th one is used 1/n as often as the first."""
    weights, total = [], 0.0
    for rank in range(1, count + 1):
        total += 1 / rank
        weights.append(total)
    return weights


def source(path: Path) -> None:
    with path.open("w") as file:
        file.write("struct item { int number; double weight; struct item *next; };\n")
        for number in range(FUNCTIONS):
            file.write(
                f"double work_{number}(struct item *list, int limit)\n{{\n"
                f"    double total = {number};\n"
                "    for (struct item *at = list; at && limit--; at = at->next) {\n"
                f"        if (at->number % {number + 3} == 1) total += at->weight * {number}.5;\n"
                f"        else if (at->number > {number * 7}) total -= at->weight / (limit + 1);\n"
                f"        switch (at->number & 7) {{ case 1: total *= 2; break; case 5: total += limit; break;\n"
                f"        default: at->number ^= {number}; }}\n"
                "    }\n    return total;\n}\n"
            )


MAKERS = {"lines.txt": lines, "words.txt": words, "words-small.txt": few_words, "source.c": source}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in MAKERS.items():
        if not (folder / name).exists():
            make(folder / f"{name}.part")
            (folder / f"{name}.part").rename(folder / name)


if __name__ == "__main__":
    main()
