"""Steps without a length of their own: from one line to the next about the same thing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdoctor.causes import all_causes
from taskdoctor.collectors.logs.collecting import collect
from taskdoctor.collectors.logs.steps import Step, Steps, name_of
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Lane, Status
from tests.test_indirect import first_cause, verdict_on, written

Said = tuple[float, str]


def calls(began: str, done: str, *, slow: frozenset[int], seed: int = 3) -> list[Said]:
    """A call every three seconds, each with an id, half a second long but for the slow ones; and other traffic."""
    rng = random.Random(seed)
    lines = []
    for number in range(120):
        at_s, key = 3.0 * number + rng.random(), f"{rng.randrange(16**8):08x}"
        length_s = rng.uniform(6.0, 11.0) if number in slow else rng.uniform(0.35, 0.65)
        lines += [(at_s, f"[{key}] {began} 2/3"), (at_s + length_s, f"[{key}] {done} 2/3 {rng.randrange(99)} frames")]
    return lines + [(1.7 * i, f"cache kept warm for shard {i % 7}") for i in range(210)]


SLOW = frozenset({20, 21, 22, 55, 56, 57, 90, 91, 92})


def steps(lines: Sequence[Said]) -> list[Step]:
    collected = Steps()
    for number, (at_s, message) in enumerate(sorted(lines), 1):
        collected.add(at_s, number, message, told_s=0.0, worker="", resolution_s=0.001)
    return list(collected.found())


def test_a_call_without_a_length_is_late_by_its_lines(tmp_path: Path) -> None:
    verdict = verdict_on(written(tmp_path / "a.log", calls("tts sent", "tts came back", slow=SLOW)))
    assert verdict.status is Status.STALLS_FOUND
    assert first_cause(verdict) == "upstream-latency"
    assert verdict.stall_count == len(SLOW)
    assert verdict.findings[0].probability <= 0.8  # guessed from a stranger's words


def holding(*, others: bool) -> list[Said]:
    """An export that stops everything, six times; while a lookup waits, others are served, if there are any."""
    rng = random.Random(8)
    holds = {40.0 * number + 17.0: rng.uniform(2.0, 4.0) for number in range(6)}
    lines = []
    for start_s, length_s in holds.items():
        key = f"{rng.randrange(16**8):08x}"
        lines += [(start_s, f"[{key}] export begun"), (start_s + length_s, f"[{key}] export written")]
    for number in range(60 if others else 30):
        at_s, key = 4.0 * number + rng.random(), f"{rng.randrange(16**8):08x}"
        lines += [(at_s, f"[{key}] profile wanted"), (at_s + rng.uniform(0.8, 1.2), f"[{key}] profile there")]
    lines += [(rng.uniform(0, 240), "cart changed") for _ in range(480 if others else 0)]
    return [(_after(at_s, holds), message) for at_s, message in lines]


def _after(at_s: float, holds: dict[float, float]) -> float:
    """When a line comes that was due in a hold."""
    return next((s + length_s for s, length_s in holds.items() if s < at_s < s + length_s), at_s)


def test_a_step_that_stops_everything_holds_the_loop(tmp_path: Path) -> None:
    found = steps(holding(others=True))
    assert {step.subject.lane for step in found if "export" in step.label} == {Lane.LOOP_HELD}
    verdict = verdict_on(written(tmp_path / "a.log", holding(others=True)))
    assert first_cause(verdict) in {"blocking-call", "cpu-bound"}


def test_one_thing_after_the_other_stops_nothing() -> None:
    """In a log of one worker nothing is written meanwhile either way: who waits there is not known to hold."""
    assert not [step for step in steps(holding(others=False)) if step.subject.lane is Lane.LOOP_HELD]


def test_steady_ones_are_no_news(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", calls("tts sent", "tts came back", slow=frozenset()))
    assert not [event for event in collect([str(path)]).events if event.kind.startswith("step-")]
    assert not verdict_on(path).findings


def test_a_person_who_thinks_is_not_late() -> None:
    rng = random.Random(9)
    lines: list[Said] = []
    for number in range(60):
        at_s = 40.0 * number
        for turn in range(4):
            lines += [(at_s, f"session {4000 + number}: answer {turn} sent"), (at_s + 0.2, "metrics pushed")]
            at_s += rng.expovariate(1 / 6.0)
            lines.append((at_s, f"session {4000 + number}: heard the user"))
            at_s += 0.3
    assert not [step for step in steps(lines) if "heard" in step.label.rpartition(" to ")[2]]


@pytest.mark.parametrize("together", [True, False])
def test_clients_are_late_in_stretches_or_by_themselves(together: bool) -> None:
    """A page in the background, now and then, is nobody's fault."""
    alone = frozenset(range(4, 120, 13))
    found = steps(calls("frame pushed", "browser beacon", slow=SLOW if together else alone))
    assert {step.subject.lane for step in found} == ({Lane.CLIENT} if together else set())


def test_a_line_that_tells_its_length_needs_no_step(tmp_path: Path) -> None:
    lines = []
    for at_s, message in calls("request taken", "request done", slow=SLOW):
        lines.append((at_s, message.replace(" frames", " rows in 0.5s")))
    kinds = {event.kind for event in collect([str(written(tmp_path / "a.log", lines))]).events}
    assert not any(kind.startswith("step-") for kind in kinds)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("[8f3a] tts > 1/3 15 chars", "tts > chars"),
        ('msg="downlink queued" dev=70B3D549 id=295164', "downlink queued"),
        ("受信 user=Ub627 「カレーの作り方」", "受信"),
        ("识别文本: 再说一遍", "识别文本"),
        ("order 4419 sell SOL-USD qty=0.182 sent", "order sell SOL-USD sent"),
    ],
)
def test_what_a_line_tells_of(message: str, name: str) -> None:
    assert name_of(message) == name


@given(st.lists(st.tuples(st.floats(0, 1e6), st.text(max_size=60)), max_size=60))
def test_any_lines_may_come(lines: list[Said]) -> None:
    for step in steps(lines):
        assert step.seconds >= 0


@given(st.randoms(use_true_random=False))
def test_a_step_is_found_whatever_the_ids(rng: random.Random) -> None:
    found = steps(calls("lookup of", "profile loaded", slow=SLOW, seed=rng.randrange(10**6)))
    late = [step for step in found if step.seconds > 5]
    assert len(late) == len(SLOW)


def test_the_verdict_says_which_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", calls("tts sent", "tts came back", slow=SLOW))
    verdict = judge([collect([str(path)])], all_causes())
    assert any("tts sent" in each.text for each in verdict.findings[0].evidence)
