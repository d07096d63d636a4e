"""The process table to one Snapshot: two looks, a sample of CPU between them, and each tree with what it takes.

Why two looks: a client that closes properly leaves a channel without another end for up to six seconds (two until it
sends TERM, two until KILL, two until it has reaped). Only what looks the same seven seconds later is proven.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from taskdoctor.collectors.processes.classes import Ruling, helpers, rule, sessions_of
from taskdoctor.collectors.processes.configs import Entry, find_entries
from taskdoctor.collectors.processes.harm import Locks, cpu_share, cpu_ticks, harm_of, locks_of, together
from taskdoctor.collectors.processes.launches import CONTAINERS, PACKAGE_RUNNERS, SHELLS, shown, understand
from taskdoctor.collectors.processes.survey import Survey, is_dead, survey
from taskdoctor.collectors.processes.table import Row, ancestors, available_bytes, folder_of, memory_bytes
from taskdoctor.model import Process, ProcessClass, Processes, ProcessTree, ServiceProcess, Sign, Snapshot

APART_S = 7.0  # longer than the grace of any client that closes properly
SAMPLE_S = 1.0  # of CPU
MOST_ZOMBIES = 50

Progress = Callable[[str], None]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How to look."""

    quick: bool = False  # one look, no proof
    apart_s: float = APART_S
    sample_s: float = SAMPLE_S
    configs: tuple[Path, ...] = ()
    service: int | None = None  # pid of the service under diagnosis


def collect(options: Options | None = None, *, progress: Progress | None = None, sleep: Sleep = time.sleep) -> Snapshot:
    """Look at the process table. Raises UnreadableError when there is none."""
    options = options or Options()
    if sys.platform != "linux":
        from taskdoctor.collectors.processes.elsewhere import collect_elsewhere

        return collect_elsewhere(quick=options.quick, apart_s=options.apart_s, configs=options.configs, sleep=sleep)
    return _collect(options, progress, sleep)


def children_of(pid: int, *, apart_s: float = 0.0, sleep: Sleep = time.sleep) -> Processes:
    """The MCP servers below a service, classified; with `apart_s` of seven seconds also proven."""
    if sys.platform != "linux":
        return Processes(time.time(), sys.platform, proven=False, apart_s=0.0, scanned=0)
    options = Options(quick=apart_s <= 0, apart_s=apart_s, sample_s=0.0, service=pid)
    processes = _collect(options, None, sleep, only_below=pid).processes
    assert processes is not None
    return processes


class Watched:
    """Two looks around something that takes its time anyway: the proof costs nobody a wait. For `attach`."""

    def __init__(self, service: int, *, at_least_s: float = APART_S) -> None:
        self._options = Options(quick=True, service=service)
        self._at_least_s = at_least_s
        self._first = _First(_look(self._options, None, None)) if sys.platform == "linux" else None

    def end(self) -> Processes:
        """The servers below the service, and orphans of whoever started them; a short watch proves nothing."""
        service = self._options.service or 0
        if self._first is None:
            return children_of(service)
        passed_s = time.monotonic() - self._first.started_s
        second = _look(self._options, None, None)
        options = replace(self._options, quick=passed_s < self._at_least_s, apart_s=round(passed_s, 1))
        found = _found(options, self._first, second, self._first.shares(), again=True)
        kept = [t for t in found.trees if service in t.root.parents or t.kind is ProcessClass.ORPHAN]
        return replace(found, trees=tuple(tree for tree in kept if tree.kind is not ProcessClass.ZOMBIE))


class _First:
    """The first look, and the CPU that its servers had used by then."""

    def __init__(self, seen: Survey) -> None:
        self.seen = seen
        self.at_s, self.started_s = time.time(), time.monotonic()
        self.suspects = sum(is_dead(group.core.channel) for group in seen.groups)
        self.in_doubt = bool(self.suspects or seen.strays)
        self.rows = {pid: seen.table[pid] for group in seen.groups for pid in group.pids if pid in seen.table}
        self._used = cpu_ticks(self.rows)

    def shares(self) -> dict[int, float]:
        """Of one core, since the first look."""
        now = cpu_ticks(self.rows)
        passed_s = max(time.monotonic() - self.started_s, 0.001)
        return {pid: cpu_share(self._used.get(pid), now.get(pid), passed_s) for pid in self.rows}


def _collect(options: Options, progress: Progress | None, sleep: Sleep, *, only_below: int | None = None) -> Snapshot:
    named = find_entries((), options.configs) if options.configs else None
    first = _First(_look(options, only_below, named))
    again = first.in_doubt and not options.quick
    if first.rows and options.sample_s:
        if progress is not None and again:
            progress(_saying(first.suspects, options.apart_s))
        sleep(options.sample_s)
    shares = first.shares()
    after = first.seen
    if again:
        sleep(max(0.0, options.apart_s - (time.monotonic() - first.started_s)))
        after = _look(options, only_below, named)
    processes = _found(options, first, after, shares, again=again, zombies=only_below is None)
    return snapshot(processes, warnings=_warnings(after))


def _found(
    options: Options, first: _First, after: Survey, shares: dict[int, float], *, again: bool, zombies: bool = True
) -> Processes:
    """Both looks, judged, with what each tree takes."""
    before = first.seen if not options.quick else None
    rulings = [*rule(after, before), *helpers(after, before if again else None)]
    locks = locks_of([pid for ruling in rulings for pid in ruling.group.pids])
    trees = [_tree(ruling, after, shares, locks) for ruling in rulings]
    trees += _zombies(after) if zombies else []
    return Processes(
        at_s=first.at_s,
        platform="linux",
        proven=not options.quick,
        apart_s=options.apart_s if again and not options.quick else 0.0,
        scanned=len(after.table),
        trees=tuple(sorted(trees, key=by_harm)),
        service=_service(options.service, after) if options.service is not None else None,
        memory_bytes=memory_bytes(),
        cores=os.cpu_count() or 1,
        utc_offset_s=_utc_offset_s(first.at_s),
        available_bytes=available_bytes(),
    )


def snapshot(processes: Processes, *, warnings: Sequence[str] = ()) -> Snapshot:
    """The nouns of the whole around it, so that it can be judged with logs and others."""
    return Snapshot("processes", (), warnings=tuple(warnings), processes=processes)


def _look(options: Options, only_below: int | None, named: list[Entry] | None) -> Survey:
    among: Iterable[int] | None = None
    if only_below is not None:
        from taskdoctor.collectors.processes.table import children, descendants, read_table

        among = descendants(children(read_table()), only_below)
    return survey(among=among, named=named or ())


def _saying(count: int, apart_s: float) -> str:
    servers = f"{count} MCP server{'s' if count != 1 else ''} without another end"
    return f"{servers if count else 'leftovers in sight'}; looking again in {apart_s:g} s, to be sure"


_ORDER = (
    ProcessClass.ORPHAN,
    ProcessClass.SUSPECT,
    ProcessClass.HELPER,
    ProcessClass.RETAINED,
    ProcessClass.UNKNOWN,
    ProcessClass.ZOMBIE,
    ProcessClass.LIVE,
)


def by_harm(tree: ProcessTree) -> tuple[object, ...]:
    """What is proven first, then what takes most: a spinning one before any amount of memory."""
    harm = tree.harm
    return (_ORDER.index(tree.kind), not harm.spins, -harm.rss_bytes * (1 + harm.cpu_share), tree.root.pid)


def _tree(ruling: Ruling, seen: Survey, shares: dict[int, float], locks: dict[int, Locks]) -> ProcessTree:
    group = ruling.group
    rows = [seen.table[pid] for pid in group.pids if pid in seen.table]
    members = tuple(_process(row, seen, shares.get(row.pid, 0.0), locks) for row in rows)
    return ProcessTree(
        kind=ruling.kind,
        label=group.core.identity.label or group.identity.label or rows[0].name,
        processes=members,
        signs=ruling.signs,
        blockers=ruling.blockers,
        harm=together([member.harm for member in members]),
        entry=str(group.identity.entry) if group.identity.entry is not None else "",
        started_by=_started_by(ruling, seen),
        client=ruling.client,
        launch=_launch(rows),
        unread=(*ruling.unread, *group.identity.unread),
    )


def _process(row: Row, seen: Survey, share: float, locks: dict[int, Locks]) -> Process:
    return Process(
        pid=row.pid,
        name=row.name,
        command=shown(row.command) or f"[{row.name}]",
        parents=tuple(ancestors(seen.table, row.pid)),
        started_s=row.started_s,
        start_ticks=row.start_ticks,
        owner=user_name(row.owner),
        harm=harm_of(row, share, locks),
    )


def _started_by(ruling: Ruling, seen: Survey) -> str:
    """Who started it, as far as that can still be told."""
    group = ruling.group
    if ruling.client is not None and ruling.client in seen.table:
        return f"pid {ruling.client}, {shown(seen.table[ruling.client].command)[:120]}"
    marker = group.core.identity.started_by or group.identity.started_by
    if marker:
        return marker
    row = seen.table[group.root]
    if row.group not in group.pids and row.group > 1:
        leader = seen.table.get(row.group)
        gone = f"a client of process group {row.group}, which is gone"
        return gone if leader is None else f"a client in the group of pid {leader.pid}, {shown(leader.command)[:80]}"
    if group.core.identity.few_variables:
        return "a client that uses the MCP SDK for Python"
    folder = folder_of(row.pid)
    return f"a client in {folder}" if folder not in ("", "/") else ""


def _launch(rows: Sequence[Row]) -> str:
    """The chain that decides what prevents the next one."""
    programs = [understand(row.command).program for row in rows]
    for names, told in (
        (CONTAINERS, "container"),
        (frozenset({"uv", "uvx", "pipx"}), "uv"),
        (PACKAGE_RUNNERS, "npx"),
        (SHELLS, "shell"),
    ):
        if set(programs[:-1] or programs) & names:
            return told
    return "python" if programs and programs[-1] == "python" else "node" if "node" in programs else "direct"


def _zombies(seen: Survey) -> list[ProcessTree]:
    """Ended children that nobody fetched, of the kinds that servers are made of."""
    found = []
    for row in seen.table.values():
        if not row.is_zombie or not row.name.startswith(
            ("node", "python", "npm", "npx", "uv", "bun", "deno", "mcp", "fastmcp")
        ):
            continue
        parent = seen.table.get(row.parent)
        who = (
            f"pid {row.parent}, {shown(parent.command)[:80] or parent.name}"
            if parent is not None
            else f"pid {row.parent}"
        )
        sign = Sign(
            f"it has ended and takes nothing but its number; {who} has not fetched its exit code",
            f"pid {row.pid}",
            f"ps -o pid,ppid,stat,args -p {row.pid}",
        )
        process = _process(row, seen, 0.0, {})
        found.append(ProcessTree(ProcessClass.ZOMBIE, row.name, (process,), (sign,)))
    return found[:MOST_ZOMBIES]


def _service(pid: int, seen: Survey) -> ServiceProcess | None:
    row = seen.table.get(pid)
    if row is None:
        return None
    from taskdoctor.collectors.processes.blockers import internet

    net = internet([pid])
    return ServiceProcess(pid, shown(row.command), sessions_of(pid, seen), net.ports if net is not None else ())


def _warnings(seen: Survey) -> list[str]:
    found = []
    if seen.sockets is None:
        found.append("the kernel did not tell who is connected to whom: servers behind a socket pair are unknown")
    if not seen.holders.complete:
        found.append("descriptors of other users' processes may not be read: who holds a channel is known in part")
    return found


def _utc_offset_s(at_s: float) -> float:
    return float(time.localtime(at_s).tm_gmtoff)


@cache
def user_name(owner: int | None) -> str:
    if owner is None:
        return ""
    import pwd

    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)
