"""The terminal port of aiomonitor 0.5 and later: the telnet dialect of prompt_toolkit, framed by its own escapes.

Why `dumb`: with a better terminal the server asks for the cursor before each prompt, and waits a second for it. Why the
frame is bracketed paste: the prompt text is the service's to choose, this switch is not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from taskdoctor.collectors.service.wire import ChannelError, Keeper, Wire

SIGNATURE = bytes.fromhex("fffd22fffb03fffa220100fff0fffb01fffd1ffffd18fffa1801fff0")
# 1000 columns by 200 rows, so that no echoed command is wrapped; then the terminal's name.
REPLY = bytes.fromhex("fffb1ffffa1f03e800c8fff0fffb18fffa1800") + b"dumb" + bytes.fromhex("fff0")
ACCEPTED, PROMPT, DRAWN = b"\x1b[?2004l", b"\x1b[?2004h", b"\x1b[?25h"
GOODBYE = b"\x04"
START_S = 5.0  # it sleeps 0.3 s by itself
LONGEST_LINE = 4000

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COUNT = re.compile(r"Asyncio Monitor: (\d+) tasks? running")


class TermSession:
    """One session of the monitor's prompt; `command` is a line in, its text out."""

    def __init__(self, wire: Wire, keeper: Keeper | None = None) -> None:
        wire.leave_with(REPLY + GOODBYE, keeper)  # one that is left without an answer to its offers waits for ever
        self.wire = wire
        self._keeper = keeper
        self.greeting = ""
        self._behind = False  # an answer that we gave up on is still to come

    def start(self, *, timeout_s: float = START_S) -> None:
        """Negotiate and wait for the first prompt."""
        late_s = time.monotonic() + timeout_s
        self.wire.until(SIGNATURE, late_s=late_s)
        self.wire.send(REPLY)
        self.wire.leave_with(GOODBYE, self._keeper)
        self.greeting = without_escapes(_text(self.wire.until(PROMPT, late_s=late_s)))
        self.wire.until(DRAWN, late_s=late_s)

    @property
    def greeted_tasks(self) -> int | None:
        """How many tasks the greeting counted."""
        found = _COUNT.search(self.greeting)
        return int(found[1]) if found else None

    def command(self, line: str, timeout_s: float = 5.0) -> str:
        """What the monitor answers to one command, without escapes.

        Raises SilentError when it takes longer, GoneError when the service went away.
        """
        return without_escapes(self.raw(line, timeout_s))

    def raw(self, line: str, timeout_s: float = 5.0, *, whole: Callable[[str], bool] | None = None) -> str:
        """The same with its escapes.

        `whole` tells whether a text is all of the answer: foreign names in it may hold the very escape that ends it.
        """
        sent = _line(line) + b"\r"
        late_s = time.monotonic() + timeout_s
        self._catch_up(late_s)
        self.wire.discard()
        self._behind = True
        self.wire.send(sent)
        self.wire.until(ACCEPTED, late_s=late_s)
        body = b""
        while True:
            body += self.wire.until(PROMPT, late_s=late_s)
            text = _text(body)
            if whole is None or whole(without_escapes(text)):
                break
        self.wire.until(DRAWN, late_s=late_s)
        self._behind = False
        return text

    def begin(self, line: str) -> None:
        """Send a command whose answer is read elsewhere."""
        self.wire.discard()
        self.wire.send(_line(line) + b"\r")

    def close(self, *, patience_s: float = 2.0) -> None:
        self.wire.close(patience_s=patience_s)

    def _catch_up(self, late_s: float) -> None:
        """Let the answer to the last command come to its end, when we gave up on it."""
        if not self._behind:
            return
        self.wire.until(PROMPT, late_s=late_s)
        self.wire.until(DRAWN, late_s=late_s)
        self._behind = False


def _line(line: str) -> bytes:
    """One command: an empty one would repeat the last, a second one would be run as well."""
    if not line.strip() or not line.isprintable() or len(line) > LONGEST_LINE:
        raise ChannelError("not a command for the monitor")
    return line.encode("utf-8", "replace")


def without_escapes(text: str) -> str:
    return _ESCAPE.sub("", text)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n")
