"""What really happened: the service measures its own loop, the launcher puts the parts of all processes together."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from taskdoctor.demo.settings import Settings

PARTS = ("lag", "loop_stalls", "operations", "collections")
TICK_S = 0.02
BUCKET_S = 0.25  # one lag figure per bucket
STALL_S = 0.25  # a loop that is this late has stalled: ten times what a busy healthy one shows here
GC_NOTED_S = 0.05
SLOW_FACTOR, SLOW_EXTRA_S = 1.5, 0.7  # an operation is late when it is beyond both


@dataclass(slots=True)
class Meter:
    """The service's own measurements; kept in memory, written once at the end."""

    lag: list[tuple[float, float]] = field(default_factory=list)
    loop_stalls: list[tuple[float, float]] = field(default_factory=list)
    operations: list[tuple[float, float]] = field(default_factory=list)  # end, length
    collections: list[tuple[float, float, int]] = field(default_factory=list)  # start, end, generation
    _gc_begun_s: float = 0.0

    async def watch_loop(self) -> None:
        """How late the loop is, for as long as the task lives."""
        bucket_end_s, worst_s = time.time() + BUCKET_S, 0.0
        while True:
            due_s = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            late_s = time.monotonic() - due_s
            now_s = time.time()
            worst_s = max(worst_s, late_s)
            if late_s >= STALL_S:
                self.loop_stalls.append((now_s - late_s, now_s))
            if now_s >= bucket_end_s:
                self.lag.append((now_s, worst_s))
                bucket_end_s, worst_s = now_s + BUCKET_S, 0.0

    def watch_collector(self) -> None:
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        now_s = time.time()
        if phase == "start":
            self._gc_begun_s = now_s
        elif now_s - self._gc_begun_s >= GC_NOTED_S:
            self.collections.append((self._gc_begun_s, now_s, info["generation"]))

    def finished(self, seconds: float) -> None:
        """An operation ended now and took that long."""
        self.operations.append((time.time(), seconds))


@dataclass(slots=True)
class Acted:
    """Where each fault of one process acted."""

    intervals: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def save(self, work: str, role: str, meter: Meter | None = None) -> None:
        """Leave this process's part where the launcher finds it."""
        part: dict[str, object] = {"intervals": self.intervals}
        if meter:
            part |= {
                "lag": meter.lag,
                "loop_stalls": meter.loop_stalls,
                "operations": meter.operations,
                "collections": meter.collections,
            }
        draft = Path(work, f"{role}.draft")
        draft.write_text(json.dumps(part), encoding="utf-8")
        draft.rename(Path(work, f"{role}.part.json"))


def late_operations(operations: list[list[float]]) -> list[dict[str, object]]:
    """Those beyond the run's own normal, with what is beyond it."""
    if not operations:
        return []
    normal_s = statistics.median(seconds for _, seconds in operations)
    late_s = max(normal_s * SLOW_FACTOR, normal_s + SLOW_EXTRA_S)
    return [
        {"kind": "operation", "start_s": end_s - seconds, "end_s": end_s, "excess_s": seconds - normal_s}
        for end_s, seconds in operations
        if seconds > late_s
    ]


def document(run: Settings, causes: dict[str, str]) -> dict[str, object]:
    """The ground truth of a run, from what its processes left in the scratch folder; instants are epoch seconds."""
    loaded = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(run.work).glob("*.part.json"))]
    merged = {name: [entry for part in loaded for entry in part.get(name, ())] for name in PARTS}
    intervals = {fault: [span for part in loaded for span in part["intervals"].get(fault, ())] for fault in causes}
    loop = [
        {"kind": "loop", "start_s": start_s, "end_s": end_s, "excess_s": end_s - start_s}
        for start_s, end_s in merged["loop_stalls"]
    ]
    return {
        "log": Path(run.log).name,
        "seed": run.seed,
        "seconds": run.seconds,
        "causes": [cause for cause in causes.values() if cause],
        "faults": [{"fault": fault, "cause": cause, "intervals": intervals[fault]} for fault, cause in causes.items()],
        "stalls": loop + late_operations(merged["operations"]),
        "operations": merged["operations"],
        "collections": merged["collections"],
        "loop_lag": merged["lag"],
    }
