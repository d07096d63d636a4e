"""What a watch costs the service: `python -m tests.bench_attach`, a row per service and way of watching.

Loop lag, as the service's own loop sees it every 5 ms, detached against attached: the same process, in turn. CPU is
that of the whole process, in percent of one core; bytes are those that came through its ports. `first list` is how
long after installing the probe all tasks were known, grouped. On a shared machine compare rows with their neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psutil

from taskdoctor.collectors.service.address import parse_address
from taskdoctor.collectors.service.channels import open_channels
from taskdoctor.collectors.service.console import Console
from taskdoctor.collectors.service.observed import Watched
from taskdoctor.collectors.service.probe import Probe
from tests.services import free_ports

WAYS: dict[str, tuple[str, ...]] = {"read-only": ("--read-only",), "light": (), "deep": ("--deep",)}
SETTLE_S = 1.0


class Window(NamedTuple):
    """What one stretch of time looked like from inside."""

    start_s: float
    end_s: float
    cpu_share: float
    client_cpu_share: float = 0.0
    bytes: int = 0


class Target(NamedTuple):
    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def target(tasks: int, modes: Sequence[str]) -> Iterator[Target]:
    port = free_ports()
    command = [sys.executable, "-W", "ignore", "-m", "tests.lag_target", str(port), str(tasks), *modes]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(SETTLE_S)
            yield Target(process, port)
        finally:
            process.kill()


def _window(process: subprocess.Popen[bytes], act: Callable[[], tuple[float, int]]) -> Window:
    """Do something meanwhile, which tells its own CPU seconds and bytes."""
    times = psutil.Process(process.pid)
    before, start_s = sum(times.cpu_times()[:2]), time.time()
    client_s, count_bytes = act()
    end_s = time.time()
    length_s = end_s - start_s
    return Window(start_s, end_s, (sum(times.cpu_times()[:2]) - before) / length_s, client_s / length_s, count_bytes)


def _nothing(seconds: float) -> tuple[float, int]:
    time.sleep(seconds)
    return 0.0, 0


def _attached(port: int, seconds: float, options: Sequence[str]) -> tuple[float, int]:
    """One whole attach: opening, installing, watching, judging, leaving."""
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.json")
        command = [sys.executable, "-m", "taskdoctor", "attach", f"127.0.0.1:{port}", "--json", "-d", f"{seconds}s"]
        with out.open("wb") as written:
            subprocess.run([*command, *options], stdout=written, stderr=subprocess.DEVNULL, check=False)
        document = json.loads(out.read_text(encoding="utf-8"))
    after = os.times()
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    return used_s, int(document["read"]["sources"][0]["bytes"])


def _lags(process: subprocess.Popen[bytes]) -> list[tuple[float, float]]:
    process.send_signal(signal.SIGUSR2)
    assert process.stdout is not None
    return [(at_s, late_s) for at_s, late_s in json.loads(process.stdout.readline())]


def _row(name: str, way: str, windows: Sequence[Window], lags: Sequence[tuple[float, float]]) -> str:
    inside = sorted(late_s for at_s, late_s in lags if any(w.start_s <= at_s <= w.end_s for w in windows))
    p50, p99, most = (1000 * inside[min(int(share * len(inside)), len(inside) - 1)] for share in (0.5, 0.99, 1.0))
    mean = [sum(each) / len(windows) for each in zip(*(window[2:] for window in windows), strict=True)]
    return (
        f"| {name} | {way} | {p50:.1f} | {p99:.1f} | {most:.0f} | {100 * mean[0]:.0f} | {100 * mean[1]:.0f} "
        f"| {mean[2] / 1000:.0f} |"
    )


def _first_list_s(port: int, tasks: int) -> float:
    """From installing the probe to knowing all tasks by group."""
    channels = open_channels(parse_address(f"127.0.0.1:{port}"))
    made: list[Probe] = []

    def install(console: Console) -> None:
        made.append(Probe())
        made[0].install(console)

    try:
        channels.use_console(install)
        began_s = time.monotonic()
        seen = Watched()
        while time.monotonic() < began_s + 20:
            made[0].poll(seen)
            if seen.tasks and seen.tasks[-1].count >= tasks:
                break
            time.sleep(0.01)
        took_s = time.monotonic() - began_s
        made[0].remove()
    finally:
        channels.close()
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default="100,1000,10000,50000")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=2, help="detached and attached in turn, so many times")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--loads", default="idle,busy")
    parser.add_argument("--loops", default="asyncio,uvloop")
    chosen = parser.parse_args()
    loops = [loop for loop in chosen.loops.split(",") if loop == "asyncio" or find_spec(loop)]
    print("| service | watched | lag p50 ms | p99 ms | max ms | CPU % | client CPU % | kB |")  # noqa: T201
    print("|---|---|---|---|---|---|---|---|", flush=True)  # noqa: T201
    firsts = []
    for tasks in map(int, chosen.tasks.split(",")):
        for loop in loops:
            for load in chosen.loads.split(","):
                name = f"{tasks:,} tasks, {loop}, {load}"
                modes = [mode for mode in (loop, load) if mode in {"uvloop", "busy"}]
                with target(tasks, modes) as service:
                    for row in _rows(name, service, chosen.ways.split(","), chosen.seconds, chosen.rounds):
                        print(row, flush=True)  # noqa: T201
                    firsts.append(f"first list of {name}: {1000 * _first_list_s(service.port, tasks):.0f} ms")
    print("\n" + "\n".join(firsts))  # noqa: T201


def _rows(name: str, service: Target, ways: Sequence[str], seconds: float, rounds: int) -> Iterator[str]:
    windows: dict[str, list[Window]] = {way: [] for way in ("detached", *ways)}
    for _ in range(rounds):
        for way in windows:
            options = WAYS.get(way, ())
            act = (
                (lambda: _nothing(seconds))
                if way == "detached"
                else (
                    lambda options=options: _attached(service.port, seconds, options)  # type: ignore[misc]
                )
            )
            windows[way].append(_window(service.process, act))
            time.sleep(SETTLE_S)
    lags = _lags(service.process)
    for way, stretches in windows.items():
        yield _row(name, way, stretches, lags)


if __name__ == "__main__":
    main()
