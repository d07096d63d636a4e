"""What a process table alone says, and which sessions of a log its processes belong to.

Why apart: a table is one moment. It proves that something was left behind, and how much that takes; whether anything
was late because of it, only a log or a live service can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from taskdoctor.model import (
    Event,
    Lane,
    ProcessClass,
    Processes,
    ProcessTree,
    Sign,
    Status,
    Timeline,
    Unclosed,
    Verdict,
)

BEFORE_S, AFTER_S = 2.0, 30.0  # how long around an opening line its servers start: npx and uvx may download first
MOST = 20
LEFT = (ProcessClass.ORPHAN, ProcessClass.SUSPECT, ProcessClass.HELPER)
STARTED = (*LEFT, ProcessClass.RETAINED, ProcessClass.LIVE, ProcessClass.UNKNOWN)


def of(processes: Processes, *kinds: ProcessClass) -> tuple[ProcessTree, ...]:
    """The trees of these classes, in their order."""
    return tuple(tree for tree in processes.trees if tree.kind in kinds)


def judged(verdict: Verdict) -> Verdict:
    """The verdict on a process table alone: orphans found, none, or something that is not proven."""
    processes = verdict.report.processes
    if processes is None:
        return verdict
    orphans = of(processes, ProcessClass.ORPHAN)
    doubtful = of(processes, ProcessClass.SUSPECT, ProcessClass.HELPER)
    unknown = of(processes, ProcessClass.UNKNOWN)
    if orphans:
        return replace(
            verdict, status=Status.STALLS_FOUND, summary=found(orphans), next_steps=("taskdoctor procs --clean",)
        )
    if doubtful or unknown:
        steps = () if processes.proven else ("taskdoctor procs",)
        return replace(
            verdict, status=Status.INSUFFICIENT, summary=_doubts(doubtful, unknown, processes), next_steps=steps
        )
    return replace(verdict, status=Status.HEALTHY, summary=_none(processes), next_steps=())


def found(orphans: Sequence[ProcessTree]) -> str:
    """`3 MCP servers are orphans: 214 MB and 1.0 cores to win back.`"""
    count = len(orphans)
    servers = f"{count} MCP server{'s are orphans' if count != 1 else ' is an orphan'}"
    won = megabytes(sum(tree.harm.rss_bytes for tree in orphans))
    cpu = sum(tree.harm.cpu_share for tree in orphans)
    cores = f" and {cpu:.1f} of a core" if cpu >= 0.05 else ""
    return f"{servers}: {won}{cores} to win back."


def megabytes(count_bytes: int) -> str:
    return f"{count_bytes / 1e9:.1f} GB" if count_bytes >= 1e9 else f"{count_bytes / 1e6:.0f} MB"


def _doubts(doubtful: Sequence[ProcessTree], unknown: Sequence[ProcessTree], processes: Processes) -> str:
    parts = []
    for kind, one, many in (
        (ProcessClass.SUSPECT, "suspect", "suspects"),
        (ProcessClass.HELPER, "helper of a dead server", "helpers of dead servers"),
    ):
        count = sum(tree.kind is kind for tree in doubtful)
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
    if unknown:
        parts.append(f"{len(unknown)} that could not be told")
    how = "" if processes.proven else " in one look, which proves nothing"
    return f"no orphan is proven{how}; {' and '.join(parts)} to look at."


def _none(processes: Processes) -> str:
    count = sum(tree.kind in (ProcessClass.LIVE, ProcessClass.RETAINED) for tree in processes.trees)
    servers = f"{count} MCP server{'s' if count != 1 else ''}" if count else "no MCP server"
    return f"nothing is left behind: {servers} among {processes.scanned:,} processes" + (
        ", all with a living client." if count else "."
    )


def joined(timeline: Timeline) -> tuple[Processes | None, tuple[Unclosed, ...]]:
    """The processes with what the log knows of their sessions: closed there, and yet alive here, is retained."""
    processes = timeline.processes
    if processes is None:
        return None, ()
    trees = of(processes, *STARTED)
    if processes.service is not None:  # of the living, only its own
        service = processes.service.pid
        trees = tuple(tree for tree in trees if tree.kind in LEFT or service in tree.root.parents)
    offset_s = _offset_s(timeline, processes, trees)
    active = list(_still_active(timeline, trees, offset_s))
    matches = [*active, *_never_closed(timeline, trees, offset_s), *_named(timeline, processes)]
    told = {pid: one for one in active for pid in one.pids}
    kept = tuple(_retained(tree, told.get(tree.root.pid)) for tree in processes.trees)
    return replace(processes, trees=kept), tuple(matches[:MOST])


def _retained(tree: ProcessTree, told: Unclosed | None) -> ProcessTree:
    """A living server whose session the log has closed."""
    if told is None or tree.kind is not ProcessClass.LIVE:
        return tree
    sign = Sign(
        "the log closed its session, and it lives on", str(told.place), f"sed -n {told.place.line}p {told.place.source}"
    )
    return replace(tree, kind=ProcessClass.RETAINED, signs=(*tree.signs, sign))


def offset_s(timeline: Timeline) -> float:
    """How far the clock of the log is ahead of that of the process table."""
    seen = timeline.processes
    return _offset_s(timeline, seen, of(seen, *STARTED)) if seen is not None else 0.0


def _offset_s(timeline: Timeline, processes: Processes, trees: Sequence[ProcessTree]) -> float:
    """A log without a zone is in the machine's own: the offset that its sessions fit under."""
    marks = [event.at_s for event in _openings(timeline)]

    def hits(offset_s: float) -> int:
        return sum(_starts_near(tree, at_s - offset_s) for tree in trees for at_s in marks)

    def distance_s(offset_s: float) -> float:
        return abs(processes.at_s - (timeline.window.end_s - offset_s))

    return max((0.0, processes.utc_offset_s), key=lambda offset_s: (hits(offset_s), -distance_s(offset_s)))


def _openings(timeline: Timeline) -> list[Event]:
    left = [event for events in timeline.opens.values() for event in events if event.lane is Lane.CHILDREN]
    closed = [span for span in timeline.spans.get(Lane.CHILDREN, ()) if span.seconds]
    opened = [replace(span, at_s=span.start_s, seconds=None) for span in closed]
    return sorted((*left, *opened), key=lambda event: event.at_s)


def _starts_near(tree: ProcessTree, at_s: float) -> bool:
    return -BEFORE_S <= tree.root.started_s - at_s <= AFTER_S


def _never_closed(timeline: Timeline, trees: Sequence[ProcessTree], offset_s: float) -> Iterator[Unclosed]:
    """Each opening without its closing, beyond the sessions still open, and the servers that started with it."""
    clients = [event for events in timeline.opens.values() for event in events if event.lane is Lane.CHILDREN]
    sessions = [event for events in timeline.opens.values() for event in events if event.lane is Lane.SESSIONS]
    taken: set[int] = set()
    for event in sorted(clients, key=lambda one: one.at_s)[: max(0, len(clients) - len(sessions))]:
        near = [t for t in trees if t.root.pid not in taken and _starts_near(t, event.at_s - offset_s)]
        if near:
            taken |= {tree.root.pid for tree in near}
            yield Unclosed(
                f"{event.label or event.kind} opened and never closed: {_still_there(near)}", event.place, _pids(near)
            )


def _still_active(timeline: Timeline, trees: Sequence[ProcessTree], offset_s: float) -> Iterator[Unclosed]:
    """`Closing MCPClient... and 4 active connections`: of the servers it had, those still there."""
    taken: set[int] = set()
    for event in sorted(timeline.levels.get(Lane.CHILDREN, ()), key=lambda one: one.at_s):
        count = int(event.value or 0)
        if count <= 0 or "at-close" not in event.kind:
            continue
        at_s = event.at_s - offset_s
        started = [t for t in trees if t.root.started_s <= at_s + BEFORE_S and t.root.pid not in taken]
        opened_s = _opened_s(timeline, event)
        if opened_s is not None:
            started = [tree for tree in started if _starts_near(tree, opened_s - offset_s)]
        # Its own before what may be others', orphans before the living, the oldest first: so are sessions closed.
        mine = sorted(started, key=lambda t: (not _is_own(t, timeline), t.kind not in LEFT, t.root.started_s))[:count]
        if mine:
            taken |= {tree.root.pid for tree in mine}
            yield Unclosed(f"closed with {count} active connections: {_still_there(mine)}", event.place, _pids(mine))


def _is_own(tree: ProcessTree, timeline: Timeline) -> bool:
    """Whether it stands below the service under diagnosis; true of all where none was named."""
    service = timeline.processes.service if timeline.processes is not None else None
    return service is None or service.pid in tree.root.parents


def _opened_s(timeline: Timeline, closing: Event) -> float | None:
    """When the client that is closed here had been opened, where the log tells."""
    spans = [e for e in timeline.spans.get(Lane.CHILDREN, ()) if e.start_s <= closing.at_s <= e.end_s + AFTER_S]
    left = [
        e for events in timeline.opens.values() for e in events if e.lane is Lane.CHILDREN and e.at_s <= closing.at_s
    ]
    nearest = min(spans, key=lambda span: abs(span.end_s - closing.at_s), default=None)
    if nearest is not None:
        return nearest.start_s
    return left[0].at_s if len(left) == 1 else None


def _named(timeline: Timeline, processes: Processes) -> Iterator[Unclosed]:
    """Lines that name the number of a process which is still there."""
    known = {process.pid: tree for tree in of(processes, *LEFT) for process in tree.processes}
    for event in timeline.marks.get(Lane.CHILDREN, ()):
        tree = known.get(int(event.key)) if event.key.isdecimal() else None
        if tree is not None:
            yield Unclosed(f"the log gave up pid {event.key}: {_still_there([tree])}", event.place, _pids([tree]))


def _pids(trees: Sequence[ProcessTree]) -> tuple[int, ...]:
    return tuple(tree.root.pid for tree in trees)


def _still_there(trees: Sequence[ProcessTree]) -> str:
    """`2 servers that started before are still there: pid 17 (time, orphan), pid 18 (fetch, orphan)`"""
    listed = ", ".join(f"pid {tree.root.pid} ({tree.label}, {tree.kind})" for tree in trees[:6])
    more = f" and {len(trees) - 6} more" if len(trees) > 6 else ""
    return f"{len(trees)} server{'s' if len(trees) != 1 else ''} of that time still there: {listed}{more}"
