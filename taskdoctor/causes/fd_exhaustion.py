"""`fd-exhaustion`: no file descriptors left."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes import _risks
from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool, stdlib
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.diagnosis.intervals import covered_s, union
from taskdoctor.model import Cause, Claim, Example, Fix, Interval, Lane, Layer, Priority, Risk, Timeline

ID = "fd-exhaustion"
AGAIN_S = 1.5  # accept() is tried again each second
OUTSIDE = (Lane.QUEUE, Lane.UPSTREAM)
OUT_S = 30.0  # descriptors stay short until something is closed; the claim is cut to the stall


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Nothing measures its length: the decisive line inside a stall speaks for what led to it."""
    return (
        *spans(timeline, ID, Lane.DESCRIPTORS, say="no descriptors for {seconds} ({label})"),
        *marks(timeline, ID, Lane.DESCRIPTORS, before_s=OUT_S, weight=0.9, say="{label} inside the stall"),
        *_waits_outside(timeline),
    )


def _waits_outside(timeline: Timeline) -> tuple[Claim, ...]:
    """Waits in a queue, or for a peer, during which nothing could be opened."""
    out = union(Interval(mark.at_s - AGAIN_S, mark.at_s + AGAIN_S) for mark in timeline.marks.get(Lane.DESCRIPTORS, ()))
    waits = tuple(
        wait
        for lane in OUTSIDE
        for wait in timeline.spans.get(lane, ())
        if covered_s(Interval(wait.start_s, wait.end_s), out) >= 0.5 * (wait.seconds or 0.0) > 0
    )
    if not waits:
        return ()
    only = replace(timeline, spans={Lane.DESCRIPTORS: waits})
    return spans(only, ID, Lane.DESCRIPTORS, weight=0.9, say="waited {seconds} while no descriptor was left ({label})")


def risks(timeline: Timeline) -> tuple[Risk, ...]:
    """Descriptors that grow, or ran out where nothing was seen to wait for it."""
    return _risks.growing(timeline, CAUSE, "Open descriptors grow", Lane.DESCRIPTORS) or _risks.happened(
        CAUSE, "Descriptors ran out", timeline.marks.get(Lane.DESCRIPTORS, ()), often=3
    )


def _refused(turn: Turn) -> tuple[Said, ...]:
    """accept() is tried again each second, and fails again, until the end of the stall."""
    times = (turn.start_s + 0.3, turn.end_s - 0.2)
    return tuple(
        Said(at_s + part, text, "ERROR", "asyncio")
        for at_s in times
        for part, text in (
            (0.0, "socket.accept() out of system resource"),
            (0.001, "OSError: [Errno 24] Too many open files"),
        )
    )


def _once_at_night(turn: Turn) -> tuple[Said, ...]:
    if turn.number:
        return slow_tool(turn)
    backup = Said(
        turn.end_s + 4.0, "backup failed: OSError: [Errno 24] Too many open files", "ERROR", "app.backup:run:12"
    )
    return (*slow_tool(turn), backup)


CAUSE = Cause(
    id=ID,
    title="The process ran out of file descriptors",
    layer=Layer.WAITING_INSIDE,
    lanes=(Lane.DESCRIPTORS,),
    prior_held=0.003,
    prior_free=0.003,
    claims=claims,
    risks=risks,
    why=(
        "Every socket, file, pipe and subprocess needs a descriptor, and a process may have only so many (often "
        "1024). At the limit nothing new can be opened: asyncio cannot accept a connection and tries again each "
        "second, connects, log rotation and subprocesses fail. Those already connected go on, so only some users "
        "notice. Almost always something is opened per request and not closed: an HTTP client, an MCP server's pipes, "
        "a dead websocket."
    ),
    check=(
        "ls /proc/PID/fd | wc -l; grep 'open files' /proc/PID/limits; "
        "ls -l /proc/PID/fd | awk 'NR>1 {print $NF}' | sed -E 's/[0-9]+/N/g' | sort | uniq -c | sort -rn | head"
        "   # over 90 % of the soft limit confirms it; the last list names what is not closed"
    ),
    fix=Fix(
        summary=(
            "Raise the limit now, then close what each request opens: one shared client, `async with` for the rest."
        ),
        priority=Priority.P0,
        effort="5 minutes for the limit, an hour for the leak",
        risk=(
            "A higher limit without the fix only moves the day, and lets select()-based libraries fail above 1024. A "
            "shared client shares its cookies and its limits: 100 connections by default."
        ),
        before="""\
import httpx


async def ask(url: str) -> str:
    client = httpx.AsyncClient()  # one pool per question, never closed
    return (await client.get(url)).text
""",
        after="""\
import contextlib, resource
import httpx


@contextlib.asynccontextmanager
async def lifespan(app):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65_536, hard), hard))
    async with httpx.AsyncClient(timeout=30) as app.state.http:
        yield
""",
    ),
    blind_why="Errors appear only once the limit is reached; how near it is stands in no log.",
    blind_how=(
        'logging.info("open descriptors: %d of %d", len(os.listdir("/proc/self/fd")), '
        "resource.getrlimit(resource.RLIMIT_NOFILE)[0])   # each minute"
    ),
    leads_to=("dns", "queue-backlog", "upstream-latency"),
    more=(
        "systemd: `LimitNOFILE=65536`; docker: `--ulimit nofile=65536:65536`; a shell's `ulimit -n` does not reach "
        "services. `python -X dev` names unclosed sockets and clients with the place that made them. Websockets of "
        "dead clients need a ping time-out to go away. CLOSE_WAIT in `ss -tnp` means the peer has gone and we have "
        "not closed. A title that says memory leak and a log that says errno 24: it is the descriptors."
    ),
    examples=(
        Example(
            name="accept refuses during each slow turn",
            log=incident((4.1, 5.6, 3.9, 6.2, 4.8), _refused, prefix=stdlib),
            wins=True,
        ),
        Example(name="once, between two turns", log=incident((6.2, 7.9, 5.8, 6.6), _once_at_night), wins=False),
    ),
)
