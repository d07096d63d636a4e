"""Whether a script builds an MCP server: read, never imported, never run.

The SDKs are pure Python and plain JavaScript: nothing of them shows in the memory of a process. So arbitrary servers
(`node dist/index.js`, `python server.py`) are recognised by what their own source does. Python is parsed, so that a
word in a comment or a docstring means nothing; a client of MCP servers is not one.
"""

from __future__ import annotations

import ast
import os
import re
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MOST_BYTES = 200 * 1024
MOST_FILES = 12
DEPTH = 3

_SERVER_CALLS = frozenset({"FastMCP", "MCPServer", "McpServer", "stdio_server", "StdioServerTransport"})
_CLIENT_CALLS = frozenset({"stdio_client", "ClientSession", "StdioServerParameters", "MultiServerMCPClient"})
_CLIENT_CALLS |= {"ClientSessionGroup", "MCPServerStdio"}
_HTTP_NAMES = frozenset({"sse", "http", "streamable-http", "streamable_http"})
_HTTP_CALLS = frozenset({"sse_app", "streamable_http_app", "http_app", "SseServerTransport"})
_HTTP_CALLS |= {"StreamableHTTPSessionManager", "run_sse_async", "run_streamable_http_async"}

_JS_COMMENTS = re.compile(r"/\*.*?\*/|(?m:^[ \t]*//[^\n]*)", re.S)
_JS_SERVER = re.compile(
    r"\bStdioServerTransport\b|\bnew\s+(?:McpServer|FastMCP)\s*\(|@modelcontextprotocol/sdk/server|"
    r"@modelcontextprotocol/server\b|\bsdk/server/(?:stdio|mcp|index)"
)
_JS_STDIO = re.compile(r"\bStdioServerTransport\b|server/stdio|transportType:\s*[\"']stdio")
_JS_CLIENT = re.compile(r"\bStdioClientTransport\b|@modelcontextprotocol/sdk/client|@modelcontextprotocol/client\b")
_JS_HTTP = re.compile(r"StreamableHTTPServerTransport|SSEServerTransport|transportType:\s*[\"'](?:sse|http)")
_JS_SPAWN = re.compile(r"child_process|\bspawn\s*\(")
_JS_IMPORT = re.compile(r"(?:\bfrom|\bimport|\brequire\s*\()\s*[\"'](\.{1,2}/[^\"']{1,200})[\"']")
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
    mentions: str = ""  # the first thing that was seen

    @property
    def ambiguous(self) -> bool:
        return (self.serves or self.by_hand) and self.connects


def read_source(path: str, owner: int | None) -> Source:
    """The signs in a script and, where it has none, in what it imports from beside it."""
    try:
        seen = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return Source(path)
    return _followed(path, owner, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=1024)
def _followed(path: str, owner: int | None, changed_ns: int, size: int) -> Source:
    """Cached by path and change: a thousand copies of one server are read once."""
    waiting = [(path, 0)]
    seen: set[str] = set()
    first = Source(path)
    while waiting and len(seen) < MOST_FILES:
        at, depth = waiting.pop(0)
        real = os.path.realpath(at)
        if real in seen:
            continue
        seen.add(real)
        text = _text(real, owner)
        if text is None:
            continue
        found = judge_text(text, real)
        if found.serves or found.by_hand or found.connects:
            return found
        if not first.readable:
            first = found
        if depth < DEPTH:
            waiting += [(name, depth + 1) for name in _imports(text, real)]
    return first


def judge_text(text: str, path: str) -> Source:
    """The signs in one text; what it is written in is told by its name, else by its look."""
    if path.endswith((".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx")) or _looks_like_javascript(text):
        return _javascript(text, path)
    return _python(text, path)


def judge_code(code: str, program: str) -> Source:
    """The same for `-c` and `-e`."""
    return _python(code, "-c") if program == "python" else _javascript(code, "-e")


def _looks_like_javascript(text: str) -> bool:
    head = text[:200]
    return head.startswith("#!") and "node" in head.partition("\n")[0]


def _text(path: str, owner: int | None) -> str | None:
    """At most 200 KB of a regular file that belongs to the process's user or to root."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPENING)
    except (OSError, ValueError):
        return None
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid not in {0, owner, _own_user()}:
            return None
        return os.read(descriptor, MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)


# What Windows does not have: nothing there can block, and nobody owns a file by number.
_OPENING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)


def _own_user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _javascript(text: str, path: str) -> Source:
    code = _JS_COMMENTS.sub("", text)
    server = _JS_SERVER.search(code)
    client = _JS_CLIENT.search(code)
    wire = {found for pair in _WIRE.findall(code) for found in pair if found}
    by_hand = server is None and "stdin" in code and _answers(wire)
    spawns = by_hand and _JS_SPAWN.search(code) is not None
    return Source(
        path,
        readable=True,
        serves=server is not None,
        by_hand=by_hand,
        connects=client is not None or spawns or (by_hand and "clientInfo" in wire),
        stdio=_JS_STDIO.search(code) is not None or by_hand,
        http=_JS_HTTP.search(code) is not None,
        mentions=server[0].strip() if server is not None else "tools/list" if by_hand else "",
    )


def _answers(wire: set[str]) -> bool:
    """A hand-written server names the methods that it answers; only the client sends `clientInfo`."""
    if "clientInfo" in wire and "serverInfo" not in wire:
        return False
    return "tools/list" in wire and ("initialize" in wire or "serverInfo" in wire)


def _python(text: str, path: str) -> Source:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        shorter = _longest_parse(text)
        return Source(path, readable=True) if shorter is None else _Reading(path).of(shorter)
    return _Reading(path).of(tree)


def _longest_parse(text: str) -> ast.Module | None:
    """A text cut off at the limit still parses up to its last whole statement."""
    if len(text) < MOST_BYTES // 2:
        return None
    cut = text.rfind("\ndef ", 0, len(text) - 1)
    try:
        return ast.parse(text[: max(cut, 0)])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Reading:
    """One walk over a parsed script."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._serves = ""
        self._connects = False
        self._http = False
        self._stdio = False
        self._spawns = False
        self._reads = False
        self._wire: set[str] = set()

    def of(self, tree: ast.Module) -> Source:
        docstrings = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    for name in names:
                        self._imported(name.name, ())
                case ast.ImportFrom(module=str(module), names=names):
                    self._imported(module, [name.name for name in names])
                case ast.Call():
                    self._called(node)
                case ast.Attribute(attr="stdin"):
                    self._reads = True
                case ast.Constant(value=str(value)) if id(node) not in docstrings:
                    self._wire |= {value} & {"tools/list", "initialize", "serverInfo", "clientInfo"}
        by_hand = not self._serves and self._reads and _answers(self._wire)
        return Source(
            self._path,
            readable=True,
            serves=bool(self._serves),
            by_hand=by_hand,
            connects=self._connects or (by_hand and (self._spawns or "clientInfo" in self._wire)),
            stdio=self._stdio or by_hand,
            http=self._http,
            mentions=self._serves or ("tools/list" if by_hand else ""),
        )

    def _imported(self, module: str, names: list[str] | tuple[str, ...]) -> None:
        if module == "mcp" or module.startswith("mcp."):
            self._connects = self._connects or module.startswith("mcp.client") or bool(set(names) & _CLIENT_CALLS)
            if module.startswith("mcp.server"):
                self._serves = self._serves or f"from {module}"
        if module == "fastmcp" and "Client" in names:
            self._connects = True
        self._stdio = self._stdio or module == "mcp.server.stdio"
        self._http = self._http or module in ("mcp.server.sse", "mcp.server.streamable_http")

    def _called(self, call: ast.Call) -> None:
        name = _name_of(call.func)
        if name in _SERVER_CALLS:
            self._serves = self._serves or f"{name}("
        if name in _CLIENT_CALLS:
            self._connects = True
        self._reads = self._reads or name == "input"
        if name in ("Popen", "create_subprocess_exec", "create_subprocess_shell"):
            self._spawns = True
        self._http = self._http or name in _HTTP_CALLS
        self._stdio = self._stdio or name in ("stdio_server", "run_stdio_async")
        if name in ("run", "run_async"):
            self._runs(call)

    def _runs(self, call: ast.Call) -> None:
        """Without a word it runs over stdio; with one that is not written out, it may run over anything."""
        words = [keyword.value for keyword in call.keywords if keyword.arg == "transport"] + call.args[:1]
        told = [word.value for word in words if isinstance(word, ast.Constant)]
        self._http = self._http or any(word in _HTTP_NAMES for word in told)
        self._stdio = self._stdio or "stdio" in told or not (call.args or call.keywords)


def _name_of(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _imports(text: str, path: str) -> Iterator[str]:
    """Files beside a script which it imports: relative ones of JavaScript, modules of its folder or environment."""
    folder = Path(path).parent
    if path.endswith((".js", ".mjs", ".cjs", ".ts")) or _looks_like_javascript(text):
        for name in _JS_IMPORT.findall(text)[:MOST_FILES]:
            yield str(folder / name)
            if not Path(name).suffix:
                yield from (str(folder / f"{name}{suffix}") for suffix in (".js", "/index.js"))
        return
    for level, module in _python_imports(text):
        parts = module.split(".") if module else []
        for root in _roots(folder, level):
            target = root.joinpath(*parts)
            yield from (
                str(each) for each in (target.with_suffix(".py"), target / "__init__.py", target / "__main__.py")
            )


def _python_imports(text: str) -> list[tuple[int, str]]:
    """(dots, module) of each import at the top, relative ones included."""
    found = re.findall(r"(?m)^\s*from\s+(\.*)([\w.]*)\s+import\s+\(?([\w., ]*)|^\s*import\s+([\w.]+)", text)
    listed: list[tuple[int, str]] = []
    for dots, module, names, plain in found[: 4 * MOST_FILES]:
        if plain:
            listed.append((0, plain))
            continue
        listed.append((len(dots), module))
        prefix = f"{module}." if module else ""
        listed += [(len(dots), f"{prefix}{name.split()[0]}") for name in names.split(",") if name.strip()]
    return [(level, module) for level, module in listed if module.partition(".")[0] not in _STANDARD]


_STANDARD = frozenset({"os", "sys", "re", "json", "asyncio", "typing", "pathlib", "logging", "time", "mcp", "fastmcp"})


def _roots(folder: Path, level: int) -> list[Path]:
    """Where a module may lie: beside the script, else in the environment whose bin folder holds it."""
    if level:
        up = folder
        for _ in range(level - 1):
            up = up.parent
        return [up]
    found = [folder]
    if folder.name in ("bin", "Scripts"):
        found += site_folders(folder.parent)
    return found


def site_folders(environment: Path) -> list[Path]:
    """The site-packages of a virtual environment."""
    try:
        return sorted(environment.glob("lib/python3*/site-packages"))[:2]
    except OSError:
        return []
