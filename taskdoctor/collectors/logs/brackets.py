"""What stands around the silences in which the loop was held: the step begun right before, or done right after.

Why that tells: whatever holds the loop was the last thing that ran, so its line is the last before the silence, or the
first behind it. Any line may stand there once; one that stands there again and again, far more often than its share of
all lines would put it there, belongs to what held the loop. What the step is called says which lane it belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from taskdoctor.chance import at_least
from taskdoctor.collectors.logs.event import is_foreign
from taskdoctor.collectors.logs.partial import Quiet
from taskdoctor.collectors.logs.subjects import LENGTHS
from taskdoctor.model import Lane, Silence

KIND = "generic-step-around-silence"
FEWEST = 3  # silences that a step stands around
LEAST_SHARE = 0.34  # of all silences
ENDS_IN_SILENCE = 0.15  # of the times that the step is told; else it is what the service does all the time
BY_CHANCE = 1e-3
# What a step is that waits for others, when it holds the loop meanwhile: a synchronous call.
_OWN_LANES = frozenset({Lane.TEARDOWN, Lane.LOGGING, Lane.GC, Lane.DISK, Lane.LOOP_HELD})


def bracketed(quiet: Iterable[Quiet]) -> Iterator[tuple[Quiet, Lane, str]]:
    """Silences with the step that belongs to them: its lane, and what is said of it."""
    held = [each for each in quiet if each.reading == Silence.HELD.value]
    before, after = _usual(held, _before), _usual(held, _after)
    for each in held:
        steps = [step for step, usual in ((each.before, before), (each.after, after)) if step in usual]
        if steps:
            yield each, _lane(" ".join(steps)), " to ".join(f"“{step.rpartition(': ')[2]}”" for step in steps)


def _before(quiet: Quiet) -> tuple[str, int]:
    return quiet.before, quiet.before_count


def _after(quiet: Quiet) -> tuple[str, int]:
    return quiet.after, quiet.after_count


def _usual(held: Sequence[Quiet], side: Callable[[Quiet], tuple[str, int]]) -> frozenset[str]:
    """The steps that stand on one side of the silences more often than by chance."""
    counts = Counter(step for step, _ in map(side, held) if step and not is_foreign(step, len(step)))
    usual = set()
    for step, hits in counts.items():
        count, lines = max((side(each)[1], each.lines) for each in held if side(each)[0] == step)
        enough = hits >= max(FEWEST, LEAST_SHARE * len(held), ENDS_IN_SILENCE * count)
        if enough and at_least(hits, len(held), count / max(1, lines)) < BY_CHANCE:
            usual.add(step)
    return frozenset(usual)


def _lane(text: str) -> Lane:
    """The lane of what the step is called; of what is not known, the loop was held."""
    subject = next((subject for subject in LENGTHS if subject.named_in(text.lower())), None)
    if subject is None:
        return Lane.LOOP_HELD
    return subject.lane if subject.lane in _OWN_LANES else Lane.BLOCKING
