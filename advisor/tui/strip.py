"""The host strip: what huge pages do on this host, in a few lines of any width. Pure functions of a tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from advisor.render import host_words
from advisor.render.numbers import UNKNOWN, UNKNOWN_SHORT, count, human_bytes, percent, plural, rate
from advisor.report.document import Report
from advisor.report.host import Pool
from advisor.tui.drawing import Part, fitted, gauge, sparkline
from advisor.tui.ink import Ink
from advisor.watch.frames import Pulse, Recording, Tick

LABEL = 8
"""Columns of the labels."""

SHORTEST_CURVE, LONGEST_CURVE = 8, 60
"""Columns of a curve: at least 16 seconds at two, at most the two minutes that rates are of."""

CURVES_BESIDE = 54
"""Columns of the line with two curves that are no curve."""


def lines(ink: Ink, tick: Tick, width: int) -> list[Text]:
    """The host, THP, pools and supply, memory, khugepaged now, faults now, the plan: each in one line."""
    report, curve = tick.report, min(max((width - CURVES_BESIDE) // 2, SHORTEST_CURVE), LONGEST_CURVE)
    rows = (
        ("Host", _machine(ink, report)),
        ("THP", _thp(ink, report)),
        ("Pools", _pools(ink, report)),
        ("Memory", _memory(ink, tick, curve)),
        ("Now", _khugepaged(ink, tick, curve)),
        ("Faults", _faults(ink, tick, curve)),
    )
    said = [fitted(ink, ink.text(label.ljust(LABEL), "muted"), *parts, width) for label, parts in rows]
    summary = ink.join(("Plan".ljust(LABEL), "muted"), (report.plan.summary, "strong"))
    summary.truncate(width, overflow="ellipsis")
    return [*said, summary]


Parts = tuple[Sequence[Part], Sequence[Part]]
"""What a line must say, and what it says where there is room."""


def _machine(ink: Ink, report: Report) -> Parts:
    name = ink.text(report.host.hostname or "unnamed host", "strong")
    return [name], [ink.text(part) for part in host_words.machine_parts(report.host)]


def _thp(ink: Ink, report: Report) -> Parts:
    """Switches, and how much of anonymous memory is on huge pages: the sum over the processes that were read."""
    totals, thp = report.totals, report.host.thp
    switches = host_words.thp_parts(report.host)
    if thp.enabled is None and thp.pmd_bytes is None:
        return [ink.text(switches[0])], []
    share = totals.anon_huge_bytes / totals.anon_bytes if totals.anon_bytes else None
    unknown = totals.unknown.get("anon_huge_bytes", 0)
    drawn = gauge(ink, [(share or 0, "pmd-anon", "█")])
    said = f"{percent(share, UNKNOWN_SHORT)} of {human_bytes(totals.anon_bytes)}"
    some = f", {count(unknown)} unknown" if unknown else ""
    huge = [
        ink.join("huge ", drawn, f" {said} anonymous{some}"),
        ink.join("huge ", drawn, f" {said} anon{some}"),
        ink.text(f"huge {said} anon{some}"),
    ]
    mode = ink.text(switches[0].removeprefix("enabled "), "strong")
    return [mode, ink.text(switches[1]), huge], [*map(ink.text, switches[3:5])]


def _pools(ink: Ink, report: Report) -> Parts:
    """What the pools hold, and what could be handed out besides."""
    pools = [pool for pool in report.host.pools if pool.node is None]
    if not pools:
        return [ink.text(host_words.pool_parts(report.host)[0])], []
    held: list[Part] = [_pool(ink, pool) for pool in pools if pool.total]
    empty = [human_bytes(pool.page_bytes) for pool in pools if not pool.total]
    none = [ink.text(f"{' and '.join(empty)} empty", "muted")] if empty else []
    now, *at_boot = _supply(ink, report) or [ink.text("supply unknown")]
    return ([*held, now], [*none, *at_boot]) if held else ([*none, now], at_boot)


def _pool(ink: Ink, pool: Pool) -> list[Text]:
    """2 MiB [██▒░] 100 used, 20 reserved, 30 free: reserved pages are free ones that somebody has been promised."""
    used, reserved = pool.total - pool.free, pool.reserved or 0
    parts = [(used / pool.total, "hugetlb", "█"), (reserved / pool.total, "medium", "▒")]
    size, drawn = (human_bytes(pool.page_bytes), "strong"), gauge(ink, parts)
    surplus = f", {count(pool.surplus)} surplus" if pool.surplus else ""
    free = count(pool.free - reserved)
    said = f" {count(used)} used, {count(pool.reserved)} reserved, {free} free{surplus}"
    return [ink.join(size, " ", drawn, said), ink.join(size, " ", drawn, f" {free} free of {count(pool.total)}")]


def _supply(ink: Ink, report: Report) -> list[Part]:
    """Pages to be had now, of all sizes or of the smallest alone; then those at boot, where that is all there is."""
    now, *at_boot = host_words.supply_parts(report.host) or [""]
    smallest = now.removesuffix(" now").removesuffix(" to be had").partition(" or ")[0]
    shorter = [f"{smallest} to be had", f"{smallest.partition(' of ')[0]} to be had"] if "to be had" in now else []
    return [[ink.text(said) for said in (now, *shorter)], *map(ink.text, at_boot)] if now else []


def _memory(ink: Ink, tick: Tick, width: int) -> Parts:
    host = tick.report.host
    total, index = host.memory_total_bytes, host.unusable_index
    levels = [pulse.available_bytes for pulse in tick.pulses]
    said = f"{human_bytes(host.memory_available_bytes)} of {human_bytes(total)} available"
    available = ink.join(f"{said} ", (sparkline(levels, width, total), "good"))
    return (
        [[available, ink.text(said)], ink.text(f"fragmentation {percent(index, UNKNOWN_SHORT)}")],
        [ink.text(part) for part in reversed(host_words.memory_parts(host)[2:4])],
    )


def _khugepaged(ink: Ink, tick: Tick, width: int) -> Parts:
    """What khugepaged makes and takes, from sample to sample."""
    newest = _newest(tick)
    collapsed, cpu = rate(newest.collapsed_per_s, UNKNOWN_SHORT), percent(newest.khugepaged_cpu, UNKNOWN_SHORT)
    pass_s = host_words.khugepaged_pass(tick.report.host)
    return (
        [
            _with_curve(ink, "khugepaged", tick, lambda p: p.collapsed_per_s, width, f"{collapsed} collapsed"),
            _with_curve(ink, "CPU", tick, lambda p: p.khugepaged_cpu, width, cpu),
        ],
        [ink.text(pass_s)] if pass_s else [],
    )


def _faults(ink: Ink, tick: Tick, width: int) -> Parts:
    """Faults that did not get the huge page that they asked for, and allocations that waited for compaction."""
    newest = _newest(tick)
    nobody = "none asked" if len(tick.pulses) > 1 else UNKNOWN_SHORT
    boot = tick.report.host.thp.fault_fallback_share_since_boot
    fallback = f"fault fallback {percent(newest.fallback_share, nobody)}"
    since = f"{fallback}, since boot {percent(boot)}" if boot is not None else fallback
    stalls = rate(newest.stalls_per_s, UNKNOWN_SHORT)
    return (
        [
            _with_curve(ink, "compaction stalls", tick, lambda p: p.stalls_per_s, width, stalls),
            [ink.text(since), ink.text(fallback)],
        ],
        [],
    )


def _newest(tick: Tick) -> Pulse:
    return tick.pulses[-1] if tick.pulses else Pulse(0, None, None, None, None, None)


def _with_curve(
    ink: Ink, label: str, tick: Tick, value: Callable[[Pulse], float | None], width: int, said: str
) -> list[Text]:
    """What it does over time and now; where there is little room, now alone."""
    curve = sparkline([value(pulse) for pulse in tick.pulses], width)
    return [ink.join(f"{label} ", (curve, "good"), f" {said}"), ink.text(f"{label} {said}")]


def top(
    ink: Ink, title: str, tick: Tick, recording: Recording | None, width: int, *, held: bool, asked: str = ""
) -> Text:
    """Which sample this is and of when, what is recorded, what watching costs; that it is no advice alone."""
    of = f" of {count(tick.length)}" if tick.length is not None else ""
    needed: list[Part] = [ink.text(f"sample {count(tick.position)}{of}", "muted")]
    if held:
        needed.insert(0, ink.text("held: space goes on", "medium"))
    if recording is not None and not (recording.is_over and recording.problem is None):
        needed.insert(0, [ink.text(said, "high") for said in recorded(recording)])
    if asked:
        needed.insert(0, ink.text(asked, "medium"))
    more: list[Part] = [ink.text(tick.report.source.observed_at or UNKNOWN, "muted")]
    if not tick.model:
        more.insert(0, ink.text("rules alone so far", "muted"))
    costs: list[Part] = [[ink.text(said, "muted") for said in cost(tick)]]
    few = [] if recording is not None or held or asked else costs
    return fitted(ink, ink.text(f"{title}  ", "heading"), [*needed, *few], [*([] if few else costs), *more], width)


def recorded(recording: Recording) -> list[str]:
    """What has been written so far, or why it ended; the longest way to say it first."""
    name = recording.path.rpartition("/")[2]
    if recording.problem is not None:
        return [f"recording {name} ended: {recording.problem}", f"recording ended: {recording.problem}"]
    samples = plural(recording.samples, "sample")
    size = f"{samples}, {human_bytes(recording.bytes)}"
    return [f"recording {name}, {size}", f"recording, {size}", f"recording, {samples}"]


def cost(tick: Tick) -> list[str]:
    """CPU of the process that watches, as a share of one CPU over the last samples; of a recording, what sampling
    cost then."""
    spent = tick.report.source.cost
    if spent.share_of_one_cpu is None:
        return [f"sampling {spent.cpu_s:.2f} s CPU"]
    sampling = f"{spent.share_of_one_cpu * 100:.1f} %"
    if tick.watch_share is None:
        return [f"sampling {sampling} CPU"]
    advising = max(tick.watch_share - spent.share_of_one_cpu, 0.0)
    return [
        f"cost {tick.watch_share * 100:.1f} % CPU: sampling {sampling}, advising {advising * 100:.1f} %",
        f"sampling {sampling}, advising {advising * 100:.1f} % CPU",
        f"cost {tick.watch_share * 100:.1f} % CPU",
    ]


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
