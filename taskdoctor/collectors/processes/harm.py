"""What processes take: memory, CPU over a sample, ports, locked files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskdoctor.collectors.processes.blockers import internet
from taskdoctor.collectors.processes.channel import descriptors
from taskdoctor.collectors.processes.table import Row, read_row, ticks_per_s
from taskdoctor.model import Harm

MOST_LOCKS = 20
_DATABASES = (".db", ".sqlite", ".sqlite3", ".db-wal", ".db-shm", ".sqlite-wal", ".duckdb", ".lmdb", ".mdb")


def cpu_ticks(rows: Mapping[int, Row]) -> dict[int, tuple[int, int]]:
    """(start, CPU used) of these processes now: the first half of a sample."""
    fresh = (read_row(pid) for pid in rows)
    return {row.pid: (row.start_ticks, row.cpu_ticks) for row in fresh if row is not None}


def cpu_share(before: tuple[int, int] | None, after: tuple[int, int] | None, seconds: float) -> float:
    """Of one core, over the sample; a pid that changed its owner counts for nothing."""
    if before is None or after is None or before[0] != after[0] or seconds <= 0:
        return 0.0
    return round(max(0, after[1] - before[1]) / ticks_per_s() / seconds, 3)


def harm_of(row: Row, share: float, locks: Mapping[int, Locks]) -> Harm:
    """What one process takes."""
    net = internet([row.pid])
    ports = net.ports if net is not None else ()
    kept = locks.get(row.pid, Locks())
    return Harm(row.rss_bytes, share, ports, kept.opened, kept.held, round(row.cpu_ticks / ticks_per_s(), 2))


def together(harms: Sequence[Harm]) -> Harm:
    """Of a whole tree: pages that its members share count for each of them."""
    return Harm(
        rss_bytes=sum(harm.rss_bytes for harm in harms),
        cpu_share=round(sum(harm.cpu_share for harm in harms), 3),
        ports=tuple(sorted({port for harm in harms for port in harm.ports})),
        locks=tuple(dict.fromkeys(lock for harm in harms for lock in harm.locks)),
        held=tuple(dict.fromkeys(lock for harm in harms for lock in harm.held)),
        cpu_s=round(sum(harm.cpu_s for harm in harms), 2),
    )


@dataclass(frozen=True, slots=True)
class Locks:
    """Files of one process that others may wait for."""

    opened: tuple[str, ...] = ()  # locked in any way, or a database that is open for writing
    held: tuple[str, ...] = ()  # locked against others now: an idle database shares its locks


def locks_of(pids: Sequence[int]) -> dict[int, Locks]:
    """Files that these processes hold a lock on, or databases that they have open for writing."""
    wanted = set(pids)
    locked: set[tuple[str, str, int]] = set()
    for line in _lines("/proc/locks"):
        words = line.replace("->", "").split()
        parts = words[5].split(":") if len(words) > 5 else []
        if len(parts) == 3 and parts[2].isdigit():
            locked.add((parts[0], parts[1], int(parts[2])))
    inodes = {inode for _, _, inode in locked}
    return {pid: found for pid in wanted if (found := _kept(pid, inodes, locked)).opened}


def _kept(pid: int, inodes: set[int], locked: set[tuple[str, str, int]]) -> Locks:
    found: dict[str, None] = {}
    held: dict[str, None] = {}
    for one in descriptors(pid) or ():
        if not one.link.startswith("/") or one.link.startswith(("/dev/", "/proc/", "/memfd:")):
            continue
        path = one.link.removesuffix(" (deleted)")
        if one.writes and path.endswith(_DATABASES):
            found.setdefault(path)
        try:
            seen = os.stat(f"/proc/{pid}/fd/{one.number}")  # noqa: PTH116
        except OSError:
            continue
        device = (f"{os.major(seen.st_dev):02x}", f"{os.minor(seen.st_dev):02x}", seen.st_ino)
        if seen.st_ino not in inodes or device not in locked:
            continue
        own = _own_locks(pid, seen.st_ino)
        if own:
            found.setdefault(path)
        if any(" WRITE " in line for line in own):
            held.setdefault(path)
    return Locks(tuple(found)[:MOST_LOCKS], tuple(held)[:MOST_LOCKS])


def _own_locks(pid: int, inode: int) -> list[str]:
    """What the kernel lists with this process's descriptors: the lock is its own, not that of who shares the file."""
    folder = Path(f"/proc/{pid}/fdinfo")
    try:
        lines = [line for entry in folder.iterdir() for line in _lines(str(entry)) if "lock:" in line]
    except OSError:
        return []
    return [line for line in lines if f":{inode} " in line]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
