"""What a watch saw of tasks as events: waits that mean something, pieces of work with their lengths, sizes and counts.

Why only what was long is noted of waits: a service with a thousand tasks waits a thousand times at every moment, and
nearly all of it is what it is there for.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from taskdoctor.collectors.service.grouping import is_infrastructure
from taskdoctor.collectors.service.meanings import (
    Meaning,
    in_thread,
    is_idle_connection,
    job_meaning,
    meaning,
    sleeper_of,
)
from taskdoctor.collectors.service.observed import Frame, LoopFacts, Size, Stack, TaskSample, Wait, Watched
from taskdoctor.collectors.service.stacks import application_frame, is_application, site_of
from taskdoctor.model import Event, Form, Lane, Place

SHORTEST_S = 0.05
LONG_S = 1.0
CROWD = 2  # one that waits for ever may be meant to: a worker that takes over when the first one dies
FEW_SLEEPS, PACING_RATIO = 3, 1.5  # a loop that paces itself sleeps for the same time again and again
COMPARABLE = 8  # lives of one coroutine that make a normal
NEVER_FOR_LONG = frozenset({Lane.LOCK, Lane.POOL, Lane.EXECUTOR, Lane.DNS, Lane.QUEUE})
LIVES = "live-task"
SERIES_OF = 40  # coroutines whose counts are followed

_SPARE = re.compile(r"(?i)free|idle|spare|available|pool|cache")


def events(watched: Watched, *, source: str) -> list[Event]:
    """Waits that mean something, pieces of work with their lengths, and counts of tasks."""
    place = Place(source)
    waits = [*watched.waits, *_unfinished(watched.tasks)]
    full = _full_executor(watched.facts) if watched.facts else _crowded_executor(watched.tasks)
    asking = {name for wait in waits for name in _asking(wait.chain)}
    backing_off = asking & set(_irregular_sleepers(waits, {life.coroutine for life in watched.lives}))
    return [
        *_waits(waits, full, backing_off, place),
        *_jobs(watched.jobs, place),
        *_lives(watched, place),
        *_levels(watched.tasks, place),
        *_sizes(watched.sizes, place),
    ]


def _unfinished(samples: Sequence[TaskSample]) -> Iterator[Wait]:
    """What still waits at the end of the watch: no wait of it has ended, which may be the very fault."""
    for group in samples[-1].groups if samples else ():
        found = meaning(group.chain)
        long = group.waited_s is not None and group.waited_s >= LONG_S and group.count >= CROWD
        if long and group.waited_s is not None and found is not None and found.lane in NEVER_FOR_LONG:
            yield Wait(samples[-1].at_s, group.waited_s, group.coroutine, group.chain, ended=False)


def _full_executor(facts: Sequence[LoopFacts]) -> list[float]:
    """Instants at which work was queued for the default executor."""
    return [each.at_s for each in facts if each.executor_queue]


def _crowded_executor(samples: Sequence[TaskSample]) -> list[float]:
    """Instants at which more tasks waited for threads than the default executor has, as far as that can be told."""
    threads = min(32, (os.cpu_count() or 1) + 4)
    return [
        sample.at_s
        for sample in samples
        if sum(group.count for group in sample.groups if in_thread(group.chain)) > threads
    ]


def _waits(
    waits: Sequence[Wait], full: Sequence[float], backing_off: set[tuple[str, str]], place: Place
) -> Iterator[Event]:
    for wait in waits:
        found = meaning(wait.chain) if wait.seconds >= SHORTEST_S else None
        if found is None and (sleeper := sleeper_of(wait.chain)) is not None and _where(sleeper) in backing_off:
            found = Meaning(Lane.BACKOFF, f"{sleeper.function} sleeps where it asks a peer", site_of(sleeper))
        if in_thread(wait.chain) and any(wait.at_s - wait.seconds <= at_s <= wait.at_s for at_s in full):
            found = Meaning(Lane.EXECUTOR, "a thread of the default executor", "")
        if found is not None:
            yield Event(
                at_s=wait.at_s,
                kind=f"live-{found.lane.value}",
                lane=found.lane,
                form=Form.SPAN,
                place=place,
                seconds=wait.seconds,
                label=found.label,
                site=found.site,
                key=wait.coroutine,
                worker=wait.task,
                uncertainty_s=wait.uncertainty_s,
            )


def _jobs(jobs: Sequence[Wait], place: Place) -> Iterator[Event]:
    """What kept a thread of an executor, where its stack says so; its task waits for as long."""
    for job in jobs:
        told = job_meaning(job.chain)
        own = application_frame(job.chain)
        if told is not None:
            yield Event(
                at_s=job.at_s,
                kind=f"live-{told[0].value}",
                lane=told[0],
                form=Form.SPAN,
                place=place,
                seconds=job.seconds,
                label=told[1],
                site=site_of(own) if own is not None else "",
                uncertainty_s=job.uncertainty_s,
            )


def _asking(chain: Stack) -> Iterator[tuple[str, str]]:
    """The functions of the application that ask a peer: the innermost ones above such a wait."""
    found = meaning(chain)
    if found is not None and found.lane is Lane.UPSTREAM:
        yield from [_where(frame) for frame in chain if is_application(frame)][-2:]


def _irregular_sleepers(waits: Sequence[Wait], ended: set[str]) -> Iterator[tuple[str, str]]:
    """Functions that sleep for lengths that differ, in tasks that come to an end: neither polling nor pacing."""
    lengths: dict[tuple[str, str], list[float]] = defaultdict(list)
    for wait in waits:
        sleeper = sleeper_of(wait.chain)
        if sleeper is not None and wait.coroutine in ended:
            lengths[_where(sleeper)].append(wait.seconds)
    for name, found in lengths.items():
        if len(found) < FEW_SLEEPS or max(found) >= PACING_RATIO * min(found):
            yield name


def _where(frame: Frame) -> tuple[str, str]:
    return frame.file, frame.function


def _sizes(sizes: Sequence[Size], place: Place) -> Iterator[Event]:
    """Levels of queues and containers; and for how long at a stretch a queue was longer than usual."""
    queues: dict[str, list[Size]] = defaultdict(list)
    for each in sizes:
        if _SPARE.search(each.label):
            continue  # what lies in it is free to be taken
        if each.is_queue:
            queues[each.label].append(each)
        lane = Lane.QUEUE if each.is_queue else Lane.STATE
        kind = "queue-size" if each.is_queue else "container-size"
        yield Event(each.at_s, kind, lane, Form.LEVEL, place, value=float(each.size), label=each.label)
    for label, found in queues.items():
        yield from _behind(label, found, place)


def _behind(label: str, sizes: Sequence[Size], place: Place) -> Iterator[Event]:
    """Stretches in which a consumer was behind: beyond what lies in its queue all the time."""
    usual = min(each.size for each in sizes)
    since_s: float | None = None
    most = 0
    for each in sizes:
        if each.size > usual + max(1, usual):
            since_s = each.at_s if since_s is None else since_s
            most = max(most, each.size)
        elif since_s is not None:
            yield from _aged(label, since_s, most, each.at_s, place)
            since_s, most = None, 0
    if since_s is not None:
        yield from _aged(label, since_s, most, sizes[-1].at_s, place)


def _aged(label: str, since_s: float, most: int, at_s: float, place: Place) -> Iterator[Event]:
    if at_s - since_s >= SHORTEST_S:
        text = f"{label}, up to {most} in it"
        yield Event(at_s, "live-queue", Lane.QUEUE, Form.SPAN, place, seconds=at_s - since_s, label=text)


def _lives(watched: Watched, place: Place) -> Iterator[Event]:
    """Tasks of the application that come and go are its work; a connection lives as long as its client likes."""
    idle = {wait.coroutine for wait in watched.waits if is_idle_connection(wait.chain)}
    idle |= {group.coroutine for sample in watched.tasks for group in sample.groups if is_idle_connection(group.chain)}
    counts = Counter(life.coroutine for life in watched.lives)
    for life in watched.lives:
        if life.own and life.coroutine not in idle and counts[life.coroutine] >= COMPARABLE:
            yield Event(
                at_s=life.at_s,
                kind=LIVES,
                lane=Lane.OPERATION,
                form=Form.SPAN,
                place=place,
                seconds=life.seconds,
                label=life.coroutine,
                site=life.site,
                worker=life.task,
                uncertainty_s=life.uncertainty_s,
            )


def _levels(samples: Sequence[TaskSample], place: Place) -> Iterator[Event]:
    """The count of all tasks, and of each coroutine that has many."""
    if not samples:
        return
    most = _largest(samples)
    for sample in samples:
        counts = dict.fromkeys(most, 0)
        total = 0
        for group in sample.groups:
            if is_infrastructure(group):
                continue
            total += group.count
            if group.coroutine in counts:
                counts[group.coroutine] += group.count
        yield _level(sample.at_s, "tasks", "tasks", float(total if sample.groups else sample.count), place)
        yield from _connections(sample, place)
        for name, count in counts.items():
            yield _level(sample.at_s, "tasks-of", f"tasks of {most[name]}", float(count), place)


def _connections(sample: TaskSample, place: Place) -> Iterator[Event]:
    """Connections that wait for their client: as they rise, so may everything else."""
    count = sum(group.count for group in sample.groups if is_idle_connection(group.chain))
    if count:
        yield Event(
            sample.at_s, "connections", Lane.SESSIONS, Form.LEVEL, place, value=float(count), label="connections"
        )


def _largest(samples: Sequence[TaskSample]) -> dict[str, str]:
    """Coroutines by how many there were at most, with where they are created, if known."""
    peak: dict[str, int] = {}
    named: dict[str, str] = {}
    for sample in samples:
        now: dict[str, int] = {}
        for group in sample.groups:
            if not is_infrastructure(group):
                now[group.coroutine] = now.get(group.coroutine, 0) + group.count
                named[group.coroutine] = f"{group.coroutine} created at {group.site}" if group.site else group.coroutine
        for name, count in now.items():
            peak[name] = max(count, peak.get(name, 0))
    most = sorted(peak, key=lambda name: (-peak[name], name))[:SERIES_OF]
    return {name: named[name] for name in most}


def _level(at_s: float, kind: str, label: str, value: float, place: Place) -> Event:
    return Event(at_s=at_s, kind=kind, lane=Lane.TASKS, form=Form.LEVEL, place=place, value=value, label=label)
