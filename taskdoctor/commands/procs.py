"""`taskdoctor procs`: MCP subprocesses that were left behind; proven, ranked by what they take, ended if asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from taskdoctor.commands import ending
from taskdoctor.model import ProcessClass, Snapshot, Verdict

Quick = Annotated[bool, typer.Option("--quick", help="One look, no proof: nothing is an orphan, only a suspect.")]
All = Annotated[bool, typer.Option("--all", help="Servers with a living client, too.")]
Clean = Annotated[bool, typer.Option("--clean", help="End the proven orphans, after showing what and asking.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Of = Annotated[str | None, typer.Option("--of", metavar="PID|PORT", help="The service under diagnosis: its servers.")]
Log = Annotated[
    list[str] | None,
    typer.Option(
        "--log", metavar="FILE", help="A log, or a saved snapshot of one: which sessions left what. Repeatable."
    ),
]
Config = Annotated[
    list[Path] | None,
    typer.Option("--config", metavar="FILE", help="An MCP client's configuration besides the usual ones. Repeatable."),
]


def command(
    quick: Quick = False,
    everything: All = False,
    clean: Clean = False,
    yes: Yes = False,
    of: Of = None,
    log: Log = None,
    config: Config = None,
    json: ending.Json = False,
    save: ending.Save = None,
    verbose: ending.Verbose = False,
    exit_zero: ending.ExitZero = False,
) -> None:
    """Find Python and Node MCP subprocesses that were left behind, prove it, and rank them by what they take."""
    import sys

    from taskdoctor.collectors.processes.collecting import Options, collect
    from taskdoctor.collectors.processes.service import find_service
    from taskdoctor.errors import UsageError

    if clean and sys.platform != "linux":
        raise UsageError("--clean works on Linux only", hint="Elsewhere the proof by the kernel is missing.")
    if clean and quick:
        raise UsageError("--clean needs the proof that --quick leaves out", hint="Leave out --quick.")
    if yes and not clean:
        raise UsageError("--yes goes with --clean")
    logs = [snapshot for path in log or () for snapshot in _read(path)]
    options = Options(quick=quick, configs=tuple(config or ()), service=find_service(of) if of is not None else None)
    try:
        snapshots = [*logs, collect(options, progress=_progress(), sleep=_getting_ready)]
    except KeyboardInterrupt:
        if clean:
            typer.echo("interrupted: nothing was ended", err=True)
        raise
    from taskdoctor.causes import all_causes
    from taskdoctor.diagnosis.verdict import judge

    verdict = judge(snapshots, all_causes())
    ending.save(snapshots, save)
    if not (clean and json):
        ending.give(verdict, command="procs", as_json=json, verbose=verbose, everything=everything)
    if clean:
        verdict = _cleaned(verdict, ask=not yes, as_json=json)
    _leave(verdict, exit_zero=exit_zero)


def _read(path: str) -> list[Snapshot]:
    """A log, or what --save wrote of one."""
    from taskdoctor.collectors.logs.collecting import collect
    from taskdoctor.collectors.saved import is_snapshot, read

    return read(Path(path)) if is_snapshot(Path(path)) else [collect([path])]


def _getting_ready(seconds: float) -> None:
    """A wait, in which what is needed after it is loaded."""
    import time
    from importlib import import_module

    until_s = time.monotonic() + seconds
    for name in ("taskdoctor.causes", "taskdoctor.diagnosis.verdict", "taskdoctor.renderers.terminal"):
        import_module(name)
    time.sleep(max(0.0, until_s - time.monotonic()))


def _progress() -> Callable[[str], None]:
    """Says why it takes seven seconds, once, where progress belongs."""
    return lambda words: typer.echo(words, err=True)


def _cleaned(verdict: Verdict, *, ask: bool, as_json: bool) -> Verdict:
    """The outcome to stdout: as text below the page, or as the one document that --json promises."""
    import sys

    from taskdoctor.commands.cleaning import clean_up
    from taskdoctor.errors import Exit

    verdict, interrupted = clean_up(verdict, ask=ask)
    if as_json:
        ending.give(verdict, command="procs", as_json=True, verbose=False)
    elif verdict.report.ended:
        from taskdoctor.renderers.terminal import print_ended

        print_ended(verdict.report.ended, sys.stdout)
    if interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    return verdict


def _leave(verdict: Verdict, *, exit_zero: bool) -> None:
    """1 for orphans, also where a log beside them is healthy."""
    from taskdoctor.errors import Exit

    seen = verdict.report.processes
    if not exit_zero and seen is not None and any(tree.kind is ProcessClass.ORPHAN for tree in seen.trees):
        raise typer.Exit(Exit.STALLS)
    ending.leave(verdict, exit_zero=exit_zero)
