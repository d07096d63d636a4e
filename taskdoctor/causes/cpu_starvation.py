"""`cpu-starvation`: the process wanted to run and was not given a CPU."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.causes._not_running import readings, starved, without_readings
from taskdoctor.causes._readings import counted_as_spans, full_as_marks
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "cpu-starvation"
COUNTER = "cgroup-throttled"  # microseconds since the start of the container
PERIODS = "cgroup-throttled-periods"  # of a tenth of a second, each with some of it lost
PERIODS_PER_S = 10.0
PRESSED_PERCENT = 30.0  # of the last ten seconds in which somebody waited for a CPU
SLOW_S = (3.4, 2.9, 4.1, 3.2, 3.7)  # the slow turns of the example
PRESSURE_WINDOW_S = 10.0  # the kernel's own avg10


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Throttled or runnable-but-waiting time; a reading of the pressure inside a stall, with less weight."""
    counted = counted_as_spans(starved(timeline), Lane.NOT_SCHEDULED, kind=COUNTER, per_second=1e6)
    counted = counted_as_spans(counted, Lane.NOT_SCHEDULED, kind=PERIODS, per_second=PERIODS_PER_S)
    pressed = full_as_marks(
        timeline, Lane.NOT_SCHEDULED, at_least=PRESSED_PERCENT, by_kind={COUNTER: inf, PERIODS: inf}
    )
    return (
        *spans(
            without_readings(counted), ID, Lane.NOT_SCHEDULED, say="runnable but without a CPU for {seconds} ({label})"
        ),
        *(
            replace(claim, direct=False)  # so much since the last reading: when, it does not say
            for claim in spans(readings(counted), ID, Lane.NOT_SCHEDULED, say="{seconds} in the run queue of the CPU")
        ),
        *marks(
            pressed,
            ID,
            Lane.NOT_SCHEDULED,
            before_s=PRESSURE_WINDOW_S,
            weight=0.5,
            say="{label} within the {seconds} before it",
        ),
        *marks(
            timeline,
            ID,
            Lane.NOT_SCHEDULED,
            before_s=PRESSURE_WINDOW_S,
            weight=0.8,  # the service's own gauge, or its host's, of what was taken from it
            say="{label} within the {seconds} before it",
        ),
    )


def _reading(at_s: float, throttled_s: float) -> Said:
    counters = f"nr_periods {at_s * 10:.0f} nr_throttled {throttled_s * 11:.0f} throttled_usec {throttled_s * 1e6:.0f}"
    return Said(at_s, f"cpu.stat: {counters}", logger="app.watch:cpu:31")


def _before(turn: Turn) -> tuple[Said, ...]:
    """The counter at the start of each turn: it only ever rises."""
    return (_reading(turn.start_s, sum(SLOW_S[: turn.number]) - 0.6 * turn.number),)


def _throttled(turn: Turn) -> tuple[Said, ...]:
    return (_reading(turn.end_s - 0.1, sum(SLOW_S[: turn.number + 1]) - 0.6 * (turn.number + 1)),)


def _harmless(turn: Turn) -> tuple[Said, ...]:
    """Four thousandths of a second in every second."""
    return (_reading(turn.start_s, turn.start_s * 0.004),)


CAUSE = Cause(
    id=ID,
    title="The process was ready to run but got no CPU",
    layer=Layer.NOT_RUNNING,
    lanes=(Lane.NOT_SCHEDULED,),
    prior_held=0.07,
    prior_free=0.02,
    claims=claims,
    why=(
        "A container with a CPU limit gets a budget for each 100 ms; when its threads have used it up, all of them "
        "stand still until the next period. Eight threads on a limit of one CPU burn the budget in 12 ms and then "
        "wait 88 ms, again and again, while the average reads a harmless 45 %. A busy host, a noisy neighbour or "
        "stolen time of a virtual machine do the same. Everything in the process stops at a random instruction, so "
        "every stack and every other signal taken meanwhile lies."
    ),
    check=(
        'watch -d -n1 \'grep -E "nr_throttled|throttled_usec" /sys/fs/cgroup/cpu.stat; cat /proc/PID/schedstat '
        "/proc/pressure/cpu'   # inside the container, across a stall: throttled_usec, or the second number of "
        "schedstat (ns spent waiting for a CPU), must grow by about the length of the stall"
    ),
    fix=Fix(
        summary="Raise or drop the CPU limit, and size thread pools by the CPUs granted, not by those the host has.",
        priority=Priority.P1,
        effort="a line in the deployment, half an hour for the pools",
        risk=(
            "Without a limit this service can starve its neighbours: keep a CPU request, so that the scheduler still "
            "places it well. Fewer threads lower the peak throughput of native code."
        ),
        before="""\
import os
import torch

torch.set_num_threads(os.cpu_count() or 1)  # the host's 64, not the container's 2
""",
        after="""\
from pathlib import Path
import torch


def granted_cpus() -> int:
    quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    return 64 if quota == "max" else max(1, int(quota) // int(period))


torch.set_num_threads(granted_cpus())
""",
    ),
    blind_why=(
        "A process that is not scheduled cannot write that down; a log shows a silence and late timers, as for every "
        "other way of holding the loop. Only the kernel's counters tell it."
    ),
    blind_how=(
        'while sleep 1; do echo "$(date +%FT%T.%3N) cpu.stat: '
        '$(grep -h thrott /sys/fs/cgroup/cpu.stat | tr "\\n" " ")"; done > cpu.log   # give it together with the log'
    ),
    leads_to=("queue-backlog",),
    more=(
        "Set OMP_NUM_THREADS, MKL_NUM_THREADS and TOKENIZERS_PARALLELISM too: each native library starts its own "
        "pool. Move batch work, builds and backups to another machine or run them under `nice -n 19`; that helps "
        "against neighbours, not against a limit. On burstable cloud machines look at the CPU credits. Health probes "
        "with short time-outs turn a throttled minute into a restart: give them at least as long as the worst stall."
    ),
    examples=(
        Example(
            name="throttled for most of each slow turn", log=incident(SLOW_S, _throttled, ordinary=_before), wins=True
        ),
        Example(
            name="4 ms of throttling everywhere, and a slow tool",
            log=incident((6.2, 7.9, 5.8, 6.6), slow_tool, ordinary=_harmless),
            wins=False,
        ),
    ),
)
