"""The interface in a browser: who gets it, what comes first, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import psutil
import pytest

aiohttp = pytest.importorskip("aiohttp")

PROFILE = Path(__file__).resolve().parents[2] / "sample_profiles" / "redis-madvise.jsonl.zst"
PATIENCE_S = 120.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server and its address. The profile has a name that a shell would take apart."""
    hostile = tmp_path / "a b'$(touch pwned).zst"
    hostile.write_bytes(PROFILE.read_bytes())
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "advisor", "tui", "--web", f"--port={port}", str(hostile)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


async def first_paint(session: aiohttp.ClientSession, page: str) -> bytes:
    """What the interface writes until its table is there."""
    seen = b""
    async with session.ws_connect(page + "ws?width=100&height=30", headers={"Origin": page.rstrip("/")}) as socket:
        while b"ADVICE" not in seen:
            seen += await socket.receive_bytes(timeout=PATIENCE_S)
    return seen


async def status(session: aiohttp.ClientSession, page: str, **headers: str) -> int:
    async with session.get(page, headers=headers) as response:
        return int(response.status)


def test_a_browser_with_the_key_sees_the_first_screen_and_nobody_else_does(
    server: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = server
    page = address.partition("?")[0]

    async def scenario() -> None:
        async with aiohttp.ClientSession() as stranger:
            assert await status(stranger, page) == 403
            assert await status(stranger, page + "?key=wrong") == 403
            assert await status(stranger, page + "ws") == 403
        async with aiohttp.ClientSession() as browser:
            async with browser.get(address) as response:
                assert response.status == 200
                assert "textual.js" in await response.text()
            assert await status(browser, page + "ws", Origin="http://elsewhere.example") == 403
            seen = await first_paint(browser, page)
            assert b"redis-server" in seen

    asyncio.run(scenario())
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 130
    give_up = time.monotonic() + PATIENCE_S
    while any(child.is_running() for child in started) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not any(child.is_running() for child in started)


@contextmanager
def page() -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO, BinaryIO]]:
    """The interface as the server starts it for a page, from when it begins to draw, with its input and output.

    Killed where it does not end.
    """
    served = {"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver", "COLUMNS": "88", "ROWS": "27"}
    command = [sys.executable, "-m", "advisor", "tui", str(PROFILE)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, env=os.environ | served) as process:
        killer = threading.Timer(PATIENCE_S, process.kill)
        killer.start()
        try:
            orders, shown = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
            assert shown.readline() == b"__GANGLION__\n"
            yield process, orders, shown
        finally:
            killer.cancel()
            process.kill()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Exit code, and what it had to say."""
    return process.wait(), cast("BinaryIO", process.stderr).read()


def test_a_page_that_is_measured_and_left_at_once_ends() -> None:
    """As a browser does that only takes a picture: two sizes were at odds for ever, and nothing ended it."""
    with page() as (process, orders, shown):
        for order in ({"type": "resize", "width": 88, "height": 31}, {"type": "quit"}):
            said = json.dumps(order).encode()
            orders.write(b"M" + len(said).to_bytes(4, "big") + said)
        orders.flush()
        shown.read()
        assert ended(process) == (0, b"")


@pytest.mark.parametrize("gone", ["input", "output", "both"])
def test_a_page_ends_with_its_server(gone: str) -> None:
    with page() as (process, orders, shown):
        if gone != "output":
            orders.close()
        if gone == "input":
            shown.read()
        shown.close()
        code, errors = ended(process)
    assert (code, errors.strip()) in {(130, b""), (130, b"hugepage-advisor: interrupted")}  # before its first screen
