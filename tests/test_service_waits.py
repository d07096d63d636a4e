"""What places of waiting mean, which frames are named, and how groups and readings come out of what was seen."""

from __future__ import annotations

import pytest

from taskdoctor.causes import all_causes
from taskdoctor.collectors.service.grouping import COROUTINE, INFRASTRUCTURE, SITE, WAITING, Tracker, kind_of, table
from taskdoctor.collectors.service.meanings import is_idle_connection, meaning
from taskdoctor.collectors.service.observed import (
    Beat,
    Collection,
    Counters,
    Frame,
    Life,
    Ping,
    Size,
    Stack,
    StackSample,
    TaskGroupSample,
    TaskSample,
    Wait,
    Watched,
)
from taskdoctor.collectors.service.readings import blocked, events, stretches
from taskdoctor.collectors.service.stacks import application_frame, held_by, is_idle, leaf_of, parse_stack
from taskdoctor.collectors.service.tasks import TaskRecord, parse_ps
from taskdoctor.collectors.service.waits import events as wait_events
from taskdoctor.collectors.service.wire import ChannelError
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Lane, Reading, Snapshot, Source

LIB = "/usr/lib/python3.12/"
SITE_PACKAGES = "/srv/venv/lib/python3.12/site-packages/"
APP = "/srv/app/"


def frames(*named: str) -> Stack:
    """`app/chat.py:reply`, `asyncio/locks.py:acquire|Lock.acquire`, `httpx/_client.py:send`; outermost first."""
    made = []
    for number, name in enumerate(named):
        place, _, code = name.partition(" # ")
        file, _, function = place.partition(":")
        function, _, qualified = function.partition("|")
        root = APP if file.startswith("app/") else LIB if file.startswith(("asyncio/", "json/")) else SITE_PACKAGES
        made.append(Frame(root + file, 10 + number, function, code, qualified))
    return tuple(made)


@pytest.mark.parametrize(
    ("chain", "lane"),
    [
        (
            frames("app/chat.py:reply", "app/llm.py:ask", "httpx/_client.py:send", "anyio/streams.py:read"),
            Lane.UPSTREAM,
        ),
        (frames("app/chat.py:reply", "openai/_base_client.py:request", "asyncio/streams.py:read"), Lane.UPSTREAM),
        (frames("app/tool.py:call_tool", "asyncio/streams.py:readline", "asyncio/streams.py:readuntil"), Lane.UPSTREAM),
        (
            frames("app/store.py:touch", "asyncio/locks.py:__aenter__", "asyncio/locks.py:acquire|Lock.acquire"),
            Lane.LOCK,
        ),
        (frames("app/db.py:query", "asyncio/locks.py:acquire|Semaphore.acquire"), Lane.POOL),
        (frames("app/db.py:query", "asyncpg/pool.py:_acquire", "asyncio/queues.py:get|Queue.get"), Lane.POOL),
        (frames("app/feed.py:publish", "asyncio/queues.py:put|Queue.put"), Lane.QUEUE),
        (frames("app/work.py:consume", "asyncio/queues.py:get|Queue.get"), None),
        (frames("app/llm.py:retry_later", "asyncio/tasks.py:sleep"), Lane.BACKOFF),
        (frames("app/job.py:every_minute", "asyncio/tasks.py:sleep"), None),
        (frames("app/call.py:fetch", "aiohttp/connector.py:_resolve_host", "aiohttp/resolver.py:resolve"), Lane.DNS),
        (frames("app/session.py:close", "app/mcp.py:_end", "asyncio/subprocess.py:wait"), Lane.TEARDOWN),
        (frames("app/ws.py:await_playback", "asyncio/locks.py:wait|Event.wait"), Lane.CLIENT),
        (
            frames("app/view.py:index", "anyio/to_thread.py:run_sync", "anyio/_b.py:acquire|CapacityLimiter.acquire"),
            None,
        ),
        (frames("app/chat.py:talk", "aiohttp/web_ws.py:receive"), None),
        ((), None),
    ],
)
def test_meaning(chain: Stack, lane: Lane | None) -> None:
    found = meaning(chain)
    if chain and chain[-1].qualified.startswith("CapacityLimiter"):
        assert found is not None
        assert found.lane in {Lane.EXECUTOR, Lane.POOL}
        return
    assert (found.lane if found is not None else None) is lane


def test_connection_that_waits_for_its_client_is_idle() -> None:
    assert is_idle_connection(frames("app/chat.py:talk", "aiohttp/web_ws.py:receive"))
    assert not is_idle_connection(frames("app/chat.py:talk", "aiohttp/client.py:receive"))


def test_sleep_where_a_peer_is_asked_is_a_back_off() -> None:
    asks = frames("app/llm.py:complete", "aiohttp/client.py:_request", "aiohttp/streams.py:read")
    sleeps = frames("app/llm.py:complete", "asyncio/tasks.py:sleep")
    asked = Wait(10.0, 0.4, "turn()", asks)
    backs_off = [asked, *(Wait(14.0 + at, 1.0 + at, "turn()", sleeps) for at in range(4))]
    paces = [asked, *(Wait(14.0 + at, 1.0, "turn()", sleeps) for at in range(4))]
    ended = [Life(20.0, 6.0, "turn()")]
    for waits, lives, wanted in ((backs_off, ended, True), (paces, ended, False), (backs_off, [], False)):
        lanes = {event.lane for event in wait_events(Watched(waits=waits, lives=lives), source="s")}
        assert (Lane.BACKOFF in lanes) is wanted


def test_queue_counts_beyond_what_always_lies_in_it() -> None:
    steady = [Size(at / 5, "Batcher.items", 40, is_queue=True) for at in range(50)]
    piled = [Size(at / 5, "Mixer.items", 0 if at < 20 else 9, is_queue=True) for at in range(50)]
    spare = [Size(at / 5, "Pool._free", 0 if at < 20 else 9, is_queue=True) for at in range(50)]
    found = [event for event in wait_events(Watched(sizes=steady + piled + spare), source="s") if event.seconds]
    assert [event.label for event in found] == ["Mixer.items, up to 9 in it"]


RUNNER = (
    Frame(f"{LIB}asyncio/runners.py", 118, "run"),
    Frame(f"{LIB}asyncio/base_events.py", 640, "run_until_complete"),
    Frame(f"{LIB}asyncio/base_events.py", 607, "run_forever"),
    Frame(f"{LIB}asyncio/base_events.py", 1922, "_run_once"),
)
HANDLE = Frame(f"{LIB}asyncio/events.py", 80, "_run")


def test_idle_and_held_loops() -> None:
    waits = (*RUNNER, Frame(f"{LIB}selectors.py", 468, "select"))
    assert is_idle(waits)
    blocks = (*RUNNER, HANDLE, *frames("app/chat.py:reply"), Frame(f"{LIB}selectors.py", 468, "select"))
    assert is_idle(blocks) is False
    assert is_idle(RUNNER[:2])  # a loop in C shows no frame of its own
    assert is_idle(()) is None
    assert [frame.function for frame in held_by(blocks)] == ["reply", "select"]


def test_plumbing_is_not_named() -> None:
    stack = (*RUNNER, HANDLE, *frames("app/chat.py:reply", "json/encoder.py:iterencode"))
    own, leaf = application_frame(held_by(stack)), leaf_of(stack)
    assert own is not None
    assert leaf is not None
    assert own.function == leaf.function == "reply"


def test_stack_text_is_parsed_whatever_stands_in_it() -> None:
    text = '  File "/srv/a b.py", line 12, in f\n    g()\nnoise\n  File "x", line 9999999999999999, in <module>\n'
    assert [(frame.file, frame.code) for frame in parse_stack(text)] == [("/srv/a b.py", "g()"), ("x", "")]


def _counters(at_s: float, **known: float) -> Counters:
    return Counters(at_s=at_s, monotonic_s=at_s, **known)  # type: ignore[arg-type]


def test_late_beat_is_read_by_what_the_thread_did() -> None:
    stack = (*RUNNER, HANDLE, *frames("app/disk.py:save # os.fsync(file)"))
    samples = [StackSample(at, at, stack) for at in (10.2, 10.5, 10.8)]
    for cpu_s, reading, lane in ((0.01, Reading.WAITING, Lane.BLOCKING), (0.98, Reading.ON_LOOP, Lane.COMPUTING)):
        found = stretches(Watched(stacks=samples, beats=[Beat(11.0, 1.0, cpu_s)]))
        assert [(held.reading, held.lane) for held in found] == [(reading, lane)]


def test_closing_on_the_loop_is_teardown() -> None:
    stack = (*RUNNER, HANDLE, *frames("app/session.py:close # self.thread.join()"))
    watched = Watched(stacks=[StackSample(10.5, 10.5, stack)], beats=[Beat(11.0, 1.0, 0.0)])
    assert {event.lane for event in events(watched, source="s")} == {Lane.LOOP_HELD, Lane.TEARDOWN}


@pytest.mark.parametrize(
    ("states", "counted", "lane", "reading"),
    [
        ("T", {}, Lane.SUSPENDED, Reading.NOT_SCHEDULED),
        ("R", {"cpu_s": 1.0}, Lane.LOOP_HELD, Reading.GIL_HELD),
        ("R", {"cpu_s": 0.05, "run_queue_s": 0.9}, Lane.NOT_SCHEDULED, Reading.NOT_SCHEDULED),
        ("R", {"cpu_s": 0.05, "throttled_s": 0.9}, Lane.NOT_SCHEDULED, Reading.NOT_SCHEDULED),
        ("D", {"cpu_s": 0.02, "major_faults": 900}, Lane.MEMORY, Reading.NOT_SCHEDULED),
        ("S", {"cpu_s": 0.02}, Lane.LOOP_HELD, Reading.UNKNOWN),
    ],
)
def test_silence_is_read_by_the_counters(states: str, counted: dict[str, float], lane: Lane, reading: Reading) -> None:
    before = _counters(10.0, **dict.fromkeys(counted, 0))
    during = Counters(at_s=10.5, monotonic_s=10.5, state=states)
    watched = Watched(pings=[Ping(10.0, 11.0, loop=False)], counters=[before, during, _counters(11.0, **counted)])
    assert [(held.lane, held.reading) for held in stretches(watched)] == [(lane, reading)]


def test_collection_is_told_once_and_by_who_asked() -> None:
    caller = frames("app/jobs.py:tidy # gc.collect()")
    watched = Watched(
        beats=[Beat(11.0, 1.0, 0.9)], collections=[Collection(11.0, 0.98, 2, 5, explicit=True, caller=caller)]
    )
    found = events(watched, source="s")
    assert [event.lane for event in found] == [Lane.GC]
    assert str(found[0].place).startswith("app/jobs.py")
    assert blocked(watched) == ()


def test_machine_that_slept() -> None:
    awake, after = (Counters(at_s=10.0, monotonic_s=5.0, boot_s=5.0), Counters(at_s=40.2, monotonic_s=5.2, boot_s=35.2))
    found = stretches(Watched(counters=[awake, after]))
    assert [(held.lane, round(held.seconds)) for held in found] == [(Lane.SUSPENDED, 30)]


def test_ages_come_from_own_looks() -> None:
    tracker = Tracker()
    old, new = TaskRecord("1", "PENDING", "a", "worker()"), TaskRecord("2", "PENDING", "b", "worker()")
    tracker.look(100.0, [old], {})
    tracker.look(101.0, [old, new], {})
    sample = tracker.look(105.0, [old, new], {})
    assert sample.groups[0].oldest_s == 4.0
    assert tracker.ended(106.0, [old]) == [Life(106.0, 5.0, "worker()", "", 1.0)]


def test_an_id_that_is_used_again_is_another_task() -> None:
    tracker = Tracker()
    tracker.look(100.0, [], {})
    tracker.look(101.0, [TaskRecord("1", "PENDING", "a", "worker()")], {})
    again = [TaskRecord("1", "PENDING", "b", "worker()")]
    assert len(tracker.ended(102.0, again)) == 1
    assert tracker.look(102.0, again, {}).groups[0].oldest_s == 0.0


def test_table_by_each_key() -> None:
    first = TaskSample(0.0, 3, (TaskGroupSample("worker()", 3, frames("app/w.py:step"), "app/main.py:5"),))
    last = TaskSample(
        9.0,
        9,
        (
            TaskGroupSample("worker()", 7, frames("app/w.py:step"), "app/main.py:5"),
            TaskGroupSample("worker()", 1, frames("app/w.py:other"), "app/main.py:9"),
            TaskGroupSample("Monitor._x()", 1),
        ),
    )
    by_coroutine = table([first, last], [], by=COROUTINE)
    assert [(row.coroutine, row.count, row.change) for row in by_coroutine] == [("worker()", 8, 5)]
    assert "and 1 more" in (by_coroutine[0].waiting_at or "")
    assert [row.count for row in table([first, last], [], by=SITE)] == [7, 1]
    assert [row.count for row in table([first, last], [], by=WAITING)] == [7, 1]
    assert len(table([first, last], [], everything=True)) == 2
    assert table([first, last], [], only="nothing like it") == ()
    assert kind_of(last.groups[2], lives=0, was_there=False) == INFRASTRUCTURE


@pytest.mark.parametrize("text", ["", "✗ Traceback ...", "| nothing |\n+---+"])
def test_no_table_is_said(text: str) -> None:
    with pytest.raises(ChannelError):
        parse_ps(text)


@pytest.mark.parametrize(
    ("since", "age_s"),
    [("00:01.725", 1.725), ("1h02:03.456", 3723.456), ("2d5h02:03.5", 190923.5), ("-", None), ("1m", None)],
)
def test_ages_of_the_monitor(since: str, age_s: float | None) -> None:
    assert TaskRecord("1", "PENDING", "a", "b()", since=since).age_s == age_s


def _turns() -> list[Life]:
    """Twelve turns of a second, and two that took eight at the same time."""
    usual = [Life(10.0 + 2 * at, 1.0, "turn()", task=f"u{at}") for at in range(12)]
    return [*usual, Life(50.0, 8.0, "turn()", task="a"), Life(50.1, 8.0, "turn()", task="b")]


def test_what_one_task_waited_for_is_not_owed_by_another() -> None:
    asks = frames("app/llm.py:complete", "aiohttp/client.py:_request", "aiohttp/streams.py:read")
    locked = frames("app/store.py:touch", "asyncio/locks.py:acquire|Lock.acquire")
    waits = [Wait(49.8, 7.0, "turn()", asks, task="a"), Wait(49.9, 7.0, "turn()", locked, task="b")]
    snapshot = Snapshot(
        collector="attach",
        sources=(Source("s", 0, 0, first_s=0.0, last_s=60.0),),
        events=tuple(wait_events(Watched(lives=_turns(), waits=waits), source="s")),
    )
    verdict = judge([snapshot], all_causes())
    owners = [dict(slow.owners) for slow in verdict.report.operations[0].slow]
    assert [set(each) for each in owners] == [{"upstream-latency"}, {"lock-contention"}]


def test_code_of_what_grows_owns_what_it_holds() -> None:
    stack = (*RUNNER, HANDLE, *frames("app/outbox.py:_deliver|Outbox._deliver # self.encode()"))
    samples = [TaskSample(float(at), 5 + 10 * at, (TaskGroupSample("Outbox._deliver()", 10 * at),)) for at in range(20)]
    late = [6.0, 11.0, 16.0, 18.0]
    watched = Watched(
        tasks=samples,
        beats=[Beat(at, 0.4, 0.4) for at in late],
        stacks=[StackSample(at - 0.2, at - 0.2, stack) for at in late],
    )
    found = sorted([*events(watched, source="s"), *wait_events(watched, source="s")], key=lambda event: event.at_s)
    snapshot = Snapshot("attach", (Source("s", 0, 0, first_s=0.0, last_s=20.0, beats=("loop",)),), tuple(found))
    assert judge([snapshot], all_causes()).findings[0].cause == "task-leak"
