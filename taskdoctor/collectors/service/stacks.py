"""Stacks: read from text, and which frame of one is worth naming.

Plumbing is the interpreter's library and what is installed beside it; the application is the rest. A stack that ends in
the loop's own waiting is an idle loop; one with frames below the loop's runner is a callback that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from taskdoctor.collectors.service.observed import Frame, Stack

_FRAME = re.compile(r'^  File "(.*)", line (\d+)(?:, in (.*))?$')
_LIBRARY = re.compile(
    r"(?:^|[\\/])(?:site-packages|dist-packages)[\\/]|[\\/]lib(?:64)?[\\/]python\d|[\\/]lib-python[\\/]|[\\/]Python\d+[\\/]Lib[\\/]"
    r"|^<frozen |^<(?!string>|stdin>|module>|console>|ipython)|\.so$|\.pyx$"
)
_INSTALLED = re.compile(r"(?:^|[\\/])(?:site-packages|dist-packages)[\\/]")
# Frames between the loop and the callback that it runs, and around them.
_LOOP_FILES = ("asyncio/", "uvloop/", "aiomonitor/", "selectors.py")
_IDLE = frozenset({"select", "poll", "_poll", "epoll", "kqueue"})
_RUNNERS = frozenset({"run", "run_until_complete", "run_forever", "_run_once"})
_CLOSES = re.compile(
    r"(?i)^_?(?:a?close|aexit|__aexit__|shut_?down|clean_?up|tear_?down|disconnect|wait_closed|terminate)$"
)
MOST_FRAMES = 400
OURS = "<taskdoctor>"  # what the text of the probe is called in the service


def parse_stack(text: str) -> Stack:
    """The frames of a printed stack, outermost first; lines that are none are left out."""
    frames: list[Frame] = []
    for line in text.splitlines():
        found = _FRAME.match(line)
        if found:
            frames.append(Frame(found[1], int(found[2][:9]), found[3] or ""))
        elif frames and line.startswith("    ") and not frames[-1].code:
            last = frames[-1]
            frames[-1] = Frame(last.file, last.line, last.function, line.strip())
        if len(frames) >= MOST_FRAMES:
            break
    return tuple(frames)


@lru_cache(maxsize=4096)
def is_library_file(file: str) -> bool:
    return _LIBRARY.search(file) is not None


def is_application(frame: Frame) -> bool:
    """Whether the service's own people wrote it."""
    return not is_library_file(frame.file)


def is_loop_plumbing(frame: Frame) -> bool:
    """Whether it belongs to the loop itself, or to the monitor."""
    file = frame.file.replace("\\", "/")
    return any(f"/{part}" in file or file.startswith(part) for part in _LOOP_FILES)


def is_idle(stack: Stack) -> bool | None:
    """Whether the loop was waiting for something to do; None of an empty stack.

    A loop in C (uvloop) shows nothing of itself: its idle stack ends in whoever runs it.
    """
    if not stack:
        return None
    last = stack[-1]
    if is_library_file(last.file) and last.function in _IDLE and _called_by_loop(stack):
        return True
    return is_loop_plumbing(last) and last.function in _RUNNERS


def _called_by_loop(stack: Stack) -> bool:
    """`select` of the loop itself: a `select` that a callback calls is a blocking call."""
    inner = held_by(stack)
    return not inner or all(is_loop_plumbing(frame) or frame.file.endswith("selectors.py") for frame in inner)


def held_by(stack: Stack) -> Stack:
    """The frames that ran on the loop: those below its runner, without the steps in between."""
    below = max((at for at, frame in enumerate(stack) if _runs_callbacks(frame)), default=-1) + 1
    frames = without_ours(stack[below:])
    while frames and is_loop_plumbing(frames[0]) and frames[0].function in {"_run", "__step", "__wakeup"}:
        frames = frames[1:]
    return frames


def without_ours(stack: Stack) -> Stack:
    """Without the probe on top: its callback runs wherever the collector does."""
    while stack and stack[-1].file == OURS:
        stack = stack[:-1]
    return stack


def _runs_callbacks(frame: Frame) -> bool:
    return is_loop_plumbing(frame) and frame.function in _RUNNERS


def application_frame(frames: Iterable[Frame]) -> Frame | None:
    """The innermost frame of the application: the line to look at."""
    found = [frame for frame in frames if is_application(frame)]
    return found[-1] if found else None


def site_of(frame: Frame) -> str:
    """`app/chat.py:88`: the last two parts of the path say where, whatever the machine is called."""
    parts = [part for part in frame.file.replace("\\", "/").split("/") if part]
    return f"{'/'.join(parts[-2:])}:{frame.line}"


def leaf_of(frames: Stack) -> Frame | None:
    """Where it is: the innermost frame outside of the standard library, else the innermost of all."""
    for frame in reversed(frames):
        if is_application(frame) or _INSTALLED.search(frame.file):
            return frame
    return frames[-1] if frames else None


def closing_frame(frames: Iterable[Frame]) -> Frame | None:
    """The frame of the application that closes something, if one of its inner ones does."""
    own = [frame for frame in frames if is_application(frame)][-4:]
    return next((frame for frame in reversed(own) if _CLOSES.match(frame.function)), None)
