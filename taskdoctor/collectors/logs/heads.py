"""What the first bytes of a file tell: how it is packed, how its text is encoded, whether it is text at all.

Pure functions over the first 64 KiB. Names lie (a rotated file called `.gz` before it is packed), bytes do not.
"""

from __future__ import annotations

import codecs
import os
import re
from enum import StrEnum
from io import FileIO

HEAD_BYTES = 64 * 1024

UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Compression(StrEnum):
    """How a file is packed, by its magic bytes."""

    NONE = ""
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"


class Encoding(StrEnum):
    """How text is written, by Python's own names. `plain` ones are read as they are: newline and ASCII are bytes."""

    UTF8 = "utf-8"
    UTF8_SIG = "utf-8-sig"
    UTF16_LE = "utf-16-le"
    UTF16_BE = "utf-16-be"
    GBK = "gbk"
    CP1252 = "cp1252"

    @property
    def plain(self) -> bool:
        return self in (Encoding.UTF8, Encoding.UTF8_SIG, Encoding.CP1252)

    @property
    def wide(self) -> bool:
        """A newline is two bytes."""
        return self in (Encoding.UTF16_LE, Encoding.UTF16_BE)


MAGIC: dict[Compression, re.Pattern[bytes]] = {
    Compression.GZIP: re.compile(rb"\x1f\x8b\x08"),
    Compression.BZIP2: re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    Compression.XZ: re.compile(rb"\xfd7zXZ\x00"),
    Compression.ZSTD: re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),  # a frame, or one to be skipped
}

# Files whose head can pass for text, or that deserve no guess.
NOT_TEXT = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF-", b"\x7fELF", b"PK\x03\x04", b"SQLite format 3\x00", b"RIFF")

# Control characters that terminals and progress bars write into logs: bell, backspace, tab, newlines, escape.
TEXT_CONTROLS = frozenset(b"\x07\x08\t\n\x0b\x0c\r\x1b")
CONTROLS = bytes(code for code in (*range(1, 32), 127) if code not in TEXT_CONTROLS)

# Random bytes hold 10 % control characters, logs with a few broken lines well under 1 %.
CONTROL_SHARE_MAX = 0.05
# In UTF-16 every ASCII character has a NUL on one side; Chinese logs still have ASCII stamps, levels and names.
UTF16_NUL_SHARE_MIN = 0.3
# More than half of what is beyond ASCII is whole UTF-8: the rest is damage, not another encoding.
UTF8_SHARE_MIN = 0.6
# In GBK text the high bytes come in pairs, mostly from the everyday characters and punctuation (rows A1-A3, B0-D7);
# in Western text they stand alone.
GBK_PAIRED_MIN = 0.9
GBK_EVERYDAY_MIN = 0.6

_HIGH = bytes(range(0x80, 0x100))
_UTF8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_GBK_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")


def read_head(file: FileIO) -> bytes:
    """The first 64 KiB of data of a regular file, leaving it at its start. A hole in front (a log that was truncated
    under its writer begins with gigabytes of NULs) is jumped over where the system can."""
    start = 0
    if hasattr(os, "SEEK_DATA"):
        try:
            start = file.seek(0, os.SEEK_DATA)
        except OSError:  # nothing but a hole, or a file system that cannot tell
            start = file.seek(0)
    head = file.read(HEAD_BYTES) or b""
    file.seek(0)
    # Only a file that begins with its data can begin with a mark.
    return head if start == 0 else b"\n" + head.lstrip(b"\0")


def compression_of(head: bytes) -> Compression:
    return next((kind for kind, magic in MAGIC.items() if magic.match(head)), Compression.NONE)


def is_text(head: bytes) -> bool:
    """Whether this can be a log. NULs alone do not make it binary: crashes and holes leave runs of them."""
    if head.startswith(NOT_TEXT):
        return False
    if _utf16_of(head) is not None:
        return True
    seen = head.translate(None, b"\0")
    if not seen:
        return not head
    controls = len(seen) - len(seen.translate(None, CONTROLS))
    return controls <= CONTROL_SHARE_MAX * len(seen)


def encoding_of(head: bytes) -> Encoding:
    """The encoding of a text that begins like this; never fails, cp1252 is what is left."""
    if head.startswith(UTF8_BOM):
        return Encoding.UTF8_SIG
    if (utf16 := _utf16_of(head)) is not None:
        return utf16
    if not is_damaged(head):
        return Encoding.UTF8
    high = len(head) - len(head.translate(None, _HIGH))
    if _utf8_bytes(head) >= UTF8_SHARE_MIN * high:
        return Encoding.UTF8
    return Encoding.GBK if _is_gbk(head, high) else Encoding.CP1252


def is_damaged(head: bytes) -> bool:
    """Whether there are bytes that are not UTF-8. A character cut by the end of the head is none."""
    try:
        codecs.utf_8_decode(head, "strict", False)
    except UnicodeDecodeError:
        return True
    return False


def _utf8_bytes(head: bytes) -> int:
    """How many bytes belong to whole characters beyond ASCII."""
    return sum(len(character) for character in _UTF8_CHARACTER.findall(head))


def _is_gbk(head: bytes, high: int) -> bool:
    pairs = _GBK_PAIR.findall(head)
    everyday = sum(1 for pair in pairs if 0xB0 <= pair[0] <= 0xD7 or pair[0] <= 0xA3)
    # One character may be cut by the end of the head.
    return 2 * len(pairs) >= GBK_PAIRED_MIN * (high - 1) and everyday >= GBK_EVERYDAY_MIN * max(1, len(pairs))


def _utf16_of(head: bytes) -> Encoding | None:
    if head.startswith(b"\xff\xfe"):
        return Encoding.UTF16_LE
    if head.startswith(b"\xfe\xff"):
        return Encoding.UTF16_BE
    pairs = len(head) // 2
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    few, many = sorted((even, odd))
    if many < 2 or many < UTF16_NUL_SHARE_MIN * pairs or few > CONTROL_SHARE_MAX * many:
        return None
    encoding = Encoding.UTF16_LE if odd > even else Encoding.UTF16_BE
    text = head[: 2 * pairs].decode(encoding, "replace")
    strange = sum(
        1 for character in text if character == "\ufffd" or (character < " " and character not in "\t\n\r\x1b")
    )
    return encoding if strange <= CONTROL_SHARE_MAX * len(text) + 1 else None
