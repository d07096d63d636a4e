"""`queue-backlog`: a consumer fell behind; items aged in a queue."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.causes._readings import full_as_marks, queued_for_threads
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "queue-backlog"
LONG_QUEUE = 3.0  # one or two waiting are traffic
FULL_S = 10.0  # a line that says "full" speaks for the seconds that led to it


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Measured age in a queue, unless it was one for threads; a full queue inside a stall."""
    for_threads, others = queued_for_threads(timeline)
    if for_threads:
        timeline = replace(
            timeline, spans={**timeline.spans, Lane.QUEUE: others}, levels={**timeline.levels, Lane.QUEUE: ()}
        )
    return (
        *spans(timeline, ID, Lane.QUEUE, say="an item waited {seconds} in a queue ({label})"),
        *marks(
            full_as_marks(timeline, Lane.QUEUE, at_least=LONG_QUEUE),
            ID,
            Lane.QUEUE,
            before_s=FULL_S,
            weight=0.7,
            say="{label} inside the stall",
        ),
    )


def _aged(turn: Turn) -> tuple[Said, ...]:
    line = f"Failed to schedule request after {20 + turn.number} attempts over {turn.seconds - 0.9:.2f}s. Retrying."
    return (Said(turn.end_s - 0.6, line, "WARNING", "serve.router:assign:512"),)


def _drains(turn: Turn) -> tuple[Said, ...]:
    """A queue that is short whenever anybody looks."""
    line = (
        "Avg prompt throughput: 41.2 tokens/s, Avg generation throughput: 30.4 tokens/s, Running: 1 reqs, Waiting: 0 "
        "reqs"
    )
    return (Said(turn.end_s - 0.1, line, logger="engine.metrics:log:81"),)


CAUSE = Cause(
    id=ID,
    title="A consumer fell behind and work aged in its queue",
    layer=Layer.WAITING_INSIDE,
    lanes=(Lane.QUEUE,),
    prior_held=0.01,
    prior_free=0.04,
    claims=claims,
    why=(
        "More comes in than the consumer takes out, so each item waits for all before it: the work itself is as quick "
        "as ever, the wait before it grows. A queue without a bound hides this until memory is short; one burst, or a "
        "consumer that died of an exception nobody fetched, is enough. A model server with one slot is such a queue "
        "too: requests wait there while its own figures look fine. The later an item stands in line, the later it is."
    ),
    check=(
        'Log the age at the consumer for ten minutes: `logging.info("queue age %.3fs, depth %d", time.monotonic() - '
        "item.put_at, queue.qsize())`   # age rising while the time of the work itself is flat confirms it; age near "
        "zero refutes it"
    ),
    fix=Fix(
        summary="Bound the queue, say no early when it is full, and give it as many consumers as the work bears.",
        priority=Priority.P1,
        effort="an hour",
        risk=(
            "A full queue must now be answered: callers see a refusal instead of a long wait. If you wait for room "
            "instead, the pressure goes up to the producer: it must not be the one who also empties the queue, or "
            "both wait for ever."
        ),
        before="""\
import asyncio

jobs: asyncio.Queue[str] = asyncio.Queue()  # no bound: it grows until memory ends


async def submit(job: str) -> None:
    await jobs.put(job)
""",
        after="""\
import asyncio

jobs: asyncio.Queue[str] = asyncio.Queue(maxsize=100)


def submit(job: str) -> bool:
    try:
        jobs.put_nowait(job)
    except asyncio.QueueFull:
        return False  # tell the caller now, not in thirty seconds
    return True
""",
    ),
    blind_why="asyncio.Queue writes nothing about its length or the age of what is in it.",
    blind_how=(
        'logging.info("queue age %.3fs, depth %d", time.monotonic() - item.put_at, queue.qsize())   # when an item is '
        "taken out"
    ),
    leads_to=("memory-pressure",),
    more=(
        "Drop what nobody waits for any more: check at the consumer whether the client is still there. Several "
        "consumers lose the order of a session: keep one queue per session if order matters. Guard the consumer's "
        "loop body with try/except and log: one bad item must not end it. Await `drain()` after `write()`, or the "
        "kernel's and asyncio's send buffers are the queue. If the consumer itself is held up, look at the causes in "
        "front of this one first."
    ),
    examples=(
        Example(name="waits before the work", log=incident((4.4, 6.1, 7.8, 5.2, 6.6), _aged), wins=True),
        Example(
            name="nothing waits, a tool is slow",
            log=incident((6.2, 7.9, 5.8, 6.6), slow_tool, ordinary=_drains),
            wins=False,
        ),
    ),
)
