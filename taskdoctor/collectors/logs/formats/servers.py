"""Web servers: uvicorn, gunicorn, hypercorn, granian, sanic, and nginx's errors. Some write no time at all."""

from __future__ import annotations

from taskdoctor.collectors.logs.format import DIGITS, ISO, LEVEL, LEVEL_LETTERS, NO_STAMP, STAMP, Format, Sample, Wraps

_SECOND = "2026-03-04T10:11:12"

UVICORN = Format(
    name="uvicorn",
    opens=LEVEL_LETTERS,
    pattern=r"(?P<level>INFO(?=:     )|DEBUG(?=:    )|TRACE(?=:    )|ERROR(?=:    )|WARNING(?=:  )|"
    r"CRITICAL(?=: )): {1,5}" + NO_STAMP,
    samples=(
        Sample("INFO:     Started server process [123]", "", "Started server process [123]", "INFO"),
        Sample("WARNING:  Invalid HTTP request received.", "", "Invalid HTTP request received.", "WARNING"),
        Sample(
            '\x1b[32mINFO\x1b[0m:     127.0.0.1:5 - "\x1b[1mGET / HTTP/1.1\x1b[0m" \x1b[32m200 OK\x1b[0m',
            "",
            '127.0.0.1:5 - "GET / HTTP/1.1" 200 OK',
            "INFO",
        ),
    ),
)

GUNICORN = Format(
    name="gunicorn",
    opens="[",
    pattern=rf"\[{ISO} (?P<zone>[+-][0-9]{{4}})\] \[(?P<worker>[0-9]{{1,10}})\] \[{LEVEL}\] ",
    wraps=Wraps.ACCESS,
    samples=(
        Sample(
            "[2026-03-04 12:11:12 +0200] [19903] [CRITICAL] WORKER TIMEOUT (pid:19917)",
            _SECOND,
            "WORKER TIMEOUT (pid:19917)",
            "CRITICAL",
            "",
            "19903",
        ),
        Sample(
            '[2026-03-04 10:11:13 +0000] [19920] [INFO] 127.0.0.1:5 - - [04/Mar/2026:10:11:12 +0000] "GET / 1.1" 200 7',
            _SECOND,
            '"GET / 1.1" 200 7',
            "INFO",
            "",
            "19920",
            "access",
        ),
        Sample(
            "[2026-03-04 10:11:12 +0000] [7] [INFO] due 2026-01-01 00:00:00",
            _SECOND,
            "due 2026-01-01 00:00:00",
            "INFO",
            "",
            "7",
        ),
    ),
)

GRANIAN = Format(
    name="granian",
    opens="[",
    pattern=rf"\[{LEVEL}\] {NO_STAMP}",
    samples=(Sample("[INFO] Spawning worker-1 with PID: 19915", "", "Spawning worker-1 with PID: 19915", "INFO"),),
)

GRANIAN_ACCESS = Format(
    name="granian-access",
    opens="[",
    pattern=rf'\[{ISO} (?P<zone>[+-][0-9]{{4}})\] (?=[^ "]{{1,80}} - ")',
    access=True,
    samples=(
        Sample(
            '[2026-03-04 10:11:12 +0000] 127.0.0.1 - "GET / HTTP/1.1" 200 10.954',
            _SECOND,
            '127.0.0.1 - "GET / HTTP/1.1" 200 10.954',
        ),
    ),
)

_SANIC = r"(?P<worker>Main|Srv ?[0-9]{1,4}|Sanic-[^ ]{1,40})"

SANIC = Format(
    name="sanic",
    opens="MS",
    pattern=rf"{_SANIC} *\|{STAMP} (?P<level>[A-Z]{{4,8}}): ",
    samples=(
        Sample("Main |2026-03-04 10:11:12 +0000 INFO: Goin' Fast", _SECOND, "Goin' Fast", "INFO", "", "Main"),
        Sample("Srv 0|2026-03-04 10:11:12 +0000 WARNING: slow", _SECOND, "slow", "WARNING", "", "Srv 0"),
    ),
)

SANIC_ACCESS = Format(
    name="sanic-access",
    opens="[",
    pattern=rf"\[{ISO} (?P<zone>[+-][0-9]{{4}})\] - \((?P<logger>[^()]{{1,80}})\)\[{LEVEL}\]\[[^\[\]]{{1,80}}\]: ",
    samples=(
        Sample(
            "[2026-03-04 10:11:12 +0000] - (sanic.access)[INFO][127.0.0.1:5]: GET http://a/  200 13",
            _SECOND,
            "GET http://a/  200 13",
            "INFO",
            "sanic.access",
        ),
    ),
)

NGINX_ERROR = Format(
    name="nginx-error",
    opens=DIGITS,
    pattern=r"(?P<stamp>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8}) \[(?P<level>[a-z]{4,6})\] "
    r"(?P<worker>[0-9]{1,10})#[0-9]{1,10}: (?:\*[0-9]{1,20} )?",
    samples=(
        Sample(
            "2026/03/04 10:11:12 [error] 31#31: *1 upstream timed out", _SECOND, "upstream timed out", "ERROR", "", "31"
        ),
    ),
)
