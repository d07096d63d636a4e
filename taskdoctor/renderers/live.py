"""What a watch shows while it lasts: a panel that is drawn again on a terminal, a line now and then elsewhere.

Everything goes to stderr: stdout belongs to the verdict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from taskdoctor.renderers.words import counted, duration, number, plain_text

LINE_EVERY_S = 5.0
REDRAWS_A_SECOND = 4
BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "._-=+*%#"
SHOWN_STALLS = 6


@dataclass(frozen=True, slots=True)
class Progress:
    """A watch at one moment."""

    target: str
    elapsed_s: float
    of_s: float
    tasks: int | None
    lags_s: Sequence[float]  # the worst of each stretch, the latest last
    stalls: int
    stalled_s: float
    caught: Sequence[str]  # the stalls by what was on the loop, the latest last
    channels: Sequence[str] = ()
    silent: bool = False  # the service does not answer right now


@contextmanager
def live_view(stream: TextIO) -> Iterator[Callable[[Progress], None]]:
    """A function that shows progress as this stream can."""
    if not stream.isatty():
        yield _lines(stream)
        return
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    bars = BARS if (console.encoding or "").lower().startswith("utf") else PLAIN_BARS
    with Live(console=console, refresh_per_second=REDRAWS_A_SECOND, transient=True, redirect_stdout=False) as live:
        yield lambda progress: live.update(panel(progress, bars=bars))


def _lines(stream: TextIO) -> Callable[[Progress], None]:
    said_s = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= LINE_EVERY_S:
            said_s = time.monotonic()
            stream.write(line(progress) + "\n")
            stream.flush()

    return show


def line(progress: Progress) -> str:
    """One line for a pipe."""
    tasks = counted(progress.tasks, "task") if progress.tasks is not None else "tasks unknown"
    worst_s = max(progress.lags_s, default=0.0)
    parts = [
        f"{progress.elapsed_s:.0f} s",
        tasks,
        "no answer right now" if progress.silent else f"loop lag up to {duration(worst_s)}",
        counted(progress.stalls, "stall"),
    ]
    if progress.caught:
        parts.append(f"last: {plain_text(progress.caught[-1], 80)}")
    return ", ".join(parts)


def panel(progress: Progress, *, bars: str = BARS) -> Panel:
    """The same for a terminal."""
    head = Text(f"{progress.elapsed_s:.0f} of {progress.of_s:.0f} s", style="bold")
    head.append(f"  {number(progress.tasks)} tasks" if progress.tasks is not None else "  tasks unknown")
    head.append(f"  {counted(progress.stalls, 'stall')}", style="bold red" if progress.stalls else "")
    if progress.stalls:
        head.append(f", {duration(progress.stalled_s)} in all")
    lag = Text("loop lag  ", style="dim").append(_sparkline(progress.lags_s, bars), style="cyan")
    lag.append(f"  up to {duration(max(progress.lags_s, default=0.0))}", style="dim")
    rows = [head, lag]
    if progress.silent:
        rows.append(Text("the service does not answer right now", style="bold yellow"))
    rows += [Text(f"  {plain_text(caught, 100)}") for caught in progress.caught[-SHOWN_STALLS:]]
    rows.append(Text("Ctrl-C ends the watch and gives the verdict", style="dim"))
    title = Text(f"watching {plain_text(progress.target, 80)}")
    return Panel(Group(*rows), title=title, subtitle=Text(", ".join(progress.channels), style="dim"), width=100)


def _sparkline(lags_s: Sequence[float], bars: str) -> str:
    """Each stretch by its worst lag; a full bar is the worst of all, at least a tenth of a second."""
    top_s = max(0.1, max(lags_s, default=0.0))
    return "".join(bars[min(len(bars) - 1, int(len(bars) * lag_s / top_s))] for lag_s in lags_s)
