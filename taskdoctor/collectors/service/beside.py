"""The service's own log for the window of a watch, on the clock of the watch.

Why shifted: stamps without a zone are taken as written, and a service may write local time. A log that is being written
ends about now, so what its last stamp is off by, in whole quarters of an hour, is its zone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from taskdoctor.collectors.logs.collecting import Options, collect
from taskdoctor.collectors.logs.moments import end_of
from taskdoctor.collectors.logs.scanning import Window
from taskdoctor.model import Snapshot

ZONE_STEP_S = 900.0
SLACK_S = 1.0  # a line is written a little after what it tells of


def log_beside(paths: Sequence[str], *, began_s: float, ended_s: float) -> Snapshot:
    """What the log says of the window. Raises UnreadableError when it cannot be read."""
    ahead_s = zone_s(end_of(paths), time.time())
    window = Window(began_s + ahead_s, ended_s + SLACK_S + ahead_s)
    return shifted(collect(paths, Options(window=window)), -ahead_s)


def zone_s(last_s: float, now_s: float) -> float:
    """By how much the stamps are ahead of the clock: whole quarters of an hour, or nothing."""
    ahead_s = round((last_s - now_s) / ZONE_STEP_S) * ZONE_STEP_S
    return ahead_s if abs(ahead_s) <= 15 * 3600 else 0.0


def shifted(snapshot: Snapshot, by_s: float) -> Snapshot:
    """The same, so much later."""
    if by_s == 0:
        return snapshot
    return replace(
        snapshot,
        events=tuple(replace(event, at_s=event.at_s + by_s) if event.aligned else event for event in snapshot.events),
        gaps=tuple(replace(gap, start_s=gap.start_s + by_s, end_s=gap.end_s + by_s) for gap in snapshot.gaps),
        sources=tuple(
            replace(
                source,
                first_s=None if source.first_s is None else source.first_s + by_s,
                last_s=None if source.last_s is None else source.last_s + by_s,
            )
            for source in snapshot.sources
        ),
    )
