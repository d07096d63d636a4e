"""What speaks against ending a tree, whatever its channel says. Each reason is a sentence with the command to check it.

Everything here keeps; nothing here condemns. What cannot be read blocks as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskdoctor.collectors.processes.channel import descriptors, inode_of
from taskdoctor.collectors.processes.launches import CONTAINERS, SHELLS, program_name
from taskdoctor.collectors.processes.survey import Group, Survey
from taskdoctor.collectors.processes.table import Row
from taskdoctor.model import Sign

LISTEN, ESTABLISHED = "0A", "01"
_DOCKER = "it is the front of a container: look with `docker ps`; ending it does not stop the container"


@dataclass(frozen=True, slots=True)
class Internet:
    """Internet sockets of one tree: what it listens on, and whether others are connected to that."""

    ports: tuple[int, ...] = ()
    used: tuple[int, ...] = ()  # those with a connection from outside of the tree
    connections: int = 0  # how many such connections
    outward: int = 0  # connections that it opened itself to somewhere outside of the tree


def blockers(group: Group, survey: Survey) -> tuple[Sign, ...]:
    """Every reason to keep this tree."""
    rows = [survey.table[pid] for pid in group.pids if pid in survey.table]
    return tuple(
        [sign for row in rows for sign in of_one(row, survey)]
        + list(_by_hand(group, survey))
        + list(_in_use(group, survey))
        + list(_service(group, survey))
    )


def of_one(row: Row, survey: Survey) -> Iterator[Sign]:
    """Reasons that lie in one process alone: cheap enough to be looked at again right before a signal."""
    place = f"pid {row.pid}"
    ps = f"ps -o pid,user,stat,tty,args -p {row.pid}"
    if row.pid <= 1 or row.pid in survey.own:
        yield Sign("it is this command itself or one of its parents", place, ps)
    if row.owner != os.geteuid():
        yield Sign("it belongs to another user", place, ps)
    if row.state in ("T", "t"):
        yield Sign("it is stopped or traced: somebody looks at it", place, ps)
    elif _traced(row.pid):
        yield Sign("a debugger is attached to it", place, f"grep TracerPid /proc/{row.pid}/status")
    if _elsewhere(row.pid):
        yield Sign("it runs in another container", place, f"readlink /proc/{row.pid}/ns/pid /proc/self/ns/pid")
    if row.command and program_name(row.command[0]) in CONTAINERS:
        yield Sign(_DOCKER, place, "docker ps")


def _traced(pid: int) -> bool:
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in _lines(f"/proc/{pid}/status"))


def _elsewhere(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return True


def _by_hand(group: Group, survey: Survey) -> Iterator[Sign]:
    """A terminal: somebody may sit before it."""
    row = survey.table[group.root]
    core = group.core.row
    ps = f"ps -o pid,ppid,pgid,tpgid,tty,args -p {core.pid}"
    if core.terminal and core.foreground == core.group:
        yield Sign("it runs in the foreground of a terminal", f"pid {core.pid}", ps)
    parent = survey.table.get(row.parent)
    same = parent is not None and core.terminal and parent.terminal == core.terminal
    if parent is not None and same and parent.command and program_name(parent.command[0]) in SHELLS:
        yield Sign(f"a shell in a terminal started it (pid {parent.pid})", f"pid {core.pid}", ps)


def _in_use(group: Group, survey: Survey) -> Iterator[Sign]:
    """A port, a socket or a channel of a member that somebody outside uses."""
    net = internet(group.pids)
    if net is None:
        yield Sign("its network connections may not be read", f"pid {group.root}", f"ls /proc/{group.root}/fd")
        return
    for port in net.used:
        yield Sign(f"port {port} is in use by somebody else", f"pid {group.root}", f"ss -tnp sport = :{port}")
    if not (group.identity.says_stdio or group.core.identity.says_stdio):
        yield from _other_channels(group, survey, net)
    if group.identity.serves_http or group.core.identity.serves_http:
        yield Sign("it is made to serve over HTTP: stdin is not its channel", f"pid {group.root}",
                   f"ps -o args -p {group.core.row.pid}")  # fmt: skip
    if _unix_in_use(group, survey):
        yield Sign("a socket it listens on is in use by somebody else", f"pid {group.root}", "ss -xlp")


def _other_channels(group: Group, survey: Survey, net: Internet) -> Iterator[Sign]:
    """Of a server whose source does not say that it runs over stdio, everything else that it may be asked through."""
    place = f"pid {group.root}"
    if net.ports:
        listed = ", ".join(map(str, net.ports))
        yield Sign(f"it listens on port {listed}, and may be a server over HTTP", place, "ss -tlnp")
    if net.outward:
        yield Sign("it is connected to others over the network, and may work for them", place, "ss -tnp")
    inodes = _inodes(group.pids) or set()
    known = survey.sockets or {}
    if any(known[inode].listening for inode in inodes if inode in known):
        yield Sign("it listens on a socket, and may serve there", place, "ss -xlp")


def _unix_in_use(group: Group, survey: Survey) -> bool:
    """An accepted connection carries the name of its listener; its other end must lie inside the tree."""
    if survey.sockets is None:
        return False
    inodes = _inodes(group.pids) or set()
    listens = any(survey.sockets[inode].listening for inode in inodes if inode in survey.sockets)
    ends = [survey.sockets[inode] for inode in inodes if inode in survey.sockets]
    return listens and any(end.named and end.peer and end.peer not in inodes for end in ends)


def _inodes(pids: Sequence[int]) -> set[int] | None:
    found: set[int] = set()
    for pid in pids:
        opened = descriptors(pid)
        if opened is None:
            if Path(f"/proc/{pid}").exists():
                return None
            continue
        found |= {inode_of(one.link) for one in opened if one.link.startswith("socket:")}
    return found


def internet(pids: Sequence[int]) -> Internet | None:
    """Ports that these processes listen on; None when their descriptors may not be read."""
    inodes = _inodes(pids)
    if inodes is None:
        return None
    if not inodes:
        return Internet()
    lines = [line.split() for name in ("tcp", "tcp6") for line in _lines(f"/proc/{pids[0]}/net/{name}")[1:]]
    rows = [row for row in lines if len(row) > 9]
    ports = {_port(row[1]) for row in rows if row[3] == LISTEN and int(row[9]) in inodes}
    inside = {row[1] for row in rows if int(row[9]) in inodes and row[3] == ESTABLISHED}
    used = [_port(row[1]) for row in rows if row[3] == ESTABLISHED and _port(row[1]) in ports and row[2] not in inside]
    opened = [row for row in rows if row[3] == ESTABLISHED and int(row[9]) in inodes and _port(row[1]) not in ports]
    outward = sum(row[2] not in inside for row in opened)
    return Internet(tuple(sorted(ports)), tuple(sorted(set(used))), len(used), outward)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def _service(group: Group, survey: Survey) -> Iterator[Sign]:
    """The main process of a service unit: its manager would start it again, and somebody wants it to run."""
    lines = _lines(f"/proc/{group.root}/cgroup")
    unit = next((line.rpartition(":")[2] for line in lines if line.startswith(("0::", "1:name=systemd:"))), "")
    if not unit.endswith(".service"):
        return
    listed = [int(pid) for pid in _lines(f"/sys/fs/cgroup{unit}/cgroup.procs") if pid.isdigit()]
    rows = [survey.table[pid] for pid in listed if pid in survey.table]
    first = min(rows, key=lambda row: (row.start_ticks, row.pid), default=None)
    if first is None or first.pid in group.pids:
        name = unit.rpartition("/")[2]
        yield Sign(f"it is what the service {name} runs", f"pid {group.root}", f"systemctl status {group.root}")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
