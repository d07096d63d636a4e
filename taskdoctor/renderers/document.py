"""The verdict as one JSON document: the contract with scripts, described by `verdict.schema.json`.

Why its text is cleaned as well: `jq -r` puts it on a terminal. Numbers stay numbers and are always finite; what is not
is 0, or null where the schema allows it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from taskdoctor import __version__
from taskdoctor.model import (
    Blind,
    BlockedStack,
    Connections,
    Ended,
    ErrorLine,
    Evidence,
    Fact,
    Finding,
    Fix,
    GcPause,
    GcSummary,
    Interval,
    LaneRow,
    Operation,
    ProcessClass,
    Processes,
    ProcessTree,
    Report,
    Risk,
    Service,
    Sign,
    SlowOperation,
    Source,
    TaskGroup,
    TaskSummary,
    Teardown,
    Verdict,
)
from taskdoctor.renderers.words import instant, plain_lines, plain_text

SCHEMA_VERSION = 1
TEXT_LIMIT = 4_000  # characters of one text
CODE_LINES = 400
DIGITS = 6  # microseconds
_SEVERITY_ORDER = ("high", "medium", "low")

Object = dict[str, object]


def document(verdict: Verdict, *, command: str, everything: bool = False) -> Object:
    """The document as plain values; `command` is the one that looked (`logs`). `everything`: living processes too."""
    report = verdict.report
    return {
        "schema_version": SCHEMA_VERSION,
        "taskdoctor": __version__,
        "command": _text(command),
        "window": None if verdict.window is None else _window(verdict.window),
        "verdict": _verdict(verdict),
        "tasks": None if report.tasks is None else _tasks(report.tasks),
        "gc": None if report.gc is None else _gc(report.gc),
        "operations": [_operation(operation) for operation in report.operations] or None,
        "processes": None if report.processes is None else _processes(report, everything=everything),
        "host": _host(report.services),
        **_more(report),
    }


def dumps(verdict: Verdict, *, command: str, everything: bool = False) -> str:
    """The document as text, pure ASCII, so that any pipe and any encoding carries it."""
    return json.dumps(document(verdict, command=command, everything=everything), indent=2, allow_nan=False)


@cache
def schema_text() -> str:
    return resources.files("taskdoctor.renderers").joinpath("verdict.schema.json").read_text(encoding="utf-8")


def schema() -> Object:
    """The JSON Schema that every document keeps."""
    loaded: Object = json.loads(schema_text())
    return loaded


def _more(report: Report) -> Object:
    """What the model knows beyond the core of the contract."""
    return {
        "timeline": [_lane(row) for row in report.timeline],
        "connections": [_connections(kind) for kind in report.connections],
        "teardown": None if report.teardown is None else _teardown(report.teardown),
        "errors": [_error(error) for error in report.errors],
        "blocked": [_blocked(stack) for service in report.services for stack in service.blocked],
        "read": {
            "sources": [_source(source) for source in report.sources],
            "warnings": _texts(report.warnings),
        },
    }


def _verdict(verdict: Verdict) -> Object:
    return {
        "status": verdict.status.value,
        "summary": _text(verdict.summary),
        "stalls": {
            "count": verdict.stall_count,
            "seconds": _number(verdict.stalled_s),
            "longest_seconds": _number(verdict.longest_s),
            "unexplained_share": _share(verdict.unexplained_share),
        },
        "unexplained_probability": _share(verdict.unexplained_probability),
        "loop_held_share": None if verdict.loop_held_share is None else _share(verdict.loop_held_share),
        "causes": [_finding(finding) for finding in verdict.findings],
        "risks": [_risk(risk) for risk in sorted(verdict.risks, key=lambda risk: _SEVERITY_ORDER.index(risk.severity))],
        "blind": [_blind(spot) for spot in verdict.blind],
        "next_steps": _texts(verdict.next_steps),
    }


def _finding(finding: Finding) -> Object:
    return {
        "cause": _text(finding.cause),
        "title": _text(finding.title),
        "probability": _share(finding.probability),
        "blame_share": _share(finding.blame_share),
        "blame_interval": [_share(share) for share in finding.blame_interval],
        "stalls": finding.stalls,
        "seconds": _number(finding.seconds),
        "sentence": _text(finding.sentence),
        "evidence": _evidence(finding.evidence),
        "check": _text(finding.check),
        "fix": _fix(finding.fix),
        "counterfactual": None if finding.counterfactual is None else _text(finding.counterfactual),
        "leads_to": _texts(finding.leads_to),
    }


def _risk(risk: Risk) -> Object:
    return {
        "cause": _text(risk.cause),
        "title": _text(risk.title),
        "severity": risk.severity.value,
        "evidence": _evidence(risk.evidence),
        "check": _text(risk.check),
        "fix": _fix(risk.fix),
    }


def _evidence(evidence: Iterable[Evidence]) -> list[Object]:
    return [{"text": _text(piece.text), "source": _text(piece.source), "kind": piece.grade.value} for piece in evidence]


def _fix(fix: Fix) -> Object:
    return {
        "summary": _text(fix.summary),
        "priority": fix.priority.value,
        "effort": _text(fix.effort),
        "risk": _text(fix.risk),
        "before": _code(fix.before),
        "after": _code(fix.after),
    }


def _blind(spot: Blind) -> Object:
    return {
        "cause": _text(spot.cause),
        "why": _text(spot.why),
        "how": _text(spot.how),
        "visibility": spot.visibility.value,
    }


def _tasks(tasks: TaskSummary) -> Object:
    return {
        "count": tasks.count,
        "groups": [_group(group) for group in tasks.groups],
        "over_time": _series(tasks.over_time),
        "growing": tasks.growing,
        "abnormal": tasks.abnormal,
        "lost": tasks.lost,
        "fire_and_forget": tasks.fire_and_forget,
    }


def _group(group: TaskGroup) -> Object:
    return {
        "coroutine": _text(group.coroutine),
        "site": _optional_text(group.site),
        "waiting_at": _optional_text(group.waiting_at),
        "count": group.count,
        "change": group.change,
        "oldest_s": _optional(group.oldest_s),
        "kind": group.kind,
    }


def _gc(gc: GcSummary) -> Object:
    return {
        "collections": {str(generation): count for generation, count in enumerate(gc.collections)},
        "pauses": [_pause(pause) for pause in gc.pauses],
        "thresholds": None if gc.thresholds is None else list(gc.thresholds),
        "frozen": gc.frozen,
        "p50_s": _number(gc.p50_s),
        "p95_s": _number(gc.p95_s),
        "max_s": _number(gc.max_s),
        "total_s": _number(gc.total_s),
        "stalled_share": _share(gc.stalled_share),
        "growing": gc.growing,
    }


def _host(services: Iterable[Service]) -> Object | None:
    """Each watched service with the facts of its process and machine, by address."""
    shown = {
        _text(service.address): {
            "facts": [_fact(fact) for fact in service.facts],
            "notes": _texts(service.notes),
        }
        for service in services
    }
    return {"services": shown} if shown else None


def _fact(fact: Fact) -> Object:
    return {
        "name": _text(fact.name),
        "value": _optional(fact.value),
        "unit": _text(fact.unit),
        "known": fact.known.value,
        "note": _text(fact.note),
    }


def _blocked(stack: BlockedStack) -> Object:
    return {
        "at": _iso(stack.at_s),
        "seconds": _number(stack.seconds),
        "longest_seconds": _number(stack.longest_s),
        "count": stack.count,
        "reading": stack.reading.value,
        "label": _text(stack.label),
        "site": _text(stack.site),
        "frames": _texts(stack.frames),
        "thread_state": _text(stack.thread_state),
        "cpu_share": None if stack.cpu_share is None else _share(stack.cpu_share),
    }


def _pause(pause: GcPause) -> Object:
    return {
        "at": _iso(pause.at_s),
        "seconds": _number(pause.seconds),
        "generation": pause.generation,
        "collected": pause.collected,
        "explicit": pause.explicit,
        "source": None if pause.place is None else _text(str(pause.place)),
    }


def _operation(operation: Operation) -> Object:
    return {
        "name": _text(operation.name),
        "count": operation.count,
        "normal_s": _number(operation.normal_s),
        "p50_s": _number(operation.p50_s),
        "p95_s": _number(operation.p95_s),
        "max_s": _number(operation.max_s),
        "slow": [_slow(slow) for slow in operation.slow],
        "histogram": [[_number(low), _number(high), count] for low, high, count in operation.histogram],
        "p50_without_s": _optional(operation.p50_without_s),
        "p95_without_s": _optional(operation.p95_without_s),
        "sampled": operation.sampled,
    }


def _slow(slow: SlowOperation) -> Object:
    return {
        "at": _iso(slow.at_s),
        "seconds": _number(slow.seconds),
        "source": _text(str(slow.place)),
        "owners": _summed(slow.owners),
        "label": _text(slow.label),
        "subparts": _summed(slow.subparts),
    }


def _summed(parts: Iterable[tuple[str, float]]) -> Mapping[str, float]:
    seconds: dict[str, float] = {}
    for name, value in parts:
        seconds[_text(name)] = _number(seconds.get(_text(name), 0.0) + value)
    return seconds


def _processes(report: Report, *, everything: bool) -> Object:
    """One item for each process, whatever tree it belongs to, and the trees with what they take as a whole."""
    seen = report.processes
    assert seen is not None
    trees = [tree for tree in seen.trees if everything or tree.kind is not ProcessClass.LIVE]
    return {
        "items": [item for tree in trees for item in _members(tree)],
        "trees": [_tree(tree, seen) for tree in trees],
        "scanned": seen.scanned,
        "proven": seen.proven,
        "live": sum(tree.kind is ProcessClass.LIVE for tree in seen.trees),
        "platform": _text(seen.platform),
        "service": None if seen.service is None else _service(seen),
        "unclosed": [
            {"text": _text(one.text), "source": _text(str(one.place)), "pids": list(one.pids)}
            for one in report.unclosed
        ],
        "ended": [_ended(one) for one in report.ended],
    }


def _ended(one: Ended) -> Object:
    return {
        "pid": one.pid,
        "tree": one.tree,
        "command": _text(one.command),
        "outcome": one.outcome.value,
        "why": _text(one.why),
        "rss_bytes": max(0, one.rss_bytes),
    }


def _members(tree: ProcessTree) -> list[Object]:
    return [
        {
            "pid": process.pid,
            "class": tree.kind.value,
            "command": _text(process.command),
            "name": _text(tree.label),
            "parents": list(process.parents),
            "evidence": [*_signs(tree.signs, "for"), *_signs(tree.blockers, "against")],
            "harm": {
                "rss_bytes": max(0, process.harm.rss_bytes),
                "cpu_share": max(0.0, _number(process.harm.cpu_share)),
                "ports": [port for port in process.harm.ports if port >= 0],
                "locks": _texts(process.harm.locks),
            },
            "tree": tree.root.pid,
            "start_ticks": process.start_ticks,
            "started": _iso(process.started_s),
            "owner": _text(process.owner),
        }
        for process in tree.processes
    ]


def _signs(signs: Iterable[Sign], speaks: str) -> list[Object]:
    return [
        {
            "text": _text(sign.text),
            "source": _text(sign.source),
            "kind": "measured",
            "check": _text(sign.check),
            "speaks": speaks,
        }
        for sign in signs
    ]


def _tree(tree: ProcessTree, seen: Processes) -> Object:
    return {
        "root": tree.root.pid,
        "class": tree.kind.value,
        "name": _text(tree.label),
        "pids": [process.pid for process in tree.processes],
        "rss_bytes": max(0, tree.harm.rss_bytes),
        "cpu_share": max(0.0, _number(tree.harm.cpu_share)),
        "spins": tree.harm.spins,
        "ports": [port for port in tree.harm.ports if port >= 0],
        "locks": _texts(tree.harm.locks),
        "age_s": max(0.0, _number(seen.at_s - tree.root.started_s)),
        "entry": _text(tree.entry),
        "started_by": _text(tree.started_by),
        "client": tree.client,
        "launch": _text(tree.launch),
        "unread": _texts(tree.unread),
    }


def _service(seen: Processes) -> Object:
    service = seen.service
    assert service is not None
    return {
        "pid": service.pid,
        "command": _text(service.command),
        "sessions": service.sessions,
        "ports": [port for port in service.ports if port >= 0],
    }


def _connections(kind: Connections) -> Object:
    return {
        "name": _text(kind.name),
        "opened": kind.opened,
        "closed": kind.closed,
        "left": kind.left,
        "over_time": _series(kind.over_time),
    }


def _teardown(teardown: Teardown) -> Object:
    return {
        "count": teardown.count,
        "p50_s": _number(teardown.p50_s),
        "max_s": _number(teardown.max_s),
        "unfinished": teardown.unfinished,
    }


def _error(error: ErrorLine) -> Object:
    return {"text": _text(error.text), "count": error.count, "source": _text(str(error.place))}


def _source(source: Source) -> Object:
    return {
        "name": _text(source.name),
        "bytes": source.bytes,
        "lines": source.lines,
        "formats": [{"name": _text(name), "lines": count} for name, count in source.formats],
        "unparsed_share": _share(source.unparsed_share),
        "resolution_s": _optional(source.resolution_s),
        "first": None if source.first_s is None else _iso(source.first_s),
        "last": None if source.last_s is None else _iso(source.last_s),
        "workers": _texts(source.workers),
        "notes": _texts(source.notes),
    }


def _lane(row: LaneRow) -> Object:
    return {"name": _text(row.name), "intervals": [[_iso(part.start_s), _iso(part.end_s)] for part in row.intervals]}


def _window(window: Interval) -> Object:
    return {"start": _iso(window.start_s), "end": _iso(window.end_s), "seconds": _number(window.seconds)}


def _series(series: Iterable[tuple[float, int]]) -> list[list[object]]:
    return [[_iso(at_s), count] for at_s, count in series]


def _iso(at_s: float) -> str:
    """An instant with its zone; a stamp without one was taken as written, and so stands as UTC."""
    return instant(at_s).isoformat(timespec="milliseconds")


def _number(value: float) -> float:
    return round(float(value), DIGITS) if math.isfinite(value) else 0.0


def _optional(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else _number(value)


def _share(value: float) -> float:
    return min(max(_number(value), 0.0), 1.0)


def _text(text: str) -> str:
    return plain_text(text, TEXT_LIMIT)


def _optional_text(text: str | None) -> str | None:
    return None if text is None else _text(text)


def _texts(texts: Iterable[str]) -> list[str]:
    return [_text(text) for text in texts]


def _code(source: str) -> str:
    return "\n".join(plain_lines(source, CODE_LINES, 1_000))
