"""Structured lines: JSON and logfmt records turned into the message that a person would have written.

The scalars beside the message stay visible after it as ` key=value`, because durations and counts live there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, TypeAlias

from taskdoctor.collectors.logs.format import Fields, Syntax
from taskdoctor.collectors.logs.levels import level_of
from taskdoctor.collectors.logs.stamps import Stamp, read

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Record: TypeAlias = "dict[str, Json]"

_HOLDERS = frozenset(
    {"attributes", "extra", "extras", "fields", "context", "ctx", "data", "details", "metadata", "params"}
)
EXTRAS_LIMIT = 4096  # characters of key=value text after a message
RECORD_LIMIT_BYTES = 1 << 20  # a longer line is no record
_TRACEBACK = "Traceback (most recent call last)"
_PAIR = re.compile(r'([A-Za-z_@][^\s="]{0,100})=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t"}


class Parts(NamedTuple):
    """What a record says besides its stamp."""

    message: str
    level: str
    logger: str
    worker: str


def load(line: bytes, syntax: Syntax) -> Record | None:
    """The record of a line, None if it holds none. Never raises."""
    if len(line) > RECORD_LIMIT_BYTES:
        return None
    text = line.decode("utf-8", "replace").strip()
    return _load_json(text) if syntax is Syntax.JSON else _load_logfmt(text)


def fits(fields: Fields, record: Record) -> bool:
    """Whether a record is of this format."""
    requires, forbids, forbids_both = _conditions(fields)
    if not forbids.isdisjoint(record) or any(both <= record.keys() for both in forbids_both):
        return False
    return all(any(_lookup(record, path) is not None for path in either) for either in requires)


def stamp(fields: Fields, record: Record, reference_s: float) -> Stamp | None:
    """The first time field that reads as an instant."""
    for path in fields.at:
        if path not in record and "." not in path:
            continue
        found = read(_lookup(record, path), reference_s)
        if found is not None:
            return found
    return None


def text(fields: Fields, record: Record) -> str | None:
    """The bare message; None if the record has none."""
    path = _message_path(fields, record)
    return None if path is None else _as_text(_lookup(record, path))


def parts(fields: Fields, record: Record) -> Parts:
    """Message with its extra fields and traceback, level, logger, worker."""
    path = _message_path(fields, record)
    message = "" if path is None else _as_text(_lookup(record, path)).rstrip("\r\n")
    shown = (message + _extras(fields, record, path)).lstrip(" ") + _traceback(fields, record)
    levels = (level_of(_lookup(record, candidate)) for candidate in fields.level)
    return Parts(shown, next(filter(None, levels), ""), _first(fields.logger, record), _first(fields.worker, record))


def _load_json(text: str) -> Record | None:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _load_logfmt(text: str) -> Record | None:
    record: Record = {}
    for key, quoted, bare in _PAIR.findall(text[:65536]):
        record[key] = _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), quoted) if quoted else bare
    return record or None


@cache
def _conditions(fields: Fields) -> tuple[tuple[tuple[str, ...], ...], frozenset[str], tuple[frozenset[str], ...]]:
    requires = tuple(tuple(either.split("|")) for either in fields.requires)
    both = tuple(frozenset(path.split("+")) for path in fields.forbids if "+" in path)
    return requires, frozenset(path for path in fields.forbids if "+" not in path), both


def _lookup(record: Record, path: str) -> Json:
    """A key as it stands, or a dotted path."""
    value = record.get(path)
    return value if value is not None or "." not in path else _nested(record, path)


def _nested(value: Json, path: str) -> Json:
    """A path through objects, lists and lists of OTLP attributes."""
    if isinstance(value, dict):
        if path in value:
            return value[path]
        head, dot, rest = path.partition(".")
        return _nested(value[head], rest) if dot and head in value else None
    if isinstance(value, list):
        head, dot, rest = path.partition(".")
        if not head.isdigit():
            return _attributes(value).get(path)
        item = value[int(head)] if int(head) < len(value) else None
        return _nested(item, rest) if dot else item
    return None


def _attributes(items: list[Json]) -> Record:
    """OTLP's `[{"key": k, "value": {"intValue": "3"}}]` as a plain object."""
    found: Record = {}
    for item in items:
        if isinstance(item, dict) and isinstance(key := item.get("key"), str):
            value = item.get("value")
            found[key] = next(iter(value.values()), None) if isinstance(value, dict) else value
    return found


def _message_path(fields: Fields, record: Record) -> str | None:
    return next((path for path in fields.message if isinstance(_lookup(record, path), str | list)), None)


def _as_text(value: Json) -> str:
    """Text; journald writes an array of bytes where a message is not UTF-8."""
    if isinstance(value, list):
        return bytes(item for item in value if isinstance(item, int) and 0 <= item < 256).decode("utf-8", "replace")
    return value if isinstance(value, str) else _scalar(value)


def _first(paths: tuple[str, ...], record: Record) -> str:
    for path in paths:
        if path not in record and "." not in path:
            continue
        values = [_lookup(record, part) for part in path.split(":")]
        if all(isinstance(value, str | int | float) and value != "" for value in values):
            return ":".join(_scalar(value) for value in values)
    return ""


def _extras(fields: Fields, record: Record, message_path: str | None) -> str:
    """Scalars beside the message, in the order in which they stand."""
    shown = _lookup(record, fields.extras) if fields.extras else record
    if isinstance(shown, list):
        shown = _attributes(shown)
    if not isinstance(shown, dict):
        return ""
    inside = f"{fields.extras}." if fields.extras else ""
    known = _known(fields)
    pieces: list[str] = []
    room = EXTRAS_LIMIT
    for key, value in _flat(shown):
        path = inside + key
        if path in known or key in known or path == message_path or value is None or isinstance(value, list | dict):
            continue
        piece = f" {key}={_quoted(_scalar(value))}"
        if len(piece) <= room:
            pieces.append(piece)
            room -= len(piece)
    return "".join(pieces)


def _flat(shown: Record) -> Iterator[tuple[str, Json]]:
    """The fields of a record; those that loggers put into an object of their own as if they stood beside it."""
    for key, value in shown.items():
        if key in _HOLDERS and isinstance(value, dict):
            yield from value.items()
        else:
            yield key, value


@cache
def _known(fields: Fields) -> frozenset[str]:
    """Keys that have their own place in a line, or say nothing."""
    joined = (*fields.at, *fields.level, *fields.logger, *fields.worker, *fields.hidden, *fields.traceback)
    return frozenset({part for path in joined for part in path.split(":")} | {fields.rendered})


def _traceback(fields: Fields, record: Record) -> str:
    rendered = _lookup(record, fields.rendered) if fields.rendered else None
    if isinstance(rendered, str) and _TRACEBACK in rendered:
        return "\n" + rendered[rendered.index(_TRACEBACK) :].rstrip()
    for path in fields.traceback:
        value = _lookup(record, path)
        if value is None:
            continue
        if isinstance(value, str) and value.strip():
            return "\n" + value.strip("\r\n")
        if isinstance(value, list) and value and isinstance(last := value[0], dict) and "exc_type" in last:
            return f"\n{_as_text(last['exc_type'])}: {_as_text(last.get('exc_value'))}"
        if isinstance(value, dict) and "type" in value:
            return f"\n{_as_text(value['type'])}: {_as_text(value.get('value'))}"
    return ""


def _scalar(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if not value or set(value) & set(' "=\n\t\r') else value
