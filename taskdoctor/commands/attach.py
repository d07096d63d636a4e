"""`taskdoctor attach HOST:PORT`: a running service, through its aiomonitor port."""

from __future__ import annotations

from typing import Annotated

import typer

from taskdoctor.commands import ending

Target = Annotated[str, typer.Argument(metavar="HOST:PORT", help="The terminal port of aiomonitor: localhost:20101.")]
Duration = Annotated[str, typer.Option("--duration", "-d", metavar="DURATION", help="How long to watch: 15s, 10m.")]
UntilStalls = Annotated[
    int | None, typer.Option("--until-stalls", metavar="N", min=1, help="End as soon as N stalls were seen.")
]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Install nothing in the service: the port and /proc only.")]
Deep = Annotated[
    bool, typer.Option("--deep", help="Also a faulthandler watchdog: names the frame even when the GIL is held.")
]
Log = Annotated[
    list[str] | None, typer.Option("--log", metavar="FILE", help="The service's log, for one verdict. Repeatable.")
]
By = Annotated[str, typer.Option("--by", metavar="coroutine|site|waiting", help="What tasks are grouped by.")]
All = Annotated[bool, typer.Option("--all", help="Show the tasks of the monitor itself too.")]
Filter = Annotated[str, typer.Option("--filter", metavar="TEXT", help="Only tasks with this in their row.")]


def command(
    target: Target,
    duration: Duration = "15s",
    until_stalls: UntilStalls = None,
    read_only: ReadOnly = False,
    deep: Deep = False,
    log: Log = None,
    by: By = "coroutine",
    all: All = False,  # noqa: A002
    filter: Filter = "",  # noqa: A002
    slow: ending.Slow = None,
    json: ending.Json = False,
    save: ending.Save = None,
    verbose: ending.Verbose = False,
    exit_zero: ending.ExitZero = False,
) -> None:
    """Watch a running service through its aiomonitor port and print a ranked verdict on what stalls it."""
    from taskdoctor.causes import all_causes
    from taskdoctor.collectors.service.address import parse_address
    from taskdoctor.collectors.service.assembling import Table
    from taskdoctor.commands.watching import Plan, check, seconds_of, table_by, watch
    from taskdoctor.diagnosis.verdict import judge

    slow_s = ending.slow_seconds(slow)
    plan = Plan(
        address=parse_address(target),
        duration_s=seconds_of(duration),
        until_stalls=until_stalls,
        read_only=read_only,
        deep=deep,
        logs=tuple(log or ()),
        table=Table(table_by(by), all, filter),
    )
    check(plan)
    snapshots = watch(plan)
    verdict = judge(snapshots, all_causes(), slow_s=slow_s)
    ending.save(snapshots, save)
    ending.give(verdict, command="attach", as_json=json, verbose=verbose)
    ending.leave(verdict, exit_zero=exit_zero)
