"""Processes below a service as events: copies of one program, the CPU they use, and those that outlive their like.

Why by program and by start: a session starts its servers together and ends them together. One that is still there
when those that were started with it are gone was left behind, whatever it is called and whoever keeps its pipe.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from taskdoctor.collectors.service.observed import Child, Counters
from taskdoctor.model import Event, Form, Lane, Place

FEW = 2  # copies of one program that are worth counting
SOME_CPU = 0.1  # of a core
TOGETHER_S = 1.5  # between the starts of two servers of one session
CLOSING_S = 4.0  # a client that closes properly may take so long for it
ALIKE = 0.66  # of the starts of one program, those in which another was started too

Batch = tuple[Child, ...]


def events(counters: Sequence[Counters], place: Place) -> Iterator[Event]:
    """What the looks at the children say."""
    looks = [(each.at_s, each.below) for each in counters if each.below is not None]
    peak: Counter[str] = Counter()
    for _, below in looks:
        peak |= Counter(child.name for child in below)
    copied = {name for name, count in peak.items() if count >= FEW}
    for (before_s, before), (at_s, below) in pairwise(looks):
        used = {child.pid: child.cpu_s for child in before}
        alike = _by_name(below)
        for name in sorted(copied | set(alike)):
            children = alike.get(name, ())
            worked_s = sum(max(0.0, child.cpu_s - used.get(child.pid, child.cpu_s)) for child in children)
            if name in copied:
                yield _level(at_s, "children-of", name, len(children), place)
            if (share := worked_s / max(at_s - before_s, 0.1)) >= SOME_CPU:
                pids = " ".join(str(child.pid) for child in children)
                yield _level(at_s, "children-cpu", name, share, place, key=pids)
    yield from _left(looks, place)


def _level(at_s: float, kind: str, name: str, value: float, place: Place, *, key: str = "") -> Event:
    return Event(at_s, kind, Lane.CHILDREN, Form.LEVEL, place, value=float(value), label=name, key=key)


def _by_name(below: Sequence[Child]) -> dict[str, list[Child]]:
    found: dict[str, list[Child]] = defaultdict(list)
    for child in below:
        found[child.name].append(child)
    return found


def _left(looks: Sequence[tuple[float, tuple[Child, ...]]], place: Place) -> Iterator[Event]:
    """A mark when one more of a program has outlived, for longer than closing takes, what was started with it."""
    batches = _batches({child.pid: child for _, below in looks for child in below}.values())
    mates = _mates(batches)
    for name, others in sorted(mates.items()):
        told = 0
        surplus = [(at_s, _surplus(name, others, batches, below, at_s)) for at_s, below in looks]
        for at_s, _ in surplus:
            recent = [count for seen_s, count in surplus if at_s - CLOSING_S <= seen_s <= at_s]
            while len(recent) >= CLOSING_S and min(recent) > told:
                told += 1
                label = f"{name} is still there without what was started with it"
                yield Event(
                    at_s, "child-left", Lane.CHILDREN, Form.MARK, place, value=float(told), label=label, key=name
                )


def _batches(children: Iterable[Child]) -> list[Batch]:
    """Those that were started together."""
    found: list[list[Child]] = []
    for child in sorted(children, key=lambda each: (each.started_s, each.pid)):
        if found and child.started_s - found[-1][-1].started_s <= TOGETHER_S:
            found[-1].append(child)
        else:
            found.append([child])
    return [tuple(batch) for batch in found]


def _mates(batches: Sequence[Batch]) -> dict[str, tuple[str, ...]]:
    """For each program those that are started with it as a rule, in equal numbers."""
    counts = [Counter(child.name for child in batch) for batch in batches if len(batch) > 1]
    names = {name for count in counts for name in count}
    mates = {}
    for name in names:
        mine = [count for count in counts if name in count]
        others = tuple(
            other
            for other in sorted(names - {name})
            if len(mine) >= FEW and sum(count[other] == count[name] for count in mine) >= ALIKE * len(mine)
        )
        if others:
            mates[name] = others
    return mates


def _surplus(name: str, others: Sequence[str], batches: Sequence[Batch], below: Sequence[Child], at_s: float) -> int:
    """How many of a program there are beyond those that any of its mates still has in the same batch."""
    alive = {child.pid for child in below}
    surplus = 0
    for batch in batches:
        if at_s - batch[-1].started_s > CLOSING_S:
            count = Counter(child.name for child in batch if child.pid in alive)
            surplus += max(0, count[name] - max(count[other] for other in others))
    return surplus
