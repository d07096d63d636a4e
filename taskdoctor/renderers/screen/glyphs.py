"""The signs that drawings are made of, with a plain set for encodings that have no blocks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs; each is one cell wide."""

    ramp: str  # eight levels, lowest first
    nothing: str  # a cell of a drawing in which nothing was
    full: str
    rest: str
    dot: str
    bullet: str
    good: str
    bad: str
    unsure: str
    gutter: str
    dash: str
    plain: bool = False  # words are spelled with ASCII signs too


UNICODE = Glyphs(
    ramp="▁▂▃▄▅▆▇█",
    nothing="·",
    full="█",
    rest="░",
    dot="·",
    bullet="•",
    good="✓",
    bad="●",
    unsure="○",
    gutter="│",
    dash="─",
)
ASCII = Glyphs(
    ramp="_-~=+*%#",
    nothing=".",
    full="#",
    rest="-",
    dot="|",
    bullet="*",
    good="+",
    bad="!",
    unsure="?",
    gutter="|",
    dash="-",
    plain=True,
)

_SPELLED = str.maketrans(
    {
        "→": "->",
        "…": "...",
        "–": "-",
        "—": "-",
        "×": "x",
        "·": "|",
        "µ": "u",
        "≥": ">=",
        "≤": "<=",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
    }
)


def glyphs_for(encoding: str) -> Glyphs:
    """Blocks where the encoding has them."""
    signs = "".join((UNICODE.ramp, UNICODE.rest, "·•✓●○│─→–…"))
    try:
        signs.encode(encoding)
    except (LookupError, UnicodeError):
        return ASCII
    return UNICODE


def spell(text: str, glyphs: Glyphs) -> str:
    """Our own typographic signs in ASCII, where the set is plain."""
    return text.translate(_SPELLED) if glyphs.plain else text
