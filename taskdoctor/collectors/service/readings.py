"""What the loop was doing while it did not turn: stalls from stacks, answers and counters, each with its reading.

The matrix: code on the loop shows in the stack while the monitor still answers; an interpreter that is held answers
nothing but uses the CPU; a process that does not run uses none. What no channel can tell stays open.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from taskdoctor.collectors.service import children
from taskdoctor.collectors.service.meanings import goes_through_files
from taskdoctor.collectors.service.observed import Counters, Frame, Ping, Stack, StackSample, Watched
from taskdoctor.collectors.service.stacks import (
    application_frame,
    closing_frame,
    held_by,
    is_application,
    is_idle,
    is_loop_plumbing,
    site_of,
)
from taskdoctor.model import BlockedStack, Event, Form, Lane, Place, Reading

SHORTEST_S = 0.08  # shorter blocks are below what sampling can tell
SAME_WORK = 4  # samples in one callback, at moving lines, that are no coincidence of short ones
MUTE_S = 0.15  # a silence that is told
LATE_ANSWER_S = 0.1  # the monitor answers in a tenth of this
MUTE_SHARE = 0.6  # of a late beat
FAULTS_PER_S = 50.0
BUSY_SHARE, IDLE_SHARE = 0.5, 0.25
LONG_WORK_S = 0.2  # of computing, which is a stall by itself
MANY_FAULTS_PER_S, FAULTING_SHARE = 500.0, 0.75  # of the CPU at most, which faults use as well
STARVED_SHARE, STARVED_RATIO = 0.65, 2.5  # of time in the queue, to the whole and to time on the CPU
QUEUED_SHARE, THROTTLED_SHARE = 0.3, 0.3
ASLEEP_S = 0.5  # by which the boot clock runs ahead of the monotonic one
STOOD_STILL_S = 0.8  # without a look of ours, of which ten a second are due
MOSTLY = 0.5
NEAR_LIMIT = 0.95
MOST_GAP_S = 1.2  # between two samples of one run: one answer may be late
MOST_FRAMES = 12
FOLDER = "live-folder"  # kind of what goes through files on the loop

_LOG = re.compile(
    r"[\\/](?:logging[\\/](?:__init__|handlers)|loguru[\\/]_(?:logger|handler|file_sink|simple_sinks)|structlog[\\/]\w+)\.py$"
)
_PRINT = re.compile(r"^(?:print|sys\.std(?:out|err)\.write|logger?\.\w+)\(")
_NAME = re.compile(r"[A-Za-z_]\w{3,}")
_POLLS = re.compile(r"ep(?:oll)?_(?:poll|wait)|poll_schedule|do_select|do_sys_poll|core_sys_select")
_WAITS = re.compile(
    r"(?i)\bsleep\(|\brequests\.|urlopen|\.recv|\.connect\(|\.acquire\(|\.wait\(|\.join\(|\.result\(|subprocess|\.communicate"
    r"|fsync|\.execute\(|\.commit\(|\bopen\(|\.read\w*\(|\.write\w*\(|os\.system|getaddrinfo|gethostby|\.get\(|input\("
)


@dataclass(frozen=True, slots=True)
class Held:
    """One stretch in which the loop did not turn."""

    start_s: float
    end_s: float
    reading: Reading
    lane: Lane
    stack: Stack = ()
    label: str = ""
    thread_state: str = ""
    cpu_share: float | None = None

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def events(watched: Watched, *, source: str) -> list[Event]:
    """Stalls, collections, executor waits, and what the kernel counted."""
    place = Place(source)
    found = [event for held in stretches(watched) for event in _told(held, place)]
    found += _collections(watched, place)
    found += _executor(watched, place)
    found += _kernel(watched.counters, place)
    found += children.events(watched.counters, place)
    return found


def blocked(watched: Watched) -> tuple[BlockedStack, ...]:
    """Stretches with the same code on the loop as one, the most time first."""
    groups: dict[tuple[Reading, str, str], list[Held]] = {}
    for held in stretches(watched):
        groups.setdefault((held.reading, held.label, _site(held.stack)), []).append(held)
    rows = [_blocked(members) for members in groups.values()]
    return tuple(sorted(rows, key=lambda row: (-row.seconds, row.at_s)))


def _blocked(members: Sequence[Held]) -> BlockedStack:
    longest = max(members, key=lambda held: held.seconds)
    shares = [held.cpu_share for held in members if held.cpu_share is not None]
    return BlockedStack(
        at_s=min(held.start_s for held in members),
        seconds=sum(held.seconds for held in members),
        longest_s=longest.seconds,
        count=len(members),
        reading=longest.reading,
        label=longest.label,
        site=_site(longest.stack),
        frames=tuple(f"{site_of(frame)} in {frame.function}" for frame in shown_frames(longest.stack)),
        thread_state=longest.thread_state,
        cpu_share=sum(shares) / len(shares) if shares else None,
    )


def shown_frames(stack: Stack) -> Stack:
    """The frames that a reader needs: the application's, and the innermost, whoever wrote it."""
    inner = held_by(stack)
    shown = [frame for frame in inner if is_application(frame)]
    if inner and not is_application(inner[-1]) and not is_loop_plumbing(inner[-1]):
        shown.append(inner[-1])
    return tuple(shown[-MOST_FRAMES:])


def _site(stack: Stack) -> str:
    frame = application_frame(held_by(stack))
    return site_of(frame) if frame is not None else ""


def _told(held: Held, place: Place) -> Iterator[Event]:
    """A stretch as the lanes have it: who closes something on the loop holds it, and is told for that."""
    closing = closing_frame(held_by(held.stack)) if held.lane is Lane.BLOCKING else None
    if closing is None:
        yield _event(held, place)
        return
    bare = replace(held, lane=Lane.LOOP_HELD, label="event loop", stack=(), cpu_share=None)
    yield _event(bare, place)
    yield _event(replace(held, lane=Lane.TEARDOWN, label=f"{closing.qualified or closing.function}"), place)


def _event(held: Held, place: Place) -> Event:
    cpu_s = held.cpu_share * held.seconds if held.cpu_share is not None else None
    return Event(
        at_s=held.end_s,
        kind=FOLDER if goes_through_files(held_by(held.stack)) else f"live-{held.reading.value}",
        lane=held.lane,
        form=Form.SPAN,
        place=place,
        seconds=held.seconds,
        label=held.label,
        site=_site(held.stack),
        key=_running(held.stack),
        cpu_s=cpu_s,
    )


def _running(stack: Stack) -> str:
    """The functions of the application that ran, outermost first, and behind a bar the names in the innermost line."""
    own = [frame for frame in shown_frames(stack) if is_application(frame)]
    names = " ".join(dict.fromkeys(_NAME.findall(own[-1].code))) if own else ""
    return " ".join(frame.qualified or frame.function for frame in own) + (f" | {names}" if names else "")


def stretches(watched: Watched) -> list[Held]:
    """Every stretch in which the loop was held or nothing ran, in time order, each told once."""
    collected = [(each.at_s - each.seconds, each.at_s) for each in watched.collections]
    silences = _silences(watched.pings)
    beaten = list(_by_beats(watched, silences))
    mute = [
        _reading_of_mute(start_s, end_s, _cpu_share(watched.counters, start_s, end_s, process=True), watched)
        for start_s, end_s in silences
    ]
    mute = [held for held in mute if held.seconds >= MUTE_S and not _inside(held, beaten)]
    mute = [held for held in mute if not (held.reading is Reading.UNKNOWN and _slept(held, watched.counters))]
    mute = [replace(held, cpu_share=None) if held.reading is Reading.UNKNOWN else held for held in mute]  # only late
    seen = [held for held in _on_loop(watched) if not _inside(held, [*mute, *beaten])]
    still = _stood_still(watched.counters)
    found = [
        _with_the_machine(held, still, watched.counters)
        for held in (*beaten, *mute, *seen)
        if not _covered(held, collected)
    ]
    return sorted([*found, *_asleep(watched.counters)], key=lambda held: held.start_s)


def _covered(held: Held, spans: Iterable[tuple[float, float]]) -> bool:
    """Whether collections explain it: they are events of their own."""
    covered_s = sum(max(0.0, min(end, held.end_s) - max(start, held.start_s)) for start, end in spans)
    return covered_s >= 0.6 * held.seconds


def _inside(held: Held, others: Iterable[Held]) -> bool:
    return any(held.start_s < other.end_s and other.start_s < held.end_s for other in others)


# --- code on the loop


def _on_loop(watched: Watched) -> Iterator[Held]:
    """Runs of samples with the same work on the loop."""
    run: list[StackSample] = []
    before: StackSample | None = None
    for sample in watched.stacks:
        work = held_by(sample.stack) if is_idle(sample.stack) is False else ()
        if run and (not work or not _same(run[-1], sample)):
            yield from _held(run, before, sample, watched)
            before, run = run[-1], []
        if work:
            run.append(sample)
        else:
            before = sample
    if run:
        yield from _held(run, before, None, watched)


def _same(first: StackSample, second: StackSample) -> bool:
    """Whether two samples show one piece of work: the same step, begun by the same frame."""
    a, b = held_by(first.stack), held_by(second.stack)
    if second.asked_s - first.at_s > MOST_GAP_S or not a or not b:
        return False
    return (a[0].file, a[0].function) == (b[0].file, b[0].function)


def _held(
    run: Sequence[StackSample], before: StackSample | None, after: StackSample | None, watched: Watched
) -> Iterator[Held]:
    """One run as a stretch: it began after the last other sample, and ended before the next."""
    standing = len({_leaf(sample) for sample in run}) == 1 and len(run) >= 2
    if not standing and len(run) < SAME_WORK:
        return
    start_s = _middle(before.at_s if before is not None else run[0].asked_s, run[0].asked_s)
    end_s = _middle(run[-1].at_s, after.asked_s if after is not None else run[-1].at_s)
    if end_s - start_s < SHORTEST_S:
        return
    stack = Counter(sample.stack for sample in run).most_common(1)[0][0]
    share, state = _cpu_share(watched.counters, start_s, end_s), _state(watched.counters, start_s, end_s)
    lane, reading = _lane_of(run, stack, _wanted(share, watched.counters, start_s, end_s), state)
    yield _queued(Held(start_s, end_s, reading, lane, stack, _call(stack), state, share), watched.counters)


def _queued(held: Held, counters: Sequence[Counters]) -> Held:
    """Work that stood in the queue for a CPU for far longer than it computed, and would have been short alone."""
    queued_s = _risen(counters, held.start_s, held.end_s, "run_queue_s") or 0.0
    worked_s = (held.cpu_share or 0.0) * held.seconds
    starved = queued_s >= max(STARVED_SHARE * held.seconds, STARVED_RATIO * worked_s) and worked_s < LONG_WORK_S
    if held.lane is not Lane.COMPUTING or not starved:
        return _faulted(held, counters)
    label = f"runnable, but other work had the CPU; in {held.label}"
    return replace(held, reading=Reading.NOT_SCHEDULED, lane=Lane.NOT_SCHEDULED, label=label)


def _faulted(held: Held, counters: Sequence[Counters]) -> Held:
    """A line that reads memory again and again from the disk: it neither computes nor waits for anybody."""
    rate = (_risen(counters, held.start_s, held.end_s, "major_faults") or 0.0) / held.seconds
    waits = held.lane is Lane.BLOCKING and rate >= FAULTS_PER_S
    works = held.lane is Lane.COMPUTING and rate >= MANY_FAULTS_PER_S and (held.cpu_share or 0.0) <= FAULTING_SHARE
    if not waits and not works:
        return held
    label = f"pages read back from disk, in {held.label}"
    return replace(held, reading=Reading.NOT_SCHEDULED, lane=Lane.MEMORY, label=label)


def _middle(first_s: float, second_s: float) -> float:
    """Halfway between two looks, but never far from the nearer one."""
    return max((first_s + second_s) / 2, second_s - 0.1) if second_s > first_s else second_s


def _leaf(sample: StackSample) -> tuple[str, int]:
    return sample.stack[-1].file, sample.stack[-1].line


def _wanted(share: float | None, counters: Sequence[Counters], start_s: float, end_s: float) -> float | None:
    """The share of CPU that the loop's thread used or stood in the queue for: on a full machine it gets less.

    There it also waits for the interpreter, which another thread has that stands in the queue itself.
    """
    if share is None:
        return None
    queued_s = _risen(counters, start_s, end_s, "run_queue_s") or 0.0
    pressed_s = _risen(counters, start_s, end_s, "cpu_pressure_s") or 0.0
    if share >= IDLE_SHARE and pressed_s >= BUSY_SHARE * (end_s - start_s):
        return 1.0
    return min(1.0, share + queued_s / (end_s - start_s))


def _lane_of(run: Sequence[StackSample], stack: Stack, share: float | None, state: str) -> tuple[Lane, Reading]:
    """Writing the log, waiting, or computing; by the CPU where it was counted, else by what stands in the stack."""
    if _logs(stack):
        return Lane.LOGGING, Reading.WAITING if share is not None and share < BUSY_SHARE else Reading.ON_LOOP
    if share is not None:
        waits = share < BUSY_SHARE and state != "R"
    elif state:
        waits = state in "SD"
    else:
        waits = _WAITS.search(stack[-1].code) is not None or len({_leaf(sample) for sample in run}) == 1
    return (Lane.BLOCKING, Reading.WAITING) if waits else (Lane.COMPUTING, Reading.ON_LOOP)


def _logs(stack: Stack) -> bool:
    inner = held_by(stack)[-6:]
    return any(_LOG.search(frame.file) for frame in inner) or bool(inner and _PRINT.match(inner[-1].code))


def _call(stack: Stack) -> str:
    """What the innermost frame was calling, as written there, else its name."""
    inner = held_by(stack) or stack
    frame = application_frame(inner) or inner[-1]
    leaf = inner[-1]
    if leaf is not frame and not is_application(leaf):
        return f"{_module(leaf)}.{leaf.function}"
    return frame.code[:80] if frame.code else frame.function


def _module(frame: Frame) -> str:
    name = frame.file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    return frame.file.replace("\\", "/").split("/")[-2] if name == "__init__" and "/" in frame.file else name


# --- a beat that came late


def _by_beats(watched: Watched, silences: Sequence[tuple[float, float]]) -> Iterator[Held]:
    """Lateness as the heartbeat measured it, with what the probe's thread saw meanwhile."""
    for beat in watched.beats:
        start_s, end_s = beat.at_s - beat.late_s, beat.at_s
        if beat.late_s < SHORTEST_S:
            continue
        inside = (sample for sample in watched.stacks if start_s <= sample.at_s <= end_s + 0.005)
        samples = sorted(inside, key=lambda sample: sample.at_s)
        mute_s = sum(max(0.0, min(end, end_s) - max(start, start_s)) for start, end in silences)
        share = min(1.0, beat.cpu_s / beat.late_s) if beat.cpu_s is not None else None
        stack = Counter(sample.stack for sample in samples).most_common(1)[0][0] if samples else ()
        if mute_s >= MUTE_SHARE * beat.late_s:
            yield _reading_of_mute(start_s, end_s, share, watched, _after_the_call(samples))
        elif stack and not is_idle(stack):
            state = _state(watched.counters, start_s, end_s)
            lane, reading = _lane_of(samples, stack, _wanted(share, watched.counters, start_s, end_s), state)
            held = Held(start_s, end_s, reading, lane, stack, _call(stack), state, share)
            yield _queued(held, watched.counters)
        else:  # nobody was caught on the loop: it may not have had the CPU, nor who looks
            yield _reading_of_mute(start_s, end_s, share, watched)


def _after_the_call(samples: Sequence[StackSample]) -> Stack:
    """Who was on the loop when the interpreter was free again: the frame that had held it, as a rule."""
    busy = [sample.stack for sample in samples if sample.stack and not is_idle(sample.stack)]
    return busy[0] if busy else ()


# --- nothing answered


def _silences(pings: Sequence[Ping]) -> list[tuple[float, float]]:
    """When not even the monitor's own thread, or the probe's, got a turn; joined where they touch."""
    late = sorted((ping.asked_s, ping.at_s) for ping in pings if not ping.answered or ping.seconds >= LATE_ANSWER_S)
    joined: list[tuple[float, float]] = []
    for start_s, end_s in late:
        if joined and start_s <= joined[-1][1] + 0.1:
            joined[-1] = (joined[-1][0], max(end_s, joined[-1][1]))
        else:
            joined.append((start_s, end_s))
    return joined


def _reading_of_mute(start_s: float, end_s: float, share: float | None, watched: Watched, stack: Stack = ()) -> Held:
    """Stopped, held by native code, throttled, starved, or swapped: by what the kernel counted."""
    counters, length_s = watched.counters, end_s - start_s
    state = _state(counters, start_s, end_s)

    def held(reading: Reading, lane: Lane, label: str) -> Held:
        return Held(start_s, end_s, reading, lane, stack, label, state, share)

    def risen(name: str) -> float:
        return _risen(counters, start_s, end_s, name) or 0.0

    if state == "T":
        return held(Reading.NOT_SCHEDULED, Lane.SUSPENDED, "stopped by a signal")
    if risen("throttled_s") >= THROTTLED_SHARE * length_s:
        return held(Reading.NOT_SCHEDULED, Lane.NOT_SCHEDULED, "cgroup throttled")
    worked_s = (share or 0.0) * length_s
    if risen("run_queue_s") >= max(QUEUED_SHARE * length_s, worked_s):
        return held(Reading.NOT_SCHEDULED, Lane.NOT_SCHEDULED, "runnable, but other work had the CPU")
    if (_wanted(share, counters, start_s, end_s) or 0.0) >= BUSY_SHARE:
        called = f" near {_call(stack)}" if stack else ""
        return held(Reading.GIL_HELD, Lane.COMPUTING if stack else Lane.LOOP_HELD, f"native code{called}")
    if risen("major_faults") >= FAULTS_PER_S * length_s:
        return held(Reading.NOT_SCHEDULED, Lane.MEMORY, "pages read back from disk")
    return held(Reading.UNKNOWN, Lane.LOOP_HELD, "event loop")


def _stood_still(counters: Sequence[Counters]) -> list[tuple[float, float]]:
    """When not even we, who count ten times a second, got a turn: then what was on the loop is no culprit."""
    return [
        (first.at_s, second.at_s) for first, second in pairwise(counters) if second.at_s - first.at_s >= STOOD_STILL_S
    ]


def _with_the_machine(held: Held, still: Sequence[tuple[float, float]], counters: Sequence[Counters]) -> Held:
    """The same stretch as one of the whole machine, where everything stood still and the service used no CPU."""
    if held.lane is Lane.SUSPENDED or not _covered(held, still) or (held.cpu_share or 0.0) >= IDLE_SHARE:
        return held
    queued_s = _risen(counters, held.start_s, held.end_s, "run_queue_s") or 0.0
    if queued_s >= QUEUED_SHARE * held.seconds:
        lane, label = Lane.NOT_SCHEDULED, "runnable, but other work had the CPU"
    else:
        lane, label = Lane.SUSPENDED, "the whole machine stood still, this watch too"
    return replace(held, reading=Reading.NOT_SCHEDULED, lane=lane, label=label, stack=())


def _slept(held: Held, counters: Sequence[Counters]) -> bool:
    """Whether the loop's thread had nothing to do while the answer was late: then others, or we, lacked the CPU.

    It waits for events, as far as the kernel tells in what; where it does not tell, others wait for the CPU.
    """
    within = [each for each in counters if held.start_s <= each.at_s <= held.end_s]
    idle = [each for each in within if each.state == "S"]
    if not within or len(idle) < MOSTLY * len(within) or any(each.state in ("T", "D") for each in within):
        return False
    if sum(_POLLS.search(each.wait_channel) is not None for each in idle) >= MOSTLY * len(within):
        return True
    pressed_s = _risen(counters, held.start_s, held.end_s, "cpu_pressure_s")
    silent = all(each.wait_channel in ("", "0") for each in idle)
    return silent and pressed_s is not None and pressed_s >= QUEUED_SHARE * held.seconds


def _asleep(counters: Sequence[Counters]) -> Iterator[Held]:
    """The machine slept: its boot clock went on, the monotonic one did not."""
    for first, second in pairwise(counters):
        if first.boot_s is None or second.boot_s is None:
            continue
        slept_s = (second.boot_s - first.boot_s) - (second.monotonic_s - first.monotonic_s)
        if slept_s >= ASLEEP_S:
            yield Held(second.at_s - slept_s, second.at_s, Reading.NOT_SCHEDULED, Lane.SUSPENDED, (), "machine asleep")


# --- counters


def _around(counters: Sequence[Counters], start_s: float, end_s: float) -> tuple[Counters, Counters] | None:
    """The readings next to both edges of a stretch."""
    first = next((each for each in reversed(counters) if each.at_s <= start_s), None)
    last = next((each for each in counters if each.at_s >= end_s), counters[-1] if counters else None)
    if first is None or last is None or last.at_s <= first.at_s:
        return None
    return first, last


def _risen(counters: Sequence[Counters], start_s: float, end_s: float, name: str) -> float | None:
    edges = _around(counters, start_s, end_s)
    if edges is None:
        return None
    before, after = (getattr(each, name) for each in edges)
    return None if before is None or after is None else float(after - before)


def _cpu_share(counters: Sequence[Counters], start_s: float, end_s: float, *, process: bool = False) -> float | None:
    """CPU of the loop's thread (or of the process) per second of a stretch that is long enough to tell."""
    used_s = _risen(counters, start_s, end_s, "cpu_s" if process else "loop_cpu_s")
    if used_s is None or end_s - start_s < SHORTEST_S:
        return None
    return max(0.0, min(1.0, used_s / (end_s - start_s)))


def _state(counters: Sequence[Counters], start_s: float, end_s: float) -> str:
    """The state that the loop's thread was mostly seen in."""
    states = Counter(each.state for each in counters if start_s <= each.at_s <= end_s and each.state)
    return states.most_common(1)[0][0] if states else ""


def _kernel(counters: Sequence[Counters], place: Place) -> Iterator[Event]:
    """Descriptors and children over time, with a mark where descriptors run out."""
    for each in counters:
        if each.descriptors is not None:
            yield _level(each.at_s, "descriptors", Lane.DESCRIPTORS, each.descriptors, place)
            if each.descriptor_limit and each.descriptors >= NEAR_LIMIT * each.descriptor_limit:
                label = f"{each.descriptors} of {each.descriptor_limit} descriptors open"
                yield Event(each.at_s, "descriptors-near-limit", Lane.DESCRIPTORS, Form.MARK, place, label=label)
        if each.children is not None:
            yield _level(each.at_s, "children", Lane.CHILDREN, each.children, place)


def _level(at_s: float, kind: str, lane: Lane, value: float, place: Place) -> Event:
    return Event(at_s, kind, lane, Form.LEVEL, place, value=float(value), label=kind)


# --- told by the probe


def _collections(watched: Watched, place: Place) -> Iterator[Event]:
    """Collections; who asked for one is where it is."""
    kinds = {True: "live-explicit-gc-pause", False: "live-automatic-gc-pause", None: "live-gc-pause"}
    for each in watched.collections:
        frame = application_frame(each.caller) if each.explicit else None
        yield Event(
            at_s=each.at_s,
            kind=kinds[each.explicit],
            lane=Lane.GC,
            form=Form.SPAN,
            place=place if frame is None else Place(site_of(frame)),
            seconds=each.seconds,
            value=float(each.collected),
            key=str(each.generation),
        )


SLOW_ROUND_TRIP_S = 0.25  # an idle pool answers in a thousandth


def _executor(watched: Watched, place: Place) -> Iterator[Event]:
    """Empty work that waited for a thread."""
    for trip in watched.round_trips:
        if trip.seconds >= SLOW_ROUND_TRIP_S and not _loop_was_late(watched, trip.at_s - trip.seconds, trip.at_s):
            yield Event(
                at_s=trip.at_s,
                kind="live-executor-wait",
                lane=Lane.EXECUTOR,
                form=Form.SPAN,
                place=place,
                seconds=trip.seconds,
                label="the default executor",
            )


def _loop_was_late(watched: Watched, start_s: float, end_s: float) -> bool:
    """Whether the loop itself kept the answer waiting."""
    late_s = sum(beat.late_s for beat in watched.beats if start_s <= beat.at_s <= end_s + 0.1)
    return late_s >= 0.5 * (end_s - start_s)
