"""`slow-logging`: a log handler or a print blocked the loop."""

from __future__ import annotations

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "slow-logging"


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """A handler that measured itself; an error of a handler inside a stall is only a hint."""
    return (
        *spans(timeline, ID, Lane.LOGGING, say="writing the log took {seconds} ({label})"),
        *marks(timeline, ID, Lane.LOGGING, before_s=2.0, weight=0.4, say="{label} inside the stall"),
    )


def _blocked_handler(turn: Turn) -> tuple[Said, ...]:
    line = f"log handler StreamHandler blocked for {turn.seconds - 0.8:.3f}s"
    return (Said(turn.end_s - 0.3, line, "WARNING", "app.log:emit:57"),)


def _chatty(turn: Turn) -> tuple[Said, ...]:
    """Many lines in a row: noise, not lateness."""
    return (
        *slow_tool(turn),
        *(Said(turn.start_s + 0.3 + part / 100, f"chunk {part} of the answer", "DEBUG") for part in range(3)),
    )


CAUSE = Cause(
    id=ID,
    title="Writing the log held the event loop",
    layer=Layer.LOOP_HELD,
    lanes=(Lane.LOGGING,),
    prior_held=0.04,
    prior_free=0.01,
    claims=claims,
    why=(
        "A log call writes before it returns. If nobody reads the pipe behind stdout fast enough, the disk is busy, "
        "the terminal window is selected, or a rotation compresses a file, that write waits, and the loop with it. "
        "Handlers also share a lock: a slow write in a thread stops a log call on the loop. Stalls then come with "
        "many lines and vanish when the level is raised, which is easily mistaken for the code around the log call."
    ),
    check=(
        "py-spy dump --pid PID | grep -nE 'logging/__init__|loguru|rich/|print'; cat /proc/PID/wchan; echo"
        "   # during a freeze, twice: emit/write/flush on MainThread, or `pipe_write` as wait channel, is it"
    ),
    fix=Fix(
        summary="Let a thread of its own write: the loop only puts lines into a queue.",
        priority=Priority.P1,
        effort="15 minutes",
        risk=(
            "What is still in the queue is lost when the process is killed. A queue without a bound moves the stall "
            "into memory; one with a bound drops lines when it is full: decide which, and count what was dropped."
        ),
        before="""\
import logging
import sys

logging.basicConfig(stream=sys.stdout, level=logging.DEBUG)
""",
        after="""\
import atexit, logging, queue, sys
from logging.handlers import QueueHandler, QueueListener

lines: queue.Queue[logging.LogRecord] = queue.Queue(10_000)
listener = QueueListener(lines, logging.StreamHandler(sys.stdout))
logging.basicConfig(handlers=[QueueHandler(lines)], level=logging.INFO)
listener.start()
atexit.register(listener.stop)
""",
    ),
    blind_why=(
        "A log cannot time its own writing: stamps are made before the line is written. Only an outer stamp (docker, "
        "journald) that runs behind the inner one shows it."
    ),
    blind_how=(
        "docker logs -t CONTAINER > server.log   # two stamps per line; a difference that grows is the time of writing"
    ),
    more=(
        "With loguru, `logger.add(sink, enqueue=True)` does the same, but its queue is a pipe of 64 KiB: if the sink "
        "stands still, the loop does again. Do not log each token or audio chunk; log the whole once. Rotate and "
        "compress outside (logrotate with copytruncate) instead of in a handler. In containers keep what reads stdout "
        "fast: docker's `mode=non-blocking` drops lines instead of blocking. Rich tracebacks with locals can take "
        "seconds: off in production."
    ),
    examples=(
        Example(name="a handler that waited", log=incident((2.9, 3.6, 3.1, 4.0, 3.3), _blocked_handler), wins=True),
        Example(name="many lines are not slow lines", log=incident((6.2, 7.9, 5.8, 6.6), _chatty), wins=False),
    ),
)
