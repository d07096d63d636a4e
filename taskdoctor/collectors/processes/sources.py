"""Whether a script builds an MCP server: read, never imported, never run.

The SDKs are pure Python and plain JavaScript: nothing of them shows in the memory of a process. So arbitrary servers
(`node dist/index.js`, `python server.py`) are recognised by what their own source does. Python is parsed, so that a
word in a comment or a docstring means nothing; a client of MCP servers is not one, and neither is who only imports
what builds a server.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from functools import lru_cache

from taskdoctor.collectors.processes.imports import find_module, is_foreign, javascript_imports, plain_imports
from taskdoctor.collectors.processes.python_source import Script, answers, read_python
from taskdoctor.collectors.processes.reach import Reach

MOST_BYTES = 200 * 1024
MOST_BUNDLE_BYTES = 16 * 1024 * 1024
MOST_FILES = 12
DEPTH = 3

_JS_COMMENTS = re.compile(r"/\*.*?\*/|(?m:^[ \t]*//[^\n]*)", re.S)
_JS_TYPES = re.compile(r"\b(?:import|export)\s+type\b[^\"';]{0,400}[\"'][^\"'\n]*[\"']")  # nothing of it is run
_JS_SERVER = re.compile(
    r"\bStdioServerTransport\b|\bnew\s+(?:McpServer|MCPServer|FastMCP)\s*\(|@modelcontextprotocol/sdk/server|"
    r"@modelcontextprotocol/server\b|\bsdk/server/(?:stdio|mcp|index)"
)
_JS_STDIO = re.compile(r"\bStdioServerTransport\b|server/stdio|transportType:\s*[\"']stdio")
_JS_CLIENT = re.compile(r"\bStdioClientTransport\b|@modelcontextprotocol/sdk/client|@modelcontextprotocol/client\b")
_JS_HTTP = re.compile(r"StreamableHTTPServerTransport|SSEServerTransport|transportType:\s*[\"'](?:sse|http)")
_JS_SPAWN = re.compile(r"child_process|\bspawn\s*\(")
_JS_MEMORY = re.compile(r"\bInMemoryTransport\b")  # client and server in one process: a test
_JS_WRITES = re.compile(r"[\"'\s{,](?:jsonrpc|serverInfo|protocolVersion)[\\\"']*\s*:")
_JS_GUARD = re.compile(
    r"require\.main\s*={2,3}\s*module|import\.meta\.main\b|import\.meta\.(?:url|filename|path)\)?\s*={2,3}|"
    r"={2,3}\s*(?:fileURLToPath\()?\s*import\.meta\.(?:url|filename|path)|={2,3}\s*process\.argv\[1\]"
)
_SAYS_MCP = re.compile(r"(?i)\bmcp|mcp\b|tools/list")
# Of what a bundler leaves of the SDKs, however short it makes the names.
_BUNDLED_SERVER = re.compile(rb"StdioServerTransport already started|\bclass StdioServerTransport\b")
_BUNDLED_CLIENT = re.compile(rb"StdioClientTransport already started|\bclass StdioClientTransport\b")
_WIRE = re.compile(r"[\"'](tools/list|initialize|serverInfo|clientInfo)[\"']|\b(serverInfo|clientInfo)\s*:")


@dataclass(frozen=True, slots=True)
class Source:
    """What a script shows of itself."""

    path: str = ""
    readable: bool = False
    serves: bool = False  # builds an MCP server with an SDK
    by_hand: bool = False  # answers the methods of the protocol itself
    connects: bool = False  # talks to MCP servers: a client
    stdio: bool = False  # runs over stdin and stdout, and says so itself
    http: bool = False  # serves over HTTP
    loose: bool = False  # a file that it imports builds a server, and nothing shows that it starts it
    mentions: str = ""  # the first thing that was seen

    @property
    def ambiguous(self) -> bool:
        return (self.serves or self.by_hand) and (self.connects or self.loose)


def read_source(path: str, owner: int | None, sites: tuple[str, ...] = ()) -> Source:
    """The signs in a script and, where it has none, in what it imports; `sites`: where its packages lie."""
    try:
        seen = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return Source(path)
    return _followed(path, owner, sites, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=1024)
def _followed(path: str, owner: int | None, sites: tuple[str, ...], changed_ns: int, size: int) -> Source:
    """Cached by path and change: a thousand copies of one server are read once."""
    real = os.path.realpath(path)
    text = _text(real, owner)
    if text is None:
        return Source(path)
    found = judge_text(text, real)
    if found.serves or found.by_hand or found.connects:
        return found
    if is_foreign(real):
        return found
    if _is_javascript(text, real):
        return _bundled(real, owner, found) if size > MOST_BYTES else _javascript_beside(text, real, owner, found)
    return _python_beside(real, owner, sites, found)


def _python_beside(
    path: str, owner: int | None, sites: tuple[str, ...], first: Source, *, code: str | None = None
) -> Source:
    """What a script reaches in other files; a server that is only built there may be somebody else's."""

    def read(file: str) -> Script | None:
        return read_python(code) if code is not None and file == path else _script(file, owner)

    if not _mentioned(code or _text(path, owner) or "", path, owner, sites):
        return first
    reach = Reach(path, read, lambda file, one: find_module(file, one, sites))
    started = reach.start()
    if started is not None:
        return _of_script(*started)
    return replace(_of_script(*reach.builds), loose=True) if reach.builds is not None else first


def _mentioned(text: str, path: str, owner: int | None, sites: tuple[str, ...]) -> bool:
    """Whether any of the files near a script says MCP at all: most do not, and need not be parsed."""
    waiting = [(text, path)]
    seen = {path}
    while waiting:
        at, home = waiting.pop(0)
        if _SAYS_MCP.search(at) is not None:
            return True
        for one in plain_imports(at):
            file = find_module(home, one, sites)
            if file is not None and file not in seen and len(seen) <= 2 * MOST_FILES:
                seen.add(file)
                waiting.append((_text(file, owner) or "", file))
    return False


def _script(path: str, owner: int | None) -> Script | None:
    text = _text(os.path.realpath(path), owner)
    return read_python(text, cut=len(text) >= MOST_BYTES // 2) if text is not None else None


def _javascript_beside(text: str, path: str, owner: int | None, first: Source) -> Source:
    """The first of the files that it imports which shows something; one that only runs as the script is loose."""
    waiting = [(*each, 1) for each in javascript_imports(_JS_COMMENTS.sub("", text), path)]
    seen = {path}
    files = 0
    while waiting and files < MOST_FILES:
        name, called, depth = waiting.pop(0)
        real = os.path.realpath(name)
        code = _text(real, owner) if real not in seen else None
        seen.add(real)
        if code is None:
            continue
        files += 1
        found = judge_text(code, real)
        if found.serves or found.by_hand or found.connects:
            return replace(found, loose=not called and _JS_GUARD.search(code) is not None)
        if depth < DEPTH:
            waiting += [(*inner, depth + 1) for inner in javascript_imports(_JS_COMMENTS.sub("", code), real)]
    return first


def _bundled(path: str, owner: int | None, first: Source) -> Source:
    """A program that was packed into one file with everything that it imports."""
    raw = _raw(path, owner, MOST_BUNDLE_BYTES)
    return judge_bundle(raw, path) if raw is not None and _BUNDLED_SERVER.search(raw) is not None else first


def judge_bundle(raw: bytes, path: str) -> Source:
    """The same for a bundle or a binary, by the messages of the SDK, which no bundler shortens."""
    server, client = _BUNDLED_SERVER.search(raw) is not None, _BUNDLED_CLIENT.search(raw) is not None
    told = "StdioServerTransport" if server else ""
    return Source(path, readable=True, serves=server, connects=client, stdio=server, mentions=told)


def judge_text(text: str, path: str) -> Source:
    """The signs in one text; what it is written in is told by its name, else by its look."""
    return _javascript(text, path) if _is_javascript(text, path) else _python(text, path)


def _is_javascript(text: str, path: str) -> bool:
    endings = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx")
    return path.endswith(endings) or _looks_like_javascript(text)


def read_code(code: str, program: str, folder: str, owner: int | None, sites: tuple[str, ...]) -> Source:
    """The same for `-c` and `-e`, which import as a script in the working folder would."""
    if program != "python":
        return _javascript(code, "-e")
    found = _python(code, "-c")
    if found.serves or found.by_hand or found.connects or not folder:
        return found
    return _python_beside(f"{folder}/-c", owner, sites, found, code=code)


def _looks_like_javascript(text: str) -> bool:
    head = text[:200]
    return head.startswith("#!") and "node" in head.partition("\n")[0]


def _text(path: str, owner: int | None) -> str | None:
    raw = _raw(path, owner, MOST_BYTES)
    return raw.decode("utf-8", "replace") if raw is not None else None


def _raw(path: str, owner: int | None, limit: int) -> bytes | None:
    """The beginning of a regular file that belongs to the process's user or to root."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPENING)
    except (OSError, ValueError):
        return None
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid not in {0, owner, _own_user()}:
            return None
        return os.read(descriptor, limit)
    except OSError:
        return None
    finally:
        os.close(descriptor)


# What Windows does not have: nothing there can block, and nobody owns a file by number.
_OPENING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)


def _own_user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _javascript(text: str, path: str) -> Source:
    code = _JS_TYPES.sub("", _JS_COMMENTS.sub("", text))
    server = _JS_SERVER.search(code)
    client = _JS_CLIENT.search(code)
    wire = {found for pair in _WIRE.findall(code) for found in pair if found}
    by_hand = server is None and "stdin" in code and _JS_WRITES.search(code) is not None and answers(wire)
    memory = _JS_MEMORY.search(code) is not None
    spawns = by_hand and _JS_SPAWN.search(code) is not None
    return Source(
        path,
        readable=True,
        serves=server is not None,
        by_hand=by_hand,
        connects=client is not None or memory or spawns or (by_hand and "clientInfo" in wire),
        stdio=_JS_STDIO.search(code) is not None or by_hand,
        http=_JS_HTTP.search(code) is not None,
        mentions=server[0].strip() if server is not None else "tools/list" if by_hand else "",
    )


def _python(text: str, path: str) -> Source:
    script = read_python(text, cut=len(text) >= MOST_BYTES // 2)
    return _of_script(path, script) if script is not None else Source(path, readable=True)


def _of_script(path: str, script: Script) -> Source:
    return Source(
        path,
        readable=True,
        serves=bool(script.serves),
        by_hand=script.by_hand,
        connects=script.connects,
        stdio=script.stdio,
        http=script.http,
        mentions=script.serves or ("tools/list" if script.by_hand else ""),
    )
