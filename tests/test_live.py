"""The live view: a line for a pipe, a panel for a terminal, and nothing that a terminal would obey."""

from __future__ import annotations

import io

from rich.console import Console

from taskdoctor.renderers.live import Progress, line, live_view, panel

PROGRESS = Progress(
    target="127.0.0.1:20101",
    elapsed_s=7.2,
    of_s=15.0,
    tasks=1234,
    lags_s=[0.0, 0.02, 0.4, 1.2],
    stalls=2,
    stalled_s=1.6,
    caught=["1.20 s  time.sleep(1)  app/chat.py:88  (waiting)", "0.4 s \x1b]0;title\x07[red]x[/red]"],
    channels=("port", "process counters"),
)


def _shown(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(panel(PROGRESS))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_line() -> None:
    assert line(PROGRESS).startswith("7 s, 1,234 tasks, loop lag up to 1.20 s, 2 stalls")
    assert "\x1b" not in line(PROGRESS)


def test_panel() -> None:
    page = _shown(100)
    assert "7 of 15 s" in page
    assert "app/chat.py:88" in page
    assert "[red]x[/red]" in page
    assert "\x1b" not in page
    assert "\x07" not in page


def test_narrow_panel_fits() -> None:
    assert max(map(len, _shown(40).splitlines())) <= 40


def test_pipe_gets_few_lines() -> None:
    stream = io.StringIO()
    with live_view(stream) as show:
        for _ in range(100):
            show(PROGRESS)
    assert stream.getvalue() == ""
