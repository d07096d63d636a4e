"""sanic in debug mode: who and level; the time of day only in some versions."""

from __future__ import annotations

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.format import NO_STAMP, Format, Sample

_WHO = r"(?P<worker>Main|Srv ?[0-9]{1,4}|Sanic-[^ ]{1,40}) +"

TIMED = Format(
    name="sanic-time",
    opens="MS",
    pattern=_WHO + r"(?P<stamp>[0-9]{2}:[0-9]{2}:[0-9]{2}) (?P<level>[A-Z]{4,8}): ",
    clock=stamps.time_only,
    dateless=True,
    samples=(Sample("Main 10:11:12 INFO: ready", "2026-03-05T10:11:12", "ready", "INFO", "", "Main"),),
)

TIMED_AFTER = Format(
    name="sanic-time-after",
    opens="MS",
    pattern=_WHO + r"(?P<level>[A-Z]{4,8}): (?P<stamp>[0-9]{2}:[0-9]{2}:[0-9]{2}) ",
    clock=stamps.time_only,
    dateless=True,
    samples=(
        Sample(
            "Srv 0 INFO: 10:11:12 127.0.0.1:5 GET http://a/ 200 13 1.2ms",
            "2026-03-05T10:11:12",
            "127.0.0.1:5 GET http://a/ 200 13 1.2ms",
            "INFO",
            "",
            "Srv 0",
        ),
    ),
)

TIMELESS = Format(
    name="sanic-debug",
    opens="MS",
    pattern=_WHO + r"(?P<level>[A-Z]{4,8}): " + NO_STAMP,
    samples=(Sample("Main  DEBUG: Process ack", "", "Process ack", "DEBUG", "", "Main"),),
)
