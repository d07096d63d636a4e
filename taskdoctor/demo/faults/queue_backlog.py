"""The consumer of the audio queue becomes slow, items age."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers

ITEM_S = 0.4


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.hold(levers.mix_item_s, ITEM_S, episode.seconds)


FAULT = Fault(
    name="queue-backlog",
    cause="queue-backlog",
    summary="the one consumer of a queue becomes slow",
    lengths_s=(2.5, 3.8),
    in_service=_act,
)
