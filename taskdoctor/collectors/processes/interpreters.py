"""Which interpreter a process is, whatever it is called, where that finds its packages, and what is packed into it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from taskdoctor.collectors.processes.imports import site_folders
from taskdoctor.collectors.processes.launches import RUNTIMES, program_name
from taskdoctor.collectors.processes.sources import MOST_BUNDLE_BYTES, Source, judge_bundle

BIG_BYTES = 20_000_000  # a program with a whole interpreter inside
MOST_ENVIRONMENTS = 5
_NODE = b"_ZN4node"  # names of its namespace, in every build of it
_MAPS_BYTES = 1 << 20

_Binary = tuple[int, int, int, int]
_are_node: dict[_Binary, bool] = {}  # by what the binary is, not by its path: a thousand copies are read once
_packed: dict[_Binary, Source] = {}


def is_interpreter(pid: int, environ: Mapping[str, str]) -> bool:
    """Whether it runs scripts: by the name of its binary, by what it has loaded, or by what is inside."""
    if environ.get("ELECTRON_RUN_AS_NODE"):
        return True
    try:
        binary = os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115
    except OSError:
        return False
    return program_name(binary.removesuffix(" (deleted)")) in RUNTIMES or _is_python(pid) or _is_node(pid)


def _is_python(pid: int) -> bool:
    try:
        with Path(f"/proc/{pid}/maps").open("rb") as stream:
            maps = stream.read(_MAPS_BYTES)
    except OSError:
        return False
    return b"/lib-dynload/" in maps or b"/libpython3" in maps


def _is_node(pid: int) -> bool:
    binary = _binary(pid)
    if binary is None or binary[2] < BIG_BYTES:
        return False
    if binary not in _are_node:
        try:
            with (
                Path(f"/proc/{pid}/exe").open("rb") as stream,
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as inside,
            ):
                _are_node[binary] = inside.find(_NODE) >= 0
        except (OSError, ValueError):
            return False
    return _are_node[binary]


def packed_source(pid: int) -> Source:
    """Of a program with its interpreter inside (`bun build --compile` and the like): the script stands at its end."""
    binary = _binary(pid)
    if binary is None or binary[2] < BIG_BYTES:
        return Source()
    if binary not in _packed:
        try:
            with Path(f"/proc/{pid}/exe").open("rb") as stream:
                stream.seek(max(0, binary[2] - MOST_BUNDLE_BYTES))
                _packed[binary] = judge_bundle(stream.read(MOST_BUNDLE_BYTES), f"/proc/{pid}/exe")
        except OSError:
            return Source()
    return _packed[binary]


def _binary(pid: int) -> _Binary | None:
    try:
        seen = os.stat(f"/proc/{pid}/exe")  # noqa: PTH116
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


def sites_of(command: Sequence[str], environ: Mapping[str, str], folder: str) -> tuple[str, ...]:
    """Where a Python finds its packages: its environment, what that was made from, the user's own."""
    found: dict[str, None] = {}
    for environment in _environments(command[0] if command else "", environ, folder)[:MOST_ENVIRONMENTS]:
        for site in site_folders(environment):
            found.setdefault(str(site))
    return tuple(found)


def _environments(word: str, environ: Mapping[str, str], folder: str) -> list[Path]:
    found = []
    if "/" in word:
        found.append(Path(folder, word))
    elif word:
        listed = (Path(each, word) for each in environ.get("PATH", "").split(":") if each)
        found += [path for path in listed if os.access(path, os.X_OK)][:1]
    if environ.get("VIRTUAL_ENV"):
        found.append(Path(environ["VIRTUAL_ENV"], "bin", "python"))
    homes = [path.parent.parent for path in found]
    homes += [Path(os.path.realpath(path)).parent.parent for path in found]
    homes += [Path("/usr/local"), *([Path(environ["HOME"], ".local")] if environ.get("HOME") else [])]
    return list(dict.fromkeys(homes))
