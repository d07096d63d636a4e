"""The verdict: causes in order, risks, what is unexplained, what was blind, and what to do next.

"Not enough evidence" and "healthy" are answers, not failures: too few stalls, a close race or mostly unexplained time
are said, with what to collect next. Crying wolf is the commonest complaint about tools of this kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from taskdoctor.diagnosis import leftovers, sections, timeline
from taskdoctor.diagnosis.attribution import Share, divide
from taskdoctor.diagnosis.claiming import duration_text
from taskdoctor.diagnosis.growth import growths
from taskdoctor.diagnosis.intervals import covered_s, seconds, union
from taskdoctor.diagnosis.mixture import Belief, believe
from taskdoctor.diagnosis.robust import quantile
from taskdoctor.diagnosis.stalls import ENOUGH, Work, find, work
from taskdoctor.model import (
    Blind,
    Cause,
    Claim,
    Evidence,
    Finding,
    Form,
    Interval,
    Lane,
    Layer,
    Report,
    Risk,
    Severity,
    Snapshot,
    Stall,
    StallKind,
    Status,
    Timeline,
    Verdict,
    Visibility,
)

# Likelihood ratios by how much of a stall a cause covers; the answer is nearly insensitive to the exact numbers.
COVERAGE = ((0.6, 15.0), (0.2, 1.0), (0.0, 0.3))
INFERRED = 5.0  # instead of 15: concluded from a line without a length
ABSENT = {Visibility.SEEN: 0.3, Visibility.PARTLY: 0.7, Visibility.BLIND: 1.0}
UNCLAIMED = 3.0  # nobody shows a fifth of it: it is more likely something else
UNEXPLAINED_PRIOR = 0.25

FEW_STALLS = 4
SURE = 0.6  # below this, and
LEAD = 0.15  # within this of the second, two candidates are named
# What is claimed at most: of one incident, however many were late in it; of few stalls; of lines whose meaning was
# guessed (of strangers' logs, two in three were right at first sight); with nothing measured inside a stall; at all.
ONE_CAP, FEW_CAP, GUESSED_CAP, INDIRECT_CAP, CAP = 0.3, 0.5, 0.75, 0.85, 0.96
TRIVIAL_S = 0.5  # shorter stalls that make less than one percent of the time are jitter
TRIVIAL_SHARE = 0.01
SHORT_S = 1.0  # fewer than four that are shorter than this are nothing to call anybody for
TAIL_SHARE = 0.01  # a hundredth of all operations a bit late is the tail of a healthy service
TAIL_S, TAIL_RATIO = 3.0, 4.5  # or so many times the normal
HELD_SHARE = 0.05  # a loop that is held for a twentieth of the time is no jitter, however short each stretch
GROWING_LANES = (Lane.STATE, Lane.TASKS, Lane.DISK)
SHOWN_EVIDENCE = 5
FINGERPRINTS = 3  # claims as long as their stall that make three stalls enough


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that was found, before the words."""

    timeline: Timeline
    groups: tuple[Work, ...]
    claims: tuple[Claim, ...]
    shares: tuple[Share, ...]
    belief: Belief
    columns: tuple[str, ...]  # causes with a claim; the belief has one more column, unexplained
    causes: Mapping[str, Cause]
    visibility: Mapping[str, Visibility]

    @property
    def stalled_s(self) -> float:
        return sum(share.stall.excess_s for share in self.shares)

    def seconds(self, cause: str) -> float:
        return sum(share.seconds.get(cause, 0.0) for share in self.shares)


def judge(snapshots: Sequence[Snapshot], causes: Sequence[Cause], *, slow_s: float | None = None) -> Verdict:
    """Judge what any number of collectors saw of one incident, together."""
    line = timeline.build(snapshots)
    if line is None:
        return _nothing_to_judge(snapshots, causes)
    processes, unclosed = leftovers.joined(line)
    line = replace(line, stalls=find(line, slow_s=slow_s), processes=processes)
    trial = _trial(line, causes, snapshots, slow_s)
    findings = _findings(trial)
    status, reasons = _status(trial, findings, snapshots)
    if status is Status.HEALTHY:
        findings = ()
    risks = _risks(trial, {finding.cause for finding in findings})
    findings = _with_chains(findings, risks, trial)
    verdict = Verdict(
        status=status,
        summary=_summary(trial, status, findings, reasons),
        window=line.window,
        stall_count=len(line.stalls),
        stalled_s=trial.stalled_s,
        longest_s=max((stall.interval.seconds for stall in line.stalls), default=0.0),
        unexplained_share=_unexplained_share(trial),
        unexplained_probability=max(0.0, 1.0 - sum(finding.probability for finding in findings)),
        loop_held_share=_held_share(line.stalls),
        findings=findings,
        risks=risks,
        blind=_blind(trial, findings),
        next_steps=_next_steps(trial, status, findings, reasons),
        report=replace(_report(trial, snapshots, findings), unclosed=unclosed),
    )
    return leftovers.judged(verdict) if all(snapshot.processes is not None for snapshot in snapshots) else verdict


def _trial(line: Timeline, causes: Sequence[Cause], snapshots: Sequence[Snapshot], slow_s: float | None) -> Trial:
    by_id = {cause.id: cause for cause in causes}
    visibility = {cause.id: _visibility(cause, line, snapshots) for cause in causes}
    claims = tuple(claim for cause in causes for claim in cause.claims(line)) if line.stalls else ()
    shares = divide(line.stalls, claims, by_id)
    columns = tuple(cause.id for cause in causes if any(cause.id in share.seconds for share in shares))
    held = _held_share(line.stalls) or 0.0
    priors = [held * by_id[name].prior_held + (1 - held) * by_id[name].prior_free for name in columns]
    total = sum(priors) or 1.0
    even = 1.0 / max(1, len(columns))  # a rare cause that shows itself must not lose to its rarity
    known = [0.5 * weight / total + 0.5 * even for weight in priors]
    prior = [(1 - UNEXPLAINED_PRIOR) * weight for weight in known] + [UNEXPLAINED_PRIOR]
    ratios = [_ratios(share, columns, by_id, visibility) for share in shares]
    belief = believe(ratios, [share.stall.excess_s for share in shares], prior)
    return Trial(line, tuple(work(line, slow_s=slow_s)), claims, shares, belief, columns, by_id, visibility)


def _visibility(cause: Cause, line: Timeline, snapshots: Sequence[Snapshot]) -> Visibility:
    """How well the cause could have been observed: lengths and levels show it, mere failures only when they happen."""
    lanes = set(cause.lanes)
    forms = {tally.form for tally in line.tallies if tally.lane in lanes}
    if any(line.spans.get(lane) or line.levels.get(lane) for lane in lanes):
        return Visibility.SEEN
    if Lane.CHILDREN in lanes and line.processes is not None:
        return Visibility.SEEN
    if forms & {Form.MARK, Form.SPAN, Form.OPEN, Form.CLOSE, Form.LEVEL}:
        return Visibility.PARTLY
    beats = any(source.beats for snapshot in snapshots for source in snapshot.sources)
    return Visibility.PARTLY if beats and cause.layer is Layer.LOOP_HELD else Visibility.BLIND


def _ratios(
    share: Share, columns: Sequence[str], causes: Mapping[str, Cause], visibility: Mapping[str, Visibility]
) -> tuple[float, ...]:
    """One row for the mixture: how well each column explains this stall."""
    excess_s = share.stall.excess_s or 1.0
    row = []
    for name in columns:
        coverage = share.seconds.get(name, 0.0) / excess_s
        if coverage <= 0:
            impossible = share.stall.kind is StallKind.LOOP and causes[name].layer >= Layer.WAITING_INSIDE
            row.append(0.05 if impossible else ABSENT[visibility[name]])
            continue
        ratio = next(ratio for limit, ratio in COVERAGE if coverage > limit)
        row.append(min(ratio, INFERRED) if name not in share.direct else ratio)
    claimed = max((share.seconds.get(name, 0.0) / excess_s for name in columns), default=0.0)
    return (*row, 1.0 if claimed > 0.2 else UNCLAIMED)


def _findings(trial: Trial) -> tuple[Finding, ...]:
    """The causes that own stalled time, by probability; what belongs to nobody is left for the unexplained row."""
    found = []
    for column, name in enumerate(trial.columns):
        probability = _capped(trial.belief.probability[column], name, trial)
        low, high = trial.belief.share_interval[column]
        owned = [share for share in trial.shares if share.seconds.get(name, 0.0) > 0]
        blame = trial.seconds(name) / trial.stalled_s if trial.stalled_s else 0.0
        if blame < 0.005 and probability < 0.01:
            continue
        found.append(
            Finding(
                cause=name,
                title=trial.causes[name].title,
                probability=round(probability, 3),
                blame_share=blame,
                blame_interval=(min(low, blame), max(high, blame)),
                stalls=len(owned),
                seconds=trial.seconds(name),
                sentence=_sentence(name, owned, trial),
                evidence=_evidence(name, owned),
                check=trial.causes[name].check,
                fix=trial.causes[name].fix,
                counterfactual=_counterfactual(name, trial),
            )
        )
    return tuple(sorted(found, key=lambda f: (-f.probability, -f.blame_share, f.cause)))


def _capped(probability: float, name: str, trial: Trial) -> float:
    """Nothing is certain: less so of few stalls, or without anything measured inside one."""
    if len(trial.shares) <= 2:
        incidents = union(share.stall.interval for share in trial.shares)
        return min(probability, FEW_CAP if len(incidents) > 1 else ONE_CAP)
    mine = [claim for share in trial.shares for claim in share.claims if claim.cause == name]
    if sum(claim.guessed for claim in mine) > 0.5 * len(mine):
        return min(probability, GUESSED_CAP)
    direct = any(name in share.direct for share in trial.shares)
    return min(probability, CAP if direct else INDIRECT_CAP)


def _sentence(name: str, owned: Sequence[Share], trial: Trial) -> str:
    mine_s = trial.seconds(name)
    return (
        f"It shows in {len(owned)} of {len(trial.shares)} stalls and owns {duration_text(mine_s)} of their "
        f"{duration_text(trial.stalled_s)}."
    )


def _evidence(name: str, owned: Sequence[Share]) -> tuple[Evidence, ...]:
    """The claims behind the largest shares first, each sentence once."""
    found: dict[str, Evidence] = {}
    for share in sorted(owned, key=lambda s: (-s.seconds[name], s.stall.interval)):
        mine = [claim for claim in share.claims if claim.cause == name]
        for claim in sorted(mine, key=lambda c: (-c.interval.seconds, c.interval))[:1]:
            found.setdefault(claim.evidence.text, claim.evidence)
        if len(found) >= SHOWN_EVIDENCE:
            break
    return tuple(found.values())


def _counterfactual(name: str, trial: Trial) -> str | None:
    """What the busiest operation would have taken without this cause: the user's own test of the verdict."""
    group = next((g for g in sorted(trial.groups, key=lambda g: -len(g.events)) if len(g.events) >= ENOUGH), None)
    if group is None:
        return None
    own = {(s.stall.interval, str(s.stall.place)): s.seconds.get(name, 0.0) for s in trial.shares}
    loop = union(
        claim.interval
        for share in trial.shares
        if share.stall.kind is StallKind.LOOP
        for claim in share.claims
        if claim.cause == name
    )
    before, after = [], []
    for event in group.events:
        interval, length_s = Interval(event.start_s, event.end_s), event.seconds or 0.0
        lost_s = own.get((interval, str(event.place)), covered_s(interval, loop))
        before.append(length_s)
        after.append(max(length_s - lost_s, min(length_s, group.normal_s)))
    was_s, would_s = quantile(sorted(before), 0.95), quantile(sorted(after), 0.95)
    if was_s - would_s < 0.02 * was_s:
        return None
    return f"without it: p95 of {group.name} {duration_text(was_s)} -> {duration_text(would_s)}"


def _status(trial: Trial, findings: Sequence[Finding], snapshots: Sequence[Snapshot]) -> tuple[Status, tuple[str, ...]]:
    """Healthy, stalls with a cause, or not enough evidence and why."""
    stalls = trial.timeline.stalls
    if not stalls:
        if _could_tell(trial, snapshots):
            return Status.HEALTHY, ()
        return Status.INSUFFICIENT, ("nothing in it tells how long things took, and no line comes at a steady beat",)
    if _trivial(trial):
        return Status.HEALTHY, ()
    reasons = tuple(_doubts(trial, findings))
    return (Status.INSUFFICIENT, reasons) if reasons else (Status.STALLS_FOUND, ())


def _could_tell(trial: Trial, snapshots: Sequence[Snapshot]) -> bool:
    """Whether a stall would have been seen at all."""
    operations = any(len(group.events) >= ENOUGH for group in trial.groups)
    beats = any(source.beats for snapshot in snapshots for source in snapshot.sources)
    watched = any(trial.timeline.spans.get(lane) for lane in (Lane.LOOP_HELD, Lane.GC, Lane.UPSTREAM))
    return operations or beats or watched


def _trivial(trial: Trial) -> bool:
    """Jitter, or the tail that every healthy service has. What grows makes no jitter, when its own code is caught."""
    stalls = trial.timeline.stalls
    if _grown_caught(trial) or _came_with_growth(trial):
        return False
    window_s = max(trial.timeline.window.seconds, 1.0)
    busy_s = seconds(union(stall.interval for stall in stalls))
    longest_s = max(stall.excess_s for stall in stalls)
    if longest_s < TRIVIAL_S and busy_s < TRIVIAL_SHARE * window_s:
        return True
    held_s = sum(stall.excess_s for stall in stalls if stall.kind is StallKind.LOOP)
    if held_s >= HELD_SHARE * window_s:
        return False
    if longest_s < SHORT_S and len(stalls) < FEW_STALLS:
        return True
    late = [stall for stall in stalls if stall.kind is StallKind.OPERATION]
    loop = [stall for stall in stalls if stall.kind is StallKind.LOOP and stall.excess_s >= TRIVIAL_S]
    done = sum(len(group.events) for group in trial.groups)
    normal_s = {group.name: group.normal_s for group in trial.groups}
    tail = all(stall.excess_s < max(TAIL_S, TAIL_RATIO * normal_s.get(stall.name, 0.0)) for stall in late)
    return not loop and len(late) <= max(1, TAIL_SHARE * done) and tail


def _grown_caught(trial: Trial) -> bool:
    """Whether stalls are owned by something that grows, measured inside of them; short ones of the loop not once."""
    owned = [
        share.stall.kind
        for share in trial.shares
        if any(claim.direct and trial.causes[claim.cause].layer is Layer.GROWING for claim in share.claims)
    ]
    return len(owned) >= 2 or StallKind.OPERATION in owned


def _came_with_growth(trial: Trial) -> bool:
    """Whether the loop was held only in the second half of a watch in which something grew: more of that is to come."""
    window = trial.timeline.window
    loop = [stall for stall in trial.timeline.stalls if stall.kind is StallKind.LOOP]
    late = all(stall.interval.start_s >= (window.start_s + window.end_s) / 2 for stall in loop)
    return len(loop) >= 2 and late and any(growths(trial.timeline, lane) for lane in GROWING_LANES)


def _doubts(trial: Trial, findings: Sequence[Finding]) -> list[str]:
    """Why a verdict would claim more than is known."""
    doubts = []
    top = findings[0] if findings else None
    needed = FEW_STALLS - 1 if top is not None and _fingerprinted(top.cause, trial) else FEW_STALLS
    if len(trial.shares) < needed:
        doubts.append(f"only {len(trial.shares)} stall{'s' if len(trial.shares) != 1 else ''}")
    if top is None:
        return [*doubts, "no line shows what owned the stalled time"]
    if _unexplained_share(trial) > 0.5:
        doubts.append(f"{_unexplained_share(trial):.0%} of the stalled time is unexplained")
    second = findings[1].probability if len(findings) > 1 else 0.0
    if len(trial.shares) >= needed and (top.probability < SURE or top.probability - second < LEAD):
        other = f" against {findings[1].title}" if len(findings) > 1 and second > 0.1 else ""
        doubts.append(f"a close race: {top.title} at {top.probability:.0%}{other}")
    if _too_coarse(trial, top.cause):
        doubts.append("stamps are coarser than the stalls")
    return doubts


def _fingerprinted(name: str, trial: Trial) -> bool:
    """Claims as long as the stalls they sit in: near-deterministic, so that three stalls are enough."""
    same = sum(share.seconds.get(name, 0.0) / (share.stall.excess_s or 1.0) >= 0.9 for share in trial.shares)
    return same >= FINGERPRINTS and any(name in share.direct for share in trial.shares)


def _too_coarse(trial: Trial, name: str) -> bool:
    """Rounded stamps place claims badly, unless the lines carry their own lengths."""
    lengths = [share.stall.excess_s for share in trial.shares]
    slack = [share.stall.interval.seconds for share in trial.shares if name in share.direct]
    coarse = [gap.uncertainty_s for gap in trial.timeline.gaps]
    return not slack and bool(coarse) and max(coarse) > 0.5 * median(lengths)


def _held_share(stalls: Sequence[Stall]) -> float | None:
    total = sum(stall.excess_s for stall in stalls)
    if total <= 0:
        return None
    return sum(stall.excess_s for stall in stalls if stall.kind is StallKind.LOOP) / total


def _unexplained_share(trial: Trial) -> float:
    if trial.stalled_s <= 0:
        return 0.0
    return min(1.0, sum(share.unexplained_s for share in trial.shares) / trial.stalled_s)


def _risks(trial: Trial, blamed: set[str]) -> tuple[Risk, ...]:
    """Conditions that have stalled nothing yet; what already owns time is a cause, not a risk."""
    order = list(Severity)
    found = [
        risk
        for cause in trial.causes.values()
        if cause.risks is not None and cause.id not in blamed
        for risk in cause.risks(trial.timeline)
    ]
    return tuple(sorted(found, key=lambda risk: (order.index(risk.severity), risk.cause)))


def _with_chains(findings: Sequence[Finding], risks: Sequence[Risk], trial: Trial) -> tuple[Finding, ...]:
    """Each finding with what it leads to among the others: the head of a chain is what to repair first."""
    present = {finding.cause for finding in findings}
    fed: dict[str, set[str]] = {}
    for risk in risks:
        told = trial.causes[risk.cause].leads_to if risk.leads_to is None else risk.leads_to
        fed.setdefault(risk.cause, set()).update(told)
    linked = []
    for finding in findings:
        leads = tuple(effect for effect in trial.causes[finding.cause].leads_to if effect in present)
        heads = sorted(cause for cause, effects in fed.items() if finding.cause in effects)
        extra = tuple(
            Evidence(f"fed by {trial.causes[head].title.lower()}: repair that first", risk.evidence[0].source)
            for head in heads
            for risk in risks
            if risk.cause == head and risk.evidence
        )
        linked.append(replace(finding, leads_to=leads, evidence=(*finding.evidence, *extra[:2])))
    return tuple(linked)


def _blind(trial: Trial, findings: Sequence[Finding]) -> tuple[Blind, ...]:
    """What could not be seen, the likeliest first: a cause is more often missed than absent."""
    shown = {finding.cause for finding in findings}
    held = (_held_share(trial.timeline.stalls) or 0.0) >= 0.5
    hidden = sorted(
        (cause for cause in trial.causes.values() if trial.visibility[cause.id] is not Visibility.SEEN),
        key=lambda c: (trial.visibility[c.id] is not Visibility.BLIND, -(c.prior_held if held else c.prior_free), c.id),
    )
    return tuple(
        Blind(cause.id, cause.blind_why, cause.blind_how, trial.visibility[cause.id])
        for cause in hidden
        if cause.id not in shown
    )


def _summary(trial: Trial, status: Status, findings: Sequence[Finding], reasons: Sequence[str]) -> str:
    stalls = trial.timeline.stalls
    told = f"{len(stalls)} stall{'s' if len(stalls) != 1 else ''}, {duration_text(trial.stalled_s)} in all"
    match status:
        case Status.HEALTHY:
            done = sum(len(group.events) for group in trial.groups)
            looked = f"{done} operations within their own normal" if done else "the loop kept its beat"
            return looked + (f"; {told}, which is jitter." if stalls else ".")
        case Status.INSUFFICIENT:
            seen = f"{told}: " if stalls else ""
            return f"{seen}{'; '.join(reasons)}."
        case Status.STALLS_FOUND:
            top = findings[0]
            return f"{top.title}: {top.blame_share:.0%} of the stalled time ({told}) is its own."


def _next_steps(trial: Trial, status: Status, findings: Sequence[Finding], reasons: Sequence[str]) -> tuple[str, ...]:
    """What to do now: the check of the top cause, or what to collect so that the next look can tell."""
    if status is Status.STALLS_FOUND:
        return (findings[0].check,)
    if status is Status.HEALTHY:
        return ()
    steps = [finding.check for finding in findings[:2]]
    held = (_held_share(trial.timeline.stalls) or 0.0) >= 0.5
    hidden = [cause for cause in trial.causes.values() if trial.visibility[cause.id] is not Visibility.SEEN]
    likeliest = sorted(hidden, key=lambda c: (-(c.prior_held if held else c.prior_free), c.id))
    steps += [cause.blind_how for cause in likeliest[:3]]
    return tuple(dict.fromkeys(steps))


def _report(trial: Trial, snapshots: Sequence[Snapshot], findings: Sequence[Finding]) -> Report:
    line = trial.timeline
    shown = [finding.cause for finding in findings]
    services = tuple(snapshot.service for snapshot in snapshots if snapshot.service is not None)
    return Report(
        timeline=sections.rows(line.stalls, (c for s in trial.shares for c in s.claims), shown),
        operations=sections.operations(trial.groups, trial.shares, line),
        gc=sections.collections(line, sections.unaligned(snapshots, Lane.GC), trial.stalled_s, services),
        tasks=sections.tasks(line, services),
        connections=sections.connections(line),
        teardown=sections.teardown(line),
        errors=sections.errors(line),
        processes=line.processes,
        sources=tuple(source for snapshot in snapshots for source in snapshot.sources),
        warnings=tuple(warning for snapshot in snapshots for warning in snapshot.warnings),
        services=services,
    )


def _nothing_to_judge(snapshots: Sequence[Snapshot], causes: Sequence[Cause]) -> Verdict:
    """No stamp anywhere: lengths can be listed, but nothing can be laid over anything."""
    seen = Counter(tally.lane for snapshot in snapshots for tally in snapshot.tallies)
    blind = tuple(
        Blind(cause.id, cause.blind_why, cause.blind_how)
        for cause in causes
        if not any(seen[lane] for lane in cause.lanes)
    )
    empty = Timeline(Interval(0.0, 0.0), {}, {}, {}, {}, ())
    report = Report(
        gc=sections.collections(empty, sections.unaligned(snapshots, Lane.GC), 0.0),
        sources=tuple(source for snapshot in snapshots for source in snapshot.sources),
        warnings=tuple(warning for snapshot in snapshots for warning in snapshot.warnings),
    )
    return Verdict(
        status=Status.INSUFFICIENT,
        summary="no line has a time stamp that could be read.",
        window=None,
        stall_count=0,
        stalled_s=0.0,
        longest_s=0.0,
        unexplained_share=0.0,
        unexplained_probability=1.0,
        loop_held_share=None,
        blind=blind,
        next_steps=(
            "Put a stamp with milliseconds on every line, e.g. logging format '%(asctime)s %(levelname)s %(message)s'.",
        ),
        report=report,
    )
