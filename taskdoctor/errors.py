"""Exit codes, and errors that carry a hint; `cli.main` is the one place that turns them into a sentence and a code."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the shell sees."""

    HEALTHY = 0
    STALLS = 1
    USAGE = 2
    CANNOT_LOOK = 3
    INSUFFICIENT = 4
    INTERRUPTED = 130


class TaskdoctorError(Exception):
    """Base: one clear sentence, a hint, an exit code."""

    code = Exit.CANNOT_LOOK

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(TaskdoctorError):
    """The command line cannot be meant like that."""

    code = Exit.USAGE


class UnreadableError(TaskdoctorError):
    """Nothing there, or nothing that can be read."""

    code = Exit.CANNOT_LOOK
