"""JSON and logfmt records: structlog, python-json-logger, OpenTelemetry, Google, ollama, and any other."""

from __future__ import annotations

from taskdoctor.collectors.logs.format import LETTERS, Fields, Format, Sample, Syntax

_AT = "2026-03-04T10:11:12.345"
_TIMES = (
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "asctime",
    "datetime",
    "created",
    "date",
    "eventTime",
    "timeUnixNano",
    "t",
)
_LEVEL_KEYS = (
    "level",
    "levelname",
    "severity",
    "severityText",
    "severity_text",
    "log.level",
    "lvl",
    "loglevel",
    "level_name",
    "logLevel",
)
_LOGGERS = ("logger", "logger_name", "name", "log.logger", "loggerName", "logger.name", "caller")
_WORKERS = (
    "pid",
    "process",
    "process_id",
    "processName",
    "process_name",
    "threadName",
    "thread_name",
    "thread",
    "process.pid",
)
_HIDDEN = (
    "v",
    "hostname",
    "host",
    "taskName",
    "pathname",
    "filename",
    "lineno",
    "funcName",
    "module",
    "levelno",
    "msecs",
    "stream",
)
_TRACEBACKS = (
    "exc_info",
    "exception",
    "exc_text",
    "stack_info",
    "traceback",
    "stack_trace",
    "stacktrace",
    "stack",
    "error.stack_trace",
)

STRUCTLOG = Format(
    name="structlog-json",
    opens="{",
    pattern=r"\{",
    fields=Fields(
        requires=("event",),
        forbids=("msg", "message", "log", "body", "short_message", "__REALTIME_TIMESTAMP", "levelname"),
        at=_TIMES,
        message=("event",),
        level=_LEVEL_KEYS,
        logger=_LOGGERS,
        worker=_WORKERS,
        hidden=_HIDDEN,
        traceback=_TRACEBACKS,
    ),
    samples=(
        Sample(
            '{"took_ms": 812.4, "path": "/chat", "event": "slow request", "level": "info", '
            '"timestamp": "2026-03-04T10:11:12.345Z"}',
            _AT,
            "slow request took_ms=812.4 path=/chat",
            "INFO",
        ),
        Sample(
            '{"event": "failed", "level": "error", "timestamp": "2026-03-04T10:11:12.345Z", "exception": '
            '"Traceback (most recent call last):\\nValueError: no"}',
            _AT,
            "failed\nTraceback (most recent call last):\nValueError: no",
            "ERROR",
        ),
    ),
)

PYTHON_JSON_LOGGER = Format(
    name="python-json-logger",
    opens="{",
    pattern=r"\{",
    fields=Fields(
        requires=("asctime|levelname", "message"),
        forbids=("record", "__REALTIME_TIMESTAMP"),
        at=_TIMES,
        message=("message",),
        level=_LEVEL_KEYS,
        logger=_LOGGERS,
        worker=_WORKERS,
        hidden=_HIDDEN,
        traceback=_TRACEBACKS,
    ),
    samples=(
        Sample(
            '{"asctime": "2026-03-04 10:11:12,345", "levelname": "WARNING", "name": "svc", '
            '"message": "slow", "took_ms": 3, "process": 851}',
            _AT,
            "slow took_ms=3",
            "WARNING",
            "svc",
            "851",
        ),
        Sample(
            '{"message": "failed", "levelname": "ERROR", "threadName": "MainThread", '
            '"timestamp": "2026-03-04T10:11:12.345000+00:00", '
            '"exc_info": "Traceback\\nValueError: no"}',
            _AT,
            "failed\nTraceback\nValueError: no",
            "ERROR",
            "",
            "MainThread",
        ),
    ),
)

_OTEL = "resourceLogs.0.scopeLogs.0.logRecords.0"

OTEL = Format(
    name="otel-json",
    opens="{",
    pattern=r"\{",
    fields=Fields(
        requires=("resourceLogs",),
        at=(f"{_OTEL}.timeUnixNano", f"{_OTEL}.observedTimeUnixNano"),
        message=(f"{_OTEL}.body.stringValue",),
        level=(f"{_OTEL}.severityText",),
        logger=("resourceLogs.0.scopeLogs.0.scope.name",),
        worker=("resourceLogs.0.resource.attributes.process.pid",),
        extras=f"{_OTEL}.attributes",
        traceback=(f"{_OTEL}.attributes.exception.stacktrace",),
        hidden=("exception.type", "exception.message", "code.filepath", "code.function", "code.lineno"),
    ),
    samples=(
        Sample(
            '{"resourceLogs":[{"resource":{"attributes":[{"key":"process.pid","value":{"intValue":"12"}}]},"scopeLogs":[{"scope":'
            '{"name":"svc"},"logRecords":[{"timeUnixNano":"1772619072345000000","severityText":"WARN","body":{"stringValue":"slow"},'
            '"attributes":[{"key":"took_ms","value":{"doubleValue":812.4}}]}]}]}]}',
            _AT,
            "slow took_ms=812.4",
            "WARNING",
            "svc",
            "12",
        ),
    ),
)

GOOGLE = Format(
    name="google-json",
    opens="{",
    pattern=r"\{",
    fields=Fields(
        requires=("textPayload|jsonPayload", "timestamp"),
        at=("timestamp", "receiveTimestamp"),
        message=("textPayload", "jsonPayload.message", "jsonPayload.msg", "jsonPayload.event"),
        level=("severity",),
        logger=("jsonPayload.logger", "jsonPayload.name", "logName"),
        worker=("resource.labels.pod_name", "labels.worker_id"),
        extras="jsonPayload",
        hidden=("jsonPayload.time", "jsonPayload.timestamp", "jsonPayload.level", "jsonPayload.severity"),
    ),
    samples=(
        Sample(
            '{"timestamp": "2026-03-04T10:11:12.345000000Z", "textPayload": "slow", "severity": "ERROR"}',
            _AT,
            "slow",
            "ERROR",
        ),
        Sample(
            '{"jsonPayload": {"message": "slow", "took_ms": 9}, "resource": {"labels": {"pod_name": "web-1"}}, '
            '"timestamp": "2026-03-04T10:11:12.345Z"}',
            _AT,
            "slow took_ms=9",
            "",
            "",
            "web-1",
        ),
    ),
)

_OTHERS = (
    "resourceLogs",
    "textPayload",
    "jsonPayload",
    "record",
    "__REALTIME_TIMESTAMP",
    "asctime",
    "levelname",
    "log+stream+time",
)
_MESSAGES = ("message", "msg", "event", "log", "body.stringValue", "body", "short_message")

GENERIC_JSON = Format(
    name="json",
    opens="{",
    pattern=r"\{",
    fields=Fields(
        requires=("message|msg|log|body|short_message",),
        forbids=_OTHERS,
        at=_TIMES,
        message=_MESSAGES,
        level=_LEVEL_KEYS,
        logger=_LOGGERS,
        worker=_WORKERS,
        hidden=_HIDDEN,
        traceback=_TRACEBACKS,
    ),
    samples=(
        Sample(
            '{"level":30,"time":1772619072345,"pid":657,"hostname":"h","msg":"request completed","responseTime":812}',
            _AT,
            "request completed responseTime=812",
            "INFO",
            "",
            "657",
        ),
        Sample(
            '{"level":"info","ts":1772619072.345,"caller":"a/b.go:3","msg":"slow","elapsed":1.5}',
            _AT,
            "slow elapsed=1.5",
            "INFO",
            "a/b.go:3",
        ),
        Sample('{"level":"warn","time":1772619072,"message":"slow"}', "2026-03-04T10:11:12", "slow", "WARNING"),
        Sample(
            '{"name":"svc","hostname":"h","pid":7,"level":50,"msg":"no","time":"2026-03-04T10:11:12.345Z","v":0}',
            _AT,
            "no",
            "ERROR",
            "svc",
            "7",
        ),
        Sample(
            '{"@timestamp":"2026-03-04T10:11:12.345Z","log.level":"INFO","message":"slow","path":"/a b"}',
            _AT,
            'slow path="/a b"',
            "INFO",
        ),
        Sample('{"severity":"ERROR","message":"no","time":1772619072345000}', _AT, "no", "ERROR"),
        Sample(
            '{"body":"slow","severity_text":"WARN","timestamp":"2026-03-04T10:11:12.345000Z"}', _AT, "slow", "WARNING"
        ),
    ),
)

BARE_JSON = Format(
    name="json-bare",
    opens="{",
    pattern=r"\{",
    fields=Fields(
        requires=("|".join(_TIMES), "|".join(_LEVEL_KEYS)),
        forbids=(*_OTHERS, *_MESSAGES),
        at=_TIMES,
        level=_LEVEL_KEYS,
        logger=_LOGGERS,
        worker=_WORKERS,
        hidden=_HIDDEN,
        traceback=_TRACEBACKS,
    ),
    samples=(
        Sample(
            '{"level":"info","ts":1772619072.345,"path":"/chat","took_ms":812}', _AT, "path=/chat took_ms=812", "INFO"
        ),
    ),
)

LOGFMT = Format(
    name="logfmt",
    opens=LETTERS + "_@",
    pattern=r"(?=[A-Za-z_@][A-Za-z0-9_.@-]{0,60}=)",
    fields=Fields(
        syntax=Syntax.LOGFMT,
        requires=("timestamp|time|ts|t", "event|msg|message"),
        forbids=("source",),
        at=("timestamp", "time", "ts", "t"),
        message=("event", "msg", "message"),
        level=("level", "lvl", "severity"),
        logger=("logger", "caller"),
        worker=("pid", "thread"),
        traceback=("exception", "exc_info"),
    ),
    samples=(
        Sample(
            'took_ms=812.4 event="slow request" level=info timestamp=2026-03-04T10:11:12.345Z',
            _AT,
            "slow request took_ms=812.4",
            "INFO",
        ),
        Sample(
            'time="2026-03-04T10:11:12Z" level=warning msg="a \\"b\\"" n=3',
            "2026-03-04T10:11:12",
            'a "b" n=3',
            "WARNING",
        ),
    ),
)

OLLAMA = Format(
    name="ollama",
    opens="t",
    pattern=r"(?=time=)",
    fields=Fields(
        syntax=Syntax.LOGFMT,
        requires=("time", "level", "source", "msg"),
        at=("time",),
        message=("msg",),
        level=("level",),
        logger=("source",),
    ),
    samples=(
        Sample(
            'time=2026-03-04T10:11:12.345Z level=INFO source=server.go:621 msg="waiting for server" '
            'status="llm server loading model"',
            _AT,
            'waiting for server status="llm server loading model"',
            "INFO",
            "server.go:621",
        ),
    ),
)
