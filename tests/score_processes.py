"""How right `procs` is over the zoo, and what a scan of 2,000 processes costs: `python -m tests.score_processes`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.zoo.environments import MissingError
from tests.zoo.visit import Score, look

SLEEPERS = 2_000


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            score, _ = look(Path(folder))
        except MissingError as error:
            sys.stderr.write(f"the zoo needs the SDKs: {error}\n")
            return 3
    _write(score)
    cpu_s, wall_s, count = scan_cost()
    _say(f"one scan of {count:,} processes: {cpu_s:.3f} s CPU, {wall_s:.3f} s")
    return 0 if score.precision == 1.0 and score.recall >= 0.95 else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _write(score: Score) -> None:
    _say(f"{'case':<24} {'wanted':<22} {'seen':<10}")
    for sight in score.sights:
        wanted = "/".join(sorted(str(kind or "-") for kind in sight.label.wanted))
        mark = "" if sight.is_right else "   WRONG"
        _say(f"{sight.label.case:<24} {wanted:<22} {sight.seen or '-':<10}{mark}")
    orphans = sum(sight.label.is_orphan for sight in score.sights)
    right = sum(sight.is_right for sight in score.sights)
    _say(f"\n{len(score.sights)} processes, {orphans} of them orphans; {right} in the right class")
    _say(f"orphans: precision {score.precision:.2f}, recall {score.recall:.2f}")


def scan_cost() -> tuple[float, float, int]:
    """CPU and wall of one look at a table that holds 2,000 sleepers more than it did."""
    from taskdoctor.collectors.processes.survey import survey

    command = f"i=0; while [ $i -lt {SLEEPERS} ]; do sleep 600 & i=$((i+1)); done; echo READY; wait"
    with subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    ) as herd:
        try:
            assert herd.stdout is not None
            herd.stdout.readline()
            survey()
            cpu_s, wall_s = time.process_time(), time.monotonic()
            seen = survey()
            return time.process_time() - cpu_s, time.monotonic() - wall_s, len(seen.table)
        finally:
            _end(herd.pid)


def _end(group: int) -> None:
    """The herd has a process group of its own."""
    import os
    import signal

    os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
