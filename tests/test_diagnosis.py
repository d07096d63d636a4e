"""Judging: pure functions over synthetic timelines, with noise."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskdoctor.causes import all_causes
from taskdoctor.diagnosis import intervals
from taskdoctor.diagnosis.attribution import divide
from taskdoctor.diagnosis.exposure import co_occurrence
from taskdoctor.diagnosis.growth import growths
from taskdoctor.diagnosis.mixture import believe
from taskdoctor.diagnosis.stalls import late_operations, work
from taskdoctor.diagnosis.timeline import build
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import (
    Cause,
    Claim,
    Event,
    Evidence,
    Form,
    Interval,
    Lane,
    Place,
    Snapshot,
    Source,
    Stall,
    StallKind,
    Status,
)

START_S = 1_767_000_000.0
LOG = Place("server.log", 1)


def span(lane: Lane, start_s: float, seconds: float, *, kind: str = "", label: str = "", key: str = "") -> Event:
    return Event(
        START_S + start_s + seconds, kind or lane.value, lane, Form.SPAN, LOG, seconds=seconds, label=label, key=key
    )


def level(lane: Lane, at_s: float, value: float) -> Event:
    return Event(START_S + at_s, f"{lane.value}-count", lane, Form.LEVEL, LOG, value=value)


def snapshot(*events: Event, seconds: float = 600.0) -> Snapshot:
    source = Source("server.log", 1000, 100, first_s=START_S, last_s=START_S + seconds, resolution_s=0.001)
    return Snapshot("logs", (source,), tuple(sorted(events, key=lambda e: e.at_s)))


def conversations(rng: random.Random, count: int, *, every_s: float = 3.0) -> list[Event]:
    """Healthy work: log-normal around one second."""
    return [
        span(Lane.OPERATION, i * every_s, math.exp(rng.gauss(0.0, 0.2)), kind="conversation", label="conversation")
        for i in range(count)
    ]


def slowed(events: list[Event], which: list[int], extra_s: float) -> list[Event]:
    """Some of the operations take longer; they still start when they did."""
    return [
        replace(e, at_s=e.at_s + extra_s, seconds=(e.seconds or 0) + extra_s) if i in which else e
        for i, e in enumerate(events)
    ]


# --- the verdict never cries wolf -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_healthy_work_is_told_it_is_healthy(seed: int) -> None:
    rng = random.Random(seed)
    harmless = [span(Lane.GC, rng.random() * 600, 0.03, key="2") for _ in range(60)]
    verdict = judge([snapshot(*conversations(rng, 200), *harmless)], all_causes())
    assert verdict.status is Status.HEALTHY, verdict.summary


@pytest.mark.parametrize("seed", range(10))
def test_innocent_collections_inside_slow_conversations_are_not_blamed(seed: int) -> None:
    rng = random.Random(seed)
    late = list(range(10, 200, 19))
    work = slowed(conversations(rng, 200), late, 12.0)
    waits = [span(Lane.UPSTREAM, work[i].start_s - START_S + 0.4, 12.1, label="LLM") for i in late]
    waits += [
        span(Lane.UPSTREAM, e.start_s - START_S + 0.1, 0.4, label="LLM") for i, e in enumerate(work) if i not in late
    ]
    harmless = [span(Lane.GC, t + rng.random(), 0.03, key="2") for t in range(0, 600, 5)]
    verdict = judge([snapshot(*work, *waits, *harmless)], all_causes())
    assert verdict.status is Status.STALLS_FOUND
    assert verdict.findings[0].cause == "upstream-latency"
    assert all(finding.blame_share < 0.05 for finding in verdict.findings[1:])


def test_held_time_is_not_the_llms_fault() -> None:
    """While the loop is held, the reply may lie in the socket buffer: the wait is the collector's."""
    rng = random.Random(1)
    late = [20, 50, 80, 110, 140]
    work = slowed(conversations(rng, 160), late, 4.0)
    waits = [span(Lane.UPSTREAM, work[i].start_s - START_S + 0.2, 4.4, label="LLM") for i in late]
    waits += [
        span(Lane.UPSTREAM, e.start_s - START_S + 0.1, 0.4, label="LLM") for i, e in enumerate(work) if i not in late
    ]
    pauses = [span(Lane.GC, work[i].start_s - START_S + 0.5, 3.9, key="2") for i in late]
    verdict = judge([snapshot(*work, *waits, *pauses)], all_causes())
    assert verdict.findings[0].cause == "gc-pause"
    assert verdict.findings[0].probability > 0.8
    assert verdict.findings[0].counterfactual


def test_few_stalls_are_not_enough() -> None:
    rng = random.Random(1)
    work = slowed(conversations(rng, 60), [20, 40], 30.0)
    waits = [span(Lane.UPSTREAM, work[i].start_s - START_S + 0.2, 29.0, label="LLM") for i in (20, 40)]
    verdict = judge([snapshot(*work, *waits)], all_causes())
    assert verdict.status is Status.INSUFFICIENT
    assert all(finding.probability <= 0.5 for finding in verdict.findings)
    assert verdict.next_steps


def test_unexplained_time_is_said() -> None:
    rng = random.Random(1)
    verdict = judge([snapshot(*slowed(conversations(rng, 200), [20, 50, 80, 110, 150], 9.0))], all_causes())
    assert verdict.status is Status.INSUFFICIENT
    assert verdict.unexplained_share == pytest.approx(1.0)
    assert not verdict.findings


def test_nothing_to_judge_is_not_healthy() -> None:
    assert judge([snapshot()], all_causes()).status is Status.INSUFFICIENT
    assert judge([Snapshot("logs", ())], all_causes()).status is Status.INSUFFICIENT


@settings(max_examples=25, deadline=None)
@given(st.permutations(list(all_causes())), st.integers(0, 5))
def test_the_order_of_causes_does_not_matter(causes: list[Cause], seed: int) -> None:
    rng = random.Random(seed)
    late = [20, 50, 80, 110, 150]
    work = slowed(conversations(rng, 170), late, 5.0)
    waits = [span(Lane.POOL, work[i].start_s - START_S + 0.2, 4.9, label="db") for i in late]
    seen = snapshot(*work, *waits)
    one, other = judge([seen], all_causes()), judge([seen], sorted(causes, key=lambda c: (c.layer, c.id)))
    assert one == other


# --- parts ------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.3, 1.0, 15.0]), min_size=3, max_size=3), min_size=1, max_size=12),
    st.data(),
)
def test_probabilities_are_probabilities(rows: list[list[float]], data: st.DataObject) -> None:
    seconds = data.draw(st.lists(st.floats(0.1, 100), min_size=len(rows), max_size=len(rows)))
    belief = believe(rows, seconds, [0.4, 0.35, 0.25])
    assert sum(belief.probability) == pytest.approx(1.0)
    assert all(0 <= low <= high <= 1 for low, high in belief.share_interval)


def test_supporting_evidence_never_lowers_a_cause() -> None:
    weak = believe([[1.0, 0.3, 1.0]] * 6, [5.0] * 6, [0.4, 0.35, 0.25]).probability[0]
    strong = believe([[15.0, 0.3, 1.0]] * 6, [5.0] * 6, [0.4, 0.35, 0.25]).probability[0]
    assert strong > weak


def test_certainty_grows_with_the_number_of_stalls() -> None:
    chances = [believe([[15.0, 0.3, 1.0]] * n, [5.0] * n, [0.4, 0.35, 0.25]).probability[0] for n in (1, 3, 10)]
    assert chances == sorted(chances)
    assert chances[0] < 0.9 < chances[2]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20)), max_size=30), st.floats(0, 100), st.floats(0, 30))
def test_union_covers_as_much_as_its_parts(parts: list[tuple[float, float]], start_s: float, length_s: float) -> None:
    given_ = [Interval(a, a + b) for a, b in parts]
    joined = intervals.union(given_)
    whole = Interval(start_s, start_s + length_s)
    assert all(a.end_s < b.start_s for a, b in pairwise(joined))
    assert intervals.covered_s(whole, joined) <= whole.seconds + 1e-9
    points = [start_s + length_s * i / 50 for i in range(51)]
    by_points = sum(any(i.start_s <= p <= i.end_s for i in given_) for p in points) / 51 * length_s
    assert intervals.covered_s(whole, joined) == pytest.approx(by_points, abs=length_s * 0.05 * (len(parts) + 1) + 1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["gc-pause", "blocking-call", "cpu-bound", "upstream-latency", "lock-contention", "dns"]),
            st.floats(-5, 30),
            st.floats(0.1, 20),
            st.floats(0.1, 1.0),
        ),
        max_size=12,
    ),
    st.floats(1, 25),
)
def test_blame_is_exclusive(drawn: list[tuple[str, float, float, float]], excess_s: float) -> None:
    """No second has two owners, and no more is owned than was late."""
    stall = Stall(StallKind.OPERATION, Interval(0, 25), excess_s, "turn", LOG)
    claims = [Claim(c, Interval(a, a + b), Evidence("x", "y"), weight=w) for c, a, b, w in drawn]
    (share,) = divide([stall], claims, {cause.id: cause for cause in all_causes()})
    assert sum(share.seconds.values()) <= excess_s + 1e-6
    assert share.unexplained_s + sum(share.seconds.values()) == pytest.approx(excess_s)


# --- growth -----------------------------------------------------------------------------------------------------


def _tasks(rng: random.Random, *, per_minute: float, load: float = 0.0, minutes: int = 30) -> list[Event]:
    """Task counts every ten seconds: sessions come and go (autocorrelated), some leak."""
    busy, events = 20.0, []
    for i in range(minutes * 6):
        target = 20 * (1 + load * i / (minutes * 6))
        busy += (target - busy) * 0.3 + rng.gauss(0, 3)
        events.append(level(Lane.TASKS, i * 10.0, max(0.0, round(60 + busy + per_minute * i / 6))))
        events.append(level(Lane.SESSIONS, i * 10.0, max(0.0, round(busy))))
    return events


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_seen_and_steady_load_is_not(seed: int) -> None:
    for per_minute, expected in ((0.0, False), (3.0, True)):
        line = build([snapshot(*_tasks(random.Random(seed), per_minute=per_minute), seconds=1800)])
        assert line is not None
        assert bool(growths(line, Lane.TASKS)) is expected


@pytest.mark.parametrize("seed", range(10))
def test_a_load_ramp_is_no_leak(seed: int) -> None:
    line = build([snapshot(*_tasks(random.Random(seed), per_minute=0.0, load=4.0), seconds=1800)])
    assert line is not None
    assert not growths(line, Lane.TASKS)


# --- exposure ---------------------------------------------------------------------------------------------------


def test_innocent_moments_that_follow_load_are_not_accused() -> None:
    """Collections come with load, and so do slow conversations: a plain overlap test accuses them, this does not."""
    accused = 0
    for seed in range(40):
        rng = random.Random(seed)
        work = [
            span(Lane.OPERATION, t * 600 + rng.random() * 600 ** (0.4 + 0.6 * rng.random()), 1.0)
            for t in range(6)
            for _ in range(30)
        ]
        slow = [rng.random() < 0.1 for _ in work]
        moments = [event.start_s + rng.random() for event in work if rng.random() < 0.4]
        p = co_occurrence(work, slow, moments)
        accused += p is not None and p <= 0.05
    assert accused <= 6


def test_guilty_moments_are_accused() -> None:
    rng = random.Random(4)
    work = conversations(rng, 200)
    slow = [i % 20 == 0 for i in range(200)]
    moments = [event.start_s + 0.3 for event, late in zip(work, slow, strict=True) if late]
    p = co_occurrence(work, slow, moments)
    assert p is not None
    assert p < 0.05


# --- what is normal ---------------------------------------------------------------------------------------------


def test_work_that_takes_longer_each_time_is_late_against_its_beginning() -> None:
    """Nineteen walks from 0.6 s to 5 s have a median of their own; what they took at first is their normal."""
    walks = [span(Lane.OPERATION, 60.0 * i, 0.6 + 0.24 * i, kind="walk", label="walk") for i in range(19)]
    line = build([snapshot(*walks, seconds=1200)])
    assert line is not None
    (walked,) = work(line)
    assert walked.normal_s < 2.0
    assert len(late_operations(walked)) > 5


@pytest.mark.parametrize("seed", range(5))
def test_events_kept_for_their_length_do_not_shift_the_normal(seed: int) -> None:
    rng = random.Random(seed)
    steady = [span(Lane.OPERATION, 5.0 * i, rng.uniform(0.8, 1.2), kind="turn", label="turn") for i in range(60)]
    longest = [
        replace(span(Lane.OPERATION, 5.0 * i + 2, 4.0, kind="turn", label="turn"), is_outlier=True) for i in range(60)
    ]
    line = build([snapshot(*steady, *longest, seconds=400)])
    assert line is not None
    (turns,) = work(line)
    assert turns.normal_s == pytest.approx(1.0, abs=0.2)
