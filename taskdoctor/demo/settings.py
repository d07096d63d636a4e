"""What one run of the demo is made of; written once by the launcher, read by every process of the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a run, with the ports that were free when it began."""

    faults: tuple[str, ...]
    seed: int
    seconds: float
    every_s: float  # between the begins of episodes, about
    log: str
    style: str
    work: str  # scratch folder of this run, removed at its end
    service_port: int
    upstream_port: int
    dns_port: int
    monitor_ports: tuple[int, int, int] | None  # terminal, web, console; None: aiomonitor is left out
    plain: bool = False  # no watchdog, no spans: poor logging
    debug: bool = False  # asyncio's debug mode
    sessions: int = 5
    idle_sockets: int = 6  # long-lived, legitimate, quiet
    memory_nodes: int = 0  # cyclic nodes that the memory graph holds from the start
    index_mb: int = 0  # of the mapped index of embeddings
    supervised: bool = False  # an arbiter replaces the service when its loop is silent
    ship_logs: bool = False  # also write the log to a pipe that a collector reads
    freeze: bool = False  # what is there after the start is kept out of later collections
    gc_thresholds: tuple[int, int, int] = (700, 10, 10)  # CPython's own

    def save(self) -> None:
        Path(self.work, "settings.json").write_text(json.dumps(asdict(self)), encoding="utf-8")


def load(work: str) -> Settings:
    """The settings of the run that `work` belongs to."""
    fields = json.loads(Path(work, "settings.json").read_text(encoding="utf-8"))
    ports = fields["monitor_ports"]
    fields["faults"] = tuple(fields["faults"])
    fields["monitor_ports"] = tuple(ports) if ports else None
    fields["gc_thresholds"] = tuple(fields["gc_thresholds"])
    return Settings(**fields)
