"""A tool server survives its session, goes on syncing, and keeps the shared database locked meanwhile."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers

SLOTS_A_SYNC = 3.4  # the longest time between two syncs of one, in episodes


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.left_servers, SLOTS_A_SYNC * episode.slot_s, episode)


FAULT = Fault(
    name="orphan-processes",
    cause="orphan-processes",
    summary="tool servers survive their session and keep a database locked",
    lengths_s=(0.5, 1.0),
    in_service=_act,
)
