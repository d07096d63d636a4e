"""The name server drops queries; a resolver asks again after five seconds."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import UpstreamLevers


async def _act(levers: UpstreamLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.hold(levers.lost_queries, 1, episode.seconds)


FAULT = Fault(
    name="dns",
    cause="dns",
    summary="name queries are lost, and asked again after 5 s",
    lengths_s=(0.6, 1.1),
    in_upstream=_act,
)
