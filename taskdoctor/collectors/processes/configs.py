"""The servers that MCP clients are configured with: what should run, and which entry a process is.

Only names, commands and arguments are kept; `env` of an entry is never read into anything that is shown.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskdoctor.collectors.processes.launches import (
    PACKAGE_RUNNERS,
    PREFIXES,
    RUNTIMES,
    SHELLS,
    Launch,
    same_program,
    says_mcp,
    understand,
)
from taskdoctor.errors import UnreadableError

MOST_BYTES = 8 * 1024 * 1024
MOST_ENTRIES = 2_000
DEPTH = 6
KEYS = ("mcpServers", "mcp_servers", "servers", "context_servers")

_HOME = (
    ".claude.json",
    ".mcp.json",
    ".cursor/mcp.json",
    ".codeium/windsurf/mcp_config.json",
    ".gemini/settings.json",
    ".codex/config.toml",
    ".config/Claude/claude_desktop_config.json",
    "Library/Application Support/Claude/claude_desktop_config.json",
    "AppData/Roaming/Claude/claude_desktop_config.json",
    ".config/Code/User/mcp.json",
    "Library/Application Support/Code/User/mcp.json",
    "AppData/Roaming/Code/User/mcp.json",
    ".config/zed/settings.json",
    ".continue/config.json",
)
_PROJECT = (".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", "mcp.json", "mcp_servers.json")


@dataclass(frozen=True, slots=True)
class Entry:
    """One configured server."""

    name: str
    file: str
    launch: Launch
    folders: tuple[str, ...] = ()  # where what it says without a whole path can lie

    def __str__(self) -> str:
        return f"{self.name} in {self.file}"


def find_entries(folders: Iterable[str], named: Sequence[Path] = (), *, home: Path | None = None) -> list[Entry]:
    """Entries of the usual files of the user and of these project folders, and of the files that were named.

    Raises UnreadableError for a named file that holds none; what was only guessed may be missing or broken.
    """
    entries: list[Entry] = []
    for path in named:
        found = list(_entries(path))
        if not found:
            raise UnreadableError(f"{path}: no MCP servers in it", hint='It should hold "mcpServers" or "mcp_servers".')
        entries += found
    at_home = home if home is not None else Path.home()
    guessed = [at_home / name for name in _HOME]
    guessed += [Path(folder) / name for folder in dict.fromkeys(folders) if folder for name in _PROJECT]
    seen = {_real(path) for path in named}
    for path in guessed:
        if _real(path) not in seen:
            seen.add(_real(path))
            entries += _entries(path)
    return entries[:MOST_ENTRIES]


def entry_of(launch: Launch, entries: Sequence[Entry], folder: Callable[[], str]) -> Entry | None:
    """The entry that a command line was started from; `folder` is asked where the same words mean something else."""
    if not launch.program:
        return None
    same = (entry for entry in entries if same_program(launch, entry.launch))
    return next((entry for entry in same if _says_all(entry.launch) or folder() in entry.folders), None)


def _says_all(launch: Launch) -> bool:
    """Whether a command line means the same program wherever it is started; `python server.py` and `npm start` do not.

    A module is found in the working folder first, so only one whose name says MCP is taken by its name.
    """
    leaf = launch.leaf
    if leaf.target:
        return not leaf.target.startswith(".")
    if leaf.script:
        return leaf.script.startswith("/") or bool(re.match(r"[A-Za-z]:[\\/]", leaf.script))
    if leaf.module:
        return says_mcp(leaf.module.partition(".")[0])
    return bool(leaf.program) and leaf.program not in RUNTIMES | PACKAGE_RUNNERS | SHELLS | PREFIXES


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _entries(path: Path) -> Iterator[Entry]:
    record = _load(path)
    if record is None:
        return
    shown = str(path).replace(str(Path.home()), "~", 1)
    for name, entry in _named(record, DEPTH):
        inner = entry.get("command")
        told = inner if isinstance(inner, dict) else entry  # Zed nests it
        command, arguments = told.get("path") if told is inner else inner, told.get("args", [])
        if not isinstance(command, str) or not command or not isinstance(arguments, list):
            continue
        words = [command, *(word for word in arguments if isinstance(word, str))]
        yield Entry(name, shown, understand(words), _folders_of(path, entry, words))


def _folders_of(path: Path, entry: Mapping[str, object], words: Sequence[str]) -> tuple[str, ...]:
    """What a client may take for the working folder: told in the entry or to uv, else the project's."""
    told = entry.get("cwd")
    option = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("--directory", "--cwd")), None)
    home = path.parent.parent if path.parent.name in (".cursor", ".vscode", ".claude") else path.parent
    folders = [each for each in (told, option) if isinstance(each, str)] or [str(home)]
    return tuple(_real(Path(home, each)) for each in folders)


def _load(path: Path) -> object:
    try:
        if path.stat().st_size > MOST_BYTES or not path.is_file():
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
        return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None


def _named(record: object, depth: int) -> Iterator[tuple[str, Mapping[str, object]]]:
    """(name, entry) below any of the known keys, as deep as projects inside one file go."""
    if not isinstance(record, dict) or depth == 0:
        return
    for key, value in record.items():
        if key in KEYS and isinstance(value, dict):
            yield from ((name, entry) for name, entry in value.items() if isinstance(entry, dict))
        elif isinstance(value, dict):
            yield from _named(value, depth - 1)
