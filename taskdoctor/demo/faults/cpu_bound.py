"""Ranking in pure Python takes long for some questions, on the loop."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.rerank_s, episode.seconds, episode)


FAULT = Fault(
    name="cpu-bound",
    cause="cpu-bound",
    summary="pure Python computes on the loop",
    lengths_s=(0.7, 2.2),
    in_service=_act,
)
