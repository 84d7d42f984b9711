"""A summary in its four forms; the page in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from advisor.batch.summary import summarise
from advisor.batch.worker import score_chunk
from advisor.render.summary_html import render_summary_html
from advisor.render.summary_markdown import render_summary_markdown
from advisor.render.summary_text import render_summary_json, render_summary_text
from advisor.report.summary import Summary
from tests.batch.test_summary import SAMPLES, frame, thp

Golden = Callable[[str, str], None]
HOSTILE = "</script><img src=x onerror=alert(1)>|\u202e\x1b[31m`x`"


@pytest.fixture(scope="module")
def fleet() -> Summary:
    """Two recorded hosts by rules alone, whose words change with no model; one made up, with gains and a bad name."""
    import io

    import polars as pl

    names = ("sparse-madvise", "postgres-huge-pages-off")
    parts = [pl.read_parquet(io.BytesIO(score_chunk([str(SAMPLES / f"{name}.jsonl.zst")], with_model=False).rows))
             .with_columns(file=pl.lit(name), cpu_cores=pl.lit(0.25)) for name in names]  # fmt: skip
    pool = {"policy": "hugetlb", "page_bytes": 1 << 30, "changes": True, "pages_when": "boot"}
    made = frame(
        thp(name=HOSTILE, host="db-2", file="z"),
        thp(name="ledger", host="db-2", file="z", cpu_cores=31.5, bloat_bytes=None, gain_low=-0.02),
        pool | {"name": "guest", "host": "db-2", "file": "z", "new_pool_bytes": 48 << 30, "cpu_cores": 4.0},
    )
    return summarise([*parts, made])


def test_text_is_as_reviewed(fleet: Summary, golden: Golden) -> None:
    golden("summary-80.txt", render_summary_text(fleet))


def test_markdown_is_as_reviewed(fleet: Summary, golden: Golden) -> None:
    golden("summary.md", render_summary_markdown(fleet))


def test_the_document_is_as_reviewed(fleet: Summary, golden: Golden) -> None:
    golden("summary.json", render_summary_json(fleet))


def test_the_page_is_as_reviewed(fleet: Summary, golden: Golden) -> None:
    golden("summary.html", render_summary_html(fleet))


@pytest.mark.parametrize("width", [1, 72, 80, 200])
def test_text_fits_any_width(fleet: Summary, width: int) -> None:
    text = render_summary_text(fleet, width=width)
    assert max(map(cell_len, text.splitlines())) <= max(width, 72)
    assert "\x1b" not in text and "\u202e" not in text


def test_a_hostile_name_is_text_in_every_form(fleet: Summary) -> None:
    page = render_summary_html(fleet)
    assert "<img" not in page and "&lt;/script&gt;" in page and page.count("</script>") == 1
    assert "<img" not in render_summary_markdown(fleet)
    for form in (page, render_summary_markdown(fleet), render_summary_json(fleet)):
        assert "\x1b" not in form and "\u202e" not in form


def test_the_page_needs_nothing_but_itself(fleet: Summary) -> None:
    page = render_summary_html(fleet)
    assert not re.search(r"https?:|src=|url\(|@import", page.replace("img src=x", ""))
    assert "default-src 'none'" in page and "unsafe" not in page


SORTS = """(() => {
  const table = document.querySelector("table"), seen = [];
  const column = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent === "CPUs saved");
  const head = table.tHead.rows[0].cells[column], button = head.firstElementChild;
  for (let press = 0; press < 2; press += 1) {
    button.click();
    seen.push([head.getAttribute("aria-sort"),
      [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.value ?? null)]);
  }
  return JSON.stringify([seen, document.images.length, document.title,
    getComputedStyle(document.querySelector("rect")).fill]);
})()"""


async def in_browser(address: str, page: str) -> tuple[list[Any], list[str]]:
    """What SORTS answers, and what stands in the console, by the browser's own protocol."""
    aiohttp = pytest.importorskip("aiohttp")
    number, complaints, answer = 0, [], None
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:

        async def ask(method: str, **params: Any) -> Any:
            nonlocal number
            number += 1
            await socket.send_json({"id": number, "method": method, "params": params})
            while True:
                message = await socket.receive_json(timeout=60)
                if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
                    complaints.append(json.dumps(message["params"]))
                if message.get("id") == number:
                    return message["result"]

        for domain in ("Page", "Runtime", "Log"):
            await ask(f"{domain}.enable")
        await ask("Page.navigate", url=page)
        for _ in range(200):
            ready = await ask("Runtime.evaluate", expression="document.readyState + location.protocol")
            if ready["result"]["value"] == "completefile:":
                break
            await asyncio.sleep(0.05)
        answer = (await ask("Runtime.evaluate", expression=SORTS))["result"]["value"]
        await ask("Runtime.evaluate", expression="1")
    return json.loads(answer), complaints


@pytest.mark.host
@pytest.mark.beside
def test_in_a_browser_it_sorts_and_its_console_is_empty(fleet: Summary, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    page = tmp_path / "fleet.html"
    page.write_text(render_summary_html(fleet), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
               f"--user-data-dir={tmp_path / 'profile'}", "about:blank"]  # fmt: skip
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        said = next(line for line in running.stderr if "DevTools listening on" in line)
        root = said.split()[-1]
        target = asyncio.run(first_page(root.replace("ws://", "http://").partition("/devtools")[0]))
        (sorts, images, title, fill), complaints = asyncio.run(in_browser(target, page.as_uri()))
    finally:
        running.terminate()
        running.communicate()
    assert not complaints
    assert images == 0 and title == "Huge pages on a fleet" and fill == "rgb(43, 122, 120)"
    for (order, values), word in zip(sorts, ("descending", "ascending"), strict=True):
        known = [float(value) for value in values if value is not None]
        assert order == word and known == sorted(known, reverse=word == "descending") and len(known) > 2
        assert values[len(known) :] == [None] * (len(values) - len(known)) and None in values


async def first_page(address: str) -> str:
    aiohttp = pytest.importorskip("aiohttp")
    async with aiohttp.ClientSession() as session, session.get(f"{address}/json/list") as answer:
        return next(one["webSocketDebuggerUrl"] for one in await answer.json() if one["type"] == "page")
