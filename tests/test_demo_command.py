"""`taskdoctor demo` as a newcomer runs it: a verdict, the truth beside it, and nothing left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from taskdoctor.renderers.document import schema
from taskdoctor.renderers.truth import told
from tests.samples_of_verdicts import all_verdicts

COMMAND = (sys.executable, "-m", "taskdoctor", "demo")


def _demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


def _left_behind(folder: Path) -> list[object]:
    lines = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if any(str(folder) in word for word in line)] + list(folder.iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    options = {"blocking": ("--fault", "blocking-call", "-d", "10s"), "none": ("--fault", "none", "-d", "5s", "--json")}
    with ThreadPoolExecutor(2) as pool:
        made = {name: pool.submit(_demo, folder, *each) for name, each in options.items()}
        return {name: each.result() for name, each in made.items()}


@pytest.mark.long
def test_verdict_and_truth_agree(runs: dict[str, subprocess.CompletedProcess[str]]) -> None:
    run = runs["blocking"]
    assert run.returncode in {1, 4}
    assert "blocking-call acted" in run.stdout
    assert "put blocking-call first: right" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.long
def test_document_stands_alone_on_stdout(runs: dict[str, subprocess.CompletedProcess[str]]) -> None:
    run = runs["none"]
    document: dict[str, Any] = json.loads(run.stdout)
    jsonschema.validate(document, schema())
    assert document["command"] == "demo"
    assert "The truth" in run.stderr
    assert "no fault" in run.stderr


@pytest.mark.long
def test_nothing_is_left_behind(runs: dict[str, subprocess.CompletedProcess[str]], folder: Path) -> None:
    assert runs
    assert _left_behind(folder) == []


@pytest.mark.long
def test_ctrl_c_ends_the_service_too(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [*COMMAND, "--fault", "none", "-d", "60s"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        while "Ctrl-C ends early" not in (line := process.stderr.readline()):
            assert line, "it ended before it began to watch"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode in {0, 1, 4}
    assert "The truth" in out
    assert "Traceback" not in out + err
    assert _left_behind(tmp_path) == []


@pytest.mark.long
def test_early_ctrl_c_ends_the_service_too(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*COMMAND, "--fault", "none"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    ) as process:
        late_s = time.monotonic() + 20
        while not list(tmp_path.glob("chat-*")) and time.monotonic() < late_s:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert _left_behind(tmp_path) == []


def test_faults_are_listed() -> None:
    run = subprocess.run([*COMMAND, "--list"], capture_output=True, text=True, check=True)
    assert "gc-pause" in run.stdout


def test_unknown_fault() -> None:
    run = subprocess.run([*COMMAND, "--fault", "gremlins"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "no such fault" in run.stderr


TRUTH = {
    "causes": ["gc-pause"],
    "faults": [{"cause": "gc-pause", "intervals": [[0.0, 1.5], [4.0, 4.5]]}],
    "stalls": [{"kind": "loop", "start_s": 0.0, "end_s": 1.25, "excess_s": 1.25}],
}


@pytest.mark.parametrize("name", all_verdicts())
def test_truth_is_compared(name: str) -> None:
    verdict = all_verdicts()[name]
    text = told(TRUTH, verdict)
    assert "gc-pause acted 2 times, 2.00 s in all, the longest 1.50 s" in text
    assert "1 stall, 1.25 s" in text
    first = verdict.findings[0].cause if verdict.findings else ""
    assert ("right" in text) == (first == "gc-pause")


def test_truth_of_a_service_that_could_not_tell() -> None:
    assert "not known" in told({}, all_verdicts()["healthy"])
