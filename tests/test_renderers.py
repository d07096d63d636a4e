"""What a verdict looks like: never wider than asked, no control character, and a document that keeps its schema."""

from __future__ import annotations

import io
import json
import math
import re
import unicodedata
from dataclasses import replace
from typing import TypeVar

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from taskdoctor.model import (
    Cause,
    Connections,
    ErrorLine,
    Evidence,
    Example,
    Finding,
    Fix,
    GcPause,
    GcSummary,
    Grade,
    Interval,
    LaneRow,
    Layer,
    Operation,
    Place,
    Priority,
    Report,
    Risk,
    Severity,
    SlowOperation,
    Source,
    Status,
    TaskSummary,
    Verdict,
)
from taskdoctor.renderers import page, plain_lines, plain_text
from taskdoctor.renderers.document import document, dumps, schema
from taskdoctor.renderers.screen import charts
from taskdoctor.renderers.screen.glyphs import ASCII, UNICODE, glyphs_for
from taskdoctor.renderers.terminal import print_verdict, render, wants_color, width_of
from taskdoctor.renderers.words import chance, clock, duration, instant, percent, size
from tests import samples_of_verdicts as samples

VERDICTS = samples.all_verdicts()
WIDTHS = (40, 80, 120, 200)
SGR = re.compile(r"\x1b\[[0-9;]*m")
VALIDATOR = jsonschema.Draft202012Validator(schema())

CAUSE = Cause(
    id="gc-pause",
    title="The garbage collector stops everything",
    layer=Layer.GC,
    lanes=(),
    prior_held=0.09,
    prior_free=0.0,
    claims=lambda _: (),
    why="A full collection walks all objects.\nThe loop waits.\n\n- many objects make it long\n- `gc.collect()` too",
    check="Set `gc.disable()` on one worker.",
    fix=samples.FREEZE,
    blind_why="A log shows it only if the service writes it.",
    blind_how="gc.callbacks.append(log_gc)",
    leads_to=("blocking-call",),
    more="Dangers:\n\n    gc.freeze()  # never collected again",
    examples=(
        Example("10:11:12 gc: done, 1.84s elapsed", True),
        Example("10:11:12 gc: done, 0.001s elapsed", False, "short"),
    ),
)


def assert_harmless(text: str, width: int, *, color: bool = False) -> None:
    """No line wider than asked; nothing that a terminal obeys, colours apart."""
    bare = SGR.sub("", text) if color else text
    for line in bare.split("\n"):
        assert cell_len(line) <= width, line
        assert all(unicodedata.category(char)[0] != "C" for char in line), ascii(line)
        assert line == line.rstrip()


class Stream(io.StringIO):
    """A stream that may be a terminal and may speak little."""

    def __init__(self, *, tty: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self.tty = tty
        self.spoken = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.spoken

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", VERDICTS)
def test_nothing_is_wider_than_the_page_or_obeyed_by_a_terminal(name: str, width: int, verbose: bool) -> None:
    plain = render(VERDICTS[name], width=width, color=False, verbose=verbose)
    colored = render(VERDICTS[name], width=width, color=True, verbose=verbose)
    assert_harmless(plain, width)
    assert_harmless(colored, width, color=True)
    assert SGR.search(colored)
    assert SGR.sub("", colored) == plain


def test_the_verdict_comes_first_and_says_what_to_do() -> None:
    text = render(VERDICTS["everything"], width=120, color=False)
    order = ["Stalls found: GC pauses own", "1 The garbage", "2 The LLM", "Unexplained", "Next", "Timeline", "Risks"]
    order += [
        "Operations",
        "Garbage collector",
        "Tasks",
        "Sessions",
        "Teardown",
        "Errors",
        "What was read",
        "Blind spots",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    for words in (
        "87 % very likely · owns 78 % (64–89 %) · 6 stalls, 9.72 s",
        "(server.log:412, measured)",
        "and 1 more with -v",
        "P0 now: Freeze the heap",
        "taskdoctor explain gc-pause",
        "conversation p95 19.4 s → 6.1 s",
        "the event loop was held in 86 % of that time",
        "2026-03-04 10:11:12 – 10:41:37 (30m25s)",
    ):
        assert words in text
    assert "gc.freeze()" not in text


def test_verbose_shows_the_code_and_all_evidence() -> None:
    text = render(VERDICTS["everything"], width=80, color=False, verbose=True)
    assert "│     gc.freeze()" in text
    assert "server.log:1620" in text
    assert "a log does not show what the scheduler does" in text


def test_risks_come_worst_first() -> None:
    text = render(VERDICTS["everything"], width=80, color=False)
    assert text.index(" high ") < text.index(" low ")


def test_insufficient_evidence_says_what_is_known_and_what_to_run() -> None:
    text = render(VERDICTS["insufficient"], width=100, color=False)
    for words in ("Not enough evidence", "3.31 s late in all", "2 stalls in 30m25s", "held or free: cannot be told"):
        assert words in text
    assert "`taskdoctor attach 127.0.0.1:20101 --until-stalls 4`" in text
    assert "Unexplained" in text


def test_two_close_causes_are_candidates() -> None:
    text = render(VERDICTS["two_close"], width=80, color=False)
    assert "Candidates" in text
    assert "the event loop was free in 52 % of that time" in text
    assert "48 % likely" in text
    assert "43 % likely" in text


def test_healthy_is_a_positive_answer() -> None:
    text = render(VERDICTS["healthy"], width=80, color=False)
    assert "✓ Healthy" in text
    assert "Nothing stalled in 30m25s: the service kept to its own normal." in text
    assert "Unexplained" not in text


def test_markup_is_text() -> None:
    verdict = replace(samples.one_cause(), summary="[bold red]not red[/bold red] [/]")
    assert "[bold red]not red[/bold red] [/]" in render(verdict, width=80, color=True)


def test_lanes_stand_under_the_stalls_and_show_where() -> None:
    start = samples.START_S
    window = Interval(start, start + 68)
    rows = (LaneRow("gc-pause", (Interval(start + 67, start + 68),)), LaneRow("stalls", (Interval(start, start + 1),)))
    verdict = replace(samples.one_cause(), window=window, report=Report(timeline=rows))
    lines = render(verdict, width=80, color=False).split("\n")
    at = lines.index("Timeline")
    stalls, owner, axis = lines[at + 1 : at + 4]
    assert stalls.startswith(" stalls    █·")
    assert owner.startswith(" gc-pause  ·")
    assert owner.endswith("·█")
    assert axis.split() == ["10:11:12", "10:12:20"]
    assert len(stalls) == len(owner) == len(axis) == 79


def test_ascii_page_where_blocks_cannot_be_written() -> None:
    stream = Stream(encoding="ascii")
    print_verdict(samples.everything(), stream, environ={})
    text = stream.getvalue()
    assert text.isascii()
    assert "?" not in text
    assert "p95 19.4 s -> 6.1 s" in text
    assert_harmless(text, 80)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk", "utf-8", "utf-16"])
def test_no_encoding_breaks_the_page(encoding: str) -> None:
    stream = Stream(encoding=encoding)
    print_verdict(samples.hostile(), stream, verbose=True, environ={"COLUMNS": "60"})
    assert_harmless(stream.getvalue(), 60)


def test_glyphs_follow_the_encoding() -> None:
    assert glyphs_for("utf-8") is UNICODE
    assert glyphs_for("ascii") is ASCII
    assert glyphs_for("no-such-encoding") is ASCII
    for glyphs in (UNICODE, ASCII):
        signs = glyphs.ramp + glyphs.nothing + glyphs.full + glyphs.rest
        assert len(glyphs.ramp) == 8
        assert all(cell_len(sign) == 1 for sign in signs)


@pytest.mark.parametrize(
    ("environ", "tty", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_follows_the_usual_wishes(environ: dict[str, str], tty: bool, expected: bool) -> None:
    assert wants_color(Stream(tty=tty), environ) is expected


@pytest.mark.parametrize(
    ("columns", "expected"), [("", 80), ("100", 100), ("0", 80), ("-5", 80), ("wide", 80), ("²", 80)]
)
def test_width_follows_columns_and_is_80_in_a_pipe(columns: str, expected: int) -> None:
    assert width_of(Stream(), {"COLUMNS": columns}) == expected


def test_a_terminal_without_a_size_still_has_a_width() -> None:
    assert width_of(Stream(tty=True), {}) == 80


@pytest.mark.parametrize("name", VERDICTS)
def test_the_document_keeps_its_schema(name: str) -> None:
    text = dumps(VERDICTS[name], command="logs")
    assert text.isascii()
    loaded = json.loads(text)
    VALIDATOR.validate(loaded)
    assert loaded == document(VERDICTS[name], command="logs")


def test_the_schema_is_a_schema_and_strict() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    loaded = json.loads(dumps(samples.everything(), command="logs"))
    for place in (loaded, loaded["verdict"], loaded["verdict"]["causes"][0], loaded["verdict"]["causes"][0]["fix"]):
        place["surprise"] = 1
        assert not VALIDATOR.is_valid(loaded)
        del place["surprise"]
    assert VALIDATOR.is_valid(loaded)


def test_the_document_says_what_the_verdict_says() -> None:
    loaded = json.loads(dumps(samples.everything(), command="logs"))
    verdict = loaded["verdict"]
    assert loaded["schema_version"] == 1
    assert loaded["window"]["start"] == "2026-03-04T10:11:12.000+00:00"
    assert loaded["window"]["seconds"] == 1825.0
    assert verdict["status"] == "stalls-found"
    assert [cause["cause"] for cause in verdict["causes"]] == ["gc-pause", "upstream-latency"]
    assert verdict["causes"][0]["evidence"][0]["kind"] == "measured"
    assert verdict["causes"][0]["fix"]["after"] == samples.FREEZE.after
    assert [risk["severity"] for risk in verdict["risks"]] == ["high", "low"]
    assert loaded["gc"]["collections"] == {"0": 1204, "1": 109, "2": 9}
    assert loaded["operations"][0]["slow"][0]["owners"]["gc-pause"] == 12.1
    assert loaded["processes"] is None
    assert loaded["host"] is None


@pytest.mark.parametrize("name", ["one_cause", "two_close", "insufficient", "everything"])
def test_probabilities_and_the_unexplained_sum_to_one(name: str) -> None:
    verdict = json.loads(dumps(VERDICTS[name], command="logs"))["verdict"]
    total = verdict["unexplained_probability"] + sum(cause["probability"] for cause in verdict["causes"])
    assert total == pytest.approx(1)


def test_the_core_keys_are_those_of_the_contract() -> None:
    loaded = document(samples.empty(), command="logs")
    core = [
        "schema_version",
        "taskdoctor",
        "command",
        "window",
        "verdict",
        "tasks",
        "gc",
        "operations",
        "processes",
        "host",
    ]
    assert list(loaded)[: len(core)] == core
    assert all(loaded[key] is None for key in ("window", "tasks", "gc", "operations"))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b]0;never ends", "0;never ends"),
        ("a\x1b", "a\\x1b"),
        ("a\x00b\x07", "a\\x00b\\x07"),
        ("one\r\ntwo\tthree", "one two three"),
        ("\u202eabc", "\\u202eabc"),
        ("bad\udcff", "bad\\udcff"),
        ("⚠\ufe0f 👨\u200d👩", "⚠ 👨👩"),
        ("z" + "\u0301" * 40, "z" + "\u0301" * 3),
        ("中文日志", "中文日志"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("\U000e0041", "\\U000e0041"),
        ("", ""),
    ],
)
def test_plain_text(raw: str, expected: str) -> None:
    assert plain_text(raw) == expected


@given(st.text(st.characters(codec=None), max_size=300), st.integers(1, 60))
def test_plain_text_is_always_short_and_harmless(raw: str, limit: int) -> None:
    shown = plain_text(raw, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert plain_text(shown, limit) == shown


def test_long_text_is_cut_once() -> None:
    assert plain_text("x" * 100_000, 10) == "x" * 9 + "…"
    assert plain_lines("a\n" * 500, 3) == ["a", "a", "a", "…"]
    assert plain_lines("if x:\n\treturn\x1b[0m\n") == ["if x:", "    return"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"), (0.000001, "<0.01 ms"), (0.00043, "0.43 ms"), (0.0043, "4.3 ms"), (0.043, "43 ms"),
        (0.9994, "999 ms"), (0.9996, "1.00 s"), (1.84, "1.84 s"), (9.996, "10.0 s"), (59.94, "59.9 s"),
        (59.96, "1m00s"), (125, "2m05s"), (3599.7, "1h00m"), (3720, "1h02m"), (183_600, "2d03h"),
        (-1.5, "-1.50 s"), (math.nan, "?"), (math.inf, "?"),
    ],
)  # fmt: skip
def test_duration(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.0, "0 % possible"), (0.399, "40 % possible"), (0.4, "40 % likely"), (0.69, "69 % likely"),
        (0.7, "70 % very likely"), (0.9, "90 % very likely"), (0.91, "91 % almost certain"),
        (1.0, "99 % almost certain"),
    ],
)  # fmt: skip
def test_a_probability_has_its_word(probability: float, expected: str) -> None:
    assert chance(probability) == expected


def test_shares_sizes_and_times() -> None:
    assert [percent(share) for share in (0, 0.001, 0.5, 0.997, 1, math.nan)] == [
        "0 %",
        "<1 %",
        "50 %",
        ">99 %",
        "100 %",
        "?",
    ]
    assert [size(count) for count in (0, 999, 1_234_567, 10**13)] == ["0 B", "999 B", "1.2 MB", "10.0 TB"]
    assert clock(samples.START_S) == "10:11:12"
    assert [instant(at).year for at in (math.inf, -math.inf, 1e300, math.nan)] == [9999, 1, 9999, 1970]


def test_covered_counts_overlaps_once() -> None:
    window = Interval(0.0, 10.0)
    intervals = [Interval(0.0, 2.0), Interval(1.0, 2.0), Interval(5.0, 5.0), Interval(9.0, 99.0), Interval(-9.0, -5.0)]
    seconds = charts.covered(intervals, window, 10)
    assert seconds[:3] == [1.0, 1.0, pytest.approx(0, abs=1e-5)]
    assert seconds[5] > 0
    assert seconds[9] == 1.0


def test_small_things_are_still_drawn() -> None:
    assert charts.levels([0, 1e-9, 0.5, 1], 1, UNICODE) == "·▁▄█"
    assert charts.bar(0.001, 10, UNICODE)[0] == "█"
    assert charts.sparkline([(0, 1), (10, 2), (90, 4)], 3, UNICODE) == "▄▄█"
    assert charts.sparkline([(-math.inf, 1), (0, 2)], 9, UNICODE) == "█"
    assert charts.histogram([(0, 1, 1), (1, 2, 3), (2, 4, 0)], 2, UNICODE) == "█·"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("color", [False, True])
def test_the_page_of_a_cause(width: int, color: bool) -> None:
    text = page.render(CAUSE, width=width, color=color)
    assert_harmless(text, width, color=color)
    bare = SGR.sub("", text)
    order = ["gc-pause", "What", "Why", "Check", "Fix", "before", "after", "Example", "What can't be seen"]
    places = [re.search(rf"(?m)\b{re.escape(words)}$", bare) for words in order]
    assert all(places), places
    assert "• many objects make it long" in bare
    assert "│ gc.freeze()" in bare.replace("    gc", "gc")


def test_the_page_of_a_cause_is_printed_without_colour_in_a_pipe() -> None:
    stream = Stream()
    page.print_page(CAUSE, stream, environ={})
    assert stream.getvalue() == page.render(CAUSE, width=80)


# --- arbitrary verdicts -------------------------------------------------------------------------------------------

T = TypeVar("T")
words = st.text(st.characters(codec=None), max_size=40)
ids = st.sampled_from(["gc-pause", "dns", "task-leak", "unexplained"])
seconds_any = st.floats(allow_nan=True, allow_infinity=True)
shares = st.floats(0, 1)
counts = st.integers(0, 10**9)
intervals_any = st.builds(Interval, seconds_any, seconds_any)
evidences = st.lists(st.builds(Evidence, words, words, st.sampled_from(Grade)), max_size=4).map(tuple)
fixes = st.builds(Fix, words, st.sampled_from(Priority), words, words, words, words)
findings = st.builds(
    Finding, ids, words, shares, shares, st.tuples(shares, shares), counts, seconds_any, words, evidences, words, fixes
)
risks = st.builds(Risk, ids, words, st.sampled_from(Severity), evidences, words, fixes)
series = st.lists(st.tuples(seconds_any, counts), max_size=5).map(tuple)


def some(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


places = st.builds(Place, words, st.none() | counts)
parts = some(st.tuples(ids, seconds_any))
slow_ones = st.builds(SlowOperation, seconds_any, seconds_any, places, parts, words, parts)
times = st.tuples(*[seconds_any] * 4)
operations = st.builds(
    lambda name, count, s, bins, slow, left: Operation(name, count, s[0], s[1], s[2], s[3], bins, slow, left, left),
    words,
    counts,
    times,
    some(st.tuples(seconds_any, seconds_any, counts)),
    some(slow_ones),
    st.none() | seconds_any,
)
three = st.tuples(counts, counts, counts)
pauses = some(st.builds(GcPause, seconds_any, seconds_any, st.none() | st.integers(0, 2), place=st.none() | places))
reports = st.builds(
    Report,
    timeline=some(st.builds(LaneRow, words, some(intervals_any))),
    operations=some(operations),
    gc=st.none()
    | st.builds(
        lambda runs, found, four, share: GcSummary(runs, found, four[0], four[1], four[2], four[3], share, None),
        three,
        pauses,
        times,
        shares,
    ),
    tasks=st.none() | st.builds(TaskSummary, counts, series, st.none() | st.booleans(), counts, counts, counts),
    connections=some(st.builds(Connections, words, counts, counts, counts, series)),
    errors=some(st.builds(ErrorLine, words, counts, places)),
    sources=some(
        st.builds(Source, words, counts, counts, some(st.tuples(words, counts)), shares, st.none() | seconds_any)
    ),
    warnings=some(words),
)
verdicts = st.builds(
    Verdict,
    st.sampled_from(Status),
    words,
    st.none() | intervals_any,
    counts,
    seconds_any,
    seconds_any,
    shares,
    shares,
    st.none() | shares,
    findings=st.lists(findings, max_size=2).map(tuple),
    risks=st.lists(risks, max_size=2).map(tuple),
    next_steps=st.lists(words, max_size=2).map(tuple),
    report=reports,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(verdicts, st.sampled_from([1, 20, 33, 80]), st.booleans())
def test_any_verdict_can_be_shown(verdict: Verdict, width: int, verbose: bool) -> None:
    assert_harmless(render(verdict, width=width, color=False, verbose=verbose), max(width, 20))
    VALIDATOR.validate(json.loads(dumps(verdict, command="logs")))
