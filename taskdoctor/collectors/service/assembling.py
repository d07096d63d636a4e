"""One watch as a Snapshot: events by time, the table of tasks, and what is known of the service and its machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from taskdoctor.collectors.service import grouping, readings, waits
from taskdoctor.collectors.service.channels import Channels
from taskdoctor.collectors.service.observed import Counters, LoopFacts, Watched
from taskdoctor.collectors.service.watching import Watch
from taskdoctor.model import Fact, Known, Service, Snapshot, Source

BEAT = "the event loop"
LOCAL_ONLY = "only where the service runs on this machine"
PROBE_LOOKS_S = 0.025
PROBE_FLOOR_S, STACKS_FLOOR_S = 0.08, 0.15  # what is shorter is missed, or is one look's chance
NO_EXECUTOR = "the default executor has not been used"
PROBE_ONLY = "needs the probe or the console"


@dataclass(frozen=True, slots=True)
class Table:
    """How the reader wants the tasks."""

    by: str = grouping.COROUTINE
    everything: bool = False
    only: str = ""


def snapshot(watch: Watch, channels: Channels, *, table: Table) -> Snapshot:
    """What was seen, unjudged."""
    watched, name = watch.watched, str(channels.port.address)
    events = [*readings.events(watched, source=name), *waits.events(watched, source=name)]
    looked = bool(watched.stacks or watched.pings or watched.facts)
    source = Source(
        name=name,
        bytes=channels.read_bytes,
        lines=0,
        formats=_looks(watched),
        resolution_s=_resolution_s(watched),
        first_s=watch.began_s,
        last_s=watch.ended_s,
        beats=(BEAT,) if looked else (),
        notes=(),
    )
    service = Service(
        address=name,
        facts=tuple(_facts(watched, channels)),
        groups=grouping.table(watched.tasks, watched.lives, by=table.by, everything=table.everything, only=table.only),
        tasks=watched.tasks[-1].count if watched.tasks else channels.greeted_tasks,
        blocked=readings.blocked(watched),
        gc_collections=_collections(watched.facts),
        gc_thresholds=next((f.gc_thresholds for f in reversed(watched.facts) if f.gc_thresholds), None),
        gc_frozen=next((f.gc_frozen for f in reversed(watched.facts) if f.gc_frozen is not None), None),
        notes=(_seen_through(watched, channels), *channels.notes, *watch.notes),
    )
    warnings = (f"the watch ended early: {watch.gone}",) if watch.gone else ()
    ordered = tuple(sorted(events, key=lambda event: event.at_s))
    return Snapshot(collector="attach", sources=(source,), events=ordered, warnings=warnings, service=service)


def _seen_through(watched: Watched, channels: Channels) -> str:
    """The ways in, and what is too short for them."""
    names = (*channels.names, *(("probe",) if watched.facts else ()))
    shortest_s = PROBE_FLOOR_S if watched.facts else STACKS_FLOOR_S
    told = f"seen through: {', '.join(names)}"
    return f"{told}; stalls of the loop from {shortest_s * 1000:.0f} ms up" if channels.port.session else told


def lags_s(watched: Watched, now_s: float, *, cells: int, cell_s: float) -> list[float]:
    """The worst lag of each of the last stretches: of the loop where its beats tell, else of the monitor's answers."""
    worst = [0.0] * cells
    beats = [(beat.at_s, beat.late_s) for beat in watched.beats]
    for at_s, late_s in beats or [(ping.at_s, ping.seconds) for ping in watched.pings[-40 * cells :]]:
        cell = cells - 1 - int((now_s - at_s) / cell_s)
        if 0 <= cell < cells:
            worst[cell] = max(worst[cell], late_s)
    return worst


def _looks(watched: Watched) -> tuple[tuple[str, int], ...]:
    """How often each channel was looked through."""
    counts = (
        ("stacks", len(watched.stacks)),
        ("task lists", len(watched.tasks)),
        ("process counters", len(watched.counters)),
        ("collections", len(watched.collections)),
        ("round trips", len(watched.round_trips)),
    )
    return tuple((name, count) for name, count in counts if count)


def _resolution_s(watched: Watched) -> float | None:
    """The typical time between two looks at the loop: what is shorter may be missed."""
    if watched.facts:
        return PROBE_LOOKS_S
    times = [ping.at_s for ping in watched.pings] or [sample.at_s for sample in watched.tasks]
    if len(times) < 2:
        return None
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    return max(0.001, round(steps[len(steps) // 2], 3))


def _collections(facts: Sequence[LoopFacts]) -> tuple[int, int, int] | None:
    """Collections by generation between the first and the last time that they were counted."""
    counted = [each.gc_collections for each in facts if each.gc_collections is not None]
    if len(counted) < 2:
        return None
    first, last = counted[0], counted[-1]
    return last[0] - first[0], last[1] - first[1], last[2] - first[2]


def _facts(watched: Watched, channels: Channels) -> Iterator[Fact]:
    """Each fact measured, inferred, or unavailable with the reason."""
    why = channels.target.why_not or LOCAL_ONLY
    if channels.target.pid is not None:
        yield Fact("pid", float(channels.target.pid))
    yield from _rates(watched.counters, why)
    last = _last(watched.counters)
    for name, unit, value in (
        ("memory", "bytes", lambda c: c.rss_bytes),
        ("descriptors", "", lambda c: c.descriptors),
        ("descriptor limit", "", lambda c: c.descriptor_limit),
        ("threads", "", lambda c: c.threads),
        ("children", "", lambda c: c.children),
    ):
        yield _fact(name, last(value), unit, why)
    yield from _told(watched.facts)


Pick = Callable[[Counters], float | int | None]


def _last(counters: Sequence[Counters]) -> Callable[[Pick], float | None]:
    def pick(value: Pick) -> float | None:
        found = next((found for each in reversed(counters) if (found := value(each)) is not None), None)
        return None if found is None else float(found)

    return pick


def _rates(counters: Sequence[Counters], why: str) -> Iterator[Fact]:
    """What rose between the first and the last reading, per second of the watch."""
    span_s = counters[-1].monotonic_s - counters[0].monotonic_s if len(counters) > 1 else 0.0
    rates: tuple[tuple[str, str, Pick], ...] = (
        ("process cpu", "share", lambda c: c.cpu_s),
        ("loop thread cpu", "share", lambda c: c.loop_cpu_s),
        ("run queue wait", "share", lambda c: c.run_queue_s),
        ("cgroup throttled", "share", lambda c: c.throttled_s),
        ("cpu pressure", "share", lambda c: c.cpu_pressure_s),
        ("memory pressure", "share", lambda c: c.memory_pressure_s),
        ("io pressure", "share", lambda c: c.io_pressure_s),
        ("major faults", "per second", lambda c: c.major_faults),
        ("involuntary switches", "per second", lambda c: c.involuntary_switches),
    )
    for name, unit, value in rates:
        known = [found for each in counters if (found := value(each)) is not None]
        risen = (known[-1] - known[0]) / span_s if len(known) > 1 and span_s > 0 else None
        yield _fact(name, risen, unit, why)


def _told(facts: Sequence[LoopFacts]) -> Iterator[Fact]:
    """What the service tells of itself."""
    last = facts[-1] if facts else LoopFacts(0.0)
    yield _fact("callbacks that are due", _number(last.ready), "", PROBE_ONLY)
    yield _fact("timers", _number(last.scheduled), "", PROBE_ONLY)
    why_not = NO_EXECUTOR if facts else PROBE_ONLY
    yield _fact("executor queue", _number(last.executor_queue), "", why_not)
    yield _fact("executor threads", _number(last.executor_threads), "", why_not)
    if last.python:
        yield Fact("python", None, known=Known.MEASURED, note=f"{last.python}, {last.loop_class}".rstrip(", "))
    if last.debug is not None:
        yield Fact("asyncio debug", float(last.debug))


def _number(value: int | None) -> float | None:
    return None if value is None else float(value)


def _fact(name: str, value: float | None, unit: str, why: str) -> Fact:
    if value is None:
        return Fact(name, None, unit, Known.UNAVAILABLE, why)
    return Fact(name, value, unit)
