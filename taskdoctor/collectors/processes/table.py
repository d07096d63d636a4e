"""The process table of Linux, read raw: the cheap facts of everybody in one pass.

Why not psutil here: it opens several files for each attribute; a raw pass over 2,000 processes takes a quarter of the
time. What vanishes during the pass is left out: a process table is never all true at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

COMMAND_LIMIT = 16 * 1024  # bytes of one command line; some have megabytes
ENVIRON_LIMIT = 256 * 1024
_BATCH = 64 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one process."""

    pid: int
    parent: int
    name: str
    command: tuple[str, ...] = ()
    state: str = "S"
    group: int = 0
    session: int = 0
    terminal: int = 0  # device of the controlling terminal; 0: none
    foreground: int = -1  # process group in the foreground of that terminal
    start_ticks: int = 0  # since boot: a wall clock may jump, this does not
    cpu_ticks: int = 0
    rss_bytes: int = 0
    owner: int | None = None  # None: not readable
    stdin: str | None = None  # what descriptor 0 is; None: not readable
    started_s: float = 0.0

    @property
    def is_zombie(self) -> bool:
        return self.state in ("Z", "X")


Table = Mapping[int, Row]


def read_table() -> dict[int, Row]:
    """Everybody but kernel threads, by pid."""
    rows = (read_row(int(name)) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208
    return {row.pid: row for row in rows if row is not None}


def read_row(pid: int) -> Row | None:
    """One process; None when it is gone or a thread of the kernel."""
    folder = f"/proc/{pid}"
    try:
        stat = _read(f"{folder}/stat", _BATCH)
        owner = os.stat(folder).st_uid  # noqa: PTH116
        command = _read(f"{folder}/cmdline", COMMAND_LIMIT)
    except OSError:
        return None
    head, _, tail = stat.rpartition(b") ")
    fields = tail.split()
    if len(fields) < 22:
        return None
    if not command and 2 in (pid, int(fields[1])):  # kthreadd and its children; pid 2 of a container has a command
        return None
    start_ticks = int(fields[19])
    return Row(
        pid=pid,
        parent=int(fields[1]),
        name=head.partition(b"(")[2].decode("utf-8", "replace"),
        command=split_command(command),
        state=fields[0].decode("ascii", "replace"),
        group=int(fields[2]),
        session=int(fields[3]),
        terminal=int(fields[4]),
        foreground=int(fields[5]),
        start_ticks=start_ticks,
        cpu_ticks=int(fields[11]) + int(fields[12]),
        rss_bytes=int(fields[21]) * page_bytes(),
        owner=owner,
        stdin=read_link(pid, 0),
        started_s=boot_s() + start_ticks / ticks_per_s(),
    )


def split_command(raw: bytes) -> tuple[str, ...]:
    """The words of a command line; who gives himself a title (npm does) writes it all into the first one."""
    words = tuple(word.decode("utf-8", "replace") for word in raw.rstrip(b"\0").split(b"\0")) if raw else ()
    if len(words) == 1 and not words[0].startswith("/"):
        return tuple(words[0].split())
    if len(words) > 1 and words[0].startswith("npm ") and not any(words[1:]):
        return tuple(words[0].split())
    return words


def read_link(pid: int, descriptor: int) -> str | None:
    """What a descriptor is (`pipe:[123]`, `/dev/null`, "": closed); None when it may not be seen."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}")  # noqa: PTH115
    except FileNotFoundError:
        return ""
    except OSError:
        return None


def read_environ(pid: int) -> dict[str, str] | None:
    """The environment as it was at the start; None when it may not be seen."""
    try:
        raw = _read(f"/proc/{pid}/environ", ENVIRON_LIMIT)
    except OSError:
        return None
    pairs = (entry.decode("utf-8", "replace").partition("=") for entry in raw.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def folder_of(pid: int) -> str:
    """Its working directory, "" when it may not be seen."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115
    except OSError:
        return ""


def ancestors(table: Table, pid: int) -> list[int]:
    """Parents of a process, nearest first; a table taken while pids are used again may hold a circle."""
    found: list[int] = []
    row = table.get(pid)
    while row is not None and row.parent > 0 and row.parent not in found and row.parent != pid:
        found.append(row.parent)
        row = table.get(row.parent)
    return found


def children(table: Table) -> dict[int, list[int]]:
    """Who started whom, by parent."""
    found: dict[int, list[int]] = {}
    for row in table.values():
        found.setdefault(row.parent, []).append(row.pid)
    return found


def descendants(tree: Mapping[int, Iterable[int]], pid: int) -> list[int]:
    """Everything below a process, parents before their children."""
    found: list[int] = []
    seen = {pid}
    waiting = [pid]
    while waiting:
        for child in sorted(tree.get(waiting.pop(), ())):
            if child not in seen:
                seen.add(child)
                found.append(child)
                waiting.append(child)
    return found


@cache
def page_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE")


@cache
def ticks_per_s() -> int:
    return os.sysconf("SC_CLK_TCK")


@cache
def boot_s() -> float:
    """When the machine started, as its clock says now."""
    try:
        for line in _read("/proc/stat", 4 * 1024 * 1024).splitlines():
            if line.startswith(b"btime "):
                return float(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return 0.0


def memory_bytes() -> int:
    """All the memory of the machine; 0 when it cannot be told."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * page_bytes()
    except (OSError, ValueError):
        return 0


def available_bytes() -> int:
    """What could be given out without swapping, as the kernel estimates; 0 when it does not tell."""
    try:
        lines = _read("/proc/meminfo", _BATCH).splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"MemAvailable:")), 0)


def _read(path: str, limit: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(descriptor, min(limit, _BATCH))]
        size = len(parts[0])
        while parts[-1] and size < limit:
            parts.append(os.read(descriptor, min(_BATCH, limit - size)))
            size += len(parts[-1])
    finally:
        os.close(descriptor)
    return b"".join(parts)
