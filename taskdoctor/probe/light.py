"""The light probe: a heartbeat of the loop, a collector callback, a thread that looks when the loop is late.

It is text that a service runs in a dictionary of its own: no module is added to it. It ends with its connection, or
when nobody asks for its news any more, and then takes everything back: timer, callback, thread and connection. It must
never raise into the service, never hold the interpreter for long, and never keep one of its objects alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import linecache
import os
import socket
import sys
import threading
import time
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any

BEAT_S = 0.02
LOOK_S = 0.025  # of the watching thread
LATE_S = 0.05  # a beat this late is told
SCAN_S = 0.2  # between two looks at all tasks, of which there are few
SCAN_SHARE = 0.02  # of the time that these looks may take
SLICE_S = 0.0005  # for no longer it keeps the interpreter: the loop waits for its turn up to 5 ms
REST_S = 0.0005  # between two slices; less is over before another thread has woken up
CHEAPER = 16  # so many are counted in the time that looking into one takes
TRIP_S = 0.5
FREE_OF_NEWS_S = 8.0  # without a question for so long, the client is dead
SHORTEST_WAIT_S = 0.2
SHORT_GC_S = 0.001
MOST_NEWS = 4000
MOST_GROUPS = 300
MOST_FRAMES = 40
MOST_HOPS = 12  # from one awaited thing into the next
MOST_TASKS = 200_000
FOLLOWED = 1000  # tasks of one coroutine, one by one
MOST_CHAINS = 10_000
MOST_NAMES = 64  # of coroutines whose locals are looked through
SIZES_S = 1.0  # between two looks for what grows
LARGE = 200  # entries of a container that is worth following
LONG = 100_000  # characters of a text that is worth following
SMALL = 64  # entries of one that is looked into
MOST_OBJECTS = 3000
MOST_DEPTH = 4  # from a local of a coroutine: service.backend.history.lines
MOST_QUEUES = 100
MOST_MODULES = 200  # of the service, whose names are looked through
STANDARD = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
WORKERS = "concurrent/futures/thread.py"
MAKERS = ("/asyncio/", "/aiomonitor/")  # frames between a task and who wanted it
MOST_LINE_BYTES = 64  # of a question
SEND_S = 2.0  # a client that reads no more than this is as good as gone
FROZEN_SHARE = 0.001  # of the time that counting frozen objects may take: it walks over them in one go
CONSOLE = "handle_connect()"  # the task of each open console
CONSOLE_NAMES = ("asyncio", "loop", "print", "help", "ainput", "_")
DONE_S = 5.0
TIDY_LOOKS, TIDY_EVERY_S = 10, 0.2  # at the end, for the last console to close

Called = tuple[str, int, str, str]  # file, line, function, its qualified name
Chain = tuple[Called, ...]


def called(frame: FrameType) -> Called:
    code = frame.f_code
    return code.co_filename, frame.f_lineno or 0, code.co_name, getattr(code, "co_qualname", code.co_name)


def frames_of(frame: FrameType | None, most: int = MOST_FRAMES) -> Chain:
    """A stack, outermost first."""
    found: list[Called] = []
    while frame is not None and len(found) < most:
        found.append(called(frame))
        frame = frame.f_back
    found.reverse()
    return tuple(found)


def chain_of(coroutine: object) -> Chain:
    """An await chain, outermost first; it goes on into the task that is awaited."""
    found: list[Called] = []
    hops = 0
    while coroutine is not None and len(found) < MOST_FRAMES:
        frame = frame_in(coroutine)
        if frame is not None:
            if frame.f_code.co_name != "_coro_wrapper":
                found.append(called(frame))
            coroutine = awaited_by(coroutine)
        elif hops < MOST_HOPS:
            hops += 1
            coroutine = inside(coroutine)
        else:
            break
    return tuple(found)


def frame_in(coroutine: object) -> FrameType | None:
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        frame: FrameType | None = getattr(coroutine, name, None)
        if frame is not None:
            return frame
    return None


def awaited_by(coroutine: object) -> object:
    for name in ("cr_await", "gi_yieldfrom", "ag_await"):
        inner: object = getattr(coroutine, name, None)
        if inner is not None:
            return inner
    return None


def inside(waited: object) -> object:
    """What stands behind something without a frame: the step of an async generator, the future of another task."""
    for inner in (waited, *gc.get_referents(waited)):
        if isinstance(inner, asyncio.Task):
            return inner.get_coro()
        if inner is not waited and frame_in(inner) is not None:
            return inner
        for child in getattr(inner, "_children", ()) if isinstance(inner, asyncio.Future) else ():
            if isinstance(child, asyncio.Task) and not child.done():
                return child.get_coro()
    return None


def name_of(task: asyncio.Task[Any], coroutine: object) -> str:
    """As the monitor names it, also where its task factory wraps what the service made."""
    made: object = getattr(task, "_orig_coro", coroutine)
    name: str = getattr(made, "__qualname__", type(made).__qualname__)
    return f"{name}()"


class Turns:
    """Work in slices: whoever waits for the interpreter gets it between two of them."""

    def __init__(self) -> None:
        self.began_s = time.perf_counter()

    def rest(self) -> None:
        """Called often; it sleeps when the slice is used up."""
        if time.perf_counter() - self.began_s >= SLICE_S:
            time.sleep(REST_S)
            self.began_s = time.perf_counter()


def every_task(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.Task[Any]]:
    """All tasks of a loop. asyncio's own way makes a set of them, which holds them and the interpreter for long."""
    registry = getattr(asyncio.tasks, "_scheduled_tasks", None) or getattr(asyncio.tasks, "_all_tasks", None)
    if not isinstance(registry, weakref.WeakSet) or sys.version_info >= (3, 14):
        yield from asyncio.all_tasks(loop)
        return
    for reference in list(vars(registry)["data"]):
        task: asyncio.Task[Any] | None = reference()
        if task is not None and task.get_loop() is loop and not task.done():
            yield task


class Known:
    """One task from look to look; of the task itself nothing is kept."""

    __slots__ = ("born_s", "chain", "coroutine", "look", "name", "seen_s", "since_s", "site", "was_there")

    def __init__(self, name: str, coroutine: int, chain: Chain, born_s: float, was_there: bool) -> None:
        self.name = name
        self.coroutine = coroutine  # its id: that of a task alone comes again
        self.chain = chain
        self.since_s = born_s
        self.seen_s = born_s  # at this chain
        self.born_s = born_s
        self.was_there = was_there
        self.look = 0  # the last that saw it
        self.site: str | None = None  # where it was made; "": the monitor does not know


class Group:
    """Tasks of one coroutine that wait at one place."""

    __slots__ = ("age_s", "chain", "count", "name", "site", "waited_s")

    def __init__(self, name: str, chain: Chain, site: str) -> None:
        self.name = name
        self.site = site
        self.chain = chain
        self.count = 0
        self.age_s: float | None = None
        self.waited_s = 0.0

    def add(self, known: Known, now_s: float) -> None:
        self.count += 1
        self.waited_s = max(self.waited_s, now_s - known.since_s)
        if not known.was_there:
            self.age_s = max(self.age_s or 0.0, now_s - known.born_s)


class Probe:
    """Everything that was installed, and the news since they were last asked for."""

    def __init__(
        self, client: socket.socket, loop: asyncio.AbstractEventLoop, loop_thread: int, names: dict[str, Any]
    ) -> None:
        self.client = client
        self.asked = bytearray()  # the beginning of a question
        self.loop = loop
        self.loop_thread = loop_thread
        self.names = names  # of the consoles of this service
        self.turns = Turns()
        self.over = False
        self.asked_s = time.monotonic()
        self.beat_s = time.monotonic()
        self.beat_cpu_s = time.thread_time()
        self.handle: asyncio.TimerHandle | None = None
        self.gc_began: tuple[float, FrameType | None] | None = None
        self.beats: deque[tuple[float, float, float]] = deque(maxlen=MOST_NEWS)
        self.collections: deque[tuple[float, float, int, int, Chain]] = deque(maxlen=MOST_NEWS)
        self.stacks: deque[tuple[float, Chain]] = deque(maxlen=MOST_NEWS)
        self.silences: deque[tuple[float, float]] = deque(maxlen=MOST_NEWS)
        self.trips: deque[tuple[float, float]] = deque(maxlen=MOST_NEWS)
        self.waits: deque[tuple[float, float, str, Chain, int]] = deque(maxlen=MOST_NEWS)
        self.lives: deque[tuple[float, float, str, Chain, int]] = deque(maxlen=MOST_NEWS)
        self.sizes: deque[tuple[float, str, int, bool]] = deque(maxlen=MOST_NEWS)
        self.queues: dict[int, tuple[weakref.ref[Any], str, int]] = {}  # with the size that was told last
        self.sizes_due_s = 0.0
        self.modules: list[ModuleType] = []
        self.modules_seen = 0
        self.works: dict[int, tuple[int, float, Chain]] = {}  # by thread: the frame of its call, since, stack
        self.jobs: deque[tuple[float, float, str, Chain, int]] = deque(maxlen=MOST_NEWS)
        self.monitor: Any = getattr(loop.get_task_factory(), "__self__", None)  # where it makes the tasks
        self.files: set[str] = set()  # whose text was read for us
        self.frozen: int | None = None
        self.frozen_due_s = 0.0
        self.untold: dict[str, list[Any]] = {}  # told, but perhaps not heard
        self.told = 0
        self.trip_began: float | None = None
        self.removals: list[Callable[[], None]] = []  # of what was installed on top
        self.known: dict[int, Known] = {}
        self.chains: dict[Chain, Chain] = {}
        self.groups: list[Group] = []
        self.count = 0
        self.counts: dict[str, int] = {}
        self.looks = 0
        self.scan_due_s = 0.0
        self.thread = threading.get_ident()

    # --- on the loop

    def begin(self) -> None:
        if self.over:
            return
        self.beat_s, self.beat_cpu_s = time.monotonic(), time.thread_time()
        self.handle = self.loop.call_later(BEAT_S, self.beat)

    def beat(self) -> None:
        if self.over:
            return
        now_s = time.monotonic()
        cpu_s = time.thread_time()
        late_s = now_s - self.beat_s - BEAT_S
        if late_s >= LATE_S:
            self.beats.append((time.time(), late_s, cpu_s - self.beat_cpu_s))
        self.beat_s, self.beat_cpu_s = now_s, cpu_s
        self.handle = self.loop.call_later(BEAT_S, self.beat)

    # --- in any thread

    def collected(self, phase: str, info: dict[str, int]) -> None:
        if self.over:
            return
        if phase == "start":
            self.gc_began = (time.monotonic(), sys._getframe(1) if info["generation"] == 2 else None)
            return
        if self.gc_began is None:
            return
        began_s, frame = self.gc_began
        self.gc_began = None
        seconds = time.monotonic() - began_s
        if seconds >= SHORT_GC_S:
            caller = frames_of(frame, 12) if frame is not None else ()
            self.collections.append((time.time(), seconds, info["generation"], info["collected"], caller))

    # --- in the probe's own thread

    def look(self) -> None:
        """Answer and look, until the client leaves, is gone, or the loop is closed."""
        last_s = time.monotonic()
        while not self.over:
            question = self.question(LOOK_S)
            now_s = time.monotonic()
            silent_s = now_s - last_s - LOOK_S
            if silent_s >= 2 * LATE_S:
                self.silences.append((time.time(), silent_s))
            last_s = now_s
            if question is not None:
                self.answer(question)
                last_s = time.monotonic()
            self.over |= self.loop.is_closed() or now_s - self.asked_s > FREE_OF_NEWS_S + max(0.0, silent_s)
            try:
                if now_s - self.beat_s > LATE_S + BEAT_S:
                    self.catch()
                elif now_s >= self.scan_due_s and not self.over:
                    self.scan(now_s)
                    last_s = time.monotonic()
            except Exception:  # noqa: BLE001
                # Whatever a task of the service does to us: never a word on its output.
                self.scan_due_s = now_s + 1.0

    def question(self, wait_s: float) -> str | None:
        """A line of the client within the time; its end is an end as well."""
        self.client.settimeout(wait_s)
        try:
            came = self.client.recv(MOST_LINE_BYTES)
        except TimeoutError:
            return None
        except OSError:
            came = b""
        self.asked += came
        line, found, rest = self.asked.partition(b"\n")
        if not came or len(self.asked) > MOST_LINE_BYTES:
            return "off"
        if not found:
            return None
        self.asked = rest
        return line.decode("ascii", "replace").strip()

    def catch(self) -> None:
        """What is on the loop while it does not turn."""
        frame = sys._current_frames().get(self.loop_thread)
        if frame is not None:
            self.stacks.append((time.time(), frames_of(frame, 60)))

    def scan(self, now_s: float) -> None:
        """All tasks, a few at a time: who is new, who is gone, who waits where and for how long.

        Making things by the thousand would have the collector run in the service, because of us: what is known is
        changed in place, equal chains are one object, and of a coroutine with very many tasks some stand for all,
        since each look into a coroutine makes a frame that stays with it.
        """
        cost_s = time.thread_time()  # not of the clock: what others of the service take is not ours
        self.turns = Turns()
        wall_s = time.time()
        self.looks += 1
        counts: dict[str, int] = {}
        groups: dict[tuple[str, Chain, str], Group] = {}
        console = self.names.get("print")
        firsts: list[weakref.ref[asyncio.Task[Any]]] = []
        done = 0
        for task in itertools.islice(every_task(self.loop), MOST_TASKS):
            names = len(counts)
            done += CHEAPER if self.see(task, now_s, wall_s, counts, groups) else 1
            if names < len(counts) <= MOST_NAMES:
                firsts.append(weakref.ref(task))
            if done >= CHEAPER:
                done = 0
                self.turns.rest()
        for key in self.gone():
            self.ended(self.known.pop(key), now_s, wall_s)
        if len(self.chains) > MOST_CHAINS:
            self.chains.clear()
        self.count, self.counts = sum(counts.values()), counts
        self.groups = standing_for_all(groups.values(), counts)[:MOST_GROUPS]
        self.measure_queues()
        self.turns.rest()
        if now_s >= self.sizes_due_s:
            began_s = time.thread_time()
            self.measure_containers(firsts)
            took_s = time.thread_time() - began_s
            cost_s += took_s  # it has a pace of its own
            self.sizes_due_s = now_s + max(SIZES_S, took_s / SCAN_SHARE)
        self.see_workers(now_s)
        self.trip()
        self.tidy(console, counts.get(CONSOLE, 0))
        self.scan_due_s = now_s + max(SCAN_S, (time.thread_time() - cost_s) / SCAN_SHARE)

    def gone(self) -> list[int]:
        """The tasks that this look has not seen any more."""
        found = []
        for key, entry in self.known.items():
            if entry.look != self.looks:
                found.append(key)
            self.turns.rest()
        return found

    def tidy(self, console: object, consoles: int) -> None:
        """What consoles have put into the monitor's names: ours, and that of a client that was killed in one."""
        if console is not None and not consoles:
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(forget_console, self.names, console)

    def tidy_at_last(self) -> None:
        """Our own console may still be closing."""
        for _ in range(TIDY_LOOKS):
            console = self.names.get("print")
            if console is None or self.loop.is_closed():
                return
            self.turns = Turns()
            consoles = 0
            for task in every_task(self.loop):
                consoles += name_of(task, task.get_coro()) == CONSOLE
                self.turns.rest()
            self.tidy(console, consoles)
            time.sleep(TIDY_EVERY_S)

    def see(
        self,
        task: asyncio.Task[Any],
        now_s: float,
        wall_s: float,
        counts: dict[str, int],
        groups: dict[tuple[str, Chain, str], Group],
    ) -> bool:
        """Whether it was looked into, not only counted."""
        coroutine = task.get_coro()
        if coroutine is None:
            return False
        name = name_of(task, coroutine)
        count = counts[name] = counts.get(name, 0) + 1
        entry = self.known.get(id(task))
        if entry is not None and entry.coroutine != id(coroutine):
            self.ended(entry, now_s, wall_s)
            entry = None
        if entry is None and count > FOLLOWED:
            return False
        chain = chain_of(coroutine)
        chain = self.chains.setdefault(chain, chain)
        if entry is None:
            was_there = self.looks == 1 or self.counts.get(name, 0) > FOLLOWED
            entry = self.known[id(task)] = Known(name, id(coroutine), chain, now_s, was_there)
        elif entry.chain != chain:
            self.waited(entry, now_s)
            entry.chain, entry.since_s = chain, now_s
        entry.look = self.looks
        entry.seen_s = now_s
        if entry.site is None and self.monitor is not None:
            entry.site = self.made_at(task, entry, now_s)
        site = entry.site or ""
        group = groups.get((name, chain, site))
        if group is None:
            group = groups[name, chain, site] = Group(name, chain, site)
        group.add(entry, now_s)
        return True

    def made_at(self, task: asyncio.Task[Any], entry: Known, now_s: float) -> str:
        """Where and when it was made, where the monitor's own task factory noted it."""
        began_s = getattr(task, "_started_at", None)
        if isinstance(began_s, float):
            entry.born_s, entry.was_there = now_s - (time.perf_counter() - began_s), False
        stack = getattr(self.monitor, "_created_tracebacks", {}).get(task)
        for frame in reversed(stack or ()):
            if not any(part in frame.filename for part in MAKERS):
                return f"{frame.filename}:{frame.lineno}"
        return ""

    def see_workers(self, now_s: float) -> None:
        """What runs in the threads of executors, and since when: the same call is the same frame."""
        now: dict[int, tuple[int, float, Chain]] = {}
        for thread, frame in sys._current_frames().items():
            if thread in (self.loop_thread, self.thread):
                continue
            begun: FrameType | None = None
            call: FrameType | None = frame
            while call is not None and not call.f_code.co_filename.endswith(WORKERS):
                begun, call = call, call.f_back
            if call is None or begun is None or call.f_code.co_name != "run":
                continue
            before = self.works.get(thread)
            same = before is not None and before[0] == id(begun)
            since_s = before[1] if before is not None and same else now_s
            chain = frames_of(frame)
            at = max((at for at, each in enumerate(chain) if each[0].endswith(WORKERS)), default=-1)
            now[thread] = id(begun), since_s, chain[at + 1 :]
        for thread, (begun_id, since_s, chain) in self.works.items():
            ended = thread not in now or now[thread][0] != begun_id
            if ended and now_s - since_s >= SHORTEST_WAIT_S:
                self.jobs.append((time.time(), now_s - since_s, "", chain, 0))
        self.works = now

    def waited(self, entry: Known, now_s: float) -> None:
        """Told only as long as it was seen: between two looks that are far apart much may happen."""
        end_s = min(now_s, entry.seen_s + SCAN_S)
        if end_s - entry.since_s >= SHORTEST_WAIT_S:
            at_s = time.time() - (now_s - end_s)
            self.waits.append((at_s, end_s - entry.since_s, entry.name, entry.chain, entry.coroutine))

    def ended(self, entry: Known, now_s: float, wall_s: float) -> None:
        self.waited(entry, now_s)
        if not entry.was_there:
            end_s = min(now_s, entry.seen_s + SCAN_S)
            at_s = wall_s - (now_s - end_s)
            self.lives.append((at_s, end_s - entry.born_s, entry.name, entry.chain[:1], entry.coroutine))

    def measure_queues(self) -> None:
        for key, (reference, label, before) in list(self.queues.items()):
            queue = reference()
            if queue is None:
                del self.queues[key]
            elif (size := len(queue._queue)) or before:
                self.sizes.append((time.time(), label, size, True))
                self.queues[key] = reference, label, size

    def measure_containers(self, firsts: Iterable[weakref.ref[asyncio.Task[Any]]]) -> None:
        """Queues and large containers that the service can reach from what its coroutines hold."""
        found: dict[str, int] = {}
        seen: set[int] = set()
        names: set[str] = set()
        left: deque[tuple[object, str, int]] = deque()
        for first in firsts:
            task = first()
            coroutine = task.get_coro() if task is not None else None
            name = getattr(coroutine, "__qualname__", "")
            if coroutine is not None and name not in names:
                names.add(name)
                left.append((coroutine, name.rpartition(".")[2], 0))
        left.extend((module, name_of_module(module), 0) for module in self.own_modules())
        while left and len(seen) < MOST_OBJECTS:
            owner, label, depth = left.popleft()
            for name, value in held_by(owner):
                self.turns.rest()
                if id(value) in seen:
                    continue
                seen.add(id(value))
                self.sort(value, f"{label}.{name}" if name else label, depth, found, left)
        self.sizes.extend((time.time(), label, size, False) for label, size in found.items())

    def own_modules(self) -> list[ModuleType]:
        """The modules of the service itself: much of its state is no coroutine's, but has a name in one of them."""
        if len(sys.modules) != self.modules_seen:
            self.modules_seen = len(sys.modules)
            self.modules = [module for module in list(sys.modules.values()) if is_own_module(module)][:MOST_MODULES]
        return self.modules

    def sort(
        self, value: object, label: str, depth: int, found: dict[str, int], left: deque[tuple[object, str, int]]
    ) -> None:
        kind = type(value)
        if issubclass(kind, asyncio.Queue):
            if id(value) not in self.queues and len(self.queues) < MOST_QUEUES:
                self.queues[id(value)] = weakref.ref(value), label, 0
        elif kind in CONTAINERS or kind in TEXTS:
            size = len(value)  # type: ignore[arg-type]
            if size >= (LONG if kind in TEXTS else LARGE):
                found[label] = max(size, found.get(label, 0))
            elif kind in CONTAINERS and size <= SMALL and depth < MOST_DEPTH:
                left.append((value, label, depth + 1))
        elif kind in COROUTINES:  # awaited by the one that holds it
            left.append((value, getattr(value, "__qualname__", label).rpartition(".")[2], depth))
        elif kind is CellType:
            with contextlib.suppress(ValueError):  # empty
                self.sort(value.cell_contents, label, depth, found, left)  # type: ignore[attr-defined]
        elif depth < MOST_DEPTH and is_own(kind):
            left.append((value, kind.__name__, depth + 1))

    def trip(self) -> None:
        """Empty work for the default executor, but only where that starts no thread: how long until one takes it."""
        pool: Any = getattr(self.loop, "_default_executor", None)
        threads = getattr(pool, "_threads", ())
        if self.trip_began is not None or not threads:
            return
        idle = getattr(getattr(pool, "_idle_semaphore", None), "_value", 0)
        if idle <= 0 and len(threads) < getattr(pool, "_max_workers", 0):
            return
        began_s = self.trip_began = time.monotonic()

        def took(future: Future[float]) -> None:
            self.trip_began = None
            if not future.cancelled():
                self.trips.append((time.time(), time.monotonic() - began_s))

        try:
            pool.submit(time.monotonic).add_done_callback(took)
        except RuntimeError:
            self.trip_began = None

    # --- asked by the client

    def answer(self, what: str) -> None:
        """Anything but a number ends it."""
        if not what.isdecimal():
            self.over = True
            return
        self.asked_s = time.monotonic()
        self.turns = Turns()
        self.tell(self.news(what))

    def tell(self, told: dict[str, Any]) -> None:
        """One line, in pieces: a long text is made and sent while the loop has its turns."""
        parts = []
        for name, value in told.items():
            parts.append(f"{json.dumps(name)}: {json.dumps(value)}")
            self.turns.rest()
        try:
            self.client.settimeout(SEND_S)
            self.client.sendall(f"TD1 {{{', '.join(parts)}}}\n".encode())
        except OSError:
            self.over = True

    def news(self, confirmed: str) -> dict[str, Any]:
        """What came since the answer that the client has got: one that came too late for it is told again."""
        if confirmed == str(self.told):
            self.untold = {}
        self.told += 1
        for name in ("beats", "collections", "stacks", "silences", "trips", "waits", "lives", "sizes", "jobs"):
            self.untold[name] = [*self.untold.get(name, ()), *take(getattr(self, name))][-MOST_NEWS:]
        return self.written(self.untold)

    def written(self, news: dict[str, list[Any]]) -> dict[str, Any]:
        names = Names(self.turns, self.files)
        late_s = time.monotonic() - self.beat_s - BEAT_S
        told: dict[str, Any] = {
            "now": time.time(),
            "number": self.told,
            "late": late_s,
            "beats": news["beats"],
            "collections": [(*each[:4], names.stack(each[4]), explicit(each[4])) for each in news["collections"]],
            "stacks": [(at_s, names.stack(stack)) for at_s, stack in news["stacks"]],
            "silences": news["silences"],
            "trips": news["trips"],
            "waits": [(*each[:3], names.stack(each[3]), each[4]) for each in news["waits"]],
            "sizes": news["sizes"],
            "jobs": [(*each[:3], names.stack(each[3]), each[4]) for each in news["jobs"]],
            "lives": [(*each[:3], names.stack(each[3]), each[4]) for each in news["lives"]],
            "count": self.count,
            "groups": [
                (each.name, names.stack(each.chain), each.count, each.age_s, each.waited_s, each.site)
                for each in self.groups
            ],
            "facts": self.facts(),
        }
        if late_s > LATE_S:
            told["threads"] = [
                (thread.name, names.stack(frames_of(frame)))
                for thread in threading.enumerate()
                if (frame := sys._current_frames().get(thread.ident or 0)) is not None and thread.ident != self.thread
            ][:50]
        if self.trip_began is not None:
            told["trip_pending"] = time.monotonic() - self.trip_began
        told["frames"] = names.all
        return told

    def facts(self) -> dict[str, Any]:
        pool = getattr(self.loop, "_default_executor", None)
        queue = getattr(pool, "_work_queue", None)
        return {
            "gc_counts": gc.get_count(),
            "gc_collections": [each["collections"] for each in gc.get_stats()],
            "gc_thresholds": gc.get_threshold(),
            "gc_frozen": self.frozen_objects(),
            "gc_enabled": gc.isenabled(),
            "ready": size_of(getattr(self.loop, "_ready", None)),
            "scheduled": size_of(getattr(self.loop, "_scheduled", None)),
            "executor_queue": queue.qsize() if queue is not None else None,
            "executor_threads": size_of(getattr(pool, "_threads", None)),
            "executor_limit": getattr(pool, "_max_workers", None),
            "debug": self.loop.get_debug(),
        }

    def frozen_objects(self) -> int | None:
        began_s = time.monotonic()
        if began_s >= self.frozen_due_s:
            self.frozen = gc.get_freeze_count()
            self.frozen_due_s = began_s + (time.monotonic() - began_s) / FROZEN_SHARE
        return self.frozen

    # --- coming and going

    def install(self) -> None:
        gc.callbacks.append(self.collected)
        self.loop.call_soon_threadsafe(self.begin)

    def remove(self) -> None:
        """Take everything back."""
        self.over = True
        if self.collected in gc.callbacks:
            gc.callbacks.remove(self.collected)
        with contextlib.suppress(RuntimeError):  # a closed loop, whose timers are gone with it
            self.loop.call_soon_threadsafe(self.stop_beating)
        for file in self.files:
            linecache.cache.pop(file, None)
        self.monitor = None
        self.known, self.groups, self.untold, self.queues, self.modules = {}, [], {}, {}, []
        while self.removals:
            self.removals.pop()()

    def stop_beating(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None


def serve(
    client: socket.socket, loop: asyncio.AbstractEventLoop, loop_threads: tuple[int, int], names: dict[str, Any]
) -> bool:
    """Everything, from coming to having gone, in the thread that came in; whether the loop is done with all of it."""
    probe = Probe(client, loop, loop_threads[0], names)
    try:
        probe.install()
        watchdog = globals().get("Watchdog")
        probe.tell(
            {
                "deep": watchdog is not None and watchdog(probe).is_on,
                "pid": os.getpid(),
                "thread": loop_threads[1],
                "python": ".".join(map(str, sys.version_info[:3])),
                "loop": type(loop).__module__ + "." + type(loop).__qualname__,
            }
        )
        probe.look()
    finally:
        probe.remove()
        probe.tidy_at_last()
    done = threading.Event()
    try:
        loop.call_soon_threadsafe(done.set)
    except RuntimeError:  # it is closed
        return True
    return done.wait(DONE_S)


def forget_console(names: dict[str, Any], console: object) -> None:
    """On the loop, where consoles begin: not when another one has begun since it was looked for."""
    if names.get("print") is not console:
        return
    for name in CONSOLE_NAMES:
        names.pop(name, None)
    if not sys.flags.interactive and (getattr(sys, "ps1", ""), getattr(sys, "ps2", "")) == (">>> ", "... "):
        del sys.ps1, sys.ps2


CONTAINERS = (list, dict, set, deque, OrderedDict, defaultdict)
NAMED = (type, FunctionType, BuiltinFunctionType, ModuleType)  # code, of which nothing grows
TEXTS = (str, bytes, bytearray)
COROUTINES = (CoroutineType, GeneratorType, AsyncGeneratorType)


def is_own_module(module: object) -> bool:
    """Whether a module is the service's: neither the interpreter's nor installed beside it."""
    file = getattr(module, "__file__", None)
    if type(module) is not ModuleType or not isinstance(file, str) or file.startswith(STANDARD):
        return False
    return "site-packages" not in file and "dist-packages" not in file


def name_of_module(module: ModuleType) -> str:
    """Its own name; of the program itself that of its file."""
    name = module.__name__
    return name.rpartition(".")[2] if name != "__main__" else os.path.basename(module.__file__ or name)  # noqa: PTH119


def is_own(kind: type) -> bool:
    """Whether a class is the service's, or a library's that it uses, and not of the interpreter."""
    module = getattr(kind, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] not in sys.stdlib_module_names


def held_by(owner: object) -> list[tuple[str, object]]:
    """What something holds, by name where it has one; no code of the service is run for it."""
    if isinstance(owner, COROUTINES):
        return [("", value) for value in gc.get_referents(owner)]
    if isinstance(owner, ModuleType):
        return [
            (name, value)
            for name, value in list(vars(owner).items())
            if not name.startswith("__") and not issubclass(type(value), NAMED)
        ]
    if isinstance(owner, dict):
        return [("", value) for value in list(owner.values())]
    if isinstance(owner, list | set | deque):
        return [("", value) for value in list(owner)]
    try:
        held: list[tuple[str, object]] = list(object.__getattribute__(owner, "__dict__").items())
    except AttributeError:
        held = []
    for kind in type(owner).__mro__:
        for name, slot in list(vars(kind).items()):
            if isinstance(slot, MemberDescriptorType):
                with contextlib.suppress(AttributeError):
                    held.append((name, slot.__get__(owner)))
    return held


def standing_for_all(groups: Iterable[Group], counts: dict[str, int]) -> list[Group]:
    """The groups, largest first; where only some tasks of a coroutine were looked into, these count for the others."""
    ordered = sorted(groups, key=lambda group: -group.count)
    seen: dict[str, int] = {}
    for group in ordered:
        seen[group.name] = seen.get(group.name, 0) + group.count
    left = dict(counts)
    for group in reversed(ordered):
        group.count = group.count * counts[group.name] // seen[group.name]
        left[group.name] -= group.count
    for group in ordered:
        group.count += left.pop(group.name, 0)
    return ordered


class Names:
    """Frames by number: the same few come again and again."""

    def __init__(self, turns: Turns, files: set[str]) -> None:
        self.all: list[tuple[str, int, str, str, str]] = []
        self._numbers: dict[Called, int] = {}
        self._turns = turns
        self._files = files

    def stack(self, frames: Chain) -> list[int]:
        numbers = []
        for frame in frames:
            self._turns.rest()
            number = self._numbers.get(frame)
            if number is None:
                number = self._numbers[frame] = len(self.all)
                self.all.append((*frame, self._code(frame)))
            numbers.append(number)
        return numbers

    def _code(self, frame: Called) -> str:
        if frame[0] not in linecache.cache:
            self._files.add(frame[0])
        return linecache.getline(frame[0], frame[1]).strip()[:120]


def take(news: deque[Any]) -> list[Any]:
    """What has come, each once; the other threads go on adding."""
    taken = []
    while True:
        try:
            taken.append(news.popleft())
        except IndexError:
            return taken


def size_of(collection: Sized | None) -> int | None:
    return len(collection) if collection is not None else None


def explicit(caller: Sequence[Called]) -> bool | None:
    """Whether the line that was running asked for the collection; None where its text is not to be had."""
    if not caller:
        return None
    line = linecache.getline(caller[-1][0], caller[-1][1])
    return "collect(" in line if line else None
