"""Short logs for examples: turns of a chat service, most of them quick, some slow, with evidence inside the slow ones.

Why built and not pasted: an example must keep its times consistent (a line that carries a length is stamped at its end,
and the length has to lie inside the turn), which nobody can check by eye in forty pasted lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

START = datetime(2026, 3, 4, 10, 0, 0)
QUICK_S = (0.91, 0.86, 0.94, 0.89, 0.97, 0.92, 0.88, 0.95)
QUICK_BETWEEN = 3  # quick turns before each slow one
PAUSE_S = 8.0  # from the end of a turn to the start of the next one
ROOT = "app.chat:run:88"


class Said(NamedTuple):
    """One line: when, seconds after the start; what; who says it."""

    at_s: float
    message: str
    level: str = "INFO"
    logger: str = ROOT


class Turn(NamedTuple):
    """One operation of the example: it took from start to end."""

    number: int  # counts the slow ones
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


Prefix = Callable[[datetime, Said], str]


def loguru(at: datetime, said: Said) -> str:
    return f"{_millis(at)} | {said.level: <8} | {said.logger} - {said.message}"


def stdlib(at: datetime, said: Said) -> str:
    name = said.logger.split(":", 1)[0]
    return f"{_millis(at).replace('.', ',')} - {name} - {said.level} - {said.message}"


def journal(at: datetime, said: Said) -> str:
    """`journalctl -o short-iso-precise`: the kernel and the service in one file."""
    return f"{at.isoformat(timespec='microseconds')}+00:00 web1 {said.logger}: {said.message}"


def log(said: Iterable[Said], prefix: Prefix = loguru) -> str:
    """The lines in the order of their times."""
    ordered = sorted(said, key=lambda line: line.at_s)
    return "".join(f"{prefix(START + timedelta(milliseconds=round(line.at_s * 1000)), line)}\n" for line in ordered)


def incident(
    slow_s: Sequence[float],
    evidence: Callable[[Turn], Iterable[Said]],
    *,
    ordinary: Callable[[Turn], Iterable[Said]] = lambda turn: (),
    prefix: Prefix = loguru,
    logger: str = ROOT,
) -> str:
    """Quick turns with a slow one after every third; `evidence` writes the lines of a slow turn, `ordinary` of each."""
    lines: list[Said] = []
    for turn, slow in _turns(slow_s):
        lines.extend(ordinary(turn))
        lines.extend(evidence(turn) if slow else ())
        lines.append(Said(turn.end_s, f"Conversation total elapsed: {turn.seconds:.3f}s", logger=logger))
    return log(lines, prefix)


def growing(
    levels: Sequence[float],
    say: Callable[[Turn, float], Iterable[Said]],
    *,
    per_level: float,
    every_s: float = 90.0,
    prefix: Prefix = loguru,
) -> str:
    """Turns whose length grows with a quantity: each unit of it makes a turn `per_level` (a share) longer."""
    lines: list[Said] = []
    for index, level in enumerate(levels):
        start_s = index * every_s
        turn = Turn(index, start_s, start_s + QUICK_S[index % len(QUICK_S)] * (1.0 + per_level) ** level)
        lines.extend(say(turn, level))
        lines.append(Said(turn.end_s, f"Conversation total elapsed: {turn.seconds:.3f}s"))
    return log(lines, prefix)


def steady(count: int, say: Callable[[Turn], Iterable[Said]], *, times: float = 1.0, every_s: float = 20.0) -> str:
    """Turns of one length, `times` the quick one: a service in which nothing is late."""
    return growing((1.0,) * count, lambda turn, level: say(turn), per_level=times - 1.0, every_s=every_s)


def _turns(slow_s: Sequence[float]) -> list[tuple[Turn, bool]]:
    """The clock of `incident`: quick, quick, quick, slow, and so on, ended by quick ones."""
    turns: list[tuple[Turn, bool]] = []
    at_s = 1.0
    for index, slow in enumerate((*slow_s, None)):
        quick = [(QUICK_S[(index + step) % len(QUICK_S)], False) for step in range(QUICK_BETWEEN)]
        for seconds, is_slow in (*quick, *([] if slow is None else [(slow, True)])):
            turns.append((Turn(index, at_s, round(at_s + seconds, 3)), is_slow))
            at_s = round(at_s + seconds + PAUSE_S, 3)
    return turns


def _millis(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="milliseconds")


def slow_tool(turn: Turn) -> tuple[Said, ...]:
    """An MCP tool that takes nearly the whole turn: the true owner in many counter-examples."""
    return (
        Said(
            turn.start_s + 0.2, "MCPC: Calling tool 'search' on server 'web'...", logger="app.mcp.client:call_tool:110"
        ),
        Said(turn.end_s - 0.2, "Tool 'search' executed successfully.", logger="app.mcp.executor:run_single_tool:354"),
    )


def pile(first: float, creep: float, leap: float) -> tuple[float, ...]:
    """A quantity that creeps for sixteen turns and then leaps for eight: nothing is late at first, then ever more."""
    crept = tuple(first + creep * step for step in range(16))
    return crept + tuple(crept[-1] + leap * step for step in range(1, 9))
