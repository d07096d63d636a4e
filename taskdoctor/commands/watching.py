"""The watch behind `attach`: open the channels, look until it is over, leave politely, hand over what was seen."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from taskdoctor.collectors.service import grouping
from taskdoctor.collectors.service.address import Address
from taskdoctor.collectors.service.assembling import Table, lags_s, snapshot
from taskdoctor.collectors.service.channels import Channels, open_channels
from taskdoctor.collectors.service.console import Console
from taskdoctor.collectors.service.probe import Probe
from taskdoctor.collectors.service.telnet import TermSession
from taskdoctor.collectors.service.watching import Watch
from taskdoctor.collectors.service.wire import ChannelError
from taskdoctor.diagnosis import timeline
from taskdoctor.diagnosis.stalls import loop_stalls
from taskdoctor.errors import UsageError
from taskdoctor.model import BlockedStack, Processes, Snapshot, Stall
from taskdoctor.renderers.live import Progress, live_view
from taskdoctor.renderers.words import duration, plain_text

SHOW_EVERY_S = 0.25
COUNT_COST_SHARE = 0.05  # of the time that counting stalls so far may take
COUNT_EVERY_S = 1.0
LAG_CELLS, LAG_CELL_S = 40, 0.5
SHORTEST_S, LONGEST_S = 1.0, 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for."""

    address: Address
    duration_s: float = 15.0
    until_stalls: int | None = None
    read_only: bool = False
    deep: bool = False
    logs: tuple[str, ...] = ()
    table: Table = field(default_factory=Table)


def seconds_of(text: str) -> float:
    """`15s`, `10m`. Raises UsageError."""
    from taskdoctor.collectors.logs.event import parse_duration

    seconds = parse_duration(text)
    if seconds is None or not SHORTEST_S <= seconds <= LONGEST_S:
        raise UsageError(f"--duration {text}: not a duration", hint="Write it like 15s or 10m, at least 1s.")
    return seconds


def table_by(text: str) -> str:
    if text not in grouping.BY:
        raise UsageError(f"--by {text}: no such grouping", hint=f"One of {', '.join(grouping.BY)}.")
    return text


def check(plan: Plan) -> None:
    """What would be found out too late, after the watch. Raises UsageError, UnreadableError."""
    if plan.read_only and plan.deep:
        raise UsageError("--deep installs more, --read-only nothing", hint="Leave one of them out.")
    if plan.logs:
        from taskdoctor.collectors.logs.inputs import find_inputs

        find_inputs(plan.logs)


def watch(plan: Plan) -> list[Snapshot]:
    """What was seen, one snapshot per collector. Raises ChannelError when there is nothing to attach to."""
    if not plan.address.is_loopback:
        _say(
            f"{plan.address} is not this machine: aiomonitor has no password and no encryption there. Safer: "
            f"ssh -L {plan.address.port}:localhost:{plan.address.port} HOST, then attach to localhost"
        )
    channels = open_channels(plan.address)
    patiently = False
    try:
        second_look = _first_look(channels)
        seen, began_s, ended_s = _watched(plan, channels)
        patiently = True
    finally:
        channels.close(at_once=not patiently)
    return [seen, *_second_look(second_look), *_logs(plan, began_s, ended_s)]


def _first_look(channels: Channels) -> Callable[[], Processes] | None:
    """At the processes, before the watch: with a second look after it, what is left behind is proven at no wait."""
    if channels.target.pid is None:
        return None
    from taskdoctor.collectors.processes.collecting import Watched

    return Watched(channels.target.pid).end


def _second_look(look: Callable[[], Processes] | None) -> Iterator[Snapshot]:
    """The tool servers below the service, and orphans: what it keeps beyond its sessions, what was left behind."""
    from taskdoctor.collectors.processes.collecting import snapshot as table_snapshot

    seen = look() if look is not None else None
    if seen is not None and seen.trees:
        yield table_snapshot(seen)


def _watched(plan: Plan, channels: Channels) -> tuple[Snapshot, float, float]:
    for note in channels.notes:
        _say(note)
    can_have_one = isinstance(channels.port.session, TermSession)
    probe = _installed(channels, deep=plan.deep) if can_have_one and not plan.read_only else None
    watching = Watch(channels, probe)
    try:
        if probe is None:
            channels.open_beside()
        watching.start()
        _say(f"watching {channels.port.address} for {duration(plan.duration_s)}; Ctrl-C ends early with the verdict")
        _until_over(plan, channels, watching)
    except KeyboardInterrupt:
        _say("ending the watch; once more ends at once")
    finally:
        watching.stop()
        watching.hear_the_rest()
        if probe is not None and not watching.gone:
            probe.remove()
    if watching.gone:
        _say(watching.gone)
    seen = snapshot(watching, channels, table=plan.table)
    return seen, watching.began_s, watching.ended_s or time.time()


def _installed(channels: Channels, *, deep: bool) -> Probe | None:
    """The probe, announced; without one the watch goes on with what the port and the kernel tell."""
    made: list[Probe] = []

    def install(console: Console) -> None:
        probe = Probe(deep=deep)
        probe.install(console)
        made.append(probe)

    try:
        channels.use_console(install)
    except ChannelError as error:
        channels.notes.append(f"without the probe: {error}")
        _say(channels.notes[-1])
    if not made:
        return None
    probe = made[0]
    _say(probe.announcement)
    if channels.kernel is not None and probe.pid == channels.kernel.pid and probe.loop_thread:
        channels.kernel.loop_thread = probe.loop_thread
    return probe


def _until_over(plan: Plan, channels: Channels, watching: Watch) -> None:
    late_s = time.monotonic() + plan.duration_s
    counting = _Counting(plan, channels, watching)
    with live_view(sys.stderr) as show:
        while not watching.wait(max(0.0, min(SHOW_EVERY_S, late_s - time.monotonic()))):
            stalls, blocked = counting.now()
            show(_progress(plan, channels, watching, stalls, blocked))
            enough = plan.until_stalls is not None and len(stalls) >= plan.until_stalls
            if enough or time.monotonic() >= late_s:
                return


class _Counting:
    """The stalls so far, counted again no more often than that costs little."""

    def __init__(self, plan: Plan, channels: Channels, watching: Watch) -> None:
        self._plan, self._channels, self._watching = plan, channels, watching
        self._found: tuple[list[Stall], Sequence[BlockedStack]] = ([], ())
        self._next_s = 0.0

    def now(self) -> tuple[list[Stall], Sequence[BlockedStack]]:
        began_s = time.monotonic()
        if began_s >= self._next_s:
            seen = snapshot(self._watching, self._channels, table=self._plan.table)
            line = timeline.build([seen])
            blocked = seen.service.blocked if seen.service is not None else ()
            self._found = (loop_stalls(line) if line is not None else [], blocked)
            cost_s = time.monotonic() - began_s
            self._next_s = began_s + max(COUNT_EVERY_S, cost_s / COUNT_COST_SHARE)
        return self._found


def _progress(
    plan: Plan, channels: Channels, watching: Watch, stalls: Sequence[Stall], blocked: Sequence[BlockedStack]
) -> Progress:
    now_s = time.time()
    samples = watching.watched.tasks
    recent = sorted(blocked, key=lambda each: each.at_s)
    return Progress(
        target=str(channels.port.address),
        elapsed_s=now_s - watching.began_s,
        of_s=plan.duration_s,
        tasks=samples[-1].count if samples else channels.greeted_tasks,
        lags_s=lags_s(watching.watched, now_s, cells=LAG_CELLS, cell_s=LAG_CELL_S),
        stalls=len(stalls),
        stalled_s=sum(stall.interval.seconds for stall in stalls),
        caught=[f"{duration(each.longest_s)}  {each.label} {each.site}  ({each.reading.value})" for each in recent],
        channels=channels.names,
        silent=bool(watching.watched.pings) and not watching.watched.pings[-1].answered,
    )


def _logs(plan: Plan, began_s: float, ended_s: float) -> Iterator[Snapshot]:
    if plan.logs:
        from taskdoctor.collectors.service.beside import log_beside

        yield log_beside(plan.logs, began_s=began_s, ended_s=ended_s)


def _say(words: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(plain_text(words, 400) + "\n")
        sys.stderr.flush()
