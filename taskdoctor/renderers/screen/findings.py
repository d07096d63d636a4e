"""The verdict itself: the summary, what is known, the causes in order, the rest nobody claims, risks, next steps."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from taskdoctor.model import Evidence, Finding, Fix, Interval, Priority, Risk, Severity, Status, Verdict
from taskdoctor.renderers.screen.charts import bar
from taskdoctor.renderers.screen.sheet import BAD, BOLD, CODE, DIM, GOOD, UNSURE, Sheet
from taskdoctor.renderers.words import chance, clock, counted, day, duration, percent, percent_interval

SHORT_EVIDENCE = 3  # pieces shown; the rest with -v
LONG_EVIDENCE = 20
BAR_CELLS = 10
SENTENCE_LIMIT = 600  # characters

_WHEN = {Priority.P0: "now", Priority.P1: "soon", Priority.P2: "if it persists"}
_SEVERITY = {Severity.HIGH: BAD, Severity.MEDIUM: UNSURE, Severity.LOW: DIM}
_RANK = {Severity.HIGH: 0, Severity.MEDIUM: 1, Severity.LOW: 2}


def write_verdict(sheet: Sheet, verdict: Verdict, *, verbose: bool) -> None:
    """The answer first; everything a reader needs to act stands in this part."""
    _headline(sheet, verdict)
    match verdict.status:
        case Status.STALLS_FOUND:
            _facts(sheet, verdict)
        case Status.INSUFFICIENT:
            _known(sheet, verdict)
        case Status.HEALTHY:
            _well(sheet, verdict)
    _ranking(sheet, verdict, verbose=verbose)
    _next_steps(sheet, verdict)


def write_risks(sheet: Sheet, risks: Sequence[Risk], *, verbose: bool) -> None:
    """What has stalled nothing yet, worst first."""
    if not risks:
        return
    sheet.heading("Risks", "nothing has stalled because of these yet")
    for risk in by_severity(risks):
        sheet.blank()
        title = sheet.text(risk.title, BOLD).append_text(Text("  ")).append_text(sheet.chip(risk.cause, CODE))
        lead = sheet.chip(risk.severity.value, _SEVERITY[risk.severity])
        sheet.write(title, indent=1, hang=8, lead=lead)
        _evidence(sheet, risk.evidence, verbose=verbose)
        _labelled_words(sheet, "Check", risk.check)
        _fix(sheet, risk.fix, risk.cause, verbose=verbose)


def by_severity(risks: Sequence[Risk]) -> list[Risk]:
    """Worst first; otherwise in the order of the verdict."""
    return sorted(risks, key=lambda risk: _RANK[risk.severity])


def window_text(window: Interval) -> str:
    """`2026-03-04 10:11:12 – 10:41:37 (30m25s)`: the day once, twice only over midnight."""
    first, last = day(window.start_s), day(window.end_s)
    end = clock(window.end_s) if first == last else f"{last} {clock(window.end_s)}"
    return f"{first} {clock(window.start_s)} – {end} ({duration(window.seconds)})"


def _headline(sheet: Sheet, verdict: Verdict) -> None:
    signs = sheet.glyphs
    sign, words, style = {
        Status.STALLS_FOUND: (signs.bad, "Stalls found", BAD),
        Status.HEALTHY: (signs.good, "Healthy", GOOD),
        Status.INSUFFICIENT: (signs.unsure, "Not enough evidence", UNSURE),
    }[verdict.status]
    line = sheet.text(words, style)
    if verdict.summary:
        line.append_text(sheet.text(": ")).append_text(Text(" ")).append_text(
            sheet.text(verdict.summary, BOLD, SENTENCE_LIMIT)
        )
    sheet.write(line, hang=3, lead=Text(f" {sign}", style=style))


def _facts(sheet: Sheet, verdict: Verdict) -> None:
    sheet.write(_stall_chips(sheet, verdict), indent=3, hang=0)
    if verdict.loop_held_share is not None:
        sheet.write(sheet.text(_held_or_free(verdict.loop_held_share), DIM), indent=3)
    if verdict.window is not None:
        sheet.write(sheet.text(window_text(verdict.window), DIM), indent=3)


def _stall_chips(sheet: Sheet, verdict: Verdict) -> Text:
    return sheet.join(
        [
            sheet.chip(counted(verdict.stall_count, "stall")),
            sheet.chip(f"{duration(verdict.stalled_s)} late in all"),
            sheet.chip(f"longest {duration(verdict.longest_s)}"),
        ]
    )


def _held_or_free(held: float) -> str:
    if held >= 0.5:
        return f"the event loop was held in {percent(held)} of that time"
    return f"the event loop was free in {percent(1 - held)} of that time: work waited, the loop did not"


def _known(sheet: Sheet, verdict: Verdict) -> None:
    """Too little to name a cause is still something: how long, how often, held or free."""
    sheet.blank()
    window = verdict.window
    looked = f" in {duration(window.seconds)}" if window is not None else ""
    if verdict.stall_count:
        _labelled_words(
            sheet, "How long", f"{duration(verdict.stalled_s)} late in all, longest {duration(verdict.longest_s)}"
        )
        _labelled_words(sheet, "How often", counted(verdict.stall_count, "stall") + looked + _spacing(verdict))
        held = verdict.loop_held_share
        _labelled_words(sheet, "Loop", "held or free: cannot be told" if held is None else _held_or_free(held))
    else:
        _labelled_words(sheet, "Stalls", "none seen" + looked + ", in what could be read")
    _labelled_words(
        sheet, "When", window_text(window) if window is not None else "nothing that was read has a time stamp"
    )


def _spacing(verdict: Verdict) -> str:
    if verdict.window is None or verdict.stall_count < 2:
        return ""
    return f", about one each {duration(verdict.window.seconds / verdict.stall_count)}"


def _well(sheet: Sheet, verdict: Verdict) -> None:
    window = verdict.window
    looked = f" in {duration(window.seconds)}" if window is not None else ""
    if verdict.stall_count:
        sheet.write(_stall_chips(sheet, verdict), indent=3)
    else:
        sheet.write(sheet.text(f"Nothing stalled{looked}: the service kept to its own normal.", GOOD), indent=3)
    for operation in verdict.report.operations[:3]:
        name = sheet.chip(f"{operation.count:,} x {operation.name}", limit=40)
        times = [f"normally {duration(operation.normal_s)}", f"p95 {duration(operation.p95_s)}"]
        sheet.write(sheet.join([name, *map(sheet.chip, times)]), indent=3, hang=2)
    if window is not None:
        sheet.write(sheet.text(window_text(window), DIM), indent=3)


def _ranking(sheet: Sheet, verdict: Verdict, *, verbose: bool) -> None:
    if not verdict.findings and not verdict.stall_count:
        return
    if not verdict.findings:
        sheet.heading("Causes", "none that could be named")
    else:
        title = "Candidates" if verdict.status is Status.INSUFFICIENT else "Causes"
        sheet.heading(title, "ranked by the probability of being the largest contributor")
    for rank, finding in enumerate(verdict.findings, 1):
        sheet.blank()
        _finding(sheet, rank, finding, verbose=verbose)
    if verdict.stall_count:
        sheet.blank()
        _unexplained(sheet, verdict)
    if verdict.findings:
        sheet.blank()
        note = "owns: share of the stalled time, each second given to one cause; in brackets its 80 % interval"
        sheet.write(sheet.text(note, DIM), indent=3)


def _finding(sheet: Sheet, rank: int, finding: Finding, *, verbose: bool) -> None:
    title = sheet.text(finding.title, BOLD).append_text(Text("  ")).append_text(sheet.chip(finding.cause, CODE))
    sheet.write(title, hang=3, lead=Text(f" {rank}", style=BOLD))
    sheet.write(
        sheet.join(
            [
                _gauge(sheet, finding.probability).append_text(sheet.chip(chance(finding.probability), BOLD)),
                sheet.chip(f"owns {percent(finding.blame_share)} ({percent_interval(finding.blame_interval)})"),
                sheet.chip(f"{counted(finding.stalls, 'stall')}, {duration(finding.seconds)}"),
            ]
        ),
        indent=3,
    )
    if finding.sentence:
        sheet.write(sheet.text(finding.sentence, limit=SENTENCE_LIMIT), indent=3)
    _evidence(sheet, finding.evidence, verbose=verbose)
    _labelled_words(sheet, "Check", finding.check)
    _fix(sheet, finding.fix, finding.cause, verbose=verbose)
    _labelled_words(sheet, "Gain", finding.counterfactual or "")
    _labelled_words(sheet, "Leads to", " → ".join(finding.leads_to))


def _gauge(sheet: Sheet, probability: float) -> Text:
    if sheet.width < 60:
        return Text()
    filled, rest = bar(probability, BAR_CELLS, sheet.glyphs)
    return sheet.drawing(filled, CODE).append_text(sheet.drawing(rest + " ", DIM))


def _unexplained(sheet: Sheet, verdict: Verdict) -> None:
    """The rest is a row of its own: what was not explained must not look explained."""
    sheet.write(sheet.text("Unexplained", BOLD), hang=3, lead=Text(f" {sheet.glyphs.dash}", style=DIM))
    probability = percent(verdict.unexplained_probability)
    other = "none of these" if verdict.findings else "something that was not seen"
    seconds = duration(verdict.stalled_s * verdict.unexplained_share)
    sheet.write(
        sheet.join(
            [
                _gauge(sheet, verdict.unexplained_probability).append_text(sheet.chip(f"{probability} {other}", BOLD)),
                sheet.chip(f"owns {percent(verdict.unexplained_share)}"),
                sheet.chip(f"{seconds} that nobody claims"),
            ]
        ),
        indent=3,
    )


def _evidence(sheet: Sheet, evidence: Sequence[Evidence], *, verbose: bool) -> None:
    shown = evidence[: LONG_EVIDENCE if verbose else SHORT_EVIDENCE]
    for at, piece in enumerate(shown):
        body = sheet.text(piece.text, limit=600 if verbose else 240).append(" ")
        body.append_text(sheet.aside(piece.source, piece.grade.value))
        sheet.labelled("Evidence" if at == 0 else "", body)
    left = len(evidence) - len(shown)
    if left:
        sheet.labelled("", sheet.text(f"and {left} more" + ("" if verbose else " with -v"), DIM))


def _fix(sheet: Sheet, fix: Fix, cause: str, *, verbose: bool) -> None:
    lead = sheet.chip(f"{fix.priority.value} {_WHEN[fix.priority]}", BOLD)
    sheet.labelled("Fix", lead.append(": ").append_text(sheet.text(fix.summary, limit=SENTENCE_LIMIT)))
    terms = fix_terms(sheet, fix)
    if terms.plain:
        sheet.labelled("", terms)
    if verbose:
        write_before_after(sheet, fix, indent=5)
    elif fix.before.strip() or fix.after.strip():
        sheet.labelled("Code", sheet.text(f"taskdoctor explain {cause}", CODE))


def fix_terms(sheet: Sheet, fix: Fix) -> Text:
    """What the fix costs and what it may break."""
    terms = (("effort", fix.effort), ("risk", fix.risk))
    return sheet.join([sheet.text(f"{name} {words}", DIM) for name, words in terms if words])


def write_before_after(sheet: Sheet, fix: Fix, *, indent: int) -> None:
    """The code as it is, and as it should be."""
    for name, source in (("before", fix.before), ("after", fix.after)):
        if source.strip():
            sheet.write(sheet.text(name, DIM), indent=indent)
            sheet.code(source, indent=indent)


def _labelled_words(sheet: Sheet, label: str, words: str) -> None:
    if words:
        sheet.labelled(label, sheet.text(words, limit=SENTENCE_LIMIT))


def _next_steps(sheet: Sheet, verdict: Verdict) -> None:
    if not verdict.next_steps:
        return
    sheet.heading("Next")
    for at, step in enumerate(verdict.next_steps, 1):
        sheet.write(sheet.text(step, limit=SENTENCE_LIMIT), indent=1, hang=3, lead=Text(f"{at}.", style=DIM))
