"""The LLM refuses with 429 and a time to wait."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import UpstreamLevers


async def _act(levers: UpstreamLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.hold(levers.refusals, 1, episode.seconds)


FAULT = Fault(
    name="rate-limit",
    cause="rate-limit",
    summary="the LLM answers 429 with a retry-after",
    lengths_s=(1.5, 3.0),
    in_upstream=_act,
)
