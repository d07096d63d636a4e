"""Bytes in, whole lines out: any packing, any encoding, any damage, any sharing of the cells."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from taskdoctor.collectors.logs import streams, unpacking
from taskdoctor.collectors.logs.heads import Compression, Encoding
from taskdoctor.collectors.logs.inputs import Input, find_inputs
from taskdoctor.collectors.logs.reading import CELL_BYTES, LINE_BYTES_MAX, Reading, blocks, open_input
from taskdoctor.errors import UnreadableError

LOG = b"".join(
    b"2026-03-04 10:11:12,%03d INFO chat: turn %d took 1.842s \xe2\x9c\x93\n" % (i % 1000, i) for i in range(6000)
)
CHINESE = "2026-03-04 10:11:12 | INFO | 对话总耗时: 1.842秒，任务统计: 总=17\n" * 300
MIB = 1024 * 1024

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=1),
    "zst": zstandard.ZstdCompressor(level=1, write_checksum=True).compress,
}


def as_input(path: Path) -> Input:
    return find_inputs([str(path)])[0][0]


def read(path: Path, first: int = 0, last: int | None = None) -> bytes:
    with open_input(as_input(path)) as reading:
        return joined(reading, first, last)


def joined(reading: Reading, first: int = 0, last: int | None = None) -> bytes:
    return b"".join(bytes(data[start:end]) for data, start, end, _ in blocks(reading, first, last))


@pytest.fixture
def log(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes, name: str = "server.log") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


Write = Callable[..., Path]


# --- the grid ---------------------------------------------------------------------------------------------------


def test_a_block_holds_the_lines_that_start_in_its_cell(log: Write) -> None:
    with open_input(as_input(log(LOG))) as reading:
        assert reading.seekable
        assert reading.encoding is Encoding.UTF8
        for data, start, end, offset in blocks(reading):
            lines = bytes(data[start:end])
            assert lines == LOG[offset : offset + len(lines)]
            assert lines.endswith(b"\n")
            last_line = offset + lines.rfind(b"\n", 0, -1) + 1
            assert offset // CELL_BYTES == last_line // CELL_BYTES
            assert (offset + len(lines)) // CELL_BYTES > offset // CELL_BYTES or offset + len(lines) == len(LOG)
        assert (reading.bytes_read, reading.decoded_bytes, reading.truncated_lines) == (len(LOG), len(LOG), 0)


@pytest.mark.parametrize("size", [CELL_BYTES - 1, CELL_BYTES, CELL_BYTES + 1, 2 * CELL_BYTES])
def test_newlines_at_the_edge_of_a_cell(log: Write, size: int) -> None:
    data = b"a" * (size - 1) + b"\nsecond\nthird"
    path = log(data)
    assert [read(path, cell, cell) for cell in range(4)] == [started_in(cell, data) for cell in range(4)]


def started_in(cell: int, data: bytes) -> bytes:
    """The slow way to say it."""
    starts = [0, *(at + 1 for at, byte in enumerate(data) if byte == 0x0A)]
    mine = [at for at in starts if at // CELL_BYTES == cell]
    return data[mine[0] : data.find(b"\n", mine[-1]) + 1 or len(data)] if mine else b""


@pytest.mark.parametrize("data", [b"", b"\n", b"one", b"one\n", b"a\r\nb\r\n", b"\n\n\n", b"nul \x00 in it\n"])
def test_small_files(log: Write, data: bytes) -> None:
    path = log(data)
    assert read(path) == data
    assert read(path, 1) == b""


lines = st.lists(
    st.one_of(
        st.lists(st.integers(32, 126), max_size=40).map(bytes),  # other bytes are other encodings: tested above
        st.builds(lambda byte, count: bytes([byte]) * count, st.integers(32, 126), st.integers(0, 3 * CELL_BYTES)),
        st.just(b"x" * (CELL_BYTES - 1)),
    ),
    min_size=1,
    max_size=12,
).map(b"\n".join)


@settings(max_examples=60, deadline=None)
@given(data=lines, cuts=st.lists(st.integers(1, 40), max_size=4))
def test_any_split_of_the_cells_gives_the_whole(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int]
) -> None:
    data = b"a log\n" * 40 + data  # so that it is none of the other kinds of file
    path = tmp_path_factory.mktemp("split") / "server.log"
    edges = [0, *sorted(set(cuts))]
    lasts = [edge - 1 for edge in edges[1:]]
    for name, pack in {"": bytes, ".gz": PACKERS["gz"], ".zst": PACKERS["zst"]}.items():
        packed = path.with_name(path.name + name)
        packed.write_bytes(pack(data))
        assert b"".join(read(packed, *part) for part in zip(edges, [*lasts, None], strict=True)) == data


# --- long lines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("over", "cut"), [(-1, 0), (0, 0), (1, 1), (2 * MIB, 1)])
@pytest.mark.parametrize("before", [b"", b"before\n", b"b" * (CELL_BYTES - 2) + b"\n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\nafter\nlast"])
@pytest.mark.parametrize("pack", [None, "zst"])
def test_long_lines_are_cut_at_one_mib(
    log: Write, over: int, cut: int, before: bytes, after: bytes, pack: str | None
) -> None:
    long = b"y" * (LINE_BYTES_MAX + over)
    whole = before + long + after
    path = log(PACKERS[pack](whole) if pack else whole)
    with open_input(as_input(path)) as reading:
        expected = before + long[:LINE_BYTES_MAX] + (after[1:] if cut else after)
        assert joined(reading) == expected
        assert reading.truncated_lines == cut


def test_a_cut_line_is_counted_by_its_owner_only(log: Write) -> None:
    path = log(b"y" * 3 * MIB + b"\n" + LOG)
    item = as_input(path)
    parts, cut = [], 0
    for first, last in ((0, 3), (4, 20), (21, 47), (48, 52), (53, None)):
        with open_input(item) as reading:
            parts.append(joined(reading, first, last))
            cut += reading.truncated_lines
    assert b"".join(parts) == b"y" * MIB + LOG
    assert cut == 1


def test_an_endless_line_is_not_kept(log: Write) -> None:
    with open_input(as_input(log(PACKERS["zst"](b"z" * 40 * MIB)))) as reading:
        widest = 0
        for data, _, _, _ in blocks(reading):
            widest = max(widest, len(data))
        assert widest < 2 * MIB
        assert (reading.truncated_lines, reading.decoded_bytes) == (1, 40 * MIB)


# --- packed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PACKERS)
def test_packed_files_are_known_by_their_bytes(log: Write, kind: str) -> None:
    path = log(PACKERS[kind](LOG), "misnamed.log")
    with open_input(as_input(path)) as reading:
        assert not reading.seekable
        assert joined(reading) == LOG
        assert reading.bytes_read == reading.size_bytes == path.stat().st_size
        assert reading.notes == ()


@pytest.mark.parametrize("kind", PACKERS)
def test_members_one_after_the_other(log: Write, kind: str) -> None:
    assert read(log(PACKERS[kind](LOG) + PACKERS[kind](b"more\n") + PACKERS[kind](LOG))) == LOG + b"more\n" + LOG


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("size", [300, len(LOG)])
def test_a_packed_file_that_is_cut_off(log: Write, kind: str, size: int) -> None:
    data = os.urandom(size // 2).hex().encode() + b"\n"
    packed = PACKERS[kind](data)
    path = log(packed[: len(packed) - 20])
    if size == 300 and kind in ("bz2", "zst"):  # these unpack whole pieces
        with pytest.raises(UnreadableError, match="ends before the first byte of text"):
            open_input(as_input(path))
        return
    with open_input(as_input(path)) as reading:
        got = joined(reading)
        assert data.startswith(got)
        assert reading.notes == ("ends early: the packed data is cut off; what was there was read",)
    assert len(got) > len(data) - (200 if kind in ("gz", "xz") else 200_000)


@pytest.mark.parametrize("kind", PACKERS)
def test_what_came_before_the_damage_is_kept(log: Write, kind: str) -> None:
    data = os.urandom(1_000_000).hex().encode() + b"\n"
    packed = bytearray(PACKERS[kind](data))
    packed[len(packed) * 3 // 4 : len(packed) * 3 // 4 + 50] = bytes(range(50))
    with open_input(as_input(log(bytes(packed)))) as reading:
        list(blocks(reading))
        assert len(reading.notes) == 1
        assert reading.decoded_bytes > MIB


@pytest.mark.parametrize("kind", PACKERS)
def test_foreign_bytes_at_the_end_are_left_out(log: Write, kind: str) -> None:
    path = log(PACKERS[kind](LOG) + b"some foreign bytes at the end")
    with open_input(as_input(path)) as reading:
        assert joined(reading).rstrip() == LOG.rstrip()
        assert reading.notes == (f"has bytes after its end that are not {reading.compression}; they were left out",)


def test_a_wrong_checksum_loses_no_line(log: Write) -> None:
    packed = bytearray(PACKERS["gz"](LOG))
    packed[-8:-4] = b"\0\0\0\0"
    with open_input(as_input(log(bytes(packed)))) as reading:
        assert joined(reading).rstrip() == LOG.rstrip()
        assert "is damaged after" in reading.notes[0]


def test_zeros_between_and_after_members(log: Write) -> None:
    packed = PACKERS["gz"](LOG)
    with open_input(as_input(log(packed + bytes(700) + packed + bytes(9)))) as reading:
        assert joined(reading) == LOG + LOG
        assert reading.notes == ()


def test_frames_to_be_skipped(log: Write) -> None:
    skippable = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    with open_input(as_input(log(skippable + PACKERS["zst"](LOG) + skippable))) as reading:
        assert joined(reading) == LOG
        assert reading.notes == ()


def test_a_packed_file_that_is_broken_from_the_start(log: Write) -> None:
    path = log(b"\x1f\x8b\x08\x00" + b"\xff" * 100)
    with pytest.raises(UnreadableError, match="begins like gzip but cannot be unpacked"):
        open_input(as_input(path))


def test_a_window_of_gigabytes_is_refused_with_a_way_out(log: Write) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path = log(packer.compress(LOG) + packer.flush())
    with pytest.raises(UnreadableError, match="too much memory") as error:
        open_input(as_input(path))
    assert "zstd --long=31 -dc" in error.value.hint


def test_without_the_fast_packages(log: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    packed = PACKERS["gz"](LOG)
    assert read(log(packed)) == LOG
    with open_input(as_input(log(packed[:-30]))) as reading:
        assert LOG.startswith(joined(reading))
        assert len(reading.notes) == 1
    with pytest.raises(UnreadableError, match="needs the Python module zstandard"):
        open_input(as_input(log(b"\x28\xb5\x2f\xfd" + bytes(9))))


def test_packed_binary_is_no_log(log: Write) -> None:
    with pytest.raises(UnreadableError, match="not a text log"):
        open_input(as_input(log(PACKERS["gz"](os.urandom(5000)))))


# --- encodings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "bom", "encoding"),
    [
        ("utf-16-le", b"\xff\xfe", Encoding.UTF16_LE),
        ("utf-16-be", b"\xfe\xff", Encoding.UTF16_BE),
        ("utf-16-le", b"", Encoding.UTF16_LE),
        ("utf-16-be", b"", Encoding.UTF16_BE),
        ("gbk", b"", Encoding.GBK),
        ("utf-8", b"\xef\xbb\xbf", Encoding.UTF8_SIG),
        ("utf-8", b"", Encoding.UTF8),
    ],
)
@pytest.mark.parametrize("pack", [None, "gz"])
def test_every_encoding_comes_as_utf8(log: Write, codec: str, bom: bytes, encoding: Encoding, pack: str | None) -> None:
    data = bom + (CHINESE * 8).encode(codec)
    with open_input(as_input(log(PACKERS[pack](data) if pack else data))) as reading:
        assert reading.encoding is encoding
        assert joined(reading).decode() == CHINESE * 8
        assert not reading.replaced


def test_western_text_is_given_as_it_is(log: Write) -> None:
    data = "2026-03-04 10:11:12 INFO Verbindung geöffnet für Zoë\n".encode("cp1252") * 50
    with open_input(as_input(log(data))) as reading:
        assert (reading.encoding, reading.seekable) == (Encoding.CP1252, True)
        assert joined(reading) == data


def test_a_few_broken_bytes_do_not_change_the_encoding(log: Write) -> None:
    data = CHINESE.encode() + b"broken \xff\xfe\xe5 bytes\n"
    with open_input(as_input(log(data))) as reading:
        assert (reading.encoding, reading.replaced) == (Encoding.UTF8, True)
        assert joined(reading) == data


def test_a_half_character_at_the_end_of_utf16(log: Write) -> None:
    with open_input(as_input(log(b"\xff\xfe" + "line\n".encode("utf-16-le") + b"x"))) as reading:
        assert joined(reading).decode() == "line\n\ufffd"
        assert reading.replaced


def test_the_first_head_may_end_inside_a_character(log: Write) -> None:
    with open_input(as_input(log(b"x" + "话\n".encode() * 40_000))) as reading:
        assert (reading.encoding, reading.replaced) == (Encoding.UTF8, False)


def test_a_hole_before_the_text(log: Write) -> None:
    path = log(b"")
    with path.open("r+b") as file:
        file.truncate(4 * MIB)
        file.seek(4 * MIB)
        file.write(b"\nafter the hole\n")
    with open_input(as_input(path)) as reading:
        assert joined(reading).endswith(b"after the hole\n")
        assert reading.truncated_lines == 1


# --- files that change, pipes -----------------------------------------------------------------------------------


def test_a_file_that_shrinks_while_it_is_read(log: Write) -> None:
    path = log(LOG * 4)
    with open_input(as_input(path)) as reading:
        taken = blocks(reading)
        next(taken)
        os.truncate(path, 5000)
        assert len(list(taken)) < 10
        assert reading.notes == ("became shorter while it was read; what was there was read",)


def test_a_file_that_grows_is_read_up_to_where_it_was(log: Write) -> None:
    path = log(LOG)
    with open_input(as_input(path)) as reading:
        with path.open("ab") as file:
            file.write(b"later\n")
        assert joined(reading) == LOG


@pytest.mark.parametrize("kind", ["plain", *PACKERS])
def test_fifo(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(PACKERS.get(kind, bytes)(LOG),))
    writer.start()
    with open_input(as_input(path)) as reading:
        assert not reading.seekable
        assert joined(reading) == LOG
        with pytest.raises(ValueError, match="only be read once"):
            list(blocks(reading))
    writer.join()


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> Input:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
    return find_inputs(["-"])[0][0]


@pytest.mark.parametrize("kind", ["plain", *PACKERS])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    with open_input(standard_input(monkeypatch, PACKERS.get(kind, bytes)(LOG))) as reading:
        assert reading.name == "stdin"
        assert joined(reading) == LOG


def test_a_packed_pipe_that_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_input(standard_input(monkeypatch, PACKERS["gz"](b"one\ntwo\nthree\n")[:-9])) as reading:
        assert joined(reading).startswith(b"one\ntwo\n")
        assert "ends early" in reading.notes[0]


def test_a_binary_standard_input_is_refused_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    item = standard_input(monkeypatch, os.urandom(9000))
    with pytest.raises(UnreadableError, match="stdin: not a text log"):
        open_input(item)
    assert not sys.stdin.closed


def test_a_file_that_went_away(log: Write) -> None:
    path = log(LOG)
    item = as_input(path)
    path.unlink()
    with pytest.raises(UnreadableError, match="no such file"):
        open_input(item)


def test_a_drive_that_fails(monkeypatch: pytest.MonkeyPatch, log: Write) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with open_input(as_input(log(LOG))) as reading:
        monkeypatch.setattr("os.preadv", fail)
        assert joined(reading) == b""
        assert reading.notes == ("could not be read to its end: Input/output error",)


# --- anything at all --------------------------------------------------------------------------------------------

heads = st.sampled_from(
    [b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh91AY&SY", b"\xff\xfe", b"\x50\x2a\x4d\x18"]
)


@settings(max_examples=150, deadline=None)
@given(head=heads, data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(head + data)
    with contextlib.suppress(UnreadableError):
        read(path)


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(sorted(PACKERS)), at=st.integers(0, 3000), byte=st.binary(min_size=1, max_size=3))
def test_any_damage_to_a_packed_file_leaves_text(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at: int, byte: bytes
) -> None:
    packed = bytearray(PACKERS[kind](LOG[:20_000]))
    at %= len(packed)
    packed[at : at + len(byte)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(packed)
    with contextlib.suppress(UnreadableError):
        read(path)


def test_every_compression_has_a_reader() -> None:
    assert set(unpacking._OPENERS) == set(Compression) - {Compression.NONE}


def test_the_reader_gives_back_what_was_looked_at() -> None:
    with io.FileIO(os.devnull) as file:
        assert streams.RawStream(file, streams.Progress(), b"head").read() == b"head"
