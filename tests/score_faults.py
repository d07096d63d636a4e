"""How often the verdict is right: `python -m tests.score_faults` judges `sample_logs/`, `--seeds 3` fresh demo runs.

`--keep FOLDER` leaves the fresh logs there with their truth, `--logs FOLDER` judges them again. Prints a row per log
(what was injected, what the verdict said), the top-1 rate, and the reliability table: of the verdicts that claimed a
probability, how many were right. A run of the demo takes its `--seconds` in real time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from taskdoctor.causes import all_causes
from taskdoctor.collectors.logs.collecting import collect
from taskdoctor.demo.fault import all_faults
from taskdoctor.diagnosis.verdict import judge

BINS = ((0.0, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 1.01))


class Score(NamedTuple):
    name: str
    wanted: tuple[str, ...]  # nothing: healthy
    status: str
    said: str
    probability: float

    @property
    def right(self) -> bool:
        if not self.wanted:
            return self.status == "healthy"
        return self.status == "stalls-found" and self.said in self.wanted


def judged(path: Path, wanted: tuple[str, ...]) -> Score:
    verdict = judge([collect([str(path)])], all_causes())
    top = verdict.findings[0] if verdict.findings else None
    return Score(path.name, wanted, verdict.status.value, top.cause if top else "-", top.probability if top else 0.0)


def labelled(folder: Path) -> Iterator[Score]:
    """Logs of a folder with a `truth.json`: file -> causes, any of them right; none for healthy."""
    truth: dict[str, list[str]] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    for name, causes in sorted(truth.items()):
        yield judged(folder / name, tuple(causes))


def fresh(seeds: int, seconds: int, first: int, keep: Path | None) -> Iterator[Score]:
    """New runs of the demo, each fault with seeds that no sample log has."""
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory() as folder:
        truth: dict[str, list[str]] = {}
        for fault in all_faults():
            for seed in range(first, first + seeds):
                log = Path(folder) / f"{fault.name}-{seed}.log"
                command = [sys.executable, "-m", "taskdoctor.demo", "--fault", fault.name, "--seed", str(seed)]
                subprocess.run(
                    [*command, "--seconds", str(seconds), "--log", str(log)], capture_output=True, check=False
                )
                if log.exists():
                    truth[log.name] = [fault.cause] if fault.cause else []
                    (log.parent / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
                    yield judged(log, tuple(truth[log.name]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, default=Path("sample_logs"), help="a folder with a truth.json")
    parser.add_argument("--seeds", type=int, default=0, help="fresh runs of the demo, so many per fault")
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="an empty folder for the fresh logs and their truth")
    chosen = parser.parse_args()
    scores = []
    made = fresh(chosen.seeds, chosen.seconds, chosen.first_seed, chosen.keep)
    found = made if chosen.seeds else labelled(chosen.logs)
    for score in found:
        scores.append(score)
        mark = "ok " if score.right else "-- "
        wanted = ",".join(score.wanted) or "healthy"
        print(f"{mark} {score.name:32} {wanted:32} {score.status:22} {score.said} {score.probability:.2f}", flush=True)  # noqa: T201
    print(f"\nright: {sum(score.right for score in scores)} of {len(scores)}\n")  # noqa: T201
    bins: dict[tuple[float, float], list[Score]] = defaultdict(list)
    for score in scores:
        for low, high in BINS:
            if score.wanted and low <= score.probability < high and score.said != "-":
                bins[low, high].append(score)
    for (low, high), inside in sorted(bins.items()):
        hits = sum(score.said in score.wanted for score in inside)
        mean = sum(score.probability for score in inside) / len(inside)
        print(f"claimed {low:.1f}-{min(high, 1.0):.1f}: mean {mean:.2f}, right {hits} of {len(inside)}")  # noqa: T201


if __name__ == "__main__":
    main()
