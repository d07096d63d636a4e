"""The page of one cause, for `explain`: what it is, why it stalls, how to check, how to fix, what a log looks like."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

from rich.text import Text

from taskdoctor.model import Cause, Example, Layer
from taskdoctor.renderers.screen.findings import fix_terms, write_before_after
from taskdoctor.renderers.screen.glyphs import UNICODE, Glyphs, glyphs_for
from taskdoctor.renderers.screen.sheet import BOLD, CODE, DIM, Sheet
from taskdoctor.renderers.terminal import encoding_of, wants_color, width_of, write_page
from taskdoctor.renderers.words import percent

EXAMPLE_LINES = 12
PARAGRAPH_LIMIT = 2_000  # characters

_LAYER = {
    Layer.NOT_RUNNING: "The process itself was not running",
    Layer.GC: "The garbage collector held everything",
    Layer.LOOP_HELD: "The event loop was held: every task waited",
    Layer.WAITING_INSIDE: "The loop was free; work waited for something inside the service",
    Layer.UPSTREAM: "The loop was free; work waited for somebody else",
    Layer.OUTSIDE: "The server was done; what was late lies behind it",
    Layer.GROWING: "Something grows, and lateness grows with it",
}


def render(cause: Cause, *, width: int, color: bool = False, glyphs: Glyphs = UNICODE) -> str:
    """The whole page; its order is that of a reader who wants it fixed."""
    sheet = Sheet(width, glyphs)
    sheet.write(sheet.text(cause.title, BOLD).append("  ").append_text(sheet.chip(cause.id, CODE)))
    _what(sheet, cause)
    _section(sheet, "Why", cause.why)
    _section(sheet, "Check", cause.check)
    _fix(sheet, cause)
    _examples(sheet, cause.examples)
    _unseen(sheet, cause)
    return sheet.render(color=color)


def print_page(cause: Cause, stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> None:
    """Writes the page as this stream can show it."""
    width, color = width_of(stream, environ), wants_color(stream, environ)
    write_page(render(cause, width=width, color=color, glyphs=glyphs_for(encoding_of(stream))), stream)


def _what(sheet: Sheet, cause: Cause) -> None:
    sheet.heading("What")
    sheet.write(sheet.text(f"{_LAYER[cause.layer]}."), indent=2)
    rates = [
        f"{percent(prior)} of stalls with the loop {state}"
        for prior, state in ((cause.prior_held, "held"), (cause.prior_free, "free"))
        if prior > 0
    ]
    if rates:
        sheet.write(sheet.text(f"In real incidents it was behind {' and '.join(rates)}.", DIM), indent=2)
    if cause.leads_to:
        sheet.write(sheet.text(f"It can lead to {', '.join(cause.leads_to)}.", DIM), indent=2)


def _section(sheet: Sheet, title: str, prose: str) -> None:
    if prose.strip():
        sheet.heading(title)
        _prose(sheet, prose)


def _fix(sheet: Sheet, cause: Cause) -> None:
    fix = cause.fix
    sheet.heading("Fix")
    sheet.write(sheet.chip(fix.priority.value, BOLD).append(": ").append_text(sheet.text(fix.summary)), indent=2)
    terms = fix_terms(sheet, fix)
    if terms.plain:
        sheet.write(terms, indent=2)
    sheet.blank()
    write_before_after(sheet, fix, indent=2)
    if cause.more.strip():
        sheet.blank()
        _prose(sheet, cause.more)


def _examples(sheet: Sheet, examples: tuple[Example, ...]) -> None:
    """The first log that this cause wins, and the first that only looks like it."""
    for wins, title in ((True, "Example"), (False, "Looks like it, and is not")):
        example = next((example for example in examples if example.wins is wins), None)
        if example is not None:
            sheet.heading(title, example.name)
            sheet.code(example.log, indent=2, lines=EXAMPLE_LINES)


def _unseen(sheet: Sheet, cause: Cause) -> None:
    if not (cause.blind_why or cause.blind_how):
        return
    sheet.heading("What can't be seen")
    _prose(sheet, cause.blind_why)
    if cause.blind_how:
        sheet.labelled("To see it", sheet.text(cause.blind_how), indent=2)


def _prose(sheet: Sheet, prose: str) -> None:
    """Paragraphs, `- ` items, and code that is indented by four."""
    for at, block in enumerate(part for part in prose.split("\n\n") if part.strip()):
        if at:
            sheet.blank()
        if all(line.startswith("    ") or not line.strip() for line in block.split("\n")):
            sheet.code(block, indent=2)
            continue
        for item in _items(block):
            words = item.removeprefix("- ")
            is_item = words is not item and item.startswith("- ")
            lead = Text(sheet.glyphs.bullet, style=DIM) if is_item else None
            sheet.write(sheet.text(words, limit=PARAGRAPH_LIMIT), indent=2, hang=2 if is_item else 0, lead=lead)


def _items(block: str) -> list[str]:
    """The lines of one paragraph as one text; each line that begins with `- ` begins a new one."""
    items: list[str] = []
    for line in block.split("\n"):
        if line.lstrip().startswith("- ") or not items:
            items.append(line.strip())
        else:
            items[-1] += " " + line.strip()
    return items
