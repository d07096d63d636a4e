"""macOS and Windows: what can be told there, in honest classes.

macOS lists both ends of a channel (`lsof`); a socket pair without another end is shown as such, a pipe only by an end
that nobody visible holds. Windows tells nothing of handles: a parent that is gone, or younger than its child, makes a
suspect and never more. Nothing is ended on either: the proof by the kernel that Linux gives is missing.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from taskdoctor.collectors.processes.channel import End
from taskdoctor.collectors.processes.configs import Entry, find_entries
from taskdoctor.collectors.processes.identity import BUILDS, Identity, weigh
from taskdoctor.collectors.processes.launches import shown, understand
from taskdoctor.collectors.processes.table import Row, ancestors, children, descendants
from taskdoctor.errors import UnreadableError
from taskdoctor.model import Harm, Process, ProcessClass, Processes, ProcessTree, Sign, Snapshot

LSOF_S = 20.0
YOUNGER_S = 1.0  # clocks of two starts: a parent younger by more than this is another process


@dataclass(frozen=True, slots=True)
class Opened:
    """One descriptor, as lsof tells it."""

    kind: str  # "unix", "PIPE", "CHR", "REG"
    device: str  # its own end
    name: str  # "->0x..." its other end, "->(none)", a path


@dataclass(frozen=True, slots=True)
class Facts:
    """What one look at the system gave."""

    rows: Mapping[int, Row]
    environs: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    folders: Mapping[int, str] = field(default_factory=dict)
    opened: Mapping[tuple[int, int], Opened] | None = None  # by pid and descriptor; None: the system does not tell
    complete: bool = False  # everybody's descriptors could be seen
    owners: Mapping[int, str] = field(default_factory=dict)
    own_user: str = ""


Look = Callable[[], Facts]


def collect_elsewhere(
    *, quick: bool, apart_s: float, configs: Sequence[Path], sleep: Callable[[float], None], look: Look | None = None
) -> Snapshot:
    """Two looks at a system that is not Linux. Raises UnreadableError when its processes cannot be listed."""
    read = look or _read
    at_s = time.time()
    entries = find_entries([str(Path.cwd())], configs)
    before = read()
    after = before
    if not quick and any(is_doubtful(tree) for tree in judge(before, before, entries, sys.platform, proven=False)):
        sleep(apart_s)
        after = read()
    trees = judge(before, after, entries, sys.platform, proven=not quick)
    processes = Processes(
        at_s=at_s,
        platform=sys.platform,
        proven=not quick,
        apart_s=apart_s if after is not before else 0.0,
        scanned=len(after.rows),
        trees=tuple(trees),
        memory_bytes=psutil.virtual_memory().total,
        cores=psutil.cpu_count() or 1,
        utc_offset_s=float(time.localtime(at_s).tm_gmtoff),
        available_bytes=psutil.virtual_memory().available,
    )
    warning = f"on {sys.platform} nothing is ended; this part was tested on written fixtures, not on a real machine"
    return Snapshot("processes", (), warnings=(warning,), processes=processes)


def is_doubtful(tree: ProcessTree) -> bool:
    return tree.kind in (ProcessClass.SUSPECT, ProcessClass.ORPHAN)


def judge(before: Facts, after: Facts, entries: Sequence[Entry], platform: str, *, proven: bool) -> list[ProcessTree]:
    """The trees of MCP servers in the later look; `before` is the earlier one."""
    kids = children(after.rows)
    servers = {pid: found for pid, row in after.rows.items() if (found := _identified(row, after, entries)).is_server}
    roots = {_root(after.rows[pid], after) for pid in servers}
    trees = []
    for root in sorted(roots):
        pids = [root, *(pid for pid in descendants(kids, root) if pid not in roots or pid == root)]
        core = next((pid for pid in pids if pid in servers and not understand(after.rows[pid].command).wraps), root)
        best = max((servers[pid] for pid in pids if pid in servers), key=lambda one: one.points, default=None)
        if best is not None:
            trees.append(_tree(pids, core, best, before, after, platform, proven=proven))
    return trees


def _identified(row: Row, facts: Facts, entries: Sequence[Entry]) -> Identity:
    folder = facts.folders.get(row.pid, "")
    return weigh(row, entries, environ=facts.environs.get(row.pid), folder=lambda: folder)


def _root(row: Row, facts: Facts) -> int:
    """Up through the wrappers that are still there and are its parents indeed."""
    at = row
    while (parent := facts.rows.get(at.parent)) is not None and understand(parent.command).wraps:
        if parent.started_s > at.started_s + YOUNGER_S or parent.pid == at.pid:
            break
        at = parent
    return at.pid


def _tree(
    pids: Sequence[int], core: int, best: Identity, before: Facts, after: Facts, platform: str, *, proven: bool
) -> ProcessTree:
    kind, signs, unread = _ruled(pids[0], core, best, before, after, platform, proven=proven)
    blockers: tuple[Sign, ...] = ()
    if kind is ProcessClass.ORPHAN and after.owners.get(core, "") != after.own_user:
        kind = ProcessClass.SUSPECT
        blockers = (Sign("it belongs to another user", f"pid {core}", f"ps -o user,args -p {core}"),)
    members = tuple(_process(after.rows[pid], after) for pid in pids)
    return ProcessTree(
        kind=kind,
        label=best.label or after.rows[core].name,
        processes=members,
        signs=(*best.signs, *signs),
        blockers=blockers,
        harm=Harm(rss_bytes=sum(member.harm.rss_bytes for member in members)),
        entry=str(best.entry) if best.entry is not None else "",
        started_by=best.started_by,
        launch="windows" if platform == "win32" else understand(after.rows[pids[0]].command).program,
        unread=unread,
    )


def _ruled(
    root: int, core: int, best: Identity, before: Facts, after: Facts, platform: str, *, proven: bool
) -> tuple[ProcessClass, tuple[Sign, ...], tuple[str, ...]]:
    if after.opened is None:
        return _by_parent(root, best, before, after, platform)
    return _by_channel(core, before, after, proven=proven)


def _by_parent(
    root: int, best: Identity, before: Facts, after: Facts, platform: str
) -> tuple[ProcessClass, tuple[Sign, ...], tuple[str, ...]]:
    """Without handles only the parent speaks: gone, or younger than its child, in both looks."""
    unread = ("the handles of its stdin and stdout",)
    lost = _lost_parent(root, after)
    if lost is None:
        return ProcessClass.LIVE, (), unread
    check = f'Get-CimInstance Win32_Process -Filter "ProcessId={root}"' if platform == "win32" else f"ps -fp {root}"
    sign = Sign(lost, f"pid {root}", check)
    sure = best.points >= BUILDS and _lost_parent(root, before) is not None
    return (ProcessClass.SUSPECT if sure else ProcessClass.UNKNOWN), (sign,), unread


def _lost_parent(pid: int, facts: Facts) -> str | None:
    row = facts.rows.get(pid)
    if row is None:
        return None
    parent = facts.rows.get(row.parent)
    if parent is None:
        return f"its parent, pid {row.parent}, is gone"
    if parent.started_s > row.started_s + YOUNGER_S:
        return f"its parent's number, {row.parent}, belongs to a younger process now"
    return None


def _by_channel(
    core: int, before: Facts, after: Facts, *, proven: bool
) -> tuple[ProcessClass, tuple[Sign, ...], tuple[str, ...]]:
    """Sockets tell their dead end; a pipe whose other end nobody visible holds is a suspect at most."""
    stdin, sure = end_of(core, 0, after)
    stdout, sure_out = end_of(core, 1, after)
    check = f"lsof -nP -p {core} -a -d 0,1"
    if stdin is End.UNKNOWN:
        return ProcessClass.UNKNOWN, (), ("its descriptors",)
    if stdin is not End.DEAD:
        told = "its stdin has another end" if stdin is End.LIVE else "its stdin is no channel"
        return ProcessClass.LIVE, (Sign(told, f"pid {core}", check),), ()
    signs = [Sign("its stdin has no other end", f"pid {core}", check)]
    if stdout is End.DEAD:
        signs.append(Sign("nobody is left to read its answers either", f"pid {core}", check))
    twice = proven and end_of(core, 0, before)[0] is End.DEAD and before.rows.get(core) is not None
    same = twice and before.rows[core].started_s == after.rows[core].started_s
    definite = same and sure and stdout is End.DEAD and sure_out
    return (ProcessClass.ORPHAN if definite else ProcessClass.SUSPECT), tuple(signs), ()


def end_of(pid: int, number: int, facts: Facts) -> tuple[End, bool]:
    """(what is at the other end, whether that is sure) of one descriptor."""
    one = (facts.opened or {}).get((pid, number))
    if one is None:
        return End.UNKNOWN, False
    if one.kind not in ("unix", "PIPE"):
        return End.NONE, True
    if one.name == "->(none)":
        return End.DEAD, True
    peer = one.name.removeprefix("->")
    if any(other.device == peer for other in (facts.opened or {}).values()):
        return End.LIVE, True
    return End.DEAD, facts.complete


def parse_lsof(text: str) -> dict[tuple[int, int], Opened]:
    """`lsof -F pftdn`: one field a line, each descriptor beginning with its number."""
    found: dict[tuple[int, int], Opened] = {}
    pid, number, fields = -1, -1, dict[str, str]()

    def keep() -> None:
        if pid >= 0 and number >= 0:
            found[pid, number] = Opened(fields.get("t", ""), fields.get("d", ""), fields.get("n", ""))

    for line in text.splitlines():
        mark, value = line[:1], line[1:]
        if mark in ("p", "f"):
            keep()
            fields = {}
            if mark == "p":
                pid, number = (int(value) if value.isdecimal() else -1), -1
            else:
                number = int(value) if value.isdecimal() else -1
        elif mark:
            fields[mark] = value
    keep()
    return found


def _process(row: Row, facts: Facts) -> Process:
    return Process(
        pid=row.pid,
        name=row.name,
        command=shown(row.command) or f"[{row.name}]",
        parents=tuple(ancestors(facts.rows, row.pid)),
        started_s=row.started_s,
        start_ticks=row.start_ticks,
        owner=facts.owners.get(row.pid, ""),
        harm=Harm(rss_bytes=row.rss_bytes),
    )


_ATTRIBUTES = ["pid", "ppid", "name", "cmdline", "create_time", "status", "memory_info", "username"]


def _read() -> Facts:
    """The process table through psutil; environment and folder only of those whose command may be a server's."""
    rows: dict[int, Row] = {}
    environs: dict[int, dict[str, str]] = {}
    folders: dict[int, str] = {}
    owners: dict[int, str] = {}
    try:
        for process in psutil.process_iter(_ATTRIBUTES):
            row = _row(process.info)
            rows[row.pid] = row
            owners[row.pid] = process.info["username"] or ""
            if understand(row.command).program and any(word for word in row.command):
                _more(process, environs, folders)
        own_user = psutil.Process().username()
    except (psutil.Error, OSError) as error:
        raise UnreadableError("the process table cannot be read", hint=str(error)) from error
    opened = _lsof() if sys.platform == "darwin" else None
    return Facts(rows, environs, folders, opened, _is_root(), owners, own_user)


def _more(process: psutil.Process, environs: dict[int, dict[str, str]], folders: dict[int, str]) -> None:
    try:
        environs[process.pid] = process.environ()
        folders[process.pid] = process.cwd()
    except (psutil.Error, OSError):
        return


def _row(told: Mapping[str, object]) -> Row:
    command, memory = told["cmdline"], told["memory_info"]
    started_s = float(str(told["create_time"] or 0.0))
    return Row(
        pid=int(str(told["pid"])),
        parent=int(str(told["ppid"] or 0)),
        name=str(told["name"] or ""),
        command=tuple(str(word) for word in command) if isinstance(command, list) else (),
        state="Z" if told["status"] == psutil.STATUS_ZOMBIE else "S",
        start_ticks=int(started_s * 100),
        rss_bytes=int(getattr(memory, "rss", 0)),
        started_s=started_s,
    )


def _is_root() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


def _lsof() -> dict[tuple[int, int], Opened] | None:
    try:
        made = subprocess.run(
            ["/usr/sbin/lsof", "-nP", "-F", "pftdn"], capture_output=True, check=False, timeout=LSOF_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_lsof(made.stdout.decode("utf-8", "replace")) or None
