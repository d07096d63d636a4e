"""The user's own patterns, and the checker that keeps every pattern linear."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdoctor.collectors.logs import linear
from taskdoctor.collectors.logs.event import extract, find
from taskdoctor.collectors.logs.patterns import find_config, user_events
from taskdoctor.errors import Exit, UsageError
from taskdoctor.model import Form, Lane


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+",
        r"(a|aa)*x",
        r"(?:ab|a[b-z])+(?:ab|abab)+x",
        r"(?:.?a)*b",
        r"(?:a*){3}",
        r"(?:x+y?)+",
        r"\d+\d+",
        r".*.*",
        r"\w+\d+",
        r"a*b?a*",
        r"(?:\d+\.?)+",
        r"(?:a?)*",
        r"(?:x*y*)*",
        r"(\w{1,40}_?){1,40}",
        r"(?:a{1,40}){3}",
        r"(?:(?:(?:aa){0,3}){3}){0,3}",
        r"(?:a{0,100}b?){0,100}",
        r"(a)\1",
        r"(?P<a>x)(?P=a)",
        r"(?=x)y",
        r"(?<!x)y",
        r"(x)?(?(1)a|b)",
        r".*a.*b",
        r"one.*two.*three.*four",
        r"\w+\d\w+",
        r"(?i)(?:ab|Ac)+x|(?:[a-c]+)+",
        "a" * 7000,
    ],
)
def test_what_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(linear.NotLinearError):
        linear.check(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"took (?P<seconds>[\d.]+)s",
        r"turn .* took (?P<ms>\d+(?:\.\d+)?)ms",
        r"turn .* took .* long",
        r"(?:a|b)+x",
        r"(?:foo|fob)+x",
        r"(?:a{0,100}b){0,100}x",
        r"(?:\d{1,3},)+x",
        r"[^,]*,[^,]*,[^,]*,[^,]*,x",
        r"^\[\w+\] \S+ \S+ (?P<value>\d+)$",
        r"(?i)Turn (?P<key>\w+) .*?: (?P<duration>\d\S+)",
        r"(?:first|second) step .{0,40}",
        r"耗时[:：](?P<seconds>[\d.]+)秒",
    ],
)
def test_ordinary_patterns_pass(pattern: str) -> None:
    linear.check(pattern)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        (r"took (?P<seconds>[\d.]+)s", ("took ",)),
        (r"turn (\d+) is finished after (\d+)", (" is finished after ",)),
        (r"(?:turn|conversation) took", (" took",)),
        (r"(?i)took (\d+)", ()),
        (r"a.*b.*c", ()),
        (r"耗时(?P<seconds>\d+)", ("耗时",)),
        (r"(?:long word)?x", ()),
        (r"(?:long word )+x", ("long word ",)),
        (r"ab\b cd(?P<value>\d)", ("ab cd",)),
    ],
)
def test_the_longest_text_of_every_match(pattern: str, literals: tuple[str, ...]) -> None:
    assert linear.required_literals(pattern) == literals


@given(
    st.from_regex(r"(?:[ab]|a\||\(a\)|[ab][+*?]|\[ab\]|\.|a\{2,3\}){1,8}", fullmatch=True), st.text("abc", max_size=12)
)
def test_literals_stand_in_every_match(pattern: str, text: str) -> None:
    try:
        literals = linear.required_literals(pattern, min_bytes=1)
    except (re.error, linear.NotLinearError):
        return
    match = re.search(pattern, text)
    assert match is None or all(literal in text for literal in literals)


@given(st.text(max_size=40))
def test_any_text_is_judged(pattern: str) -> None:
    with contextlib.suppress(re.error, linear.NotLinearError, OverflowError):
        linear.check(pattern)


# --- from the command line ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "line", "seconds"),
    [
        (r"took (?P<seconds>[\d.]+)s", "a turn took 1.5s", 1.5),
        (r"took (?P<ms>[\d.]+) ms", "a turn took 1500 ms", 1.5),
        (r"took (?P<us>\d+)us", "took 1500000us", 1.5),
        (r"took (?P<minutes>[\d.]+) min", "took 0.5 min", 30.0),
        (r"took (?P<duration>\S+)", "took 1m2.5s", 62.5),
    ],
)
def test_a_length_becomes_an_operation(pattern: str, line: str, seconds: float) -> None:
    [event] = user_events([f"turn={pattern}"])
    assert (event.kind, event.lane, event.form, event.label) == ("user-turn", Lane.OPERATION, Form.SPAN, "turn")
    assert event.literals == ("took ",)
    assert not event.slow_lane
    match = find(event, line)
    assert match is not None
    assert extract(event, match).seconds == pytest.approx(seconds)


def test_a_value_becomes_a_level() -> None:
    [event] = user_events([r"rooms=(?P<value>\d+) rooms open"])
    match = find(event, "17 rooms open")
    assert event.form is Form.LEVEL
    assert match is not None
    assert extract(event, match).value == 17


def test_start_and_end_make_a_pair() -> None:
    opened, closed = user_events([r"turn.start=turn (?P<key>\d+) begins", r"turn.end=turn (?P<key>\d+) is over"])
    assert (opened.form, closed.form) == (Form.OPEN, Form.CLOSE)
    assert opened.pair == closed.pair == "user-turn"
    match = find(closed, "turn 17 is over")
    assert match is not None
    assert extract(closed, match).key == "17"


def test_a_pattern_without_a_literal_takes_the_slow_lane() -> None:
    [event] = user_events([r"t=(?P<ms>\d+)"])
    assert event.literals == ()
    assert event.slow_lane


def test_the_users_pattern_counts_in_foreign_text_too() -> None:
    [event] = user_events([r"turn=took (?P<seconds>\d+)s"])
    assert find(event, "reply: took 3s") is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([r"took (\d+)s"], "has no name"),
        ([r"turn=took (\d+)s"], "no group for the value"),
        ([r"turn=took (?P<seconds>\d+"], "not a valid regular expression"),
        ([r"turn=(?P<seconds>(\d+)+)s"], "could take very long"),
        ([r"turn=.*.*took (?P<seconds>\d+)s"], "could take very long"),
        ([r"my turn=took (?P<seconds>\d+)s"], "no name for a pattern"),
        ([r"=took (?P<seconds>\d+)s"], "no name for a pattern"),
        ([r"turn.start=begins"], "needs a start and an end"),
        ([r"turn.start=turn (?P<key>\d+)", r"turn.end=over"], "in only one of"),
        ([r"turn=a (?P<ms>\d+)", r"turn=b (?P<ms>\d+)"], "given twice"),
        ([r"turn=a (?P<ms>\d+)", r"turn.end=b"], "given twice"),
        ([r"a-b=a (?P<ms>\d+)", r"a_b=b (?P<ms>\d+)"], "the same name"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(options: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        user_events(options)
    assert words in str(caught.value)
    assert caught.value.code is Exit.USAGE


# --- from a file --------------------------------------------------------------------------------------------------


def test_pyproject_and_taskdoctor_toml_say_the_same(tmp_path: Path) -> None:
    table = (
        "turn = 'took (?P<seconds>[\\d.]+)s'\njob = { start = 'job (?P<key>\\w+) on', end = 'job (?P<key>\\w+) off' }\n"
    )
    pyproject, own = tmp_path / "pyproject.toml", tmp_path / "taskdoctor.toml"
    pyproject.write_text("[tool.taskdoctor.patterns]\n" + table)
    own.write_text("[patterns]\n" + table)
    events = user_events(config=pyproject)
    assert [event.kind for event in events] == ["user-job-started", "user-job-finished", "user-turn"]
    assert user_events(config=own) == events


def test_the_command_line_wins(tmp_path: Path) -> None:
    own = tmp_path / "taskdoctor.toml"
    own.write_text("[patterns]\nturn = 'took (?P<seconds>\\d+)s'\n")
    [event] = user_events([r"turn=lasted (?P<ms>\d+)"], config=own)
    assert event.literals == ("lasted ",)


@pytest.mark.parametrize(
    "text",
    [
        "[patterns",
        "patterns = 3",
        "[patterns]\nturn = 3",
        "[patterns]\nturn = { start = 'a' }",
        "[patterns]\nturn = ['a']",
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    own = tmp_path / "taskdoctor.toml"
    own.write_text(text)
    with pytest.raises(UsageError):
        user_events(config=own)


def test_a_file_without_patterns_has_none(tmp_path: Path) -> None:
    own = tmp_path / "pyproject.toml"
    own.write_text("[project]\nname = 'x'\n")
    assert user_events(config=own) == ()
    with pytest.raises(UsageError):
        user_events(config=tmp_path / "missing.toml")


def test_the_nearest_configuration_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.taskdoctor.patterns]\n")
    (deep / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find_config(deep) == tmp_path / "pyproject.toml"
    (tmp_path / "a" / "taskdoctor.toml").write_text("")
    assert find_config(deep) == tmp_path / "a" / "taskdoctor.toml"
