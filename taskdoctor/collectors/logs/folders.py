"""The logs inside a folder, by name; bounded, because people name their home directory too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from taskdoctor.collectors.logs.rotation import is_log_name

FILES_MAX = 10_000
DEPTH_MAX = 8
ENTRIES_MAX = 200_000
# Dependencies bring thousands of .txt and .json; what begins with a dot is not meant either.
SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__"})


def find_logs(folder: Path, *, warn: Callable[[str], None]) -> list[Path]:
    """By path. Each folder is entered once, so links that lead in circles end."""
    found: list[Path] = []
    entered: set[tuple[int, int]] = set()
    waiting = [(folder, 0)]
    entries = 0
    while waiting:
        here, depth = waiting.pop()
        names, folders = _look(here, entered, warn)
        found += (here / name for name in names if is_log_name(name))
        entries += len(names) + len(folders)
        if len(found) > FILES_MAX or entries > ENTRIES_MAX:
            warn(f"{folder}: holds too much to look at all of it; {min(len(found), FILES_MAX)} logs were taken")
            break
        if depth < DEPTH_MAX:
            waiting += ((here / name, depth + 1) for name in reversed(folders))
    return sorted(found)[:FILES_MAX]


def _look(folder: Path, entered: set[tuple[int, int]], warn: Callable[[str], None]) -> tuple[list[str], list[str]]:
    """Names of the files and of the folders to enter, sorted. A folder that was seen before, or is closed, has none."""
    try:
        status = folder.stat()
        if (identity := (status.st_dev, status.st_ino)) in entered:
            return [], []
        entered.add(identity)
        with os.scandir(folder) as entries:
            visible = sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        warn(f"{folder}: {(error.strerror or str(error)).lower()}")
        return [], []
    folders = [entry.name for entry in visible if _is_folder(entry) and entry.name not in SKIPPED]
    return [entry.name for entry in visible if _is_file(entry)], folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle of its own
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
