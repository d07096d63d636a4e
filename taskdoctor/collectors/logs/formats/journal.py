"""The system's journal and syslog: host, program and pid around the service's own line."""

from __future__ import annotations

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.format import DIGITS, FRACTION, Fields, Format, Sample, Wraps

_SECOND = "2026-03-04T10:11:12"
_PROGRAM = r"(?P<logger>[^ :\[\]]{1,80})(?:\[(?P<worker>[0-9]{1,10})\])?: "
_HOST = r" [A-Za-z0-9_.:-]{1,120} "

SYSLOG = Format(
    name="syslog",
    opens="JFMASOND<",
    pattern=r"(?P<level><[0-9]{1,3}>)?(?P<stamp>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8})" + FRACTION + _HOST + _PROGRAM,
    clock=stamps.syslog,
    wraps=Wraps.LINE,
    samples=(
        Sample("Mar 04 10:11:12 host python[123]: msg", _SECOND, "msg", "", "python", "123"),
        Sample("<34>Mar  4 10:11:12 host app[1]: msg", _SECOND, "msg", "CRITICAL", "app", "1"),
        Sample(
            "Dec 31 23:59:59 host kernel: Out of memory: Killed",
            "2025-12-31T23:59:59",
            "Out of memory: Killed",
            "",
            "kernel",
        ),
        Sample(
            "Mar 04 10:11:12.345678 host python[123]: precise",
            "2026-03-04T10:11:12.345678",
            "precise",
            "",
            "python",
            "123",
        ),
        Sample("Mar 04 10:11:12 host python[123]: INFO:     ready", _SECOND, "ready", "INFO", "python", "123"),
    ),
)

SYSLOG_5424 = Format(
    name="syslog-5424",
    opens="<",
    pattern=r"(?P<level><[0-9]{1,3}>)1 (?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})"
    + FRACTION
    + r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2}) [^ ]{1,255} (?P<logger>[^ ]{1,48}) (?:-|(?P<worker>[^ ]{1,128})) [^ ]{1,32} "
    + r"(?:-|(?:\[[^\]]{1,1000}\]){1,8})(?: |$)(?:\xef\xbb\xbf)?",
    wraps=Wraps.LINE,
    samples=(
        Sample(
            "<34>1 2026-03-04T10:11:12.003Z host app 1 ID47 - msg",
            "2026-03-04T10:11:12.003",
            "msg",
            "CRITICAL",
            "app",
            "1",
        ),
        Sample('<165>1 2026-03-04T10:11:12+00:00 host app - - [a@1 k="v"] msg', _SECOND, "msg", "INFO", "app"),
    ),
)

JOURNAL_ISO = Format(
    name="journal-iso",
    opens=DIGITS,
    pattern=r"(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})"
    + FRACTION
    + r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})"
    + _HOST
    + _PROGRAM,
    wraps=Wraps.LINE,
    samples=(
        Sample("2026-03-04T12:11:12+0200 host python[123]: msg", _SECOND, "msg", "", "python", "123"),
        Sample(
            "2026-03-04T10:11:12.345678+00:00 host app[9]: msg", "2026-03-04T10:11:12.345678", "msg", "", "app", "9"
        ),
    ),
)

JOURNAL_FULL = Format(
    name="journal-full",
    opens="MTWFS",
    pattern=r"[A-Z][a-z]{2} (?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8})"
    + FRACTION
    + r" (?:(?P<zone>UTC)|[A-Z+-][A-Z0-9]{2,5})"
    + _HOST
    + _PROGRAM,
    wraps=Wraps.LINE,
    samples=(Sample("Wed 2026-03-04 10:11:12 UTC host python[123]: msg", _SECOND, "msg", "", "python", "123"),),
)

JOURNAL_UNIX = Format(
    name="journal-unix",
    opens=DIGITS,
    pattern=r"(?P<stamp>1[0-9]{9})\.(?P<fraction>[0-9]{6})" + _HOST + _PROGRAM,
    clock=stamps.epoch,
    wraps=Wraps.LINE,
    samples=(
        Sample("1772619072.345678 host python[123]: msg", "2026-03-04T10:11:12.345678", "msg", "", "python", "123"),
    ),
)

JOURNAL_JSON = Format(
    name="journal-json",
    opens="{",
    pattern=r"\{",
    wraps=Wraps.LINE,
    fields=Fields(
        requires=("__REALTIME_TIMESTAMP", "MESSAGE"),
        at=("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"),
        message=("MESSAGE",),
        level=("PRIORITY",),
        logger=("SYSLOG_IDENTIFIER", "_COMM"),
        worker=("_PID",),
    ),
    samples=(
        Sample(
            '{"__REALTIME_TIMESTAMP":"1772619072345678","_PID":"12","PRIORITY":"4","SYSLOG_IDENTIFIER":"svc","MESSAGE":"slow"}',
            "2026-03-04T10:11:12.345678",
            "slow",
            "WARNING",
            "svc",
            "12",
        ),
        Sample(
            '{"__REALTIME_TIMESTAMP":"1772619072345678","_PID":"12","MESSAGE":[27,91,51,50,109,104,105,27,91,48,109,255]}',
            "2026-03-04T10:11:12.345678",
            "hi\ufffd",
            "",
            "",
            "12",
        ),
    ),
)
