"""Log events prove themselves on their samples; readings of whole lines, and the guard against foreign text."""

import importlib
import pkgutil
import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdoctor.collectors.logs import events, linear
from taskdoctor.collectors.logs.event import (
    GENERIC,
    MATCHED_CHARS,
    SPECIFIC,
    Fields,
    LogEvent,
    all_events,
    extract,
    find,
    is_foreign,
    matching,
    normalised,
    parse_duration,
    parse_size,
)
from taskdoctor.collectors.logs.measuring import HINT, measured
from taskdoctor.collectors.logs.subjects import Subject
from taskdoctor.model import Form, Lane

EVENTS = all_events()
BY_KIND = {event.kind: event for event in EVENTS}
each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)


def candidates(message: str) -> list[LogEvent]:
    """What a scanner would look at: by literals, without frames, which count only behind a held loop."""
    return [event for event in EVENTS if not event.follows and any(lit in message for lit in event.literals)]


def spoken(message: str, *own: LogEvent) -> list[tuple[LogEvent | Subject, Fields]]:
    """What a line says, as the scanner reads it: known lines first, then a stranger's numbers."""
    found = matching(message, [*own, *candidates(message)])
    said: list[tuple[LogEvent | Subject, Fields]] = [(event, extract(event, match)) for event, match in found]
    if HINT.search(message) and all(event.form is Form.MARK for event, _ in found):
        said += measured(message)
    return said


def kinds(message: str) -> set[str]:
    return {kind.kind for kind, _ in spoken(message)}


# --- the data ---------------------------------------------------------------------------------------------------


@each_event
def test_samples_match(event: LogEvent) -> None:
    assert event.samples
    for sample in event.samples:
        assert any(literal in sample for literal in event.literals), f"no literal in {sample!r}"
        assert find(event, sample) is not None, sample


@each_event
def test_near_misses_do_not(event: LogEvent) -> None:
    assert event.near_misses
    for miss in event.near_misses:
        assert any(literal in miss for literal in event.literals), f"no literal in {miss!r}: it proves nothing"
        assert find(event, miss) is None, miss


@each_event
def test_samples_carry_what_their_form_promises(event: LogEvent) -> None:
    for sample in event.samples:
        match = find(event, sample)
        assert match is not None
        fields = extract(event, match)
        assert event.form is not Form.SPAN or (fields.seconds is not None and fields.seconds >= 0), sample
        assert event.form is not Form.LEVEL or fields.value is not None, sample
        assert fields.label or event.title


@each_event
def test_patterns_are_linear_and_literals_selective(event: LogEvent) -> None:
    linear.check(event.pattern, linear.OURS)
    assert event.literals
    assert all(len(literal.encode()) >= 4 for literal in event.literals)
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", event.kind)
    assert event.title


def test_kinds_are_unique_and_generic_modules_come_last() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for module in pkgutil.iter_modules(events.__path__):
        names = vars(importlib.import_module(f"{events.__name__}.{module.name}"))
        own = {id(item): item for value in names.values() for item in (value if isinstance(value, tuple) else (value,))}
        for item in own.values():
            if isinstance(item, LogEvent):
                homes[item.kind].add(f"{module.name}:{id(item)}")
                assert (item.priority >= GENERIC) == module.name.startswith("generic"), item.kind
    assert all(len(places) == 1 for places in homes.values())
    assert len(homes) == len(EVENTS)


def test_pairs_have_both_ends() -> None:
    ends: dict[str, set[Form]] = defaultdict(set)
    for event in EVENTS:
        assert bool(event.pair) == (event.form in (Form.OPEN, Form.CLOSE)), event.kind
        if event.pair:
            ends[event.pair].add(event.form)
    assert all(forms == {Form.OPEN, Form.CLOSE} for forms in ends.values())


def test_literals_are_few_and_none_hides_another() -> None:
    literals = {literal for event in EVENTS for literal in event.literals}
    assert len(literals) <= 250
    assert not [(short, long) for short in literals for long in literals if short != long and short in long]


@pytest.mark.parametrize("event", [e for e in EVENTS if e.priority == SPECIFIC], ids=lambda event: event.kind)
def test_where_the_writer_is_known_nothing_generic_counts(event: LogEvent) -> None:
    for sample in event.samples:
        found = [other for other, _ in matching(sample, candidates(sample))]
        assert event in found
        assert all(other.priority == SPECIFIC for other in found)


# --- the first users' lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Conversation total elapsed: 1.842s", {"conversation-elapsed"}),
        ("🗑️  GC start: {'generation': 2, 'collected': 0, 'uncollectable': 0}", {"gc-started"}),
        ("GC stop: {'generation': 2, 'collected': 14, 'uncollectable': 0}", {"gc-stopped"}),
        ("📊 任务统计: 总=17, 活跃=12", {"tasks-counted"}),
        ("📊 任务: 总=17, 活跃=12", {"tasks-counted"}),
        ("⚠️  活跃任务数异常: 41", {"tasks-abnormal"}),
        ("任务数异常: 41", {"tasks-abnormal"}),
        ("Closing ServiceContext...", {"service-context-closing"}),
        ("ServiceContext 清理耗时: 1.204s", {"service-context-cleanup", "service-context-closed"}),
        ("⚠️  清理耗时异常: 2.5s", {"service-context-cleanup"}),
        ("Closing MCPClient... and 4 active connections", {"mcp-connections-at-close"}),
        ("Sweeper loop error: boom", {"sweeper-failed"}),
        ("Queued audio WebSocket message to frontend", {"frontend-send-queued"}),
        ("User input: hello", {"olv-asr-finished", "olv-llm-started"}),
        ("MCPC: Client instance closed.", {"olv-mcp-client-closed", "olv-mcp-teardown-finished"}),
    ],
)
def test_lines_of_the_first_users(line: str, expected: set[str]) -> None:
    assert kinds(line) == expected


def test_gc_pair_shares_its_generation() -> None:
    start, stop = BY_KIND["gc-started"], BY_KIND["gc-stopped"]
    assert start.pair == stop.pair == "gc"
    opened, closed = find(start, start.samples[0]), find(stop, stop.samples[0])
    assert opened is not None
    assert closed is not None
    assert extract(start, opened).key == extract(stop, closed).key == "2"
    assert extract(stop, closed).value == 1523


# --- a stranger's lines -----------------------------------------------------------------------------------------


def test_a_known_line_is_not_measured_besides() -> None:
    assert kinds("Conversation total elapsed: 1.842s") == {"conversation-elapsed"}


@pytest.mark.parametrize(
    ("call", "lane"),
    [
        ("time.sleep(1.2)", Lane.BLOCKING),
        ("requests.get(url)", Lane.BLOCKING),
        ("cursor.execute(sql) [sqlite3]", Lane.BLOCKING),
        ("self._lock.acquire()", Lane.BLOCKING),
        ("future.result()", Lane.BLOCKING),
        ("importlib.import_module(name)", Lane.BLOCKING),
        ("self.stream.write(msg) logging/__init__.py", Lane.LOGGING),
        ("print(text)", Lane.LOGGING),
        ("json.dumps(history)", Lane.COMPUTING),
        ("np.dot(a, b)", Lane.COMPUTING),
        ("copy.deepcopy(state)", Lane.COMPUTING),
        ("gc.collect()", Lane.GC),
        ("self.client.close()", Lane.TEARDOWN),
        ("think(x)", Lane.LOOP_HELD),
    ],
)
def test_what_held_the_loop_decides_the_lane(call: str, lane: Lane) -> None:
    line = f"event loop blocked for 1.23s (cpu 0.01s) at app/handlers.py:88 in work: {call}"
    [(event, match)] = matching(line, candidates(line))
    assert event.lane is lane
    fields = extract(event, match)
    assert (fields.seconds, fields.cpu_s, fields.site) == (1.23, 0.01, "app/handlers.py:88")


def test_frames_count_only_behind_a_held_loop() -> None:
    frames = [event for event in EVENTS if event.family == "frame"]
    assert frames
    assert all(event.follows == Lane.LOOP_HELD for event in frames)
    line = '  File "/usr/lib/python3.11/subprocess.py", line 1264, in wait'
    [(event, match)] = matching(line, frames)
    assert (event.lane, extract(event, match).site) == (Lane.BLOCKING, "/usr/lib/python3.11/subprocess.py:1264")


# --- foreign text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "AI response: the request timed out, rate limit exceeded, it took 30 seconds",
        'prompt="LLM call took 30s and then 429 Too Many Requests"',
        "message from bob: took 30 seconds, event loop blocked for 3s",
        "assistant: database is locked, deadlock detected",
        "user said: the queue is full and the connection pool exhausted",
        '{"role": "user", "content": "LLM took 3s, tasks=41"}',
        "reply: Retrying in 30 seconds",
        "transcript: out of memory, too many open files",
        "AI response: 429 means that you are being rate limited. Retrying in 20 seconds is too soon.",
        "AI response: 30 seconds is what the LLM call took: 30s",
        "query='why took 3s' question=\"status 429?\"",
        "用户: 事件循环阻塞 3s, 请求被限流",
        "bob asked: what is httpx.PoolTimeout?",
        "[85a0bc] u8 asks: explain 'QueuePool limit of size 5 overflow 10 reached, timed out, timeout 30.00'",
        "u3: why do I get OSError: [Errno 24] Too many open files?",
        "[f00] answer: wait, retrying in 8s then",
        "chat <bob> gc took 3s lol",
        "msg from=ann text=event loop blocked for 12.4 s",
        'sent "the model timed out and it took 30s to answer me" to the browser',
    ],
)
def test_words_of_users_and_models_do_not_count(line: str) -> None:
    assert spoken(line) == []


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Error calling LLM: 429", "generic-rate-limited"),
        ("request failed: Rate limit exceeded", "generic-rate-limited"),
        ('prompt="hello there, how do you do" llm_ms=93', "measured-llm"),
        ("user: 42 | latency_ms: 3 | event loop lag: 812 ms", "generic-held"),
        ('msg="the upstream call timed out after a long while" level=error', "generic-upstream-timeout"),
        ("model: gpt-x, LLM took 3.2s", "measured-llm"),
        ("LLM response: 3.2s (took 3.2s)", "measured-llm"),
        ("[user=bob] chat turn took 3.2s", "measured-operation"),
    ],
)
def test_our_own_words_beside_them_do(line: str, kind: str) -> None:
    assert kind in kinds(line)


def test_foreign_ends_at_the_closing_quote() -> None:
    line = 'text="it took 3s" took_ms=93'
    assert is_foreign(line, line.index("took 3s"))
    assert not is_foreign(line, line.index("took_ms"))
    assert not is_foreign(line, 0)


@given(st.text(max_size=300), st.integers(0, 400))
def test_no_text_breaks_the_guard_or_the_events(text: str, position: int) -> None:
    is_foreign(text, position)
    matching(text, (event for event in EVENTS if not event.follows))


@given(st.sampled_from(EVENTS), st.text(max_size=40))
def test_no_ending_breaks_the_fields(event: LogEvent, tail: str) -> None:
    match = find(event, event.samples[0] + tail)
    if match is not None:
        extract(event, match)


def test_only_the_beginning_of_an_endless_message_is_matched() -> None:
    event = BY_KIND["generic-rate-limited"]
    assert find(event, "x " * MATCHED_CHARS + "status 429") is None


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.842s", 1.842),
        ("1m2.3s", 62.3),
        ("897.654µs", 897.654e-6),
        ("897.654μs", 897.654e-6),
        ("0:01:02", 62.0),
        ("0:00:30.5", 30.5),
        ("1 day, 0:00:01", 86401.0),
        ("7m25s", 445.0),
        ("1.2 s", 1.2),
        ("1,234 ms", 1.234),
        ("5min", 300.0),
        ("1min 30s", 90.0),
        ("2 hours", 7200.0),
        ("812毫秒", 0.812),
        ("1分2秒", 62.0),
        ("3 ns", 3e-9),
        ("2.5", 2.5),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("1e999", None),
        ("3 bananas", None),
        ("1.2.3s", None),
    ],
)
def test_parse_duration(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=40))
def test_parse_duration_never_raises(text: str) -> None:
    seconds = parse_duration(text)
    assert seconds is None or seconds >= 0
    parse_size(text)


@pytest.mark.parametrize(
    ("text", "size"), [("812 MB", 812 * 2**20), ("1.5GiB", 1.5 * 2**30), ("4096", 4096), ("x", None)]
)
def test_parse_size(text: str, size: float | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Turn 17", "turn"),
        ("request 8f3a2b1c-11aa", "request"),
        ("GET /chat/42/turns?x=1", "GET /chat/:id/turns"),
        ("POST /v1/chat", "POST /v1/chat"),
        ("api2.example.com", "api2.example.com"),
        ("sqlite3", "sqlite3"),
    ],
)
def test_names_lose_what_differs_each_time(label: str, name: str) -> None:
    assert normalised(label) == name
