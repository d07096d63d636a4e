"""The numbers below the verdict: operations, GC, tasks, connections, teardown, errors, sources, blind spots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich.text import Text

from taskdoctor.model import (
    Blind,
    Connections,
    ErrorLine,
    Finding,
    GcPause,
    GcSummary,
    Operation,
    SlowOperation,
    Source,
    TaskGroup,
    TaskSummary,
    Teardown,
    Verdict,
    Visibility,
)
from taskdoctor.renderers.screen.charts import histogram, sparkline
from taskdoctor.renderers.screen.glyphs import spell
from taskdoctor.renderers.screen.service import write_blocked, write_services
from taskdoctor.renderers.screen.sheet import BOLD, CODE, DIM, Sheet
from taskdoctor.renderers.words import counted, day, duration, moment, number, percent, size

SHORT_ROWS = 5  # rows of a list; all (bounded) with -v
LONG_ROWS = 40
CHART_CELLS = 40
SHORT_HOWS = 2


def write_sections(sheet: Sheet, verdict: Verdict, *, verbose: bool) -> None:
    """Each only when something was seen of it; what was read always."""
    report, rows = verdict.report, LONG_ROWS if verbose else SHORT_ROWS
    window = verdict.window
    dated = window is not None and day(window.start_s) != day(window.end_s)
    write_blocked(sheet, report.services, rows=rows, verbose=verbose, dated=dated)
    _operations(sheet, report.operations, verdict.findings, rows=rows, dated=dated)
    _gc(sheet, report.gc, rows=rows, dated=dated)
    _tasks(sheet, report.tasks, rows=rows)
    _connections(sheet, report.connections, rows=rows)
    _teardown(sheet, report.teardown)
    _errors(sheet, report.errors, rows=rows)
    write_services(sheet, report.services, verbose=verbose)
    _read(sheet, report.sources, report.warnings, rows=rows)
    _blind(sheet, verdict.blind, verbose=verbose)


def _operations(
    sheet: Sheet, operations: Sequence[Operation], findings: Sequence[Finding], *, rows: int, dated: bool
) -> None:
    if not operations:
        return
    sheet.heading("Operations", "each against its own normal")
    for at, operation in enumerate(operations[:rows]):
        if at:
            sheet.blank()
        _operation(sheet, operation, findings[0].cause if findings else "", rows=rows, dated=dated)
    _left_out(sheet, len(operations) - rows)


def _operation(sheet: Sheet, operation: Operation, top_cause: str, *, rows: int, dated: bool) -> None:
    name = sheet.text(operation.name, BOLD, 60).append("  ").append(number(operation.count))
    sheet.write(name.append(" (from a sample)" if operation.sampled else "", DIM), indent=1, hang=2)
    times = (
        ("normal", operation.normal_s),
        ("p50", operation.p50_s),
        ("p95", operation.p95_s),
        ("max", operation.max_s),
    )
    sheet.write(sheet.join([sheet.chip(f"{label} {duration(seconds)}") for label, seconds in times]), indent=3)
    _histogram(sheet, operation)
    if operation.p95_without_s is not None and top_cause:
        sheet.write(sheet.text(_without(operation, top_cause)), indent=3)
    if operation.slow:
        sheet.write(sheet.text("slowest", DIM), indent=3)
    for slow in operation.slow[:rows]:
        _slow(sheet, slow, dated=dated)


def _without(operation: Operation, cause: str) -> str:
    words = f"without {cause}: p95 {duration(operation.p95_s)} → {duration(operation.p95_without_s or 0.0)}"
    if operation.p50_without_s is None:
        return words
    return f"{words}, p50 {duration(operation.p50_s)} → {duration(operation.p50_without_s)}"


def _histogram(sheet: Sheet, operation: Operation) -> None:
    bins = operation.histogram
    if not any(count for *_, count in bins):
        return
    first, last = f"{duration(bins[0][0])} ", f" {duration(bins[-1][1])}"
    signs = histogram(bins, min(CHART_CELLS, sheet.width - 4 - len(first) - len(last)), sheet.glyphs)
    line = (
        sheet.drawing(spell(first, sheet.glyphs), DIM)
        .append_text(Text(signs, style=CODE))
        .append_text(sheet.drawing(spell(last, sheet.glyphs), DIM))
    )
    sheet.write(line, indent=3)


def _slow(sheet: Sheet, slow: SlowOperation, *, dated: bool) -> None:
    owners = ", ".join(f"{name} {duration(seconds)}" for name, seconds in slow.owners)
    head = [
        _at(sheet, slow.at_s, slow.seconds, dated=dated),
        sheet.text(str(slow.place), DIM, 120),
        sheet.text(slow.label, limit=80) if slow.label else None,
        sheet.text(owners) if owners else None,
    ]
    sheet.write(sheet.join(head), indent=5, hang=2)
    if slow.subparts:
        parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in slow.subparts)
        sheet.write(sheet.text(f"of it: {parts}", DIM), indent=7)


def _at(sheet: Sheet, at_s: float, seconds: float, *, dated: bool) -> Text:
    """When, and how long: what makes a row of a list."""
    when = sheet.drawing(f"{moment(at_s, dated=dated)}  ", DIM)
    return when.append_text(sheet.drawing(spell(duration(seconds), sheet.glyphs), BOLD))


def _gc(sheet: Sheet, gc: GcSummary | None, *, rows: int, dated: bool) -> None:
    if gc is None:
        return
    sheet.heading("Garbage collector", _trend(gc.growing, "pauses grow longer", "pauses keep their length"))
    by_generation = [f"{number(count)} of generation {at}" for at, count in enumerate(gc.collections)]
    sheet.labelled("ran", sheet.join(map(sheet.chip, by_generation)), indent=1)
    times = [f"p50 {duration(gc.p50_s)}", f"p95 {duration(gc.p95_s)}", f"max {duration(gc.max_s)}"]
    sheet.labelled("pauses", sheet.join(map(sheet.chip, times)), indent=1)
    total = f"{duration(gc.total_s)} in all, {percent(gc.stalled_share)} of the stalled time"
    sheet.labelled("", sheet.text(total), indent=1)
    if gc.thresholds is not None:
        frozen = f", {number(gc.frozen)} objects frozen" if gc.frozen is not None else ""
        sheet.labelled("threshold", sheet.text(", ".join(map(number, gc.thresholds)) + frozen), indent=1)
    if gc.pauses:
        sheet.write(sheet.text("longest", DIM), indent=1)
    for pause in gc.pauses[:rows]:
        sheet.write(_pause(sheet, pause, dated=dated), indent=3, hang=2)


def _pause(sheet: Sheet, pause: GcPause, *, dated: bool) -> Text:
    explicit = {None: "", True: "explicit gc.collect()", False: "automatic"}[pause.explicit]
    return sheet.join(
        [
            _at(sheet, pause.at_s, pause.seconds, dated=dated),
            None if pause.generation is None else sheet.chip(f"generation {pause.generation}"),
            None if pause.collected is None else sheet.chip(f"{number(pause.collected)} collected"),
            sheet.chip(explicit) if explicit else None,
            None if pause.place is None else sheet.text(str(pause.place), DIM, 120),
        ]
    )


def _trend(growing: bool | None, yes: str, no: str) -> str:
    return "too few to tell a trend" if growing is None else yes if growing else no


def _tasks(sheet: Sheet, tasks: TaskSummary | None, *, rows: int) -> None:
    if tasks is None:
        return
    sheet.heading("Tasks", _trend(tasks.growing, "growing", "stable"))
    facts = [
        sheet.chip(f"{number(tasks.count)} last seen"),
        _if_any(sheet, tasks.abnormal, "called abnormal by the service"),
        _if_any(sheet, tasks.lost, "lost (destroyed while pending, or failed unseen)"),
        _if_any(sheet, tasks.fire_and_forget, "fire-and-forget sends"),
    ]
    sheet.write(sheet.join(facts), indent=1)
    _over_time(sheet, tasks.over_time, indent=1)
    table = [_group(sheet, group) for group in tasks.groups[:rows]]
    sheet.table(table, indent=3)
    _left_out(sheet, len(tasks.groups) - rows)


def _if_any(sheet: Sheet, count: int, words: str) -> Text | None:
    return sheet.text(f"{number(count)} {words}") if count else None


def _over_time(sheet: Sheet, series: Sequence[tuple[float, int]], *, indent: int) -> None:
    if len(series) < 2:
        return
    counts = [count for _, count in series]
    first, last = f"{number(counts[0])} ", f" {number(counts[-1])}"
    signs = sparkline(series, min(CHART_CELLS, sheet.width - indent - len(first) - len(last)), sheet.glyphs)
    line = sheet.drawing(first, DIM).append_text(Text(signs, style=CODE)).append_text(sheet.drawing(last, DIM))
    sheet.write(line.append(f"  (lowest {number(min(counts))}, highest {number(max(counts))})", DIM), indent=indent)


def _group(sheet: Sheet, group: TaskGroup) -> list[Text]:
    change = f" ({group.change:+,})" if group.change else ""
    rest = [
        sheet.chip(group.kind, DIM),
        sheet.text(group.site, DIM, 120) if group.site else None,
        sheet.text(f"waits at {group.waiting_at}", DIM, 140) if group.waiting_at else None,
        sheet.chip(f"oldest {duration(group.oldest_s)}", DIM) if group.oldest_s is not None else None,
    ]
    return [sheet.chip(number(group.count) + change), sheet.chip(group.coroutine, limit=40), sheet.join(rest)]


def _connections(sheet: Sheet, connections: Sequence[Connections], *, rows: int) -> None:
    if not connections:
        return
    sheet.heading("Sessions and connections")
    for kind in connections[:rows]:
        left = sheet.chip(f"{number(kind.left)} left open", BOLD if kind.left else "")
        counts = [sheet.chip(f"{number(kind.opened)} opened"), sheet.chip(f"{number(kind.closed)} closed"), left]
        sheet.write(sheet.text(kind.name, BOLD, 60).append("  ").append_text(sheet.join(counts)), indent=1)
        _over_time(sheet, kind.over_time, indent=3)
    _left_out(sheet, len(connections) - rows)


def _teardown(sheet: Sheet, teardown: Teardown | None) -> None:
    if teardown is None:
        return
    sheet.heading("Teardown", "closing sessions and connections")
    facts = [f"{number(teardown.count)} seen", f"p50 {duration(teardown.p50_s)}", f"max {duration(teardown.max_s)}"]
    unfinished = sheet.chip(f"{number(teardown.unfinished)} never finished", BOLD) if teardown.unfinished else None
    sheet.write(sheet.join([*map(sheet.chip, facts), unfinished]), indent=1)


def _errors(sheet: Sheet, errors: Sequence[ErrorLine], *, rows: int) -> None:
    if not errors:
        return
    sheet.heading("Errors that matter")
    shown = errors[:rows]
    counts = [sheet.chip(f"{number(error.count)} x") for error in shown]
    widest = max(count.cell_len for count in counts)
    for error, count in zip(shown, counts, strict=True):
        body = sheet.text(error.text, limit=240).append(" ").append_text(sheet.aside(str(error.place)))
        sheet.write(body, indent=1, hang=widest + 2, lead=count)
    _left_out(sheet, len(errors) - rows)


def _read(sheet: Sheet, sources: Sequence[Source], warnings: Sequence[str], *, rows: int) -> None:
    sheet.heading("What was read")
    if not sources:
        sheet.write(sheet.text("nothing"), indent=1)
    for source in sources[:rows]:
        sheet.write(sheet.text(source.name, BOLD, 160), indent=1, hang=2)
        sheet.write(_source(sheet, source), indent=3)
        for note in source.notes[:rows]:
            _bullet(sheet, note, indent=3)
    _left_out(sheet, len(sources) - rows)
    for warning in warnings[:rows]:
        _bullet(sheet, warning, indent=1)
    _left_out(sheet, len(warnings) - rows)


def _source(sheet: Sheet, source: Source) -> Text:
    total = sum(count for _, count in source.formats)
    formats = ", ".join(f"{name} {percent(count / total)}" for name, count in source.formats[:4] if total)
    resolution = "no time stamps" if source.resolution_s is None else f"stamps to {_exact(source.resolution_s)}"
    return sheet.join(
        [
            sheet.chip(counted(source.lines, "line")) if source.lines else None,
            sheet.chip(size(source.bytes)),
            sheet.text(formats, limit=160) if formats else None,
            sheet.chip(f"{percent(source.unparsed_share)} without a known prefix") if source.unparsed_share else None,
            sheet.chip(resolution),
            sheet.chip(counted(len(source.workers), "worker")) if len(source.workers) > 1 else None,
        ]
    )


def _exact(seconds: float) -> str:
    """A resolution is a round number: `1 ms`, `1 s`."""
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 0.9995:
            return f"{seconds * scale:.3g} {unit}"
    return duration(seconds)


def _bullet(sheet: Sheet, words: str, *, indent: int) -> None:
    sheet.write(sheet.text(words, DIM), indent=indent, hang=2, lead=Text(sheet.glyphs.bullet, style=DIM))


def _left_out(sheet: Sheet, count: int) -> None:
    if count > 0:
        sheet.write(sheet.text(f"and {number(count)} more", DIM), indent=3)


def _blind(sheet: Sheet, blind: Sequence[Blind], *, verbose: bool) -> None:
    if not blind:
        return
    sheet.heading("Blind spots", "not seen here is not the same as not there")
    write: Callable[[Sheet, Sequence[Blind]], None] = _blind_full if verbose else _blind_short
    write(sheet, blind)


def _blind_short(sheet: Sheet, blind: Sequence[Blind]) -> None:
    """Names, and the commands that would show most of them, each once."""
    for label, degree in (("not seen", Visibility.BLIND), ("in part", Visibility.PARTLY)):
        names = [sheet.chip(spot.cause) for spot in blind if spot.visibility is degree]
        if names:
            sheet.labelled(label, Text(", ").join(names), indent=1)
    for at, how in enumerate(_most_telling(blind)):
        sheet.labelled("" if at else "to see", sheet.text(how, limit=160), indent=1)
    sheet.labelled("", sheet.text("-v says for each why, and what would show it", DIM), indent=1)


def _most_telling(blind: Sequence[Blind]) -> list[str]:
    """`how` by the number of causes that it would show."""
    hows = Counter(spot.how for spot in blind if spot.how)
    return [how for how, _ in hows.most_common(SHORT_HOWS)]


def _blind_full(sheet: Sheet, blind: Sequence[Blind]) -> None:
    for spot in blind:
        degree = "" if spot.visibility is Visibility.BLIND else f" ({spot.visibility.value} seen)"
        sheet.write(sheet.chip(spot.cause, BOLD).append(degree, DIM), indent=1)
        if spot.why:
            sheet.write(sheet.text(spot.why), indent=3)
        if spot.how:
            sheet.labelled("to see", sheet.text(spot.how), indent=3)
