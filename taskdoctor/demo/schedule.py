"""When a fault acts: at intermittent times, the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

SLOT_S = 7.0  # one episode per slot, unless a run says otherwise: eight in a minute
LEAD_S = 4.0  # sessions connect and the normal shows itself first
TAIL_S = 1.0


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch in which the fault acts; seconds since the run began."""

    start_s: float
    seconds: float
    slot_end_s: float  # nothing of this episode may begin after it
    slot_s: float = SLOT_S


def plan(
    seed: int, fault: str, seconds: float, lengths_s: tuple[float, float], every_s: float = SLOT_S
) -> tuple[Episode, ...]:
    """The episodes of one fault; a short run has at least one."""
    rng = random.Random(f"{seed}:{fault}")
    lead_s = min(LEAD_S, seconds * 0.2)
    usable_s = max(seconds - lead_s - min(TAIL_S, seconds * 0.1), 0.1)
    count = max(1, round(usable_s / every_s))
    slot_s = usable_s / count
    return tuple(_episode(rng, lead_s + index * slot_s, slot_s, lengths_s) for index in range(count))


def _episode(rng: random.Random, slot_start_s: float, slot_s: float, lengths_s: tuple[float, float]) -> Episode:
    seconds = min(rng.uniform(*lengths_s), slot_s * 0.6)
    start_s = slot_start_s + rng.uniform(0.0, 0.5) * (slot_s - seconds)
    return Episode(start_s, seconds, slot_start_s + slot_s, slot_s)
