"""The watch: threads that each ask one channel at its own pace, until the time is over or the service is gone.

Why threads: a channel that is held up (the interpreter of the service is held, its loop is) must not keep the others
from looking; that they still answer is half of the diagnosis. Each wait is bounded, so each thread ends soon after
it is told to.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median
from typing import Protocol

from taskdoctor.collectors.service import plain04, tasks
from taskdoctor.collectors.service.channels import Channels
from taskdoctor.collectors.service.grouping import Tracker
from taskdoctor.collectors.service.observed import Frame, Ping, Stack, StackSample, Wait, Watched
from taskdoctor.collectors.service.stacks import is_idle, parse_stack
from taskdoctor.collectors.service.tasks import TaskRecord
from taskdoctor.collectors.service.telnet import TermSession, without_escapes
from taskdoctor.collectors.service.wire import ChannelError, GoneError, SilentError

STACKS_EVERY_S = 0.05
CERTAIN_S = 1.0  # by then a stack is asked for, whatever the kernel says
POLL_EVERY_S = 1.0  # what came in between is kept inside
COUNTERS_EVERY_S = 0.1
SLOW_COUNTERS_EVERY = 10
TASKS_EVERY_S = 0.25
TASKS_PER_S = 120.0  # a list of more comes less often: writing 1,000 takes the interpreter of the service some 40 ms
COST_SHARE = 0.05  # of the time that listing may take
ANSWER_S = 1.0
LIST_S = 20.0
FREELY, ONCE = 5_000, 20_000  # tasks: listed again and again; listed once; above grouped inside, or not at all
CHAINS_A_LOOK = 2
CHAIN_OLD_S = 3.0  # a task may wait somewhere else by now
CHAINS_A_GROUP = 3
JOIN_S = 3.0
FEW_COMINGS = 3  # lives of one coroutine, from which it is work that ends
LINGERS_S = 1.0


class Probe(Protocol):
    """What runs inside the service, seen from here."""

    def poll(self, watched: Watched) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How many tasks there are decides how they are looked at."""

    tasks: int

    @property
    def freely(self) -> bool:
        return self.tasks <= FREELY

    @property
    def at_all(self) -> bool:
        return self.tasks <= ONCE


@dataclass(frozen=True, slots=True)
class _Standing:
    """A task that was asked where it waits, and has been found there since."""

    task: str
    coroutine: str
    chain: Stack
    since_s: float
    seen_s: float

    def told(self, now_s: float) -> Iterator[Wait]:
        """The wait that is over, as long as it was seen; a place that was seen once may have been passed at once."""
        if self.seen_s > self.since_s:
            unsure_s = min(now_s - self.seen_s, LINGERS_S)
            yield Wait(self.seen_s, self.seen_s - self.since_s, self.coroutine, self.chain, True, unsure_s, self.task)


class Watch:
    """Collects into `watched` until it is stopped."""

    def __init__(self, channels: Channels, probe: Probe | None = None) -> None:
        self.watched = Watched()
        self.began_s = time.time()
        self.ended_s: float | None = None
        self.gone = ""  # why the service cannot be watched any more
        self.notes: list[str] = []
        self._channels = channels
        self._probe = probe
        self._tracker = Tracker()
        self._chains: dict[str, tuple[float, Stack]] = {}  # when it was asked, monotonic
        self._standing: dict[str, _Standing] = {}
        self._lives: dict[str, list[float]] = defaultdict(list)  # of tasks that have come and gone, by coroutine
        self._kernel_knows = True  # until it says that the loop waits, and a stack shows that another thread does
        self._over = threading.Event()
        looks: list[Callable[[], None]] = [] if probe is not None else [self._look_at_tasks]
        if channels.port.session is not None:
            looks.append(self._poll if probe is not None else self._look_at_stacks)
        if channels.kernel is not None:
            looks.append(self._look_at_counters)
        self._threads = [threading.Thread(target=self._guarded, args=(look,), daemon=True) for look in looks]

    def start(self) -> None:
        self.began_s = time.time()
        for thread in self._threads:
            thread.start()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is over; whether it is."""
        return self._over.wait(seconds)

    def stop(self) -> None:
        """End all looks and wait for them, not for ever."""
        self._over.set()
        late_s = time.monotonic() + JOIN_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, late_s - time.monotonic()))
        self.ended_s = self.ended_s or time.time()
        for standing in self._standing.values():
            self.watched.waits.extend(standing.told(self.ended_s))
        self._standing = {}

    def _guarded(self, look: Callable[[], None]) -> None:
        try:
            look()
        except ChannelError as error:
            if not self.is_over:
                self._lost(error)

    def _lost(self, error: ChannelError) -> None:
        """One way in broke: the watch is over when the service is, else it goes on without."""
        if not isinstance(error, GoneError):
            self.notes.append(str(error))
            return
        self.gone = self.gone or str(error)
        self.ended_s = self.ended_s or time.time()
        self._over.set()

    # --- stacks

    def _look_at_stacks(self) -> None:
        """A stack costs the service some ms: while the kernel says that the loop waits as before, it is not asked."""
        idle: Stack = ()
        due_s = certain_s = time.monotonic()
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + STACKS_EVERY_S, time.monotonic())
            waits = self._waits()
            if idle and waits and time.monotonic() < certain_s:
                at_s = time.time()
                self.watched.stacks.append(StackSample(at_s, at_s, idle))
                continue
            certain_s = time.monotonic() + CERTAIN_S
            text = self._timed(lambda: self._command("stacktrace"))
            stack = _parsed(text) if text is not None else ()
            idle = stack if is_idle(stack) else ()
            if stack:
                ping = self.watched.pings[-1]
                self.watched.stacks.append(StackSample(ping.asked_s, ping.at_s, stack))
                self._kernel_knows &= bool(idle) or not waits or not self._waits()

    def _waits(self) -> bool:
        """Whether the kernel says that the loop waits for something to do, as far as it has been right so far."""
        kernel = self._channels.kernel
        return self._kernel_knows and kernel is not None and kernel.waits_for_events

    def _timed(self, ask: Callable[[], str]) -> str | None:
        """An answer, with how long the monitor's thread took for it; None when it was too long."""
        asked_s = time.time()
        try:
            answer = ask()
        except SilentError:
            self.watched.pings.append(Ping(asked_s, time.time(), loop=False, answered=False))
            return None
        self.watched.pings.append(Ping(asked_s, time.time(), loop=False))
        return answer

    def _command(self, line: str) -> str:
        session = self._channels.port.session
        if session is None:
            raise GoneError("there is no session")
        return session.command(line, ANSWER_S)

    def _poll(self) -> None:
        probe = self._probe
        assert probe is not None
        due_s = time.monotonic()
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + POLL_EVERY_S, time.monotonic())
            asked_s = time.time()
            try:
                probe.poll(self.watched)
            except SilentError:
                self.watched.pings.append(Ping(asked_s, time.time(), loop=False, answered=False))
            except ChannelError as error:
                with contextlib.suppress(SilentError):
                    self._command("stacktrace")  # when that is gone too, it is the service that went
                self.notes.append(f"went on without the probe: {error}")
                self._look_at_stacks()
                return
            else:
                self._heard()

    def _heard(self) -> None:
        """The probe has told what happened meanwhile, better than our waiting for it could."""
        self.watched.pings[:] = [ping for ping in self.watched.pings if ping.answered]

    def hear_the_rest(self) -> None:
        """What the probe has seen since the last question; call when the watch is stopped."""
        if self._probe is not None and not self.gone:
            with contextlib.suppress(ChannelError):
                self._probe.poll(self.watched)
                self._heard()

    # --- tasks

    def _look_at_tasks(self) -> None:
        self._list(Pace(self._channels.greeted_tasks or 0))

    def _list(self, pace: Pace) -> None:
        if not pace.at_all:
            self.notes.append(f"{pace.tasks:,} tasks: too many to list without the probe; only counted")
            return
        wait_s = 0.0
        while not self._over.wait(wait_s):
            began_s = time.monotonic()
            try:
                records = self._records()
                took_s = time.monotonic() - began_s
                wait_s = max(TASKS_EVERY_S, len(records) / TASKS_PER_S, took_s / COST_SHARE)
                self._take(records)
            except SilentError:
                pass
            except GoneError:
                raise
            except ChannelError as error:
                self.notes.append(str(error))
                return
            if not pace.freely:
                self.notes.append(f"{pace.tasks:,} tasks: listed once")
                return

    def _take(self, records: list[TaskRecord]) -> None:
        at_s = time.time()
        ended = self._tracker.ended(at_s, records)
        self.watched.lives.extend(ended)
        for life in ended:
            self._lives[life.coroutine].append(life.seconds)
        self._ask_chains(records)
        alive = {record.id for record in records}
        for id_ in [id_ for id_ in self._standing if id_ not in alive]:
            self.watched.waits.extend(self._standing.pop(id_).told(at_s))
        self._chains = {id_: asked for id_, asked in self._chains.items() if id_ in alive}
        chains = {id_: chain for id_, (_, chain) in self._chains.items()}
        chains |= {record.id: (at,) for record in records if (at := _running_at(record)) is not None}
        self.watched.tasks.append(self._tracker.look(at_s, records, chains))

    def _records(self) -> list[TaskRecord]:
        web, second, first = self._channels.web, self._channels.second, self._channels.port.session
        if web is not None:
            return web.tasks(timeout_s=LIST_S)
        if second is not None:
            return tasks.parse_ps(second.raw("ps", LIST_S, whole=tasks.is_whole))
        if isinstance(first, plain04.PlainSession):
            return plain04.parse_ps(first.command("ps", LIST_S))
        return []

    def _ask_chains(self, records: list[TaskRecord]) -> None:
        """The await chains of a few representatives of each group, the ones not asked for longest first."""
        second = self._channels.second
        if second is None:
            return
        now_s = time.monotonic()
        fresh = Counter(record.coroutine for record in records if now_s - self._asked_s(record) < CHAIN_OLD_S)
        due = [record for record in records if now_s - self._asked_s(record) >= CHAIN_OLD_S]
        due.sort(key=lambda record: (fresh[record.coroutine], self._asked_s(record)))
        lingering = self._lingering(records)
        left = CHAINS_A_LOOK
        for record in (*lingering, *due):
            if left == 0 or (self.is_over and self._chains):  # one look, however late the first list came
                return
            if record in lingering or fresh[record.coroutine] < CHAINS_A_GROUP:
                fresh[record.coroutine] += 1
                self._ask_chain(second, record, now_s)
                left -= 1

    def _lingering(self, records: Sequence[TaskRecord]) -> list[TaskRecord]:
        """Of work that comes and goes, what is still there after a second: where it waits is asked again and again."""
        old = [
            record
            for record in records
            if len(self._lives.get(record.coroutine, ())) >= FEW_COMINGS
            and self._tracker.seen_for_s(record, time.time()) >= LINGERS_S
        ]
        return sorted(old, key=self._asked_s)[: CHAINS_A_LOOK - 1]

    def _ask_chain(self, session: TermSession, record: TaskRecord, now_s: float) -> None:
        chain = _chain(session, record.id)
        self._chains[record.id] = (now_s, chain)
        at_s = time.time()
        before = self._standing.get(record.id)
        if before is not None and before.chain == chain and before.coroutine == record.coroutine:
            self._standing[record.id] = replace(before, seen_s=at_s)
            return
        if before is not None:
            self.watched.waits.extend(before.told(at_s))
        if chain:
            since_s = at_s - self._overdue_s(record, at_s)
            self._standing[record.id] = _Standing(record.id, record.coroutine, chain, since_s, at_s)

    def _overdue_s(self, record: TaskRecord, at_s: float) -> float:
        """By how much it is older than its like become: where it stands now, it has stood for most of that."""
        lives = self._lives.get(record.coroutine, ())
        if len(lives) < FEW_COMINGS:
            return 0.0
        return max(0.0, self._tracker.seen_for_s(record, at_s) - max(LINGERS_S, median(lives)))

    def _asked_s(self, record: TaskRecord) -> float:
        return self._chains[record.id][0] if record.id in self._chains else float("-inf")

    # --- counters

    def _look_at_counters(self) -> None:
        kernel = self._channels.kernel
        assert kernel is not None
        count = 0
        while not self._over.wait(COUNTERS_EVERY_S if count else 0.0):
            counters = kernel.read(slow=count % SLOW_COUNTERS_EVERY == 0)
            count += 1
            if counters is not None:
                self.watched.counters.append(counters)
            elif not kernel.is_alive:
                self._lost(GoneError(f"process {kernel.pid} is gone"))
                return


def _running_at(record: TaskRecord) -> Frame | None:
    """Where the old monitor says that a task is."""
    file, _, line = record.running_at.rpartition(":")
    return Frame(file, int(line), record.coroutine.removesuffix("()")) if file and line.isdigit() else None


def _chain(session: TermSession, id_: str) -> Stack:
    """The await chain of one task; that it is gone by now is ordinary."""
    text = without_escapes(session.command(f"where {id_}"))
    if text.lstrip().startswith("✗"):
        return ()
    last = text[text.rfind("Stack of ") :]
    return tuple(frame for frame in parse_stack(last) if frame.function != "_coro_wrapper")


@lru_cache(maxsize=512)
def _parsed(text: str) -> Stack:
    """The same stack comes again and again: one value for all of them."""
    return () if text.lstrip().startswith("✗") else parse_stack(text)
