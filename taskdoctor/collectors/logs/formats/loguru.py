"""loguru: its default line (plain or coloured) and `serialize=True`."""

from __future__ import annotations

from taskdoctor.collectors.logs.format import DASHED_ISO, DIGITS, FRACTION, Fields, Format, Sample

LOGURU = Format(
    name="loguru",
    opens=DIGITS,
    pattern=DASHED_ISO
    + FRACTION
    + r"(?P<zone>[+-][0-9]{2}:?[0-9]{2})?"
    + r" \| (?P<level>[A-Za-z]{1,20}) *\| (?P<logger>[^ :]{1,200}:[^ :]{0,200}:[0-9]{1,8}) - ",
    samples=(
        Sample(
            "2026-03-04 10:11:12.345 | WARNING  | app.mod:fn:42 - slow",
            "2026-03-04T10:11:12.345",
            "slow",
            "WARNING",
            "app.mod:fn:42",
        ),
        Sample(
            "2026-03-04 10:11:12.345 | SUCCESS  | __main__:<module>:3 - took 2026-01-01 00:00:00 | INFO",
            "2026-03-04T10:11:12.345",
            "took 2026-01-01 00:00:00 | INFO",
            "INFO",
            "__main__:<module>:3",
        ),
        Sample(
            "\x1b[32m2026-03-04 10:11:12.345\x1b[0m | \x1b[1mINFO    \x1b[0m | \x1b[36mapp\x1b[0m:\x1b[36mfn\x1b[0m:"
            "\x1b[36m12\x1b[0m - \x1b[1mhi\x1b[0m",
            "2026-03-04T10:11:12.345",
            "hi",
            "INFO",
            "app:fn:12",
        ),
    ),
)

SERIALIZED = Format(
    name="loguru-json",
    opens="{",
    pattern=r"\{",
    fields=Fields(
        requires=("text", "record.message", "record.time.timestamp"),
        at=("record.time.timestamp",),
        message=("record.message",),
        level=("record.level.name",),
        logger=("record.name:record.function:record.line",),
        worker=("record.process.id",),
        extras="record.extra",
        traceback=("record.exception",),
        rendered="text",
    ),
    samples=(
        Sample(
            '{"text": "2026-03-04 10:11:12.345 | INFO     | app:turn:7 - turn done\\n", "record": {"elapsed": {"repr": '
            '"0:00:01", "seconds": 1.0}, "exception": null, "extra": {"took_s": 1.842}, "file": {"name": "app.py"}, '
            '"function": "turn", "level": {"icon": "i", "name": "INFO", "no": 20}, "line": 7, "message": "turn done", '
            '"module": "app", "name": "app", "process": {"id": 851, "name": "MainProcess"}, "thread": {"id": 1}, '
            '"time": {"repr": "2026-03-04 10:11:12.345000+00:00", "timestamp": 1772619072.345}}}',
            "2026-03-04T10:11:12.345",
            "turn done took_s=1.842",
            "INFO",
            "app:turn:7",
            "851",
        ),
        Sample(
            '{"text": "x - failed\\nTraceback (most recent call last):\\n  File \\"a.py\\"\\nValueError: no\\n", '
            '"record": {"exception": {"type": "ValueError", "value": "no", "traceback": true}, "extra": {}, '
            '"function": "f", "level": {"name": "ERROR"}, "line": 1, '
            '"message": "failed", "name": "app", "process": {"id": 9}, "time": {"timestamp": 1772619072.5}}}',
            "2026-03-04T10:11:12.5",
            'failed\nTraceback (most recent call last):\n  File "a.py"\nValueError: no',
            "ERROR",
            "app:f:1",
            "9",
        ),
    ),
)
