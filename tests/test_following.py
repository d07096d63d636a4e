"""The live end of a log. Time is a list of things that happen between two looks."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from taskdoctor.collectors.logs.blocks import LINE_BYTES_MAX
from taskdoctor.collectors.logs.following import follow
from taskdoctor.collectors.logs.inputs import find_inputs
from taskdoctor.errors import UnreadableError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "server.log"
    path.write_bytes(b"old 1\nold 2\n")
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def followed(path: Path, *steps: Callable[[], object], from_byte: int | None = None) -> list[bytes]:
    """What comes out if `steps` happen one by one, a look after each."""
    waiting = list(steps)
    lines = follow(
        find_inputs([str(path)])[0][0],
        from_byte=from_byte,
        stop=lambda: not waiting,
        sleep=lambda _seconds: waiting.pop(0)(),
    )
    return list(lines)


def test_only_what_is_appended(path: Path) -> None:
    assert followed(path, lambda: append(path, b"new 1\nnew"), lambda: append(path, b" 2\n")) == [b"new 1", b"new 2"]


def test_from_where_reading_ended(path: Path) -> None:
    assert followed(path, lambda: append(path, b"new\n"), from_byte=6) == [b"old 2", b"new"]


def test_a_line_that_was_half_written_at_the_start(path: Path) -> None:
    append(path, b"half ")
    assert followed(path, lambda: append(path, b"line\n")) == [b"half line"]


def test_rotation_by_renaming(path: Path) -> None:
    def rotate() -> None:
        append(path, b"last of the old\nunfinished")
        path.rename(path.with_name("server.log.1"))
        path.write_bytes(b"first of the new\n")

    assert followed(path, rotate, lambda: append(path, b"second\n")) == [
        b"last of the old",
        b"unfinished",
        b"first of the new",
        b"second",
    ]


def test_the_old_file_is_read_while_no_new_one_is_there(path: Path) -> None:
    old = path.with_name("server.log.1")
    steps = (
        lambda: path.rename(old),
        lambda: append(old, b"still to the old\n"),
        lambda: path.write_bytes(b"new\n"),
    )
    assert followed(path, *steps) == [b"still to the old", b"new"]


def test_a_file_that_goes_and_comes_back(path: Path) -> None:
    assert followed(path, path.unlink, lambda: None, lambda: path.write_bytes(b"back\n")) == [b"back"]


def test_truncation_starts_anew(path: Path) -> None:
    def truncate() -> None:
        os.truncate(path, 0)
        append(path, b"anew\n")

    assert followed(path, truncate, lambda: append(path, b"more\n")) == [b"anew", b"more"]


def test_utf16_goes_on_as_utf8(path: Path) -> None:
    path.write_bytes(b"\xff\xfe" + "旧\n".encode("utf-16-le"))
    new = "新的\n".encode("utf-16-le")
    assert followed(path, lambda: append(path, new[:3]), lambda: append(path, new[3:])) == ["新的".encode()]


def test_an_empty_file_that_begins_with_a_mark(path: Path) -> None:
    path.write_bytes(b"")
    assert followed(path, lambda: append(path, b"\xef\xbb\xbfone\r\n")) == [b"one\r"]


def test_an_endless_line_is_cut(path: Path) -> None:
    piece = b"y" * (LINE_BYTES_MAX // 2)
    steps = [lambda: append(path, piece)] * 5
    lines = followed(path, *steps, lambda: append(path, b"\nnext\n"))
    assert [len(line) for line in lines] == [LINE_BYTES_MAX, 4]


def test_closing_the_generator_ends_it(path: Path) -> None:
    lines = follow(find_inputs([str(path)])[0][0], sleep=lambda _seconds: append(path, b"line\n"))
    assert next(lines) == b"line"
    lines.close()
    assert list(lines) == []


def test_with_a_real_writer(path: Path) -> None:
    stopped = threading.Event()
    item = find_inputs([str(path)])[0][0]
    written = [b"line %d" % number for number in range(200)]

    def write() -> None:
        for number, line in enumerate(written):
            append(path, line + b"\n")
            if number == 100:
                path.rename(path.with_name("server.log.1"))

    got: list[bytes] = []
    deadline_s = time.monotonic() + 20.0  # a lost line must fail the test, not hang it
    writer = threading.Thread(target=write)

    def wait(_seconds: float) -> None:
        if writer.ident is None:
            writer.start()  # once the file is open
        stopped.wait(0.001)

    lines = follow(item, stop=lambda: stopped.is_set() or time.monotonic() > deadline_s, sleep=wait)
    for line in lines:
        got.append(line)
        if line == written[-1]:
            stopped.set()
    writer.join()
    assert got[-1] == written[-1]
    assert set(got) <= set(written)


def test_standard_input_ends_with_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"one\ntwo\nhalf")))
    monkeypatch.setattr("sys.stdin", stdin)
    assert list(follow(find_inputs(["-"])[0][0])) == [b"one", b"two", b"half"]


def test_packed_files_do_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "server.log.gz"
    path.write_bytes(b"\x1f\x8b\x08" + bytes(20))
    with pytest.raises(UnreadableError, match="does not grow"):
        follow(find_inputs([str(path)])[0][0])
