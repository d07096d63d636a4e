"""Formats prove themselves: each sample is read as it says, by its own format and no other."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskdoctor.collectors.logs.formats import all_formats
from taskdoctor.collectors.logs.prefix import Format, Line, LineParser, Sample, dateless, fits, recognise

REFERENCE_S = datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp()
CASES = [(shape, sample) for shape in all_formats() for sample in shape.samples]
NAMES = [f"{shape.name}-{number}" for shape in all_formats() for number, _ in enumerate(shape.samples)]


def parser(*formats: Format) -> LineParser:
    return LineParser(formats, reference_s=REFERENCE_S)


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def parse(line: str | bytes) -> Line:
    return parser().parse(line if isinstance(line, bytes) else line.encode())


@pytest.mark.parametrize(("shape", "sample"), CASES, ids=NAMES)
def test_sample_is_read_as_it_says(shape: Format, sample: Sample) -> None:
    line = parse(sample.line)
    if sample.at:
        assert line.at_s == pytest.approx(epoch(sample.at), abs=1e-5)
    else:
        assert line.at_s is None
    told = (line.message, line.level, line.logger, line.worker, line.continued)
    assert told == (sample.message, sample.level, sample.logger, sample.worker, sample.continued)
    assert line.format == (sample.format or shape.name)


@pytest.mark.parametrize(("shape", "sample"), CASES, ids=NAMES)
def test_sample_fits_exactly_one_format(shape: Format, sample: Sample) -> None:
    line = sample.line.encode()
    assert [other.name for other in all_formats() if fits(other, line, reference_s=REFERENCE_S)] == [shape.name]


@pytest.mark.parametrize("shape", all_formats(), ids=lambda shape: shape.name)
def test_format_is_proven_and_opens_as_it_says(shape: Format) -> None:
    assert shape.samples
    for sample in shape.samples:
        first = re.sub(r"\x1b\[[0-9;]*m", "", sample.line)[0]
        assert not shape.opens or first in shape.opens


@pytest.mark.parametrize(("shape", "sample"), CASES, ids=NAMES)
def test_recognised_formats_give_the_same_answer(shape: Format, sample: Sample) -> None:
    line = sample.line.encode()
    found = recognise([line] * 3, reference_s=REFERENCE_S)
    assert shape in found
    assert parser(*found).parse(line) == parse(line)
    assert parser(*found).stamp(line) == parse(line).at_s


def test_recognise_puts_the_most_frequent_first() -> None:
    head = [b"WARNING:svc:slow", b"INFO:     ready", b"INFO:     up", b"Traceback (most recent call last):"]
    assert [shape.name for shape in recognise(head, reference_s=REFERENCE_S)] == ["uvicorn", "stdlib-basic"]
    wrapped = [b"web-1  | 2026-03-04 10:11:12.345 | INFO     | a:b:1 - x"]
    assert [shape.name for shape in recognise(wrapped, reference_s=REFERENCE_S)] == ["docker-compose", "loguru"]
    assert [shape.name for shape in recognise([b"2026/03/04 10:11:12 x"], reference_s=REFERENCE_S)] == ["generic"]


@pytest.mark.parametrize(
    ("line", "at", "message", "level", "worker"),
    [
        ("2026/03/04 10:11:12 http: panic", "2026-03-04T10:11:12", "http: panic", "", ""),
        ("2026-03-04 10:11:12.345 UTC [851] LOG:  x", "2026-03-04T10:11:12.345", "LOG:  x", "", "851"),
        ("04-Mar-2026 10:11:12.345 INFO x", "2026-03-04T10:11:12.345", "x", "INFO", ""),
        ("04/03/2026 10:11:12 x", "2026-03-04T10:11:12", "x", "", ""),
        ("03/14/2026 10:11:12 x", "2026-03-14T10:11:12", "x", "", ""),
        ("[Wed Mar  4 10:11:12 2026] Out of memory", "2026-03-04T10:11:12", "Out of memory", "", ""),
        ("Mar  4 10:11:12 x", "2026-03-04T10:11:12", "x", "", ""),
        ("Dec 31 10:11:12 2024 x", "2024-12-31T10:11:12", "x", "", ""),
        ("[04/Mar/2026:12:11:12 +0200] x", "2026-03-04T10:11:12", "x", "", ""),
        ("1772619072 x", "2026-03-04T10:11:12", "x", "", ""),
        ("[1772619072345] (MainThread) x", "2026-03-04T10:11:12.345", "x", "", "MainThread"),
        ("myapp[12] 2026-03-04 10:11:12 [worker-2] [error] x", "2026-03-04T10:11:12", "x", "ERROR", "worker-2"),
        ("10:11:12.345 WARNING x", "2026-03-05T10:11:12.345", "x", "WARNING", ""),
        ("2026-03-04T10:11:12+0530 x", "2026-03-04T04:41:12", "x", "", ""),
    ],
)
def test_unknown_formats_still_have_a_time(line: str, at: str, message: str, level: str, worker: str) -> None:
    read = parse(line)
    assert read.format in {"generic", "generic-time"}
    assert read.at_s == pytest.approx(epoch(at), abs=1e-6)
    assert (read.message, read.level, read.worker) == (message, level, worker)


@pytest.mark.parametrize(
    "line",
    [
        "user said: at 2026-03-04 10:11:12 it was slow",
        "Meeting at 2026-03-04 10:11:12 with x",
        "expires=2026-03-04 10:11:12",
        "ValueError: 2026-03-04 10:11:12 is no date",
        "    since 2026-03-04 10:11:12",
        "2026-02-31 10:11:12 there is no such day",
        "2026-03-04 25:11:12 no such hour",
        "[12345.678901] usb 1-1: seconds since boot",
        "Traceback (most recent call last):",
        "gc: done, 3 unreachable, 0 uncollectable, 0.0834s elapsed",
        '{"jsonrpc": "2.0", "method": "x"}',
        '{"level": "info", "ts": ',
        "",
        "\r",
    ],
)
def test_no_stamp_where_the_line_has_none(line: str) -> None:
    read = parse(line)
    assert read.at_s is None
    assert read.format == ""
    assert read.message == line.rstrip("\r")


def test_dateless_formats_say_so() -> None:
    assert dateless(parse("10:11:12 x").format)
    assert dateless("litellm")
    assert not dateless("loguru")
    assert not dateless("generic")


def test_a_wrapper_lends_its_date_to_a_time_of_day() -> None:
    read = parse("2026-03-04T10:11:12.345678901Z stderr F 10:11:12 - LiteLLM:INFO: slow")
    assert read.at_s == pytest.approx(epoch("2026-03-04T10:11:12.345678"), abs=1e-5)
    assert (read.message, read.logger, read.format) == ("slow", "LiteLLM", "cri")


def test_a_bare_stamp_takes_its_zone_from_the_wrapper() -> None:
    inner = '{{"log":"2026-03-04 {} | INFO     | a:b:1 - x\\n","stream":"stdout","time":"2026-03-04T10:11:12.5Z"}}'
    assert parse(inner.format("18:11:10.250")).at_s == epoch("2026-03-04T10:11:10.25")
    assert parse(inner.format("10:08:12.000")).at_s == epoch("2026-03-04T10:08:12")
    assert parse(inner.format("18:11:10.250")).zoned


@pytest.mark.parametrize(
    ("stamp", "resolution_s"),
    [("10:11:12", 1.0), ("10:11:12.345", 0.001), ("10:11:12,345678", 1e-6), ("10:11:12.345678901", 1e-6)],
)
def test_resolution_follows_the_digits(stamp: str, resolution_s: float) -> None:
    assert parse(f"2026-03-04 {stamp} x").resolution_s == resolution_s


@pytest.mark.parametrize(
    ("value", "at", "resolution_s"),
    [
        ("1772619072", "2026-03-04T10:11:12", 1.0),
        ("1772619072345", "2026-03-04T10:11:12.345", 0.001),
        ("1772619072345000", "2026-03-04T10:11:12.345", 1e-6),
        ("1772619072345000000", "2026-03-04T10:11:12.345", 1e-6),
        ("1772619072.5", "2026-03-04T10:11:12.5", 1e-6),
        ('"2026-03-04T12:11:12.345+02:00"', "2026-03-04T10:11:12.345", 0.001),
        ('"1772619072345"', "2026-03-04T10:11:12.345", 0.001),
        ('"04/Mar/2026:10:11:12 +0000"', "2026-03-04T10:11:12", 1.0),
    ],
)
def test_json_times(value: str, at: str, resolution_s: float) -> None:
    read = parse(f'{{"ts": {value}, "msg": "x"}}')
    assert read.at_s == pytest.approx(epoch(at), abs=1e-6)
    assert read.resolution_s == resolution_s


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "true", "null", "[]", '"soon"', "1e400", "9" * 5000])
def test_json_times_that_are_none(value: str) -> None:
    assert parse(f'{{"ts": {value}, "msg": "x"}}').at_s is None


def test_json_extras_are_bounded_and_small_ones_survive() -> None:
    line = json.dumps({"msg": "slow", "ts": 1772619072, "prompt": "a b" * 4000, "took_ms": 812.4})
    assert parse(line).message == "slow took_ms=812.4"


def test_json_nested_too_deep_is_text() -> None:
    assert parse('{"msg":' + "[" * 200_000).format == ""


@pytest.mark.parametrize(
    "dirty",
    [
        "a\x1b[31mb\x1b[0mc",
        "a\x1b]0;title\x07bc",
        "a\x1b]8;;http://x\x1b\\bc",
        "ab\x1b]c",
        "a\x00b\x07c",
        "a\x9b31mbc",
        "a\u202ebc",
        "abc\r",
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(dirty: str) -> None:
    line = parse(f"2026-03-04 10:11:12.345 | INFO     | a:b:1 - {dirty}")
    assert (line.message, line.format) == ("abc", "loguru")
    inner = json.dumps({"ts": 1772619072, "msg": dirty})
    assert parse(inner).message == "abc"


def test_broken_bytes_are_replaced() -> None:
    assert parse(b"INFO:     \xff\xfe \xe4\xbd\xa0").message == "\ufffd\ufffd 你"
    assert parse(b"\x00\x00\x00INFO:     up").message == "up"
    assert parse(b'{"ts": 1772619072, "msg": "\\ud83d"}').message == "\ufffd"


def test_missing_years_never_lie_in_the_future() -> None:
    assert parse("Mar 06 10:11:12 host a[1]: x").at_s == epoch("2026-03-06T10:11:12")
    assert parse("Mar 07 10:11:12 host a[1]: x").at_s == epoch("2025-03-07T10:11:12")
    assert parse("Feb 29 10:11:12 host a[1]: x").at_s == epoch("2024-02-29T10:11:12")


def test_wrappers_nest_to_a_limit() -> None:
    assert parse("web-1  | " * 3 + "INFO:     up").message == "up"
    assert parse("web-1  | " * 1000 + "INFO:     up").message.startswith("web-1")


LINES = [sample.line.encode() for _, sample in CASES]
TAILS = [
    b" ",
    b" x",
    b"Z",
    b" Z",
    b" UTC x",
    b"+0200",
    b" - x",
    b" -0300 x",
    b" +01:00",
    b",5",
    b".345",
    b".345 ",
    b"] x",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sample with a piece cut out, doubled, replaced, or with something before or after it."""
    line = draw(st.sampled_from(LINES))
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(len(line), start + 12)))
    piece = draw(st.sampled_from([b"", line[start:end] * 2, *TAILS]) | st.binary(max_size=6))
    return line[:start] + piece + line[end:]


@st.composite
def stamped(draw: st.DrawFn) -> bytes:
    """Something that begins like a stamp and may go on like anything."""
    head = draw(st.sampled_from([b"2026-03-04 10:11:12", b"2026-03-04T10:11:12", b"2026-03-04 10:11:72", b"10:11:12"]))
    tails = draw(
        st.lists(st.sampled_from([*TAILS, b" | INFO", b' [04/Mar/2026:10:11:12 +0000] "G', b"\x1b[0m"]), max_size=4)
    )
    return head + b"".join(tails)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200) | damaged() | stamped())
def test_any_bytes_are_read_and_stamp_agrees(line: bytes) -> None:
    used = parser()
    read = used.parse(line)
    assert used.stamp(line) == read.at_s
    assert parser().stamp(line) == read.at_s
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in read.message + read.worker + read.logger)
    assert read.level in {"", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    assert read.at_s is None or 0 < read.resolution_s <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(damaged() | stamped(), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_earlier_lines(lines: list[bytes], random: Random) -> None:
    used = parser()
    expected = {line: parser().parse(line) for line in lines}
    random.shuffle(lines)
    assert all(used.parse(line) == expected[line] for line in lines)


@pytest.mark.parametrize(
    "unit",
    [b"[", b"a", b"1", b" | {", b'a="', b"web-1  | ", b"\x1b]", b"\x1b[", b"\xc2\x9d", b": ", b"- ", b"a.", b"2026-"],
)
def test_long_hostile_lines_end(unit: bytes) -> None:
    for head in (b"", b"2026-03-04 10:11:12.345 | INFO | a:b:1 | ", b"[2026-03-04 10:11:12] ", b"time=1 msg="):
        line = head + unit * (200_000 // len(unit)) + b"}"
        assert parser().stamp(line) == parser().parse(line).at_s
