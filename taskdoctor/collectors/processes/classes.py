"""The class of each tree: what it is, whether its channel is dead, whether something speaks against ending it.

Three gates, never a sum: an orphan is surely an MCP server, its channel surely has no other end (in two looks), and
nothing at all blocks. What fails at the last gate is a suspect; what cannot be told is unknown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from taskdoctor.collectors.processes.blockers import blockers, internet
from taskdoctor.collectors.processes.channel import Channel, End, Holder
from taskdoctor.collectors.processes.launches import shown, understand
from taskdoctor.collectors.processes.survey import Group, Member, Survey
from taskdoctor.model import ProcessClass, Sign

Key = tuple[int, int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Ruling:
    """One tree, judged."""

    group: Group
    kind: ProcessClass
    signs: tuple[Sign, ...] = ()
    blockers: tuple[Sign, ...] = ()
    client: int | None = None
    unread: tuple[str, ...] = ()


def rule(survey: Survey, before: Survey | None) -> list[Ruling]:
    """Every server of this look; `before` is the first of two, None when there was only one."""
    first = {group.key: group for group in before.groups} if before is not None else None
    rulings = [_first_ruling(group, survey, first) for group in survey.groups]
    rulings = _sealed(rulings, survey, first)
    return _retained(_merged(rulings), survey)


def _first_ruling(group: Group, survey: Survey, first: Mapping[Key, Group] | None) -> Ruling:
    channel = group.core.channel
    signs = (*group.identity.signs, *_parent_signs(group, survey))
    match channel.stdin:
        case End.UNKNOWN:
            return Ruling(group, ProcessClass.UNKNOWN, signs, unread=(channel.why,))
        case End.NONE:
            return Ruling(group, ProcessClass.LIVE, (*signs, Sign(channel.why, _fd(group), f"ls -l {_fd(group)}")))
        case End.LIVE:
            return _living(group, survey, signs)
        case End.DEAD:
            return _dead(group, survey, signs, first)


def _fd(group: Group) -> str:
    pid, private = group.core.row.pid, group.core.channel.private
    return f"/proc/{pid}/fd/{private[0] if private else 0}"


def _dead(group: Group, survey: Survey, signs: tuple[Sign, ...], first: Mapping[Key, Group] | None) -> Ruling:
    """Nobody can ask it anything; what is left is whether somebody still takes its answers, and what blocks."""
    channel = group.core.channel
    signs = (*signs, *_dead_signs(group))
    if channel.stdout is End.UNKNOWN:
        return Ruling(
            group, ProcessClass.UNKNOWN, signs, unread=("the other end of its stdout could not be looked up",)
        )
    found = (*_answer_blockers(group, survey), *blockers(group, survey), *_used_below(group, survey))
    if first is None:
        once = Sign("looked at only once: a client that closes properly looks the same for six seconds", _fd(group),
                    "taskdoctor procs")  # fmt: skip
        return Ruling(group, ProcessClass.SUSPECT, signs, (*found, once))
    earlier = first.get(group.key)
    if earlier is None or earlier.core.channel.stdin is not End.DEAD:
        young = Sign("its channel was still open a few seconds ago: it may be closing", _fd(group), "taskdoctor procs")
        return Ruling(group, ProcessClass.SUSPECT, signs, (*found, young))
    kind = ProcessClass.SUSPECT if found else ProcessClass.ORPHAN
    return Ruling(group, kind, signs, found)


def _dead_signs(group: Group) -> Iterator[Sign]:
    pid, channel = group.core.row.pid, group.core.channel
    wire = channel.wires[0] if channel.wires else ""
    check = f"ss -xp | grep -w {_digits(wire)}" if wire.startswith("socket:") else _lsof(wire)
    yield Sign(f"its stdin ({wire}) has no other end: nobody can ask it anything any more", _fd(group), check)
    if channel.stdout is End.DEAD:
        answer = channel.answers[0] if channel.answers else ""
        check = f"ss -xp | grep -w {_digits(answer)}" if answer.startswith("socket:") else _lsof(answer)
        number = channel.private[-1] if channel.private else 1
        yield Sign("nobody is left to read its answers either", f"/proc/{pid}/fd/{number}", check)


def _digits(link: str) -> str:
    return link[link.find("[") + 1 : -1]


def _lsof(link: str) -> str:
    return f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F '{link}'"


# What takes in orphans; in a container pid 1 may be the client itself.
_INITS = frozenset(
    {"systemd", "init", "tini", "dumb-init", "docker-init", "catatonit", "s6-svscan", "runit", "launchd"}
)


def _parent_signs(group: Group, survey: Survey) -> Iterator[Sign]:
    row = survey.table[group.root]
    parent = survey.table.get(row.parent)
    check = f"ps -o pid,ppid,pgid,sid,args -p {row.pid}"
    if row.parent <= 1 or parent is None:
        told = "its parent is gone: it was handed to pid 1"
        if parent is not None and parent.name not in _INITS:
            told = f"its parent is pid 1, {parent.name}: who started it is gone, or is that"
        yield Sign(told, f"pid {row.pid}", check)
    elif parent.start_ticks > row.start_ticks:
        yield Sign(
            f"its parent, pid {parent.pid}, is younger than itself: the number was used again", f"pid {row.pid}", check
        )
    else:
        yield Sign(
            f"its parent is pid {parent.pid}, {shown(parent.command)[:80] or parent.name}", f"pid {row.pid}", check
        )


def _answer_blockers(group: Group, survey: Survey) -> Iterator[Sign]:
    """Somebody who still reads what it writes: a pipeline by hand, a one-shot caller, a file that is kept."""
    channel, pid = group.core.channel, group.core.row.pid
    place = f"/proc/{pid}/fd/1"
    if channel.stdout is End.NONE:
        target = channel.answers[0] if channel.answers else ""
        yield Sign(f"its stdout is {target or 'no channel'}: somebody ran it by hand", place, f"ls -l {place}")
    if channel.stdout is not End.LIVE:
        return
    readers = _outside(group, [h for link in channel.answers for h in survey.holders.readers(link, survey.sockets)])
    check = _lsof(channel.answers[0]) if channel.answers else ""
    if channel.unread:
        yield Sign("requests wait in its stdin, and somebody still reads its answers", place, check)
    parent = survey.table[group.root].parent
    for reader in readers:
        if reader.number == 0:
            yield Sign(f"pid {reader.pid} reads its answers from a pipeline", place, check)
        elif reader.pid == parent:
            yield Sign(f"its parent, pid {reader.pid}, still reads its answers", place, check)
    if not readers and not survey.holders.complete:
        yield Sign("somebody who is not visible reads its answers", place, check)
    elif readers and parent > 1 and not _adopts(parent, survey) and all(r.pid != parent for r in readers):
        yield Sign(f"pid {readers[0].pid} still reads its answers", place, check)


def _adopts(pid: int, survey: Survey) -> bool:
    """Whether a parent is only who takes in what lost its own: pid 1 of a user, or a wrapper."""
    row = survey.table.get(pid)
    return row is not None and (row.name == "systemd" or understand(row.command).wraps)


def _outside(group: Group, held: Sequence[Holder]) -> list[Holder]:
    return [holder for holder in held if holder.pid not in group.pids]


def _used_below(group: Group, survey: Survey) -> Iterator[Sign]:
    """A server below this one whose channel somebody outside of the tree holds."""
    for other in survey.groups:
        if other.root == group.root or other.root not in group.pids or other.core.channel.stdin is not End.LIVE:
            continue
        for holder in _outside(group, _writers(other.core.channel, survey)):
            yield Sign(f"pid {holder.pid} talks to pid {other.root}, which it started", f"pid {other.root}",
                       f"ls -l /proc/{holder.pid}/fd")  # fmt: skip
            break


def _writers(channel: Channel, survey: Survey) -> list[Holder]:
    return [holder for link in channel.wires for holder in survey.holders.writers(link, survey.sockets)]


def _living(group: Group, survey: Survey, signs: tuple[Sign, ...]) -> Ruling:
    """Somebody holds the other end. A client is a parent, or older than the server; else it only inherited it."""
    held = _outside(group, _writers(group.core.channel, survey))
    row = survey.table[group.root]
    above = _above(survey, group.root)
    client = next((holder.pid for pid in above for holder in held if holder.pid == pid), None)
    if client is None:
        older = [h for h in held if h.number == 1 or _older(survey, h.pid, group)]
        client = older[0].pid if older else None
    if client is None and held:
        pid = held[0].pid
        who = shown(survey.table[pid].command)[:80] if pid in survey.table else "?"
        link = group.core.channel.wires[0]
        kept = Sign(f"pid {pid} ({who}) holds the other end, and is neither its parent nor older: it inherited it",
                    _fd(group), _lsof(link))  # fmt: skip
        return Ruling(group, ProcessClass.SUSPECT, signs, (kept,))
    if client is None:
        return Ruling(
            group, ProcessClass.LIVE, (*signs, Sign("its stdin has another end", _fd(group), f"ls -l {_fd(group)}"))
        )
    who = shown(survey.table[client].command)[:80] if client in survey.table else "?"
    check = f"ls -l {_fd(group)} /proc/{client}/fd"
    name = "its client" if row.parent == client else "the other end of its stdin"
    return Ruling(
        group, ProcessClass.LIVE, (*signs, Sign(f"pid {client} is {name}: {who}", _fd(group), check)), client=client
    )


def _above(survey: Survey, pid: int) -> list[int]:
    found: list[int] = []
    row = survey.table.get(pid)
    while row is not None and row.parent > 0 and row.parent not in found:
        found.append(row.parent)
        row = survey.table.get(row.parent)
    return found


def _older(survey: Survey, pid: int, group: Group) -> bool:
    holder = survey.table.get(pid)
    return holder is not None and holder.start_ticks <= group.core.row.start_ticks


def _sealed(rulings: list[Ruling], survey: Survey, first: Mapping[Key, Group] | None) -> list[Ruling]:
    """Channels that only the tree itself, or orphans, hold open: dead as well, where everybody could be looked at."""
    if first is None or not survey.holders.complete:
        return rulings
    while True:
        gone = {pid for ruling in rulings if ruling.kind is ProcessClass.ORPHAN for pid in ruling.group.pids}
        changed = [_seal(ruling, gone, survey, first) for ruling in rulings]
        if changed == rulings:
            return rulings
        rulings = changed


def _seal(ruling: Ruling, gone: set[int], survey: Survey, first: Mapping[Key, Group]) -> Ruling:
    group = ruling.group
    channel = group.core.channel
    if channel.stdin is not End.LIVE or ruling.kind not in (ProcessClass.LIVE, ProcessClass.SUSPECT):
        return ruling
    held = _writers(channel, survey)
    if not held or any(h.pid not in gone and h.pid not in group.pids for h in held) or group.key not in first:
        return ruling
    if any(h.pid in survey.own for h in held):
        return ruling
    readers = [h for link in channel.answers for h in survey.holders.readers(link, survey.sockets)]
    if channel.stdout is End.NONE or any(h.pid not in gone and h.pid not in group.pids for h in readers):
        return ruling
    pids = ", ".join(sorted({str(h.pid) for h in held}))
    sign = Sign(
        f"only it and other orphans hold the other end of its stdin (pid {pids})", _fd(group), _lsof(channel.wires[0])
    )
    found = (*blockers(group, survey), *_used_below(group, survey))
    kind = ProcessClass.SUSPECT if found else ProcessClass.ORPHAN
    return Ruling(group, kind, (*group.identity.signs, *_parent_signs(group, survey), sign), found)


def _merged(rulings: list[Ruling]) -> list[Ruling]:
    """Below an orphan everything belongs to it."""
    orphans = [ruling for ruling in rulings if ruling.kind is ProcessClass.ORPHAN]
    inside = {pid for ruling in orphans for pid in ruling.group.pids[1:]}
    kept = [ruling for ruling in rulings if ruling.group.root not in inside]
    roots = {ruling.group.root for ruling in kept}
    return [_without_others(ruling, roots) for ruling in kept]


def _without_others(ruling: Ruling, roots: set[int]) -> Ruling:
    """Of a tree that stays, servers below it are trees of their own."""
    if ruling.kind is ProcessClass.ORPHAN:
        return ruling
    pids = tuple(pid for pid in ruling.group.pids if pid == ruling.group.root or pid not in roots)
    return replace(ruling, group=replace(ruling.group, pids=pids))


def _retained(rulings: list[Ruling], survey: Survey) -> list[Ruling]:
    """More copies of one command under one living client than are configured, for as many sessions as it has."""
    copies: dict[tuple[object, ...], list[Ruling]] = defaultdict(list)
    for ruling in rulings:
        if (
            ruling.kind is ProcessClass.LIVE
            and ruling.client is not None
            and ruling.group.core.channel.stdin is End.LIVE
        ):
            copies[ruling.client, _command(ruling.group)].append(ruling)
    surplus: dict[int, Sign] = {}
    for (client, _), same in copies.items():
        assert isinstance(client, int)
        configured = max(1, Counter(str(e.launch) for e in survey.entries)[str(same[0].group.identity.launch)])
        sessions = max(1, sessions_of(client, survey) or 0)
        expected = configured * sessions
        ordered = sorted(same, key=lambda ruling: ruling.group.core.row.start_ticks)
        for ruling in ordered[: max(0, len(same) - expected)]:
            text = f"pid {client} keeps {len(same)} of these, with {configured} configured"
            text += f" and {sessions} sessions open" if sessions > 1 else ""
            surplus[ruling.group.root] = Sign(text, f"pid {client}", f"ps -o pid,lstart,args --ppid {client}")
    return [
        replace(r, kind=ProcessClass.RETAINED, signs=(*r.signs, surplus[r.group.root]))
        if r.group.root in surplus
        else r
        for r in rulings
    ]


def _command(group: Group) -> tuple[str, ...]:
    """What makes two servers copies of each other; package managers put their copies into different folders."""
    leaf = group.core.identity.launch.leaf
    return (leaf.program, leaf.head, leaf.module, leaf.code, *leaf.arguments)


def sessions_of(pid: int, survey: Survey) -> int | None:
    """Connections that others hold open to the ports of a process: its sessions, as far as a process table can tell."""
    net = internet([pid])
    if net is None:
        return None
    return net.connections


def helpers(survey: Survey, before: Survey | None) -> list[Ruling]:
    """What a dead server left: both directions dead in two looks, started like a server's child, nobody's job."""
    earlier = {(m.row.pid, m.row.start_ticks) for m in before.strays} if before is not None else set()
    strays = {member.row.pid: member for member in survey.strays}
    found = []
    for member in survey.strays:
        if member.row.parent in strays or (member.row.pid, member.row.start_ticks) not in earlier:
            continue
        sign = _left_by_server(member, survey)
        if sign is not None:
            pids = (member.row.pid, *survey.below(member.row.pid))
            group = Group(member, member.row.pid, pids, member.identity)
            signs = (sign, *_parent_signs(group, survey), *_dead_signs(group))
            found.append(Ruling(group, ProcessClass.HELPER, signs))
    return found


_JOBS = ("cron", "anacron", "atd", "crond")


def _left_by_server(member: Member, survey: Survey) -> Sign | None:
    row = member.row
    above = [survey.table[pid].name for pid in _above(survey, row.pid) if pid in survey.table]
    if row.terminal or row.pid in survey.own or row.parent in survey.own - {1} or any(name in _JOBS for name in above):
        return None
    parent = survey.table.get(row.parent)
    if row.parent > 1 and parent is not None and parent.session == row.session:
        return None  # its parent is there: a job of somebody
    place = f"/proc/{row.pid}/environ"
    check = f"tr '\\0' '\\n' < {place} | cut -d= -f1"
    if member.identity.few_variables:
        return Sign(
            "it has the few variables that an MCP client gives its servers, and no server above it", place, check
        )
    if member.identity.from_npm:
        return Sign("npm started it for an MCP server that is gone", place, f"tr '\\0' '\\n' < {place} | grep ^npm_")
    return None
