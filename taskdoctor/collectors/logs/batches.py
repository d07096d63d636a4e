"""Lines that carry many log records at once: the OpenTelemetry collector writes a batch per line."""

from __future__ import annotations

import json
from collections.abc import Iterator

RECORD_LIMIT_BYTES = 1 << 20
OPENS = (b'{"resourceLogs":', b'{"resourceLogs" :')
MOST = 10_000  # records of one line


def records_of(raw: bytes) -> list[bytes]:
    """The line as one line per record, each with its own resource and scope; the line itself if it is no batch."""
    if not raw.startswith(OPENS) or len(raw) > RECORD_LIMIT_BYTES or raw.count(b"imeUnixNano") <= 1:
        return [raw]
    try:
        found = list(_records(json.loads(raw)))[:MOST]
    except (ValueError, RecursionError, TypeError, AttributeError):  # not what it looks like: read as it is
        return [raw]
    return found or [raw]


def _records(batch: dict[str, list[dict[str, object]]]) -> Iterator[bytes]:
    for resource in batch["resourceLogs"] or ():
        for scope in _list(resource, "scopeLogs"):
            for record in _list(scope, "logRecords"):
                one = {**resource, "scopeLogs": [{**scope, "logRecords": [record]}]}
                yield json.dumps({"resourceLogs": [one]}, ensure_ascii=False).encode("utf-8", "replace")


def _list(holder: dict[str, object], name: str) -> list[dict[str, object]]:
    found = holder.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
