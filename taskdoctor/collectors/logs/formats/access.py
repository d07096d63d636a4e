"""Access lines in the common log format and its relatives: the stamp stands in the middle, the request after it."""

from __future__ import annotations

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.format import CLF, DIGITS, LETTERS, Format, Sample

_SECOND = "2026-03-04T10:11:12"
_HOST = r"(?=[^\[]{1,160}\[[0-9]{2}/[A-Z])(?![0-9]{4}[-/])[^ \[\]{}\"]{1,80}(?:, [^ \[\]\"]{1,80}){0,3}"
_OPENS = DIGITS + LETTERS + "-:"
_ZONE = r" (?P<zone>[+-][0-9]{4})"

COMMON = Format(
    name="access",
    opens=_OPENS,
    pattern=rf'{_HOST} [^ \[\]"]{{1,80}} [^\[\]"]{{1,80}} \[{CLF}{_ZONE}\] (?=")',
    clock=stamps.named_month,
    access=True,
    samples=(
        Sample(
            '127.0.0.1 - - [04/Mar/2026:12:11:12 +0200] "GET / HTTP/1.1" 200 7 "-" "curl"',
            _SECOND,
            '"GET / HTTP/1.1" 200 7 "-" "curl"',
        ),
        Sample(
            '127.0.0.1:57204 - - [04/Mar/2026:10:11:12 +0000] "GET / 1.1" 200 7 "-" "curl"',
            _SECOND,
            '"GET / 1.1" 200 7 "-" "curl"',
        ),
    ),
)

LOCAL = Format(
    name="access-local",
    opens=_OPENS,
    pattern=rf'{_HOST} [^ \[\]"]{{1,80}} [^\[\]"]{{1,80}} \[{CLF}\] (?=")',
    clock=stamps.named_month,
    access=True,
    samples=(
        Sample('127.0.0.1:5 - - [04/Mar/2026:10:11:12] "WSCONNECT /ws" - -', _SECOND, '"WSCONNECT /ws" - -'),
        Sample('127.0.0.1 - - [04/Mar/2026 10:11:12] "GET / HTTP/1.1" 200 -', _SECOND, '"GET / HTTP/1.1" 200 -'),
    ),
)

AIOHTTP = Format(
    name="aiohttp-access",
    opens=_OPENS,
    pattern=rf'{_HOST} \[{CLF}{_ZONE}\] (?=")',
    clock=stamps.named_month,
    access=True,
    samples=(
        Sample(
            '127.0.0.1 [04/Mar/2026:10:11:12 +0000] "GET / HTTP/1.1" 200 165 "-" "curl/8"',
            _SECOND,
            '"GET / HTTP/1.1" 200 165 "-" "curl/8"',
        ),
    ),
)

DJANGO = Format(
    name="django-runserver",
    opens="[",
    pattern=rf"\[{CLF}\] ",
    clock=stamps.named_month,
    access=True,
    samples=(Sample('[04/Mar/2026 10:11:12] "GET / HTTP/1.1" 200 1234', _SECOND, '"GET / HTTP/1.1" 200 1234'),),
)
