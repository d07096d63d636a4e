"""Whether a stdio server's channel has another end: the proof on which ending anything rests.

A stdio server whose stdin has no other end can never be asked anything again, whatever its parent is. For a pipe the
kernel tells it (hang-up on the read end: no writer anywhere, whoever owns it), for a socket pair it is asked for the
peer. SDK 2.x servers move the wire to private descriptors and leave the null device on 0: theirs are looked at instead.

Nothing is read from the channel, no flag of it is changed: a pipe is opened again through /proc, which gives a file
description of our own, and it is closed at once. What cannot be looked at is unknown, never dead.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from taskdoctor.collectors.processes.peers import Sockets
from taskdoctor.collectors.processes.table import Row, read_link

NULL_DEVICES = frozenset({"/dev/null"})
MOST_DESCRIPTORS = 20_000


class End(StrEnum):
    """What is at the other end of one direction."""

    LIVE = "live"
    DEAD = "dead"
    NONE = "none"  # no channel: a terminal, a file, the null device
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Descriptor:
    number: int
    link: str  # `pipe:[123]`
    reads: bool
    writes: bool


@dataclass(frozen=True, slots=True)
class Channel:
    """Both directions of one process."""

    stdin: End
    stdout: End
    wires: tuple[str, ...] = ()  # links of what it is asked through
    answers: tuple[str, ...] = ()  # links of what it answers through
    private: tuple[int, ...] = ()  # descriptors, where the wire is not 0 and 1
    unread: bool = False  # requests wait that it has not taken
    why: str = ""  # of UNKNOWN and NONE

    @property
    def is_dead(self) -> bool:
        return self.stdin is End.DEAD

    @property
    def is_dead_both_ways(self) -> bool:
        return self.stdin is End.DEAD and self.stdout is End.DEAD


def look(row: Row, sockets: Sockets | None, *, privately: bool = False) -> Channel:
    """The channel of one process; `privately`: look behind a null device, which only an MCP server deserves."""
    if row.stdin is None:
        return Channel(End.UNKNOWN, End.UNKNOWN, why="its descriptors may not be read")
    if row.stdin in NULL_DEVICES and privately:
        return _private(row.pid, sockets)
    stdin, unread = _read_end(row.pid, 0, row.stdin, sockets)
    out = read_link(row.pid, 1) or ""
    stdout = _write_end(row.pid, 1, out, sockets)
    return Channel(stdin, stdout, (row.stdin,), (out,), unread=unread, why=_why(stdin, row.stdin))


def _why(end: End, link: str) -> str:
    match end:
        case End.UNKNOWN:
            return f"the other end of its stdin ({link}) could not be looked up"
        case End.NONE:
            return f"its stdin is {link or 'closed'}, not a channel"
        case _:
            return ""


def _private(pid: int, sockets: Sockets | None) -> Channel:
    """The wire of an SDK 2.x server: what it only reads and only writes, or pairs whose other end is outside."""
    found = descriptors(pid)
    if found is None:
        return Channel(End.UNKNOWN, End.UNKNOWN, why="its descriptors may not be read")
    pipes = [one for one in found if one.number > 2 and one.link.startswith("pipe:")]
    read = {one.link for one in pipes if one.reads}
    written = {one.link for one in found if one.writes and one.link.startswith("pipe:")}
    asked = [one for one in pipes if one.reads and one.link in read - written]
    answered = [one for one in pipes if one.writes and one.link in written - read and one.link not in _standard(found)]
    pairs = _pairs(found, sockets)
    ins = [_read_end(pid, one.number, one.link, sockets) for one in (*asked, *pairs)]
    outs = [_write_end(pid, one.number, one.link, sockets) for one in (*answered, *pairs)]
    return Channel(
        stdin=_together([end for end, _ in ins]),
        stdout=_together(outs),
        wires=tuple(dict.fromkeys(one.link for one in (*asked, *pairs))),
        answers=tuple(dict.fromkeys(one.link for one in (*answered, *pairs))),
        private=tuple(sorted({one.number for one in (*asked, *answered, *pairs)})),
        unread=any(unread for _, unread in ins),
        why="" if ins else "its stdin is the null device, and it has no private channel",
    )


def _standard(found: list[Descriptor]) -> set[str]:
    return {one.link for one in found if one.number == 2}


def _pairs(found: list[Descriptor], sockets: Sockets | None) -> list[Descriptor]:
    """Unnamed socket pairs whose other end is not the process itself (that would be its own wake-up pair)."""
    if sockets is None:
        return []
    own = {inode_of(one.link) for one in found if one.link.startswith("socket:")}
    kept = []
    for one in found:
        end = sockets.get(inode_of(one.link)) if one.link.startswith("socket:") and one.number > 2 else None
        if end is None or end.named or end.listening or end.peer in own:
            continue
        other = sockets.get(end.peer)
        if other is None or not other.named:
            kept.append(one)
    return kept


def _together(ends: list[End]) -> End:
    """Dead only if all are; one that lives, or that is not known, keeps it."""
    if not ends:
        return End.NONE
    for end in (End.LIVE, End.UNKNOWN):
        if end in ends:
            return end
    return End.DEAD


def _read_end(pid: int, number: int, link: str, sockets: Sockets | None) -> tuple[End, bool]:
    if link.startswith("socket:"):
        return _socket_end(link, sockets, reading=True), False
    if not link.startswith("pipe:"):
        return End.NONE, False
    events = _polled(pid, number, link, os.O_RDONLY, select.POLLIN)
    if events is None:
        return End.UNKNOWN, False
    return (End.DEAD if events & select.POLLHUP else End.LIVE), bool(events & select.POLLIN)


def _write_end(pid: int, number: int, link: str, sockets: Sockets | None) -> End:
    if link.startswith("socket:"):
        return _socket_end(link, sockets, reading=False)
    if not link.startswith("pipe:"):
        return End.NONE
    events = _polled(pid, number, link, os.O_WRONLY, 0)
    if events is None:
        return End.UNKNOWN
    return End.DEAD if events & select.POLLERR else End.LIVE


def _socket_end(link: str, sockets: Sockets | None, *, reading: bool) -> End:
    """A peer that promised to write no more may still wait for the answer."""
    end = sockets.get(inode_of(link)) if sockets is not None else None
    if end is None or end.listening:
        return End.UNKNOWN  # another family, another network namespace, or gone since
    return End.DEAD if end.peer == 0 or (end.no_input if reading else end.no_output) else End.LIVE


def _polled(pid: int, number: int, link: str, mode: int, wanted: int) -> int | None:
    """What a pipe says, through a file description of our own; None when it cannot be opened.

    The first descriptor opens nothing (O_PATH): only what is provably still that anonymous pipe is opened for real, so
    that no device or FIFO is ever touched when a pid or a descriptor is used again meanwhile.
    """
    try:
        pinned = os.open(f"/proc/{pid}/fd/{number}", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        seen = os.fstat(pinned)
        if not stat.S_ISFIFO(seen.st_mode) or seen.st_ino != inode_of(link):
            return None
        opened = os.open(f"/proc/self/fd/{pinned}", mode | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    finally:
        os.close(pinned)
    try:
        poll = select.poll()
        poll.register(opened, wanted)
        return dict(poll.poll(0)).get(opened, 0)
    finally:
        os.close(opened)


def inode_of(link: str) -> int:
    """`pipe:[123]` -> 123; 0 for anything else."""
    digits = link[link.find("[") + 1 : -1]
    return int(digits) if link.endswith("]") and digits.isdecimal() else 0


def descriptors(pid: int) -> list[Descriptor] | None:
    """Everything that a process has open; None when it may not be seen."""
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)[:MOST_DESCRIPTORS]  # noqa: PTH208
    except OSError:
        return None
    found = []
    for number in numbers:
        try:
            mode = os.lstat(f"{folder}/{number}").st_mode
            link = os.readlink(f"{folder}/{number}")  # noqa: PTH115
        except OSError:
            continue
        found.append(Descriptor(int(number), link, bool(mode & 0o400), bool(mode & 0o200)))
    return sorted(found, key=lambda one: one.number)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has one end of a channel open, and as which descriptor."""

    pid: int
    number: int
    reads: bool
    writes: bool


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds what, as far as descriptors may be read."""

    by_link: Mapping[str, tuple[Holder, ...]]
    complete: bool  # nobody's descriptors were closed to us

    def writers(self, link: str, sockets: Sockets | None) -> list[Holder]:
        """Who could still send something into this wire."""
        if link.startswith("socket:"):
            end = (sockets or {}).get(inode_of(link))
            return list(self.by_link.get(f"socket:[{end.peer}]", ())) if end is not None else []
        return [holder for holder in self.by_link.get(link, ()) if holder.writes]

    def readers(self, link: str, sockets: Sockets | None) -> list[Holder]:
        """Who could still take an answer out of it."""
        if link.startswith("socket:"):
            return self.writers(link, sockets)
        return [holder for holder in self.by_link.get(link, ()) if holder.reads]


def holders(pids: list[int], links: set[str], sockets: Sockets | None) -> Holders:
    """Everybody who holds one of these pipes, or the other end of one of these sockets."""
    wanted = set(links)
    for link in links:
        end = (sockets or {}).get(inode_of(link)) if link.startswith("socket:") else None
        if end is not None and end.peer:
            wanted.add(f"socket:[{end.peer}]")
    found: dict[str, list[Holder]] = {}
    complete = True
    for pid in pids if wanted else ():
        folder = f"/proc/{pid}/fd"
        try:
            numbers = os.listdir(folder)  # noqa: PTH208
        except PermissionError:
            complete = False
            continue
        except OSError:
            continue
        for number in numbers:
            try:
                link = os.readlink(f"{folder}/{number}")  # noqa: PTH115
                if link not in wanted:
                    continue
                mode = os.lstat(f"{folder}/{number}").st_mode
            except OSError:
                continue
            found.setdefault(link, []).append(Holder(pid, int(number), bool(mode & 0o400), bool(mode & 0o200)))
    return Holders({link: tuple(held) for link, held in found.items()}, complete)
