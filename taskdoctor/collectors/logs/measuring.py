"""Numbers in a stranger's line, and what they are of: lengths with a unit, counts with a name.

Why a second way beside `events`: those know what others' programs print; a service that nobody here wrote has lines
of its own. Any number with a unit of time is a length, unless it is a setting (a timeout, an interval, a limit); what
it is the length of is said by its key, else by its clause, else by the start of the line. What names no known subject
is an operation by itself, compared with its own kind.

Why templates: a service writes few kinds of lines, and what its words mean does not depend on the numbers in them. So
words are read once per template (the line with its numbers replaced), and a line costs little more than its numbers.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from taskdoctor.collectors.logs.event import Fields, is_foreign, normalised, parse_duration
from taskdoctor.collectors.logs.subjects import (
    BUSY,
    CONNECT,
    COUNTS,
    CPU_TIME,
    FULL_POOL,
    FULL_THREADS,
    GAUGE,
    HTTP,
    LENGTHS,
    LOOP_LAG,
    OPERATION,
    POOL,
    QUEUE,
    REACHED,
    SAVING,
    THREADS,
    Subject,
)
from taskdoctor.model import Form, Lane

MOST_CHARS = 1024
MOST_NUMBERS = 8
BARE = frozenset({"size", "len", "length", "count", "depth", "items", "total"})  # of what, the word before says
_LAST_WORD = re.compile(r"([A-Za-z]{2,20}) $")
CONTEXT_CHARS = 80  # what lies farther from a number does not speak of it
COUNTED_CHARS = 200
LABEL_CHARS = 48
LONGEST_S = 7 * 86400.0
IDLE = ("poll 0", "poll took")  # asyncio's debug mode counts how long the loop had nothing to do
MOST = 1e12  # a higher count is an id

_UNIT = (
    r"(?:ms|msecs?|milliseconds?|millis|us|µs|μs|ns|s|secs?|seconds?|m|mins?|minutes?|h|hours?)"
    r"(?![A-Za-z0-9_/])"
    r"|毫秒|微秒|ミリ秒|秒钟?|分钟|[Ss]ek(?:unden)?(?![a-z])|segundos|secondes|мс(?!\w)|сек\w*|с(?!\w)"
)
# A quick look: can any number be one of these? Every branch begins with a digit, which is quick to find.
HINT = re.compile(
    r"[0-9](?:(?<=[=:：][0-9])|(?<=[=:：][\"' ][0-9])|(?<=[hkstp] [0-9])|(?<=[\u4e00-\u9fff][0-9])"
    r"|(?<=[\u4e00-\u9fff] [0-9])"
    r"| ?(?:[mnuµμ]?s|sec|min|milli|[mh](?![a-z])|秒|毫秒|微秒|ミリ秒|分钟|[SsС]e[kg]|мс|с|%)|/[0-9]"
    r"| (?:[a-z]{3,12} ){0,2}(?:task|session|queue|pending|busy|entr|message|object|client|connection|file"
    r"|thread|item|page))"
)
# Ids of letters and digits, and numbers, but not the short ones that belong to a name (`v1`, `gpt-4o`).
_IDS = re.compile(
    r"(?<![\w.-])(?:[0-9]+[a-f]|[a-f]+[0-9])[0-9a-f]{2,}(?!\w)|(?<=[A-Za-z_])[0-9]{3,}|(?<=[A-Za-z]-)[0-9]{3,}"
)
_RUN = re.compile(r"(?<![A-Za-z_0-9])(?<![A-Za-z]-)[0-9]+")
_LIMITED = re.compile(
    r"(?:^|HTTP|status|code|error|got|returned|said|(?:upstream|provider|llm|api|resp|response|answer|result)[=:])"
    r"\W{0,3}429\b|\b429 (?:Too|from|by|on|received)"
)

_NUMBER = r"[0-9][0-9,]{0,14}(?:\.[0-9]{1,18})?"
# `key=12.3`, `"key": "12.3 s"`, `key: 12 ms`, `忙=1/4`, `len(key())=12`
_KEYED = re.compile(
    r"(?<![0-9.])(?P<key>[^\W\d][\w.-]{0,48})[()]{0,3}[\"']?\s?[=:：]\s?[\"']?"
    rf"(?P<number>{_NUMBER})(?:/(?P<of>[0-9]{{1,9}}))?(?:\s?(?P<unit>{_UNIT})(?!\s?[=:]))?(?![\w.:%-]|/[0-9]|\s?%)"
)
_FREE = re.compile(
    rf"(?<![\w.:/=+-])(?P<length>(?:[0-9]{{1,3}}h)?(?:[0-9]{{1,4}}m)?{_NUMBER}\s?(?:{_UNIT}))(?!\s?=)"
    rf"|(?<=[\u4e00-\u9fff])(?P<chinese>{_NUMBER}\s?(?:{_UNIT}))"
)
_COUNTED = re.compile(
    r"(?<![\w.:/=-])(?P<number>[0-9][0-9,]{0,14})(?:(?:/| of )(?P<of>[0-9]{1,9}))?"
    r" (?P<name>[a-z]{3,16}(?: [a-z]{3,16}){0,2})"
)
_NAMED = re.compile(
    r"(?P<name>[a-z]{3,16}(?: [a-z]{3,16})?|[\u4e00-\u9fff]{1,5}数|[а-я]{4,16}|[A-ZÄÖÜ][a-zäöüß]{4,16})"
    r" (?:is |now |at )?"
    r"(?P<number>[0-9][0-9,]{0,14})(?:(?:/| of )(?P<of>[0-9]{1,9}))?(?![\w.:/-])"
)
_ACCESS = re.compile(r"\b(?P<label>(?:GET|POST|PUT|DELETE|PATCH|HEAD|WS) /\S*)")
_KEY_UNIT = re.compile(
    r"(?:_|(?<![a-z]))(?P<unit>ms|millis|msecs?|us|usecs?|ns|secs?|seconds|s|minutes)$|(?P<camel>Ms|Millis|Secs?"
    r"|Seconds)$"
)
# The stages of an operation: `embed=0.09 search=0.06 total=1.69`. What each of them waits for, by its bare key.
_STAGES = (
    ("generat(?:e|ion|ing)|completion|llm|model|inference|infer|first_?token|ttft|prompt", "llm"),
    ("tts|asr|stt|speech|transcrib|synth|voice", "speech"),
    ("post|send|fetch|call|http|goto|request|upstream|download|upload|api", "http"),
    ("lookup|resolve|dns", "dns"),
    ("conn|connect|acquire|checkout|pool|session_wait|db_wait", "pool"),
    ("lock|mutex|guard", "lock"),
    ("queue|queued|sat|inbox|backlog", "queue"),
    ("db|sql|query|database|redis", "database"),
    ("tool|mcp", "tool"),
    ("save|saving|persist|spool|disk|fsync|checkpoint", "saving"),
)
_STAGE_OF = tuple((re.compile(rf"(?:{words})(?:_?(?:time|s|sec|secs|seconds))?\Z"), name) for words, name in _STAGES)
_KEY_UNITS_S = (("mi", 1e-3), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("s", 1.0))
_MEASURE_KEY = re.compile(
    r"^(?:(?:request|response|total|turn|e2e|overall|processing|wall|run)_)?"
    r"(?:duration|elapsed|took|latency|lat|time|total|cost|spent|wall|runtime|secs?|seconds|ms|s|耗时|用时|总耗时)?"
    r"(?:_?(?:time|taken|total|latency|ms|s|sec|secs|seconds)){0,3}$",
    re.IGNORECASE,
)
# What is said of a setting, or of a whole life or of many times, not of something that happened once.
_SETTING = re.compile(
    r"(?<![a-z])(?:time-?outs?|timeout after|intervals?|ttl|every|limit|max|min(?:imum)?|maximum|threshold"
    r"|expir\w{1,6}|uptime"
    r"|period|deadline|budget|keep-?alive|refresh|within|last|next|past|older|up to|at most|at least|per|window"
    r"|(?<!not )schedule[ds]?|ago|poll(?:ing)?|audio|clip (?:length|duration|of)|recorded|lasted"
    r"|session length|age[_ ]limit|eta"
    r"|remaining|grace"
    r"|cached for|valid for|retention|stale after|idle|online|alive|was open|connected for|session of|played|playtime"
    r"|p[0-9]{1,2}|avg|average|mean|median|stddev|stdev|percentile|pings?|heartbeat|delay set|offset"
    r"|duration of the clip|(?:ws|websocket|gateway|shard)[ _]latency|too old"
    r"|(?<![a-zà-ü])(?:vor|seit|hace|desde|il y a|depuis)|稼働|稼動|运行"
    r"|超时|间隔|每隔?|最近|阈值|收音|录音时长|音频时长|时长上限|有效期|倒计时|在线时长|平均|上限)"
    r"[\w ]{0,12}[\s=:：(~≈<>]{0,3}(?:of |is |to |in |for )?$"
)
_SETTING_KEY = re.compile(
    r"(?:(?:^|[^A-Za-z])per_?(?:s|sec|second|m|min|minute)|timeout|interval|ttl|limit|threshold|uptime|timestamp|since\w*|(?:^|[^A-Za-z])(?:max|min|expires?(?:_in)?|period"
    r"|deadline"
    r"|keep_?alive|started|port|pid|id|seed|version|status|code|line|attempts?|retries|p[0-9]{1,3}|avg[0-9]*"
    r"|mean|median"
    r"|std|stddev|offset|audio|clip|eta|every|retention|grace|refresh|poll|next_run|window|remaining|bid|ask)|rtt|稼働|稼動|运行)"
    r"(?:_?(?:ms|s|sec|seconds))?$",
    re.IGNORECASE,
)
# What only counts on, or is counted since the start.
_SEQUENCE = re.compile(
    r"(?:^|[_.])(?:seq|n|no|num|nr|id|step|tick|beat|cycle|round|iter\w*|up|count(?:er)?|total|sent|out|in|recv|received"
    r"|handled|processed|done|ok|served|requests?|reqs?|turns?|events?|hits|misses|errors?|fail\w*|bytes|finished"
    r"|completed|accepted|created|opened|closed|ended|seen|ts|time)$",
    re.IGNORECASE,
)
_SETTING_BEHIND = re.compile(
    r"\s?(?:timeout|interval|window|ttl|limit|deadline|ago|(?:too )?old|stale|of audio|of silence|left|until|up)"
    r"(?![a-z])"
)
_LATE_BEHIND = re.compile(r"\s?(?:too )?(?:late|overdue|behind|zu spät|en retard|de retraso|tarde|遅れ|опозд|晚)(?!\w)")
_LAG_KEY = re.compile(r"(?:lag|late|lateness|drift|delay(?:ed)?)(?:_(?:ms|s|secs?|seconds))?")
_BEAT = re.compile(
    r"(?:(?<![a-z])(?:heart)?(?:beat|tick|timer|pulse|watchdog|takt|wecker|sweep|metronome|periodic|latido|battement"
    r"|liveness|alive|vitals|monitor))"
    r"|(?<![a-z])loop|пульс|таймер|ハートビート|タイマー|心跳|定时"
)
_WHOLE = re.compile(
    r"(?<![\w])(?:total|overall|wall|elapsed|duration|took|合計|总计|总耗时|gesamt)(?:_s)?=[0-9]+\.[0-9]"
)
_WHOLE_KEY = re.compile(r"(?:total|overall|e2e|wall|合計|总计)(?:_?(?:time|duration|ms|s|secs?|seconds))*\Z")
_PART_KEY = re.compile(r"[a-z]_(?:ms|s|secs?|seconds)[\"']?[=:]")
_TRANSFER = re.compile(r"(?<![a-z])(?:ttfb|tls|handshake|first_?byte|starttransfer)", re.IGNORECASE)
_PAIRS = re.compile(r"[\w.-]{1,40}=\S* ?")
_CLAUSE = re.compile(r"[,;|，；。]|(?<=\S) - ")
_COUNT_WORDS = re.compile(
    r"task|session|queue|pending|busy|entr|message|object|client|connection|file|thread|worker|descriptor|backlog|depth"
    r"|process|job|fds|item|任务|队列|会话|缓存|children"
    r"|задач|очеред|сесси|файл|соедин|Aufgabe|Sitzung|Datei|Eintr|Warteschlange|Verbindung"
)
# The first number that is a word of its own: what stands before it is what the line is about.
_FIRST = re.compile(r"(?<![\w-])[0-9]|[=:：] ?[\"']?[0-9]|(?<=[\u4e00-\u9fff])[0-9]")
_PURPOSE = re.compile(
    rf"{_NUMBER}\s?(?:{_UNIT})?[ (]{{0,2}}(?:waiting |wait |spent )?(?:for|on|in|to|waiting|of"
    rf"|before|until|acquiring) [^,;|，；。]{{0,60}}"
)
_WAITING = re.compile(r"(?<![a-z])(?:pending|waiting|unsent|buffered|in[ _]line)|积压|待处理")
_AGE_KEY = re.compile(r"(?:^|_)(?:age|oldest)(?:_|$)")
_NAMES = re.compile(r"\b(?:server|tool|tool_name|model|host|peer|provider|endpoint)[\"']?[=:]\s?[\"']?([\w./:-]{1,40})")
_AN_ID = re.compile(r"\[[^\[\]]*[0-9][^\[\]]*\]")  # `task[8f3a]`, and what is named is a task
_HOST = re.compile(r"\bhttps?://(?:[^\s/@]{1,60}@)?([A-Za-z0-9.-]{1,60})")
_THREAD_WORDS = re.compile(r"thread|worker|executor|线程")
_IN_USE = re.compile(r"busy|in[ _]use|used|full|active|checked|exhaust|忙|占用|满")


class Number(NamedTuple):
    """One number of a template with what was said of it."""

    start: int
    end: int  # of its unit, if it is a length
    is_length: bool
    factor: float | None  # to seconds, where the key has the unit
    of: tuple[int, int] | None  # where the number stands that it is so many of: `1/4`
    key: str  # `db_wait_ms`; "" in plain text
    clause: int  # where its clause begins: behind the number before it, or a comma


class Place(NamedTuple):
    """Where a number stands, counted in runs of digits, which is the same in every line of a template."""

    first: int
    last: int
    tail: int  # chars behind the last digit: the unit

    def text(self, text: str, runs: Sequence[tuple[int, int]]) -> str:
        """The number, with its unit, in one line."""
        return text[runs[self.first][0] : runs[self.last][1] + self.tail]


class Reading(NamedTuple):
    """What one number of a template means."""

    subject: Subject
    label: str
    number: Place
    factor: float | None = None
    of: Place | None = None


def measured(message: str, logger: str = "") -> list[tuple[Subject, Fields]]:
    """The lengths and counts of a message with their subjects, one of each; no setting, no foreign word."""
    text = _IDS.sub("0", message[:MOST_CHARS])
    limited = "429" in text and _LIMITED.search(text) is not None
    readings = _readings(_RUN.sub("0", text), logger, limited)
    if not readings:
        return []
    runs = [match.span() for match in _RUN.finditer(text)]
    found = [(reading.subject, _fields(reading, text, runs)) for reading in readings]
    said = [(subject, fields) for subject, fields in found if fields is not None and subject is not CPU_TIME]
    cpu_s = next((fields.seconds for subject, fields in found if fields is not None and subject is CPU_TIME), None)
    return said if cpu_s is None else [(subject, fields._replace(cpu_s=cpu_s)) for subject, fields in said]


def _fields(reading: Reading, text: str, runs: Sequence[tuple[int, int]]) -> Fields | None:
    """What the line's own numbers say; None where they are beyond sense, or a mark's number below its floor."""
    subject, number = reading.subject, reading.number.text(text, runs)
    if subject.form is Form.SPAN:
        seconds = parse_duration(number) if reading.factor is None else _plain(number) * reading.factor
        fits = seconds is not None and 0 <= seconds <= LONGEST_S
        return Fields(seconds, None, "", reading.label, "", None) if fits else None
    value = _plain(number) if reading.of is None else _share(subject, number, reading.of.text(text, runs))
    if value is None or value > MOST or value < subject.floor:
        return None
    if subject.form is Form.LEVEL:
        return Fields(None, value, "", reading.label, "", None)
    return Fields(
        None, None, "", f"{reading.label} {value:.3g}{subject.sign}" if subject.sign else reading.label, "", None
    )


def _plain(number: str) -> float:
    return float(number.replace(",", ""))


def _share(subject: Subject, number: str, of: str) -> float | None:
    """Percent of so much: `3378ms/10s`, `8/8`."""
    part, whole = parse_duration(number), parse_duration(of)
    return 100 * part / whole if part is not None and whole else None


# --- once per template ------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _readings(template: str, logger: str, limited: bool) -> tuple[Reading, ...]:
    """What the numbers of a template mean; the first counts of each subject."""
    starts = [match.start() for match in _RUN.finditer(template)]
    found: dict[tuple[Lane, Form, str], Reading] = {}
    meanings = sorted(_meanings(template, logger, limited), key=_is_a_part)
    meanings += _gauges(template, meanings)
    for subject, label, number in (*_marks(template), *meanings):
        place = _place(starts, number.start, number.end)
        of = None if number.of is None else _place(starts, *number.of)
        if place is not None and (of is not None or number.of is None) and not is_foreign(template, number.start):
            reading = Reading(subject, label, place, number.factor, of)
            found.setdefault((subject.lane, subject.form, label if subject is GAUGE else subject.kind), reading)
    return tuple(found.values())


def _gauges(template: str, known: Sequence[tuple[Subject, str, Number]]) -> Iterator[tuple[Subject, str, Number]]:
    """Numbers with names of the service's own, beside a count that is known: a line that tells how much there is."""
    if not any(subject.form is Form.LEVEL and number.key for subject, _, number in known):
        return
    taken = {number.start for _, _, number in known}
    for match in islice(_KEYED.finditer(template), 2 * MOST_NUMBERS):
        start, end = match.span("number")
        key = match["key"]
        plain = match["unit"] is None and match["of"] is None and _factor_of(key, match["number"]) is None
        if plain and start not in taken and not _SEQUENCE.search(key) and not _SETTING_KEY.search(key):
            yield GAUGE, key, Number(start, end, False, None, None, key, start)


def _is_a_part(meaning: tuple[Subject, str, Number]) -> bool:
    """`connect_ms=3 total_ms=546`: of the lengths of one operation, that of the whole counts."""
    subject, _, number = meaning
    return subject is OPERATION and bool(number.key) and not _MEASURE_KEY.match(number.key)


def _place(starts: Sequence[int], start: int, end: int) -> Place | None:
    """A stretch of the template in runs of digits; None if it begins inside a name."""
    first, behind = bisect_left(starts, start), bisect_left(starts, end)
    if first >= behind or starts[first] != start:
        return None
    return Place(first, behind - 1, end - starts[behind - 1] - 1)


def _marks(template: str) -> Iterator[tuple[Subject, str, Number]]:
    """Gauges that say that something is short, once they reach their floor."""
    lower = template.lower()
    for subject in REACHED:
        for match in islice(subject.reached.finditer(lower), MOST_NUMBERS):
            of = match.span("of") if match["of"] is not None else None
            name = " ".join(re.split(r"[\s_.]+", match["name"] or ""))[:LABEL_CHARS]
            yield subject, subject.label or name, Number(*match.span("number"), False, None, of, "", match.start())


def _meanings(template: str, logger: str, limited: bool) -> Iterator[tuple[Subject, str, Number]]:
    for number in _numbers(template):
        subject = _length_of(number, template, logger, limited) if number.is_length else _count_of(number, template)
        if subject is not None:
            yield subject, _label(subject, number, template), number


def _numbers(text: str) -> Iterator[Number]:
    """Keyed numbers, then lengths in plain text, then counts with their names."""
    taken: list[tuple[int, int]] = []
    staged = len(_WHOLE.findall(text)) == 1  # a decimal that is the whole: decimals beside it are its stages
    for match in islice(_KEYED.finditer(text), 2 * MOST_NUMBERS):
        number = _keyed(match, _clause(text, match.start(), taken), staged=staged)
        if number is not None and not number.is_length and number.of is None and _counted(number.key) is None:
            continue  # `sweep: 24543 entries`: the name comes behind
        taken.append(match.span())
        if number is not None:
            yield number
    for match in islice(_FREE.finditer(text), MOST_NUMBERS):
        if not _overlaps(match.start(), taken):
            clause = _clause(text, match.start(), taken)
            taken.append(match.span())
            yield Number(*match.span(), True, None, None, "", clause)
    if _COUNT_WORDS.search(text, 0, COUNTED_CHARS):
        yield from _counts(text, taken)


def _counts(text: str, taken: list[tuple[int, int]]) -> Iterator[Number]:
    for regex in (_COUNTED, _NAMED):
        for match in regex.finditer(text, 0, COUNTED_CHARS):
            if not _overlaps(match.start("number"), taken):
                of = match.span("of") if match["of"] else None
                yield Number(*match.span("number"), False, None, of, match["name"], match.start())


def _overlaps(position: int, taken: list[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in taken)


def _clause(text: str, position: int, taken: list[tuple[int, int]]) -> int:
    """Where the words begin that speak of the number at `position`."""
    begin = max((end for _, end in taken if end <= position), default=0)
    ends = [match.end() for match in _CLAUSE.finditer(text, begin, position)]
    return ends[-1] if ends else begin


def _keyed(match: re.Match[str], clause: int, *, staged: bool) -> Number | None:
    key = match["key"]
    if _SETTING_KEY.search(key):
        return None
    start, end = match.span("number")
    if key in BARE and (before := _LAST_WORD.search(match.string, max(0, match.start() - 24), match.start())):
        key = f"{before[1]} {key}"  # `history size=12`
    if match["unit"] is not None:
        return Number(start, match.end("unit"), True, None, None, key, clause)
    factor = _factor_of(key, match["number"])
    if factor is None and staged and "." in match["number"] and _stage(key) is not None:
        factor = 1.0
    of = match.span("of") if match["of"] else None
    return Number(start, end, factor is not None, factor, of, key, clause)


def _stage(key: str) -> Subject | None:
    """What a stage of an operation waits for, by its bare key."""
    name = next((name for words, name in _STAGE_OF if words.match(key.lower())), None)
    known = (*LENGTHS, SAVING)
    return None if name is None else next(subject for subject in known if subject.kind == f"measured-{name}")


def _factor_of(key: str, number: str) -> float | None:
    """`took_ms=812`: the key has the unit; `elapsed=1.23`: seconds, as a plain decimal of a measure."""
    unit = _KEY_UNIT.search(key)
    if unit is not None:
        name = (unit["unit"] or unit["camel"]).lower()
        return 60.0 if name == "minutes" else next(f for start, f in _KEY_UNITS_S if name.startswith(start))
    return 1.0 if "." in number and _MEASURE_KEY.match(key) else None


def _length_of(number: Number, text: str, logger: str, limited: bool) -> Subject | None:
    """Its key, its clause, what follows it, the head of its line, the logger; else an operation. None for a setting."""
    clause = text[max(0, number.start - CONTEXT_CHARS, number.clause) : number.start].lower()
    key = number.key.lower()
    said = clause[: clause.rfind(key)] if key else clause.rstrip()
    if _is_lag_of_beat(number, text, logger):
        return LOOP_LAG
    if _AGE_KEY.search(key) and not QUEUE.named_in(text.lower()) and not _WAITING.search(text.lower()):
        return None  # how old the oldest of something is, says nothing of waiting, unless it stands in a queue
    if text.startswith(IDLE) or _SETTING.search(said) or _SETTING_BEHIND.match(text, number.end):
        return None
    if CPU_TIME.named_in(_words(key) if key else said[-16:]):
        return CPU_TIME
    if key and number.factor == 1.0 and _WHOLE.search(text) and (stage := _stage(number.key)) is not None:
        return CONNECT if stage is POOL and _TRANSFER.search(text) else stage
    if _WHOLE_KEY.match(key) and _PART_KEY.search(text.lower().replace(key, "", 1)):
        return OPERATION  # beside a part of it, whatever its line speaks of
    own = (_named(LENGTHS, _words(key)) or _saving(key)) if key and not _MEASURE_KEY.match(key) else None
    if own is not None:
        return own
    access = _ACCESS.search(text)
    if access is not None and access.start() < number.start and not limited:
        return OPERATION
    first, behind = _FIRST.search(text), _PURPOSE.match(text, number.start)
    head = text[: first.start() if first is not None else number.start][:CONTEXT_CHARS]
    module = re.sub(r"[\W_]+", " ", f"{logger} {_PAIRS.sub('', clause)}").strip()
    contexts = (clause, behind[0] if behind is not None else "", head, " 429" if limited else "")
    found = (_named(LENGTHS, context.lower()) for context in contexts)
    named = next((subject for subject in found if subject is not None), None)
    if (named is None or named.lane is Lane.UPSTREAM) and POOL.named_in(module.lower()):
        return POOL  # `shop.db: checkout 12ms`
    return named or _of_logger(logger) or OPERATION


def _is_lag_of_beat(number: Number, text: str, logger: str) -> bool:
    """How late a beat came: `pulse lag=1156ms`, `heartbeat came 2.3 s late`."""
    told = _LAG_KEY.fullmatch(number.key.lower()) or _LATE_BEHIND.match(text, number.end)
    return told is not None and _BEAT.search(f"{logger} {text[: number.start]}".lower()) is not None


def _saving(key: str) -> Subject | None:
    """What only its key says: `save_s=9.47`; in a sentence, saving is too common a word."""
    stage = _stage(key)
    return stage if stage is not None and stage.kind == SAVING.kind else None


def _of_logger(logger: str) -> Subject | None:
    """What a module is called after; `api` or `rpc` is as a rule the service's own front, not a peer, and `rate_limit`
    what it allows to others.
    """
    subject = _named(LENGTHS, _words(logger).lower())
    return None if subject is None or subject is HTTP or subject.lane is Lane.BACKOFF else subject


def _words(key: str) -> str:
    return key.replace("_", " ").replace(".", " ")


def _named(subjects: tuple[Subject, ...], context: str) -> Subject | None:
    return next((subject for subject in subjects if subject.named_in(context)), None)


@lru_cache(maxsize=1024)
def _counted(key: str) -> Subject | None:
    return _named(COUNTS, _words(key.lower())) or _named(COUNTS, key.lower())


def _count_of(number: Number, text: str) -> Subject | None:
    """What is counted; `8/8 workers busy` says that it is full; `4 jobs pending` beside it wait for it."""
    if number.of is not None:
        return _full(number, text.lower()) or _counted(number.key)
    subject = _counted(number.key)
    return THREADS if subject is not None and subject.lane is Lane.QUEUE and BUSY.search(text.lower()) else subject


def _full(number: Number, lower: str) -> Subject | None:
    near = lower[max(0, number.start - 30) : number.start + 40]
    keyed = number.key.lower()
    if _THREAD_WORDS.search(keyed) and lower[: number.start].rstrip("=:\"' ").endswith(keyed):
        return FULL_THREADS  # `worker_threads=4/4`; `2/2 workers started` is another thing
    if not _IN_USE.search(near):
        return None
    if _THREAD_WORDS.search(near):
        return FULL_THREADS
    return FULL_POOL if re.search(r"pool|conn|db|slot|连接", near) else FULL_THREADS if "忙" in near else None


def _label(subject: Subject, number: Number, text: str) -> str:
    if subject is OPERATION:
        return _operation(number, text)
    if subject.lane is Lane.UPSTREAM:
        names = _NAMES.findall(text)[:2] or _HOST.findall(text)[:1]
        return f"{subject.label} {'/'.join(names)}".strip()
    return number.key if subject.form is Form.LEVEL else subject.label


def _operation(number: Number, text: str) -> str:
    """A name for work of no known subject: its path, or its first words without what changes."""
    access = _ACCESS.search(text)
    if access is not None:
        return normalised(access["label"])
    head = text[: number.start]
    first_pair = re.search(r"\s[\w.]{1,40}[=:]\s?\S*", head)
    words = head[: first_pair.start()] if first_pair is not None and first_pair.start() > 3 else head
    words = " ".join(word for word in _AN_ID.sub(" ", words).split() if not any(map(str.isdigit, word)))
    key = "" if not number.key or _MEASURE_KEY.match(number.key) else f" {number.key}"
    return (normalised(words)[:LABEL_CHARS].strip(" :=-") + key) or number.key or "operation"
