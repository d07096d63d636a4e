"""Numbers in a stranger's line, and what they are of: lengths with a unit, counts with a name.

Why a second way beside `events`: those know what others' programs print; a service that nobody here wrote has lines of its
own. Any number with a unit of time is a length, unless it is a setting (a timeout, an interval, a limit); what it is the
length of is said by its key, else by its clause, else by the start of the line. What names no known subject is an operation
by itself, compared with its own kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from taskdoctor.collectors.logs.event import Fields, is_foreign, normalised, parse_duration
from taskdoctor.collectors.logs.subjects import COUNTS, FULL_POOL, FULL_THREADS, LENGTHS, OPERATION, Subject
from taskdoctor.model import Lane

MOST_CHARS = 1024
MOST_NUMBERS = 8
CONTEXT_CHARS = 80  # what lies farther from a number does not speak of it
COUNTED_CHARS = 200
LABEL_CHARS = 48
LONGEST_S = 7 * 86400.0

# A quick look: is there any number that could be one of these?
HINT = re.compile(
    r"[0-9] ?(?:ms|s|sec|m|us|ns|second|minute|milli|秒|毫秒)|[a-z_\u4e00-\u9fff][\"']?[=:：] ?[\"']?[0-9]"
    r"|[0-9] (?:[a-z]{3,12} ){0,2}(?:task|session|queue|pending|busy|entr|message|object|client|connection|file)"
)
_UNIT = (
    r"(?:ms|msecs?|milliseconds?|millis|us|µs|μs|ns|s|secs?|seconds?|m|mins?|minutes?|h|hours?)(?![A-Za-z0-9_/])"
    r"|毫秒|微秒|秒钟?|分钟"
)
_NUMBER = r"[0-9][0-9,]{0,14}(?:\.[0-9]{1,9})?"
# `key=12.3`, `"key": "12.3 s"`, `key: 12 ms`, `忙=1/4`
_KEYED = re.compile(
    r"(?P<key>[A-Za-z_\u4e00-\u9fff][\w.-]{0,48})[\"']?\s?[=:：]\s?[\"']?"
    rf"(?P<number>{_NUMBER})(?:/(?P<of>[0-9]{{1,9}}))?(?:\s?(?P<unit>{_UNIT}))?(?![\w.:-]|/[0-9])"
)
_FREE = re.compile(
    rf"(?<![\w.:/=+-])(?P<length>(?:[0-9]{{1,3}}h)?(?:[0-9]{{1,4}}m)?{_NUMBER}\s?(?:{_UNIT}))"
    rf"|(?<=[\u4e00-\u9fff])(?P<chinese>{_NUMBER}\s?(?:{_UNIT}))"
)
_COUNTED = re.compile(
    r"(?<![\w.:/=-])(?P<number>[0-9][0-9,]{0,14})(?:/(?P<of>[0-9]{1,9}))? (?P<name>[a-z]{3,16}(?: [a-z]{3,16}){0,2})"
)
_NAMED = re.compile(r"(?P<name>[a-z]{3,16}(?: [a-z]{3,16})?) (?P<number>[0-9][0-9,]{0,14})(?:/(?P<of>[0-9]{1,9}))?(?![\w.:/-])")
_ACCESS = re.compile(r"\b(?P<label>(?:GET|POST|PUT|DELETE|PATCH|HEAD|WS) /\S*)")
_KEY_UNIT = re.compile(
    r"(?:_|(?<![a-z]))(?P<unit>ms|millis|msecs?|us|usecs?|ns|secs?|seconds|s|minutes)$|(?P<camel>Ms|Millis|Secs?|Seconds)$"
)
_KEY_UNITS_S = (("mi", 1e-3), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("s", 1.0), ("minutes", 60.0))
_MEASURE_KEY = re.compile(
    r"^(?:duration|elapsed|took|latency|time|total|cost|spent|wall|runtime|secs?|seconds|ms|耗时|用时|总耗时)?"
    r"(?:_?(?:time|taken|total|ms|s|sec|secs|seconds))*$",
    re.IGNORECASE,
)
# What is said of a setting, not of something that happened.
_SETTING = re.compile(
    r"(?<![a-z])(?:timeout|time-out|interval|ttl|every|limit|max|min(?:imum)?|threshold|expires?|expiry|uptime|period"
    r"|deadline|budget|keep-?alive|refresh|within|last|next|past|older|up to|at most|at least|per|window|schedule[ds]?|ago"
    r"|poll(?:ing)?|audio|clip|recorded|lasted|session length|age_limit|超时|间隔|每|最近|阈值|收音|录音时长|音频时长)"
    r"[\w ]{0,12}[\s=:：(]{0,3}(?:of |is |to )?$"
)
_SETTING_KEY = re.compile(
    r"(?:timeout|interval|ttl|limit|max|min|threshold|expires?|uptime|period|deadline|keepalive|started|timestamp|port|pid"
    r"|id|seed|version|status|code|line|attempts?|retries|p50|p9\d|avg|mean|median|std|offset|audio|clip)"
    r"(?:_?(?:ms|s|sec|seconds))?$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;|，；。]|(?<=\S) - ")
_COUNT_WORDS = re.compile(r"task|session|queue|pending|busy|entr|message|object|client|connection|file|thread|worker")
_DIGITS = str.maketrans("0123456789", "##########")
# The first number that is a word of its own: what stands before it is what the line is about.
_FIRST = re.compile(r"(?<![\w-])[0-9]|[=:：] ?[\"']?[0-9]|(?<=[\u4e00-\u9fff])[0-9]")
_PURPOSE = re.compile(rf"{_NUMBER}\s?(?:{_UNIT})?[ (]{{0,2}}(?:waiting |wait |spent )?(?:for|on|in|to|waiting|of) [^,;|，；。]{{0,60}}")
_NAMES = re.compile(r"\b(?:server|tool|tool_name|model|host|peer|provider|endpoint)[\"']?[=:]\s?[\"']?([\w./:-]{1,40})")


class Number(NamedTuple):
    """One number of a line with what was said of it."""

    seconds: float | None  # a length, or
    value: float | None  # a count
    of: float | None  # `1/4`: of so many
    key: str  # `db_wait_ms`; "" in plain text
    start: int
    clause: int  # where its clause begins: behind the number before it, or a comma


def measured(message: str, logger: str = "") -> list[tuple[Subject, Fields]]:
    """The lengths and counts of a message with their subjects; one per lane and form, no setting, no foreign word."""
    text = message[:MOST_CHARS]
    found: dict[tuple[Lane, bool], tuple[Subject, Fields]] = {}
    for number in _numbers(text):
        subject = _length_of(number, text, logger) if number.seconds is not None else _count_of(number, text)
        if subject is None or is_foreign(text, number.start):
            continue
        found.setdefault((subject.lane, subject.form == "level"), (subject, _fields(subject, number, text)))
    return list(found.values())


def _numbers(text: str) -> Iterator[Number]:
    """Keyed numbers, then lengths in plain text, then counts with their names."""
    taken: list[tuple[int, int]] = []
    for match in islice(_KEYED.finditer(text), MOST_NUMBERS):
        number = _keyed(match, _clause(text, match.start(), taken))
        if number is not None and number.seconds is None and number.of is None and _counted(number.key) is None:
            continue  # `sweep: 24543 entries`: the name comes behind
        taken.append(match.span())
        if number is not None:
            yield number
    for match in islice(_FREE.finditer(text), MOST_NUMBERS):
        if not _overlaps(match.start(), taken):
            clause = _clause(text, match.start(), taken)
            taken.append(match.span())
            seconds = parse_duration(match["length"] or match["chinese"])
            if seconds is not None and 0 <= seconds <= LONGEST_S:
                yield Number(seconds, None, None, "", match.start(), clause)
    if _COUNT_WORDS.search(text, 0, COUNTED_CHARS):
        yield from _counts(text, taken)


def _counts(text: str, taken: list[tuple[int, int]]) -> Iterator[Number]:
    for regex in (_COUNTED, _NAMED):
        for match in regex.finditer(text, 0, COUNTED_CHARS):
            if not _overlaps(match.start("number"), taken):
                of = float(match["of"]) if match["of"] else None
                value = float(match["number"].replace(",", ""))
                yield Number(None, value, of, match["name"], match.start("number"), match.start())


def _overlaps(position: int, taken: list[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in taken)


def _clause(text: str, position: int, taken: list[tuple[int, int]]) -> int:
    """Where the words begin that speak of the number at `position`."""
    begin = max((end for _, end in taken if end <= position), default=0)
    ends = [match.end() for match in _CLAUSE.finditer(text, begin, position)]
    return ends[-1] if ends else begin


def _keyed(match: re.Match[str], clause: int) -> Number | None:
    key, unit = match["key"], match["unit"]
    of = float(match["of"]) if match["of"] else None
    if _SETTING_KEY.search(key):
        return None
    seconds = parse_duration(f"{match['number']}{unit}") if unit is not None else _by_key(key, match["number"])
    if seconds is not None:
        fits = 0 <= seconds <= LONGEST_S
        return Number(seconds, None, None, key, match.start("number"), clause) if fits else None
    value = float(match["number"].replace(",", ""))
    return Number(None, value, of, key, match.start("number"), clause)


def _by_key(key: str, number: str) -> float | None:
    """`took_ms=812`: the key has the unit; `elapsed=1.23`: seconds, as a plain decimal of a measure."""
    unit = _KEY_UNIT.search(key)
    if unit is not None:
        name = (unit["unit"] or unit["camel"]).lower()
        factor = 60.0 if name == "minutes" else next(f for start, f in _KEY_UNITS_S if name.startswith(start))
        return float(number.replace(",", "")) * factor
    if "." in number and _MEASURE_KEY.match(key):
        return float(number.replace(",", ""))
    return None


def _length_of(number: Number, text: str, logger: str) -> Subject | None:
    """What a length is the length of. Lines repeat but for their numbers, so that the answer is remembered without them."""
    begin = max(0, number.start - CONTEXT_CHARS)
    first = _FIRST.search(text)
    head = text[: first.start() if first is not None else number.start][:CONTEXT_CHARS]
    behind = _PURPOSE.match(text, number.start)
    return _subject_of(
        number.key,
        text[max(begin, number.clause) : number.start].translate(_DIGITS),
        head.translate(_DIGITS),
        behind[0].translate(_DIGITS) if behind is not None else "",
        logger,
        _ACCESS.search(text) is not None,
    )


@lru_cache(maxsize=4096)
def _subject_of(key: str, clause: str, head: str, behind: str, logger: str, access: bool) -> Subject | None:
    """Its key, its clause, the head of its line, what follows it, the logger; else an operation. None for a setting."""
    clause = clause.lower()
    if _SETTING.search(clause[: clause.rfind(key.lower())] if key else clause.rstrip()):
        return None
    plain = _MEASURE_KEY.match(key) is not None
    own = _named(LENGTHS, key.lower().replace("_", " ")) if key and not plain else None
    if own is not None:
        return own
    if access:
        return OPERATION
    for context in (clause, behind, head, logger.replace(".", " ")):
        subject = _named(LENGTHS, context.lower())
        if subject is not None:
            return subject
    return OPERATION


def _named(subjects: tuple[Subject, ...], context: str) -> Subject | None:
    return next((subject for subject in subjects if subject.named_in(context)), None)


@lru_cache(maxsize=1024)
def _counted(key: str) -> Subject | None:
    return _named(COUNTS, key.lower().replace("_", " ")) or _named(COUNTS, key.lower())


def _count_of(number: Number, text: str) -> Subject | None:
    """What is counted; `8/8 workers busy` is not a count but says that it is full."""
    return _counted(number.key) if number.of is None else _full(number, text.lower())


def _full(number: Number, lower: str) -> Subject | None:
    if not number.of or number.value is None or number.value < number.of:
        return None
    near = lower[max(0, number.start - 30) : number.start + 40]
    if re.search(r"pool|conn|db|slot|连接", near):
        return FULL_POOL
    return FULL_THREADS if re.search(r"thread|worker|executor|线程|忙", near) else None


def _fields(subject: Subject, number: Number, text: str) -> Fields:
    label = subject.label
    if subject is OPERATION:
        label = _operation(number, text)
    elif subject.lane is Lane.UPSTREAM:
        names = "/".join(_NAMES.findall(text)[:2])
        label = f"{subject.label} {names}".strip()
    elif subject.form == "level":
        label = number.key
    return Fields(number.seconds, number.value, "", label, "", None)


def _operation(number: Number, text: str) -> str:
    """A name for work of no known subject: its path, or its first words without what changes."""
    access = _ACCESS.search(text)
    if access is not None:
        return normalised(access["label"])
    head = text[: number.start]
    first_pair = re.search(r"\s[\w.]{1,40}[=:]\s?\S*", head)
    words = head[: first_pair.start()] if first_pair is not None and first_pair.start() > 3 else head
    words = " ".join(word for word in words.split() if not any(map(str.isdigit, word)))
    key = "" if not number.key or _MEASURE_KEY.match(number.key) else f" {number.key}"
    return (normalised(words)[:LABEL_CHARS].strip(" :=-") + key) or number.key or "operation"
