"""What a Python script shows of itself: whether it builds an MCP server, and whether what it starts with runs one.

Why both: a worker, a test or a generator of documentation imports modules in which a server is built, and runs none.
Building counts in the script itself; of what lies beside it only what the script can reach counts.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_BUILDERS = frozenset({"FastMCP", "MCPServer", "McpServer"})
_SERVER_CALLS = _BUILDERS | {"stdio_server", "StdioServerTransport"}
_CLIENT_CALLS = frozenset({"stdio_client", "ClientSession", "StdioServerParameters", "MultiServerMCPClient"})
_CLIENT_CALLS |= {"ClientSessionGroup", "MCPServerStdio"}
_HTTP_NAMES = frozenset({"sse", "http", "streamable-http", "streamable_http"})
_HTTP_CALLS = frozenset({"sse_app", "streamable_http_app", "http_app", "SseServerTransport"})
_HTTP_CALLS |= {"StreamableHTTPSessionManager", "run_sse_async", "run_streamable_http_async"}
_OVER_STDIO = frozenset({"stdio_server", "run_stdio_async"})
_RUNS = frozenset({"run", "run_async", "run_stdio_async"})
_SPAWNS = frozenset({"Popen", "create_subprocess_exec", "create_subprocess_shell"})
_METHODS = frozenset({"tools/list", "initialize", "serverInfo", "clientInfo"})
_WRITTEN = ("jsonrpc", "serverInfo", "protocolVersion")  # keys of what only an answer or a request is made of
_MEMORY = "mcp.shared.memory"  # client and server in one process: a test


@dataclass(frozen=True, slots=True)
class Body:
    """What one function, class or the module itself refers to."""

    names: frozenset[str] = frozenset()  # `name` and `module.name`
    started: frozenset[str] = frozenset()  # what `run` is asked of: `name`, `.attribute`, `function()`; "": a transport


@dataclass(frozen=True, slots=True)
class Imported:
    """Where a name comes from; without `name` it is the module itself."""

    dots: int
    module: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """One file, read."""

    serves: str = ""  # the first sign that it builds a server
    by_hand: bool = False  # answers the methods of the protocol itself
    connects: bool = False
    stdio: bool = False
    http: bool = False
    top: Body = Body()
    guarded: Body = Body()  # what is run only if it is the script
    bodies: Mapping[str, Body] = field(default_factory=dict)
    registered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by decorator: `app` of `@app.command()`
    imported: Mapping[str, Imported] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)  # variables, and what was called to make them
    builders: frozenset[str] = frozenset()  # names here that build a server: classes, and functions that call those


def read_python(text: str, *, cut: bool = False) -> Script | None:
    """The signs in one text, None where it is no Python; `cut`: its end is missing."""
    tree = _parsed(text)
    if tree is None and cut:
        tree = _parsed(text[: max(text.rfind("\ndef ", 0, len(text) - 1), 0)])
    return _Reading(tree).of() if tree is not None else None


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Reading:
    """One parsed script."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._imported = dict(_imports(tree))
        self._serves = ""
        self._connects = self._http = self._stdio = self._spawns = self._reads = self._writes = False
        self._wire: set[str] = set()
        self._made: dict[str, str] = {}

    def of(self) -> Script:
        self._sign_of_imports()
        nodes = list(ast.walk(self._tree))
        for node in nodes:
            self._assigned(node)
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            self._seen(node, docstrings)
        by_hand = not self._serves and self._reads and self._writes and answers(self._wire)
        bodies, registered = self._bodies()
        guarded = [node for node in self._tree.body if _is_guard(node)]
        rest = [node for node in self._tree.body if not _is_guard(node) and not _is_definition(node)]
        return Script(
            serves=self._serves,
            by_hand=by_hand,
            connects=self._connects or (by_hand and (self._spawns or "clientInfo" in self._wire)),
            stdio=self._stdio or by_hand,
            http=self._http,
            top=_body(rest),
            guarded=_body(guarded),
            bodies=bodies,
            registered=registered,
            imported=self._imported,
            made=self._made,
            builders=self._builders(bodies),
        )

    def _sign_of_imports(self) -> None:
        for one in self._imported.values():
            module = one.module
            if module == "mcp" or module.startswith("mcp."):
                client = module.startswith(("mcp.client", _MEMORY)) or one.name in _CLIENT_CALLS
                self._connects = self._connects or client
                if module.startswith("mcp.server") or (module == "mcp" and one.name == "server"):
                    self._serves = self._serves or f"from {module}"
            if module.partition(".")[0] == "fastmcp":
                self._connects = self._connects or one.name == "Client"
                if one.name in _BUILDERS:
                    self._serves = self._serves or f"from {module}"
            self._stdio = self._stdio or module == "mcp.server.stdio"
            self._http = self._http or module in ("mcp.server.sse", "mcp.server.streamable_http")

    def _seen(self, node: ast.AST, docstrings: set[int]) -> None:
        match node:
            case ast.Call():
                self._called(node)
            case ast.Attribute(attr="stdin"):
                self._reads = True
            case ast.Dict(keys=keys):
                self._writes = self._writes or any(isinstance(k, ast.Constant) and k.value in _WRITTEN for k in keys)
            case ast.Constant(value=str(value)) if id(node) not in docstrings:
                self._wire |= {value} & _METHODS
                self._writes = self._writes or any(f'"{word}"' in value for word in _WRITTEN)
            case ast.keyword(arg=str(name)) if name in _WRITTEN:
                self._writes = True

    def _called(self, call: ast.Call) -> None:
        name = self._original(call.func)
        if name in _SERVER_CALLS:
            self._serves = self._serves or f"{name}("
        self._connects = self._connects or name in _CLIENT_CALLS
        self._reads = self._reads or name == "input"
        self._spawns = self._spawns or name in _SPAWNS
        self._http = self._http or name in _HTTP_CALLS
        self._stdio = self._stdio or name in _OVER_STDIO
        if name in ("run", "run_async"):
            self._runs(call)

    def _runs(self, call: ast.Call) -> None:
        """Without a word a server runs over stdio; with one that is not written out, it may run over anything."""
        words = [keyword.value for keyword in call.keywords if keyword.arg == "transport"] + call.args[:1]
        told = [word.value for word in words if isinstance(word, ast.Constant)]
        self._http = self._http or any(word in _HTTP_NAMES for word in told)
        plain = not (call.args or call.keywords) and self._is_server(call.func)
        self._stdio = self._stdio or "stdio" in told or plain

    def _is_server(self, function: ast.expr) -> bool:
        """Whether `run` is asked of a server: one that was made here, or that came from elsewhere."""
        if not isinstance(function, ast.Attribute):
            return False
        receiver = _receiver(function.value)
        return self._made.get(receiver, receiver.removesuffix("()")) in self._local_builders() or (
            receiver in self._imported and bool(self._imported[receiver].name)
        )

    def _original(self, function: ast.expr) -> str:
        """The name of what is called, as it is called where it comes from."""
        name = _name_of(function)
        one = self._imported.get(name)
        return one.name if one is not None and one.name and isinstance(function, ast.Name) else name

    def _local_builders(self) -> frozenset[str]:
        """The classes of servers, by the names that they have here."""
        renamed = {local for local, one in self._imported.items() if one.name in _BUILDERS or _is_low_level(one)}
        return _BUILDERS | renamed

    def _builders(self, bodies: Mapping[str, Body]) -> frozenset[str]:
        classes = self._local_builders()
        return classes | {name for name, body in bodies.items() if body.names & classes}

    def _assigned(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=ast.Call(func=function)):
                self._made |= {_receiver(target): _name_of(function) for target in targets}
            case ast.AnnAssign(target=target, value=ast.Call(func=function)):
                self._made[_receiver(target)] = _name_of(function)

    def _bodies(self) -> tuple[dict[str, Body], dict[str, tuple[str, ...]]]:
        bodies: dict[str, Body] = {}
        registered: dict[str, list[str]] = {}
        for node in self._tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            bodies[node.name] = _body([node])
            for decorator in node.decorator_list:
                for inner in ast.walk(decorator):
                    if isinstance(inner, ast.Name):
                        registered.setdefault(inner.id, []).append(node.name)
        return bodies, {name: tuple(functions) for name, functions in registered.items()}


def answers(wire: set[str]) -> bool:
    """A hand-written server names the methods that it answers; only the client sends `clientInfo`."""
    if "clientInfo" in wire and "serverInfo" not in wire:
        return False
    return "tools/list" in wire and ("initialize" in wire or "serverInfo" in wire)


def _is_low_level(one: Imported) -> bool:
    return one.name == "Server" and one.module.startswith("mcp.server")


def _imports(tree: ast.Module) -> Iterator[tuple[str, Imported]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for name in names:
                    yield name.asname or name.name, Imported(0, name.name)
            case ast.ImportFrom(module=module, names=names, level=level):
                for name in names:
                    yield name.asname or name.name, Imported(level, module or "", name.name)


def _is_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(node.test)
    )


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _body(nodes: Sequence[ast.stmt]) -> Body:
    names: set[str] = set()
    started: set[str] = set()
    for node in (each for top in nodes for each in ast.walk(top)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                names.add(name)
            case ast.Attribute(value=value, attr=attribute):
                if isinstance(value, ast.Name):
                    names.add(f"{value.id}.{attribute}")
                if attribute in _RUNS:
                    started.add(_receiver(value))
            case ast.Call(func=function) if _name_of(function) in _OVER_STDIO:
                started.add("")
    return Body(frozenset(names), frozenset(started))


def _receiver(node: ast.expr) -> str:
    """`server`, `.server` of an attribute, `make()` of a call; "?" for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return f".{name}"
        case ast.Call(func=function):
            return f"{_name_of(function)}()"
        case _:
            return "?"


def _name_of(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case _:
            return ""
