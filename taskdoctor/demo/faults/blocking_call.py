"""A synchronous call on the loop: a slow file share, or an HTTP request without await."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers

SHARE_OF_FETCHES = 0.35


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        fetch = stage.rng.random() < SHARE_OF_FETCHES
        await stage.pull_once(levers.voice_fetch_s if fetch else levers.profile_disk_s, episode.seconds, episode)


FAULT = Fault(
    name="blocking-call",
    cause="blocking-call",
    summary="a synchronous file write or HTTP request sits on the loop",
    lengths_s=(0.7, 2.4),
    in_service=_act,
)
