"""`procs --clean`: show what would be ended, ask, end it, tell what became of each."""

from __future__ import annotations

import sys
from dataclasses import replace

import typer

from taskdoctor.model import ProcessClass, ProcessTree, Verdict


def clean_up(verdict: Verdict, *, ask: bool) -> Verdict:
    """The verdict with what became of its orphans; the plan and the question go to stderr."""
    seen = verdict.report.processes
    orphans = [tree for tree in seen.trees if tree.kind is ProcessClass.ORPHAN] if seen is not None else []
    if not orphans:
        typer.echo("nothing to end: no orphan is proven", err=True)
        return verdict
    from taskdoctor.renderers.terminal import print_plan

    print_plan(orphans, sys.stderr)
    if ask and not _agreed(orphans):
        typer.echo("nothing was ended; --yes ends without asking", err=True)
        return verdict
    from taskdoctor.collectors.processes.ending import end

    return replace(verdict, report=replace(verdict.report, ended=end(orphans)))


def _agreed(orphans: list[ProcessTree]) -> bool:
    """Only a plain yes; nobody there to answer means no."""
    count = sum(len(tree.processes) for tree in orphans)
    typer.echo(f"End {count} process{'es' if count != 1 else ''}? [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer.endswith("\n"):
        typer.echo(err=True)
    return answer.strip().lower() in ("y", "yes")
