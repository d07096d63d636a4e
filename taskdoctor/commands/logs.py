"""`taskdoctor logs FILE...`: what a service's logs say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskdoctor.commands import ending

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE...", help="Files, folders, globs, rotated sets, .gz .bz2 .xz .zst, - for stdin."),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="2026-03-04 10:11, 10:11, or 30m before the log's end.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Likewise.")]
Patterns = Annotated[
    list[str] | None,
    typer.Option(
        "--pattern", metavar="NAME=REGEX", help=r"Your own lines: turn='took (?P<seconds>[\d.]+)s'. Repeatable."
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on reading what is appended; Ctrl-C gives the verdict.")
]


def command(
    files: Files,
    since: Since = None,
    until: Until = None,
    pattern: Patterns = None,
    follow: Follow = False,
    slow: ending.Slow = None,
    json: ending.Json = False,
    save: ending.Save = None,
    verbose: ending.Verbose = False,
    exit_zero: ending.ExitZero = False,
) -> None:
    """Read logs of one incident and print a ranked verdict on what stalls the service."""
    import gc

    from taskdoctor.causes import all_causes
    from taskdoctor.collectors.logs.collecting import Options, collect
    from taskdoctor.collectors.logs.moments import window
    from taskdoctor.collectors.logs.patterns import find_config, user_events
    from taskdoctor.diagnosis.verdict import judge

    gc.set_threshold(200_000, 50, 50)  # many small values, no cycles: collecting them is an eighth of the time
    slow_s = ending.slow_seconds(slow)
    options = Options(
        window=window(since, until, files), patterns=user_events(pattern or (), config=find_config(Path.cwd()))
    )
    if follow:
        from taskdoctor.commands.following import watch

        snapshot = watch(files, options)
    else:
        from taskdoctor.commands.progress import reading_progress

        with reading_progress() as progress:
            snapshot = collect(files, options, progress=progress)
    verdict = judge([snapshot], all_causes(), slow_s=slow_s)
    ending.save([snapshot], save)
    ending.give(verdict, command="logs", as_json=json, verbose=verbose)
    ending.leave(verdict, exit_zero=exit_zero)
