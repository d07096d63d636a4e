"""Slow uploads take every thread of the default executor."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.archive_s, episode.seconds, episode)


FAULT = Fault(
    name="executor-starvation",
    cause="executor-starvation",
    summary="uploads fill the default executor, everything else queues behind them",
    lengths_s=(1.5, 2.6),
    in_service=_act,
)
