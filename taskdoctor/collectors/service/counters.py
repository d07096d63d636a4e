"""What the kernel counts for a local target: read from /proc and psutil, whatever state the service is in.

Nothing here talks to the service, so it goes on while the loop is held, the interpreter is, or the process is stopped.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from taskdoctor.collectors.service.address import Address
from taskdoctor.collectors.service.observed import Child, Counters

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
TICK_S = 1.0 / (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)
NANO = 1e-9
PYTHONS = ("python", "pypy", "uvicorn", "gunicorn", "hypercorn", "granian")
LISTENING = "LISTEN"
EVENT_WAITS = frozenset({"ep_poll", "do_epoll_wait"})  # where a thread stands that waits for many descriptors
MOST_CHILDREN = 300
RUNNERS = ("python", "pypy", "node", "bun", "deno", "npx", "npm", "uv", "uvx", "sh", "bash", "env", "tsx", "java")
_WORD = re.compile(r"@?[A-Za-z][\w@/.:-]{0,60}")


@dataclass(frozen=True, slots=True)
class Target:
    """The process behind a port, or why there is none to look at."""

    pid: int | None
    started_s: float = 0.0
    why_not: str = ""


def find_target(address: Address) -> Target:
    """Who listens at the address, if that is a Python process on this machine."""
    if not _is_here(address):
        return Target(None, why_not="it runs on another machine")
    found = {pid for pid, port in _listening() if port == address.port and pid is not None}
    if not found:
        return Target(None, why_not="the process behind the port is not visible to this user, or in a container")
    if len(found) > 1:
        return Target(None, why_not="several processes share the port")
    pid = found.pop()
    try:
        process = psutil.Process(pid)
        words = " ".join((process.name(), *process.cmdline()[:1])).lower()
        started_s = process.create_time()
    except psutil.Error:
        return Target(None, why_not="the process behind the port cannot be read by this user")
    if not any(name in words for name in PYTHONS):
        return Target(None, why_not=f"the port belongs to {process.name()}: a tunnel or a proxy, not the service")
    return Target(pid, started_s)


def ports_of(pid: int) -> list[int]:
    """Where a process listens."""
    return sorted({port for owner, port in _listening() if owner == pid})


def talks_to_itself(pid: int) -> bool:
    """Whether both ends of a connection are its own, as those of an open console are; True where nobody tells."""
    try:
        ends = {(entry.laddr, entry.raddr) for entry in psutil.net_connections("tcp") if entry.pid == pid}
    except (psutil.Error, OSError):
        return True
    return not ends or any((there, here) in ends for here, there in ends if there)


def _listening() -> list[tuple[int | None, int]]:
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return []
    return [(entry.pid, entry.laddr.port) for entry in connections if entry.status == LISTENING and entry.laddr]


def _is_here(address: Address) -> bool:
    if address.is_loopback:
        return True
    own = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries}
    try:
        known = {str(entry[4][0]) for entry in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return bool(known) and all(ip in own or ipaddress.ip_address(ip.partition("%")[0]).is_loopback for ip in known)


class Kernel:
    """Reads the counters of one process; `fast` ones are cheap enough for ten times a second."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.loop_thread = pid  # the main thread, until something knows better
        self._process = psutil.Process(pid)
        self._names: dict[int, str] = {}  # of its children
        self._cgroup = _cgroup_of(pid)
        self._linux = PROC.joinpath(str(pid), "stat").exists()

    @property
    def is_alive(self) -> bool:
        return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE

    def read(self, *, slow: bool) -> Counters | None:
        """The counters now; None when the process is gone. `slow` adds what takes a scan of a folder."""
        try:
            return self._linux_counters(slow=slow) if self._linux else self._portable(slow=slow)
        except (psutil.Error, OSError, ValueError, IndexError):
            return None

    def _portable(self, *, slow: bool) -> Counters:
        with self._process.oneshot():
            times, memory = self._process.cpu_times(), self._process.memory_info()
            switches = self._process.num_ctx_switches()
            return Counters(
                at_s=time.time(),
                monotonic_s=time.monotonic(),
                cpu_s=times.user + times.system,
                state={"stopped": "T", "disk-sleep": "D", "running": "R"}.get(self._process.status(), "S"),
                voluntary_switches=switches.voluntary,
                involuntary_switches=switches.involuntary,
                rss_bytes=memory.rss,
                threads=self._process.num_threads(),
                descriptors=_descriptors(self._process) if slow else None,
                below=self._below() if slow else None,
            )

    @property
    def waits_for_events(self) -> bool:
        """Whether the thread of the loop sleeps where loops do; False where the kernel does not tell."""
        return self._linux and _text(PROC / str(self.pid) / "task" / str(self.loop_thread) / "wchan") in EVENT_WAITS

    def _linux_counters(self, *, slow: bool) -> Counters:
        folder, thread = PROC / str(self.pid), PROC / str(self.pid) / "task" / str(self.loop_thread)
        process, loop = _stat(folder / "stat"), _stat(thread / "stat")
        return Counters(
            at_s=time.time(),
            monotonic_s=time.monotonic(),
            boot_s=time.clock_gettime(time.CLOCK_BOOTTIME),
            cpu_s=(int(process[11]) + int(process[12])) * TICK_S,
            loop_cpu_s=_scheduled(thread, 0),
            state=loop[0],
            wait_channel=_text(thread / "wchan"),
            run_queue_s=_scheduled(thread, 1),
            major_faults=int(process[9]),
            rss_bytes=int(process[21]) * os.sysconf("SC_PAGE_SIZE"),
            threads=int(process[17]),
            throttled_s=_throttled(self._cgroup),
            cpu_pressure_s=_pressure("cpu"),
            memory_pressure_s=_pressure("memory"),
            io_pressure_s=_pressure("io"),
            below=self._below() if slow else None,
            **self._slow(thread) if slow else {},
        )

    def _slow(self, thread: Path) -> dict[str, int | None]:
        switches = _switches(thread / "status")
        return {
            "voluntary_switches": switches.get("voluntary_ctxt_switches"),
            "involuntary_switches": switches.get("nonvoluntary_ctxt_switches"),
            "descriptors": _descriptors(self._process),
            "descriptor_limit": self._limit(),
        }

    def _below(self) -> tuple[Child, ...]:
        """Everybody below the service, with what they used so far."""
        children = self._process.children(recursive=True)
        alive = {child.pid for child in children}
        self._names = {pid: name for pid, name in self._names.items() if pid in alive}
        return tuple(found for child in children[:MOST_CHILDREN] if (found := self._child(child)) is not None)

    def _child(self, child: psutil.Process) -> Child | None:
        try:
            with child.oneshot():
                if child.pid not in self._names:  # it may still be what it was forked from
                    self._names[child.pid] = program_of(child.cmdline())
                times, started_s = child.cpu_times(), child.create_time()
        except psutil.Error:
            return None
        return Child(child.pid, self._names[child.pid], times.user + times.system, started_s)

    def _limit(self) -> int | None:
        for row in _text(PROC / str(self.pid) / "limits").splitlines():
            if row.startswith("Max open files"):
                words = row.split()
                return int(words[3]) if words[3].isdigit() else None
        return None


def _stat(path: Path) -> list[str]:
    """The fields behind the name, which may hold spaces and brackets itself."""
    return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _scheduled(thread: Path, field: int) -> float | None:
    """schedstat: seconds on a CPU, seconds in the run queue."""
    words = _text(thread / "schedstat").split()
    return int(words[field]) * NANO if len(words) > field else None


def _switches(path: Path) -> dict[str, int]:
    pairs = (row.partition(":") for row in _text(path).splitlines() if "_switches" in row)
    return {name: int(value) for name, _, value in pairs if value.strip().isdigit()}


def _descriptors(process: psutil.Process) -> int | None:
    try:
        return process.num_fds()
    except (psutil.Error, AttributeError):
        return None


def _cgroup_of(pid: int) -> Path | None:
    """The folder of its cgroup: version 2, or the cpu controller of version 1."""
    for row in _text(PROC / str(pid) / "cgroup").splitlines():
        _, controllers, path = [*row.split(":", 2), "", ""][:3]
        if not controllers or "cpu" in controllers.split(","):
            for folder in (CGROUPS / path.lstrip("/"), CGROUPS / "cpu" / path.lstrip("/"), CGROUPS):
                if (folder / "cpu.stat").exists():
                    return folder
    return None


def _throttled(cgroup: Path | None) -> float | None:
    if cgroup is None:
        return None
    for row in _text(cgroup / "cpu.stat").splitlines():
        name, _, value = row.partition(" ")
        if name == "throttled_usec":
            return int(value) * 1e-6
        if name == "throttled_time":
            return int(value) * NANO
    return None


def _pressure(what: str) -> float | None:
    """PSI: seconds in which somebody waited for it, in all."""
    first = _text(PROC / "pressure" / what).partition("\n")[0]
    total = first.rpartition("total=")[2]
    return int(total) * 1e-6 if total.isdigit() else None


def program_of(command: Sequence[str]) -> str:
    """What a command runs, without paths, options and numbers: copies of one server have one name."""
    words = [word for word in command[1:] if word and not word.startswith("-")]
    first = os.path.basename(command[0]) if command else ""  # noqa: PTH119
    if first.rstrip("0123456789.") in RUNNERS and words:
        first = os.path.basename(words.pop(0)) or first  # noqa: PTH119
    kind = next((word for word in words[:2] if _WORD.fullmatch(word)), "")
    return f"{first} {kind}".strip()[:80]
