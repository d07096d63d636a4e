"""What the process table shows of leftovers, as risks and claims: proven ones, and what they take of what was short.

Why so little is claimed: an idle leftover is untidy, not guilty. It owns a wait for a lock that it holds itself, and of
a shortage of CPU or memory that was measured the part that it took: the rest stays with the shortage, whose head it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from taskdoctor.causes import cpu_starvation, memory_pressure
from taskdoctor.causes._prevention import KEPT_OPEN, fix_for
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.diagnosis.leftovers import offset_s
from taskdoctor.model import (
    Cause,
    Claim,
    Event,
    Evidence,
    Fix,
    Grade,
    Lane,
    ProcessClass,
    Processes,
    ProcessTree,
    Risk,
    Severity,
    Timeline,
)

MUCH_MEMORY_SHARE = 0.1  # of the machine: from here on it can be what was short
SOME_BYTES = 300_000_000
MUCH_CPU = 0.5  # of one core
SHOWN = 4
AT_WORK = 0.05  # of a core
BUSY = 0.2  # of a core: on a full machine one that spins gets no more than its share
MOST_PART, LEAST_PART = 0.9, 0.25  # of a shortage: never all of it; with less they only add to it
LOCK_TIMEOUT_S = 5.0  # how long SQLite's own driver for Python waits before it gives up
_DATABASE_WORDS = ("database", "sqlite", "locked")


def risks(timeline: Timeline, cause: Cause) -> tuple[Risk, ...]:
    """One risk for each way in which orphans were started, one for copies that a living client keeps."""
    seen = timeline.processes
    if seen is None:
        return ()
    left = [tree for tree in seen.trees if tree.kind in (ProcessClass.ORPHAN, ProcessClass.HELPER)]
    by_launch: dict[str, list[ProcessTree]] = {}
    for tree in left:
        by_launch.setdefault(tree.launch, []).append(tree)
    found = [_risk(same, seen, cause, fix_for(launch)) for launch, same in sorted(by_launch.items())]
    kept = [tree for tree in seen.trees if tree.kind is ProcessClass.RETAINED]
    return (*found, _retained(kept, cause)) if kept else tuple(found)


def claims(timeline: Timeline, cause: str) -> tuple[Claim, ...]:
    """What proven orphans own: waits for what they lock, and their part of a shortage of CPU or of memory."""
    seen = timeline.processes
    orphans = _orphans(seen) if seen is not None else []
    if seen is None or not orphans:
        return ()
    ahead_s = offset_s(timeline)
    return (
        *_locking(timeline, orphans, cause, ahead_s),
        *_starving(timeline, seen, orphans, cause, ahead_s),
        *_filling(timeline, seen, orphans, cause, ahead_s),
    )


def pids(timeline: Timeline) -> set[str]:
    """Of what is left in the process table, or kept beyond what is needed."""
    kinds = (ProcessClass.ORPHAN, ProcessClass.HELPER, ProcessClass.RETAINED, ProcessClass.SUSPECT)
    trees = [tree for tree in timeline.processes.trees if tree.kind in kinds] if timeline.processes is not None else []
    return {str(process.pid) for tree in trees for process in tree.processes}


def _locking(timeline: Timeline, orphans: Sequence[ProcessTree], cause: str, ahead_s: float) -> Iterator[Claim]:
    """Waits for a file that an orphan has locked or, where the log names the file, open; since it was started.

    A lock without a name is taken for the orphan's only while it keeps others out of something, or is at work.
    """
    for tree in orphans:
        if not tree.harm.locks:
            continue
        names = {_database(path) for path in tree.harm.locks}
        busy = bool(tree.harm.held) or tree.harm.cpu_share >= AT_WORK
        since_s = tree.root.started_s + ahead_s
        waits, moments = (
            tuple(e for e in events.get(Lane.LOCK, ()) if e.at_s >= since_s and _is_about(e, names, unnamed=busy))
            for events in (timeline.spans, timeline.marks)
        )
        only = replace(timeline, spans={Lane.LOCK: waits}, marks={Lane.LOCK: moments})
        listed = _literal(", ".join(sorted(names)[:2]))
        how = "keeps others out of" if tree.harm.held else "has open:"
        held = f"the orphan pid {tree.root.pid} {how} {listed}"
        yield from spans(only, cause, Lane.LOCK, weight=MOST_PART, say=f"waited {{seconds}} for a lock; {held}")
        say = f"{{label}} at the end of {{seconds}}; {held}"
        yield from marks(only, cause, Lane.LOCK, before_s=LOCK_TIMEOUT_S, weight=0.5, say=say)


def _database(path: str) -> str:
    """The name of a database, of its journal as well."""
    return re.sub(r"-(?:wal|shm|journal)$", "", PurePath(path).name)


def _is_about(event: Event, names: Iterable[str], *, unnamed: bool) -> bool:
    text = f"{event.kind} {event.label} {event.key}".lower()
    return any(name.lower() in text for name in names) or (unnamed and any(word in text for word in _DATABASE_WORDS))


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _starving(
    timeline: Timeline, seen: Processes, orphans: Sequence[ProcessTree], cause: str, ahead_s: float
) -> Iterator[Claim]:
    """Of the time without a CPU the part that spinning orphans took of what others than the service could get.

    One loop uses one core at most. They have spun for as long as their CPU time lasts at the rate of now, not longer.
    """
    spinning = [(_spins_since_s(tree, seen) + ahead_s, tree) for tree in orphans if tree.harm.cpu_share >= BUSY]
    for claim in cpu_starvation.claims(timeline) if spinning else ():
        there = [tree for since_s, tree in spinning if since_s <= claim.interval.start_s]
        cores = sum(tree.harm.cpu_share for tree in there)
        part = cores / max(1.0, seen.cores - 1.0)
        if part >= LEAST_PART:
            told = f"{claim.evidence.text}; {_who(there)} spun on {cores:.1f} of {seen.cores} cores meanwhile"
            yield _part(claim, cause, part, told, there)


def _spins_since_s(tree: ProcessTree, seen: Processes) -> float:
    long_s = tree.harm.cpu_s / max(tree.harm.cpu_share, 0.01)
    return max(tree.root.started_s, seen.at_s - long_s)


def _filling(
    timeline: Timeline, seen: Processes, orphans: Sequence[ProcessTree], cause: str, ahead_s: float
) -> Iterator[Claim]:
    """Of the time lost to memory the part that orphans have of what would be free without them."""
    large = sum(tree.harm.rss_bytes for tree in orphans) >= MUCH_MEMORY_SHARE * seen.memory_bytes > 0
    for claim in memory_pressure.claims(timeline) if large else ():
        there = [tree for tree in orphans if tree.root.started_s + ahead_s <= claim.interval.start_s]
        taken = sum(tree.harm.rss_bytes for tree in there)
        free = seen.available_bytes or MUCH_MEMORY_SHARE * seen.memory_bytes
        part = taken / max(1.0, taken + free)
        if taken >= MUCH_MEMORY_SHARE * seen.memory_bytes and part >= LEAST_PART:
            told = f"{claim.evidence.text}; {_who(there)} had {taken / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB were free"
            yield _part(claim, cause, part, told, there)


def _part(claim: Claim, cause: str, part: float, told: str, trees: Sequence[ProcessTree]) -> Claim:
    evidence = Evidence(told, f"{claim.evidence.source}, pid {trees[0].root.pid}", Grade.INFERRED)
    return replace(claim, cause=cause, weight=claim.weight * min(part, MOST_PART), evidence=evidence)


def _who(trees: Sequence[ProcessTree]) -> str:
    pids = ", ".join(str(tree.root.pid) for tree in trees[:3])
    more = f" and {len(trees) - 3} more" if len(trees) > 3 else ""
    return f"orphan{'s' if len(trees) > 1 else ''} pid {pids}{more}"


def _orphans(seen: Processes) -> list[ProcessTree]:
    return [tree for tree in seen.trees if tree.kind is ProcessClass.ORPHAN]


def _risk(trees: Sequence[ProcessTree], seen: Processes, cause: Cause, fix: Fix) -> Risk:
    memory = sum(tree.harm.rss_bytes for tree in trees)
    cpu = sum(tree.harm.cpu_share for tree in trees)
    locks = any(tree.harm.locks for tree in trees)
    much = seen.memory_bytes > 0 and memory >= MUCH_MEMORY_SHARE * seen.memory_bytes
    feeds = [
        name
        for name, told in (
            ("memory-pressure", much),
            ("cpu-starvation", cpu >= MUCH_CPU),
            ("lock-contention", locks),
        )
        if told
    ]
    some = memory >= SOME_BYTES
    severity = Severity.HIGH if feeds else Severity.MEDIUM if some or len(trees) > SHOWN else Severity.LOW
    count = len(trees)
    title = f"{count} subprocess{'es are' if count != 1 else ' is'} left behind, with {memory / 1e6:.0f} MB"
    check = "taskdoctor procs   # each with its reasons, and the command that shows them"
    return Risk(cause.id, title, severity, _evidence(trees), check, fix, tuple(feeds))


def _evidence(trees: Sequence[ProcessTree]) -> tuple[Evidence, ...]:
    found = [
        Evidence(
            f"{tree.label} ({tree.kind}) has {tree.harm.rss_bytes / 1e6:.0f} MB and {tree.harm.cpu_share:.2f} of a core"
            + (f", and {', '.join(tree.harm.locks[:2])} open" if tree.harm.locks else ""),
            f"pid {tree.root.pid}",
            Grade.MEASURED if tree.kind is ProcessClass.ORPHAN else Grade.INFERRED,
        )
        for tree in trees[:SHOWN]
    ]
    if len(trees) > SHOWN:
        found.append(Evidence(f"and {len(trees) - SHOWN} more", "process table"))
    return tuple(found)


def _retained(trees: Sequence[ProcessTree], cause: Cause) -> Risk:
    memory = sum(tree.harm.rss_bytes for tree in trees)
    count = len(trees)
    title = f"A living client keeps {count} server{'s' if count != 1 else ''} more than are configured, with "
    client = trees[0].client if trees[0].client is not None else trees[0].root.parents[0]
    check = f"ps -o pid,lstart,rss,args --ppid {client}   # more copies of one command than sessions confirm it"
    severity = Severity.MEDIUM if memory >= SOME_BYTES else Severity.LOW
    return Risk(cause.id, f"{title}{memory / 1e6:.0f} MB", severity, _evidence(trees), check, KEPT_OPEN, ())
