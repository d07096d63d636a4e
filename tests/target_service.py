"""A service to attach to: `python -m tests.target_service PORT [MODE ...]`; prints `ready` and then nothing of its own.

Modes: `hostile` (task names that no table survives), `surrogate` (one that no encoding takes), `blocking` (a synchronous
sleep twice a second), `computing`, `native` (holds the interpreter), `waiting` (tasks queue at one lock), `leaking`,
`no-console`, `many=N` tasks, `uvloop`.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from contextlib import suppress

import aiomonitor  # type: ignore[import-untyped]

from tests.services import HOSTILE

BLOCKS_S = 0.4
NATIVE = "a" * 24 + "!"


async def leaf() -> None:
    await asyncio.Event().wait()


async def worker() -> None:
    await leaf()


def slow_disk() -> None:
    time.sleep(BLOCKS_S)


async def blocking() -> None:
    while True:
        await asyncio.sleep(0.5)
        slow_disk()


async def computing() -> None:
    while True:
        await asyncio.sleep(0.5)
        end_s = time.monotonic() + BLOCKS_S
        while time.monotonic() < end_s:
            sum(range(200))


async def native() -> None:
    while True:
        await asyncio.sleep(0.5)
        re.match(r"(a+)+$", NATIVE)


async def queued(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(3600)


async def leaking(made: list[asyncio.Task[None]]) -> None:
    while True:
        await asyncio.sleep(0.05)
        made.append(asyncio.create_task(worker()))


def works(modes: set[str], made: list[asyncio.Task[None]]) -> None:
    """Start what the modes ask for."""
    for name, work in (("blocking", blocking), ("computing", computing), ("native", native)):
        if name in modes:
            made.append(asyncio.create_task(work()))
    if "waiting" in modes:
        lock = asyncio.Lock()
        made.extend(asyncio.create_task(queued(lock)) for _ in range(6))
    if "leaking" in modes:
        made.append(asyncio.create_task(leaking(made)))
    names = HOSTILE if "hostile" in modes else ()
    made.extend(asyncio.create_task(worker(), name=name) for name in names)
    if "surrogate" in modes:
        made.append(asyncio.create_task(worker(), name="\ud800"))
    many = next((int(mode.partition("=")[2]) for mode in modes if mode.startswith("many=")), 3)
    made.extend(asyncio.create_task(worker()) for _ in range(many))


async def main(port: int, modes: set[str]) -> None:
    made: list[asyncio.Task[None]] = []
    works(modes, made)
    loop = asyncio.get_running_loop()
    with aiomonitor.start_monitor(
        loop, port=port, webui_port=port + 1, console_port=port + 2, console_enabled="no-console" not in modes
    ):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    chosen = set(sys.argv[2:])
    if "uvloop" in chosen:
        import uvloop  # type: ignore[import-not-found]

        uvloop.install()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), chosen))
