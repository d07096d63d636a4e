"""What grows in a service: containers wherever they are kept, lines that take longer each time, children left."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping

import pytest

from taskdoctor.causes import all_causes
from taskdoctor.collectors.service.counters import program_of
from taskdoctor.collectors.service.observed import Beat, Child, Counters, Frame, Stack, StackSample, Wait, Watched
from taskdoctor.collectors.service.readings import events
from taskdoctor.collectors.service.waits import events as wait_events
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Event, Form, Lane, Place, Snapshot, Source, Status, Verdict
from tests.services import attach, running

APP, LIB = "/srv/app/", "/usr/lib/python3.12/"
SERVERS = ("mcp.py notes", "mcp.py search", "mcp.py weather")


def _stack(*named: tuple[str, str, str]) -> Stack:
    return tuple(Frame(file, 10, function, code, function) for file, function, code in named)


def _held(seconds: Iterable[float], stack: Stack) -> Watched:
    """A stretch of these lengths every second, each seen twice with this on the loop, which computes."""
    watched = Watched()
    for at, length_s in enumerate(seconds):
        end_s = 101.0 + at
        watched.beats.append(Beat(end_s, length_s, length_s))
        watched.stacks += [StackSample(end_s - length_s * part, end_s - length_s * part, stack) for part in (0.6, 0.3)]
    return watched


def _judged(found: list[Event], *, last_s: float = 121.0) -> Verdict:
    source = Source("s", 0, 0, first_s=100.0, last_s=last_s, beats=("the event loop",))
    ordered = tuple(sorted(found, key=lambda event: event.at_s))
    return judge([Snapshot("attach", (source,), ordered)], all_causes())


def _first(verdict: Verdict) -> str:
    return verdict.findings[0].cause if verdict.findings else ""


PROMPT = _stack((APP + "bot.py", "turn", "await reply()"), (APP + "bot.py", "prompt", "words += len(text.split())"))
NEWEST = _stack((APP + "tts.py", "newest", "max(folder.iterdir())"), (LIB + "pathlib.py", "stat", "os.stat(self)"))
LONGER = [0.2 + 0.04 * at for at in range(14)]


def test_a_line_that_takes_longer_each_time_goes_through_something_that_grows() -> None:
    assert _first(_judged(events(_held(LONGER, PROMPT), source="s"))) == "state-growth"


def test_a_folder_gone_through_for_longer_each_time_grows() -> None:
    assert _first(_judged(events(_held(LONGER, NEWEST), source="s"))) == "disk-growth"


@pytest.mark.parametrize("seed", range(5))
def test_lengths_without_a_trend_are_computation(seed: int) -> None:
    lengths = random.Random(seed).sample(LONGER, len(LONGER))
    assert _first(_judged(events(_held(lengths, PROMPT), source="s"))) == "cpu-bound"


def test_the_probe_itself_is_not_what_held_the_loop() -> None:
    stack = (*PROMPT, Frame("<taskdoctor>", 200, "collected"))
    assert {event.label for event in events(_held([0.4], stack), source="s")} == {"words += len(text.split())"}


def _sizes(label: str, first: int, step: int) -> list[Event]:
    return [
        Event(
            100.5 + at,
            "container-size",
            Lane.STATE,
            Form.LEVEL,
            Place("s"),
            value=float(first + step * at),
            label=label,
        )
        for at in range(20)
    ]


def test_two_late_stalls_of_a_watch_in_which_something_grew_are_no_jitter() -> None:
    late = [Beat(115.0, 0.25, 0.2), Beat(119.0, 0.3, 0.2)]
    stalls = events(Watched(beats=late), source="s")
    assert _judged(stalls).status is Status.HEALTHY
    assert _judged([*stalls, *_sizes("Memory.by_chat", 1000, 5000)]).status is Status.INSUFFICIENT
    assert _judged([*stalls, *_sizes("Memory.by_chat", 1000, 0)]).status is Status.HEALTHY


def test_a_machine_that_stood_still_blames_no_line() -> None:
    """Counted ten times a second, except for two seconds in which neither the service nor the watch ran."""
    looks = [100.0 + at / 10 for at in range(40)]
    counters = [Counters(at_s=at_s, monotonic_s=at_s, state="S") for at_s in looks if not 101.0 < at_s < 103.0]
    waits = _held([], PROMPT)
    waits.beats.append(Beat(102.9, 1.8, 0.0))
    waits.stacks += [StackSample(102.8, 102.8, PROMPT), StackSample(102.85, 102.85, PROMPT)]
    waits.counters += counters
    assert [event.lane for event in events(waits, source="s") if event.seconds] == [Lane.SUSPENDED]


# --- children


def _below(at_s: float, sessions: Mapping[float, tuple[str, ...]], cpu_s: float = 0.0) -> Counters:
    """Servers of sessions by when they began; the number of each is told from its session and its place in it."""
    children = tuple(
        Child(int(began_s) * 10 + SERVERS.index(name), name, cpu_s, began_s)
        for began_s, names in sessions.items()
        for name in names
    )
    return Counters(at_s=at_s, monotonic_s=at_s, below=children)


def _marks(counters: list[Counters]) -> list[Event]:
    return [event for event in events(Watched(counters=counters), source="s") if event.kind == "child-left"]


def test_a_server_that_outlives_those_of_its_session_was_left_behind() -> None:
    both = {50.0: SERVERS, 80.0: SERVERS}
    ended = {50.0: SERVERS[:1], 80.0: SERVERS, 103.0: SERVERS}
    looks = [_below(100.0 + at, both if at < 4 else ended) for at in range(12)]
    assert [event.key for event in _marks(looks)] == [SERVERS[0]]
    assert not _marks(looks[:7]), "it may still be closing"


def test_servers_that_end_together_leave_nothing_behind() -> None:
    both, ended = {50.0: SERVERS, 80.0: SERVERS}, {80.0: SERVERS, 103.0: SERVERS}
    assert not _marks([_below(100.0 + at, both if at < 4 else ended) for at in range(12)])


def test_programs_that_are_not_started_together_say_nothing_of_each_other() -> None:
    sessions = {50.0: SERVERS[:1], 60.0: SERVERS[:1], 70.0: SERVERS[1:2], 80.0: SERVERS[1:2]}
    fewer = {50.0: SERVERS[:1], 60.0: SERVERS[:1]}
    assert not _marks([_below(100.0 + at, sessions if at < 4 else fewer) for at in range(12)])


def test_waits_for_a_database_after_servers_were_left_behind_are_theirs() -> None:
    sessions = {50.0: SERVERS, 60.0: SERVERS, 70.0: SERVERS, 80.0: SERVERS}
    left = {50.0: SERVERS[:1], 60.0: SERVERS[:1], 70.0: SERVERS, 80.0: SERVERS}
    counters = [_below(100.0 + at, sessions if at < 2 else left) for at in range(20)]
    chain = _stack((APP + "store.py", "save", "connection.execute(statement)"))
    watched = Watched(counters=counters, jobs=[Wait(108.0 + 3 * at, 1.5, "", chain) for at in range(4)])
    found = [*events(watched, source="s"), *wait_events(watched, source="s")]
    assert _first(_judged(found)) == "orphan-processes"
    alone = Watched(jobs=watched.jobs)
    assert _first(_judged([*events(alone, source="s"), *wait_events(alone, source="s")])) == "lock-contention"


def test_copies_that_take_the_cpu_while_the_service_waits_for_one_are_to_blame() -> None:
    names = [{50.0 + at: SERVERS[:1] for at in range(2 + look // 3)} for look in range(20)]
    counters = [_below(100.0 + look, sessions, cpu_s=0.2 * look) for look, sessions in enumerate(names)]
    starved = [
        Event(110.0 + at, "live-not-scheduled", Lane.NOT_SCHEDULED, Form.SPAN, Place("s"), seconds=0.8, label="no CPU")
        for at in range(0, 10, 2)
    ]
    found = events(Watched(counters=counters), source="s")
    assert _first(_judged([*found, *starved])) == "orphan-processes"
    assert _first(_judged(starved)) == "cpu-starvation"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("/usr/bin/python3.12", "-I", "/srv/mcp_server.py", "notes", "/tmp/chat.db", "17"), "mcp_server.py notes"),
        (("npx", "-y", "@acme/server-files", "/home/u"), "server-files"),
        (("/opt/gateway/tool-server", "--stdio"), "tool-server"),
        (("/usr/bin/python3", "-m", "mcp_server_time"), "mcp_server_time"),
        ((), ""),
    ],
)
def test_copies_of_one_program_have_one_name(command: tuple[str, ...], name: str) -> None:
    assert program_of(command) == name


# --- the whole way


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "cause"), [("hoarding", "state-growth"), ("bursting", "queue-backlog"), ("trimming", "")]
)
def test_what_has_a_name_in_a_module_only_is_seen(mode: str, cause: str) -> None:
    """A list and a queue of a module, which no coroutine holds; and the same list, trimmed."""
    for _ in range(3):  # a busy machine adds stalls of its own
        with running(mode) as service:
            run = attach(service.address, "-d", "15s", "--json")
        causes = [found["cause"] for found in json.loads(run.stdout)["verdict"]["causes"]]
        if causes[:1] == ([cause] if cause else []):
            return
    pytest.fail(f"{causes}: {run.stdout[:600]}")
