"""How to keep subprocesses from being left behind, by how they were started. Data of `orphan_processes`.

Why by launch chain: what ends a plain child leaves the server behind npx or uv, and what helps in a server cannot be
asked of a client. Each fix is the smallest change that covers its chain.
"""

from __future__ import annotations

from collections.abc import Mapping

from taskdoctor.model import Fix, Priority

# A session of its own for each server, so that its whole group can be ended and nobody else.
OWN_GROUP = Fix(
    summary="Start each server in a session of its own, close its stdin first, then end its whole group.",
    priority=Priority.P1,
    effort="an hour",
    risk=(
        "killpg ends everything in the group: only with a session of its own, or it ends your service. Look at "
        "the command and the start time right before a kill: pids are used again, and another program may own "
        "servers of the same name."
    ),
    before="""\
import asyncio


async def stop(process: asyncio.subprocess.Process) -> None:
    process.kill()  # ends `npx`, not the server that npx has started
    await process.wait()
""",
    after="""\
import asyncio, contextlib, os, signal
from asyncio.subprocess import PIPE, Process, create_subprocess_exec


async def start(*command: str) -> Process:
    return await create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)


async def stop(process: Process) -> None:
    process.stdin.close()  # a good server ends by itself
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # and whatever the wrapper has left
    await process.wait()
""",
)
_NPX = Fix(
    summary="Started through npx: call the server itself (no wrapper to survive), else end its whole process group.",
    priority=Priority.P1,
    effort="ten minutes",
    risk="The version is then the one that is installed: pin and update it yourself.",
    before='{"mcpServers": {"memory": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"]}}}\n',
    after="""\
npm install --global @modelcontextprotocol/server-memory@2026.8.31
{"mcpServers": {"memory": {"command": "mcp-server-memory", "args": []}}}
""",
)
_UV = Fix(
    summary="Started through uv: install the tool and call it directly; uv hands on a TERM, but not its own death.",
    priority=Priority.P1,
    effort="ten minutes",
    risk="`uv tool install` pins the version: update it with `uv tool upgrade`.",
    before='{"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}}}\n',
    after="""\
uv tool install mcp-server-time
{"mcpServers": {"time": {"command": "mcp-server-time", "args": []}}}
""",
)
_SHELL = Fix(
    summary="Started through a shell: `exec` the server, so that there is no shell between; else end the whole group.",
    priority=Priority.P1,
    effort="a minute",
    risk="Nothing behind an exec is run any more: move clean-up into the server.",
    before="#!/bin/sh\nexport LOG_LEVEL=info\nnode dist/index.js\necho ended\n",
    after="#!/bin/sh\nexport LOG_LEVEL=info\nexec node dist/index.js\n",
)
_NODE = Fix(
    summary="A Node server: end when stdin ends; the SDK's transport does not, while a timer or socket keeps it alive.",
    priority=Priority.P1,
    effort="a minute",
    risk="Work in flight is cut off: finish it in the handler first.",
    before="await server.connect(new StdioServerTransport());\n",
    after="""\
await server.connect(new StdioServerTransport());
const leave = () => process.exit(0);
process.stdin.on("end", leave);
process.stdin.on("close", leave);
process.stdout.on("error", leave); // EPIPE: nobody reads any more
""",
)
_PYTHON = Fix(
    summary="A Python server: make its threads daemons and ask the kernel to end it with its client (Linux).",
    priority=Priority.P1,
    effort="ten minutes",
    risk=(
        "PDEATHSIG goes with the thread that started the server: a client that starts servers from a passing thread "
        "ends them with it. Daemon threads are cut off in the middle of their work."
    ),
    before="threading.Thread(target=refresh).start()\nserver.run()\n",
    after="""\
import ctypes, os, signal, threading

ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() == 1:  # the client was gone before the line above
    raise SystemExit
threading.Thread(target=refresh, daemon=True).start()
server.run()
os._exit(0)  # not even a thread that is no daemon outlives the end of the input
""",
)
_CONTAINER = Fix(
    summary="In a container: give it a name and an init, and remove it by name: ending `docker run` does not stop it.",
    priority=Priority.P1,
    effort="ten minutes",
    risk="Two clients with one name collide: put the client's pid into it.",
    before='command, args = "docker", ["run", "-i", "--rm", "mcp/fetch"]\n',
    after="""\
name = f"mcp-fetch-{os.getpid()}"
command, args = "docker", ["run", "-i", "--rm", "--init", "--name", name, "mcp/fetch"]
# when closing, whatever happened before:
subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
""",
)
_WINDOWS = Fix(
    summary="On Windows: put the server into a job object that ends with its client.",
    priority=Priority.P1,
    effort="an hour",
    risk="Everything in the job ends with the client, a browser that the server has opened included.",
    before="process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE)\n",
    after="""\
import win32api, win32con, win32job

job = win32job.CreateJobObject(None, "")
limits = win32job.QueryInformationJobObject(job, win32job.JobObjectExtendedLimitInformation)
limits["BasicLimitInformation"]["LimitFlags"] = win32job.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
win32job.SetInformationJobObject(job, win32job.JobObjectExtendedLimitInformation, limits)
process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE)
handle = win32api.OpenProcess(win32con.PROCESS_ALL_ACCESS, False, process.pid)
win32job.AssignProcessToJobObject(job, handle)  # keep `job` as long as the client lives
""",
)
KEPT_OPEN = Fix(
    summary="Close each session in the task that opened it, or share one set of servers between all sessions.",
    priority=Priority.P2,
    effort="an hour",
    risk="Servers with state of one user must not be shared.",
    before="""\
async def on_connect(websocket):
    session = await open_session()  # never closed: its server lives as long as the service
    sessions.append(session)
""",
    after="""\
async def on_connect(websocket):
    async with contextlib.AsyncExitStack() as stack:  # opened and closed in this very task
        session = await stack.enter_async_context(open_session())
        await serve(websocket, session)
""",
)

_BY_LAUNCH: Mapping[str, Fix] = {
    "npx": _NPX,
    "uv": _UV,
    "shell": _SHELL,
    "node": _NODE,
    "python": _PYTHON,
    "container": _CONTAINER,
    "windows": _WINDOWS,
}


def fix_for(launch: str) -> Fix:
    """What keeps servers that were started like this from being left behind."""
    return _BY_LAUNCH.get(launch, OWN_GROUP)
