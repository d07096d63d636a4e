"""What a message can say, as data: `LogEvent`, how its groups are read, and which of several readings of a line count.

Why words are checked apart from patterns: many kinds share a literal ("took "), few lines name their subject; a plain
substring test keeps the patterns of all other subjects from running. Why a guard against foreign text: chat services
write what people and models say into their logs, and people talk about time-outs and 429s.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import NamedTuple

from taskdoctor.collectors.logs import events
from taskdoctor.model import Form, Lane

SPECIFIC = 0  # priority of lines whose writer is known
GENERIC = 10  # of a stranger's own lines
LAST_RESORT = 20  # counts only where nothing else on the line does

MATCHED_CHARS = 4096  # patterns see no more of a message than this
MATCHES_TRIED = 8  # per event and message: matches in foreign text are skipped, but not for ever
LABEL_CHARS = 120


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One thing that a message can say. Samples and near misses are its tests."""

    kind: str  # permanent kebab-case id
    lane: Lane
    form: Form
    literals: tuple[str, ...]  # any one of them is in every line that counts; () = the scanner looks at every line
    pattern: str  # linear-time; at the start of the message, unless `anywhere`
    samples: tuple[str, ...]
    near_misses: tuple[str, ...] = ()
    anywhere: bool = False
    starts: bool = False  # a SPAN whose line stands at the start of its interval
    pair: str = ""  # the name that OPEN and CLOSE share
    label: str = ""  # where the pattern has no label group
    title: str = ""
    priority: int = SPECIFIC  # lower first
    words: tuple[str, ...] = ()  # one of them must be in the message too: a cheap test before the pattern
    family: str = ""  # of one family only the first on a line counts
    follows: str = ""  # a lane: counts only in the lines right after an event in that lane (frames of a stack)

    @property
    def measures_time(self) -> bool:
        return any(f"(?P<{name}" in self.pattern for name in ("duration", *_FACTORS))

    @property
    def slow_lane(self) -> bool:
        """Without a literal every line has to be looked at."""
        return not self.literals


class Fields(NamedTuple):
    """What the named groups of a match say."""

    seconds: float | None
    value: float | None
    key: str
    label: str
    site: str
    cpu_s: float | None


@cache
def all_events() -> tuple[LogEvent, ...]:
    """Every LogEvent, or tuple of them, that a module of the package `events` holds, by kind."""
    found = {event.kind: event for module in pkgutil.iter_modules(events.__path__) for event in _in(module.name)}
    return tuple(found[kind] for kind in sorted(found))


def _in(module_name: str) -> Iterator[LogEvent]:
    for value in vars(importlib.import_module(f"{events.__name__}.{module_name}")).values():
        if isinstance(value, LogEvent):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, LogEvent))


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compiled at first use: hundreds of patterns would cost a start-up that most of them are not worth."""
    return re.compile(pattern)


_rank = attrgetter("priority", "kind")


def matching(message: str, candidates: Iterable[LogEvent]) -> list[tuple[LogEvent, re.Match[str]]]:
    """What a message says, of what it could say by its literals.

    A line whose writer is known has no generic meaning besides. The user's own patterns (priority below 0) take away
    only the generic reading in their lane. Of generic readings, the first per lane and number counts, so that one line
    can carry several quantities but never the same one twice.
    """
    kept: list[tuple[LogEvent, re.Match[str]]] = []
    known = False
    for event in sorted(candidates, key=_rank):
        if (known and event.priority >= GENERIC) or (kept and event.priority >= LAST_RESORT):
            break
        if kept and event.priority >= GENERIC and any(_outranks(other, event) for other, _ in kept):
            continue
        match = find(event, message)
        if match is not None and not any(_repeats(event, match, *other) for other in kept):
            kept.append((event, match))
            known = known or event.priority == SPECIFIC
    return kept


def _outranks(kept: LogEvent, event: LogEvent) -> bool:
    return (kept.family == event.family != "") or (kept.priority < SPECIFIC and kept.lane == event.lane)


def _repeats(event: LogEvent, match: re.Match[str], kept: LogEvent, kept_match: re.Match[str]) -> bool:
    if event.priority < GENERIC or kept.lane != event.lane or kept.form != event.form:
        return False
    return event.form not in (Form.SPAN, Form.LEVEL) or _number_at(match) == _number_at(kept_match)


def find(event: LogEvent, message: str) -> re.Match[str] | None:
    """The first match of an event that does not stand in foreign text."""
    if event.words and not _names_one(message, event.words):
        return None
    regex = compiled(event.pattern)
    if not event.anywhere:
        match = regex.match(message, 0, MATCHED_CHARS)
        return (
            None if match is None or (event.priority >= GENERIC and is_foreign(message, _number_at(match))) else match
        )
    for count, match in enumerate(regex.finditer(message, 0, MATCHED_CHARS)):
        if event.priority < SPECIFIC:  # the user's own pattern means what it says
            return match
        if not is_foreign(message, match.start()) and not is_foreign(message, max(match.start(), _number_at(match))):
            return match
        if count == MATCHES_TRIED:
            break
    return None


def _names_one(message: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - any() with a generator takes twice as long, on every line with a length
        if word in message:
            return True
    return False


# --- fields -----------------------------------------------------------------------------------------------------

_FACTORS = {"seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "minutes": 60.0}
_NUMBERS = (*_FACTORS, "duration", "value", "collected", "size", "mb", "sum")
_UNITS_S = (
    (("ns", "nanosecond", "纳秒"), 1e-9),
    (("us", "µs", "μs", "usec", "microsecond", "微秒"), 1e-6),
    (("ms", "msec", "milli", "millisecond", "毫秒", "ミリ秒", "мс"), 1e-3),
    (("s", "sec", "second", "seconde", "segundo", "sek", "sekunden", "秒", "秒钟", "с", "сек", "секунд"), 1.0),
    (("m", "min", "minute", "分", "分钟"), 60.0),
    (("h", "hr", "hour", "小时", "时"), 3600.0),
    (("d", "day", "天"), 86400.0),
)
_UNIT_S = {name: factor for names, factor in _UNITS_S for name in names}
_LENGTH = re.compile(
    r"\s*(\d[\d,]{0,14}(?:\.\d{1,18})?|\.\d{1,18})\s?([A-Za-zµμ]{1,12}|[а-я]{1,6}|ミリ秒|[\u4e00-\u9fff]{1,2})[\s,]?"
)
_CLOCK = re.compile(r"(?:(?:(\d{1,4}) days?, )?(\d{1,4}):)?(\d{1,2}):(\d\d(?:\.\d{1,9})?)")
_SIZE = re.compile(r"\s*([\d,]{1,18}(?:\.\d{1,6})?)\s?([kKMGT]?)(i?)([bB]?)")
_SIZE_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_duration(text: str) -> float | None:
    """Seconds of "1m2.3s", "897.654µs", "0:01:02", "1.2 s", "1分2秒"; a bare number is seconds."""
    text = text.strip().replace("_", "")
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        days, hours, minutes, seconds = clock.groups("0")
        return int(days) * 86400.0 + int(hours) * 3600.0 + int(minutes) * 60.0 + float(seconds)
    bare = _number(text)
    return bare if bare is not None else _composed(text)


def _composed(text: str) -> float | None:
    total_s, position = 0.0, 0
    while position < len(text):
        part = _LENGTH.match(text, position)
        unit_s = None if part is None else _unit_s(part[2])
        amount = None if part is None else _number(part[1])
        if part is None or unit_s is None or amount is None:
            return None
        total_s += amount * unit_s
        position = part.end()
    return total_s if position else None


def _unit_s(name: str) -> float | None:
    lower = name.lower()
    found = _UNIT_S.get(lower)
    return found if found is not None else _UNIT_S.get(lower.removesuffix("s"))


def parse_size(text: str) -> float | None:
    """Bytes of "812.3 MB", "1.2GiB", "4096"; decimal and binary units are both read as powers of 1024."""
    match = _SIZE.match(text)
    amount = None if match is None else _number(match[1])
    if match is None or amount is None:
        return None
    return float(amount * 1024 ** _SIZE_POWER[match[2].upper()])


def _number(text: str) -> float | None:
    """A plain decimal; "nan", "1e999" and underscores are no numbers of a log."""
    if not re.fullmatch(r"[\d,]{0,18}\.?\d{0,18}", text) or not any(map(str.isdecimal, text)):
        return None
    return float(text.replace(",", ""))


@cache
def _places(regex: re.Pattern[str]) -> tuple[tuple[str, int], ...]:
    """(meaning, group) of a pattern. A meaning can stand in several branches: `duration`, `duration2`, `duration3`."""
    return tuple((name.rstrip("0123456789"), index) for name, index in sorted(regex.groupindex.items()))


def _number_at(match: re.Match[str]) -> int:
    """Where the number of a match stands; its start, if it has none."""
    for meaning, group in _places(match.re):
        if meaning in _NUMBERS and match.start(group) >= 0:
            return match.start(group)
    return match.start()


def extract(event: LogEvent, match: re.Match[str]) -> Fields:
    """What a match says. Groups that took no part, and numbers that are none, are absent."""
    texts: dict[str, str] = {}
    for meaning, group in _places(match.re):
        text = match[group]
        if text:
            texts.setdefault(meaning, text)
    label = texts.get("label", "")[:LABEL_CHARS].strip(" \"'`:") if "label" in texts else ""
    return Fields(
        seconds=_seconds(texts),
        value=_value(texts),
        key=texts.get("key", texts.get("generation", "")),
        label=(normalised(label) if event.priority >= GENERIC else label) or event.label,
        site=texts.get("site", "").replace('", line ', ":").replace(", line ", ":"),
        cpu_s=_number(texts["cpu"]) if "cpu" in texts else None,
    )


def _seconds(texts: dict[str, str]) -> float | None:
    if "duration" in texts:
        return parse_duration(texts["duration"])
    for meaning, factor in _FACTORS.items():
        amount = _number(texts[meaning]) if meaning in texts else None
        if amount is not None:
            return amount * factor
    return None


def _value(texts: dict[str, str]) -> float | None:
    if "sum" in texts:
        return float(sum(int(number) for number in re.findall(r"\d{1,15}", texts["sum"])))
    if "size" in texts or "mb" in texts:
        return parse_size(texts.get("size", f"{texts.get('mb', '')} MB"))
    text = texts.get("value", texts.get("collected", ""))
    return _number(text) if text else None


# `17`, `#17`, `8f3a`, `session-17`, `8f3a2b1c-...`; not `v1`, `e2e`, `sqlite3`, `api2.example.com`
_ID = re.compile(r"^#?\d|^(?=.*\d)[0-9a-f-]{4,}$|[-_#]\d+$|^(?![a-z][\w-]*\.).*\d{3}|^[A-Za-z0-9_-]{32,}$")
_PATH = re.compile(r"(?:([A-Z]{3,7})[ \"]{1,12})?(/\S*)$")


def normalised(label: str) -> str:
    """A name without what differs from one time to the next: numbers, ids, query strings."""
    path = _PATH.match(label)
    if path is not None:
        parts = [":id" if _ID.search(part) else part for part in path[2].partition("?")[0].split("/")]
        return " ".join(filter(None, (path[1], "/".join(parts))))
    words = (word.strip("#[](){}<>:,.'\"`") for word in label.split())
    return " ".join(word.lower() for word in words if word and word != "in" and not _ID.search(word))


# --- foreign text -----------------------------------------------------------------------------------------------

_WHO = (
    "[Uu]ser|[Hh]uman|[Cc]ustomer|[Bb]ot|[Aa]ssistant|AI|ai|LLM|llm|[Mm]odel|[Aa]gent|[Cc]lient|GPT|Claude"
    "|用户|助手|模型"
)
_SAID = (
    "input|message|msg|question|prompt|response|reply|answer|output|text|utterance|query|transcript|speech"
    "|输入|消息|提问|问题|回复|回答|输出"
)
_KEYS = (
    "prompt|system_prompt|transcript|transcription|utterance|content|text|body|reply|question|answer|caption|subtitle"
    "|sentence|completion_text|output_text|input_text|user_input|input|payload|search query|chat history"
    "|Prompt|Transcript|Transcription|Content|Text|Body|Reply|Question|Answer|Caption|Subtitle|Sentence|Input"
    "|识别结果|转写结果|内容|文本|回复|回答|问题|提示词"
)
# What follows a marker was said by somebody, unless it is nothing but a length: "LLM response: 3.2s" is ours.
FOREIGN_TEXT = re.compile(
    rf"(?:\b(?:{_WHO})[ _-]?(?:{_SAID})(?: from \S{{1,60}}| \([^()]{{1,40}}\))?"
    rf"|(?<![\w.-])(?:{_KEYS})"
    r"|\b(?:[Mm]essage|[Rr]eply|[Tt]ext|[Qq]uestion) (?:from|by|to) [^\s:]{1,60}"
    r"|\b(?:said|says|asks?|asked|wrote|writes|typed|replied|answered|tells|told)"
    r"|\b(?:[Uu]ser|[Aa]ssistant|[Hh]uman|[Cc]ustomer)(?=:)"
    r"|\b(?:answered|replied|said|asked|responded) ?\([^()]{1,60}\)"
    r"|识别完成[^:：]{0,40}"
    r"|用户(?:说|问)?|助手"
    r")[\"']?(?P<sign>\s?[:=：])\s?(?!\s?[\d.]{1,12}\s?(?:ms|s|sec|seconds?|秒|毫秒)\s?(?:$|[,;()|]))"
    r"|\b(?:query|message|msg_text|search|q|title|subject|caption)[\"']?(?P<sign2>[=:])\s?(?=[\"'])"
    r"|@[\w.=-]{1,40}(?::[\w.-]{1,60})?(?P<sign5>:) "
    # `u3: why do I get ...`, `<bob> ...`: a short name, then what only people say
    r"|^(?:\[[\w-]{1,24}\] ){0,2}[\w.-]{1,16}(?P<sign3>:) (?=(?:[Ww](?:hy|hat|ho|hen|here)|[Hh]ow|I|I'm|[Mm]y|[Pp]lease"
    r"|[Cc]an you|[Cc]ould you|[Ii]s it|[Dd]oes)\b|[^?]{1,400}\?$)"
    r"|^[\w #\[\]-]{0,40}<[\w.-]{1,32}(?P<sign4>>) (?=[A-Za-z])"
    # ... or anything else, then what no program says of itself
    r"|[\w)\]](?P<sign6>:) (?=(?:[Mm]y|I|I'm|[Ww](?:hy|hat(?:'s)?|ho|hen) (?:is|are|does|do|did|can|should|in|the)"
    r"|[Hh]ow (?:do|does|can|to|many|much|is)|[Cc]an (?:you|I)|[Cc]ould you|[Dd]o you|[Ii]s (?:it|the|there)"
    r"|[Pp]lease|[Tt]ell me|[Gg]ive me|[Ee]xplain) [a-z])"
    r"|(?P<triple>'''|\"\"\")"
    r"|(?P<quote>[\"“「『])(?=(?:[^\s\"“”]{1,30} ){4})"
    r"|(?<![\w(=\[{,])(?<!\d, )(?P<single>')(?=(?:[^\s']{1,30} ){2})",
)
# A quoted sentence is somebody's words, unless it is the message of the log itself.
_OUR_QUOTE = re.compile(r"(?:msg|event|err|error|reason|detail|exception|status|title|log)[\"']?[=:]\s?$")
_NEXT_KEY = re.compile(r"\s[\w.]{1,40}=|\s[|;]\s?[\w ]{1,24}[:=]")
_CLOSING = {"“": "”", "「": "」", "『": "』"}


def is_foreign(message: str, position: int) -> bool:
    """Whether a position stands in the words of a user or a model, not of the program that writes the log."""
    return position > 0 and any(start <= position < end for start, end in _foreign(message))


@lru_cache(maxsize=64)
def _foreign(message: str) -> Sequence[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    marker = FOREIGN_TEXT.search(message, 0, MATCHED_CHARS)
    while marker is not None:
        span = _span(message, marker)
        if span is not None:
            spans.append(span)
        marker = FOREIGN_TEXT.search(message, max(marker.end(), span[1] if span else 0), MATCHED_CHARS)
    return spans


def _span(message: str, marker: re.Match[str]) -> tuple[int, int] | None:
    """From where to where the words go that a marker announces."""
    if marker["triple"]:
        return marker.end(), _until(message, marker["triple"], marker.end())
    if marker["single"]:
        return marker.end(), _until(message, "'", marker.end())
    if marker["quote"]:
        if _OUR_QUOTE.search(message, max(0, marker.start() - 16), marker.start()):
            return None
        return marker.end(), _until(message, _CLOSING.get(marker["quote"], marker["quote"]), marker.end())
    start = marker.end()
    opening = message[start : start + 1]
    if opening in {'"', "'", "`", "“", "「"} and opening:
        return start, _until(message, _CLOSING.get(opening, opening), start + 1)
    stop = _NEXT_KEY.search(message, start)
    return start, len(message) if stop is None else stop.start()


def _until(message: str, closing: str, start: int) -> int:
    """The closing quote, or the end; an escaped one, or an apostrophe inside a word, closes nothing."""
    at = message.find(closing, start)
    while at > 0 and (message[at - 1] == "\\" or (closing == "'" and message[at + 1 : at + 2].isalnum())):
        at = message.find(closing, at + 1)
    return len(message) if at < 0 else at
