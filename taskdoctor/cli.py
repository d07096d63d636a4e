"""The app: commands by name, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from taskdoctor.commands import attach, demo, explain, logs, procs, verdict
from taskdoctor.errors import Exit, TaskdoctorError

app = typer.Typer(
    name="taskdoctor",
    help="A doctor for asyncio services that stall now and then: a ranked verdict on the likely cause.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("attach")(attach.command)
app.command("logs")(logs.command)
app.command("procs")(procs.command)
app.command("verdict")(verdict.command)
app.command("explain")(explain.command)
app.command("demo")(demo.command)


@app.callback(invoke_without_command=True)
def _options(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from taskdoctor import __version__

        typer.echo(f"taskdoctor {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; leave with its exit code."""
    try:
        app()
    except TaskdoctorError as error:
        _say(error)
        raise SystemExit(error.code) from None
    except KeyboardInterrupt:
        raise SystemExit(Exit.INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of a pipe left (`| head`): not an error; keep the interpreter from flushing into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(Exit.HEALTHY) from None
    except OSError as error:
        _say(TaskdoctorError(f"cannot write the answer: {error.strerror or error}"))
        raise SystemExit(Exit.CANNOT_LOOK) from None


def _say(error: TaskdoctorError) -> None:
    from taskdoctor.renderers.words import plain_text

    typer.echo(f"taskdoctor: {plain_text(str(error), 1000)}", err=True)
    if error.hint:
        typer.echo(f"  {plain_text(error.hint, 1000)}", err=True)
