"""A live service: what was on the loop when it did not turn, and the facts of its process and machine."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from taskdoctor.model import BlockedStack, Fact, Known, Reading, Service
from taskdoctor.renderers.screen.sheet import BOLD, CODE, DIM, Sheet
from taskdoctor.renderers.words import counted, duration, moment, number, percent, size

READINGS = {
    Reading.ON_LOOP: "Python code ran on the loop",
    Reading.WAITING: "a synchronous call waited on the loop",
    Reading.GIL_HELD: "the interpreter was held: native code or a collection",
    Reading.NOT_SCHEDULED: "the process did not run",
    Reading.UNKNOWN: "held, by what is open",
}
STATES = {"R": "running", "S": "asleep", "D": "in the kernel", "T": "stopped"}


def write_blocked(sheet: Sheet, services: Sequence[Service], *, rows: int, verbose: bool, dated: bool) -> None:
    """Each stall with its code, merged where it is the same."""
    stacks = [stack for service in services for stack in service.blocked]
    if not stacks:
        return
    sheet.heading("Blocked stacks", "what was on the loop when it did not turn")
    for stack in stacks[:rows]:
        _blocked(sheet, stack, verbose=verbose, dated=dated)
    if len(stacks) > rows:
        sheet.write(sheet.text(f"and {number(len(stacks) - rows)} more", DIM), indent=3)


def _blocked(sheet: Sheet, stack: BlockedStack, *, verbose: bool, dated: bool) -> None:
    head = [
        sheet.chip(duration(stack.longest_s), BOLD),
        sheet.text(stack.label, CODE, 100) if stack.label else None,
        sheet.text(stack.site, limit=100) if stack.site else None,
    ]
    sheet.write(sheet.join(head), indent=1, hang=2)
    told = [
        sheet.text(READINGS[stack.reading], DIM),
        sheet.chip(f"{counted(stack.count, 'time')}, {duration(stack.seconds)} in all", DIM)
        if stack.count > 1
        else None,
        sheet.chip(f"from {moment(stack.at_s, dated=dated)}", DIM),
        sheet.chip(f"thread {STATES.get(stack.thread_state, stack.thread_state)}", DIM) if stack.thread_state else None,
        sheet.chip(f"CPU {percent(stack.cpu_share)}", DIM) if stack.cpu_share is not None else None,
    ]
    sheet.write(sheet.join(told), indent=3, hang=2)
    for frame in stack.frames if verbose else stack.frames[-2:-1]:
        sheet.write(sheet.text(frame, DIM, 140), indent=5, hang=2)


def write_services(sheet: Sheet, services: Sequence[Service], *, verbose: bool) -> None:
    """The process and its machine: what was measured, and what could not be had."""
    for service in services:
        known = [fact for fact in service.facts if fact.known is not Known.UNAVAILABLE]
        sheet.heading("Process and machine", service.address)
        if known:
            sheet.write(sheet.join([_fact(sheet, fact) for fact in known]), indent=1)
        missing: dict[str, list[str]] = {}
        for fact in service.facts:
            if fact.known is Known.UNAVAILABLE:
                missing.setdefault(fact.note, []).append(fact.name)
        for why, names in missing.items():
            shown = ", ".join(names if verbose else names[:4]) + ("" if verbose or len(names) <= 4 else " and more")
            sheet.write(sheet.text(f"not to be had: {shown} ({why})", DIM), indent=1, hang=2)
        for note in service.notes:
            sheet.write(sheet.text(note, DIM), indent=1, hang=2)


def _fact(sheet: Sheet, fact: Fact) -> Text:
    """`memory 84 MB`, `process cpu 12 %`."""
    value = fact.value
    if value is None:
        return sheet.text(f"{fact.name} {fact.note}", limit=80)
    if fact.unit == "bytes":
        words = size(int(value))
    elif fact.unit == "share":
        words = percent(value)
    elif fact.unit:
        words = f"{value:,.1f} {fact.unit}"
    else:
        words = number(int(value)) if fact.name != "pid" else f"{value:.0f}"
    return sheet.chip(f"{fact.name} {words}")
