"""`taskdoctor verdict FILE...`: judge saved snapshots together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskdoctor.commands import ending

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Snapshots written by --save.")]


def command(
    files: Files,
    slow: ending.Slow = None,
    json: ending.Json = False,
    save: ending.Save = None,
    verbose: ending.Verbose = False,
    exit_zero: ending.ExitZero = False,
) -> None:
    """Judge saved snapshots of one incident together and print one verdict."""
    from taskdoctor.causes import all_causes
    from taskdoctor.collectors.saved import read
    from taskdoctor.diagnosis.verdict import judge

    slow_s = ending.slow_seconds(slow)
    snapshots = [snapshot for path in files for snapshot in read(path)]
    verdict = judge(snapshots, all_causes(), slow_s=slow_s)
    ending.save(snapshots, save)
    ending.give(verdict, command="verdict", as_json=json, verbose=verbose)
    ending.leave(verdict, exit_zero=exit_zero)
