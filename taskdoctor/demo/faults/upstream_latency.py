"""The LLM takes seconds to its first token."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import UpstreamLevers

FIRST_TOKEN_S = 4.0


async def _act(levers: UpstreamLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.hold(levers.first_token_s, FIRST_TOKEN_S, episode.seconds)


FAULT = Fault(
    name="upstream-latency",
    cause="upstream-latency",
    summary="the LLM takes seconds to its first token",
    lengths_s=(0.8, 1.7),
    in_upstream=_act,
)
