"""`memory-pressure`: swap-in, major faults, reclaim, and the OOM killer."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes._example_logs import Said, Turn, incident, journal
from taskdoctor.causes._readings import full_as_marks, stepping
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "memory-pressure"
PRESSED_PERCENT = 10.0  # of the last ten seconds in which nothing ran for want of memory
FAULTS, FAULTED = "counted-faults", 100.0  # major faults, or MB swapped, between two readings: some of either are usual
FULL_PERCENT = {"dask-memory-high": 80.0, FAULTS: float("inf")}  # of its limit: there the worker pauses
RECLAIM_S = 10.0  # how long a reclaim or a kill announces itself before its line


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Faulting or reclaiming time with its length; pressure and kill lines inside a stall."""
    return (
        *spans(timeline, ID, Lane.MEMORY, say="{seconds} went to memory ({label})"),
        *marks(
            full_as_marks(timeline, Lane.MEMORY, at_least=PRESSED_PERCENT, by_kind=FULL_PERCENT),
            ID,
            Lane.MEMORY,
            before_s=RECLAIM_S,
            weight=0.6,
            say="{label} at the end of {seconds} of lateness",
        ),
        *_faulted(timeline),
    )


def _faulted(timeline: Timeline) -> tuple[Claim, ...]:
    """Stalls where pages were read back from the disk, as a counter tells that is looked at now and then."""
    rises = stepping(timeline, Lane.MEMORY, kind=FAULTS, least=FAULTED)
    only = replace(timeline, spans={Lane.MEMORY: rises})
    return spans(only, ID, Lane.MEMORY, weight=0.8, say="{label} jumped just here") if rises else ()


def _flushing(turn: Turn) -> tuple[Said, ...]:
    return (Said(turn.end_s - 0.1, "Under memory pressure, flushing caches.", logger="systemd-journald[310]"),)


def _elsewhere(turn: Turn) -> tuple[Said, ...]:
    """A kill of somebody else between the turns, and a tool that was slow."""
    return (
        Said(turn.start_s + 0.2, "MCPC: Calling tool 'search' on server 'web'...", logger="python[812]"),
        Said(turn.end_s - 0.2, "Tool 'search' executed successfully.", logger="python[812]"),
        Said(
            turn.end_s + 4.0,
            f"Out of memory: Killed process {20221 + turn.number} (chrome) total-vm:3838904kB, anon-rss:649764kB",
            logger="kernel",
        ),
    )


CAUSE = Cause(
    id=ID,
    title="The machine or the container ran short of memory",
    layer=Layer.NOT_RUNNING,
    lanes=(Lane.MEMORY,),
    prior_held=0.06,
    prior_free=0.03,
    claims=claims,
    why=(
        "When memory is short, a plain read of an object can wait for the disk: its page was swapped out, or the code "
        "page of a library was dropped and must be read again. The thread sits inside the kernel meanwhile, and with "
        "it the loop and everybody on it. Close to the limit of a container the kernel reclaims on every allocation, "
        "long before it kills anything. A full garbage collection touches the whole heap, so it drags all of it back "
        "in."
    ),
    check=(
        "watch -d -n1 'ps -o pid,rss,maj_flt,stat -p PID; cat /proc/pressure/memory /sys/fs/cgroup/memory.events'"
        "   # across a stall: maj_flt or `full total=` must jump; if both stand still, memory is not it"
    ),
    fix=Fix(
        summary="Make room first (fewer copies of the model, a higher limit, leftovers ended), then stop the growth.",
        priority=Priority.P0,
        effort="minutes for a limit or fewer workers; days for a leak",
        risk=(
            "Fewer workers means less throughput and a larger share lost when one dies. A higher limit only moves the "
            "day of the kill if something leaks. Turning swap off turns slowness into kills."
        ),
        before="""\
import uvicorn

# every worker loads its own copy of the model
uvicorn.run("app:app", workers=8)
""",
        after="""\
import uvicorn

# as many copies as fit twice into memory; a worker that grew is replaced
uvicorn.run("app:app", workers=2, limit_max_requests=20_000)
""",
    ),
    blind_why=(
        "The lines about it are written by the kernel and by systemd, not by the service; page faults are written by "
        "nobody."
    ),
    blind_how=(
        'while sleep 1; do echo "$(date +%FT%T.%3N) memory: $(grep full /proc/pressure/memory)"; done > memory.log   '
        "# and `journalctl -k -o short-iso-precise > kernel.log`; give both together with the log"
    ),
    leads_to=("gc-pause",),
    more=(
        "Set `MALLOC_ARENA_MAX=2` when the resident size is far above what Python holds (threads each get an arena); "
        "it costs some allocation speed. In a container set memory.high below memory.max only if you accept slowness "
        "before kills. SIGKILL after gunicorn's WORKER TIMEOUT is gunicorn, not the OOM killer: the loop was held. "
        "See `state-growth`, `task-leak` and `orphan-processes` for what usually fills the memory."
    ),
    examples=(
        Example(
            name="reclaim at the end of every slow turn",
            log=incident((4.2, 3.6, 5.1, 3.9, 4.4), _flushing, prefix=journal, logger="python[812]"),
            wins=True,
        ),
        Example(
            name="kills of somebody else, between the turns",
            log=incident((6.2, 7.9, 5.8, 6.6), _elsewhere, prefix=journal, logger="python[812]"),
            wins=False,
        ),
    ),
)
