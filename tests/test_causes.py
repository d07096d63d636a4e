"""The cause files as values: complete, consistent, their code compiles. Whether an example wins is judged elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from taskdoctor.causes import all_causes, get
from taskdoctor.causes._example_logs import START, Said, incident, log, pile
from taskdoctor.model import Cause, Event, Form, Interval, Lane, Layer, Place, Stall, StallKind, Timeline

LAYERS = {  # permanent: they are in JSON and in people's CI
    Layer.NOT_RUNNING: {"host-suspend", "cpu-starvation", "memory-pressure"},
    Layer.GC: {"gc-pause"},
    Layer.LOOP_HELD: {"blocking-call", "cpu-bound", "slow-logging", "slow-teardown"},
    Layer.WAITING_INSIDE: {
        "executor-starvation",
        "lock-contention",
        "pool-exhaustion",
        "queue-backlog",
        "dns",
        "fd-exhaustion",
    },
    Layer.UPSTREAM: {"rate-limit", "upstream-latency"},
    Layer.OUTSIDE: {"frontend"},
    Layer.GROWING: {"task-leak", "state-growth", "orphan-processes", "disk-growth"},
}
CAUSES = all_causes()
STAMP = re.compile(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]\d{3,6}")
STALL = Interval(5.0, 15.0)
ELAPSED = re.compile(r"Conversation total elapsed: ([\d.]+)s")
each_cause = pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.id)


def test_the_21_causes_of_the_contract() -> None:
    assert {layer: {cause.id for cause in CAUSES if cause.layer is layer} for layer in Layer} == LAYERS
    assert len(CAUSES) == 21


def test_order_is_by_layer_then_id() -> None:
    assert [cause.id for cause in CAUSES] == [c.id for c in sorted(CAUSES, key=lambda c: (c.layer, c.id))]


def test_get_by_id() -> None:
    assert get("gc-pause").layer is Layer.GC
    with pytest.raises(KeyError):
        get("weather")


@each_cause
def test_every_text_is_filled(cause: Cause) -> None:
    fix = cause.fix
    texts = [cause.title, cause.why, cause.check, cause.blind_why, cause.blind_how, cause.more]
    texts += [fix.summary, fix.effort, fix.risk, fix.before, fix.after]
    assert all(text.strip() == text.rstrip("\n") and text.strip() for text in texts)
    assert 2 <= len(re.findall(r"[.?!](?= [A-Z`]|$)", cause.why)) <= 6
    assert "\n" not in cause.check
    assert cause.lanes


@each_cause
def test_code_compiles_and_is_short(cause: Cause) -> None:
    for name, code in (("before", cause.fix.before), ("after", cause.fix.after)):
        compile(code, f"{cause.id}.{name}", "exec")
        lines = [line for line in code.splitlines() if line.strip()]
        assert 3 <= len(lines) <= 12, name
        assert max(map(len, lines)) <= 100, name


@each_cause
def test_chains_lead_to_other_causes(cause: Cause) -> None:
    assert set(cause.leads_to) <= {other.id for other in CAUSES} - {cause.id}


def test_chains_have_a_head() -> None:
    """No circles: the head of a chain is always defined."""

    def follow(cause_id: str, seen: tuple[str, ...]) -> None:
        assert cause_id not in seen, (*seen, cause_id)
        for following in get(cause_id).leads_to:
            follow(following, (*seen, cause_id))

    for cause in CAUSES:
        follow(cause.id, ())


@pytest.mark.parametrize("column", ["prior_held", "prior_free"])
def test_priors_sum_to_about_one(column: str) -> None:
    priors = [float(getattr(cause, column)) for cause in CAUSES]
    assert sum(priors) == pytest.approx(1.0, abs=0.05)
    assert min(priors) > 0.0


@each_cause
def test_example_and_counter_example(cause: Cause) -> None:
    assert Counter(example.wins for example in cause.examples).keys() == {True, False}
    assert all(example.name for example in cause.examples)


@each_cause
def test_example_lines_are_stamped_and_in_order(cause: Cause) -> None:
    for example in cause.examples:
        lines = example.log.splitlines()
        assert 16 <= len(lines) <= 100
        stamps = [match[0] for match in map(STAMP.match, lines) if match]
        assert len(stamps) == len(lines)
        assert all(earlier <= later for earlier, later in pairwise(stamps))


@each_cause
def test_winning_example_has_stalls_against_a_normal(cause: Cause) -> None:
    for example in cause.examples:
        elapsed = sorted(float(seconds) for seconds in ELAPSED.findall(example.log))
        normal_s = elapsed[len(elapsed) // 2]
        late = [seconds for seconds in elapsed if seconds >= normal_s + 1.0]
        assert len(elapsed) - len(late) >= 8
        if example.wins:
            assert len(late) >= 4


@each_cause
def test_nothing_seen_claims_nothing(cause: Cause) -> None:
    assert cause.claims(_timeline()) == ()


def test_held_time_is_shared_by_what_the_cpu_did() -> None:
    """Blocking and computing read the same line; the CPU time inside decides who gets more of it."""
    weights = {
        cpu_s: tuple(
            sum(claim.weight for claim in get(cause).claims(_timeline(_held(cpu_s), stall=STALL)))
            for cause in ("blocking-call", "cpu-bound")
        )
        for cpu_s in (None, 0.1, 1.0, 1.9)
    }
    assert weights == {None: (0.7, 0.3), 0.1: (0.9, 0), 1.0: (0.7, 0.3), 1.9: (0, 0.9)}


def test_a_claim_is_stamped_at_its_end() -> None:
    [claim] = get("gc-pause").claims(
        _timeline(_event(Lane.GC, Form.SPAN, at_s=10.0, seconds=2.0, key="2"), stall=STALL)
    )
    assert claim.interval == Interval(8.0, 10.0)
    assert claim.evidence.text == "a gen-2 collection ran 2.00 s"
    assert claim.evidence.source == "server.log:1"


def test_a_moment_claims_only_inside_a_stall() -> None:
    inside = _event(Lane.DESCRIPTORS, Form.MARK, at_s=12.0)
    outside = _event(Lane.DESCRIPTORS, Form.MARK, at_s=40.0)
    claims = get("fd-exhaustion").claims(_timeline(inside, outside, stall=STALL))
    assert [claim.interval for claim in claims] == [Interval(5.0, 12.0)]


def test_a_full_executor_explains_failed_lookups() -> None:
    failed = _event(Lane.DNS, Form.MARK, at_s=12.0)
    full = _event(Lane.EXECUTOR, Form.MARK, at_s=11.0)
    assert get("dns").claims(_timeline(failed, stall=STALL))
    assert not get("dns").claims(_timeline(failed, full, stall=STALL))


def test_a_full_gauge_inside_a_stall_is_a_moment() -> None:
    cause = get("executor-starvation")
    full, empty = (_event(Lane.EXECUTOR, Form.LEVEL, at_s=12.0, value=value) for value in (140.0, 0.0))
    assert [claim.interval for claim in cause.claims(_timeline(full, stall=STALL))] == [Interval(5.0, 12.0)]
    assert cause.claims(_timeline(empty, stall=STALL)) == ()


def test_the_rise_of_a_counter_is_lost_time() -> None:
    readings = [
        _event(Lane.NOT_SCHEDULED, Form.LEVEL, at_s=at_s, value=value, kind="cgroup-throttled")
        for at_s, value in ((5.0, 9_000_000.0), (10.0, 12_000_000.0), (11.0, 12_000_000.0), (12.0, 500_000.0))
    ]
    claims = get("cpu-starvation").claims(_timeline(*readings, stall=STALL))
    assert [claim.interval for claim in claims] == [Interval(7.0, 10.0)]


def test_example_builders() -> None:
    assert log([Said(1.5, "b"), Said(0.0, "a")]).splitlines() == [
        f"{START:%Y-%m-%d %H:%M:%S}.000 | INFO     | app.chat:run:88 - a",
        f"{START:%Y-%m-%d %H:%M:%S}.000".replace(":00.000", ":01.500") + " | INFO     | app.chat:run:88 - b",
    ]
    assert ELAPSED.findall(incident((4.0,), lambda turn: ())) == [
        "0.910",
        "0.860",
        "0.940",
        "4.000",
        "0.860",
        "0.940",
        "0.890",
    ]
    assert pile(10, 1, 5)[14:18] == (24, 25, 30, 35)


def _event(
    lane: Lane,
    form: Form,
    *,
    at_s: float,
    seconds: float | None = None,
    value: float | None = None,
    key: str = "",
    kind: str = "made-up",
    cpu_s: float | None = None,
) -> Event:
    return Event(at_s, kind, lane, form, Place("server.log", 1), seconds=seconds, value=value, key=key, cpu_s=cpu_s)


def _held(cpu_s: float | None) -> Event:
    return replace(_event(Lane.LOOP_HELD, Form.SPAN, at_s=10.0, seconds=2.0, cpu_s=cpu_s), label="Chat.run")


def _timeline(*events: Event, stall: Interval | None = None) -> Timeline:
    def by_lane(form: Form) -> dict[Lane, tuple[Event, ...]]:
        return {lane: tuple(e for e in events if e.lane is lane and e.form is form) for lane in Lane}

    place = Place("server.log", 1)
    stalls = () if stall is None else (Stall(StallKind.OPERATION, stall, stall.seconds, "conversation", place),)
    return Timeline(
        window=Interval(0.0, 100.0),
        spans=by_lane(Form.SPAN),
        marks=by_lane(Form.MARK),
        levels=by_lane(Form.LEVEL),
        opens={},
        gaps=(),
        stalls=stalls,
    )
