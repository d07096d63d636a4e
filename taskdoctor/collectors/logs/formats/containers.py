"""What containers put around a service's own lines: docker, compose, kubectl, Kubernetes CRI."""

from __future__ import annotations

from taskdoctor.collectors.logs.format import DIGITS, LETTERS, Fields, Format, Sample, Wraps

_NANO = r"(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})\.(?P<fraction>[0-9]{7,9})(?P<zone>Z|[+-][0-9]{2}:[0-9]{2}) "
_AT = "2026-03-04T10:11:12.345678"

DOCKER_TIME = Format(
    name="docker-time",
    opens=DIGITS,
    pattern=_NANO + r"(?!std(?:out|err) [FP])",
    wraps=Wraps.LINE,
    samples=(
        Sample(
            "2026-03-04T10:11:12.926295178Z 2026-03-04 10:11:11 WARNING  discord.http We are being rate limited.",
            "2026-03-04T10:11:11",
            "We are being rate limited.",
            "WARNING",
            "discord.http",
            "",
            "discord-colour",
        ),
        Sample("2026-03-04T10:11:12.345678000Z INFO:     ready", _AT, "ready", "INFO"),
        Sample(
            "2026-03-04T10:11:12.345678000Z 2026-03-04 18:11:12 | INFO     | a:b:1 | local time",
            "2026-03-04T10:11:12",
            "local time",
            "INFO",
            "a:b:1",
            "",
            "open-llm-vtuber-console",
        ),
    ),
)

DOCKER_JSON = Format(
    name="docker-json",
    opens="{",
    pattern=r"\{",
    wraps=Wraps.LINE,
    fields=Fields(requires=("log", "stream", "time"), at=("time",), message=("log",), unended=True),
    samples=(
        Sample(
            '{"log":"INFO:     ready\\n","stream":"stderr","time":"2026-03-04T10:11:12.345678901Z"}',
            _AT,
            "ready",
            "INFO",
        ),
        Sample(
            '{"log":"WARNING:svc:first piece","stream":"stderr","time":"2026-03-04T10:11:12.345678901Z"}',
            _AT,
            "first piece",
            "WARNING",
            "svc",
            continued=True,
        ),
        Sample(
            '{"log":"{\\"level\\":30,\\"time\\":1772619072345,\\"pid\\":7,\\"msg\\":\\"up\\",\\"ms\\":3}\\n","stream":"stdout","time":"2026-03-04T10:11:13Z"}',
            "2026-03-04T10:11:12.345",
            "up ms=3",
            "INFO",
            "",
            "7",
            "json",
        ),
    ),
)

CRI = Format(
    name="cri",
    opens=DIGITS,
    pattern=_NANO + r"std(?:out|err) (?:(?P<partial>P)|F)(?::[^ ]{0,40})? ",
    wraps=Wraps.LINE,
    samples=(
        Sample("2026-03-04T10:11:12.345678901Z stderr F plain", _AT, "plain"),
        Sample("2026-03-04T12:11:12.345678901+02:00 stdout P half of", _AT, "half of", continued=True),
        Sample(
            "2026-03-04T10:11:12.345678901Z stdout F "
            '{"event": "slow", "level": "info", "ts": "2026-03-04T10:11:12Z", "s": 2}',
            "2026-03-04T10:11:12",
            "slow s=2",
            "INFO",
            "",
            "",
            "structlog-json",
        ),
    ),
)

COMPOSE = Format(
    name="docker-compose",
    opens=DIGITS + LETTERS,
    pattern=r"(?P<worker>[A-Za-z0-9][A-Za-z0-9_.-]{0,80}[-_][0-9]{1,4}) {1,60}\| ",
    wraps=Wraps.LINE,
    samples=(
        Sample("web-1  | INFO:     ready", "", "ready", "INFO", "", "web-1", "uvicorn"),
        Sample(
            "\x1b[36mweb_1    |\x1b[0m 2026-03-04 10:11:12,345 - svc - INFO - slow",
            "2026-03-04T10:11:12.345",
            "slow",
            "INFO",
            "svc",
            "web_1",
            "stdlib-name-level-dashes",
        ),
        Sample(
            "web-1  | [2026-03-04 10:11:12 +0000] [7] [INFO] up",
            "2026-03-04T10:11:12",
            "up",
            "INFO",
            "",
            "web-1/7",
            "gunicorn",
        ),
    ),
)

COMPOSE_NAMED = Format(
    name="docker-compose-named",
    opens=LETTERS,
    pattern=r"(?P<worker>[A-Za-z][A-Za-z0-9_.-]{0,80}(?<![-_][0-9])(?<![-_][0-9]{2})) {2,60}\| "
    r"(?=\[?[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}|\{\")",
    wraps=Wraps.LINE,
    samples=(
        Sample(
            "postgres  | 2026-03-04 10:11:12.345 UTC [1] LOG:  ready",
            "2026-03-04T10:11:12.345",
            "LOG:  ready",
            "",
            "",
            "postgres/1",
            "generic",
        ),
    ),
)

KUBECTL = Format(
    name="kubectl-prefix",
    opens="[",
    pattern=r"\[pod/(?P<worker>[A-Za-z0-9.-]{1,120})/[A-Za-z0-9.-]{1,80}\] ",
    wraps=Wraps.LINE,
    samples=(Sample("[pod/web-5f/app] WARNING:svc:slow", "", "slow", "WARNING", "svc", "web-5f", "stdlib-basic"),),
)
