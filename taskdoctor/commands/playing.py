"""The demo service as a process of its own: started, waited for, ended whatever happens, its truth read at the end."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskdoctor.errors import TaskdoctorError, UsageError

MODULE = (sys.executable, "-m", "taskdoctor.demo")
LONGER_S = 30.0  # it ends by itself so long after the watch, should nobody be left to end it
EPISODES = 5.0  # of the fault in a watch: fewer stalls than four are not enough evidence
USUAL_S = 7.0  # from one to the next, in a longer watch
SETTLE_S = 2.0  # sessions connect, and the normal shows itself
START_S, END_S = 90.0, 30.0
LOOK_EVERY_S = 0.1
_BEGUN = re.compile(r"^demo: aiomonitor on 127\.0\.0\.1:(\d+),", re.M)


@dataclass(slots=True)
class Playing:
    """A demo service that runs; its truth is there once it has ended."""

    port: int
    truth: Mapping[str, Any] = field(default_factory=dict)


def faults() -> str:
    """One line per fault."""
    return subprocess.run([*MODULE, "--list"], capture_output=True, text=True, check=True).stdout


@contextmanager
def service(fault: str, *, seed: int, watched_s: float) -> Iterator[Playing]:
    """The demo with a fault, ready to be watched. Raises UsageError for a fault that there is not."""
    known = [row.split()[0] for row in faults().splitlines()]
    unknown = [name for name in fault.split(",") if name not in known]
    if unknown:
        raise UsageError(f"--fault {unknown[0]}: no such fault", hint="`taskdoctor demo --list` names them all.")
    with tempfile.TemporaryDirectory(prefix="taskdoctor-demo-") as folder:
        said, truth = Path(folder, "said"), Path(folder, "truth.json")
        command = [*MODULE, "--fault", fault, "--seed", str(seed), "--seconds", str(watched_s + LONGER_S)]
        command += ["--every", str(min(USUAL_S, watched_s / EPISODES))]
        process = _started([*command, "--log", f"{folder}/server.log", "--truth", str(truth)], said)
        try:
            playing = Playing(_port(process, said))
            time.sleep(SETTLE_S)
            yield playing
        finally:
            _end(process)
        with contextlib.suppress(OSError, ValueError):
            playing.truth = json.loads(truth.read_text(encoding="utf-8"))


def _started(command: list[str], said: Path) -> subprocess.Popen[bytes]:
    """In a session of its own: a Ctrl-C is for the watch."""
    with said.open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)


def _port(process: subprocess.Popen[bytes], said: Path) -> int:
    """Where its monitor listens, once it is ready."""
    late_s = time.monotonic() + START_S
    while time.monotonic() < late_s:
        text = said.read_text(encoding="utf-8", errors="replace")
        begun = _BEGUN.search(text)
        if begun:
            return int(begun[1])
        if process.poll() is not None:
            last = next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
            raise TaskdoctorError(f"the demo service did not start: {last.strip()}")
        time.sleep(LOOK_EVERY_S)
    raise TaskdoctorError(f"the demo service was not ready within {START_S:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, insist; its own processes end with it."""
    process.terminate()
    try:
        process.wait(END_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()
