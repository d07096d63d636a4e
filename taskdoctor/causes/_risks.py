"""Conditions that have stalled nothing yet, for the causes that grow: the same evidence, no blame."""

from __future__ import annotations

from collections.abc import Sequence

from taskdoctor.diagnosis.claiming import growth_risk
from taskdoctor.model import Cause, Event, Evidence, Lane, Risk, Severity, Timeline

STEEP = 3.0  # so many times its start is no slow drift


def growing(timeline: Timeline, cause: Cause, title: str, *lanes: Lane) -> tuple[Risk, ...]:
    """A quantity of these lanes grew beyond chance and beyond load."""
    evidence = growth_risk(
        timeline, *lanes, say="{label} rose from {first} to {last} at its troughs ({per_minute}/min)"
    )
    return _risk(cause, title, Severity.MEDIUM, evidence)


def happened(cause: Cause, title: str, marks: Sequence[Event], *, often: int) -> tuple[Risk, ...]:
    """Lines that say it outright, without any stalled time to blame them for."""
    named: dict[str, list[Event]] = {}
    for mark in marks:
        named.setdefault(mark.label or mark.kind.replace("-", " "), []).append(mark)
    evidence = tuple(
        Evidence(f"{text}: {len(found)} time{'s' if len(found) != 1 else ''}", str(found[0].place))
        for text, found in sorted(named.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:3]
    )
    return _risk(cause, title, Severity.HIGH if len(marks) >= often else Severity.LOW, evidence)


def _risk(cause: Cause, title: str, severity: Severity, evidence: tuple[Evidence, ...]) -> tuple[Risk, ...]:
    return (Risk(cause.id, title, severity, evidence, cause.check, cause.fix),) if evidence else ()
