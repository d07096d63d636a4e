"""Where the frames of a .zst end, by their headers: the decoder says nothing when the last one is cut off."""

from __future__ import annotations

from io import FileIO

SKIPPABLE = 0x184D2A50
FRAME = 0xFD2FB528


def ends_early(file: FileIO, size_bytes: int) -> bool:
    """Whether the last frame is cut off, by its block headers: the decoder itself ends without a word."""
    at = 0
    while 0 <= at < size_bytes:
        at = _after_frame(file, at, size_bytes)
    return at != size_bytes and at >= 0


def _after_frame(file: FileIO, at: int, size_bytes: int) -> int:
    """Where the frame at `at` ends; beyond the file if it is cut off; -1 if there is no frame."""
    import zstandard

    head = _bytes_at(file, at, 18)
    magic = int.from_bytes(head[:4], "little")
    if magic & ~0xF == SKIPPABLE:
        return at + 8 + int.from_bytes(head[4:8], "little")
    if magic != FRAME:
        return -1
    try:
        at += zstandard.frame_header_size(head)
        checksum_bytes = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
    except zstandard.ZstdError:
        return size_bytes + 1
    last = False
    while not last and at < size_bytes:
        header = int.from_bytes(_bytes_at(file, at, 3), "little")
        last, run = bool(header & 1), header >> 1 & 3 == 1  # a run is one byte, repeated
        at += 3 + (1 if run else header >> 3)
    return at + checksum_bytes if last else size_bytes + 1


def _bytes_at(file: FileIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count) or b""
