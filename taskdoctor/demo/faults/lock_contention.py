"""A slow compaction awaits with the lock of the shared store in its hand."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.compact_s, episode.seconds, episode)


FAULT = Fault(
    name="lock-contention",
    cause="lock-contention",
    summary="a compaction holds the lock of the shared session store",
    lengths_s=(2.0, 4.0),
    in_service=_act,
)
