"""The verdict for a terminal: readable at 40 columns and at 200, in a pipe, and without colour.

Why it returns text: tests compare strings at a fixed width; only `print_verdict` looks at the world.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TextIO

from taskdoctor.model import Ended, ProcessTree, Verdict
from taskdoctor.renderers.screen.findings import write_risks, write_verdict
from taskdoctor.renderers.screen.glyphs import UNICODE, Glyphs, glyphs_for
from taskdoctor.renderers.screen.processes import (
    write_ended,
    write_headline,
    write_plan,
    write_prevention,
    write_processes,
)
from taskdoctor.renderers.screen.sections import write_sections
from taskdoctor.renderers.screen.sheet import Sheet
from taskdoctor.renderers.screen.timeline import write_timeline

PIPE_WIDTH = 80


def render(verdict: Verdict, *, width: int, color: bool, verbose: bool = False, glyphs: Glyphs = UNICODE) -> str:
    """The whole page: verdict, timeline, risks, numbers."""
    sheet = Sheet(width, glyphs)
    write_verdict(sheet, verdict, verbose=verbose)
    write_timeline(sheet, verdict)
    write_risks(sheet, verdict.risks, verbose=verbose)
    write_processes(sheet, verdict, verbose=verbose, everything=False)
    write_sections(sheet, verdict, verbose=verbose)
    return sheet.render(color=color)


def render_processes(
    verdict: Verdict,
    *,
    width: int,
    color: bool,
    verbose: bool = False,
    everything: bool = False,
    glyphs: Glyphs = UNICODE,
) -> str:
    """The page of a process table alone: there are no stalls to rank, only what is left behind."""
    sheet = Sheet(width, glyphs)
    write_headline(sheet, verdict)
    write_processes(sheet, verdict, verbose=verbose, everything=everything)
    write_prevention(sheet, verdict.risks, verbose=verbose)
    for warning in verdict.report.warnings:
        sheet.blank()
        sheet.write(sheet.text(warning), indent=1)
    return sheet.render(color=color)


def print_processes(
    verdict: Verdict,
    stream: TextIO,
    *,
    verbose: bool = False,
    everything: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Writes that page as this stream can show it."""
    page = render_processes(
        verdict,
        width=width_of(stream, environ),
        color=wants_color(stream, environ),
        verbose=verbose,
        everything=everything,
        glyphs=glyphs_for(encoding_of(stream)),
    )
    write_page(page, stream)


def print_plan(trees: Sequence[ProcessTree], stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> None:
    """What would be ended, each process in the order of its signal."""
    sheet = Sheet(width_of(stream, environ), glyphs_for(encoding_of(stream)))
    write_plan(sheet, trees)
    write_page(sheet.render(color=wants_color(stream, environ)), stream)


def print_ended(ended: Sequence[Ended], stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> None:
    """What became of each."""
    sheet = Sheet(width_of(stream, environ), glyphs_for(encoding_of(stream)))
    write_ended(sheet, ended)
    write_page(sheet.render(color=wants_color(stream, environ)), stream)


def print_verdict(
    verdict: Verdict, stream: TextIO, verbose: bool = False, *, environ: Mapping[str, str] = os.environ
) -> None:
    """Writes the page as this stream can show it."""
    page = render(
        verdict,
        width=width_of(stream, environ),
        color=wants_color(stream, environ),
        verbose=verbose,
        glyphs=glyphs_for(encoding_of(stream)),
    )
    write_page(page, stream)


def write_page(page: str, stream: TextIO) -> None:
    """What the encoding lacks becomes `?`: a verdict never dies of a letter."""
    encoding = encoding_of(stream)
    stream.write(page.encode(encoding, "replace").decode(encoding))


def encoding_of(stream: TextIO) -> str:
    return getattr(stream, "encoding", None) or "utf-8"


def width_of(stream: TextIO, environ: Mapping[str, str]) -> int:
    """COLUMNS, else the terminal's own width, else 80."""
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return int(columns)
    if not stream.isatty():
        return PIPE_WIDTH
    try:
        return os.get_terminal_size(stream.fileno()).columns or PIPE_WIDTH
    except (OSError, ValueError):
        return PIPE_WIDTH


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """NO_COLOR wins, then FORCE_COLOR; else colour belongs to terminals that are not dumb."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"
