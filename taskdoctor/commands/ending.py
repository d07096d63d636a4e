"""How every command ends: the verdict to stdout, the snapshot to a file if asked, the exit code to the shell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from taskdoctor.errors import Exit
from taskdoctor.model import Snapshot, Status, Verdict

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else there.")]
Save = Annotated[Path | None, typer.Option("--save", help="Save what was seen, for `taskdoctor verdict`.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Fixes with code, all evidence, all blind spots.")]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Leave with 0 whatever was found.")]
Slow = Annotated[
    str | None, typer.Option("--slow", metavar="DURATION", help="What counts as slow, where too few compare (10s).")
]

_CODES = {Status.HEALTHY: Exit.HEALTHY, Status.STALLS_FOUND: Exit.STALLS, Status.INSUFFICIENT: Exit.INSUFFICIENT}


def give(verdict: Verdict, *, command: str, as_json: bool, verbose: bool, everything: bool = False) -> None:
    """Write the verdict to stdout; a process table has a page of its own, which comes first when it was asked for."""
    if as_json:
        from taskdoctor.renderers.document import dumps

        typer.echo(dumps(verdict, command=command, everything=everything))
        return
    from taskdoctor.diagnosis.leftovers import judged
    from taskdoctor.renderers.terminal import print_processes, print_verdict

    alone = not verdict.report.sources
    if verdict.report.processes is not None and (alone or command == "procs"):
        print_processes(judged(verdict), sys.stdout, verbose=verbose, everything=everything)
        if alone:
            return
        sys.stdout.write("\n")
        verdict = replace(verdict, report=replace(verdict.report, processes=None))
    print_verdict(verdict, sys.stdout, verbose=verbose)


def save(snapshots: Sequence[Snapshot], path: Path | None) -> None:
    """Save what was seen, if asked."""
    if path is not None:
        from taskdoctor.collectors.saved import write

        write(snapshots, path)


def leave(verdict: Verdict, *, exit_zero: bool) -> None:
    """End with the verdict's exit code."""
    sys.stdout.flush()
    raise typer.Exit(Exit.HEALTHY if exit_zero else _CODES[verdict.status])


def slow_seconds(text: str | None) -> float | None:
    """`10s`, `1m30s`, `500ms` in seconds."""
    if text is None:
        return None
    from taskdoctor.collectors.logs.event import parse_duration
    from taskdoctor.errors import UsageError

    seconds = parse_duration(text)
    if seconds is None or seconds <= 0:
        raise UsageError(f"--slow {text}: not a duration", hint="Write it like 10s, 500ms or 1m30s.")
    return seconds
