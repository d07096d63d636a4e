"""The pages of a mapped index are taken away, as when memory is short; the next question reads them from the disk.

No memory is really short, so that a run is safe on any machine: only this one file leaves the page cache. Faulting it
in again is as real as under pressure. Where the scratch folder is itself in memory, nothing happens.
"""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.demo.fault import Fault, Stage
from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.settings import Settings

INDEX_MB = 96


def _mapped_index(settings: Settings) -> Settings:
    return replace(settings, index_mb=INDEX_MB)


async def _act(levers: ServiceLevers, stage: Stage) -> None:
    async for episode in stage.episodes():
        await stage.pull_once(levers.reclaimed, 1, episode)


FAULT = Fault(
    name="memory-pressure",
    cause="memory-pressure",
    summary="pages of a mapped index are taken away and read from the disk again",
    lengths_s=(0.5, 1.6),
    in_service=_act,
    adjust=_mapped_index,
)
