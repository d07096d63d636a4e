"""`blocking-call`: a synchronous call sat on the loop."""

from __future__ import annotations

from taskdoctor.causes import _loop_held
from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.diagnosis.claiming import announced, as_long_as_silence, marks, spans
from taskdoctor.diagnosis.stalls import MAY_HOLD
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "blocking-call"
HEARTBEAT_STEP_S = 10.0  # watchdogs that name the frame do so after about this long


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """A named call in full; held time of open cause by what the CPU did meanwhile."""
    return (
        *spans(timeline, ID, Lane.BLOCKING, say="{label} at {site} held the loop for {seconds}"),
        *marks(
            timeline,
            ID,
            Lane.BLOCKING,
            before_s=HEARTBEAT_STEP_S,
            weight=0.8,
            say="{label} at {site} caught on the loop",
        ),
        *_loop_held.open_cause(
            timeline,
            ID,
            _loop_held.Weights(busy=0.0, idle=0.9, unknown=0.7, working=0.3),
            say="the loop was held for {seconds}, seen at {label} ({site})",
        ),
        *announced(timeline, ID, Lane.BLOCKING, say="{label} at {site} was caught, and everything stood still"),
        *as_long_as_silence(
            timeline,
            ID,
            *MAY_HOLD,
            weigh=lambda event: 0.0 if _loop_held.computes(event) else 0.8,
            say="{label} took {seconds}, as long as everything else stood still",
        ),
    )


def _same_callback(turn: Turn) -> tuple[Said, ...]:
    """Debug mode of asyncio: the same step each time, with nearly the same length."""
    step = (
        "Executing <Task finished name='Task-41' coro=<ChatSession.reply() done, defined at /srv/app/chat.py:88> "
        f"result=None created at /srv/app/ws.py:41> took {turn.seconds - 0.7:.3f} seconds"
    )
    return (Said(turn.end_s - 0.3, step, "WARNING", "asyncio:_run_once:1928"),)


def _blips(turn: Turn) -> tuple[Said, ...]:
    blip = (
        f"Executing <TimerHandle when={4100 + turn.number}.2 sweep() at /srv/app/sweeper.py:{20 + turn.number}> "
        "took 0.118 seconds"
    )
    return (*slow_tool(turn), Said(turn.start_s + 2.0, blip, "WARNING", "asyncio:_run_once:1928"))


CAUSE = Cause(
    id=ID,
    title="A synchronous call held the event loop",
    layer=Layer.LOOP_HELD,
    lanes=(Lane.BLOCKING, Lane.LOOP_HELD),
    prior_held=0.40,
    prior_free=0.03,
    claims=claims,
    why=(
        "One thread runs all coroutines. A call that waits without `await` (requests, time.sleep, a database driver, "
        "a big file, subprocess.run, a thread lock, the first import of a heavy module) keeps that thread, so "
        "everybody waits: other sessions, heartbeats, even time-outs of calls that were answered long ago. The CPU is "
        "idle meanwhile, which is how it differs from computation. Nearly equal lengths each time mean the same call; "
        "round ones (5, 10, 30 s) mean somebody's time-out."
    ),
    check=(
        "for i in 1 2 3; do py-spy dump --pid PID; sleep 0.2; done   # during a freeze, with sudo if refused: the "
        "same application frame on MainThread in two of three and little CPU: that line is it; `select`/`epoll` on "
        "top: the loop is free"
    ),
    fix=Fix(
        summary="Use the async client, or hand the call to a thread, with a time-out in both cases.",
        priority=Priority.P0,
        effort="10 minutes per call",
        risk=(
            "Code in a thread runs beside the loop: what it shares needs a lock, and asyncio objects must not be "
            "touched from it. Threads are few (min(32, CPUs + 4)) and a time-out does not stop one: slow calls then "
            "starve the executor. Work that holds the GIL stays a stall in a thread too."
        ),
        before="""\
import requests


async def weather(city: str) -> str:
    reply = requests.get(f"https://api.example.com/{city}")  # everybody waits
    return reply.text
""",
        after="""\
import asyncio
import requests


async def weather(city: str) -> str:
    async with asyncio.timeout(8):
        reply = await asyncio.to_thread(requests.get, f"https://api.example.com/{city}", timeout=7)
    return reply.text
""",
    ),
    blind_why=(
        "asyncio reports slow steps only in debug mode, and never the line inside the step. Without either a log "
        "shows a silence of all lines at most."
    ),
    blind_how=(
        "PYTHONASYNCIODEBUG=1 python server.py   # logs each step over 0.1 s; costs a few percent, on one instance "
        "for an hour"
    ),
    leads_to=("queue-backlog",),
    more=(
        "Find the candidates without running: `ruff check --select ASYNC .` knows sleep, open, requests, subprocess "
        "and more. Import and warm up heavy modules at start, not in the first request. Thread locks held across an "
        "await freeze everything at the first contention: use asyncio.Lock, or never await inside. The coroutine "
        "named by a detector can be a victim: trust it when the same name repeats. Several workers hide the problem, "
        "they do not solve it: each still freezes its own sessions."
    ),
    examples=(
        Example(name="the same step each time", log=incident((3.0, 3.1, 3.0, 3.2, 3.1), _same_callback), wins=True),
        Example(
            name="blips of a tenth of a second, and a slow tool", log=incident((6.2, 7.9, 5.8, 6.6), _blips), wins=False
        ),
    ),
)
