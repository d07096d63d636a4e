"""What the user named, as inputs in reading order: files, folders, globs, `-`, rotated sets oldest first."""

from __future__ import annotations

import difflib
import glob
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from io import FileIO
from itertools import islice
from pathlib import Path

from taskdoctor.collectors.logs.folders import find_logs
from taskdoctor.collectors.logs.heads import Compression, compression_of, is_text, read_head
from taskdoctor.collectors.logs.rotation import Rank, packed_by_name, rotation
from taskdoctor.errors import UnreadableError

INPUTS_MAX = 10_000
PROBLEMS_SAID_MAX = 3
NOT_A_LOG_HINT = "Only text is read: name the log file itself (journal files: journalctl -o short-iso > server.log)."

STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class Input:
    """One file or stream to read. Inputs of one rotated set share `set_name`; `order` counts from the oldest."""

    path: Path
    name: str  # for display: the file's own name, or its path where another input has the same
    size_bytes: int  # 0 for streams
    compression: Compression  # NONE for streams: it shows when they are opened
    mtime_s: float
    set_name: str
    order: int = 0

    @property
    def is_stdin(self) -> bool:
        return self.path == STDIN


def not_a_log(name: str) -> UnreadableError:
    return UnreadableError(f"{name}: not a text log", hint=NOT_A_LOG_HINT)


def cannot_read(name: str, error: OSError) -> UnreadableError:
    """The system's reason as a sentence."""
    if isinstance(error, FileNotFoundError):
        return UnreadableError(f"{name}: no such file", hint=_similar(Path(name)))
    hint = "Ask its owner for read access, or run with sudo." if isinstance(error, PermissionError) else ""
    return UnreadableError(f"{name}: {(error.strerror or str(error)).lower()}", hint=hint)


def find_inputs(paths: Sequence[str]) -> tuple[list[Input], list[str]]:
    """The inputs, set by set and each set oldest first, whatever the order of `paths`; and a sentence for everything
    that was named and cannot be read. UnreadableError if nothing is left."""
    search = _Search()
    for path in sorted(set(paths)):
        search.add(path)
    if not search.found:
        said = [str(problem) for problem in search.problems]
        hint = next((problem.hint for problem in search.problems if problem.hint), "")
        raise UnreadableError("; ".join(said[:PROBLEMS_SAID_MAX]) or "nothing to read", hint=hint)
    return _in_order(search.found), [*map(str, search.problems), *search.warnings]


@dataclass(slots=True)
class _Search:
    """What was found so far, and what was refused."""

    found: list[Input] = field(default_factory=list)
    problems: list[UnreadableError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _known: set[tuple[int, int]] = field(default_factory=set)

    def add(self, named: str) -> None:
        """One argument of the command line. What exists by that very name is no glob."""
        path = Path(named).expanduser()
        if named == "-":
            self.found.append(Input(STDIN, "stdin", 0, Compression.NONE, time.time(), "stdin"))
        elif glob.has_magic(named) and not os.path.lexists(path):
            self._add_glob(str(path))
        else:
            # "./-" is a file, and Path would make it "-".
            self._add_path(path.absolute() if path == STDIN else path)

    def _add_glob(self, pattern: str) -> None:
        matches = sorted(islice(glob.iglob(pattern, recursive=True), INPUTS_MAX))  # noqa: PTH207  (Path.glob refuses absolute ones)
        for match in matches:
            self._add_path(Path(match))
        if not matches:
            self.problems.append(
                UnreadableError(f"{pattern}: no file matches", hint="Check the folder and the pattern.")
            )

    def _add_path(self, path: Path) -> None:
        if not path.is_dir():
            self._add_file(path)
            return
        logs = find_logs(path, warn=self._warn)
        for log in logs:
            self._add_file(log)
        if not logs:
            hint = "Files are found in a folder by names like server.log, server.log.1.gz, stderr.txt: else name them."
            self.problems.append(UnreadableError(f"{path}: no logs in this folder", hint=hint))

    def _add_file(self, path: Path) -> None:
        """Once, even under two names."""
        try:
            status = path.stat()
            identity = status.st_dev, status.st_ino
            if identity in self._known:
                return
            self._known.add(identity)
            if len(self.found) < INPUTS_MAX:
                self.found.append(_input(path, status, self._warn))
            else:
                self._warn(f"more than {INPUTS_MAX} files: the rest was left out")
        except OSError as error:
            self.problems.append(cannot_read(str(path), error))
        except UnreadableError as problem:
            self.problems.append(problem)

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)


def _input(path: Path, status: os.stat_result, warn: Callable[[str], None]) -> Input:
    """A regular file is looked into; a pipe would lose what was looked at."""
    if stat.S_ISREG(status.st_mode):
        compression = _look_inside(path, warn)
        return Input(path, path.name, status.st_size, compression, status.st_mtime, rotation(path.name)[0])
    if not (stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode)):
        raise not_a_log(str(path))
    return Input(path, path.name, 0, Compression.NONE, time.time(), path.name)


def _look_inside(path: Path, warn: Callable[[str], None]) -> Compression:
    with FileIO(path) as file:
        head = read_head(file)
    compression = compression_of(head)
    if not head:
        warn(f"{path}: empty")
    elif not compression and not is_text(head):
        packed = ", and not packed as its name says" if packed_by_name(path.name) else ""
        raise UnreadableError(f"{path}: not a text log{packed}", hint=NOT_A_LOG_HINT)
    return compression


def _similar(path: Path) -> str:
    """A hint at files beside it that are called almost like it."""
    try:
        names = [other.name for other in islice(path.parent.iterdir(), INPUTS_MAX)]
    except OSError:
        return "Check the path."
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean {path.parent / close[0]}?" if close else "Check the path."


def _in_order(found: list[Input]) -> list[Input]:
    """Sets by name, parts by age; what the names leave open by time of writing."""
    sets: dict[tuple[str, str], list[Input]] = {}
    for item in found:
        folder = "" if item.is_stdin else os.path.realpath(item.path.parent)
        sets.setdefault((folder, item.set_name), []).append(item)
    names = Counter(item.name for item in found)
    set_names = Counter(set_name for _, set_name in sets)
    return [
        replace(
            item,
            name=item.name if names[item.name] == 1 else str(item.path),
            set_name=set_name if set_names[set_name] == 1 else str(Path(folder) / set_name),
            order=order,
        )
        for (folder, set_name), parts in sorted(sets.items(), key=lambda entry: (entry[0][1], entry[0][0]))
        for order, item in enumerate(sorted(parts, key=_age))
    ]


def _age(item: Input) -> tuple[Rank, float, str]:
    return rotation(item.path.name)[1], item.mtime_s, str(item.path)
