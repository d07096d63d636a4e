"""Starts the processes of a run, plays what acts from outside, ends everything, writes the ground truth."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from taskdoctor.demo import logs, parts
from taskdoctor.demo.arbiter import Arbiter
from taskdoctor.demo.levers import OutsideLevers
from taskdoctor.demo.settings import Settings
from taskdoctor.demo.truth import Acted
from taskdoctor.errors import TaskdoctorError

START_PATIENCE_S = 60.0
END_PATIENCE_S = 12.0
LOOK_EVERY_S = 0.1
ROWS_TRIED = 200
COLLECTOR_PIPE_BYTES = 4096
F_SETPIPE_SZ = 1031  # linux/fcntl.h
ROLES = ("upstream", "service", "clients")

Started = dict[str, asyncio.subprocess.Process]


class DemoError(TaskdoctorError):
    """The demo could not be started, or one of its processes ended too early."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def free_row(count: int) -> list[int]:
    """Ports that nobody listens on, each one above the last: as the ports of a monitor are found from its first."""
    for _ in range(ROWS_TRIED):
        first = free_ports(1)[0]
        row = list(range(first, first + count))
        if row[-1] < 65536 and all(_is_free(port) for port in row):
            return row
    raise DemoError("no free ports for the demo")


def _is_free(port: int) -> bool:
    with socket.socket() as each:
        try:
            each.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Collector:
    """Reads the small pipe into which a service ships its log, unless it is told to pause."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        if sys.platform == "linux":
            import fcntl

            fcntl.fcntl(self.write_end, F_SETPIPE_SZ, COLLECTOR_PIPE_BYTES)
        os.set_blocking(self._read_end, False)
        self.levers: OutsideLevers | None = None

    async def read(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            if self.levers and self.levers.collector_pause.amount:
                continue
            with suppress(BlockingIOError):
                while os.read(self._read_end, 65536):
                    pass

    def close(self) -> None:
        os.close(self._read_end)
        os.close(self.write_end)


async def play(run: Settings, begun: Callable[[], None]) -> None:
    """One whole run: until its time is over, or a signal comes. `begun` is called when its clock starts."""
    ended = parts.ended_by_signal()
    collector = Collector() if run.ship_logs else None
    reading = parts.background(collector.read()) if collector else None
    try:
        async with processes(run, collector) as started:
            begun()
            await _act(run, started, collector, ended)
    finally:
        if collector and reading:
            reading.cancel()
            collector.close()


async def _act(run: Settings, started: Started, collector: Collector | None, ended: asyncio.Event) -> None:
    levers = OutsideLevers(started["service"].pid, tuple(started[role].pid for role in ROLES))
    if collector:
        collector.levers = levers
    acted = Acted()
    arbiter = Arbiter(run) if run.supervised else None
    parts.begin(run, time.time())
    acting = parts.stages(run, acted, lambda fault, stage: fault.from_outside and fault.from_outside(levers, stage))
    try:
        await _watch(run, started, ended, arbiter)
    finally:
        if arbiter:
            acted.save(run.work, "arbiter", arbiter.meter)
            arbiter.close()
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        acted.save(run.work, "outside")


async def _watch(run: Settings, started: Started, ended: asyncio.Event, arbiter: Arbiter | None) -> None:
    """Until the time is over; a process that ends before is an error."""
    ends_s = time.monotonic() + run.seconds
    while time.monotonic() < ends_s and not ended.is_set():
        if arbiter:
            await _supervise(run, started, arbiter)
        for role, process in started.items():
            if process.returncode is not None:
                raise DemoError(f"the {role} process of the demo ended early with code {process.returncode}")
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), LOOK_EVERY_S)


async def _supervise(run: Settings, started: Started, arbiter: Arbiter) -> None:
    """Replace the service when its loop has been silent for too long."""
    since_s = arbiter.silent_since_s()
    if since_s is None:
        return
    worker = started["service"]
    arbiter.abort(worker.pid, since_s)
    await worker.wait()
    arbiter.tell("ERROR", f"Worker (pid:{worker.pid}) was sent SIGABRT!")
    started["service"] = await _start(run, "service", ())
    arbiter.tell("INFO", f"Booting worker with pid: {started['service'].pid}")


@asynccontextmanager
async def processes(run: Settings, collector: Collector | None) -> AsyncIterator[Started]:
    """The processes of a run, ready; ended at the end whatever happens."""
    started: Started = {}
    try:
        for role in ROLES:
            shipped = (collector.write_end,) if collector and role == "service" else ()
            started[role] = await _start(run, role, shipped)
        await _until_ready(run, started)
        yield started
    finally:
        for role in reversed(started):
            await _end(started[role])


async def _start(run: Settings, role: str, pass_fds: tuple[int, ...]) -> asyncio.subprocess.Process:
    path = os.pathsep.join(filter(None, (str(logs.ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    if run.debug and role == "service":
        environment["PYTHONASYNCIODEBUG"] = "1"
    command = (sys.executable, "-m", f"taskdoctor.demo.{role}", run.work, *map(str, pass_fds))
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, env=environment, pass_fds=pass_fds)


async def _until_ready(run: Settings, started: Started) -> None:
    late_s = time.monotonic() + START_PATIENCE_S
    while not all(parts.is_ready(run, role) for role in started):
        if time.monotonic() > late_s or any(process.returncode is not None for process in started.values()):
            raise DemoError("the demo did not start", hint="What its processes wrote stands above.")
        await asyncio.sleep(parts.POLL_S)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask, wait, insist."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_PATIENCE_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
