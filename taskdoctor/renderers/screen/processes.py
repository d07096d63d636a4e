"""Processes left behind: the table by harm, each tree with why it counts, what speaks against ending it, advice."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from taskdoctor.model import (
    Ended,
    Harm,
    Outcome,
    Process,
    ProcessClass,
    Processes,
    ProcessTree,
    Risk,
    Sign,
    Status,
    Unclosed,
    Verdict,
)
from taskdoctor.renderers.screen.findings import fix_terms, write_before_after
from taskdoctor.renderers.screen.sheet import BAD, BOLD, CODE, DIM, GOOD, UNSURE, Sheet
from taskdoctor.renderers.words import counted, duration, number, size

SHORT_TREES, LONG_TREES = 8, 200
MOST_MEMBERS = 12
COMMAND_LIMIT = 160

_STYLE = {
    ProcessClass.ORPHAN: BAD,
    ProcessClass.SUSPECT: UNSURE,
    ProcessClass.HELPER: UNSURE,
    ProcessClass.RETAINED: UNSURE,
    ProcessClass.UNKNOWN: DIM,
    ProcessClass.ZOMBIE: DIM,
    ProcessClass.LIVE: GOOD,
}
_MEANS = {
    ProcessClass.ORPHAN: "nobody can ever talk to it again; may be ended",
    ProcessClass.SUSPECT: "looks like an orphan; not proven, or kept for a reason",
    ProcessClass.HELPER: "left by a server that is dead; look, then end it by hand",
    ProcessClass.RETAINED: "its living client keeps more copies than are configured",
    ProcessClass.UNKNOWN: "what would tell was not readable",
    ProcessClass.ZOMBIE: "has ended; its parent has not fetched it",
    ProcessClass.LIVE: "has a living client",
}


def write_processes(sheet: Sheet, verdict: Verdict, *, verbose: bool, everything: bool) -> None:
    """The whole section; nothing when no process table was seen."""
    seen = verdict.report.processes
    if seen is None:
        return
    trees = [tree for tree in seen.trees if everything or tree.kind is not ProcessClass.LIVE]
    _service(sheet, seen)
    _unclosed(sheet, verdict.report.unclosed)
    if trees:
        _table(sheet, trees, seen)
        _trees(sheet, trees, seen, verbose=verbose)
    hidden = sum(tree.kind is ProcessClass.LIVE for tree in seen.trees) if not everything else 0
    if hidden:
        words = f"{counted(hidden, 'MCP server')} with a living client left out; --all shows them"
        sheet.blank()
        sheet.write(sheet.text(words, DIM), indent=1)


def write_headline(sheet: Sheet, verdict: Verdict) -> None:
    """What was found, in one sentence."""
    signs = sheet.glyphs
    sign, words, style = {
        Status.STALLS_FOUND: (signs.bad, "Orphans found", BAD),
        Status.HEALTHY: (signs.good, "No orphans", GOOD),
        Status.INSUFFICIENT: (signs.unsure, "Nothing proven", UNSURE),
    }[verdict.status]
    line = sheet.text(f"{words}:", style).append(" ").append_text(sheet.text(verdict.summary, BOLD))
    sheet.write(line, hang=3, lead=Text(f" {sign}", style=style))
    seen = verdict.report.processes
    if seen is not None:
        looked = f"{number(seen.scanned)} processes looked at"
        again = f", the doubtful ones twice, {duration(seen.apart_s)} apart" if seen.apart_s else ""
        sheet.write(sheet.text(looked + again, DIM), indent=3)


def write_prevention(sheet: Sheet, risks: Sequence[Risk], *, verbose: bool) -> None:
    """How to keep it from happening again, for each way in which the leftovers were started."""
    if not risks:
        return
    sheet.heading("So that it does not happen again")
    shown: set[str] = set()
    for risk in risks:
        if risk.fix.summary in shown:
            continue
        shown.add(risk.fix.summary)
        sheet.write(sheet.text(risk.fix.summary), indent=1, hang=2, lead=Text(sheet.glyphs.bullet, style=DIM))
        if verbose:
            terms = fix_terms(sheet, risk.fix)
            if terms.plain:
                sheet.write(terms, indent=3)
            write_before_after(sheet, risk.fix, indent=3)
    if not verbose:
        sheet.write(
            sheet.text("-v shows the code; `taskdoctor explain orphan-processes` the whole page", DIM), indent=3
        )


def write_plan(sheet: Sheet, trees: Sequence[ProcessTree]) -> None:
    """What would be ended: leaves first, TERM, and KILL for who is still there five seconds later."""
    sheet.heading("To be ended", "TERM from the leaves to the root, KILL after 5 s")
    for tree in trees:
        sheet.write(sheet.text(f"{tree.label}, {size(tree.harm.rss_bytes)}", BOLD), indent=1)
        for process in reversed(tree.processes):
            body = (
                sheet.chip(str(process.pid)).append(" ").append_text(sheet.text(process.command, CODE, COMMAND_LIMIT))
            )
            sheet.write(body, indent=3, hang=2)
    sheet.blank()


def write_ended(sheet: Sheet, ended: Sequence[Ended]) -> None:
    """What became of each, and what was won back."""
    sheet.heading("Ended")
    styles = {Outcome.ENDED: GOOD, Outcome.GONE: GOOD, Outcome.KEPT: UNSURE, Outcome.ALIVE: BAD}
    for one in ended:
        body = sheet.chip(one.outcome.value, styles[one.outcome]).append("  ").append_text(sheet.chip(str(one.pid)))
        body.append(" ").append_text(sheet.text(one.command, CODE, COMMAND_LIMIT))
        if one.why:
            body.append(" ").append_text(sheet.aside(one.why))
        sheet.write(body, indent=1, hang=2)
    gone = [one for one in ended if one.outcome in (Outcome.ENDED, Outcome.GONE)]
    won = size(sum(one.rss_bytes for one in gone))
    sheet.write(
        sheet.text(f"{len(gone)} of {counted(len(ended), 'process', 'processes')} ended; {won} won back"), indent=1
    )


def _service(sheet: Sheet, seen: Processes) -> None:
    """The service of --of: its sessions, and how many servers of each kind it has."""
    service = seen.service
    if service is None:
        return
    ports = f" on port {', '.join(map(str, service.ports))}" if service.ports else ""
    sheet.heading(f"Service  pid {service.pid}{ports}")
    sheet.write(sheet.text(service.command, CODE, COMMAND_LIMIT), indent=1, hang=2)
    sessions = "sessions not readable" if service.sessions is None else counted(service.sessions, "session")
    own = [tree for tree in seen.trees if service.pid in tree.root.parents and tree.kind is not ProcessClass.ZOMBIE]
    names = sorted({tree.label for tree in own})
    sheet.write(sheet.text(f"{sessions} open · {counted(len(own), 'MCP server')} below it"), indent=1)
    for name in names:
        same = [tree for tree in own if tree.label == name]
        kinds = ", ".join(
            f"{sum(tree.kind is kind for tree in same)} {kind}"
            for kind in ProcessClass
            if any(t.kind is kind for t in same)
        )
        sheet.write(sheet.text(f"{len(same)} x {name}: {kinds}"), indent=3, hang=2)


def _unclosed(sheet: Sheet, unclosed: Sequence[Unclosed]) -> None:
    if not unclosed:
        return
    sheet.heading("Sessions of the log", "never closed, or closed badly, and still there")
    for one in unclosed:
        body = sheet.text(one.text).append(" ").append_text(sheet.aside(str(one.place)))
        sheet.write(body, indent=1, hang=2, lead=Text(sheet.glyphs.bullet, style=DIM))


def _table(sheet: Sheet, trees: Sequence[ProcessTree], seen: Processes) -> None:
    """Ranked by harm: what is proven first."""
    sheet.heading("Left behind", "by what it takes")
    rows = [[sheet.text(word, DIM) for word in ("class", "pid", "memory", "CPU", "age", "what")]]
    rows += [_row(sheet, tree, seen) for tree in trees[:LONG_TREES]]
    sheet.table(rows, indent=1)
    orphans = [tree for tree in trees if tree.kind is ProcessClass.ORPHAN]
    if orphans:
        won = sum(tree.harm.rss_bytes for tree in orphans)
        members = sum(len(tree.processes) for tree in orphans)
        words = (
            f"to win back: {size(won)} of {counted(members, 'process', 'processes')}; `taskdoctor procs --clean` ends"
        )
        sheet.write(sheet.text(f"{words} the orphans, after asking"), indent=1)


def _row(sheet: Sheet, tree: ProcessTree, seen: Processes) -> list[Text]:
    return [
        sheet.chip(tree.kind.value, _STYLE[tree.kind]),
        sheet.chip(str(tree.root.pid)),
        sheet.chip(size(tree.harm.rss_bytes)),
        sheet.chip(_cpu(tree.harm), BAD if tree.harm.spins else ""),
        sheet.chip(_age(tree, seen)),
        _what(sheet, tree),
    ]


def _cpu(harm: Harm) -> str:
    return f"{harm.cpu_share * 100:.0f} %"


def _age(tree: ProcessTree, seen: Processes) -> str:
    seconds = max(0.0, seen.at_s - tree.root.started_s)
    return duration(seconds) if seconds >= 60 else f"{seconds:.0f} s"


def _what(sheet: Sheet, tree: ProcessTree) -> Text:
    more = [
        f"{len(tree.processes)} processes" if len(tree.processes) > 1 else "",
        f"port {', '.join(map(str, tree.harm.ports[:3]))}" if tree.harm.ports else "",
        "holds a file" if tree.harm.locks else "",
        "spins" if tree.harm.spins else "",
    ]
    told = ", ".join(part for part in more if part)
    body = sheet.text(tree.label, BOLD, 60)
    return body.append(" ").append_text(sheet.text(f"({told})", DIM)) if told else body


def _trees(sheet: Sheet, trees: Sequence[ProcessTree], seen: Processes, *, verbose: bool) -> None:
    """Each tree with its reasons; a short page leaves out those that nobody need look at."""
    shown = [tree for tree in trees if verbose or tree.kind not in (ProcessClass.LIVE, ProcessClass.ZOMBIE)]
    for tree in shown[: LONG_TREES if verbose else SHORT_TREES]:
        _tree(sheet, tree, verbose=verbose)
    left = len(shown) - (LONG_TREES if verbose else SHORT_TREES)
    if left > 0:
        sheet.blank()
        sheet.write(sheet.text(f"and {number(left)} more with their reasons: -v", DIM), indent=1)


def _tree(sheet: Sheet, tree: ProcessTree, *, verbose: bool) -> None:
    note = _MEANS[tree.kind]
    sheet.blank()
    head = sheet.chip(f"pid {tree.root.pid}", BOLD).append("  ").append_text(sheet.text(tree.label, BOLD, 60))
    head.append("  ").append_text(sheet.chip(tree.kind.value, _STYLE[tree.kind])).append("  ")
    sheet.write(head.append_text(sheet.text(note, DIM)), indent=1, hang=2)
    for depth, process in _nested(tree):
        _member(sheet, process, depth)
    if len(tree.processes) > MOST_MEMBERS:
        sheet.write(sheet.text(f"and {len(tree.processes) - MOST_MEMBERS} more below it", DIM), indent=3)
    if tree.entry:
        sheet.labelled("Entry", sheet.text(tree.entry))
    if tree.started_by:
        sheet.labelled("Started by", sheet.text(tree.started_by, limit=COMMAND_LIMIT))
    for lock in tree.harm.locks[: 20 if verbose else 3]:
        sheet.labelled("Holds", sheet.text(lock))
    _signs(sheet, "Why", tree.signs, verbose=verbose)
    _signs(sheet, "Kept", tree.blockers, verbose=verbose)
    for words in tree.unread:
        sheet.labelled("Not read", sheet.text(words))


def _nested(tree: ProcessTree) -> list[tuple[int, Process]]:
    """Members with how deep they lie below the root."""
    pids = {process.pid for process in tree.processes}
    return [(sum(parent in pids for parent in process.parents), process) for process in tree.processes[:MOST_MEMBERS]]


def _member(sheet: Sheet, process: Process, depth: int) -> None:
    lead = sheet.drawing(f"{sheet.glyphs.dash} ", DIM) if depth else Text()
    body = sheet.chip(str(process.pid)).append(" ").append_text(sheet.text(process.command, CODE, COMMAND_LIMIT))
    sheet.write(
        body.append("  ").append_text(sheet.chip(size(process.harm.rss_bytes), DIM)),
        indent=3 + 2 * min(depth, 8),
        hang=2,
        lead=lead if depth else None,
    )


def _signs(sheet: Sheet, label: str, signs: Sequence[Sign], *, verbose: bool) -> None:
    """Each sign, and below it the command by which a person can check it."""
    for at, sign in enumerate(signs):
        body = sheet.text(sign.text, limit=300).append(" ").append_text(sheet.aside(sign.source))
        sheet.labelled(label if at == 0 else "", body)
        if sign.check:
            sheet.labelled("", sheet.text(f"$ {sign.check}", CODE, 240))
