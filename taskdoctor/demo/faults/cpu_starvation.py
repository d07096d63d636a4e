"""Busy neighbours on the one processor that the service may use, with the service the least important of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress

import psutil

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import OutsideLevers

NEIGHBOURS = 6
NICE = 19
SPIN = "import os,time\nparent=os.getppid()\nend=time.time()+600\nwhile time.time()<end and os.getppid()==parent: pass"


def _pin(pid: int, processor: int, *, nice: int) -> None:
    """One processor and one importance for every thread of a process."""
    for thread in psutil.Process(pid).threads():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(thread.id, {processor})
            os.setpriority(os.PRIO_PROCESS, thread.id, nice)


async def _neighbour(processor: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", SPIN)
    process.send_signal(signal.SIGSTOP)
    _pin(process.pid, processor, nice=0)
    return process


async def _act(levers: OutsideLevers, stage: Stage) -> None:
    processor = max(os.sched_getaffinity(0))
    _pin(levers.service_pid, processor, nice=NICE)
    neighbours = [await _neighbour(processor) for _ in range(NEIGHBOURS)]
    try:
        async for episode in stage.episodes():
            begun_s = time.time()
            _signal(neighbours, signal.SIGCONT)
            await asyncio.sleep(episode.seconds)
            _signal(neighbours, signal.SIGSTOP)
            stage.acted.append((begun_s, time.time()))
    finally:
        _signal(neighbours, signal.SIGKILL)
        await asyncio.gather(*(process.wait() for process in neighbours))


def _signal(processes: list[asyncio.subprocess.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(number)


FAULT = Fault(
    name="cpu-starvation",
    cause="cpu-starvation",
    summary="busy neighbours take the processor that the service runs on",
    lengths_s=(1.4, 3.0),
    from_outside=_act,
)
