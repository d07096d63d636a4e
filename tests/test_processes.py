"""The process collector on real processes, pipes and sockets: channels, identities, classes, races."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskdoctor.collectors.processes import launches
from taskdoctor.collectors.processes.channel import Channel, End, look
from taskdoctor.collectors.processes.collecting import Options, Watched, children_of, collect
from taskdoctor.collectors.processes.configs import entry_of, find_entries
from taskdoctor.collectors.processes.identity import weigh
from taskdoctor.collectors.processes.launches import says_mcp, shown, understand
from taskdoctor.collectors.processes.peers import unix_sockets
from taskdoctor.collectors.processes.sources import Source, judge_text, read_source
from taskdoctor.collectors.processes.table import Row, read_row, read_table, split_command
from taskdoctor.errors import UnreadableError
from taskdoctor.model import ProcessClass, Processes, ProcessTree
from tests.zoo.keeper import Keeper

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the proof is Linux's")

SOON = Options(apart_s=0.2, sample_s=0.05)
SLEEPS = "import time; time.sleep(600)"


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    one = Keeper(tmp_path)
    try:
        yield one
    finally:
        one.close()


def seen(options: Options = SOON) -> Processes:
    processes = collect(options).processes
    assert processes is not None
    return processes


def tree_of(processes: Processes, pid: int) -> ProcessTree | None:
    return next((tree for tree in processes.trees if any(one.pid == pid for one in tree.processes)), None)


def kind_of(processes: Processes, pid: int) -> ProcessClass | None:
    tree = tree_of(processes, pid)
    return tree.kind if tree is not None else None


def channel_of(pid: int, *, privately: bool = False) -> Channel:
    row = read_row(pid)
    assert row is not None
    return look(row, unix_sockets(), privately=privately)


def left(keeper: Keeper, *command: str, **options: object) -> subprocess.Popen[bytes]:
    """A server whose client has closed both ends, as a killed one does."""
    process = keeper.start(*command, says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    return process


QUIET = """
import sys, time
def answer(method):
    return {"initialize": {"serverInfo": {}}, "tools/list": []}[method]
for line in sys.stdin:
    pass
time.sleep(600)
"""


def quiet_server(keeper: Keeper) -> str:
    """Answers the methods of MCP without any SDK, and stays when its input ends."""
    path = keeper.folder / "quiet_server.py"
    path.write_text(QUIET, encoding="utf-8")
    return str(path)


# --- channels ---------------------------------------------------------------------------------------------------


def test_a_pipe_tells_whether_anybody_can_write(keeper: Keeper) -> None:
    process = keeper.start(sys.executable, "-c", SLEEPS, says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert channel_of(process.pid).stdin is End.LIVE
    assert channel_of(process.pid).stdout is End.LIVE
    process.stdin.close()
    assert channel_of(process.pid).stdin is End.DEAD
    assert not channel_of(process.pid).is_dead_both_ways
    process.stdout.close()
    assert channel_of(process.pid).is_dead_both_ways


def test_looking_at_a_pipe_takes_nothing_out_of_it(keeper: Keeper) -> None:
    process = keeper.start(sys.executable, "-c", SLEEPS, says="", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"request\n")
    process.stdin.flush()
    assert channel_of(process.pid).unread
    assert channel_of(process.pid).unread


@pytest.mark.parametrize("half", [False, True])
def test_a_socket_pair_tells_whether_its_peer_is_there(keeper: Keeper, half: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = keeper.start(sys.executable, "-c", SLEEPS, says="", stdin=theirs, stdout=theirs)
        theirs.close()
        assert channel_of(process.pid).stdin is End.LIVE
        if half:
            ours.shutdown(socket.SHUT_WR)
        else:
            ours.close()
        assert channel_of(process.pid).stdin is End.DEAD


def test_what_is_no_channel_is_not_dead(keeper: Keeper, tmp_path: Path) -> None:
    (tmp_path / "in.txt").touch()
    with (tmp_path / "in.txt").open() as stream:
        of_a_file = keeper.start(sys.executable, "-c", SLEEPS, says="", stdin=stream)
    of_nothing = keeper.start(sys.executable, "-c", SLEEPS, says="")
    assert channel_of(of_a_file.pid).stdin is End.NONE
    assert channel_of(of_nothing.pid).stdin is End.NONE
    assert channel_of(of_nothing.pid, privately=True).stdin is End.NONE


def test_a_private_wire_is_found_behind_the_null_device(keeper: Keeper) -> None:
    """What SDK 2.x does: the pipe is duplicated above, the null device stands on 0, stderr on 1."""
    code = """
    import os, time
    wire, answers = os.dup(0), os.dup(1)
    own = os.pipe()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.write(2, b"")
    print(flush=True)
    time.sleep(600)
    """
    process = keeper.start(
        sys.executable, "-c", textwrap.dedent(code), says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    keeper.until(lambda: str(Path(f"/proc/{process.pid}/fd/0").readlink()) == "/dev/null", "the null device")
    keeper.until(lambda: channel_of(process.pid, privately=True).stdin is End.LIVE, "a private wire")
    process.stdin.close()
    process.stdout.close()
    assert channel_of(process.pid, privately=True).is_dead_both_ways


def test_who_is_gone_is_unknown_not_dead(keeper: Keeper) -> None:
    process = keeper.start(sys.executable, "-c", SLEEPS, says="", stdin=subprocess.PIPE)
    row = read_row(process.pid)
    assert row is not None
    keeper.kill(process)
    assert look(row, unix_sockets()).stdin is End.UNKNOWN


# --- what a command line and a source say ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "program", "head", "wraps"),
    [
        ("/usr/bin/python3.11 -u -X dev server.py --stay", "python", "server", False),
        ("/opt/venv/bin/python -m mcp_server_time --tz x", "python", "mcp_server_time", False),
        ("node --max-old-space-size 512 dist/index.js", "node", "index", False),
        ("node /usr/lib/npm/bin/npx-cli.js -y mcp-server-x@1.2", "npx", "mcp-server-x", True),
        ("npm exec @modelcontextprotocol/server-memory", "npm", "@modelcontextprotocol/server-memory", True),
        ("uv tool uvx mcp-server-fetch", "uv", "mcp-server-fetch", True),
        ("uv run --with mcp python server.py", "uv", "server", True),
        ("uvx --from pkg==1.0 mcp-server-git", "uvx", "mcp-server-git", True),
        ("bunx context7-mcp@latest", "bunx", "context7-mcp", True),
        ("docker run -i --rm -e KEY mcp/fetch:latest", "docker", "fetch", False),
        ("-bash", "bash", "bash", True),
        ("", "", "", False),
    ],
)
def test_command_lines(command: str, program: str, head: str, wraps: bool) -> None:
    launch = understand(command.split())
    assert (launch.program, launch.head, launch.wraps) == (program, head, wraps)


def test_a_shell_line_is_understood_up_to_its_first_command() -> None:
    assert understand(["sh", "-c", "exec node dist/server.js; true"]).head == "server"
    assert understand(["cmd.exe", "/c", "npx", "-y", "mcp-server-x"]).leaf.target == "mcp-server-x"


def test_npm_writes_its_title_into_one_word() -> None:
    assert split_command(b"npm exec @scope/server-x\0\0\0\0") == ("npm", "exec", "@scope/server-x")
    assert split_command(b"") == ()
    assert split_command(b"a\xff\0b") == ("a\ufffd", "b")


@pytest.mark.parametrize(
    "name",
    [
        "mcp-server-time",
        "github-mcp-server",
        "context7-mcp",
        "@modelcontextprotocol/server-memory",
        "fastmcp",
        "mcp_server_git",
        "@playwright/mcp",
        "my_mcp",
        "mcp-client-server",
    ],
)
def test_names_of_servers(name: str) -> None:
    assert says_mcp(name)


@pytest.mark.parametrize(
    "name",
    [
        "mcp-client",
        "mcp_client",
        "@modelcontextprotocol/inspector",
        "mcp-inspector",
        "mcp-report",
        "test_mcp",
        "pymcpeconnect",
        "compcp",
        "mcphost-cli",
        "",
        "mcp-agent",
        "server",
    ],
)
def test_names_that_only_sound_like_it(name: str) -> None:
    assert not says_mcp(name)


SERVER, HAND, CLIENT, BOTH, NEITHER = (
    (True, False, False),
    (False, True, False),
    (False, False, True),
    (True, False, True),
    (False,) * 3,
)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a.py", "from mcp.server.fastmcp import FastMCP\nFastMCP('x').run()", SERVER),
        ("a.py", "import mcp\nmcp.server.fastmcp.FastMCP('x')", SERVER),
        ("a.py", "from mcp.server import Server\nfrom mcp.server.stdio import stdio_server", SERVER),
        ("a.py", "import sys\nfor l in sys.stdin:\n    if l in ('initialize', 'tools/list'): {'jsonrpc': 2}", HAND),
        ("a.py", "import sys\nfor l in sys.stdin:\n    if l in ('initialize', 'tools/list'): pass", NEITHER),
        ("a.py", "METHODS = ('initialize', 'tools/list')", NEITHER),
        ("a.py", "import sys\nsys.stdin\nx = {'initialize': 1, 'tools/list': 2, 'clientInfo': 3}", NEITHER),
        ("a.py", "from mcp import ClientSession\nfrom mcp.client.stdio import stdio_client", CLIENT),
        ("a.py", "from mcp.server.fastmcp import FastMCP\nfrom mcp import ClientSession", BOTH),
        ("a.py", '"""FastMCP( and StdioServerTransport"""\n# FastMCP()\nprint("tools")', NEITHER),
        ("a.py", "def broken(:\n  FastMCP(", NEITHER),
        ("a.js", 'import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";', SERVER),
        ("a.js", 'const { Server } = require("@modelcontextprotocol/sdk/server/index.js");', SERVER),
        ("a.mjs", 'import { Client } from "@modelcontextprotocol/sdk/client/index.js";', CLIENT),
        ("a.js", "// new McpServer(\n/* StdioServerTransport */\nconsole.log(1)", NEITHER),
        ("a.js", 'process.stdin.on("data", m => m === "initialize" || m === "tools/list" || {jsonrpc: 2})', HAND),
        ("a.js", 'process.stdin.on("data", m => m === "initialize" || m === "tools/list")', NEITHER),
    ],
)
def test_sources(name: str, text: str, wanted: tuple[bool, ...]) -> None:
    found = judge_text(text, name)
    assert (found.serves, found.by_hand, found.connects) == wanted


def test_a_source_is_followed_into_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("from app.tools import server\nserver.run()\n", encoding="utf-8")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "tools.py").write_text("from mcp.server.fastmcp import FastMCP\nserver = FastMCP('x')\n")
    assert read_source(str(tmp_path / "main.py"), os.getuid()).serves
    (tmp_path / "index.js").write_text('import "./lib/start.js";\n', encoding="utf-8")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "start.js").write_text("new McpServer({})\n", encoding="utf-8")
    assert read_source(str(tmp_path / "index.js"), os.getuid()).serves


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.py")
    assert not read_source(str(tmp_path / "fifo.py"), os.getuid()).readable
    assert not read_source("/dev/zero", 0).readable
    assert not read_source(str(tmp_path / "nothing.py\0"), 0).readable
    assert read_source(str(tmp_path), 0) == Source(str(tmp_path))


def test_configured_servers_are_found_again(tmp_path: Path) -> None:
    entry = {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-files@1.2", "/data"], "env": {"KEY": "x"}}
    (tmp_path / ".claude.json").write_text(json.dumps({"projects": {"/p": {"mcpServers": {"files": entry}}}}))
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text(
        '[mcp_servers.time]\ncommand = "uvx"\nargs = ["mcp-server-time"]\n'
    )
    (tmp_path / ".mcp.json").write_text('{"mcpServers": [1, {"x"')
    entries = find_entries([], home=tmp_path)
    assert [entry.name for entry in entries] == ["files", "time"]
    wrapper = understand(["npm", "exec", "@modelcontextprotocol/server-files", "/data"])
    leaf = understand(["node", "/x/node_modules/.bin/mcp-server-files", "/data"])
    other = understand(["node", "/x/node_modules/.bin/mcp-server-files", "/elsewhere"])
    assert [entry_of(one, entries, str) is not None for one in (wrapper, leaf, other)] == [True, True, False]
    with pytest.raises(UnreadableError):
        find_entries([], [tmp_path / "none.json"], home=tmp_path)


@pytest.mark.parametrize(
    ("command", "hidden"),
    [
        (["x", "--api-key", "abcdefgh"], "abcdefgh"),
        (["x", "--token=abcdefgh"], "abcdefgh"),
        (["x", "API_KEY=abcdefgh"], "abcdefgh"),
        (["x", "https://me:secret@host/"], "secret"),
        (["x", "sk-abcdefghijkl"], "sk-abcdefghijkl"),
        (["x", "Authorization:", "ghp_0123456789abcdef0123"], "ghp_0123456789abcdef0123"),
    ],
)
def test_secrets_are_not_shown(command: list[str], hidden: str) -> None:
    assert hidden not in shown(command)


def test_no_command_line_is_too_strange() -> None:
    for words in (
        ["\x1b[31m"],
        [""] * 300,
        ["a" * 100_000],
        ["npm", "exec"],
        ["uv"],
        ["uv", "run"],
        ["sh", "-c"],
        ["sh", "-c", ""],
    ):
        assert isinstance(understand(words).head, str)
        assert isinstance(launches.shown(words), str)
        identity = weigh(Row(1, 0, "x", tuple(words)), (), environ=None, folder=lambda: "")
        assert not identity.serves_http


# --- classes ----------------------------------------------------------------------------------------------------


def test_left_behind_is_an_orphan_after_two_looks_and_a_suspect_after_one(keeper: Keeper) -> None:
    server = left(keeper, sys.executable, quiet_server(keeper))
    quick = seen(Options(quick=True, sample_s=0.0))
    assert kind_of(quick, server.pid) is ProcessClass.SUSPECT
    assert not any(tree.kind is ProcessClass.ORPHAN for tree in quick.trees)
    tree = tree_of(seen(), server.pid)
    assert tree is not None
    assert tree.kind is ProcessClass.ORPHAN
    assert tree.harm.rss_bytes > 0
    assert all(sign.check for sign in tree.signs)


def test_a_channel_that_opens_again_between_two_looks_is_no_orphan(keeper: Keeper) -> None:
    """The number is somebody else's by the second look: the same script, another start."""
    script = quiet_server(keeper)
    first = left(keeper, sys.executable, script)
    second: list[subprocess.Popen[bytes]] = []

    def replace(_: float) -> None:
        if not second:
            keeper.kill(first)
            second.append(left(keeper, sys.executable, script))

    processes = collect(SOON, sleep=replace).processes
    assert processes is not None
    assert kind_of(processes, second[0].pid) is ProcessClass.SUSPECT
    assert kind_of(processes, first.pid) is None


def test_a_living_client_keeps_its_server(keeper: Keeper) -> None:
    process = keeper.start(sys.executable, quiet_server(keeper), says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    tree = tree_of(seen(), process.pid)
    assert tree is not None
    assert tree.kind is ProcessClass.LIVE
    assert tree.client == os.getpid()


def test_the_children_of_a_service(keeper: Keeper) -> None:
    """What `attach` asks: copies beyond what is configured are retained, others are not even looked at."""
    script = quiet_server(keeper)
    servers = [
        keeper.start(sys.executable, script, "--same", says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    found = children_of(os.getpid())
    kinds = sorted(str(kind_of(found, server.pid)) for server in servers)
    assert kinds == ["live", "retained", "retained"]
    assert found.service is not None
    assert found.service.pid == os.getpid()
    assert children_of(servers[0].pid).trees == ()
    assert children_of(2**30).service is None


def test_a_spinning_one_and_an_open_database_are_seen(keeper: Keeper) -> None:
    path = keeper.folder / "spinning_server.py"
    database = keeper.folder / "notes.db"
    spins = f"import sqlite3\nkept = sqlite3.connect({str(database)!r})\nkept.execute('create table t(x)')\n"
    path.write_text(QUIET.replace("time.sleep(600)", f"{spins}while True: pass"), encoding="utf-8")
    server = left(keeper, sys.executable, str(path))
    keeper.until(database.exists, "the database")
    tree = tree_of(seen(Options(apart_s=0.5, sample_s=0.4)), server.pid)
    assert tree is not None
    assert tree.kind is ProcessClass.ORPHAN
    assert tree.harm.cpu_share > 0
    assert any(lock.endswith("notes.db") for lock in tree.harm.locks)
    assert tree.harm.held == ()
    assert tree.harm.cpu_s > 0


def test_a_transaction_that_never_ends_keeps_others_out(keeper: Keeper) -> None:
    path = keeper.folder / "stuck_server.py"
    database = keeper.folder / "notes.db"
    stuck = f"import sqlite3\nkept = sqlite3.connect({str(database)!r})\nkept.execute('begin exclusive')\n"
    path.write_text(f"{stuck}open('up', 'w')\n{QUIET}", encoding="utf-8")
    server = left(keeper, sys.executable, str(path))
    keeper.until((keeper.folder / "up").exists, "the transaction")
    tree = tree_of(seen(), server.pid)
    assert tree is not None
    assert [Path(held).name for held in tree.harm.held] == ["notes.db"]


def test_a_watch_between_two_looks_proves_without_a_wait(keeper: Keeper) -> None:
    """What `attach` does: its own time is the distance between the looks."""
    server = left(keeper, sys.executable, quiet_server(keeper))
    keeper.until(lambda: channel_of(server.pid).is_dead_both_ways, "its client is gone")
    living = keeper.start(sys.executable, quiet_server(keeper), says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    short, long = Watched(2**30), Watched(2**30, at_least_s=0.0)
    assert kind_of(short.end(), server.pid) is None
    found = long.end()
    assert kind_of(found, server.pid) is ProcessClass.ORPHAN
    assert kind_of(found, living.pid) is None
    assert kind_of(Watched(os.getpid(), at_least_s=0.0).end(), living.pid) is ProcessClass.LIVE


def test_a_storm_of_forks_breaks_nothing(keeper: Keeper) -> None:
    """Processes appear and vanish during every stage of every look."""
    storm = "import os\nprint('READY', flush=True)\nwhile True:\n    if os.fork() == 0: os._exit(0)\n    os.wait()\n"
    server = left(keeper, sys.executable, quiet_server(keeper))
    storms = [
        keeper.start(sys.executable, "-c", storm, stdin=subprocess.PIPE, stdout=subprocess.PIPE),
        keeper.start(
            "sh", "-c", "echo READY; while :; do node -v mcp-server </dev/null & sh -c : | cat; done 2>/dev/null"
        ),
    ]
    limit_s = time.monotonic() + 2.0
    while time.monotonic() < limit_s:
        processes = seen(Options(apart_s=0.0, sample_s=0.0))
        assert kind_of(processes, server.pid) is ProcessClass.ORPHAN
    for process in storms:
        keeper.kill(process)


def test_the_table_holds_everybody_once() -> None:
    table = read_table()
    assert os.getpid() in table
    assert all(row.pid == pid for pid, row in table.items())
    assert table[os.getpid()].parent == os.getppid()
