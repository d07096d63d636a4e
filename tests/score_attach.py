"""How often a live verdict is right: `python -m tests.score_attach --seeds 5 --seconds 20` on fresh runs of the demo.

A row per run: what was injected, what the verdict said first and second, how many of the stalls that the fault made
were caught with a frame of the application. `--keep FOLDER` saves every watch; `--again FOLDER` judges them anew.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from taskdoctor.causes import all_causes
from taskdoctor.collectors.saved import read
from taskdoctor.commands.playing import EPISODES
from taskdoctor.demo.fault import all_faults
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Event, Lane, Snapshot

SETTLE_S = 3.0
READY_S = 40.0
CAUGHT_FROM_S = 0.1
HELD = (Lane.BLOCKING, Lane.COMPUTING, Lane.LOGGING, Lane.TEARDOWN)
HOLDING = ("blocking-call", "slow-logging", "slow-teardown", "cpu-bound")  # faults with code on the loop
ACCUSED = 0.3


class Score(NamedTuple):
    name: str
    wanted: str  # nothing: healthy
    status: str
    said: tuple[tuple[str, float], ...]
    stalls: int  # of the loop, by the service's own meter, that the fault made
    caught: int  # of these, with a frame of the application
    late: int  # stalls and late operations inside the watch, by the service's own meter

    @property
    def first(self) -> bool:
        if not self.wanted:
            return not self.said or self.said[0][1] <= ACCUSED
        return bool(self.said) and self.said[0][0] == self.wanted

    @property
    def second(self) -> bool:
        return self.first or (bool(self.wanted) and self.wanted in [cause for cause, _ in self.said[:2]])


def watched(fault: str, seed: int, seconds: float, folder: Path, options: list[str]) -> None:
    """One run of the demo with a watch inside; leaves the watch and the truth in the folder."""
    stem = folder / f"{fault}-{seed}"
    port = _free_ports()
    command = [sys.executable, "-m", "taskdoctor.demo", "--fault", fault, "--seed", str(seed), "--port", str(port)]
    command += ["--every", str(seconds / EPISODES)]  # as `taskdoctor demo` does
    lasting = ["--seconds", str(seconds + SETTLE_S + 6), "--log", f"{stem}.log", "--truth", f"{stem}.truth.json"]
    demo = subprocess.Popen([*command, *lasting], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_ready(port)
        time.sleep(SETTLE_S)
        look = [sys.executable, "-m", "taskdoctor", "attach", f"127.0.0.1:{port}", "-d", f"{seconds}s", "--json"]
        run = subprocess.run([*look, "--save", f"{stem}.json", *options], capture_output=True, text=True, check=False)
        Path(f"{stem}.err").write_text(run.stderr, encoding="utf-8")
        Path(f"{stem}.out").write_text(run.stdout, encoding="utf-8")
        demo.wait(60)
    finally:
        if demo.poll() is None:
            demo.terminate()
            demo.wait(30)


def _free_ports() -> int:
    for port in range(24000 + int(time.time() * 10) % 4000 // 4 * 4, 32000, 4):
        sockets = [socket.socket() for _ in range(3)]
        try:
            for step, each in enumerate(sockets):
                each.bind(("127.0.0.1", port + step))
        except OSError:
            continue
        else:
            return port
        finally:
            for each in sockets:
                each.close()
    raise RuntimeError("no ports")


def _until_ready(port: int) -> None:
    late_s = time.monotonic() + READY_S
    while time.monotonic() < late_s:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the demo did not start")


def judged(folder: Path, fault: str, cause: str, seed: int) -> Score | None:
    stem = folder / f"{fault}-{seed}"
    saved = Path(f"{stem}.json")
    if not saved.exists():
        return None
    snapshots = read(saved)
    verdict = judge(snapshots, all_causes())
    said = tuple((finding.cause, finding.probability) for finding in verdict.findings[:3])
    truth_path = Path(f"{stem}.truth.json")
    truth = json.loads(truth_path.read_text(encoding="utf-8")) if truth_path.exists() else {}
    made = list(_made(truth, snapshots[0])) if fault in HOLDING else []
    caught = sum(_is_caught(stall, snapshots[0]) for stall in made)
    late = sum(_inside(stall, snapshots[0]) for stall in truth.get("stalls", ()))
    return Score(f"{fault}-{seed}", cause, verdict.status.value, said, len(made), caught, late)


def _inside(stall: dict[str, Any], snapshot: Snapshot) -> bool:
    source = snapshot.sources[0]
    return bool((source.first_s or 0) <= stall["start_s"] and stall["end_s"] <= (source.last_s or 0))


def _made(truth: dict[str, Any], snapshot: Snapshot) -> Iterator[tuple[float, float]]:
    """Stalls of the loop inside the watch that overlap where the fault acted."""
    source = snapshot.sources[0]
    acted = [tuple(span) for fault in truth.get("faults", ()) for span in fault["intervals"]]
    for stall in truth.get("stalls", ()):
        start_s, end_s = stall["start_s"], stall["end_s"]
        inside = (source.first_s or 0) <= start_s and end_s <= (source.last_s or 0) - 0.3
        by_fault = any(start_s < end + 0.1 and begin - 0.1 < end_s for begin, end in acted)
        if stall["kind"] == "loop" and inside and by_fault and end_s - start_s >= CAUGHT_FROM_S:
            yield start_s, end_s


def _is_caught(stall: tuple[float, float], snapshot: Snapshot) -> bool:
    return any(_tells(event, stall) for event in snapshot.events if event.lane in HELD and event.site)


def _tells(event: Event, stall: tuple[float, float]) -> bool:
    overlap_s = min(event.end_s, stall[1]) - max(event.start_s, stall[0])
    return "demo/" in event.site and overlap_s >= 0.5 * (stall[1] - stall[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=301)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--faults", default="", help="some of them, with commas between")
    parser.add_argument("--keep", type=Path, help="leave every watch in this folder")
    parser.add_argument("--again", type=Path, help="judge the watches of this folder, without new ones")
    parser.add_argument("options", nargs="*", help="options for attach, after --")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watches-") as passing:
        folder: Path = chosen.again or chosen.keep or Path(passing)
        folder.mkdir(exist_ok=True, parents=True)
        _sums(list(_scores(chosen, folder)))


def _scores(chosen: argparse.Namespace, folder: Path) -> Iterator[Score]:
    """A row per run, as soon as it is known."""
    for fault in all_faults():
        if chosen.faults and fault.name not in chosen.faults.split(","):
            continue
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            if not chosen.again:
                watched(fault.name, seed, chosen.seconds, folder, chosen.options)
            score = judged(folder, fault.name, fault.cause, seed)
            if score is not None:
                _row(score)
                yield score


def _row(score: Score) -> None:
    mark = "ok " if score.first else "2nd" if score.second else "-- "
    said = ", ".join(f"{cause} {probability:.2f}" for cause, probability in score.said)
    caught = f"{score.caught}/{score.stalls}" if score.stalls else ""
    print(f"{mark} {score.name:26} {score.late:3} late  {score.status:22} {caught:6} {said}", flush=True)  # noqa: T201


def _sums(scores: list[Score]) -> None:
    faulty = [score for score in scores if score.wanted]
    healthy = [score for score in scores if not score.wanted]
    stalls, caught = sum(score.stalls for score in scores), sum(score.caught for score in scores)
    print(f"\nfirst: {sum(s.first for s in faulty)} of {len(faulty)}")  # noqa: T201
    print(f"first or second: {sum(s.second for s in faulty)} of {len(faulty)}")  # noqa: T201
    shown = [score for score in faulty if score.late]
    print(f"first, where anything was late: {sum(s.first for s in shown)} of {len(shown)}")  # noqa: T201
    print(f"healthy accused: {sum(not s.first for s in healthy)} of {len(healthy)}")  # noqa: T201
    print(f"stalls with code on the loop caught with their frame: {caught} of {stalls}")  # noqa: T201


if __name__ == "__main__":
    main()
