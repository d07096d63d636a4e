"""The cases: what is started, and what each of its processes is. Every one runs at the same time as the others.

Orphans that must be found, and everything that was ever ended by mistake by tools of this kind.
"""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from taskdoctor.model import ProcessClass
from tests.zoo import others
from tests.zoo.environments import FIRST, OLD, SECOND, python_with, uv
from tests.zoo.keeper import Keeper
from tests.zoo.labels import HELPER, KEPT, LIVE, NOTHING, ORPHAN, RETAINED, SUSPECT, ZOMBIE, Case, Label


def _labels(keeper: Keeper, wanted: frozenset[ProcessClass | None], **counts: int) -> Iterator[Label]:
    for name, count in counts.items():
        for pid in keeper.find(name, count=count):
            yield Label(name, pid, wanted)


def _killed_first_generation(keeper: Keeper) -> Iterator[Label]:
    """SDK 1.x client killed: everything with another handle stays, whatever it was started through."""
    python, sign = python_with(FIRST), keeper.sign
    client = keeper.client(
        python,
        "hold",
        [python, keeper.script("thread_server.py"), sign("thread")],
        [python, keeper.script("loop_server.py"), sign("spinning")],
        ["sh", "-c", f"{python} {keeper.script('thread_server.py')} {sign('shell')}; true"],
        [uv(), "run", "--no-project", "--python", python, "python", keeper.script("thread_server.py"), sign("uv")],
        [python, keeper.script("gateway_server.py"), keeper.script("thread_server.py"), sign("gateway")],
    )
    keeper.find("gateway", count=2)
    keeper.kill(client)
    yield from _labels(keeper, ORPHAN, thread=1, spinning=1, shell=2, uv=2, gateway=2)


def _killed_second_generation(keeper: Keeper) -> Iterator[Label]:
    """SDK 2.x: the wire is private."""
    python = python_with(SECOND)
    script = keeper.script("second_generation_server.py")
    client = keeper.client(python, "hold", [python, script, "--stay", keeper.sign("second")])
    keeper.kill(client)
    yield from _labels(keeper, ORPHAN, second=1)
    keeper.client(python, "hold", [python, script, keeper.sign("second_healthy")])
    yield from _labels(keeper, LIVE, second_healthy=1)


def _killed_typescript(keeper: Keeper) -> Iterator[Label]:
    """A client in Node gives its servers socket pairs and no session of their own."""
    second, sign = python_with(SECOND), keeper.sign
    client = keeper.node_client(
        "hold",
        ["node", keeper.script("timer.mjs"), sign("node_timer")],
        ["node", keeper.script("guard.mjs"), sign("node_guard")],
        ["node", keeper.script("listener.mjs"), str(_free_port()), sign("node_listener")],
        ["npx", "mcp-timer", sign("npx")],
        [second, keeper.script("second_generation_server.py"), "--stay", sign("second_by_node")],
    )
    keeper.kill(client)
    yield from _labels(keeper, ORPHAN, node_timer=1, node_guard=1, node_listener=1, npx=3, second_by_node=1)


def _closed_typescript(keeper: Keeper) -> Iterator[Label]:
    """The client closes and lives on; only the wrapper has ended, and its socket for answers is still open."""
    line = f"node {keeper.script('timer.mjs')} {keeper.sign('closed_wrapper')}; true"
    keeper.node_client("close", ["sh", "-c", line], ["node", keeper.script("timer.mjs"), keeper.sign("closed")])
    yield from _labels(keeper, ORPHAN, closed_wrapper=1)


def _healthy_typescript(keeper: Keeper) -> Iterator[Label]:
    python = python_with(FIRST)
    keeper.node_client(
        "hold",
        ["node", keeper.script("good.mjs"), keeper.sign("node_healthy")],
        [python, keeper.script("good_server.py"), keeper.sign("mixed_healthy")],
        ["npx", "mcp-timer", keeper.sign("npx_healthy")],
    )
    yield from _labels(keeper, LIVE, node_healthy=1, mixed_healthy=1, npx_healthy=3)


def _closed_by_old(keeper: Keeper) -> Iterator[Label]:
    """SDK 1.9.4 waits for ever for a deaf server, which stays the child of a living client, and leaves what `sh` ran"""
    python, old = python_with(FIRST), python_with(OLD)
    line = f"{python} {keeper.script('thread_server.py')} {keeper.sign('old_wrapper')}; true"
    keeper.client(old, "close", [python, keeper.script("deaf_server.py"), keeper.sign("deaf")], says="CLOSING")
    keeper.client(old, "close", ["sh", "-c", line], says="CLOSING")
    (leaf,) = keeper.find("old_wrapper", program="python")
    keeper.until(lambda: len(keeper.find("old_wrapper")) == 1, "the shell has ended")
    yield Label("old_wrapper", leaf, ORPHAN)
    yield from _labels(keeper, ORPHAN, deaf=1)


def closing_now(keeper: Keeper) -> Iterator[Label]:
    """Clients in the middle of closing, one cancelled: for four seconds their deaf servers look like orphans."""
    python, deaf = python_with(FIRST), keeper.script("deaf_server.py")
    cancelled = keeper.client(python, "cancel", [python, deaf, keeper.sign("cancelled")], stdin=subprocess.PIPE)
    keeper.client(python, "close", [python, deaf, keeper.sign("closing")], says="CLOSING")
    assert cancelled.stdin is not None
    cancelled.stdin.write(b"cancel\n")
    cancelled.stdin.close()
    yield from _labels(keeper, NOTHING, closing=1, cancelled=1)


def _healthy(keeper: Keeper) -> Iterator[Label]:
    """Living clients, each with a server; four of the same; one that keeps three of them for one session."""
    python = python_with(FIRST)
    good = keeper.script("good_server.py")
    keeper.client(python, "hold", [python, good, keeper.sign("healthy")])
    yield from _labels(keeper, LIVE, healthy=1)
    for _ in range(2):
        keeper.client(python, "hold", [python, good, keeper.sign("same")])
    yield from _labels(keeper, LIVE, same=2)
    keeper.client(python, "hold", [python, good, keeper.sign("copies")], count=3)
    copies = keeper.find("copies", count=3)
    youngest = max(copies, key=_start_ticks)
    yield from (Label("copies", pid, LIVE if pid == youngest else RETAINED) for pid in copies)


def _start_ticks(pid: int) -> int:
    return int(_stat(pid)[19])


def _subreaper(keeper: Keeper) -> Iterator[Label]:
    """What loses its client goes to an ancestor that adopts, not to pid 1."""
    python = python_with(FIRST)
    adopts = [sys.executable, keeper.script("reaper.py")]
    server = [python, keeper.script("thread_server.py"), keeper.sign("adopted")]
    keeper.client(python, "hold", server, before=adopts)
    keeper.remember()
    (server_pid,) = keeper.find("adopted")
    os.kill(_parent(server_pid), signal.SIGKILL)
    yield Label("adopted", server_pid, ORPHAN)


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """Its fields behind the name, state first."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()


def _helper(keeper: Keeper) -> Iterator[Label]:
    """The server ends as it should; what it had started does not."""
    python = python_with(FIRST)
    client = keeper.client(python, "hold", [python, keeper.script("helped_server.py"), keeper.sign("helper")])
    keeper.find("helper", count=2)
    keeper.kill(client)
    keeper.until(lambda: len(keeper.find("helper")) == 1, "the server has ended")
    yield from _labels(keeper, HELPER, helper=1)


def _inherited(keeper: Keeper) -> Iterator[Label]:
    """The client is dead, but a worker that it had forked still holds the other end."""
    python = python_with(FIRST)
    client = keeper.client(python, "fork", [python, keeper.script("good_server.py"), keeper.sign("inherited")])
    keeper.kill(client)
    yield from _labels(keeper, SUSPECT, inherited=1)


def _over_http(keeper: Keeper) -> Iterator[Label]:
    """Servers over HTTP, whose stdin is the null device or a dead pipe: it means nothing to them."""
    python, script = python_with(FIRST), keeper.script("web_server.py")
    for name, stdin in (("web_null", subprocess.DEVNULL), ("web_pipe", subprocess.PIPE)):
        port = _free_port()
        process = keeper.start(python, script, str(port), keeper.sign(name), says="", stdin=stdin,
                               stdout=stdin if stdin == subprocess.PIPE else subprocess.DEVNULL,
                               start_new_session=True)  # fmt: skip
        if process.stdin is not None and process.stdout is not None:
            process.stdin.close()
            process.stdout.close()
        keeper.until(lambda port=port: _listens(port), f"port {port}")  # type: ignore[misc]
        yield from _labels(keeper, KEPT, **{name: 1})


def _port_in_use(keeper: Keeper) -> Iterator[Label]:
    """Its client is dead, but somebody else is connected to its port."""
    port = _free_port()
    client = keeper.node_client("hold", ["node", keeper.script("listener.mjs"), str(port), keeper.sign("port_in_use")])
    keeper.start(sys.executable, "-c", _CONNECT, str(port))
    keeper.kill(client)
    yield from _labels(keeper, SUSPECT, port_in_use=1)


_FOLLOW = """
import socket, sys, time
with socket.socket(socket.AF_UNIX) as stream:
    stream.connect(sys.argv[1])
    print("READY", flush=True)
    time.sleep(3600)
"""
_CONNECT = """
import socket, sys, time
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as stream:
    stream.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    stream.recv(1)
    print("READY", flush=True)
    time.sleep(3600)
"""


def _elected(keeper: Keeper) -> Iterator[Label]:
    """The leader of its kind: its client is dead, others use it through a socket."""
    python, path = python_with(FIRST), str(keeper.folder / "leader")
    client = keeper.client(python, "hold", [python, keeper.script("elected_server.py"), path, keeper.sign("elected")])
    keeper.until(lambda: Path(path).exists(), "the socket")
    keeper.start(sys.executable, "-c", _FOLLOW, path)
    keeper.kill(client)
    yield from _labels(keeper, SUSPECT, elected=1)


def _by_hand(keeper: Keeper) -> Iterator[Label]:
    """Started by a person or a script, not by a client."""
    python, thread = python_with(FIRST), keeper.script("thread_server.py")
    sign = keeper.sign
    lines = {
        "endless_input": f"tail -f /dev/null | setsid {python} {thread} {sign('endless_input')}",
        "to_a_file": f"echo | {python} {thread} {sign('to_a_file')} > {keeper.folder}/out.txt",
        "in_a_pipeline": f"echo | {python} {thread} {sign('in_a_pipeline')} | cat",
        "own_fifo": f"mkfifo {keeper.folder}/f; exec {python} {thread} {sign('own_fifo')} <> {keeper.folder}/f | cat",
    }
    for line in lines.values():
        keeper.start("sh", "-c", f"({line}) & wait", says="", start_new_session=True)
    keeper.start(sys.executable, keeper.script("once.py"), python, thread, sign("asked_once"), says="")
    for name in (*lines, "asked_once"):
        yield from _python_only(keeper, name, KEPT)


def _python_only(keeper: Keeper, name: str, wanted: frozenset[ProcessClass | None]) -> Iterator[Label]:
    yield from (Label(name, pid, wanted) for pid in keeper.find(name, program="python"))


def _no_servers(keeper: Keeper) -> Iterator[Label]:
    """Nothing of MCP, though their stdin is at its end, or their names sound like it."""
    folder = keeper.folder / "my-mcp" / "mcp-server"
    folder.mkdir(parents=True)
    script = folder / "nightly.py"
    script.write_bytes((keeper.folder / "user_script.py").read_bytes())
    report = keeper.folder / "mcp_report.py"
    report.write_bytes((keeper.folder / "user_script.py").read_bytes())
    few = {"PATH": os.environ["PATH"], "HOME": str(keeper.folder), "LOGNAME": "zoo"}
    python = sys.executable
    _closed_both_ways(keeper, python, str(script), keeper.sign("folder_name"))
    _closed_both_ways(keeper, python, str(report), keeper.sign("loose_name"))
    _closed_both_ways(keeper, python_with(FIRST), keeper.script("batch_client.py"), keeper.sign("batch"))
    cron = keeper.start(python, keeper.script("user_script.py"), keeper.sign("cron_like"), says="", env=few,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # fmt: skip
    assert cron.stdin is not None
    cron.stdin.close()
    keeper.start(
        "sh",
        "-c",
        f"(echo x | setsid {python} {keeper.script('user_script.py')} {keeper.sign('unread')}) & wait",
        says="",
    )
    for name in ("folder_name", "loose_name", "batch", "cron_like"):
        yield from _labels(keeper, NOTHING, **{name: 1})
    yield from _python_only(keeper, "unread", NOTHING)


def _closed_both_ways(keeper: Keeper, *command: str) -> None:
    process = keeper.start(*command, says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    if "batch_client.py" in command[1]:
        keeper.wait_for(process.stdout, b"READY")
    process.stdout.close()


def _kept_for_a_reason(keeper: Keeper) -> Iterator[Label]:
    """Orphans by their channel, and yet to be kept: stopped, of another user, in another container."""
    python, sign = python_with(FIRST), keeper.sign
    client = keeper.client(python, "hold", [python, keeper.script("thread_server.py"), sign("stopped")])
    (stopped,) = keeper.find("stopped")
    os.kill(stopped, signal.SIGSTOP)
    keeper.kill(client)
    yield Label("stopped", stopped, SUSPECT)
    if os.getuid() != 0:
        return
    keeper.folder.chmod(0o755)
    text = Path(keeper.script("loop_server.py")).read_text(encoding="utf-8")
    loop = keeper.script("quiet_server.py")
    Path(loop).write_text(
        text.replace("        continue\n", "        import time; time.sleep(1)\n        continue\n", 1)
    )
    _closed_both_ways(
        keeper, "setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", loop, sign("other_user")
    )
    _closed_both_ways(keeper, "unshare", "--fork", "--pid", sys.executable, loop, sign("other_container"))
    yield from _python_only(keeper, "other_user", SUSPECT)
    yield from _python_only(keeper, "other_container", SUSPECT)


def _on_a_terminal(keeper: Keeper) -> Iterator[Label]:
    """In the foreground of a terminal, with both ends of its pipes gone."""
    python, script = python_with(FIRST), keeper.script("thread_server.py")
    line = f"true | {python} {script} {keeper.sign('terminal')} | true; sleep 3600"
    leader, follower = pty.openpty()
    keeper.start("setsid", "--ctty", "sh", "-c", line, says="", stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    keeper.hold(leader)
    yield from _python_only(keeper, "terminal", SUSPECT)


_NEVER_WAITS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", ""])
print(f"READY {child.pid}", flush=True)
time.sleep(3600)
"""


def _zombie(keeper: Keeper) -> Iterator[Label]:
    """Has ended; its parent does not fetch it."""
    process = keeper.start(sys.executable, "-c", _NEVER_WAITS, says="", stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid = int(process.stdout.readline().split()[1])
    keeper.until(lambda: _state(pid) == "Z", "a zombie")
    yield Label("zombie", pid, ZOMBIE)


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _workers(keeper: Keeper) -> Iterator[Label]:
    """Children of multiprocessing, started anew: their stdin is the null device."""
    code = """
import multiprocessing, sys, time
if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(3600,))
    worker.start()
    print(f"READY {worker.pid}", flush=True)
    time.sleep(3600)
"""
    path = keeper.folder / "spawning.py"
    path.write_text(code, encoding="utf-8")
    process = keeper.start(sys.executable, str(path), says="", stdout=subprocess.PIPE)
    assert process.stdout is not None
    yield Label("spawned worker", int(process.stdout.readline().split()[1]), NOTHING)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


CASES = (
    Case("killed client, SDK 1.x", _killed_first_generation),
    Case("killed client, SDK 2.x", _killed_second_generation),
    Case("killed client, TypeScript", _killed_typescript, needs_node=True),
    Case("closing client, TypeScript", _closed_typescript, needs_node=True),
    Case("healthy client, TypeScript", _healthy_typescript, needs_node=True),
    Case("closing client, SDK 1.9.4", _closed_by_old),
    Case("healthy clients", _healthy),
    Case("adopted by a subreaper", _subreaper),
    Case("helper of a dead server", _helper),
    Case("inherited by a forked worker", _inherited),
    Case("servers over HTTP", _over_http),
    Case("port in use", _port_in_use, needs_node=True),
    Case("elected leader", _elected),
    Case("run by hand", _by_hand),
    Case("no servers at all", _no_servers),
    Case("kept for a reason", _kept_for_a_reason),
    Case("on a terminal", _on_a_terminal),
    Case("zombie", _zombie),
    Case("workers of multiprocessing", _workers),
    *others.CASES,
)
