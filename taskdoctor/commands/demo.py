"""`taskdoctor demo`: a small service with a fault inside, watched as a stranger's would be, and the truth beside."""

from __future__ import annotations

from typing import Annotated

import typer

from taskdoctor.commands import ending

Fault = Annotated[
    str, typer.Option("--fault", metavar="NAME", help="What is wrong with the service; --list names all.")
]
List = Annotated[bool, typer.Option("--list", help="Name every fault, with the cause that it should produce.")]
Duration = Annotated[str, typer.Option("--duration", "-d", metavar="DURATION", help="How long to watch: 15s, 1m.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same times.")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Install nothing in the service.")]


def command(
    fault: Fault = "gc-pause",
    list: List = False,  # noqa: A002
    duration: Duration = "15s",
    seed: Seed = 1,
    read_only: ReadOnly = False,
    json: ending.Json = False,
    save: ending.Save = None,
    verbose: ending.Verbose = False,
    exit_zero: ending.ExitZero = False,
) -> None:
    """Start a small service with a fault, attach to it, print the verdict and the truth, and stop it again."""
    from taskdoctor.commands import playing

    if list:
        typer.echo(playing.faults(), nl=False)
        return
    from taskdoctor.causes import all_causes
    from taskdoctor.collectors.service.address import parse_address
    from taskdoctor.commands.watching import Plan, seconds_of, watch
    from taskdoctor.diagnosis.verdict import judge
    from taskdoctor.renderers.truth import told

    watched_s = seconds_of(duration)
    with playing.service(fault, seed=seed, watched_s=watched_s) as service:
        plan = Plan(parse_address(f"127.0.0.1:{service.port}"), duration_s=watched_s, read_only=read_only)
        snapshots = watch(plan)
    verdict = judge(snapshots, all_causes())
    ending.save(snapshots, save)
    ending.give(verdict, command="demo", as_json=json, verbose=verbose)
    typer.echo(told(service.truth, verdict), err=json)
    ending.leave(verdict, exit_zero=exit_zero)
