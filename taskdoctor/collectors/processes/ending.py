"""Ending orphans, and nobody else: proven and identified again right before each signal, leaves before the root.

Why from the leaves: a signal to the root alone ends the wrapper and leaves the server, which then has no parent. Why
never a process group: servers of TypeScript clients share the group of their client, and of whatever started that.
Through a descriptor of the process (pidfd) where the system has one: a number that is used again cannot be hit.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskdoctor.collectors.processes.blockers import of_one
from taskdoctor.collectors.processes.channel import End
from taskdoctor.collectors.processes.channel import look as look_at
from taskdoctor.collectors.processes.classes import rule
from taskdoctor.collectors.processes.launches import shown
from taskdoctor.collectors.processes.peers import unix_sockets
from taskdoctor.collectors.processes.survey import Group, Survey, survey
from taskdoctor.collectors.processes.table import read_row
from taskdoctor.model import Ended, Outcome, ProcessClass, ProcessTree

PATIENCE_S = 5.0  # between TERM and KILL
LAST_S = 2.0  # after KILL
ROUNDS = 3  # for what was started while the others were ended
_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is: a number used again has another start, owner or command line."""

    pid: int
    start_ticks: int
    owner: int | None
    command: tuple[str, ...]


class InterruptedEnding(Exception):  # noqa: N818 - nothing went wrong
    """The user stopped it: no further signal was sent; what had become of each by then."""

    def __init__(self, ended: tuple[Ended, ...]) -> None:
        super().__init__("interrupted")
        self.ended = ended


Identify = Callable[[int], Identity | None]
Look = Callable[[], Survey]


def identity_of(pid: int) -> Identity | None:
    """Who has this number now; None: nobody, or only one that has ended."""
    row = read_row(pid)
    return Identity(pid, row.start_ticks, row.owner, row.command) if row is not None and not row.is_zombie else None


@dataclass(slots=True)
class _Target:
    """One process on its way out."""

    identity: Identity
    rss_bytes: int
    tree: int
    descriptor: int | None = None
    outcome: Outcome | None = None
    why: str = ""
    termed: bool = False

    def ended(self) -> Ended:
        outcome = self.outcome or Outcome.ALIVE
        command = shown(self.identity.command)
        return Ended(self.identity.pid, self.tree, command, outcome, self.why, self.rss_bytes)


def end(
    trees: Sequence[ProcessTree],
    *,
    identify: Identify = identity_of,
    look: Look = survey,
    patience_s: float = PATIENCE_S,
) -> tuple[Ended, ...]:
    """End the orphans among these trees; what became of each process. Others are not touched whatever is asked.

    Raises InterruptedEnding on Ctrl-C, with what was done: who got a TERM may still end by it.
    """
    wanted = {(tree.root.pid, tree.root.start_ticks) for tree in trees if tree.kind is ProcessClass.ORPHAN}
    done: list[Ended] = []
    tried: set[tuple[int, int]] = set()
    wires: set[str] = set()
    for round_ in range(ROUNDS if wanted else 0):
        seen = look()
        orphans = [ruling.group for ruling in rule(seen, seen) if ruling.kind is ProcessClass.ORPHAN]
        chosen = [
            group for group in orphans if _is_wanted(group, seen, wanted, wires) and _key(group, seen) not in tried
        ]
        if round_ == 0:
            done += _changed(trees, wanted, chosen, seen)
        if not chosen:
            break
        tried |= {_key(group, seen) for group in chosen}
        wires |= {link for group in chosen for link in group.core.channel.wires}
        targets = [target for group in chosen for target in _targets(group, seen)]
        try:
            _end_all(targets, seen, identify, patience_s)
        except KeyboardInterrupt:
            raise InterruptedEnding((*done, *(_interrupted(target) for target in targets))) from None
        done += [target.ended() for target in targets]
    return tuple(done)


def _interrupted(target: _Target) -> Ended:
    if target.outcome is None and identity_of(target.identity.pid) != target.identity:
        target.outcome = _left(target)
    if target.outcome is None:
        told = f"interrupted: it got {target.why} and no more" if target.termed else "interrupted: it got no signal"
        target.outcome, target.why = Outcome.KEPT, told
    return target.ended()


def _key(group: Group, seen: Survey) -> tuple[int, int]:
    return group.root, seen.table[group.root].start_ticks


def _is_wanted(group: Group, seen: Survey, wanted: set[tuple[int, int]], wires: set[str]) -> bool:
    """The trees that were asked for, and later what is left on the same wires."""
    return _key(group, seen) in wanted or bool(wires & set(group.core.channel.wires))


def _changed(
    trees: Sequence[ProcessTree], wanted: set[tuple[int, int]], chosen: Sequence[Group], seen: Survey
) -> list[Ended]:
    """Trees that are no orphans any more: gone, or something speaks against it now."""
    still = {group.root for group in chosen}
    found = []
    for tree in trees:
        root = tree.root
        if (root.pid, root.start_ticks) not in wanted or root.pid in still:
            continue
        row = seen.table.get(root.pid)
        gone = row is None or row.start_ticks != root.start_ticks
        outcome = Outcome.GONE if gone else Outcome.KEPT
        why = "" if gone else "it does not look like an orphan any more"
        found.append(Ended(root.pid, root.pid, root.command, outcome, why, 0))
    return found


def _end_all(targets: Sequence[_Target], seen: Survey, identify: Identify, patience_s: float) -> None:
    """TERM to everybody, leaves first; a wait; KILL to who is left and still the same."""
    try:
        for target in targets:
            _signal(target, signal.SIGTERM, seen, identify)
        _wait(targets, patience_s)
        for target in targets:
            if target.outcome is None:
                _signal(target, signal.SIGKILL, seen, identify)
        _wait([target for target in targets if target.termed], LAST_S)
    finally:
        for target in targets:
            if target.descriptor is not None:
                os.close(target.descriptor)


def _targets(group: Group, seen: Survey) -> list[_Target]:
    rows = [seen.table[pid] for pid in reversed(group.pids) if pid in seen.table]
    return [
        _Target(Identity(row.pid, row.start_ticks, row.owner, row.command), row.rss_bytes, group.root)
        for row in rows
        if not row.is_zombie
    ]


def _signal(target: _Target, number: signal.Signals, seen: Survey, identify: Identify) -> None:
    """First hold the process, then look whether it is the one, then signal what is held."""
    try:
        _hold(target)
        refused = _refusal(target, seen, identify)
        if refused is not None:
            target.outcome, target.why = refused
            return
        if target.descriptor is not None:
            signal.pidfd_send_signal(target.descriptor, number)
        else:
            os.kill(target.identity.pid, number)
        target.termed, target.why = True, number.name
    except ProcessLookupError:
        target.outcome = _left(target)
    except PermissionError:
        target.outcome, target.why = Outcome.KEPT, "the system does not allow it"


def _hold(target: _Target) -> None:
    """A descriptor of the process; without one (an old kernel) the signal goes by number, right after the look."""
    if target.descriptor is None and hasattr(os, "pidfd_open"):
        try:
            target.descriptor = os.pidfd_open(target.identity.pid)
        except ProcessLookupError:
            raise
        except OSError:
            target.descriptor = None


def _left(target: _Target) -> Outcome:
    return Outcome.ENDED if target.termed else Outcome.GONE


def _refusal(target: _Target, seen: Survey, identify: Identify) -> tuple[Outcome, str] | None:
    """Why it gets no signal, if it does not: the last look at who it is and at its channel."""
    pid = target.identity.pid
    if pid <= 1 or pid in seen.own or target.identity.owner != os.geteuid():
        return Outcome.KEPT, "it is not ours to end"
    now, row = identify(pid), read_row(pid)
    if now is None:
        return _left(target), target.why
    if now != target.identity:
        return Outcome.KEPT, "its number belongs to another process now"
    against = next(of_one(row, seen), None) if row is not None else None
    if against is not None:
        return Outcome.KEPT, against.text
    if _answers_again(target, seen):
        return Outcome.KEPT, "its channel has another end again"
    return None


def _answers_again(target: _Target, seen: Survey) -> bool:
    """The deciding evidence once more: the core of the tree still has no other end, or is gone already."""
    group = next(group for group in seen.groups if group.root == target.tree)
    core = group.core.row
    if group.core.channel.stdin is not End.DEAD:
        return False  # held by orphans only, which was proven a moment ago
    sockets = unix_sockets() if any(wire.startswith("socket:") for wire in group.core.channel.wires) else None
    row = read_row(core.pid)
    if row is None or look_at(row, sockets, privately=True).stdin is End.DEAD:
        return False
    now = identity_of(core.pid)
    return now is not None and now.start_ticks == core.start_ticks


def _wait(targets: Sequence[_Target], patience_s: float) -> None:
    """Until all have ended or patience has."""
    limit_s = time.monotonic() + patience_s
    while True:
        for target in targets:
            if target.outcome is None and target.termed and _has_ended(target):
                target.outcome = Outcome.ENDED
        if all(target.outcome is not None for target in targets) or time.monotonic() >= limit_s:
            return
        time.sleep(_STEP_S)


def _has_ended(target: _Target) -> bool:
    """A descriptor of a process is readable once it has ended, though its parent may not have fetched it yet."""
    if target.descriptor is not None:
        poll = select.poll()
        poll.register(target.descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return identity_of(target.identity.pid) != target.identity
