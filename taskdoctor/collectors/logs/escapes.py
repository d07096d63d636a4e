"""Text without what a terminal would obey: escape sequences, control characters, text-direction overrides."""

from __future__ import annotations

import re

# An unterminated string sequence stops at the next escape, so that the search stays linear.
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"  # OSC and its like
    r"|\x1b[ -/]*[0-~]?"
)
_BYTES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]?"
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
_TEXT = re.compile(_SEQUENCE + r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain_bytes(line: bytes) -> bytes:
    """The line as its prefix pattern wants to see it: colours stand between the separators."""
    return _BYTES.sub(b"", line)


def plain(text: str) -> str:
    """Text safe to show; tabs and line ends stay."""
    if text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _TEXT.sub("", text))
