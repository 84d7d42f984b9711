"""CPython at work on its own objects: `python_jobs.py JOB THOUSANDS SECONDS`."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

from steady import repeat
from workers import in_child

BATCH = 20_000
"""Operations of one step: about 2 to 5 ms."""

Job = Callable[[], int]


class Node:
    """An object of an application: two links and a number."""

    __slots__ = ("left", "number", "right")

    def __init__(self, number: int) -> None:
        self.left: Node | None = None
        self.right: Node | None = None
        self.number = number


def dictionary(count: int) -> Job:
    """Look-ups of random integers in a dict of tuples."""
    table = {key * 7919: (key, key + 1) for key in range(count)}
    choose = random.Random(1)

    def step() -> int:
        keys = choose.choices(range(count), k=BATCH)
        return len([table[key * 7919][0] for key in keys])

    return step


def shuffled_list(count: int) -> Job:
    """A list of floats whose objects lie in another order than the list."""
    values = [float(number) for number in range(count)]
    random.Random(1).shuffle(values)
    position = 0

    def step() -> int:
        nonlocal position
        part = values[position : position + BATCH]
        position = position + BATCH if position + 2 * BATCH <= count else 0
        sum(part)
        return len(part)

    return step


def tree(count: int) -> Job:
    """A binary tree of objects, searched for random numbers."""
    numbers = list(range(count))
    nodes = [Node(number) for number in numbers]
    random.Random(1).shuffle(nodes)
    by_number: list[Node | None] = [None] * count
    for node in nodes:
        by_number[node.number] = node

    def build(low: int, high: int) -> Node | None:
        if low >= high:
            return None
        middle = (low + high) // 2
        node = by_number[middle]
        assert node is not None  # noqa: S101 - every number was given a node
        node.left, node.right = build(low, middle), build(middle + 1, high)
        return node

    root = build(0, count)
    choose = random.Random(2)

    def step() -> int:
        for wanted in choose.choices(range(count), k=BATCH // 20):
            node = root
            while node is not None and node.number != wanted:
                node = node.left if wanted < node.number else node.right
        return BATCH // 20

    return step


def churn(count: int) -> Job:
    """Lists of small dicts made and dropped: the garbage of a web service."""

    def step() -> int:
        rows = [{"id": number, "name": str(number), "tags": [number, number]} for number in range(count)]
        return len(rows)

    return step


def workers(count: int) -> Job:
    """A child for each request, which looks a thousand keys up in the dict that it inherits."""
    table = {key * 7919: (key, key + 1) for key in range(count)}
    choose = random.Random(1)

    def step() -> int:
        keys = choose.choices(range(count), k=1000)
        in_child(lambda: [table[key * 7919][0] for key in keys])
        return 1

    return step


JOBS: dict[str, Callable[[int], Job]] = {
    "dict": dictionary,
    "list": shuffled_list,
    "tree": tree,
    "churn": churn,
    "workers": workers,
}


def main() -> None:
    job, thousands, seconds = sys.argv[1:]
    repeat(float(seconds), JOBS[job](int(thousands) * 1000))


if __name__ == "__main__":
    main()
