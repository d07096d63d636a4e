"""A line format as data: how its prefix looks, how its stamp reads, and lines that prove it.

Why data: adding a format is one file in `formats/` with a constant in it and no other edit; each sample line must match
its own format and no other. A pattern describes the *prefix* only: what follows it is the message. Named groups:
`stamp` (whole seconds), `fraction`, `zone`, `level`, `logger`, `worker`, `partial`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.stamps import Clock

# Pieces that prefixes share.
ISO = r"(?P<stamp>[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[ T][0-9:]{8})"
DASHED_ISO = r"(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8})"
FRACTION = r"(?:[.,](?P<fraction>[0-9]{1,6}))?"  # nanoseconds are written by wrappers only
ZONE = r"(?: ?(?P<zone>Z|UTC|[+-][0-9]{2}:?[0-9]{2}))?"
STAMP = ISO + FRACTION + ZONE
CLF = r"(?P<stamp>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}[: ][0-9:]{8})"
LEVELS = r"INFO|WARNING|ERROR|DEBUG|CRITICAL|WARN|FATAL|NOTICE|TRACE|SUCCESS|EXCEPTION|NOTSET"
LEVEL = rf"(?P<level>{LEVELS})"
NO_STAMP = r"(?!\[?[0-9]{2,4}[-/:][0-9]{2})"  # what a line without a time goes on with
NAME = r"[a-z_][A-Za-z0-9_.-]{0,100}"  # a logger: lower case, which an exception's name is not
# What a thread, process or worker is called: never a logger.
WORKERS = (
    r"(?:[0-9]{1,10}|(?:[A-Z][A-Za-z0-9_.-]{0,40}?|[a-z]{1,20}[-_])?(?:Thread|Process|Worker|worker|Executor|asyncio_|APScheduler)"
    r"[A-Za-z0-9_.:-]{0,40}(?: ?\([^()]{0,60}\))?)"
)
WORKER = rf"(?P<worker>{WORKERS})"


# What a line can begin with.
DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LEVEL_LETTERS = "".join(sorted({level[0] for level in LEVELS.split("|")}))


class Tail(Enum):
    """What is left to do with the text after the prefix."""

    PLAIN = "plain"
    EXTRA = "extra"  # loguru's ` | {}` at the end
    PADDING = "padding"  # structlog pads the event before its key=value pairs
    PICK_UP = "pick up"  # unknown format: level and worker may follow the stamp


class Wraps(Enum):
    """Whether the text after the prefix is a line with a prefix of its own."""

    NOTHING = "nothing"
    LINE = "line"
    ACCESS = "access"  # only an access line: any other text is the message


class Syntax(Enum):
    """How a structured line writes its record."""

    JSON = "json"
    LOGFMT = "logfmt"


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Where a structured record keeps its parts.

    A path is a key, or keys joined by dots to reach into objects and lists; `a:b` joins two values; of several paths
    the first that holds something counts. All of `requires` (`a|b`: either) must be there, and none of the keys
    `forbids` (`a+b`: both).
    """

    syntax: Syntax = Syntax.JSON
    requires: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    message: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    logger: tuple[str, ...] = ()
    worker: tuple[str, ...] = ()
    extras: str = ""  # path to the object whose scalars are shown after the message; "": the record itself
    hidden: tuple[str, ...] = ()  # keys that say nothing about the event
    traceback: tuple[str, ...] = ()
    unended: bool = False  # a message without a line end goes on in the next record
    rendered: str = ""  # the whole line as text: only its traceback is taken


@dataclass(frozen=True, slots=True)
class Sample:
    """A line and what it must be read as; `at` is ISO in UTC, "" for no stamp."""

    line: str
    at: str
    message: str
    level: str = ""
    logger: str = ""
    worker: str = ""
    format: str = ""  # where the stamp comes from an inner format; "": the format itself
    continued: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """One way to begin a line. `opens` are the bytes it can begin with; "" for any."""

    name: str
    samples: tuple[Sample, ...]
    pattern: str = ""
    clock: Clock = stamps.iso
    opens: str = ""
    tail: Tail = Tail.PLAIN
    wraps: Wraps = Wraps.NOTHING
    fields: Fields | None = None
    dateless: bool = False  # time of day only
    access: bool = False  # an access line, which server logs wrap
