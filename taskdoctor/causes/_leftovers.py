"""What the process table shows of leftovers, as risks and claims: proven ones, and what they take of what was short.

Why so little is claimed: an idle leftover is untidy, not guilty. It owns a wait for a lock that it holds itself; memory
and CPU go to the causes that measured the shortage, and the leftover is named as the head of their chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath

from taskdoctor.causes._prevention import KEPT_OPEN, fix_for
from taskdoctor.diagnosis.claiming import spans
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
    """Waits for a database that an orphan has open, from when it was started on."""
    seen = timeline.processes
    holding = [tree for tree in _orphans(seen) if tree.harm.locks] if seen is not None else []
    found: list[Claim] = []
    for tree in holding:
        names = {PurePath(path).name for path in tree.harm.locks}
        waits = [event for event in timeline.spans.get(Lane.LOCK, ()) if _is_about(event, names)]
        only = replace(timeline, spans={Lane.LOCK: tuple(waits)})
        listed = ", ".join(sorted(names)[:2]).replace("{", "{{").replace("}", "}}")
        say = f"waited {{seconds}} for a lock; the orphan pid {tree.root.pid} has {listed} open"
        found += spans(only, cause, Lane.LOCK, weight=0.9, say=say)
    return tuple(found)


def pids(timeline: Timeline) -> set[str]:
    """Of what is left in the process table, or kept beyond what is needed."""
    kinds = (ProcessClass.ORPHAN, ProcessClass.HELPER, ProcessClass.RETAINED, ProcessClass.SUSPECT)
    trees = [tree for tree in timeline.processes.trees if tree.kind in kinds] if timeline.processes is not None else []
    return {str(process.pid) for tree in trees for process in tree.processes}


def starving(timeline: Timeline, cause: str) -> tuple[Claim, ...]:
    """Time in which the service got no CPU while orphans used as much as a core has, over the whole of a watch."""
    seen = timeline.processes
    busy = [tree for tree in _orphans(seen) if tree.harm.cpu_share >= MUCH_CPU / 2] if seen is not None else []
    cores = sum(tree.harm.cpu_share for tree in busy)
    if cores < MUCH_CPU:
        return ()
    listed = ", ".join(str(tree.root.pid) for tree in busy[:SHOWN])
    say = f"without a CPU for {{seconds}}; orphans (pid {listed}) used {cores:.1f} cores"
    return spans(timeline, cause, Lane.NOT_SCHEDULED, weight=0.9, say=say)


def _is_about(event: Event, names: Iterable[str]) -> bool:
    text = f"{event.kind} {event.label} {event.key}".lower()
    return any(name.lower() in text for name in names) or any(word in text for word in _DATABASE_WORDS)


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
