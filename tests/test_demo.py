"""The demo: its faults are complete and name real causes, its times are seeded, a real run leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from taskdoctor.demo import logs, resolver
from taskdoctor.demo.fault import Fault, all_faults, fault_named
from taskdoctor.demo.levers import Lever
from taskdoctor.demo.schedule import plan
from taskdoctor.demo.truth import late_operations
from taskdoctor.demo.watchdog import site_of

ROOT = Path(__file__).resolve().parents[1]
SIMULATED = {
    "host-suspend",
    "cpu-starvation",
    "memory-pressure",
    "gc-pause",
    "blocking-call",
    "cpu-bound",
    "slow-logging",
    "slow-teardown",
    "executor-starvation",
    "lock-contention",
    "pool-exhaustion",
    "queue-backlog",
    "dns",
    "fd-exhaustion",
    "rate-limit",
    "upstream-latency",
    "frontend",
    "task-leak",
    "state-growth",
    "orphan-processes",
    "disk-growth",
}
START_PATIENCE_S = 20.0

real_run = pytest.mark.skipif("TASKDOCTOR_FAST" in os.environ, reason="starts real processes for a few seconds")


def test_there_is_a_fault_for_each_cause_that_can_be_simulated_and_a_healthy_run() -> None:
    assert {fault.cause for fault in all_faults()} == SIMULATED | {""}
    assert fault_named("none").cause == ""


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: fault.name)
def test_a_fault_acts_in_one_place_and_often_enough(fault: Fault) -> None:
    places = (fault.in_service, fault.in_upstream, fault.in_clients, fault.from_outside)
    assert sum(place is not None for place in places) == (1 if fault.cause else 0)
    assert len(plan(1, fault.name, 60.0, fault.lengths_s)) >= 6


@pytest.mark.parametrize("seconds", [2.0, 7.0, 60.0, 300.0])
def test_episodes_follow_each_other_inside_the_run(seconds: float) -> None:
    episodes = plan(1, "dns", seconds, (1.0, 2.5))
    ends = [episode.start_s + episode.seconds for episode in episodes]
    assert all(end <= after.start_s for end, after in zip(ends, episodes[1:], strict=False))
    assert episodes[0].start_s > 0
    assert ends[-1] < seconds


def test_the_same_seed_gives_the_same_times() -> None:
    assert plan(5, "dns", 60.0, (1.0, 2.0)) == plan(5, "dns", 60.0, (1.0, 2.0))
    assert plan(5, "dns", 60.0, (1.0, 2.0)) != plan(6, "dns", 60.0, (1.0, 2.0))


def test_a_lever_pulled_once_is_paid_by_one_caller() -> None:
    async def callers() -> list[float]:
        lever, paid = Lever(), []
        pulling = asyncio.create_task(lever.pull_once(2.0, patience_s=5.0))
        await asyncio.sleep(0)
        for _ in range(3):
            with lever.applied() as amount:
                paid.append(amount)
        assert await pulling is not None
        return paid

    assert asyncio.run(callers()) == [2.0, 0.0, 0.0]


def test_a_lever_that_nobody_meets_is_let_go() -> None:
    async def nobody() -> None:
        lever = Lever()
        assert await lever.pull_once(2.0, patience_s=0.01) is None
        assert lever.amount == 0.0

    asyncio.run(nobody())


def test_a_name_query_gets_its_address() -> None:
    reply = resolver.answer(resolver.question("llm.internal", 7), "127.0.0.1")
    assert reply.startswith(b"\0\x07")
    assert reply.endswith(bytes([127, 0, 0, 1]))


@pytest.mark.parametrize(
    ("style", "logger", "line"),
    [
        ("loguru", "app.chat", "1970-01-01 00:00:01.250 | WARNING  | app.chat:run:7 - slow"),
        ("stdlib", "app.chat", "1970-01-01 00:00:01,250 WARNING app.chat: slow"),
        ("olv-file", "taskdoctor.x", "1970-01-01 00:00:01.250 | WARNING  | taskdoctor.x:run:7 | slow | {}"),
        ("olv-file", "asyncio", None),
        ("olv-console", "asyncio", "slow"),
        ("olv-console", "uvicorn.error", "WARNING:  slow"),
        ("uvicorn", "app.chat", "[1970-01-01 00:00:01 +0000] [42] [WARNING] slow"),
        ("uvicorn", "uvicorn.access", "slow"),
    ],
)
def test_a_style_writes_its_prefix(style: str, logger: str, line: str | None) -> None:
    record = logging.LogRecord(logger, logging.WARNING, "chat.py", 7, "slow", None, None, func="run")
    record.created, record.msecs, record.process = 1.25, 250.0, 42
    assert logs.STYLES[style].line(record, record.getMessage()) == line


def test_a_block_outside_the_application_is_placed_in_its_innermost_frame() -> None:
    site = site_of(sys._getframe())
    assert site.startswith("tests/test_demo.py:")
    assert "site = site_of(sys._getframe())" in site


def test_only_operations_far_beyond_the_normal_are_late() -> None:
    operations = [[float(end), 1.0] for end in range(20)] + [[30.0, 1.3], [40.0, 4.0]]
    assert [(late["start_s"], late["excess_s"]) for late in late_operations(operations)] == [(36.0, 3.0)]


def _demo(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "taskdoctor.demo", "--no-monitor", "--log", str(folder / "server.log"), *options)
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def _left_behind(folder: Path) -> list[object]:
    """Processes and scratch folders of a run that should be over."""
    lines = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if any(str(folder) in word for word in line)] + list(folder.glob("chat-*"))


@real_run
@pytest.mark.long
def test_a_real_run_stalls_as_its_truth_says_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with _demo(tmp_path, "--fault", "blocking-call", "--seconds", "3") as demo:
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 0, errors
    truth = json.loads((tmp_path / "server.truth.json").read_text(encoding="utf-8"))
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    (fault,) = truth["faults"]
    assert (truth["causes"], fault["fault"]) == (["blocking-call"], "blocking-call")
    assert "Connection established for client " in log
    assert "blocking-call" not in log
    for start_s, end_s in fault["intervals"]:
        assert any(stall["start_s"] < end_s and start_s < stall["end_s"] for stall in truth["stalls"])
    assert not _left_behind(tmp_path)


@real_run
def test_a_run_that_is_told_to_end_ends_all_its_processes(tmp_path: Path) -> None:
    with _demo(tmp_path, "--fault", "host-suspend", "--seconds", "60") as demo:
        until_s = time.monotonic() + START_PATIENCE_S
        log = tmp_path / "server.log"
        while time.monotonic() < until_s and not (log.exists() and b"MCPC: Successfully" in log.read_bytes()):
            time.sleep(0.05)
        demo.send_signal(signal.SIGTERM)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 0, errors
    assert not _left_behind(tmp_path)
