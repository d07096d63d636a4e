"""A large cyclic heap: each full collection walks all of it, with the interpreter held."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.settings import Settings

NODES = 2_000_000  # about 400 MB
MOST_PASSING = 2_000_000  # far beyond the quarter of the heap that lets the oldest generation run
RAISED = (20_000, 5, 3)  # a service that large has tuned its collector already


def _large_heap(settings: Settings) -> Settings:
    return replace(settings, memory_nodes=NODES, gc_thresholds=RAISED)


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.absorbed, MOST_PASSING, episode)


FAULT = Fault(
    name="gc-pause",
    cause="gc-pause",
    summary="a big cyclic heap that generation 2 walks, 0.6 to 2 s each time",
    lengths_s=(0.6, 2.0),
    in_service=_act,
    adjust=_large_heap,
)
