"""One look at everybody: who is an MCP server, what its channel says, and which processes belong together.

Stages, the cheap ones for all: table and stdin of everybody; environment and source of those that may be servers; all
descriptors only of servers with something to tell. Two looks make a proof (`collecting`); this is one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taskdoctor.collectors.processes.channel import NULL_DEVICES, Channel, End, Holders, holders, look
from taskdoctor.collectors.processes.configs import Entry, find_entries
from taskdoctor.collectors.processes.identity import Identity, identify, identify_packed
from taskdoctor.collectors.processes.launches import (
    CONTAINERS,
    PACKAGE_RUNNERS,
    RUNTIMES,
    program_name,
    renamed,
    says_mcp,
    understand,
)
from taskdoctor.collectors.processes.peers import Sockets, unix_sockets
from taskdoctor.collectors.processes.table import (
    Row,
    Table,
    ancestors,
    children,
    descendants,
    folder_of,
    read_link,
    read_table,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One process that deserved a closer look."""

    row: Row
    identity: Identity
    channel: Channel


@dataclass(frozen=True, slots=True)
class Group:
    """A server with the wrappers above it and everything below it."""

    core: Member  # the topmost process of it that is no wrapper
    root: int
    pids: tuple[int, ...]  # root first
    identity: Identity  # the strongest of those on its wire

    @property
    def key(self) -> tuple[int, int, tuple[str, ...]]:
        """The same in two looks only if nothing was replaced in between."""
        return self.core.row.pid, self.core.row.start_ticks, self.core.channel.wires


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look saw."""

    table: Table
    sockets: Sockets | None
    groups: tuple[Group, ...]  # servers
    strays: tuple[Member, ...]  # no servers, but both directions of their channel are dead
    holders: Holders
    own: frozenset[int]  # this process and its ancestors
    entries: tuple[Entry, ...] = ()
    kids: dict[int, list[int]] = field(default_factory=dict)

    def below(self, pid: int) -> list[int]:
        return descendants(self.kids, pid)


def survey(*, named: Sequence[Entry] = (), among: Iterable[int] | None = None) -> Survey:
    """Look at everybody; `named`: entries the user pointed at; `among`: only these (a service's own children)."""
    table = read_table()
    own = frozenset([os.getpid(), *ancestors(table, os.getpid())])
    asked = [table[pid] for pid in among if pid in table] if among is not None else list(table.values())
    worth = [row for row in asked if row.pid != os.getpid() and not row.is_zombie and _may_matter(row)]
    entries = (*named, *find_entries([str(Path.cwd()), *_folders(worth, table)]))
    programs = frozenset(entry.launch.program for entry in entries)
    sockets = unix_sockets()
    members = [_member(row, sockets, entries) for row in worth if _may_serve(row, programs)]
    strays = _strays(worth, members, sockets)
    members += [member for member in strays if member.identity.is_server]
    servers = {member.row.pid: member for member in members if member.identity.is_server}
    kids = children(table)
    groups = _groups(servers, table, kids, sockets)
    wires = {link for group in groups for link in (*group.core.channel.wires, *group.core.channel.answers)}
    return Survey(
        table=table,
        sockets=sockets,
        groups=tuple(groups),
        strays=tuple(_unclaimed(strays, groups)) if among is None else (),
        holders=holders(list(table), {link for link in wires if link.startswith(("pipe:", "socket:"))}, sockets),
        own=own,
        entries=entries,
        kids=kids,
    )


def _may_matter(row: Row) -> bool:
    """Those with a channel, those that hide it behind the null device, and those that may not be looked at."""
    return row.stdin is None or row.stdin in NULL_DEVICES or row.stdin.startswith(("pipe:", "socket:"))


def _may_serve(row: Row, programs: frozenset[str]) -> bool:
    if not row.command:
        return False
    program = program_name(row.command[0])
    if program in RUNTIMES or program in PACKAGE_RUNNERS or program in programs or renamed(row.command) is not None:
        return True
    if not any("mcp" in word.lower() for word in row.command[:6]):
        return False
    return says_mcp(program) or program in CONTAINERS or understand(row.command).wraps


def _folders(rows: Iterable[Row], table: Table) -> list[str]:
    """Project folders whose configurations may name these servers: their own and their clients'."""
    found: dict[str, None] = {}
    for row in rows:
        if (
            row.stdin
            and row.stdin.startswith(("pipe:", "socket:"))
            and program_name(row.command[0] if row.command else "") in RUNTIMES
        ):
            for pid in (row.pid, row.parent):
                if pid > 1 and pid in table:
                    found.setdefault(folder_of(pid))
        if len(found) > 64:
            break
    return list(found)


def _member(row: Row, sockets: Sockets | None, entries: Sequence[Entry]) -> Member:
    identity = identify(row, entries)
    return Member(row, identity, look(row, sockets, privately=identity.is_server))


def _strays(rows: Iterable[Row], members: Sequence[Member], sockets: Sockets | None) -> list[Member]:
    """No servers, but their channel is dead in both directions: helpers of a dead server, perhaps."""
    known = {member.row.pid: member for member in members}
    found = []
    for row in rows:
        if row.stdin is None or row.stdin in NULL_DEVICES or not row.command:
            continue
        member = known.get(row.pid)
        channel = member.channel if member is not None else look(row, sockets)
        if not channel.is_dead_both_ways or (member is not None and member.identity.is_server):
            continue
        if member is None:
            inside = identify_packed(row)
            member = Member(row, inside if inside.is_server else identify(row), channel)
        found.append(member)
    return found


def _unclaimed(strays: Iterable[Member], groups: Sequence[Group]) -> Iterator[Member]:
    taken = {pid for group in groups for pid in group.pids}
    return (stray for stray in strays if stray.row.pid not in taken)


def _groups(
    servers: dict[int, Member], table: Table, kids: dict[int, list[int]], sockets: Sockets | None
) -> list[Group]:
    """Each server once, with its wrappers: who shares its wire, directly above it, and only waits for it."""
    found: dict[int, Group] = {}
    for member in servers.values():
        wires = set(member.channel.wires)
        root = _root(member, servers, table, kids)
        core = _core(root, member, servers, table, kids, wires)
        if core.row.pid not in servers:
            core = Member(core.row, core.identity, look(core.row, sockets, privately=True))
        pids = (root, *descendants(kids, root))
        on_wire = [servers[pid] for pid in pids if pid in servers and wires & set(servers[pid].channel.wires)]
        best = max((each.identity for each in (*on_wire, member)), key=lambda identity: identity.points)
        known = found.get(root)
        if known is None or best.points > known.identity.points:
            found[root] = Group(core, root, pids, best)
    return sorted(_apart(found.values()), key=lambda group: group.root)


def _apart(groups: Iterable[Group]) -> list[Group]:
    """Without the workers that a server has forked: they have its command line and its wire, and are part of it."""
    listed = list(groups)
    return [
        group
        for group in listed
        if not any(
            group.root in other.pids[1:] and set(group.core.channel.wires) & set(other.core.channel.wires)
            for other in listed
        )
    ]


def _root(member: Member, servers: Mapping[int, Member], table: Table, kids: dict[int, list[int]]) -> int:
    """Up through wrappers that share the wire; a script that does other things too is not one."""
    at = member.row
    while (parent := table.get(at.parent)) is not None and parent.pid > 1:
        if not _wraps(parent, at, member.channel, servers, kids):
            break
        at = parent
    return at.pid


SOON_TICKS = 6_000  # a minute: a wrapper starts what it wraps first of all


def _wraps(
    parent: Row, child: Row, channel: Channel, servers: Mapping[int, Member], kids: dict[int, list[int]]
) -> bool:
    """Known ones share stdin; any other program must share stdout too, have this child alone, and at once."""
    if parent.stdin not in channel.wires or len(kids.get(parent.pid, ())) != 1 or parent.is_zombie:
        return False
    if understand(parent.command).wraps:
        return True
    same = parent.stdin == child.stdin and parent.session == child.session and parent.owner == child.owner
    soon = 0 <= child.start_ticks - parent.start_ticks <= SOON_TICKS
    return same and soon and parent.pid not in servers and read_link(parent.pid, 1) == read_link(child.pid, 1)


def _core(
    root: int, member: Member, servers: dict[int, Member], table: Table, kids: dict[int, list[int]], wires: set[str]
) -> Member:
    """The topmost that is no wrapper; down from the root, as a wrapper may be the only one whose name says MCP."""
    if not understand(member.row.command).wraps:
        return member
    at = table[root]
    while understand(at.command).wraps:
        below = [table[pid] for pid in kids.get(at.pid, ()) if pid in table and not table[pid].is_zombie]
        sharing = [row for row in below if row.stdin in wires or row.pid in servers]
        if len(sharing) != 1:
            break
        at = sharing[0]
    return servers.get(at.pid) or Member(at, member.identity, member.channel)


def is_dead(channel: Channel) -> bool:
    return channel.stdin is End.DEAD
