"""Exports hold all connections of the pool while their reader is slow."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.export_s, episode.seconds, episode)


FAULT = Fault(
    name="pool-exhaustion",
    cause="pool-exhaustion",
    summary="exports hold every connection of a small pool",
    lengths_s=(1.6, 3.0),
    in_service=_act,
)
