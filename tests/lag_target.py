"""A service that measures its own loop: `python -m tests.lag_target PORT TASKS [busy] [uvloop]`; for `bench_attach`.

On SIGUSR2 it writes `[[epoch seconds, late by seconds], ...]` as one line to stdout, and forgets it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress

import aiomonitor  # type: ignore[import-untyped]

TICK_S = 0.005
WORK_S, PAUSE_S = 0.001, 0.002  # a third of the time


async def leaf() -> None:
    await asyncio.Event().wait()


async def session() -> None:
    await leaf()


async def busy() -> None:
    while True:
        await asyncio.sleep(PAUSE_S)
        end_s = time.monotonic() + WORK_S
        while time.monotonic() < end_s:
            pass


async def meter(lags: list[tuple[float, float]]) -> None:
    while True:
        due_s = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        lags.append((round(time.time(), 4), round(time.monotonic() - due_s, 5)))


async def main(port: int, tasks: int, modes: set[str]) -> None:
    lags: list[tuple[float, float]] = []

    def tell() -> None:
        os.write(1, json.dumps(lags).encode() + b"\n")
        lags.clear()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR2, tell)
    kept = [asyncio.create_task(session()) for _ in range(tasks)]
    kept.append(asyncio.create_task(meter(lags)))
    if "busy" in modes:
        kept.append(asyncio.create_task(busy()))
    with aiomonitor.start_monitor(loop, port=port, webui_port=port + 1, console_port=port + 2):
        os.write(1, b"ready\n")
        await asyncio.Event().wait()


if __name__ == "__main__":
    chosen = set(sys.argv[3:])
    if "uvloop" in chosen:
        import uvloop  # type: ignore[import-not-found, unused-ignore]

        uvloop.install()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), chosen))
