"""A turn forgets to close its attachments, and the process may not open anything more."""

from __future__ import annotations

import asyncio

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers

REST = 60  # descriptors above what a full house needs
KEPT_PER_TURN = 200
SETTLE_S = 2.0  # sessions are open by then


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    await asyncio.sleep(SETTLE_S)
    await levers.descriptors_left.pull_once(REST, patience_s=SETTLE_S)
    async for episode in stage.episodes():
        await stage.hold(levers.kept_handles, KEPT_PER_TURN, episode.seconds)


FAULT = Fault(
    name="fd-exhaustion",
    cause="fd-exhaustion",
    summary="attachments stay open until no descriptor is left",
    lengths_s=(1.2, 2.2),
    in_service=_act,
)
