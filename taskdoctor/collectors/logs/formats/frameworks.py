"""Frameworks and libraries that bring their own prefix: airflow, celery, openai, LiteLLM, tornado, structlog, vLLM."""

from __future__ import annotations

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.format import (
    DASHED_ISO,
    DIGITS,
    FRACTION,
    ISO,
    LEVEL,
    LEVEL_LETTERS,
    STAMP,
    ZONE,
    Format,
    Sample,
    Tail,
    Wraps,
)

_AT = "2026-03-04T10:11:12.345"

AIRFLOW = Format(
    name="airflow",
    opens="[",
    pattern=rf"\[{STAMP}\] \{{(?P<logger>[^{{}}]{{1,150}})\}} {LEVEL} - ",
    samples=(
        Sample(
            "[2026-03-04 10:11:12,345] {triggerer_job.py:344} ERROR - blocked",
            _AT,
            "blocked",
            "ERROR",
            "triggerer_job.py:344",
        ),
        Sample(
            "[2026-03-04T12:11:12.345+0200] {taskinstance.py:12} INFO - ok", _AT, "ok", "INFO", "taskinstance.py:12"
        ),
    ),
)

CELERY = Format(
    name="celery",
    opens="[",
    pattern=rf"\[{STAMP}: {LEVEL}/(?P<worker>[^\] ]{{1,80}})\] ",
    samples=(
        Sample(
            "[2026-03-04 10:11:12,345: INFO/ForkPoolWorker-1] Task app.add succeeded in 1.2s",
            _AT,
            "Task app.add succeeded in 1.2s",
            "INFO",
            "",
            "ForkPoolWorker-1",
        ),
    ),
)

OPENAI = Format(
    name="openai",
    opens="[",
    pattern=rf"\[{STAMP} - (?P<logger>[^ \]]{{1,150}}) - {LEVEL}\] ",
    samples=(
        Sample(
            "[2026-03-04 10:11:12 - openai._base_client:818 - DEBUG] HTTP Response: POST 200",
            "2026-03-04T10:11:12",
            "HTTP Response: POST 200",
            "DEBUG",
            "openai._base_client:818",
        ),
    ),
)

LITELLM = Format(
    name="litellm",
    opens=DIGITS,
    pattern=rf"(?P<stamp>[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}) - (?P<logger>[A-Za-z][A-Za-z ]{{0,40}}):{LEVEL}: "
    r"(?:[^ :]{1,80}:[0-9]{1,8} - )?",
    clock=stamps.time_only,
    dateless=True,
    samples=(
        Sample(
            "16:20:38 - LiteLLM Router:INFO: router.py:955 - cooling down",
            "2026-03-05T16:20:38",
            "cooling down",
            "INFO",
            "LiteLLM Router",
        ),
    ),
)

_APPLICATION = r" (?P<logger>[A-Za-z_][^\] ]{0,100})\] "

TORNADO = Format(
    name="tornado",
    opens="[",
    pattern=r"\[(?P<level>[DIWEC]) (?P<stamp>[0-9]{6} [0-9:]{8})" + _APPLICATION,
    clock=stamps.compact,
    samples=(
        Sample(
            "[I 260304 10:11:12 web:2250] 200 GET / (127.0.0.1) 38.19ms",
            "2026-03-04T10:11:12",
            "200 GET / (127.0.0.1) 38.19ms",
            "INFO",
            "web:2250",
        ),
    ),
)

JUPYTER = Format(
    name="jupyter",
    opens="[",
    pattern=rf"\[(?P<level>[DIWEC]) {ISO}{FRACTION}" + _APPLICATION,
    samples=(
        Sample(
            "[W 2026-03-04 10:11:12.345 ServerApp] 200 GET /api/contents (@127.0.0.1) 38.19ms",
            _AT,
            "200 GET /api/contents (@127.0.0.1) 38.19ms",
            "WARNING",
            "ServerApp",
        ),
    ),
)

JUPYTER_TIME = Format(
    name="jupyter-time",
    opens="[",
    pattern=rf"\[(?P<level>[DIWEC]) (?P<stamp>[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}){FRACTION}" + _APPLICATION,
    clock=stamps.time_only,
    dateless=True,
    samples=(
        Sample(
            "[D 10:11:12.345 NotebookApp] 304 GET /a 38.19ms",
            "2026-03-05T10:11:12.345",
            "304 GET /a 38.19ms",
            "DEBUG",
            "NotebookApp",
        ),
    ),
)

STRUCTLOG = Format(
    name="structlog",
    opens=DIGITS,
    pattern=DASHED_ISO + FRACTION + ZONE + r" \[(?P<level>[a-z]{4,9}) *\] ",
    tail=Tail.PADDING,
    samples=(
        Sample(
            "2026-03-04T10:11:12.345842Z [warning  ] slow request                   path=/chat took_ms=812.4",
            "2026-03-04T10:11:12.345842",
            "slow request path=/chat took_ms=812.4",
            "WARNING",
        ),
        Sample(
            "2026-03-04 10:11:12 [info     ] ready                          [svc.chat] port=80",
            "2026-03-04T10:11:12",
            "ready [svc.chat] port=80",
            "INFO",
        ),
    ),
)

VLLM_PROCESS = Format(
    name="vllm-process",
    opens="(",
    pattern=r"\((?P<worker>[A-Za-z][A-Za-z0-9_]{0,40} pid=[0-9]{1,10})\) ",
    wraps=Wraps.LINE,
    samples=(
        Sample(
            "(APIServer pid=851) INFO 03-04 10:11:12 [loggers.py:257] Engine 000: up",
            "2026-03-04T10:11:12",
            "Engine 000: up",
            "INFO",
            "loggers.py:257",
            "APIServer pid=851",
            "vllm",
        ),
        Sample(
            '(APIServer pid=851) INFO:     10.0.0.1:5 - "POST /v1/chat HTTP/1.1" 200 OK',
            "",
            '10.0.0.1:5 - "POST /v1/chat HTTP/1.1" 200 OK',
            "INFO",
            "",
            "APIServer pid=851",
            "uvicorn",
        ),
    ),
)

VLLM = Format(
    name="vllm",
    opens=LEVEL_LETTERS,
    pattern=rf"{LEVEL} (?P<stamp>[0-9]{{2}}-[0-9]{{2}} [0-9:]{{8}}) \[?(?P<logger>[^ \[\]]{{1,100}})\] ",
    clock=stamps.month_day,
    samples=(
        Sample(
            "INFO 03-04 10:11:12 [loggers.py:257] Engine 000: up",
            "2026-03-04T10:11:12",
            "Engine 000: up",
            "INFO",
            "loggers.py:257",
        ),
        Sample(
            "INFO 12-31 06:36:05 llm_engine.py:921] init", "2025-12-31T06:36:05", "init", "INFO", "llm_engine.py:921"
        ),
    ),
)

_GLOG_REST = r" {1,8}(?:(?P<worker>[0-9]{1,20}) )?(?P<logger>[^ \]]{1,100})\] "

GLOG = Format(
    name="glog",
    opens="IWEFD",
    pattern=r"(?P<level>[IWEFD])(?P<stamp>[0-9]{4} [0-9:]{8})\.(?P<fraction>[0-9]{6})" + _GLOG_REST,
    clock=stamps.glog,
    samples=(
        Sample(
            "E0304 18:22:54.645542 base_events.py:1274] socket.accept() out of system resource",
            "2026-03-04T18:22:54.645542",
            "socket.accept() out of system resource",
            "ERROR",
            "base_events.py:1274",
        ),
        Sample(
            "I0304 18:22:54.645542       1 main.go:12] up",
            "2026-03-04T18:22:54.645542",
            "up",
            "INFO",
            "main.go:12",
            "1",
        ),
    ),
)

GLOG_YEAR = Format(
    name="glog-year",
    opens="IWEFD",
    pattern=r"(?P<level>[IWEFD])(?P<stamp>[0-9]{8} [0-9:]{8})\.(?P<fraction>[0-9]{6})" + _GLOG_REST,
    clock=stamps.compact_year,
    samples=(
        Sample(
            "W20260304 18:22:54.645542 851 a.cc:9] up", "2026-03-04T18:22:54.645542", "up", "WARNING", "a.cc:9", "851"
        ),
    ),
)

GIN = Format(
    name="gin",
    opens="[",
    pattern=r"\[GIN\] (?P<stamp>[0-9]{4}/[0-9]{2}/[0-9]{2} - [0-9:]{8}) \| ",
    samples=(
        Sample(
            '[GIN] 2026/03/04 - 03:24:29 | 200 |  5.239788128s | 10.0.0.1 | POST     "/api/chat"',
            "2026-03-04T03:24:29",
            '200 |  5.239788128s | 10.0.0.1 | POST     "/api/chat"',
        ),
    ),
)
