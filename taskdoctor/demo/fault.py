"""What a fault is; every FAULT constant in `faults/` is found by itself."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from functools import cache

from taskdoctor.demo import faults
from taskdoctor.demo.levers import ClientLevers, Lever, OutsideLevers, ServiceLevers, UpstreamLevers
from taskdoctor.demo.schedule import Episode
from taskdoctor.demo.settings import Settings

Act = Coroutine[None, None, None]


@dataclass(slots=True)
class Stage:
    """The episodes of one fault in one process, and the record of what it did."""

    plan: tuple[Episode, ...]
    begins_at_s: float
    rng: random.Random
    acted: list[tuple[float, float]] = field(default_factory=list)

    async def episodes(self) -> AsyncIterator[Episode]:
        """Each episode when its time has come."""
        for episode in self.plan:
            if self.begins_at_s + episode.slot_end_s < time.time():
                continue  # this process was started in the middle of the run
            await asyncio.sleep(max(0.0, self.begins_at_s + episode.start_s - time.time()))
            yield episode

    async def pull_once(self, lever: Lever, amount: float, episode: Episode) -> None:
        """The next caller pays, and when is noted."""
        left_s = self.begins_at_s + episode.slot_end_s - time.time()
        span = await lever.pull_once(amount, patience_s=max(left_s, 0.2))
        if span:
            self.acted.append(span)

    async def hold(self, lever: Lever, amount: float, seconds: float) -> None:
        """Everyone pays for a while, and when is noted."""
        self.acted.append(await lever.hold(amount, seconds=seconds))


def unchanged(settings: Settings) -> Settings:
    return settings


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to stall now and then. It acts in exactly one place; `cause` is the verdict that it should get."""

    name: str
    cause: str  # "" for none
    summary: str
    lengths_s: tuple[float, float]  # of an episode, shortest and longest
    in_service: Callable[[ServiceLevers, Stage], Act] | None = None
    in_upstream: Callable[[UpstreamLevers, Stage], Act] | None = None
    in_clients: Callable[[ClientLevers, Stage], Act] | None = None
    from_outside: Callable[[OutsideLevers, Stage], Act] | None = None
    adjust: Callable[[Settings], Settings] = unchanged  # what the service must look like for it


@cache
def all_faults() -> tuple[Fault, ...]:
    """Every FAULT of the package, by name."""
    modules = (
        importlib.import_module(found.name) for found in pkgutil.iter_modules(faults.__path__, f"{faults.__name__}.")
    )
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Fault)]
    return tuple(sorted(found, key=lambda fault: fault.name))


def fault_named(name: str) -> Fault:
    return next(fault for fault in all_faults() if fault.name == name)
