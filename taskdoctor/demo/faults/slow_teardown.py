"""Closing a session joins its recorder thread on the loop while that flushes."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.recorder_flush_s, episode.seconds, episode)


FAULT = Fault(
    name="slow-teardown",
    cause="slow-teardown",
    summary="closing a session joins a flushing thread on the loop",
    lengths_s=(0.8, 2.6),
    in_service=_act,
)
