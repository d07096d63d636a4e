"""Everything is stopped for a while, as when the machine sleeps."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import OutsideLevers


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).send_signal(number)


def _family(levers: OutsideLevers) -> list[int]:
    children = psutil.Process(levers.service_pid).children(recursive=True)
    return [*levers.everyone, *(child.pid for child in children)]


async def _act(levers: OutsideLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        family = _family(levers)
        begun_s = time.time()
        try:
            _signal(family, signal.SIGSTOP)
            await asyncio.sleep(episode.seconds)
        finally:
            _signal(family, signal.SIGCONT)
        stage.acted.append((begun_s, time.time()))


FAULT = Fault(
    name="host-suspend",
    cause="host-suspend",
    summary="all processes are stopped and continued from outside",
    lengths_s=(1.2, 3.6),
    from_outside=_act,
)
