"""Deliveries that nobody acknowledges pile up; each works at every change of presence."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers

DELTAS_PER_TURN = 14


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.hold(levers.unacknowledged, DELTAS_PER_TURN, episode.seconds)


FAULT = Fault(
    name="task-leak",
    cause="task-leak",
    summary="deliveries that nobody acknowledges pile up, each wakes at every change",
    lengths_s=(2.5, 3.5),
    in_service=_act,
)
