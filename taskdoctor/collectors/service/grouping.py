"""Tasks grouped by coroutine, site or place of waiting: what changed since the first look, how old, of what kind.

Why ages come from our own looks: without the task factory of aiomonitor the service knows none. A task that was there
at the first look is at least as old as the watch, and no more is said of it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from taskdoctor.collectors.service.observed import Frame, Life, TaskGroupSample, TaskSample
from taskdoctor.collectors.service.stacks import leaf_of, site_of
from taskdoctor.collectors.service.tasks import TaskRecord
from taskdoctor.model import TaskGroup

COROUTINE, SITE, WAITING = "coroutine", "site", "waiting"
BY = (COROUTINE, SITE, WAITING)
CALL, CONNECTION, SERVICE, INFRASTRUCTURE = "call", "connection", "service", "infrastructure"
MOST_GROUPS = 500
MOST_LIVES = 20_000

_INFRASTRUCTURE = re.compile(
    r"^(?:Monitor\.|ConsoleProxy\.|handle_connect\(|AsynchronousConsole\.|start\.<locals>\._start)"
)
_CONNECTION = re.compile(
    r"(?i)handler|connection|client|session|socket|websocket|\bws|peer|protocol|keep_?alive|(?<!o)serve(?!r)"
)
_MONITOR_FILES = ("/aiomonitor/", "/aioconsole/")

Key = tuple[str, str, str]


@dataclass(slots=True)
class Tracker:
    """Follows tasks from look to look by their identity: ids are used again, so the name counts too."""

    _first: dict[Key, float] = field(default_factory=dict)
    _seen: dict[Key, TaskRecord] = field(default_factory=dict)
    _looked_s: float | None = None

    def look(self, at_s: float, records: Iterable[TaskRecord], chains: Mapping[str, tuple[Frame, ...]]) -> TaskSample:
        """A sample of what is there now; `chains` are await chains by task id, of as many as were asked."""
        now = {(record.id, record.name, record.coroutine): record for record in records}
        new = {key: at_s for key in now if key not in self._first}
        started = self._looked_s is None
        for key in new:
            self._first[key] = float("-inf") if started else at_s
        self._seen, self._looked_s = now, at_s
        return TaskSample(at_s, len(now), tuple(self._groups(at_s, chains)))

    def ended(self, at_s: float, records: Iterable[TaskRecord]) -> list[Life]:
        """The tasks of the last look that are gone, of those that were seen to begin. Call before `look`."""
        now = {(record.id, record.name, record.coroutine) for record in records}
        gone = [(key, record) for key, record in self._seen.items() if key not in now]
        lives = []
        for key, record in gone:
            began_s = self._first.pop(key)
            if began_s > float("-inf") and self._looked_s is not None:
                period_s = at_s - self._looked_s
                lives.append(Life(at_s, at_s - began_s, record.coroutine, record.site, period_s))
        return lives

    def seen_for_s(self, record: TaskRecord, at_s: float) -> float:
        """For how long a task has been there; 0.0 for one that was there at the first look, of unknown age."""
        began_s = self._first.get((record.id, record.name, record.coroutine), at_s)
        return at_s - began_s if began_s > float("-inf") else 0.0

    def _groups(self, at_s: float, chains: Mapping[str, tuple[Frame, ...]]) -> Iterable[TaskGroupSample]:
        groups: dict[tuple[str, str], list[tuple[Key, TaskRecord]]] = defaultdict(list)
        for key, record in self._seen.items():
            groups[record.coroutine, record.site].append((key, record))
        for (coroutine, site), members in groups.items():
            yield from self._by_waiting(at_s, coroutine, site, members, chains)

    def _by_waiting(
        self,
        at_s: float,
        coroutine: str,
        site: str,
        members: Sequence[tuple[Key, TaskRecord]],
        chains: Mapping[str, tuple[Frame, ...]],
    ) -> Iterable[TaskGroupSample]:
        """One group where all that were asked wait at one place (the others are taken to do as they do)."""
        known: dict[tuple[Frame, ...], int] = Counter(chains[record.id] for _, record in members if record.id in chains)
        chain = max(known, key=lambda each: (known[each], len(each)), default=())
        ages = [age for key, record in members if (age := self._age(at_s, key, record)) is not None]
        yield TaskGroupSample(coroutine, len(members), chain, site, max(ages, default=None))

    def _age(self, at_s: float, key: Key, record: TaskRecord) -> float | None:
        if record.age_s is not None:
            return record.age_s
        began_s = self._first[key]
        return at_s - began_s if began_s > float("-inf") else None


def kind_of(group: TaskGroupSample, *, lives: int, was_there: bool) -> str:
    """What a group of tasks is for, by what it is called and how it behaves."""
    if is_infrastructure(group):
        return INFRASTRUCTURE
    if lives >= 2 * max(1, group.count):
        return CALL
    if _CONNECTION.search(group.coroutine):
        return CONNECTION
    return SERVICE if was_there else CALL


def is_infrastructure(group: TaskGroupSample) -> bool:
    """The monitor's own: there only because somebody looks."""
    inside = any(part in frame.file.replace("\\", "/") for frame in group.chain[:1] for part in _MONITOR_FILES)
    return inside or _INFRASTRUCTURE.match(group.coroutine) is not None


def waiting_at(group: TaskGroupSample) -> str:
    """`app/chat.py:88 in reply`."""
    leaf = leaf_of(group.chain)
    return f"{site_of(leaf)} in {leaf.function}" if leaf is not None else ""


def table(
    samples: Sequence[TaskSample],
    lives: Sequence[Life],
    *,
    by: str = COROUTINE,
    everything: bool = False,
    only: str = "",
) -> tuple[TaskGroup, ...]:
    """The rows that a reader sees: the largest first, each with its change since the first look."""
    if not samples:
        return ()
    ended = Counter(life.coroutine for life in lives)
    first = _merged(samples[0], by)
    rows = []
    for name, members in _merged(samples[-1], by).items():
        before = sum(each.count for each in first.get(name, ()))
        rows.append(_row(name, members, by, before, ended))
    gone = [_row(name, members, by, None, ended) for name, members in first.items() if name not in _names(rows, by)]
    shown = [row for row in (*rows, *gone) if everything or row.kind != INFRASTRUCTURE]
    wanted = only.casefold()
    shown = [row for row in shown if wanted in f"{row.coroutine} {row.site} {row.waiting_at}".casefold()]
    return tuple(sorted(shown, key=lambda row: (-row.count, -abs(row.change), row.coroutine))[:MOST_GROUPS])


def _names(rows: Iterable[TaskGroup], by: str) -> set[str]:
    return {
        {COROUTINE: row.coroutine, SITE: row.site or row.coroutine, WAITING: row.waiting_at or row.coroutine}[by]
        for row in rows
    }


def _merged(sample: TaskSample, by: str) -> dict[str, list[TaskGroupSample]]:
    merged: dict[str, list[TaskGroupSample]] = defaultdict(list)
    for group in sample.groups:
        name = {COROUTINE: group.coroutine, SITE: group.site, WAITING: waiting_at(group)}[by]
        merged[name or group.coroutine].append(group)
    return merged


def _row(
    name: str, members: Sequence[TaskGroupSample], by: str, before: int | None, ended: Mapping[str, int]
) -> TaskGroup:
    """One row; `before` None: there were some at the first look, and none are left."""
    count = sum(each.count for each in members)
    largest = max(members, key=lambda each: each.count)
    ages = [each.oldest_s for each in members if each.oldest_s is not None]
    kind = kind_of(largest, lives=ended[largest.coroutine], was_there=bool(before))
    coroutines, sites, places = (
        _said((value(each), each.count) for each in members)
        for value in (lambda each: each.coroutine, lambda each: each.site, waiting_at)
    )
    return TaskGroup(
        coroutine=coroutines or name,
        count=count if before is not None else 0,
        change=count - before if before is not None else -count,
        kind=kind,
        site=sites or None,
        waiting_at=places or None,
        oldest_s=max(ages, default=None) if before is not None else None,
    )


def _said(pairs: Iterable[tuple[str, int]]) -> str:
    """The commonest, and how many others."""
    counts: Counter[str] = Counter()
    for text, count in pairs:
        if text:
            counts[text] += count
    if not counts:
        return ""
    (top, _), *others = counts.most_common()
    return f"{top} and {len(others)} more" if others else top
