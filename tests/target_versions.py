"""A service for any version of aiomonitor: `python target_versions.py PORT`; imports nothing of this project."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time

import aiomonitor  # type: ignore[import-untyped]


async def leaf() -> None:
    await asyncio.Event().wait()


async def worker() -> None:
    await leaf()


async def blocking() -> None:
    while True:
        await asyncio.sleep(0.5)
        time.sleep(0.4)  # noqa: ASYNC251


async def main(port: int) -> None:
    made = [asyncio.create_task(worker(), name=name) for name in ("a | b", "x\ny", "plain")]
    made.append(asyncio.create_task(blocking()))
    known = inspect.signature(aiomonitor.Monitor.__init__).parameters
    ports = {"port": port, "termui_port": port, "webui_port": port + 1, "console_port": port + 2}
    taken = {name: value for name, value in ports.items() if name in known and name != "termui_port"}
    taken |= {"termui_port": port} if "port" not in known else {}
    with aiomonitor.Monitor(asyncio.get_running_loop(), **taken):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def with_uvloop() -> None:
    """uvloop, where it is installed and asked for."""
    import uvloop  # type: ignore[import-not-found, unused-ignore]

    uvloop.install()


if __name__ == "__main__":
    if "uvloop" in sys.argv:
        with_uvloop()
    asyncio.run(main(int(sys.argv[1])))
