"""`executor-starvation`: work for a thread queued behind a full pool."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.causes._readings import full_as_marks
from taskdoctor.diagnosis.claiming import beside, marks, spans
from taskdoctor.diagnosis.intervals import covered_s, union
from taskdoctor.model import Cause, Claim, Example, Fix, Interval, Lane, Layer, Priority, Timeline

ID = "executor-starvation"
QUEUED_S = 30.0  # a gauge at its maximum speaks for the stall that contains it, at most this far back
FULL = "counted-threads-full"
GAUGE_S = 10.0  # such gauges are written every few seconds
POOL = "app.executor:gauge:44"


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Measured time in the executor's queue; a full gauge inside a stall."""
    return (
        *spans(timeline, ID, Lane.EXECUTOR, say="work waited {seconds} for a free thread ({label})"),
        *marks(
            full_as_marks(timeline, Lane.EXECUTOR, at_least=1.0),
            ID,
            Lane.EXECUTOR,
            before_s=QUEUED_S,
            weight=0.8,
            say="{label} during {seconds} of waiting",
        ),
        *_queued(timeline),
        *beside(timeline, ID, Lane.EXECUTOR, say="late while {count} others waited ({label})"),
    )


def _queued(timeline: Timeline) -> tuple[Claim, ...]:
    """Waits in a queue while all threads were busy: it is the threads that they waited for."""
    full = union(
        Interval(mark.at_s - GAUGE_S, mark.at_s + GAUGE_S)
        for mark in timeline.marks.get(Lane.EXECUTOR, ())
        if mark.kind == FULL
    )
    waits = tuple(
        wait
        for wait in timeline.spans.get(Lane.QUEUE, ())
        if covered_s(Interval(wait.start_s, wait.end_s), full) >= 0.5 * (wait.seconds or 0.0) > 0
    )
    only = replace(timeline, spans={Lane.EXECUTOR: waits})
    return spans(only, ID, Lane.EXECUTOR, say="waited {seconds} while all threads were busy") if waits else ()


def _full(turn: Turn) -> tuple[Said, ...]:
    line = f"WorkerPool:All 20 threads are busy and {140 + turn.number * 31} jobs pending"
    return (Said(turn.end_s - 0.4, line, "WARNING", POOL),)


def _full_but_quick(turn: Turn) -> tuple[Said, ...]:
    """The pool is full between the turns, where it makes nobody wait."""
    return (
        *slow_tool(turn),
        Said(turn.end_s + 3.0, "WorkerPool:All 20 threads are busy and 2 jobs pending", "WARNING", POOL),
    )


CAUSE = Cause(
    id=ID,
    title="All executor threads were busy; work queued behind them",
    layer=Layer.WAITING_INSIDE,
    lanes=(Lane.EXECUTOR,),
    prior_held=0.01,
    prior_free=0.08,
    claims=claims,
    why=(
        "`asyncio.to_thread` and `run_in_executor(None, ...)` share one pool of min(32, CPUs + 4) threads: eight on a "
        "four-core machine. Speech recognition, file reads and every host name lookup go through it. When all threads "
        "are busy or stuck, a call that takes a millisecond waits for seconds, while the loop is free and the CPU "
        "idle. Name lookups queue there too, so it shows up as DNS time-outs and failed connects."
    ),
    check=(
        "py-spy dump --pid PID | grep -A4 -E '\"(asyncio|ThreadPoolExecutor)[-_0-9]+'   # during a stall: as many "
        "threads as the pool has, none in `_worker` waiting for work: it is full, and the frames say of what"
    ),
    fix=Fix(
        summary="Give slow or endless work a pool of its own, so that the default one stays free for short calls.",
        priority=Priority.P0,
        effort="half an hour",
        risk=(
            "More threads mean more memory and more fights for the GIL, and push the load on to whatever they call. A "
            "cancelled await does not stop its thread: calls without their own time-out fill the new pool too."
        ),
        before="""\
import asyncio


async def listen(audio: bytes, transcribe) -> str:
    return await asyncio.to_thread(transcribe, audio)  # shares the pool with DNS and files
""",
        after="""\
import asyncio
from concurrent.futures import ThreadPoolExecutor

SPEECH = ThreadPoolExecutor(4, thread_name_prefix="speech")


async def listen(audio: bytes, transcribe) -> str:
    return await asyncio.get_running_loop().run_in_executor(SPEECH, transcribe, audio)
""",
    ),
    blind_why="The default executor has no gauge and writes nothing: waiting for a thread looks like the work itself.",
    blind_how=(
        "Probe it every 5 s in a task: `t = time.perf_counter(); await asyncio.to_thread(lambda: None); "
        'logging.info("executor wait: %.3fs", time.perf_counter() - t)`'
    ),
    leads_to=("dns", "queue-backlog"),
    more=(
        "`loop.set_default_executor(ThreadPoolExecutor(64))` buys time in one line, and hides the stuck call. Endless "
        "loops (`queue.get()` without time-out, watchers, consumers) belong in their own thread, never in a pool. "
        "Limit with a semaphore before the pool, so that the queue is where you can see it. An asynchronous resolver "
        "(aiodns) takes name lookups out of the pool. Until Python 3.12 each waited-for subprocess also costs a "
        "thread."
    ),
    examples=(
        Example(name="a full pool during each slow turn", log=incident((4.6, 6.2, 5.1, 7.3, 5.5), _full), wins=True),
        Example(name="full when it does not matter", log=incident((6.2, 7.9, 5.8, 6.6), _full_but_quick), wins=False),
    ),
)
