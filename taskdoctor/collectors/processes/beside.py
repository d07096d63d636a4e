"""The process table beside a watch of a service: one look when it begins, another when it is over.

Why two: together they prove, without a wait of their own, what had no other end all the while, and tell the CPU that
each took in between. What is new at the end has been seen once, and is a suspect at most.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from taskdoctor.collectors.processes.collecting import APART_S, judged
from taskdoctor.collectors.processes.harm import cpu_share, cpu_ticks
from taskdoctor.collectors.processes.survey import Survey, survey
from taskdoctor.model import ProcessClass, Processes, ProcessTree

MUCH_CPU = 0.25  # of a core: an orphan of somebody else that takes less has nothing to do with the service
MUCH_BYTES = 300_000_000


class Beside:
    """Raises UnreadableError where there is no process table."""

    def __init__(self, service: int) -> None:
        self._service = service
        self._before = survey()
        self._ticks = _ticks(self._before)
        self._began_s = time.monotonic()

    def end(self) -> Processes:
        """The servers below the service, and orphans of others that take much."""
        apart_s = time.monotonic() - self._began_s
        after = survey()
        shares = {pid: cpu_share(self._ticks.get(pid), now, apart_s) for pid, now in _ticks(after).items()}
        proven = apart_s >= APART_S
        before = self._before if proven else None
        seen = judged(
            after,
            before,
            shares,
            apart_s=apart_s if proven else 0.0,
            service=self._service,
            at_s=time.time(),
            with_zombies=False,
        )
        return replace(seen, trees=tuple(tree for tree in seen.trees if self._matters(tree)))

    def _matters(self, tree: ProcessTree) -> bool:
        if self._service in tree.root.parents:
            return True
        much = tree.harm.cpu_share >= MUCH_CPU or tree.harm.rss_bytes >= MUCH_BYTES or bool(tree.harm.locks)
        return much and tree.kind in (ProcessClass.ORPHAN, ProcessClass.HELPER)


def begin(service: int) -> Beside | None:
    """None where the table cannot be read like this."""
    return Beside(service) if sys.platform == "linux" else None


def _ticks(seen: Survey) -> dict[int, tuple[int, int]]:
    of_interest = {pid: seen.table[pid] for group in seen.groups for pid in group.pids if pid in seen.table}
    return cpu_ticks(of_interest)
