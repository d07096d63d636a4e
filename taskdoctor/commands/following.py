"""`logs --follow`: read what is there, then what is appended; a line of state now and then, the verdict at Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from taskdoctor.causes import all_causes
from taskdoctor.collectors.logs.collecting import Following, Options
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Snapshot

EVERY_S = 5.0


def watch(paths: Sequence[str], options: Options) -> Snapshot:
    """Follow one log until Ctrl-C or its end; what was seen by then."""
    following = Following(paths, options)
    sys.stderr.write("following; Ctrl-C gives the verdict\n")
    said_s = time.monotonic()
    try:
        for _ in following.lines():
            if time.monotonic() - said_s >= EVERY_S:
                said_s = time.monotonic()
                _say(following.snapshot())
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    return following.snapshot()


def _say(snapshot: Snapshot) -> None:
    from taskdoctor.renderers.words import plain_text

    verdict = judge([snapshot], all_causes())
    lines = sum(source.lines for source in snapshot.sources)
    sys.stderr.write(f"{lines:,} lines, {verdict.stall_count} stalls. {plain_text(verdict.summary, 200)}\n")
    sys.stderr.flush()
