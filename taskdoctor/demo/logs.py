"""How the service writes its log: five styles as they are found in the field, each from plain stdlib logging.

Times are UTC. Paths in tracebacks are shortened, so that a captured log says nothing of the machine it came from.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SPAN = {"span": True}  # `extra` of a line that carries a measured length: left out of a plain log
ROOT = Path(__file__).resolve().parents[2]
COLOURS = {"DEBUG": "34;1", "INFO": "1", "WARNING": "33;1", "ERROR": "31;1", "CRITICAL": "41;1"}
PLACES = ((f"{ROOT}/", ""), (sys.prefix, "/usr/local"), (sys.base_prefix, "/usr/local"))


def _stamp(record: logging.LogRecord, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    return time.strftime(pattern, time.gmtime(record.created))


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.startswith("taskdoctor.")


def _loguru(record: logging.LogRecord, message: str) -> str | None:
    if record.name.startswith("uvicorn"):
        return None
    where = f"{record.name}:{record.funcName}:{record.lineno}"
    return f"{_stamp(record)}.{int(record.msecs):03d} | {record.levelname:<8} | {where} - {message}"


def _stdlib(record: logging.LogRecord, message: str) -> str | None:
    if record.name.startswith("uvicorn"):
        return None
    return f"{_stamp(record)},{int(record.msecs):03d} {record.levelname} {record.name}: {message}"


def _console(record: logging.LogRecord, message: str) -> str | None:
    """Escapes even in a file, no milliseconds; the loggers of libraries come through bare, if at all."""
    if record.name.startswith("uvicorn"):
        return f"{record.levelname + ':':<9} {message}"
    if not _is_own(record):
        return message if record.levelno >= logging.WARNING else None
    if record.levelno < logging.INFO:
        return None
    level = f"\x1b[{COLOURS[record.levelname]}m{record.levelname:<8}\x1b[0m"
    where = ":".join(f"\x1b[36m{part}\x1b[0m" for part in (record.name, record.funcName, record.lineno))
    return f"\x1b[32m{_stamp(record)}\x1b[0m | {level} | {where} | {message}"


def _debug_file(record: logging.LogRecord, message: str) -> str | None:
    if not _is_own(record):
        return None
    where = f"{record.name}:{record.funcName}:{record.lineno}"
    return f"{_stamp(record)}.{int(record.msecs):03d} | {record.levelname:<8} | {where} | {message} | {{}}"


def _worker(record: logging.LogRecord, message: str) -> str | None:
    if record.name == "uvicorn.access":
        return message
    return f"[{_stamp(record)} +0000] [{record.process}] [{record.levelname}] {message}"


@dataclass(frozen=True, slots=True)
class Style:
    """A line prefix; None for a record that this kind of log would not have."""

    line: Callable[[logging.LogRecord, str], str | None]
    level: int = logging.INFO


STYLES = {
    "loguru": Style(_loguru),
    "stdlib": Style(_stdlib),
    "olv-console": Style(_console),
    "olv-file": Style(_debug_file, logging.DEBUG),
    "uvicorn": Style(_worker),
}


class DescriptorWriter(logging.Handler):
    """Writes each line with one system call: nothing is buffered, nothing is torn."""

    def __init__(self, descriptor: int, style: Style, work: str, *, plain: bool) -> None:
        super().__init__(style.level)
        self._descriptor = descriptor
        self._style = style
        self._places = (*PLACES, (work, "/var/lib/chat"))
        self._plain = plain

    def emit(self, record: logging.LogRecord) -> None:
        if self._plain and getattr(record, "span", False):
            return
        line = self._style.line(record, record.getMessage())
        if line is None:
            return
        if record.exc_info:
            line = f"{line}\n{logging.Formatter().formatException(record.exc_info)}"
        encoded = f"{self._shortened(line)}\n".encode(errors="backslashreplace")
        os.write(self._descriptor, encoded)

    def _shortened(self, text: str) -> str:
        for place, short in self._places:
            text = text.replace(place, short)
        return text


def open_log(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def start(style_name: str, work: str, descriptors: list[int], *, plain: bool) -> None:
    """Send everything to the given descriptors."""
    style = STYLES[style_name]
    writers: list[logging.Handler] = [DescriptorWriter(each, style, work, plain=plain) for each in descriptors]
    logging.basicConfig(level=style.level, handlers=writers, force=True)
    logging.captureWarnings(capture=True)
    for noisy in ("aiohttp", "aiomonitor", "prompt_toolkit"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
