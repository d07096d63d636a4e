"""A service to attach to: `python -m tests.target_service PORT [MODE ...]`; prints `ready` and then nothing of its own.

Modes: `hostile` (task names that no table survives), `surrogate` (one that no encoding takes), `blocking` (a
synchronous sleep twice a second), `computing`, `hoarding` (a list that is gone through grows), `trimming` (not),
`bursting` (a consumer falls behind), `native` (holds the interpreter), `waiting` (tasks queue at one lock),
`leaking`, `no-console`, `ipv6`, `many=N` tasks, `uvloop`, `busy` (a third of the time), `inspect=FILE` (what anybody
could leave in it).
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import aiomonitor  # type: ignore[import-untyped]

from tests.services import HOSTILE

BLOCKS_S = 0.4
NATIVE = "a" * 22 + "!"


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


SAID: list[str] = []
jobs: asyncio.Queue[int]


def count_words() -> int:
    return sum(len(text.lower().split()) for text in SAID)


async def remembering(most: int) -> None:
    """A conversation that goes through all that was ever said, with each turn; `most`: what is kept of it."""
    while True:
        await asyncio.sleep(0.9)
        SAID.extend(f"what was said in turn {number} of this conversation" for number in range(60_000))
        del SAID[:-most]
        count_words()


async def hoarding() -> None:
    await remembering(10_000_000)


async def trimming() -> None:
    await remembering(60_000)


async def bursting() -> None:
    """Forty pieces of work at once every three seconds, of which each takes a twentieth of a second."""
    global jobs
    jobs = asyncio.Queue()
    consumer = asyncio.create_task(consume())
    while not consumer.done():
        for number in range(40):
            jobs.put_nowait(number)
        await asyncio.sleep(3)


async def consume() -> None:
    while True:
        await jobs.get()
        await asyncio.sleep(0.05)


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


async def busy() -> None:
    while True:
        await asyncio.sleep(0.002)
        end_s = time.monotonic() + 0.001
        while time.monotonic() < end_s:
            pass


async def inspect(path: str, monitor: aiomonitor.Monitor) -> None:
    """What a client could leave behind, written again and again."""
    from aiomonitor.termui.commands import monitor_cli  # type: ignore[import-untyped]

    while True:
        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        found = {
            "tasks": len(asyncio.all_tasks()),
            "callbacks": len(gc.callbacks),
            "threads": sorted(thread.name for thread in threading.enumerate()),
            "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
            "modules": sorted(sys.modules),
            "timers": len(getattr(loop, "_scheduled", ())),
            "commands": sorted(monitor_cli.commands),
            "console": sorted(monitor.console_locals),
            "prompt": hasattr(sys, "ps1"),
            "thresholds": gc.get_threshold(),
        }
        write(path, json.dumps(found))


def write(path: str, text: str) -> None:
    draft = Path(f"{path}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.rename(path)


WORKS = {
    "blocking": blocking,
    "computing": computing,
    "native": native,
    "busy": busy,
    "hoarding": hoarding,
    "trimming": trimming,
    "bursting": bursting,
}


def works(modes: set[str], made: list[asyncio.Task[None]]) -> None:
    """Start what the modes ask for."""
    for name, work in WORKS.items():
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
    host = "::1" if "ipv6" in modes else "127.0.0.1"
    with aiomonitor.start_monitor(
        loop,
        host=host,
        port=port,
        webui_port=port + 1,
        console_port=port + 2,
        console_enabled="no-console" not in modes,
    ) as monitor:
        path = next((mode.partition("=")[2] for mode in modes if mode.startswith("inspect=")), "")
        if path:
            made.append(asyncio.create_task(inspect(path, monitor)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    chosen = set(sys.argv[2:])
    if "uvloop" in chosen:
        import uvloop  # type: ignore[import-not-found, unused-ignore]

        uvloop.install()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), chosen))
