"""The log collector pauses, the pipe to it fills, and the handler blocks the loop."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import OutsideLevers
from taskdoctor.demo.settings import Settings


def _shipping(settings: Settings) -> Settings:
    return replace(settings, ship_logs=True)


async def _act(levers: OutsideLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.hold(levers.collector_pause, 1, episode.seconds)


FAULT = Fault(
    name="slow-logging",
    cause="slow-logging",
    summary="the reader of the log pipe pauses, and writing to it blocks",
    lengths_s=(2.6, 4.0),
    from_outside=_act,
    adjust=_shipping,
)
