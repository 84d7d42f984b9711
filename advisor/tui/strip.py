"""The host strip: what huge pages do on this host, in a few lines of any width. Pure functions of a tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.text import Text

from advisor.render import host_words
from advisor.render.numbers import UNKNOWN, UNKNOWN_SHORT, count, human_bytes, percent, plural, rate
from advisor.report.document import Report
from advisor.report.host import Pool
from advisor.tui.ink import Ink
from advisor.watch.frames import Pulse, Tick

LABEL = 8
"""Columns of the labels."""

CURVE = 16
"""Columns of a curve: half a minute at two seconds."""

WIDE_CURVE = 40
WIDE_FROM = 120
"""Columns of the screen from which curves are WIDE_CURVE."""

GAUGE = 10
"""Columns of a gauge."""

BLOCKS = "▁▂▃▄▅▆▇█"
"""The lowest stands for nothing; a value that is unknown is a blank."""

SEPARATOR = " · "


def lines(ink: Ink, tick: Tick, width: int) -> list[Text]:
    """Six lines: host, THP, pools, supply and memory, khugepaged, plan."""
    report, host = tick.report, tick.report.host
    curve = WIDE_CURVE if width >= WIDE_FROM else CURVE
    rows = [
        _row(ink, "Host", _machine(ink, report), width),
        _row(ink, "THP", _thp(ink, report), width),
        _row(ink, "Pools", _pools(ink, report), width),
        _row(ink, "Memory", [ink.text(part) for part in (_available(report), *host_words.supply_parts(host))], width),
        _row(ink, "Now", _now(ink, tick, curve), width),
    ]
    summary = ink.join(("Plan".ljust(LABEL), "muted"), (report.plan.summary, "strong"))
    summary.truncate(width, overflow="ellipsis")
    return [*rows, summary]


def _row(ink: Ink, label: str, parts: Sequence[Text], width: int) -> Text:
    """As many of the parts as fit, the most important first."""
    line = ink.text(label.ljust(LABEL), "muted").append_text(parts[0])
    line.truncate(width, overflow="ellipsis")
    for part in parts[1:]:
        if cell_len(line.plain) + len(SEPARATOR) + cell_len(part.plain) <= width:
            line = ink.join(line, (SEPARATOR, "muted"), part)
    return line


def _machine(ink: Ink, report: Report) -> list[Text]:
    host = report.host
    name = ink.text(host.hostname or "unnamed host", "strong")
    return [name, *(ink.text(part) for part in host_words.machine_parts(host))]


def _thp(ink: Ink, report: Report) -> list[Text]:
    """Switches, and how much of anonymous memory is on huge pages: the sum over the processes that were read."""
    totals, thp = report.totals, report.host.thp
    switches = host_words.thp_parts(report.host)
    if thp.enabled is None and thp.pmd_bytes is None:
        return [ink.text(switches[0])]
    share = totals.anon_huge_bytes / totals.anon_bytes if totals.anon_bytes else None
    unknown = totals.unknown.get("anon_huge_bytes", 0)
    of = f" of {human_bytes(totals.anon_bytes)} anonymous" + (f", {count(unknown)} unknown" if unknown else "")
    huge = ink.join("huge ", gauge(ink, [(share or 0, "pmd-anon", "█")]), f" {percent(share, UNKNOWN_SHORT)}{of}")
    mode = ink.text(switches[0].removeprefix("enabled "), "strong")
    return [mode, ink.text(switches[1]), huge, *map(ink.text, switches[3:])]


def _pools(ink: Ink, report: Report) -> list[Text]:
    pools = [pool for pool in report.host.pools if pool.node is None]
    if not pools:
        return [ink.text(host_words.pool_parts(report.host)[0])]
    held = [_pool(ink, pool) for pool in pools if pool.total]
    empty = [human_bytes(pool.page_bytes) for pool in pools if not pool.total]
    return held + ([ink.text(f"{' and '.join(empty)} empty", "muted")] if empty else [])


def _pool(ink: Ink, pool: Pool) -> Text:
    """2 MiB [██▒░] 100 used, 20 reserved, 30 free: reserved pages are free ones that somebody has been promised."""
    used, reserved = pool.total - pool.free, pool.reserved or 0
    parts = [(used / pool.total, "hugetlb", "█"), (reserved / pool.total, "medium", "▒")]
    said = f" {count(used)} used, {count(pool.reserved)} reserved, {count(pool.free - reserved)} free"
    surplus = f", {count(pool.surplus)} surplus" if pool.surplus else ""
    return ink.join((human_bytes(pool.page_bytes), "strong"), " ", gauge(ink, parts), said + surplus)


def _available(report: Report) -> str:
    host = report.host
    return f"{human_bytes(host.memory_available_bytes)} of {human_bytes(host.memory_total_bytes)} available"


def _now(ink: Ink, tick: Tick, width: int) -> list[Text]:
    """khugepaged, faults, compaction and this program's own cost, from sample to sample."""
    pulses, newest = tick.pulses, tick.pulses[-1] if tick.pulses else Pulse(0, None, None, None, None, None)

    def curve(value: Callable[[Pulse], float | None]) -> Text:
        return ink.text(sparkline([value(pulse) for pulse in pulses], width), "good")

    return [
        ink.join(
            "khugepaged ",
            curve(lambda p: p.collapsed_per_s),
            f" {rate(newest.collapsed_per_s, UNKNOWN_SHORT)} collapsed",
        ),
        ink.text(
            f"fault fallback {percent(newest.fallback_share, 'none asked' if len(pulses) > 1 else UNKNOWN_SHORT)}"
        ),
        ink.join("CPU ", curve(lambda p: p.khugepaged_cpu), f" {percent(newest.khugepaged_cpu, UNKNOWN_SHORT)}"),
        ink.text(f"compaction stalls {rate(newest.stalls_per_s, UNKNOWN_SHORT)}"),
    ]


def cost(tick: Tick) -> str:
    """What observing costs, as a share of one CPU; of one sample, in seconds."""
    spent = tick.report.source.cost
    if spent.share_of_one_cpu is None:
        return f"sampling {spent.cpu_s:.2f} s CPU"
    return f"sampling {spent.share_of_one_cpu * 100:.1f} % CPU"


def gauge(ink: Ink, parts: Sequence[tuple[float, str, str]]) -> Text:
    """Shares of a whole, each with its own look and its own mark; what is more than nothing shows."""
    drawn, left = Text(), GAUGE
    for share, role, mark in parts:
        columns = min(max(round(share * GAUGE), 1 if share > 0 else 0), left)
        drawn.append_text(ink.text(mark * columns, role))
        left -= columns
    return drawn.append_text(ink.text("░" * left, "muted"))


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The newest values as a curve from nothing to the largest of them; unknown is a blank."""
    shown = list(values[-width:])
    most = max((value for value in shown if value is not None), default=0.0)
    marks = [
        " " if value is None else BLOCKS[0] if most <= 0 else BLOCKS[round(value / most * (len(BLOCKS) - 1))]
        for value in shown
    ]
    return "".join(marks).rjust(width)


def notices(report: Report) -> list[str]:
    """What the reader must know before believing the table: who could not be read, and what would help."""
    said = []
    denied = sum(
        process.memory.huge_coverage is None and process.memory.measured_by is None for process in report.processes
    )
    if report.source.privileged is False:
        seen = f"; of {plural(denied, 'process', 'processes')} the memory map may not be read" if denied else ""
        said.append(f"Not root{seen}. As root everything is seen.")
    if report.source.truncated:
        said.append("The recording was cut off; it is shown up to its last whole sample.")
    return said


def moment(tick: Tick) -> str:
    """Which sample this is, and of when."""
    of = f" of {count(tick.length)}" if tick.length is not None else ""
    when = tick.report.source.observed_at or UNKNOWN
    rules = "" if tick.model else SEPARATOR + "rules alone so far"
    return f"sample {count(tick.position)}{of}{SEPARATOR}{when}{SEPARATOR}{cost(tick)}{rules}"


def slider(position: int, length: int, width: int) -> str:
    """Where in the recording: a knob on a rail."""
    place = round((position - 1) / max(length - 1, 1) * (width - 1))
    return "─" * place + "●" + "─" * (width - 1 - place)


def place_on_slider(x: int, length: int, width: int) -> int:
    """The sample, from 1, under column x of a slider."""
    return 1 + round(min(max(x, 0), width - 1) / max(width - 1, 1) * (length - 1))
