"""The browser reports the end of its playback late, or never."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ClientLevers

SHARE_NEVER = 0.4
NEVER_S = 30.0


async def _act(levers: ClientLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        late_s = NEVER_S if stage.rng.random() < SHARE_NEVER else stage.rng.uniform(2.5, 4.5)
        await stage.hold(levers.playback_s, late_s, episode.seconds)


FAULT = Fault(
    name="frontend",
    cause="frontend",
    summary="the browser reports the end of playback late or never",
    lengths_s=(1.5, 2.6),
    in_clients=_act,
)
