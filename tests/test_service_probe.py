"""The probe in real services: what it sees, and that nothing of it is left, however its client ended."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from taskdoctor.collectors.service.address import parse_address
from taskdoctor.collectors.service.channels import open_channels
from taskdoctor.collectors.service.console import Console
from taskdoctor.collectors.service.observed import Watched
from taskdoctor.collectors.service.probe import Probe
from taskdoctor.collectors.service.readings import blocked
from taskdoctor.collectors.service.wire import ChannelError, SilentError
from taskdoctor.model import BlockedStack, Reading
from tests.services import Service, attach, running

CYCLES = 50
KILLED = 6


@contextmanager
def probed(service: Service) -> Iterator[Probe]:
    channels = open_channels(parse_address(service.address))
    made: list[Probe] = []

    def install(console: Console) -> None:
        made.append(Probe())
        made[0].install(console)

    try:
        channels.use_console(install)
        yield made[0]
        made[0].remove()
    finally:
        channels.close()


def watched(service: Service, seconds: float) -> Watched:
    """The news of so many seconds."""
    found = Watched()
    with probed(service) as probe:
        late_s = time.monotonic() + seconds
        while time.monotonic() < late_s:
            time.sleep(0.2)
            with suppress(SilentError):
                probe.poll(found)
    return found


HELD = {
    "blocking": (Reading.WAITING, "slow_disk"),
    "computing": (Reading.ON_LOOP, "computing"),
    "native": (Reading.GIL_HELD, "native"),
}


ATTEMPTS = 5  # where others use the machine as well, a stretch may truly read "not scheduled"


def _held(mode: str) -> tuple[BlockedStack, ...]:
    with running(mode) as service:
        for _ in range(ATTEMPTS):
            found = blocked(watched(service, 3.0))
            if _is_seen(found, mode):
                break
    assert service.lines == []
    return found


def _is_seen(stacks: Sequence[BlockedStack], mode: str) -> bool:
    reading, function = HELD[mode]
    return any(stack.reading is reading and any(function in frame for frame in stack.frames) for stack in stacks)


@pytest.fixture(scope="module")
def held() -> dict[str, tuple[BlockedStack, ...]]:
    with ThreadPoolExecutor(len(HELD)) as pool:
        return dict(zip(HELD, pool.map(_held, HELD), strict=True))


@pytest.mark.parametrize("mode", HELD)
def test_held_loop_has_its_frame_and_its_reading(held: dict[str, tuple[BlockedStack, ...]], mode: str) -> None:
    assert _is_seen(held[mode], mode)


def test_tasks_are_grouped_inside() -> None:
    with running("many=3000", "waiting") as service:
        found = watched(service, 1.0)
    sample = found.tasks[-1]
    groups = {
        (group.coroutine, group.chain[-1].function if group.chain else ""): group.count for group in sample.groups
    }
    assert sample.count >= 3007
    assert groups["worker()", "wait"] == 3000
    assert groups["queued()", "acquire"] == 5


@pytest.mark.long
def test_installed_and_removed_fifty_times_without_a_trace(tmp_path: Path) -> None:
    inspected = tmp_path / "inside.json"
    with running(f"inspect={inspected}") as service:
        attach(service.address, "-d", "1s")  # what a first client makes the monitor itself import stays
        before = _calm(inspected)
        with ThreadPoolExecutor(8) as pool:
            cycles = [pool.submit(_cycle, service, with_probe=number % 4 == 0) for number in range(CYCLES)]
            for seed in range(KILLED):
                _killed(service, random.Random(seed), at_once=1 + seed % 4)
            for each in cycles:
                each.result()
        after = _settled(inspected, lambda now: now == before)
    assert _changed(before, after) == {}
    assert "".join(service.lines[:20]) == ""


@pytest.mark.long
def test_clients_killed_inside_the_console_leave_none_of_its_names(tmp_path: Path) -> None:
    """Several at the same moment, from when the first opens the console on; others come and go meanwhile."""
    inspected = tmp_path / "inside.json"
    with running(f"inspect={inspected}") as service:
        attach(service.address, "-d", "1s")
        before = _calm(inspected)
        for seed in range(KILLED):
            rng = random.Random(seed)
            with ThreadPoolExecutor(2) as pool:
                cycles = [pool.submit(_cycle, service, with_probe=True) for _ in range(seed % 3)]
                with _clients(service, 1 + seed % 4):
                    _await_console(service)
                    time.sleep(rng.uniform(0.0, 0.15))
                for each in cycles:
                    each.result()
            after = _settled(inspected, lambda now: now == before)
            assert _changed(before, after) == {}
    assert "".join(service.lines[:20]) == ""


@contextmanager
def _clients(service: Service, count: int) -> Iterator[None]:
    """So many real clients, all killed at the end."""
    command = [sys.executable, "-m", "taskdoctor", "attach", service.address, "-d", "30s"]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(count)]
    yield
    for process in started:
        process.kill()
    for process in started:
        process.wait()


def _await_console(service: Service) -> None:
    late_s = time.monotonic() + 10
    while time.monotonic() < late_s:
        if any(each.laddr.port == service.port + 2 for each in psutil.Process(service.process.pid).net_connections()):
            return
        time.sleep(0.002)


def _cycle(service: Service, *, with_probe: bool) -> None:
    """Those that meet another console come in as its guest, or do without."""
    if not with_probe:
        channels = open_channels(parse_address(service.address))
        channels.command("stacktrace")
        channels.close()
        return
    with suppress(ChannelError), probed(service) as probe:
        probe.poll(Watched())


def _killed(service: Service, rng: random.Random, *, at_once: int) -> None:
    with _clients(service, at_once):
        time.sleep(rng.uniform(0.4, 2.0))


def _calm(path: Path) -> dict[str, Any]:
    """What is inside when nobody is there any more: the same twice, since sessions close a moment later."""
    before: dict[str, Any] = {}
    for _ in range(10):
        now = _settled(path, lambda now: "taskdoctor-probe" not in now["threads"] and not now["prompt"])
        if now == before:
            break
        before = now
        time.sleep(1.0)
    return before


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What is otherwise than before; of lists what came or went."""
    return {
        name: sorted({*after[name]} ^ {*before[name]}) if isinstance(after[name], list) else after[name]
        for name in after
        if after[name] != before[name]
    }


def _settled(path: Path, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What is inside once it is as wanted, or after a time in which everything should have gone."""
    late_s = time.monotonic() + 20
    while True:
        time.sleep(0.3)
        now: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if enough(now) or time.monotonic() > late_s:
            return now


@pytest.mark.long
def test_no_probe_while_the_loop_does_not_turn() -> None:
    with running() as service:
        os.kill(service.process.pid, signal.SIGSTOP)
        started = subprocess.Popen(
            [sys.executable, "-m", "taskdoctor", "attach", service.address, "-d", "1s"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(2.0)
        os.kill(service.process.pid, signal.SIGCONT)
        _, err = started.communicate(timeout=20)
        assert "Traceback" not in err
        assert started.returncode in {0, 1, 3, 4}
    assert service.lines == []
