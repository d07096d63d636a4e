"""`host-suspend`: the process was stopped, the machine slept, or the clock jumped."""

from __future__ import annotations

from taskdoctor.causes._example_logs import Said, Turn, incident, journal, slow_tool
from taskdoctor.causes._not_running import stopped
from taskdoctor.diagnosis.claiming import marks, spans, stopped_together, unmeasured
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "host-suspend"
LONGEST_SLEEP_S = 3 * 86400.0  # a laptop over a long weekend; the claim is cut to the stall anyway


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Sleep with its length; a resume line says that what led to it was sleep."""
    return (
        *spans(timeline, ID, Lane.SUSPENDED, say="the process did not run for {seconds} ({label})"),
        *spans(
            stopped(timeline), ID, Lane.NOT_SCHEDULED, say="nothing ran for {seconds}, and nothing waited for a CPU"
        ),
        *marks(
            timeline,
            ID,
            Lane.SUSPENDED,
            before_s=LONGEST_SLEEP_S,
            weight=0.9,
            say="{label}: asleep for {seconds} before it",
        ),
        *unmeasured(
            timeline, ID, say="nothing was written for {seconds}, and nothing that was timed across it noticed"
        ),
        *stopped_together(
            timeline, ID, say="{count} processes fell silent together for {seconds} and went on together"
        ),
    )


def _sleep(turn: Turn) -> tuple[Said, ...]:
    return (
        Said(turn.start_s + 0.4, "PM: suspend entry (deep)", logger="kernel"),
        Said(turn.end_s - 0.6, "PM: suspend exit", logger="kernel"),
    )


def _quiet_night(turn: Turn) -> tuple[Said, ...]:
    """The last turn is followed by an hour without work, and then by someone who comes back."""
    if turn.number < 3:
        return slow_tool(turn)
    return (
        *slow_tool(turn),
        Said(turn.end_s + 3600.0, "Connection established for client 5f2e", logger="app.ws:accept:41"),
    )


CAUSE = Cause(
    id=ID,
    title="The machine slept, the process was stopped, or the clock jumped",
    layer=Layer.NOT_RUNNING,
    lanes=(Lane.SUSPENDED,),
    prior_held=0.02,
    prior_free=0.01,
    claims=claims,
    why=(
        "While a machine sleeps, a virtual machine is paused or a process is stopped (SIGSTOP, Ctrl-Z, `docker "
        "pause`), nothing in it runs: no code, no collector, no heartbeat. Afterwards every timer is late by the same "
        "amount, and peers have given up on their connections, so a burst of time-outs and reconnects follows. A wall "
        "clock that is set forward looks the same in a log although nothing stood still. The sign is that several "
        "unrelated processes show the same odd gap."
    ),
    check=(
        'python3 -c "import time; print(time.clock_gettime(time.CLOCK_BOOTTIME) - '
        'time.clock_gettime(time.CLOCK_MONOTONIC))"   # Linux: seconds slept since boot, note it before and after a '
        "stall; unchanged and no `T` in `ps -o stat= -p PID` during the stall: it was not sleep"
    ),
    fix=Fix(
        summary="Keep the host awake while it serves; after a sleep, drop what has expired and reconnect at once.",
        priority=Priority.P2,
        effort="an hour",
        risk=(
            "Keeping a laptop awake drains its battery and heats it in a bag. Reconnecting everything in the same "
            "second is a thundering herd for the peers: spread it over a few seconds."
        ),
        before="""\
import time


def expired(started_at: float) -> bool:
    return time.time() - started_at > 30  # jumps with the wall clock
""",
        after="""\
import asyncio, random, time


async def watch_sleep(reconnect) -> None:
    while True:
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        await asyncio.sleep(5)
        slept_s = time.clock_gettime(time.CLOCK_BOOTTIME) - before - 5  # counts sleep
        if slept_s > 5:
            await asyncio.sleep(random.uniform(0, 3))
            await reconnect()
""",
    ),
    blind_why=(
        "A log of the service alone shows only a gap: sleep, a stopped process, a held loop and an idle hour look "
        "alike without the kernel's lines or a second process beside it."
    ),
    blind_how=(
        "journalctl -k -o short-iso-precise --since today | grep -E 'PM: suspend|clocksource|Restarting tasks' > "
        "kernel.log, then give kernel.log together with the service's log"
    ),
    more=(
        "`systemd-inhibit --what=sleep:idle python server.py` keeps a Linux host awake as long as the service runs. "
        "On cloud machines look for live migration and snapshot events at the times of the gaps; burstable instances "
        "are `cpu-starvation`, not sleep. Measure durations with `time.monotonic()`, never with `time.time()`: a "
        "corrected clock otherwise becomes a stall of minutes. Take such gaps out of alerts instead of raising the "
        "thresholds for everything."
    ),
    examples=(
        Example(
            name="suspended during four turns",
            log=incident((64.0, 182.0, 47.0, 121.0), _sleep, prefix=journal, logger="python[812]"),
            wins=True,
        ),
        Example(
            name="an idle hour is not sleep, and the slow turns belong to a tool",
            log=incident((6.2, 7.9, 5.8, 6.6), _quiet_night),
            wins=False,
        ),
    ),
)
