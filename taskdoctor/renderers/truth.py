"""What was really inside a demo service, beside what the verdict said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskdoctor.model import Verdict
from taskdoctor.renderers.words import counted, duration, plain_text


def told(truth: Mapping[str, Any], verdict: Verdict) -> str:
    """The truth of a run as a few lines of text."""
    if not truth:
        return "The truth: not known, the demo service ended too early."
    rows = ["The truth (measured by the demo service itself, from its start to its end):"]
    rows += [f"  {_fault(fault)}" for fault in truth["faults"]]
    held = [stall["end_s"] - stall["start_s"] for stall in truth["stalls"] if stall["kind"] == "loop"]
    late = [stall["excess_s"] for stall in truth["stalls"] if stall["kind"] == "operation"]
    rows.append(f"  event loop: {_sum(held, 'stall')}; conversations: {_sum(late, 'late one')}")
    return "\n".join([*rows, f"  {_compared(list(truth['causes']), verdict)}"])


def _fault(fault: Mapping[str, Any]) -> str:
    if not fault["cause"]:
        return "no fault"
    spans = [end - start for start, end in fault["intervals"]]
    return f"{plain_text(fault['cause'])} acted {_sum(spans, 'time')}"


def _sum(lengths_s: list[float], what: str) -> str:
    """`3 stalls, 4.20 s in all, the longest 2.00 s`."""
    if not lengths_s:
        return f"no {what}"
    each = "" if len(lengths_s) == 1 else f" in all, the longest {duration(max(lengths_s))}"
    return f"{counted(len(lengths_s), what)}, {duration(sum(lengths_s))}{each}"


def _compared(causes: list[str], verdict: Verdict) -> str:
    """Whether the verdict named it."""
    found = [finding.cause for finding in verdict.findings]
    if not causes:
        return "the verdict accused nobody" if not found else f"the verdict accused {found[0]}: wrong"
    if found and found[0] in causes:
        return f"the verdict put {found[0]} first: right"
    place = next((number for number, cause in enumerate(found, 1) if cause in causes), None)
    return f"the verdict put it on place {place}" if place else "the verdict did not name it"
