"""Silences: held loops are told from idle ones by beats that come late together."""

from __future__ import annotations

import random

import pytest

from taskdoctor.collectors.logs.silence import Stamped, beats, pauses
from taskdoctor.model import Silence


def _service(
    *,
    seconds: float,
    holds: list[tuple[float, float]],
    chatter_per_s: float = 2.0,
    seed: int = 1,
    jitter_s: float = 0.01,
) -> list[Stamped]:
    """Two beats (2 s and 5 s) and random chatter of one process whose loop is held now and then."""
    rng = random.Random(seed)
    due: list[tuple[float, str]] = []
    for period_s, name in ((2.0, "stats"), (5.0, "health")):
        at_s = 0.0
        while at_s < seconds:
            came_s = _released(at_s, holds) + abs(rng.gauss(0, jitter_s))
            due.append((came_s, name))
            at_s = came_s + period_s
    at_s = 0.0
    while chatter_per_s and at_s < seconds:
        at_s += rng.expovariate(chatter_per_s)
        due.append((_released(at_s, holds) + rng.random() * 0.05, f"chatter {rng.randrange(5)}"))
    return [Stamped(at_s, name, number) for number, (at_s, name) in enumerate(sorted(due), 1)]


def _released(at_s: float, holds: list[tuple[float, float]]) -> float:
    return next((end for start, end in holds if start <= at_s < end), at_s)


def test_beats_are_found_and_chatter_is_not() -> None:
    found = {beat.template: beat.period_s for beat in beats(_service(seconds=120, holds=[]), 0.001)}
    assert set(found) == {"stats", "health"}
    assert found["stats"] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_a_held_loop_is_read_as_held(seed: int) -> None:
    holds = [(20.5, 23.5), (60.5, 64.0), (90.2, 93.4)]
    held = [p for p in pauses(_service(seconds=120, holds=holds, seed=seed), 0.001) if p.reading is Silence.HELD]
    for start_s, end_s in holds:
        mine = [pause for pause in held if abs(pause.end_s - end_s) < 0.2]
        assert mine, (start_s, end_s)
        assert start_s - 0.6 <= mine[0].start_s < end_s


@pytest.mark.parametrize("seed", range(10))
def test_a_free_loop_is_never_held(seed: int) -> None:
    quiet = _service(seconds=600, holds=[], seed=seed, chatter_per_s=0.5 + seed, jitter_s=0.02)
    assert not [pause for pause in pauses(quiet, 0.001) if pause.reading is Silence.HELD]


def test_idle_hours_between_visitors_are_not_held() -> None:
    """No beat; now and then a visitor with a burst of lines."""
    rng = random.Random(2)
    lines: list[Stamped] = []
    at_s = 0.0
    for _ in range(60):
        at_s += rng.expovariate(1 / 200)
        lines += [Stamped(at_s + i * 0.02, f"request {i}", len(lines) + i) for i in range(8)]
    assert not [pause for pause in pauses(lines, 0.001) if pause.reading is Silence.HELD]


def test_second_stamps_need_longer_silences() -> None:
    lines = [Stamped(float(int(line.at_s)), line.template, line.line) for line in _service(seconds=300, holds=[])]
    assert not [pause for pause in pauses(lines, 1.0) if pause.reading is Silence.HELD]
