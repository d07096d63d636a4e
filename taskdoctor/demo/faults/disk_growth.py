"""A cache folder that nobody empties grows in steps; each turn scans all of it."""

from __future__ import annotations

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers

FILES = 8_000


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.cached_files, FILES, episode)


FAULT = Fault(
    name="disk-growth",
    cause="disk-growth",
    summary="a cache folder that only grows is scanned for each sentence",
    lengths_s=(0.5, 1.0),
    in_service=_act,
)
