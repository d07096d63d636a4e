"""What the processes of a run share: how each says that it is ready, plays its faults, and is told to end."""

from __future__ import annotations

import asyncio
import random
import signal
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path

from taskdoctor.demo import fault as faults
from taskdoctor.demo.fault import Act, Fault, Stage
from taskdoctor.demo.schedule import plan
from taskdoctor.demo.settings import Settings
from taskdoctor.demo.truth import Acted

POLL_S = 0.05


def ended_by_signal() -> asyncio.Event:
    """An event that is set by SIGTERM or SIGINT."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    return ended


def tell_ready(run: Settings, role: str) -> None:
    Path(run.work, f"{role}.ready").touch()


def is_ready(run: Settings, role: str) -> bool:
    return Path(run.work, f"{role}.ready").exists()


def begin(run: Settings, at_s: float) -> None:
    """Start the run's clock for every process."""
    draft = Path(run.work, "begins.draft")
    draft.write_text(repr(at_s), encoding="utf-8")
    draft.rename(Path(run.work, "begins"))


async def begins_at_s(run: Settings) -> float:
    """When the run's clock is 0, once the launcher has said so."""
    at_s = _begun(run)
    while at_s is None:
        await asyncio.sleep(POLL_S)
        at_s = _begun(run)
    return at_s


def _begun(run: Settings) -> float | None:
    begins = Path(run.work, "begins")
    return float(begins.read_text(encoding="utf-8")) if begins.exists() else None


def background(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """A task that is to live as long as its process; one that fails says so on stderr at once."""
    task = asyncio.create_task(work)
    task.add_done_callback(_tell_failure)
    return task


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(error)


def stages(run: Settings, acted: Acted, act: Callable[[Fault, Stage], Act | None]) -> asyncio.Task[None]:
    """Play those faults of the run that act in this process."""
    return background(_play_all(run, acted, act))


async def _play_all(run: Settings, acted: Acted, act: Callable[[Fault, Stage], Act | None]) -> None:
    at_s = await begins_at_s(run)
    async with asyncio.TaskGroup() as group:
        for name in run.faults:
            fault = faults.fault_named(name)
            episodes = plan(run.seed, name, run.seconds, fault.lengths_s, run.every_s)
            stage = Stage(episodes, at_s, random.Random(f"{run.seed}:{name}:amounts"))
            playing = act(fault, stage)
            if playing:
                acted.intervals[name] = stage.acted
                group.create_task(playing)
