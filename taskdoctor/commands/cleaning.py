"""`procs --clean`: show what would be ended, ask, end it, tell what became of each."""

from __future__ import annotations

import sys
from dataclasses import replace

import typer

from taskdoctor.model import ProcessClass, ProcessTree, Verdict


def clean_up(verdict: Verdict, *, ask: bool) -> tuple[Verdict, bool]:
    """The verdict with what became of its orphans, and whether that was interrupted; plan and question go to stderr."""
    seen = verdict.report.processes
    orphans = [tree for tree in seen.trees if tree.kind is ProcessClass.ORPHAN] if seen is not None else []
    if not orphans:
        typer.echo("nothing to end: no orphan is proven", err=True)
        return verdict, False
    from taskdoctor.renderers.terminal import print_plan

    print_plan(orphans, sys.stderr)
    agreed = _agreed(orphans) if ask else True
    if not agreed:
        typer.echo("nothing was ended; --yes ends without asking", err=True)
        return verdict, agreed is None
    from taskdoctor.collectors.processes.ending import InterruptedEnding, end

    interrupted = False
    try:
        ended = end(orphans)
    except InterruptedEnding as stop:
        ended, interrupted = stop.ended, True
    return replace(verdict, report=replace(verdict.report, ended=ended)), interrupted


def _agreed(orphans: list[ProcessTree]) -> bool | None:
    """Only a plain yes; nobody there to answer means no. None: Ctrl-C at the question."""
    count = sum(len(tree.processes) for tree in orphans)
    typer.echo(f"End {count} process{'es' if count != 1 else ''}? [y/N] ", nl=False, err=True)
    try:
        answer = sys.stdin.readline() if sys.stdin is not None else ""
    except KeyboardInterrupt:
        typer.echo(err=True)
        return None
    except (OSError, ValueError):  # closed, or another terminal's
        answer = ""
    if not answer.endswith("\n"):
        typer.echo(err=True)
    return answer.strip().lower() in ("y", "yes")
