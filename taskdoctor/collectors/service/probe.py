"""The light probe from outside: it comes in through the console, keeps that connection, is asked there, and goes.

Why a connection of its own: a thread of its own answers there, also while the loop does not turn; a command of the
monitor's prompt costs the service ten times as much. And when a client is killed, the probe ends with its connection.
"""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

from taskdoctor.collectors.service.console import Console, packed
from taskdoctor.collectors.service.observed import (
    Beat,
    Collection,
    Frame,
    Life,
    LoopFacts,
    Ping,
    RoundTrip,
    Size,
    Stack,
    StackSample,
    TaskGroupSample,
    TaskSample,
    Wait,
    Watched,
)
from taskdoctor.collectors.service.stacks import is_application, site_of
from taskdoctor.collectors.service.wire import ChannelError, GoneError, Wire

ENTER = "\nenter(print.__self__, loop)\ndel print, run\n"
ENTERED = b"TD1 entered\n"
MARK = "TD1 "
ANSWER_S = 1.0
INSTALL_S = 5.0
LEAVE_S = 3.0
FUTURE = "from __future__ import annotations\n"
PART_LINES = 80  # of its source, made ready at once: longer ones hold the interpreter for longer
SCAN_S = 0.2  # its looks at the tasks, where there are few
FACTS_EVERY_S = 1.0

LIGHT = (
    "installed a light probe in the service: a heartbeat every 20 ms, a collector callback, one thread and one "
    "connection"
)
DEEP = ", and the interpreter's fault handler as a watchdog (a service that winds it up itself goes without meanwhile)"
NOT_DEEP = ", but no watchdog: its system has no files in memory"
GOES = "; it goes at the end, or when we are gone. --read-only does without"


class Probe:
    """One probe in one service."""

    def __init__(self, *, deep: bool = False) -> None:
        self._deep = deep
        self._wire: Wire | None = None
        self.announcement = LIGHT + GOES
        self.pid = 0
        self.loop_thread = 0
        self.python = ""
        self.loop_class = ""
        self._facts_s = 0.0
        self._heard = 0  # number of the last answer that came
        self._behind = 0  # answers that we gave up on and that are still to come

    def install(self, console: Console) -> None:
        """Raises ChannelError with one sentence when the service does not take it. The console is over either way."""
        self._wire = wire = console.hand_over(_text("entry.py") + ENTER, ENTERED)
        parts = [part for name in ("light.py", *(["deep.py"] if self._deep else [])) for part in _parts(_text(name))]
        wire.send(packed("\0".join(parts)).encode("ascii") + b"\n")
        told = _answer(wire.until(b"\n", late_s=time.monotonic() + INSTALL_S))
        if self._deep:
            self.announcement = LIGHT + (DEEP if told.get("deep") is True else NOT_DEEP) + GOES
        self.pid, self.loop_thread = _whole(told.get("pid")), _whole(told.get("thread"))
        self.python, self.loop_class = str(told.get("python", "")), str(told.get("loop", ""))

    def poll(self, watched: Watched) -> None:
        """Fetch the news and the tasks in groups, which also keeps it alive. Raises ChannelError."""
        if self._wire is None:
            raise GoneError("the probe was not installed")
        asked_s = time.time()
        told = self._answered(self._wire, time.monotonic() + ANSWER_S)
        at_s = time.time()
        self._heard = _whole(told.get("number"))
        _News(told, asked_s, at_s).into(watched, at_s)
        if at_s - self._facts_s >= FACTS_EVERY_S:
            self._facts_s = at_s
            watched.facts.append(self._facts(told.get("facts"), at_s))

    def _answered(self, wire: Wire, late_s: float) -> Mapping[str, object]:
        """What an answer that we gave up on has told is told again in the next."""
        while self._behind:
            wire.until(b"\n", late_s=late_s)
            self._behind -= 1
        wire.send(f"{self._heard}\n".encode("ascii"))
        self._behind += 1
        line = wire.until(b"\n", late_s=late_s)
        self._behind -= 1
        return _answer(line)

    def remove(self) -> None:
        """Take it back: the other end closes when all is gone. It goes by itself where that fails."""
        if self._wire is not None:
            self._wire.close(patience_s=LEAVE_S)

    def _facts(self, told: object, at_s: float) -> LoopFacts:
        facts = told if isinstance(told, Mapping) else {}
        return LoopFacts(
            at_s=at_s,
            python=self.python,
            loop_class=self.loop_class,
            debug=facts["debug"] if isinstance(facts.get("debug"), bool) else None,
            gc_counts=_three(facts.get("gc_counts")),
            gc_collections=_three(facts.get("gc_collections")),
            gc_thresholds=_three(facts.get("gc_thresholds")),
            gc_frozen=_optional(facts.get("gc_frozen")),
            gc_enabled=facts["gc_enabled"] if isinstance(facts.get("gc_enabled"), bool) else None,
            ready=_optional(facts.get("ready")),
            scheduled=_optional(facts.get("scheduled")),
            executor_queue=_optional(facts.get("executor_queue")),
            executor_threads=_optional(facts.get("executor_threads")),
            executor_limit=_optional(facts.get("executor_limit")),
        )


class _News:
    """One answer, moved to our clock: the service may run on a machine whose clock is another."""

    def __init__(self, told: Mapping[str, object], asked_s: float, at_s: float) -> None:
        self._told = told
        self._frames = _frames(told)
        self._ahead_s = _seconds(told.get("now")) - (asked_s + at_s) / 2
        if abs(self._ahead_s) <= (at_s - asked_s) / 2:
            self._ahead_s = 0.0  # the same clock, as far as can be told

    def into(self, watched: Watched, at_s: float) -> None:
        self._of_the_loop(watched)
        self._of_tasks(watched)
        count = _whole(self._told.get("count"))
        if count:  # else it has not looked yet
            watched.tasks.append(TaskSample(at_s, count, tuple(self._groups())))

    def _of_the_loop(self, watched: Watched) -> None:
        for at, late, cpu in self._rows("beats", 3):
            watched.beats.append(Beat(self._at(at), _seconds(late), _seconds(cpu)))
        for at, seconds, generation, collected, caller, asked in self._rows("collections", 6):
            explicit = asked if isinstance(asked, bool) else None
            stack = _stack(caller, self._frames)
            watched.collections.append(
                Collection(self._at(at), _seconds(seconds), _whole(generation), _whole(collected), explicit, stack)
            )
        for at, numbers in self._rows("stacks", 2):
            watched.stacks.append(StackSample(self._at(at), self._at(at), _stack(numbers, self._frames)))
        for at, seconds in self._rows("silences", 2):
            watched.pings.append(Ping(self._at(at) - _seconds(seconds), self._at(at), loop=False))
        for at, seconds in self._rows("trips", 2):
            watched.round_trips.append(RoundTrip(self._at(at), _seconds(seconds)))

    def _of_tasks(self, watched: Watched) -> None:
        for at, seconds, name, chain, task in self._rows("lives", 5):
            began = _stack(chain, self._frames)
            own = is_application(began[0]) if began else True
            watched.lives.append(Life(self._at(at), _seconds(seconds), str(name), "", SCAN_S, own, _task(task)))
        for at, label, size, is_queue in self._rows("sizes", 4):
            watched.sizes.append(Size(self._at(at), str(label), _whole(size), bool(is_queue)))
        for kind, seen in (("waits", watched.waits), ("jobs", watched.jobs)):
            for at, seconds, name, chain, task in self._rows(kind, 5):
                stack = _stack(chain, self._frames)
                seen.append(Wait(self._at(at), _seconds(seconds), str(name), stack, True, SCAN_S, _task(task)))

    def _groups(self) -> Iterator[TaskGroupSample]:
        for name, chain, count, age, waited, site in self._rows("groups", 6):
            yield TaskGroupSample(
                coroutine=str(name),
                count=_whole(count),
                chain=_stack(chain, self._frames),
                oldest_s=_seconds(age) if age is not None else None,
                waited_s=_seconds(waited),
                site=_short(str(site)),
            )

    def _rows(self, name: str, width: int) -> list[Sequence[object]]:
        return _rows(self._told.get(name), width)

    def _at(self, at: object) -> float:
        return _seconds(at) - self._ahead_s


def _text(name: str) -> str:
    return resources.files("taskdoctor.probe").joinpath(name).read_text(encoding="utf-8")


def _parts(text: str) -> Iterator[str]:
    """The statements of a module, a few at a time; each part must say for itself that annotations are not looked at."""
    text = text.replace(FUTURE, "")
    lines = text.splitlines()
    starts = [
        min(each.lineno for each in (node, *getattr(node, "decorator_list", ()))) for node in ast.parse(text).body
    ]
    first = 1
    for start in [*starts, len(lines) + 1]:
        if start - first >= PART_LINES or start > len(lines):
            yield FUTURE + "\n".join(lines[first - 1 : start - 1])
            first = start


def _answer(data: bytes) -> Mapping[str, object]:
    """The JSON object behind the mark. Raises ChannelError for anything else."""
    line = data.decode("utf-8", "replace").strip()
    if not line.startswith(MARK):
        raise ChannelError(f"the probe was not taken: {line[-200:] or 'nothing'}")
    try:
        told = json.loads(line[len(MARK) :])
    except (ValueError, RecursionError) as error:
        raise ChannelError("the probe's answer was not understood") from error
    if not isinstance(told, Mapping):
        raise ChannelError("the probe's answer was not understood")
    return told


def _frames(told: Mapping[str, object]) -> list[Frame]:
    return [
        Frame(str(file), _whole(line), str(function), str(code), str(qualified))
        for file, line, function, qualified, code in _rows(told.get("frames"), 5)
    ]


def _stack(numbers: object, frames: Sequence[Frame]) -> Stack:
    if not isinstance(numbers, list):
        return ()
    return tuple(frames[number] for number in numbers if isinstance(number, int) and 0 <= number < len(frames))


def _rows(rows: object, width: int) -> list[Sequence[object]]:
    return [row for row in rows if isinstance(row, list) and len(row) == width] if isinstance(rows, list) else []


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _optional(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _three(value: object) -> tuple[int, int, int] | None:
    if not isinstance(value, list) or len(value) < 3:
        return None
    return _whole(value[0]), _whole(value[1]), _whole(value[2])


def _task(number: object) -> str:
    """Which task, as far as this watch is concerned."""
    return f"{number:x}" if isinstance(number, int) and number else ""


def _short(site: str) -> str:
    """`app/chat.py:88` of a full path."""
    file, _, line = site.rpartition(":")
    return site_of(Frame(file, int(line[:9]), "")) if file and line.isdigit() else ""
