"""A history that nobody trims grows in steps; each checkpoint walks all of it on the loop."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers

MESSAGES = 60_000


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.imported_messages, MESSAGES, episode)


FAULT = Fault(
    name="state-growth",
    cause="state-growth",
    summary="a history that only grows is walked again and again",
    lengths_s=(0.5, 1.0),
    in_service=_act,
)
