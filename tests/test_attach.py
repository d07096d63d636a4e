"""`taskdoctor attach` on real services, as a user runs it: what it says, how it ends, what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from taskdoctor.renderers.document import schema
from tests.services import Service, attach, running

READ_ONLY = "--read-only"
FULL_SHARE = 0.15  # of the watch, in which the loop's thread stood in the queue for a CPU
COMMAND = (sys.executable, "-m", "taskdoctor", "attach")


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


READINGS = {"blocking": "waiting", "computing": "on-loop", "native": "gil-held"}
ATTEMPTS = 4  # where others use the machine as well, a stretch may truly read so, and the list come late


def _seen(modes: tuple[str, ...], options: tuple[str, ...]) -> tuple[dict[str, Any], int, list[str], str]:
    """The document, the exit code, what the service wrote meanwhile, and stderr."""
    with running(*modes) as service:
        for _ in range(ATTEMPTS):
            run = attach(service.address, "--json", *options)
            assert "Traceback" not in run.stderr
            document = json.loads(run.stdout)
            jsonschema.validate(document, schema())
            readings = {stack["reading"] for stack in document["blocked"]}
            undisturbed = "not-scheduled" not in readings and READINGS.get(modes[0], "") in {"", *readings}
            if undisturbed and document["tasks"]["groups"]:
                break
    return document, run.returncode, service.lines, run.stderr


RUNS = {
    "healthy": (("hostile",), (READ_ONLY, "-d", "2s")),
    "blocking": (("blocking",), (READ_ONLY, "-d", "4s")),
    "computing": (("computing",), (READ_ONLY, "-d", "4s")),
    "native": (("native",), (READ_ONLY, "-d", "4s")),
    "waiting": (("waiting",), (READ_ONLY, "-d", "3s", "--by", "waiting", "--filter", "leaf")),
    "until": (("blocking",), (READ_ONLY, "-d", "30s", "--until-stalls", "2")),
}
Seen = dict[str, tuple[dict[str, Any], int, list[str], str]]


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Three at a time: they wait most of the time, but they measure, so the machine must not be full."""
    with ThreadPoolExecutor(3) as pool:
        made = {name: pool.submit(_seen, modes, options) for name, (modes, options) in RUNS.items()}
        return {name: each.result() for name, each in made.items()}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_appears_on_the_output_of_the_service(seen: Seen, name: str) -> None:
    assert seen[name][2] == []


def test_healthy_service_is_not_accused(seen: Seen) -> None:
    document, code, _, _ = seen["healthy"]
    assert document["verdict"]["causes"] == []
    assert code == 0
    assert document["host"]["services"]


def test_tasks_are_grouped_with_where_they_wait(seen: Seen) -> None:
    groups = seen["healthy"][0]["tasks"]["groups"]
    worker = next(group for group in groups if group["coroutine"] == "worker()")
    assert worker["count"] == 11
    assert worker["change"] == 0
    assert "in leaf" in worker["waiting_at"]


@pytest.mark.parametrize(
    ("name", "cause", "reading", "function"),
    [("blocking", "blocking-call", "waiting", "slow_disk"), ("computing", "cpu-bound", "on-loop", "computing")],
)
def test_held_loop_is_caught_with_its_frame(seen: Seen, name: str, cause: str, reading: str, function: str) -> None:
    document = seen[name][0]
    stacks = [stack for stack in document["blocked"] if stack["reading"] == reading]
    assert any(function in frame for stack in stacks for frame in stack["frames"])
    assert "target_service.py" in stacks[0]["site"]
    assert document["verdict"]["causes"][0]["cause"] == cause


def test_held_interpreter_has_its_reading(seen: Seen) -> None:
    """On a machine that others fill it may truly not be scheduled either, or not be told apart."""
    document = seen["native"][0]
    (service,) = document["host"]["services"].values()
    queued = next((fact["value"] for fact in service["facts"] if fact["name"] == "run queue wait"), 0.0)
    told = {"gil-held"} if queued < FULL_SHARE else {"gil-held", "not-scheduled", "unknown"}
    assert told & {stack["reading"] for stack in document["blocked"]}


def test_filter_and_grouping(seen: Seen) -> None:
    groups = seen["waiting"][0]["tasks"]["groups"]
    assert groups
    assert all("leaf" in group["waiting_at"] for group in groups)


def test_until_stalls_ends_early(seen: Seen) -> None:
    document = seen["until"][0]
    assert document["verdict"]["stalls"]["count"] >= 2
    assert document["window"]["seconds"] < 20


def _started(service: Service, *options: str) -> subprocess.Popen[str]:
    command = [*COMMAND, service.address, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "Ctrl-C ends early" not in (line := process.stderr.readline()):
        assert line, "it ended before it began to watch"
    time.sleep(0.5)
    return process


def _ended(process: subprocess.Popen[str], *, within_s: float = 30.0) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=within_s)
    assert "Traceback" not in out + err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as made:
        yield made
    assert made.lines == []


def test_ctrl_c_gives_the_verdict(service: Service) -> None:
    process = _started(service, "-d", "60s", READ_ONLY)
    process.send_signal(signal.SIGINT)
    code, out, _ = _ended(process)
    assert code in {0, 4}
    assert "Process and machine" in out


def test_second_ctrl_c_ends_at_once(service: Service) -> None:
    process = _started(service, "-d", "60s", READ_ONLY)
    os.kill(service.process.pid, signal.SIGSTOP)  # so that leaving takes a while
    try:
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        code, _, _ = _ended(process, within_s=4.0)
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
    assert code == 130


@pytest.mark.long
def test_killed_client_leaves_no_word_in_the_service(service: Service) -> None:
    for _ in range(2):
        process = _started(service, "-d", "60s", READ_ONLY)
        process.kill()
        process.communicate()
    assert attach(service.address, READ_ONLY, "-d", "1s").returncode in {0, 4}


@pytest.mark.long
def test_stopped_service_has_its_reading() -> None:
    with running() as service:
        process = _started(service, "--json", READ_ONLY, "-d", "4s")
        os.kill(service.process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(service.process.pid, signal.SIGCONT)
        _, out, _ = _ended(process)
    stopped = [stack for stack in json.loads(out)["blocked"] if stack["thread_state"] == "T"]
    assert stopped[0]["reading"] == "not-scheduled"
    assert stopped[0]["longest_seconds"] > 1.0


def test_service_that_dies_is_said() -> None:
    with running() as service:
        process = _started(service, READ_ONLY, "-d", "60s")
        service.process.kill()
        code, out, err = _ended(process)
    assert code in {0, 4}
    assert "ended early" in out
    assert "closed the connection" in err or "is gone" in err


@pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 here")
def test_terminal_port_that_never_binds_to_ipv6_leaves_the_web_port() -> None:
    with running("ipv6") as service:
        run = attach(f"[::1]:{service.port}", "--json", "-d", "1s")
    groups = {group["coroutine"]: group["count"] for group in json.loads(run.stdout)["tasks"]["groups"]}
    assert groups["worker()"] == 3
    assert "only the web port" in run.stderr
    assert run.returncode == 4


def test_saved_watch_is_judged_again(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "watch.json"
    first = attach(service.address, "--json", READ_ONLY, "-d", "1s", "--save", str(path))
    command = [sys.executable, "-m", "taskdoctor", "verdict", "--json", str(path)]
    again = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    once = json.loads(first.stdout)
    assert {**again, "command": "attach"} == once


def test_log_and_port_give_one_verdict(service: Service, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 3600))  # a service an hour ahead
    log.write_text(f"{stamp}.100 INFO started\n{stamp}.200 INFO ready\n", encoding="utf-8")
    run = attach(service.address, "--json", READ_ONLY, "-d", "1s", "--log", str(log))
    document = json.loads(run.stdout)
    assert [source["name"] for source in document["read"]["sources"]] == [service.address, "server.log"]
    assert document["window"]["seconds"] < 60


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-d", "soon"), "not a duration"),
        (("-d", "0s"), "not a duration"),
        (("--by", "colour"), "no such grouping"),
        (("--until-stalls", "0"), "--until-stalls"),
        (("--deep", "--read-only"), "Leave one of them out"),
    ],
)
def test_wrong_use(options: tuple[str, ...], said: str) -> None:
    run = attach("localhost:1", *options)
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_log_that_is_not_there_is_said_before_the_watch() -> None:
    run = attach("localhost:1", "--log", "no-such.log")
    assert run.returncode == 3
    assert "no-such.log: no such file" in run.stderr


def test_nothing_there() -> None:
    run = attach("127.0.0.1:1")
    assert run.returncode == 3
    assert "connection refused" in run.stderr
    assert "20101" in run.stderr


def test_other_machine_is_warned_of() -> None:
    run = attach("192.0.2.1.invalid:20101")
    assert run.returncode == 3
    assert "no such host" in run.stderr
    assert "ssh -L" in run.stderr
