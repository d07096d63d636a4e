"""More of the zoo, made by other rules than those of `procs`: ways to start a server, and what only looks like one.

Most are data: the files of a project, the command that is started in it, and what its processes are. Their client is
this process, which closes its ends as a killed one does.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taskdoctor.model import ProcessClass
from tests.zoo.environments import FIRST, node_modules, packages, python_with
from tests.zoo.keeper import Keeper
from tests.zoo.labels import KEPT, LIVE, NOTHING, ORPHAN, Case, Label

Wanted = frozenset[ProcessClass | None]

PYTHON_SERVER = """
import threading, time
from mcp.server.fastmcp import FastMCP
app = FastMCP("weather")
@app.tool()
def now() -> str:
    return "now"
def main() -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    app.run()
"""
GUARDED = f"{PYTHON_SERVER}\nif __name__ == '__main__':\n    main()\n"
RUN = f"{PYTHON_SERVER}\nmain()\n"
NODE_SERVER = """
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
export async function start() {
  const server = new McpServer({ name: "weather", version: "1.0.0" });
  server.registerTool("now", { description: "the time" }, async () => ({ content: [] }));
  setInterval(() => {}, 1000);
  await server.connect(new StdioServerTransport());
}
"""
NODE_CLIENT = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
export const ask = () => new Client({ name: "h", version: "1" }).connect(new StdioClientTransport({ command: "x" }));
if (process.env.SERVE) await start(); else if (process.env.ASK) await ask(); else setInterval(() => {}, 1000);
"""
BY_HAND = """
setInterval(() => {}, 1000);
const answers = { initialize: { protocolVersion: "1", serverInfo: { name: "x" } }, "tools/list": { tools: [] } };
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  console.log(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: answers[message.method] }));
});
"""
LANGUAGE_SERVER = """
const handlers = { initialize: () => ({ serverInfo: { name: "x" } }), "textDocument/hover": () => null };
process.stdin.on("data", (part) => {
  const message = JSON.parse(part);
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: handlers[message.method]() }));
});
setInterval(() => {}, 1000);
"""
JOB = "import time\ntime.sleep(3600)\n"
IDLE = "setInterval(() => {}, 1000);\n"
SITE = f"venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


@dataclass(frozen=True, slots=True)
class Situation:
    """One project, and one command in it."""

    name: str
    wanted: Wanted
    command: str  # PYTHON, FOLDER and BIN (of the packages of npm) stand for themselves
    files: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    node: bool = False
    sockets: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    setup: str = ""  # a command that is run before
    at: str = ""  # the folder to start in


ANALYSER = """
import collections, json, sys, time
METHODS = ("initialize", "tools/list", "tools/call")
seen = collections.Counter(json.loads(line).get("method") for line in sys.stdin)
time.sleep(3600)
print({name: seen[name] for name in METHODS})
"""
IN_MEMORY = """
import time
from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session
app = FastMCP("x")
time.sleep(3600)
"""
BY_VARIABLE = """
import os, time
from mcp.server.fastmcp import FastMCP
app = FastMCP("x")
if os.environ.get("MCP_TRANSPORT", "stdio") == "stdio":
    app.run()
else:
    time.sleep(3600)  # would serve over HTTP
"""
FORKS = f"import os, time\n{PYTHON_SERVER}\nif os.fork() == 0:\n    time.sleep(3600)\nmain()\n"
LAUNCHER = "import subprocess, sys\nsys.exit(subprocess.call([sys.executable, 'server.py', *sys.argv[1:]]))\n"
STARTER = "require('child_process').spawn('node', ['server.mjs', ...process.argv.slice(2)], { stdio: 'inherit' });\n"
IN_SRC = "import pathlib, sys\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'src'))\n"
PACKAGE = {"weather/__init__.py": "", "weather/server.py": GUARDED}
OF_NPM = '{"name": "weather-mcp-server", "scripts": {"test": "vitest --watch MARK"}}'
HOME = {"weather/__main__.py": "from .server import main\nmain()\n"}

PYTHONS = (
    Situation("module", ORPHAN, "PYTHON -m weather.server", PACKAGE),
    Situation("module of a path", ORPHAN, "python -m weather", {f"{SITE}/{k}": v for k, v in (PACKAGE | HOME).items()},
              environ={"PATH": "FOLDER/venv/bin:/usr/bin:/bin"}, at="/"),
    Situation("code", ORPHAN, "PYTHON -c IMPORT", PACKAGE),
    Situation("source folder", ORPHAN, "PYTHON scripts/serve.py",
              {f"src/{k}": v for k, v in PACKAGE.items()}
              | {"scripts/serve.py": f"{IN_SRC}from weather.server import main\nmain()\n"}),
    Situation("moved away", ORPHAN, "PYTHON server.py", {"server.py": f"import os\nos.chdir('/')\n{RUN}"},
              environ={"PWD": "FOLDER"}),
    Situation("factory", ORPHAN, "PYTHON go.py",
              {"build.py": "from mcp.server.fastmcp import FastMCP\ndef create():\n    return FastMCP('x')\n",
               "go.py": "import threading, time\nfrom build import create\n"
                        "threading.Thread(target=time.sleep, args=(3600,)).start()\ncreate().run()\n"}),
    Situation("launcher", ORPHAN, "PYTHON launch.py", {"launch.py": LAUNCHER, "server.py": RUN}, count=2),
    Situation("prefixes", ORPHAN, "timeout 3600 env A=1 nice PYTHON server.py", {"server.py": RUN}, count=2),
    Situation("forked worker", ORPHAN, "PYTHON server.py", {"server.py": FORKS}, count=2),
    Situation("worker", NOTHING, "PYTHON worker.py",
              {"tools.py": GUARDED, "worker.py": f"from tools import now\ndef main():\n    now()\nmain()\n{JOB}"}),
    Situation("bot", NOTHING, "PYTHON bot.py",
              {"tools.py": GUARDED, "bot.py": "import time, tools\nclass Bot:\n    def __init__(self, app):\n"
               "        self.app = app\n    def run(self):\n        time.sleep(3600)\nBot(tools.app).run()\n"}),
    Situation("analyser", NOTHING, "PYTHON count_calls.py", {"count_calls.py": ANALYSER}),
    Situation("in memory", NOTHING, "PYTHON check_all.py", {"check_all.py": IN_MEMORY}),
    Situation("by a variable", KEPT, "PYTHON server.py", {"server.py": BY_VARIABLE},
              environ={"MCP_TRANSPORT": "streamable-http"}),
    Situation("formatter", NOTHING, "PYTHON -m tidy mcp_server.py", {"tidy.py": JOB, "mcp_server.py": RUN}),
    Situation("reader", NOTHING, "flock mcp_server.py sh -c WAIT MARK", {"mcp_server.py": RUN}, count=2),
    Situation("scanner", NOTHING, "FOLDER/mcp-scan -c WAIT MARK", setup="cp /bin/sh mcp-scan"),
    Situation("namesake", NOTHING, "PYTHON server.py", {"server.py": JOB}),  # of what `configured` has an entry for
)  # fmt: skip
NODES = (
    Situation("tsx", ORPHAN, "BIN/tsx src/index.ts",
              {"src/index.ts": 'import { start } from "./server.js";\nawait start();\n', "src/server.ts": NODE_SERVER},
              count=2, node=True, sockets=True),
    Situation("bundle", ORPHAN, "node dist/index.mjs", {"index.ts": f"{NODE_SERVER}\nawait start();\n"},
              node=True, sockets=True, setup="BIN/esbuild index.ts --outfile=dist/index.mjs"),
    Situation("imported later", ORPHAN, "node bin/cli.mjs",
              {"bin/cli.mjs": "const { start } = await import('../lib/server.mjs');\nawait start();\n",
               "lib/server.mjs": NODE_SERVER}, node=True, sockets=True),
    Situation("copy of node", ORPHAN, "FOLDER/assistant server.cjs", {"server.cjs": BY_HAND}, sockets=True,
              setup="cp NODE assistant", node=True),
    Situation("starter", ORPHAN, "node start.cjs",
              {"start.cjs": STARTER, "server.mjs": f"{NODE_SERVER}await start();\n"},
              count=2, node=True, sockets=True),
    Situation("extension host", NOTHING, "node dist/index.mjs", {"index.ts": f"{NODE_SERVER}{NODE_CLIENT}"},
              node=True, sockets=True, setup="BIN/esbuild index.ts --outfile=dist/index.mjs"),
    Situation("types", NOTHING, "node --import FOLDER/tsx.mjs audit.ts",
              {"tsx.mjs": f"import {json.dumps('TSX')};\n",
               "audit.ts": "import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';\n" + IDLE},
              node=True, sockets=True),
    Situation("documentation", NOTHING, "node make.mjs",
              {"server.mjs": f"{NODE_SERVER}if (import.meta.url === `file://${{process.argv[1]}}`) await start();\n",
               "make.mjs": f"import * as server from './server.mjs';\nconsole.error(Object.keys(server));\n{IDLE}"},
              node=True, sockets=True),
    Situation("language server", NOTHING, "node node_modules/x-language-server/cli.js --stdio",
              {"node_modules/x-language-server/cli.js": LANGUAGE_SERVER}, node=True, sockets=True),
    Situation("tests of a server", NOTHING, "npm test",
              {"package.json": OF_NPM, "node_modules/.bin/vitest": f"#!/usr/bin/env node\n{IDLE}"},
              count=2, node=True, sockets=True, setup="chmod +x node_modules/.bin/vitest"),
)  # fmt: skip

BUNDLE = ("--bundle", "--platform=node", "--format=esm", "--minify",
          "--banner:js=import{createRequire}from'module';const require=createRequire(import.meta.url);")  # fmt: skip


def _run(keeper: Keeper, situation: Situation) -> Iterator[Label]:
    """The project laid out, the command started in it, and the ends of its channel closed."""
    sign = situation.name.replace(" ", "_")
    folder = keeper.folder / sign
    known = {"PYTHON": python_with(FIRST), "FOLDER": str(folder), "MARK": keeper.sign(sign)}
    if situation.node:
        bin_ = packages()
        known |= {"BIN": str(bin_), "NODE": str(Path(shutil.which("node") or "node").resolve())}
        known["TSX"] = str(bin_.parent / "tsx" / "dist" / "loader.mjs")
    _lay_out(folder, situation, known)
    known |= {"IMPORT": "from weather.server import main; main()", "WAIT": "sleep 3600; :"}
    words = [_filled(word, known) for word in situation.command.split()]
    environ = {**os.environ, **{name: _filled(value, known) for name, value in situation.environ.items()}}
    if "MARK" not in situation.command and words[0] != "npm":
        words.append(keeper.sign(sign))
    options = {"cwd": situation.at or folder, "env": environ}
    if situation.sockets:
        (ours, theirs), (hears, answers) = socket.socketpair(), socket.socketpair()
        with ours, theirs, hears, answers:
            keeper.start(*words, says="", stdin=theirs, stdout=answers, **options)
            pids = keeper.find(sign, count=situation.count)
    else:
        process = keeper.start(*words, says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        pids = keeper.find(sign, count=situation.count)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
    yield from (Label(situation.name, pid, situation.wanted) for pid in pids)


def _lay_out(folder: Path, situation: Situation, known: Mapping[str, str]) -> None:
    for name, text in situation.files.items():
        path = folder / _filled(name, known)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(text, known), encoding="utf-8")
    folder.mkdir(exist_ok=True)
    if situation.node:
        (folder / "node_modules").mkdir(exist_ok=True)
        for each in node_modules().iterdir():
            if each.name != ".bin":
                (folder / "node_modules" / each.name).symlink_to(each)
        if "package.json" not in situation.files:
            (folder / "package.json").write_text('{"name": "app", "type": "module"}', encoding="utf-8")
    if (folder / SITE).exists():
        _environment(folder / "venv")
    if situation.setup:
        words = [_filled(word, known) for word in situation.setup.split()]
        subprocess.run(
            [*words, *(BUNDLE if "esbuild" in words[0] else ())], cwd=folder, check=True, capture_output=True
        )


def _environment(folder: Path) -> None:
    """A virtual environment beside that of the SDK, which it has by a path file, as an editable install."""
    base = Path(python_with(FIRST)).parent.parent
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(Path(python_with(FIRST)).resolve())
    shutil.copy(base / "pyvenv.cfg", folder)
    (next(folder.glob("lib/python3*/site-packages")) / "sdk.pth").write_text(
        f"{next(base.glob('lib/python3*/site-packages'))}\n", encoding="utf-8"
    )


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(name, value)
    return text


def _configured(keeper: Keeper) -> Iterator[Label]:
    """A living server that an entry starts as `python server.py`, in its own project."""
    folder = keeper.folder / "configured"
    folder.mkdir()
    (folder / "server.py").write_text(textwrap.dedent(RUN), encoding="utf-8")
    entry = {"command": python_with(FIRST), "args": ["server.py", keeper.sign("namesake")]}
    (folder / ".mcp.json").write_text(json.dumps({"mcpServers": {"weather": entry}}), encoding="utf-8")
    keeper.start(python_with(FIRST), "server.py", keeper.sign("configured"), says="", cwd=folder,
                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    yield from (Label("configured", pid, LIVE) for pid in keeper.find("configured"))


def _half_closed(keeper: Keeper) -> Iterator[Label]:
    """One socket both ways: the caller has said everything, and waits for the answer."""
    ours, theirs = socket.socketpair()
    (keeper.folder / "half.py").write_text(textwrap.dedent(RUN), encoding="utf-8")
    with theirs:
        keeper.start(python_with(FIRST), "half.py", keeper.sign("half"), says="", stdin=theirs, stdout=theirs)
    ours.shutdown(socket.SHUT_WR)
    keeper.hold(ours.detach())
    yield from (Label("half closed", pid, KEPT) for pid in keeper.find("half"))


def _sealed(keeper: Keeper) -> Iterator[Label]:
    """A server whose other end only its sibling holds: with that it is lost, and with a living one kept."""
    (keeper.folder / "sealed.py").write_text(textwrap.dedent(RUN), encoding="utf-8")
    for name, lives in (("sealed", False), ("shared", True)):
        (asked, asks), (hears, answers) = os.pipe(), os.pipe()
        python = python_with(FIRST)
        keeper.start(python, "sealed.py", keeper.sign(f"{name}_one"), says="", stdin=asked, stdout=answers)
        other = keeper.start(python, "sealed.py", keeper.sign(f"{name}_two"), says="", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, pass_fds=(asks,))  # fmt: skip
        for end in (asked, asks, hears, answers):
            os.close(end)
        (one,), (two,) = keeper.find(f"{name}_one"), keeper.find(f"{name}_two")
        yield Label(name, one, frozenset({ProcessClass.SUSPECT}) if lives else ORPHAN)
        yield Label(name, two, LIVE if lives else ORPHAN)
        for stream in (other.stdin, other.stdout) if not lives else ():
            assert stream is not None
            stream.close()


def _case(situation: Situation) -> Case:
    return Case(situation.name, lambda keeper: _run(keeper, situation), needs_node=situation.node)


CASES = (
    *(_case(situation) for situation in (*PYTHONS, *NODES)),
    Case("configured", _configured),
    Case("half closed", _half_closed),
    Case("held by a sibling", _sealed),
)
