"""What a command line starts: the program, the script or module behind an interpreter, the target behind a wrapper.

Why only heads and base names count: `mcp` in the name of a folder, of a working directory or of some later argument
says nothing about the process; unanchored patterns over whole command lines are how healthy processes got killed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox"})
PREFIXES = frozenset(
    {"cmd", "env", "nice", "ionice", "timeout", "stdbuf", "nohup", "setsid", "xvfb-run", "tini", "dumb-init"}
)
RUNTIMES = frozenset({"python", "node", "bun", "deno", "ruby", "php", "java", "dotnet", "tsx", "ts-node"})
PACKAGE_RUNNERS = frozenset({"npx", "npm", "pnpm", "pnpx", "yarn", "bunx", "uv", "uvx", "pipx"})
CONTAINERS = frozenset({"docker", "podman", "nerdctl"})
MOST_WORDS = 256

_VERSION = re.compile(r"(?<=.)@(?:[\d^~*][\w.^~*-]*|latest|next)$|(?:==|>=|~=)[\w.*]+$")
_EXTRAS = re.compile(r"\[[\w,-]*\]")
_SUFFIX = re.compile(r"\.(?:exe|cmd|bat|ps1|[cm]?[jt]sx?|pyw?)$", re.I)
_SCRIPT = re.compile(r"\.(?:[cm]?[jt]s|py)$")
_NPM_CLI = re.compile(r"(?:^|[\\/])(?P<runner>npx|npm|pnpm|pnpx|yarn)(?:-cli)?(?:\.[cm]?js)?$")

# A name that says MCP as a word of its own, and those which say that it is the other side.
_MCP = re.compile(r"(?:^|[-_/@.])mcp(?:[-_.]|$)|(?:^|[-_/@.])mcp-?servers?(?:[-_.]|$)|^fastmcp(?:$|[-_.])", re.I)
_OTHER_SIDE = re.compile(
    r"client|inspector|(?<![a-z])hosts?(?![a-z])|agent|(?<![a-z])cli(?![a-z])|chat|(?<![a-z])tests?(?![a-z])|bench|"
    r"report|(?<![a-z])logs?(?![a-z])|(?<![a-z])(?:scan|lint|install|publish|valid|eval|monitor|watch|migrat|deploy|"
    r"backup|sync|docs?(?![a-z])|generat|creat|updat|dashboard|benchmark|debugg|record|replay|tail(?![a-z]))",
    re.I,
)
_SCOPE = re.compile(r"^@modelcontextprotocol/server-")

# Options of interpreters that take a value of their own.
_VALUED = {
    "python": frozenset({"-X", "-W", "--check-hash-based-pycs"}),
    "deno": frozenset({"-c", "--config", "--import-map", "--lock", "--cert", "--location", "--env-file", "--preload"}),
    "bun": frozenset({"-r", "--preload", "--require", "--import", "--cwd", "--env-file", "-c", "--config", "--define"}),
    "node": frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader", "--env-file", "--title"})
    | {"--conditions", "-C", "--inspect-port", "--stack-trace-limit", "--max-old-space-size"},
}
_UV_VALUED = frozenset(
    {"--with", "--from", "--python", "-p", "--directory", "--project", "--with-requirements", "--with-editable"}
    | {"--extra", "--group", "--index", "--index-url", "--env-file", "--cache-dir", "--refresh-package", "-w", "-i"}
)
_NPX_VALUED = frozenset({"-p", "--package", "--registry", "--cache", "--prefix", "--userconfig", "-w", "--workspace"})


@dataclass(frozen=True, slots=True)
class Launch:
    """One command line, understood."""

    program: str  # base name without version and suffix: "python", "node", "npx", "mcp-server-go"
    script: str = ""
    module: str = ""
    code: str = ""  # of -c and -e
    target: str = ""  # what a wrapper starts
    arguments: tuple[str, ...] = ()  # behind the script, module, target or program
    inner: Launch | None = None  # what a shell line or a prefix starts

    @property
    def wraps(self) -> bool:
        """Whether it only starts something else and waits for it."""
        return self.program in PACKAGE_RUNNERS | SHELLS | PREFIXES

    @property
    def leaf(self) -> Launch:
        return self if self.inner is None else self.inner.leaf

    @property
    def head(self) -> str:
        """The name that stands for it: script, module, target or program, without folder, version and suffix."""
        launch = self.leaf
        name = launch.target or launch.module or launch.script or launch.program
        if launch.target.startswith("@"):
            return bare(launch.target)
        return base(name) if not launch.module else name

    @property
    def names(self) -> tuple[str, ...]:
        """Everything about it that may say MCP."""
        launch = self.leaf
        script = base(launch.script) if launch.script else ""
        found = (launch.program, script, launch.module.partition(".")[0], bare(launch.target))
        return tuple(name for name in found if name)


def understand(command: Sequence[str]) -> Launch:
    """What a command line starts; an empty one starts nothing."""
    words = list(command[:MOST_WORDS])
    while words and not words[0]:
        words.pop(0)
    if not words:
        return Launch("")
    program = program_name(words[0])
    rest = words[1:]
    if program in RUNTIMES:
        return _interpreted(program, rest)
    if program in PACKAGE_RUNNERS:
        return _run_package(program, rest)
    if program in SHELLS:
        return _shell(program, rest)
    if program in PREFIXES:
        return _prefixed(program, rest)
    if program in CONTAINERS:
        return Launch(program, target=_image(rest), arguments=tuple(rest))
    return Launch(program, arguments=tuple(rest))


def renamed(command: Sequence[str]) -> Launch | None:
    """The same for an interpreter by another name: a copy, Electron. An editor of scripts looks alike: ask before."""
    words = list(command[:MOST_WORDS])
    at = next((at for at, word in enumerate(words) if at and not word.startswith("-")), None)
    if at is None or not _SCRIPT.search(words[at]) or understand(words).script or understand(words).inner is not None:
        return None
    return Launch(program_name(words[0]), script=words[at], arguments=tuple(words[at + 1 :]))


def program_name(path: str) -> str:
    """`/usr/bin/python3.11` -> `python`, `-bash` -> `bash`, `C:\\nodejs\\node.exe` -> `node`."""
    name = base(path.lstrip("-"))
    if re.fullmatch(r"python[\d.]*w?t?", name):
        return "python"
    return {"nodejs": "node", "uvw": "uv", "pythonw": "python"}.get(name, name)


def base(path: str) -> str:
    """The last part of a path without its suffix."""
    flavour = PureWindowsPath if "\\" in path else PurePosixPath
    return _SUFFIX.sub("", flavour(path).name or path)


def bare(package: str) -> str:
    """A package without its version and extras: `@scope/name@1.2` -> `@scope/name`."""
    return _VERSION.sub("", _EXTRAS.sub("", package))


def says_mcp(name: str) -> bool:
    """Whether a name is that of an MCP server, not of a client, an inspector or a script about them."""
    if _SCOPE.match(name):
        return True
    last = name.rpartition("/")[2]
    told = bool(_MCP.search(last)) or (name.startswith("@") and bool(_MCP.search(name)))
    if not told:
        return False
    return "server" in last.lower() or not _OTHER_SIDE.search(last)


def is_client(name: str) -> bool:
    return bool(_OTHER_SIDE.search(name)) and "server" not in name.lower()


def _interpreted(program: str, words: Sequence[str]) -> Launch:
    valued = _VALUED.get(program, frozenset())
    rest = list(words)
    if program in ("bun", "deno") and rest and rest[0] in ("run", "x"):
        if rest[0] == "x":
            return _run_package("bunx", rest[1:])
        rest.pop(0)
    while rest:
        word = rest.pop(0)
        if word == "-m" and program == "python":
            return Launch(program, module=rest[0] if rest else "", arguments=tuple(rest[1:]))
        if word in ("-c", "-e", "--eval", "-p", "--print") and (program == "python") == (word == "-c"):
            return Launch(program, code=rest[0] if rest else "", arguments=tuple(rest[1:]))
        if word == "-":
            return Launch(program, arguments=tuple(rest))
        if word.startswith("-"):
            if word in valued and rest:
                rest.pop(0)
            continue
        if program == "java":
            continue
        return _script(program, word, rest)
    return Launch(program)


def _script(program: str, script: str, rest: Sequence[str]) -> Launch:
    """A script that is itself a runner (`node …/npx-cli.js -y X`, `python …/bin/uvx X`) is that runner."""
    if script.startswith(("npm:", "jsr:")):  # a package, as Deno writes it
        return Launch(program, target=bare(script[4:].lstrip("/")), arguments=tuple(rest))
    runner = _NPM_CLI.search(script)
    if program == "node" and runner is not None:
        return _run_package(runner["runner"], rest)
    if program == "python" and base(script) in PACKAGE_RUNNERS:
        return _run_package(base(script), rest)
    if base(script) in ("fastmcp", "mcp") and rest[:1] == ["run"]:
        return Launch(program, script=script, target=next((w for w in rest[1:] if not w.startswith("-")), ""),
                      arguments=tuple(rest))  # fmt: skip
    return Launch(program, script=script, arguments=tuple(rest))


def _run_package(program: str, words: Sequence[str]) -> Launch:
    """The target of npx, uvx and the like; `uv run python server.py` starts something that is understood in turn."""
    rest = list(words)
    if program in ("npm", "pnpm", "yarn") and rest:
        verb = rest.pop(0)
        if verb not in ("exec", "x", "dlx"):
            return Launch(program, arguments=(verb, *rest))
    if program == "pipx" and rest[:1] == ["run"]:
        rest.pop(0)
    if program == "uv":
        rest = _skip_options(rest, _UV_VALUED)
        if rest[:2] == ["tool", "run"] or rest[:2] == ["tool", "uvx"]:
            rest = rest[2:]
        elif rest[:1] == ["run"]:
            rest = _skip_options(rest[1:], _UV_VALUED)
            inner = understand(rest[1:] if rest[:1] == ["--"] else rest)
            if inner.program.endswith(".py") or (rest and rest[0].endswith(".py")):
                inner = Launch("python", script=rest[0], arguments=tuple(rest[1:]))
            return Launch(program, inner=inner)
        else:
            return Launch(program, arguments=tuple(rest))
    valued = _UV_VALUED if program in ("uv", "uvx", "pipx") else _NPX_VALUED
    rest = _skip_options(rest, valued)
    if rest[:1] == ["--"]:
        rest = rest[1:]
    return Launch(program, target=bare(rest[0]) if rest else "", arguments=tuple(rest[1:]))


def _skip_options(words: list[str], valued: frozenset[str]) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        if word in valued and rest:
            rest.pop(0)
    return rest


def _shell(program: str, words: Sequence[str]) -> Launch:
    """`sh -c 'exec node x.js'`: the first command of the line; what a script (`bash start.sh`) does is not followed."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if not option.startswith("--") and option.endswith("c") and rest:
            line = re.split(r"[;&|\n]", rest[0], maxsplit=1)[0]
            parts = [part.strip("'\"") for part in line.split()]
            while parts and (parts[0] in ("exec", "command") or re.match(r"\w+=", parts[0])):
                parts.pop(0)
            return Launch(program, code=rest[0], inner=understand(parts) if parts else None)
    return Launch(program, script=rest[0] if rest else "", arguments=tuple(rest[1:]))


def _prefixed(program: str, words: Sequence[str]) -> Launch:
    rest = list(words)
    while rest and (rest[0].startswith(("-", "/c", "/C", "/d", "/s")) or "=" in rest[0] or rest[0][:1].isdigit()):
        rest.pop(0)
    inner = understand(rest) if rest else None
    return Launch(program, inner=inner)


def _image(words: Sequence[str]) -> str:
    """The image of `docker run -i --rm IMAGE`: the first word that is neither an option nor the value of one."""
    rest = list(words)
    if rest[:1] != ["run"]:
        return ""
    rest.pop(0)
    plain = frozenset({"-i", "-t", "-it", "-d", "--rm", "--init", "--interactive", "--tty", "--privileged", "--detach"})
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            return word.partition(":")[0]
        if word not in plain and "=" not in word and rest:
            rest.pop(0)
    return ""


_SECRET_OPTION = re.compile(
    r"^(?P<name>-{1,2}[\w-]*(?:token|secret|password|passwd|api-?key|apikey|auth|credential|bearer|header)[\w-]*)"
    r"(?P<value>=.*)?$",
    re.I,
)
_SECRET_PAIR = re.compile(
    r"(?i)\b([\w-]*(?:token|secret|password|passwd|api[-_]?key|credential)[\w-]*[=:])[^\s&;,'\"]{4,}"
)
_SECRET_VALUE = re.compile(
    r"\b(?:sk-[\w-]{8,}|gh[pousr]_\w{16,}|xox[abprs]-[\w-]{10,}|AKIA\w{12,}|eyJ[\w-]{20,}[\w.-]*|glpat-[\w-]{10,})"
)
_URL_LOGIN = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")


def shown(command: Sequence[str]) -> str:
    """The command line for people, with what looks like a secret taken out."""
    words: list[str] = []
    hide = False
    for word in command[:MOST_WORDS]:
        option = _SECRET_OPTION.match(word)
        if hide and not word.startswith("-"):
            words.append("***")
            hide = False
            continue
        hide = option is not None and option["value"] is None
        if option is not None and option["value"] is not None:
            words.append(f"{option['name']}=***")
            continue
        word = _SECRET_PAIR.sub(r"\1***", word)
        words.append(_URL_LOGIN.sub("***", _SECRET_VALUE.sub("***", word)))
    return " ".join(words).strip()


def same_program(first: Launch, second: Launch) -> bool:
    """Whether two command lines start the same server: the same target or script with the same arguments."""
    one, other = first.leaf, second.leaf
    if one.arguments != other.arguments:
        return False
    heads = {_comparable(one), _comparable(other)}
    if len(heads) == 1:
        return True
    short, long = sorted(heads, key=len)
    return bool(short) and long.endswith(f"-{short}") and short.startswith("server-")


def _comparable(launch: Launch) -> str:
    if launch.target:
        return bare(launch.target).rpartition("/")[2]
    if launch.script and "/.bin/" not in launch.script and "/bin/" not in launch.script:
        return launch.script
    return base(launch.script) if launch.script else launch.module.replace("_", "-") or launch.program
