"""Snapshots in files: saved, merged and replayed, so that a log, an attach and a process table give one verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from taskdoctor.errors import TaskdoctorError, UnreadableError
from taskdoctor.model import (
    BlockedStack,
    Event,
    Fact,
    Form,
    Gap,
    Harm,
    Known,
    Lane,
    Place,
    Process,
    ProcessClass,
    Processes,
    ProcessTree,
    Reading,
    Service,
    ServiceProcess,
    Sign,
    Silence,
    Snapshot,
    Source,
    Tally,
    TaskGroup,
)

FORMAT = "taskdoctor-snapshot"
VERSION = 1
MOST_BYTES = 512 * 1024 * 1024


def write(snapshots: Sequence[Snapshot], path: Path) -> None:
    """Write snapshots to one file. Raises TaskdoctorError when the disk does not take them."""
    record = {"format": FORMAT, "version": VERSION, "snapshots": [asdict(snapshot) for snapshot in snapshots]}
    try:
        path.write_text(json.dumps(record, ensure_ascii=True, separators=(",", ":")) + "\n", encoding="utf-8")
    except OSError as error:
        raise TaskdoctorError(f"{path}: cannot save: {error.strerror}") from error


def read(path: Path) -> list[Snapshot]:
    """The snapshots of one file. Raises UnreadableError for anything that is not one."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UnreadableError(f"{path}: too large for a snapshot")
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _not_one(path) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise _not_one(path)
    if record.get("version") != VERSION:
        raise UnreadableError(f"{path}: snapshot version {record.get('version')!r}", hint=f"This one reads {VERSION}.")
    try:
        return [_snapshot(each) for each in record["snapshots"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(f"{path}: a damaged snapshot") from error


def _not_one(path: Path) -> UnreadableError:
    hint = "Snapshots are written by --save; for a log use `taskdoctor logs FILE`."
    return UnreadableError(f"{path}: not a snapshot of taskdoctor", hint=hint)


def _snapshot(record: Mapping[str, object]) -> Snapshot:
    return Snapshot(
        collector=str(record["collector"]),
        sources=tuple(_source(each) for each in _records(record["sources"])),
        events=tuple(_event(each) for each in _records(record["events"])),
        gaps=tuple(_gap(each) for each in _records(record["gaps"])),
        tallies=tuple(_tally(each) for each in _records(record["tallies"])),
        warnings=tuple(str(each) for each in _list(record["warnings"])),
        service=_service(record.get("service")),
        processes=_processes(record.get("processes")),
    )


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list is missing")
    return value


def _records(value: object) -> list[dict[str, object]]:
    records = _list(value)
    if not all(isinstance(each, dict) for each in records):
        raise TypeError("a record is missing")
    return records  # type: ignore[return-value]


def _place(record: object) -> Place:
    if not isinstance(record, dict):
        raise TypeError("a place is missing")
    return Place(**record)


def _event(record: dict[str, object]) -> Event:
    known = {**record, "lane": Lane(str(record["lane"])), "form": Form(str(record["form"]))}
    return Event(**{**known, "place": _place(record["place"])})  # type: ignore[arg-type]


def _gap(record: dict[str, object]) -> Gap:
    known = {**record, "place": _place(record["place"]), "reading": Silence(str(record["reading"]))}
    return Gap(**known)  # type: ignore[arg-type]


def _tally(record: dict[str, object]) -> Tally:
    known = {**record, "lane": Lane(str(record["lane"])), "form": Form(str(record["form"]))}
    return Tally(**known)  # type: ignore[arg-type]


def _source(record: dict[str, object]) -> Source:
    tuples = {name: tuple(_list(record[name])) for name in ("workers", "beats", "notes")}
    formats = tuple((str(name), int(str(count))) for name, count in (_list(pair) for pair in _list(record["formats"])))
    return Source(**{**record, **tuples, "formats": formats})  # type: ignore[arg-type]


def _service(record: object) -> Service | None:
    """None in files written before there was one."""
    if record is None:
        return None
    if not isinstance(record, dict):
        raise TypeError("a service is missing")
    known = {
        **record,
        "facts": tuple(_fact(each) for each in _records(record["facts"])),
        "groups": tuple(TaskGroup(**each) for each in _records(record["groups"])),  # type: ignore[arg-type]
        "blocked": tuple(_blocked(each) for each in _records(record["blocked"])),
        "gc_collections": _three(record["gc_collections"]),
        "gc_thresholds": _three(record["gc_thresholds"]),
        "notes": tuple(str(each) for each in _list(record["notes"])),
    }
    return Service(**known)


def _fact(record: dict[str, object]) -> Fact:
    return Fact(**{**record, "known": Known(str(record["known"]))})  # type: ignore[arg-type]


def _blocked(record: dict[str, object]) -> BlockedStack:
    frames = tuple(str(each) for each in _list(record["frames"]))
    return BlockedStack(**{**record, "reading": Reading(str(record["reading"])), "frames": frames})  # type: ignore[arg-type]


def _three(value: object) -> tuple[int, int, int] | None:
    if value is None:
        return None
    first, second, third = (int(str(each)) for each in _list(value))
    return first, second, third


def _processes(record: object) -> Processes | None:
    """Absent in snapshots that were saved before there was a process table."""
    if record is None:
        return None
    if not isinstance(record, dict):
        raise TypeError("a process table is missing")
    service = record["service"]
    return Processes(
        at_s=_number(record["at_s"]),
        platform=str(record["platform"]),
        proven=bool(record["proven"]),
        apart_s=_number(record["apart_s"]),
        scanned=int(_number(record["scanned"])),
        trees=tuple(_tree(each) for each in _records(record["trees"])),
        service=None if service is None else _service_process(service),
        memory_bytes=int(_number(record["memory_bytes"])),
        cores=int(_number(record["cores"])),
        utc_offset_s=_number(record["utc_offset_s"]),
        available_bytes=int(_number(record.get("available_bytes", 0))),
    )


def _service_process(record: dict[str, object]) -> ServiceProcess:
    sessions = record["sessions"]
    return ServiceProcess(
        pid=int(_number(record["pid"])),
        command=str(record["command"]),
        sessions=None if sessions is None else int(_number(sessions)),
        ports=_numbers(record["ports"]),
    )


def _tree(record: dict[str, object]) -> ProcessTree:
    processes = tuple(_process(each) for each in _records(record["processes"]))
    if not processes:
        raise ValueError("a tree without processes")
    client = record["client"]
    return ProcessTree(
        kind=ProcessClass(str(record["kind"])),
        label=str(record["label"]),
        processes=processes,
        signs=_signs(record["signs"]),
        blockers=_signs(record["blockers"]),
        harm=_harm(record["harm"]),
        entry=str(record["entry"]),
        started_by=str(record["started_by"]),
        client=None if client is None else int(_number(client)),
        launch=str(record["launch"]),
        unread=_texts(record["unread"]),
    )


def _process(record: dict[str, object]) -> Process:
    return Process(
        pid=int(_number(record["pid"])),
        name=str(record["name"]),
        command=str(record["command"]),
        parents=_numbers(record["parents"]),
        started_s=_number(record["started_s"]),
        start_ticks=int(_number(record["start_ticks"])),
        owner=str(record["owner"]),
        harm=_harm(record["harm"]),
    )


def _signs(value: object) -> tuple[Sign, ...]:
    return tuple(Sign(str(each["text"]), str(each["source"]), str(each["check"])) for each in _records(value))


def _harm(record: object) -> Harm:
    if not isinstance(record, dict):
        raise TypeError("what it takes is missing")
    return Harm(
        rss_bytes=int(_number(record["rss_bytes"])),
        cpu_share=_number(record["cpu_share"]),
        ports=_numbers(record["ports"]),
        locks=_texts(record["locks"]),
        held=_texts(record.get("held", [])),
        cpu_s=_number(record.get("cpu_s", 0.0)),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in _list(value))


def _numbers(value: object) -> tuple[int, ...]:
    return tuple(int(_number(each)) for each in _list(value))


def _number(value: object) -> float:
    """A finite number, nothing that only looks like one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("a number is missing")
    return value


def is_snapshot(path: Path) -> bool:
    """Whether a file begins as those of --save do."""
    try:
        with path.open("rb") as stream:
            return stream.read(64).lstrip().startswith(b'{"format":"%s"' % FORMAT.encode())
    except OSError:
        return False
