"""aiomonitor 0.4: plain lines, one client at a time; its task list is the repr of each task, word-wrapped."""

from __future__ import annotations

import re
import threading
import time

from taskdoctor.collectors.service.tasks import TaskRecord
from taskdoctor.collectors.service.wire import ChannelError, Keeper, SilentError, Wire

GREETING = b"Asyncio Monitor:"
PROMPT = b"monitor >>> "
GOODBYE = b"exit\n"

_COUNT = re.compile(r"Asyncio Monitor: (\d+) tasks? running")
_NAME = re.compile(r"name='((?:[^'\\]|\\.)*)'")
_COROUTINE = re.compile(r"coro=<([^ >]+)")
_AT = re.compile(r"(?:running at|defined at) ([^>]+?:\d+)>")
_CREATED = re.compile(r"created at ([^>]+?:\d+)>")


class PlainSession:
    """One session of the old prompt; the same `command` as the newer ones.

    The only one there is: stacks and tasks are asked through it in turn, from two threads.
    """

    def __init__(self, wire: Wire, keeper: Keeper | None = None) -> None:
        wire.leave_with(GOODBYE, keeper)
        self.wire = wire
        self.greeting = ""
        self._behind = 0
        self._turn = threading.Lock()

    def start(self, *, timeout_s: float = 5.0) -> None:
        self.greeting = self.wire.until(PROMPT, late_s=time.monotonic() + timeout_s).decode("utf-8", "replace")

    @property
    def greeted_tasks(self) -> int | None:
        found = _COUNT.search(self.greeting)
        return int(found[1]) if found else None

    def command(self, line: str, timeout_s: float = 5.0) -> str:
        """What the monitor answers to one command. Raises SilentError, GoneError."""
        if not line.strip() or not line.isprintable():
            raise ChannelError("not a command for the monitor")
        late_s = time.monotonic() + timeout_s
        if not self._turn.acquire(timeout=timeout_s):
            raise SilentError(f"{self.wire.name} is still busy with another question")
        try:
            answer = self._asked(line, late_s)
        finally:
            self._turn.release()
        return answer[: -len(PROMPT)].decode("utf-8", "replace").replace("\r\n", "\n")

    def _asked(self, line: str, late_s: float) -> bytes:
        while self._behind:
            self.wire.until(PROMPT, late_s=late_s)
            self._behind -= 1
        self.wire.discard()
        self.wire.send(line.encode("utf-8", "replace") + b"\n")
        self._behind += 1
        answer = self.wire.until(PROMPT, late_s=late_s)
        self._behind -= 1
        return answer

    def close(self, *, patience_s: float = 2.0) -> None:
        self.wire.close(patience_s=patience_s)


def parse_ps(text: str) -> list[TaskRecord]:
    """The rows of the old `ps`: a task's repr goes on in rows whose first cell is empty. Raises ChannelError."""
    if "| Task ID" not in text:
        raise ChannelError("the task list was not understood")
    records: list[tuple[str, str, str]] = []
    for row in text.splitlines():
        cells = [cell.strip() for cell in row.strip().strip("|").split("|", 2)]
        if not row.startswith("|") or len(cells) < 3:
            continue
        if cells[0].isdigit():
            records.append((cells[0], cells[1], cells[2]))
        elif not cells[0] and records:
            records[-1] = (*records[-1][:2], f"{records[-1][2]} {cells[2]}")
    return [_record(*record) for record in records]


def _record(id_: str, state: str, task: str) -> TaskRecord:
    name, coroutine, at, created = (found.search(task) for found in (_NAME, _COROUTINE, _AT, _CREATED))
    return TaskRecord(
        id=id_,
        state=state,
        name=name[1] if name else "",
        coroutine=coroutine[1] if coroutine else task[:80],
        site=created[1].replace(" ", "") if created else "",
        running_at=at[1].replace(" ", "") if at else "",
    )
