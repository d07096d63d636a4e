"""A page written from top to bottom, on which nothing is wider than the page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from taskdoctor.renderers.screen.glyphs import UNICODE, Glyphs, spell
from taskdoctor.renderers.words import TEXT_LIMIT, plain_lines, plain_text

NARROWEST = 20  # columns; below that nothing can be laid out
PROSE_WIDTH = 104  # columns; longer lines are hard to follow, whatever the terminal has
ASIDE_LIMIT = 110  # characters of a place
FOLD = 2  # columns by which the rest of a folded line of code stands deeper
LABEL_WIDTH = 11  # the longest label, and two

BOLD = "bold"
DIM = "dim"
CODE = "cyan"
HEADING = "bold"
GOOD = "bold green"
BAD = "bold red"
UNSURE = "bold yellow"

# Stands for a space at which no line may break ("1.84 s"). No foreign text holds it: plain_text spells it out.
_GLUE = "\ue000"
_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|µs|us|%|kB|MB|GB)(?!\w))")
_BACKTICKS = re.compile(r"`[^`]+`")


class Sheet:
    """Collects lines; every string that enters goes through `plain_text`, none is read as markup."""

    def __init__(self, width: int, glyphs: Glyphs = UNICODE) -> None:
        self.width = max(width, NARROWEST)
        self.prose = min(self.width, PROSE_WIDTH)
        self.glyphs = glyphs
        self._lines: list[Text] = []
        self._ruler = _console(self.width, color=False)

    def text(self, words: str, style: str = "", limit: int = TEXT_LIMIT) -> Text:
        """Foreign or own words as harmless text; `code` in backticks stands out."""
        shown = _styled(_UNIT.sub(_GLUE, spell(plain_text(words, limit), self.glyphs)), style)
        shown.highlight_regex(_BACKTICKS, CODE)
        return shown

    def chip(self, words: str, style: str = "", limit: int = 60) -> Text:
        """A few words that stay on one line."""
        return _styled(spell(plain_text(words, limit), self.glyphs).replace(" ", _GLUE), style)

    def aside(self, *words: str) -> Text:
        """`(server.log:412, measured)`"""
        return self.text("(" + ", ".join(plain_text(part, ASIDE_LIMIT) for part in words if part) + ")", DIM)

    def drawing(self, signs: str, style: str = "") -> Text:
        """Signs of ours, kept as they are."""
        return _styled(signs.replace(" ", _GLUE), style)

    def join(self, parts: Iterable[Text | None]) -> Text:
        """`a · b · c`; what is None is left out."""
        dot = _styled(f"{_GLUE}{self.glyphs.dot} ", DIM)
        return dot.join([part for part in parts if part is not None])

    def blank(self) -> None:
        if self._lines and self._lines[-1].plain:
            self._lines.append(Text())

    def heading(self, title: str, note: str = "") -> None:
        self.blank()
        head = self.text(title, HEADING)
        if note:
            head.append_text(Text("  ")).append_text(self.text(note, DIM))
        self.write(head)

    def write(
        self,
        body: Text,
        *,
        indent: int = 0,
        hang: int = 0,
        lead: Text | None = None,
        width: int = 0,
        rail: bool = False,
    ) -> None:
        """Body, wrapped, further lines `hang` deeper. `lead` stands in that margin: once, or as a `rail` each time."""
        margin = min(indent + hang, self.width // 2)
        if lead is not None and lead.cell_len > margin - min(indent, margin):
            body, lead = Text().append_text(lead).append(" ").append_text(body), None
        room = (width or self.prose) - margin - (FOLD if rail else 0)
        for at, row in enumerate(body.wrap(self._ruler, room, overflow="fold") or [Text()]):
            line = Text(" " * min(indent, margin))
            if lead is not None and (rail or at == 0):
                line.append_text(lead)
            if lead is not None or at:
                line.pad_right(max(margin - line.cell_len, 0) + (FOLD if rail and at else 0))
            self._put(line.append_text(row))

    def labelled(self, label: str, body: Text, *, indent: int = 3, style: str = DIM) -> None:
        """A dim word in the margin, and what it names."""
        lead = Text(spell(label, self.glyphs), style=style)
        width = LABEL_WIDTH if self.width >= 60 else 2
        if width > lead.cell_len:
            self.write(body, indent=indent, hang=width, lead=lead)
            return
        if label:
            self.write(lead, indent=indent)
        self.write(body, indent=indent + width)

    def code(self, source: str, *, indent: int = 0, lines: int = 60) -> None:
        """Lines of code behind a gutter; they fold rather than get lost."""
        gutter = Text(self.glyphs.gutter + " ", style=DIM)
        for row in plain_lines(source, lines):
            body = spell(row, self.glyphs)
            depth = len(body) - len(body.lstrip())
            shown = Text(_GLUE * min(depth, self.width // 3) + body.lstrip(), style=CODE)
            self.write(shown, indent=indent, hang=2, lead=gutter, width=self.width, rail=True)

    def table(self, rows: Sequence[Sequence[Text]], *, indent: int = 0) -> None:
        """Short columns padded to one width, the last one wrapped behind them."""
        columns = [max(row[index].cell_len for row in rows) for index in range(len(rows[0]) - 1)] if rows else []
        hang = sum(columns) + 2 * len(columns)
        for row in rows:
            lead = Text()
            for width, part in zip(columns, row, strict=False):
                lead.append_text(part).pad_right(width - part.cell_len + 2)
            if indent + hang <= self.width // 2:
                self.write(row[-1], indent=indent, hang=hang, lead=lead)
            else:
                self.write(self.join(row), indent=indent, hang=2)

    def render(self, *, color: bool) -> str:
        """The whole page, ending in one newline."""
        console = _console(self.width, color=color)
        while self._lines and not self._lines[-1].plain:
            self._lines.pop()
        for line in self._lines:
            console.print(line, soft_wrap=True)
        file = console.file
        assert isinstance(file, io.StringIO)
        return file.getvalue().replace(_GLUE, " ")

    def _put(self, line: Text) -> None:
        line.truncate(self.width, overflow="crop")
        self._lines.append(line[: len(line.plain.rstrip(" " + _GLUE))])


def _styled(words: str, style: str) -> Text:
    """Styled as a part, so that what is appended later does not inherit it."""
    return Text().append(words, style)


def _console(width: int, *, color: bool) -> Console:
    """A console that asks nothing of the world around it."""
    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        force_jupyter=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )
