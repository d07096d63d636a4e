"""Is it an MCP stdio server? The evidence of one process, and how strong it is.

Gates, not sums: many weak hints must not add up to a signal. The strongest single piece counts; only two things go
together: source that is both client and server, and having been started the way an MCP client starts its servers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskdoctor.collectors.processes.configs import Entry, entry_of
from taskdoctor.collectors.processes.imports import homes_of, main_of, site_folders
from taskdoctor.collectors.processes.interpreters import is_interpreter, packed_source, sites_of
from taskdoctor.collectors.processes.launches import Launch, bare, base, is_client, renamed, says_mcp, understand
from taskdoctor.collectors.processes.sources import Source, read_code, read_source
from taskdoctor.collectors.processes.table import Row, folder_of, read_environ
from taskdoctor.model import Sign

ENOUGH = 60  # to be called an MCP server
SURE = 80  # to be called one in spite of looking like a language server
CONFIGURED, NAMED, BUILDS, BY_HAND, HINT = 90, 80, 75, 60, 40

_FEW_NAMES = frozenset({"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LC_CTYPE"})
_FEW = 16  # with what an entry of a configuration may add
_SERVES = frozenset({"server", "serve", "mcp", "stdio", "mcp-server", "mcp_server", "start-server", "--stdio"})
_ASKS = frozenset({"client", "host", "agent", "chat", "inspector"})
_LANGUAGE = (
    *("language-server", "langserver", "language_server", "tsserver", "gopls", "clangd", "pylsp", "pyright"),
    *("rust-analyzer", "jdtls", "ipykernel", "debugpy", "jupyter"),
)
_HTTP_WORDS = frozenset({"http", "sse", "streamable-http", "streamable_http", "streamableHttp"})
_HTTP_OPTIONS = ("--port", "--host", "--sse-port", "--http-port", "--outputtransport", "--bind")
_INSTALLED = ("/site-packages/", "/node_modules/", "/_npx/", "/archive-v0/", "/.bin/")

MARKERS = {
    "CLAUDECODE": "Claude Code",
    "CLAUDE_CODE_ENTRYPOINT": "Claude Code",
    "CURSOR_TRACE_ID": "Cursor",
    "VSCODE_PID": "VS Code",
    "VSCODE_IPC_HOOK": "VS Code",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process is, as far as MCP is concerned."""

    launch: Launch
    points: int = 0
    signs: tuple[Sign, ...] = ()
    entry: Entry | None = None
    label: str = ""
    serves_http: bool = False
    says_stdio: bool = False
    few_variables: bool = False  # started the way the Python SDK starts its servers
    from_npm: bool = False  # npm started it, or what started it, as an MCP server
    started_by: str = ""
    unread: tuple[str, ...] = ()

    @property
    def is_server(self) -> bool:
        return self.points >= ENOUGH


def identify(row: Row, entries: Sequence[Entry] = ()) -> Identity:
    """The evidence of one process of Linux."""
    environ = read_environ(row.pid)
    launch = renamed(row.command)
    if launch is not None and not is_interpreter(row.pid, environ or {}):
        launch = None
    return weigh(row, entries, environ=environ, folder=lambda: folder_of(row.pid), launch=launch)


def identify_packed(row: Row) -> Identity:
    """The same for a program that has its script and its interpreter inside."""
    environ = read_environ(row.pid)
    source = packed_source(row.pid)
    launch = understand(row.command)
    points, sign = _built(source, launch, row, few=environ is not None and _few(environ))
    if sign is None or points < ENOUGH:
        return Identity(launch)
    return Identity(launch, points, (sign,), label=launch.head, says_stdio=source.stdio and not source.http)


def weigh(
    row: Row,
    entries: Sequence[Entry],
    *,
    environ: Mapping[str, str] | None,
    folder: Callable[[], str],
    launch: Launch | None = None,
) -> Identity:
    """The evidence of one process, from what any system tells of it; `folder` is asked only if a path needs it."""
    launch = launch or understand(row.command)
    source = _source(launch, row, environ or {}, folder)
    names = [name for name in launch.names if says_mcp(name)]
    entry = entry_of(launch, entries, folder)
    few = environ is not None and _few(environ)
    weighed = [
        _configured(entry, row),
        _named(names, launch, source, row),
        _lifecycle(environ or {}, launch, source, row),
        _built(source, launch, row, few=few),
    ]
    signs = tuple(
        sign for points, sign in sorted(weighed, key=lambda pair: -pair[0]) if sign is not None and points > 0
    )
    points = max(points for points, _ in weighed)
    if _is_other(launch, points):
        points, signs = 0, ()
    if few and points:
        signs = (*signs, _started_by_sdk(row))
    return Identity(
        launch=launch,
        points=points,
        signs=signs,
        entry=entry,
        label=_label(launch, environ or {}),
        serves_http=_serves_http(row.command, source) or _told_http(environ or {}),
        says_stdio=source.stdio and not source.http,
        few_variables=few,
        from_npm=environ is not None and bool(_npm_name(environ)),
        started_by=next((who for name, who in MARKERS.items() if environ and name in environ), ""),
        unread=() if environ is not None else ("its environment",),
    )


def _configured(entry: Entry | None, row: Row) -> tuple[int, Sign | None]:
    if entry is None:
        return 0, None
    return CONFIGURED, Sign(f"it is the server {entry.name} of {entry.file}", entry.file, _args_command(row.pid))


def _named(names: Sequence[str], launch: Launch, source: Source, row: Row) -> tuple[int, Sign | None]:
    """A name counts for a package or a program; a loose script of that name must show it in its source."""
    if not names:
        return 0, None
    sign = Sign(f"it is named like an MCP server: {names[0]}", f"pid {row.pid}", _args_command(row.pid))
    leaf = launch.leaf
    if source.connects and not (source.serves or source.by_hand):
        return 0, None
    loose = bool(leaf.script) and not leaf.target and not _installed(leaf.script)
    if loose and not (source.serves or source.by_hand):
        return HINT, sign
    if names[0] in ("mcp", "fastmcp") and leaf.arguments[:1] != ("run",):
        return HINT, sign  # the tool of the SDK: `mcp dev`, `mcp install`
    return NAMED, sign


def _installed(script: str) -> bool:
    path = os.path.realpath(script)
    if any(part in script.replace("\\", "/") or part in path for part in _INSTALLED):
        return True
    folder = Path(script).parent
    return folder.name in ("bin", "Scripts") and bool(site_folders(folder.parent))


def _lifecycle(environ: Mapping[str, str], launch: Launch, source: Source, row: Row) -> tuple[int, Sign | None]:
    """What npm says it started; helpers inherit the variable, so the process must be what it names."""
    script, told = environ.get("npm_lifecycle_script", ""), _npm_name(environ)
    if not told or launch.leaf.head not in [base(word.strip("'\"")) for word in script.split()]:
        return 0, None
    if source.readable and source.connects and not (source.serves or source.by_hand):
        return 0, None
    check = f"tr '\\0' '\\n' < /proc/{row.pid}/environ | grep ^npm_"
    return NAMED, Sign(f"npm started it as {told}", f"/proc/{row.pid}/environ", check)


def _npm_name(environ: Mapping[str, str]) -> str:
    """The command of `npx`; the name of a package only says in whose folder npm was called: its tests, its linter."""
    command = next(iter(environ.get("npm_lifecycle_script", "").split()), "").strip("'\"")
    return command if says_mcp(bare(command)) else ""


def _built(source: Source, launch: Launch, row: Row, *, few: bool) -> tuple[int, Sign | None]:
    """Source that builds a server; where it is client and server in one, the arguments or the start must tell."""
    if not (source.serves or source.by_hand):
        return 0, None
    points = BUILDS if source.serves else BY_HAND
    if source.ambiguous:
        words = {word.lower() for word in launch.leaf.arguments[:6]}
        if words & _ASKS or is_client(launch.leaf.head):
            return 0, None
        if not (words & _SERVES or few or says_mcp(launch.leaf.head)):
            points = HINT
    place = source.path if source.path.startswith("/") else f"pid {row.pid}"
    what = "its source builds an MCP server" if source.serves else "its source answers the methods of MCP"
    check = (
        f"grep -nE 'mcp|MCP|Stdio|tools/list' {source.path}" if source.path.startswith("/") else _args_command(row.pid)
    )
    return points, Sign(f"{what} ({source.mentions})", place, check)


def _started_by_sdk(row: Row) -> Sign:
    check = f"tr '\\0' '\\n' < /proc/{row.pid}/environ | cut -d= -f1"
    return Sign("it was started with the few variables that the MCP SDK passes on", f"/proc/{row.pid}/environ", check)


def _few(environ: Mapping[str, str]) -> bool:
    """The Python SDK passes on six variables and what the entry adds; cron has neither TERM nor USER."""
    return "PATH" in environ and "HOME" in environ and len(environ) <= _FEW and len(set(environ) - _FEW_NAMES) <= 8


def _is_other(launch: Launch, points: int) -> bool:
    """Language servers and kernels of notebooks speak over stdio too."""
    text = " ".join(launch.names + launch.arguments[:3]).lower()
    return points < SURE and (any(name in text for name in _LANGUAGE) or "--lsp" in launch.arguments)


def _serves_http(command: Sequence[str], source: Source) -> bool:
    """Whether the command line or the source says HTTP: then stdin was never its channel."""
    words = [word.lower() for word in command[1:]]
    if "stdio" in words or any(word.endswith("=stdio") for word in words):
        return False
    for word, following in zip(words, [*words[1:], ""], strict=False):
        option, _, value = word.partition("=")
        if option in ("--transport", "-t", "--outputtransport") and (value or following) in _HTTP_WORDS:
            return True
    if any(word.startswith(_HTTP_OPTIONS) for word in words) or set(words) & {
        "streamablehttp",
        "sse",
        "--http",
        "--sse",
    }:
        return True
    return source.http and not source.stdio


def _told_http(environ: Mapping[str, str]) -> bool:
    """Whether a variable chooses the transport: `MCP_TRANSPORT=http`, `FASTMCP_TRANSPORT=sse`, `TRANSPORT_TYPE=...`."""
    return any(
        value.lower() in _HTTP_WORDS for name, value in environ.items() if "TRANSPORT" in name or name.endswith("_MODE")
    )


def _args_command(pid: int) -> str:
    return f"ps -o pid,ppid,lstart,args -p {pid}"


def _label(launch: Launch, environ: Mapping[str, str]) -> str:
    package = environ.get("npm_package_name", "")
    return package if launch.head in ("index", "main", "server") and says_mcp(package) else launch.head


def _source(launch: Launch, row: Row, environ: Mapping[str, str], folder: Callable[[], str]) -> Source:
    """The script or module behind an interpreter, as the process itself would find it."""
    leaf = launch if launch.inner is None else launch.leaf
    if leaf.code and leaf.program in ("python", "node", "bun", "deno"):
        at = folder()
        sites = sites_of(row.command, environ, at) if leaf.program == "python" else ()
        return read_code(leaf.code, leaf.program, at, row.owner, sites)
    if launch.wraps or not (leaf.script or leaf.module):
        return Source()
    path = leaf.target if leaf.target and base(leaf.script) in ("mcp", "fastmcp") else leaf.script
    at = folder()
    sites = sites_of(row.command, environ, at) if leaf.program == "python" else ()
    if leaf.module:
        return _module(leaf.module, row, environ, at, sites)
    path = path.partition(":")[0] if path.endswith(":mcp") or ".py:" in path else path
    started_in = environ.get("PWD", "")  # where it was before it changed its folder
    for home in dict.fromkeys(("",) if Path(path).is_absolute() else (at, started_in)):
        whole = f"{home}/{path}" if home else path
        found = read_source(whole, row.owner, sites)
        found = found if found.readable or Path(whole).suffix else _with_suffix(whole, row.owner)
        if found.readable:
            return found
    return Source(path)


def _with_suffix(path: str, owner: int | None) -> Source:
    """`node dist` and `node dist/index` leave out what node fills in."""
    for ending in (".js", "/index.js", ".mjs"):
        found = read_source(path + ending, owner)
        if found.readable:
            return found
    return Source(path)


def _module(module: str, row: Row, environ: Mapping[str, str], at: str, sites: tuple[str, ...]) -> Source:
    """`-m package.module` in the working directory, PYTHONPATH, or the environment of the interpreter."""
    near = dict.fromkeys([at, environ.get("PWD", ""), *environ.get("PYTHONPATH", "").split(":")])
    for folder in (*near, *(home for site in sites for home in homes_of(site))):
        path = main_of(folder, module) if folder else None
        if path is not None:
            return read_source(path, row.owner, sites)
    return Source()
