"""The stamp finder for unknown formats.

Why so strict: a stamp inside a message is not the line's stamp. Before it may stand only what a prefix is made of: a
level, a bracketed number or name, a host or a process; never plain words, quotes or `key:`.
"""

from __future__ import annotations

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.format import DIGITS, LETTERS, LEVEL, LEVELS, WORKER, ZONE, Format, Tail

NAME = "generic"
TIME_NAME = "generic-time"  # dateless

_LEAD = (
    rf"(?:[\[<(]?{LEVEL} *[\])>]?[:|]? {{1,8}})?(?:[\[(]{WORKER}[\])]:? )?"
    rf"(?:(?!(?:{LEVELS})\b)(?:[A-Za-z][A-Za-z0-9_-]{{0,40}}[.0-9_\[/-][A-Za-z0-9_.\[\]/-]{{0,40}}|[\[(][A-Za-z0-9_.-]{{1,40}}[\])])"
    r":? {1,4}(?:[|-] )?){0,2}[\[(<]?"
)
_FRACTION = r"(?:[.,](?P<fraction>[0-9]{1,9}))?"
_END = r"(?![0-9A-Za-z])"


_DATES = (
    r"[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}(?: - |[ T_])[0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"|[0-9]{2}[/ -][A-Z][a-z]{2}[/ -][0-9]{4}[: ][0-9:]{8}"
    r"|[0-9]{2}[/.][0-9]{2}[/.][0-9]{4},? [0-9:]{8}"
    r"|[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"|[0-9]{6}(?:[0-9]{2})? [0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"|[A-Z][a-z]{2} [ 0-9]?[0-9] (?:[0-9]{4} )?[0-9]{2}:[0-9]{2}:[0-9]{2}(?: [0-9]{4})?"
)

GENERIC: tuple[Format, ...] = (
    Format(
        name=NAME,
        pattern=rf"{_LEAD}(?:[A-Z][a-z]{{2}},? )?(?P<stamp>{_DATES}){_FRACTION}{ZONE}{_END}",
        clock=stamps.any_date,
        opens=DIGITS + LETTERS + "[(<",
        tail=Tail.PICK_UP,
        samples=(),
    ),
    Format(
        name=NAME,
        pattern=rf"[\[(]?(?P<stamp>1[0-9]{{9}}(?:[0-9]{{3}}){{0,3}}){_FRACTION}{_END}",
        clock=stamps.epoch,
        opens="1[(",
        tail=Tail.PICK_UP,
        samples=(),
    ),
    Format(
        name=TIME_NAME,
        pattern=rf"[\[(]?(?P<stamp>[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}){_FRACTION}{_END}",
        clock=stamps.time_only,
        opens=DIGITS + "[(",
        tail=Tail.PICK_UP,
        dateless=True,
        samples=(),
    ),
)
