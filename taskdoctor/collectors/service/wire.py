"""A connection whose reader never stops reading: a client that does not read freezes the whole monitor of the service.

Every wait is bounded, what waits to be used is bounded, and leaving is polite: goodbye, read to the end, close.
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Protocol

from taskdoctor.collectors.service.farewell import ENTRUST, HOLD, LET_GO
from taskdoctor.errors import TaskdoctorError

CHUNK_BYTES = 1 << 16
MOST_BYTES = 48 * 1024 * 1024  # unread; a list of 50,000 tasks has a quarter of it
TICK_S = 0.25
SEND_S = 2.0
LEAVE_S = 2.0
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux: without it every answer waits 40 ms


class ChannelError(TaskdoctorError):
    """A channel that cannot be used, or not any more."""


class SilentError(ChannelError):
    """No answer within the time that was given to it."""


class GoneError(ChannelError):
    """The other side closed, died, or was never there."""


class Keeper(Protocol):
    """Who leaves politely when we are killed."""

    def entrust(self, sock: socket.socket, goodbye: bytes) -> None: ...

    def hold(self, turn: socket.socket) -> None: ...

    def let_go(self) -> None: ...


class Wire:
    """One socket, its reader thread, and what has arrived and was not used yet."""

    def __init__(self, sock: socket.socket, *, name: str, goodbye: bytes = b"", keeper: Keeper | None = None) -> None:
        self.name = name
        self.read_bytes = 0
        self._sock = sock
        self._goodbye = b""
        self._arrived = bytearray()
        self._changed = threading.Condition()
        self._ended = False
        self._closing = False
        self._flooded = False
        sock.setblocking(False)
        self._reader = threading.Thread(target=self._read, name=f"taskdoctor {name}", daemon=True)
        self._reader.start()
        if keeper is not None:
            self.leave_with(goodbye, keeper)

    def leave_with(self, goodbye: bytes, keeper: Keeper | None) -> None:
        """Say how this connection ends politely, to the keeper too."""
        self._goodbye = goodbye
        if keeper is not None:
            keeper.entrust(self._sock, goodbye)

    def send(self, data: bytes) -> None:
        """Everything, or an error within SEND_S: the other side may have stopped reading."""
        late_s = time.monotonic() + SEND_S
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                left_s = late_s - time.monotonic()
                if left_s <= 0:
                    raise SilentError(f"{self.name} does not read what it is sent") from None
                select.select([], [self._sock], [], left_s)
            except OSError as error:
                raise GoneError(f"{self.name} closed the connection") from error

    def until(self, *markers: bytes, late_s: float) -> bytes:
        """What has arrived, up to and with one of them; SilentError at `late_s` (monotonic), GoneError at the end."""
        searched = 0
        with self._changed:
            while True:
                for marker in markers:
                    at = self._arrived.find(marker, max(0, searched - len(marker) + 1))
                    if at >= 0:
                        return self._taken(at + len(marker))
                searched = len(self._arrived)
                self._wait(late_s)

    def _taken(self, end: int) -> bytes:
        found = bytes(self._arrived[:end])
        del self._arrived[:end]
        return found

    def some(self, size: int, *, late_s: float) -> bytes:
        """At least `size` bytes, or what came until the end or `late_s`; they stay unread."""
        with self._changed:
            while len(self._arrived) < size:
                try:
                    self._wait(late_s)
                except ChannelError:
                    break
            return bytes(self._arrived)

    def discard(self) -> None:
        """Forget what has arrived so far."""
        with self._changed:
            self._arrived.clear()

    @property
    def ended(self) -> bool:
        with self._changed:
            return self._ended

    def close(self, *, patience_s: float = LEAVE_S) -> None:
        """Say goodbye, read to the end, close. Safe to call twice, and after any error."""
        if self._closing:
            return
        late_s = time.monotonic() + patience_s
        with contextlib.suppress(ChannelError):
            if self._goodbye:
                self.send(self._goodbye)
            else:
                self._stop_sending()
        self._wait_for_end(late_s)
        self._stop_sending()
        self._closing = True
        self._reader.join(2 * TICK_S)
        self._sock.close()

    def _wait(self, late_s: float) -> None:
        if self._flooded:
            raise ChannelError(f"{self.name} sends without end")
        if self._ended:
            raise GoneError(f"{self.name} closed the connection")
        left_s = late_s - time.monotonic()
        if left_s <= 0:
            raise SilentError(f"{self.name} did not answer in time")
        self._changed.wait(left_s)

    def _wait_for_end(self, late_s: float) -> None:
        with self._changed:
            while not self._ended and (left_s := late_s - time.monotonic()) > 0:
                self._arrived.clear()
                self._changed.wait(min(left_s, TICK_S))

    def _stop_sending(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def _read(self) -> None:
        while not self._closing:
            try:
                self._acknowledge()
                readable, _, _ = select.select([self._sock], [], [], TICK_S)
                data = self._sock.recv(CHUNK_BYTES) if readable else None
            except BlockingIOError:
                continue
            except (OSError, ValueError):
                data = b""
            if data is None:
                continue
            with self._changed:
                self._keep(data)
                self._changed.notify_all()
            if not data:
                return

    def _keep(self, data: bytes) -> None:
        self._ended = not data
        self.read_bytes += len(data)
        self._arrived += data
        if len(self._arrived) > MOST_BYTES:
            self._flooded = True
            self._arrived.clear()

    def _acknowledge(self) -> None:
        if QUICKACK is not None and self._sock.family in (socket.AF_INET, socket.AF_INET6):
            self._sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)


class Farewell:
    """Hands every socket to a small process that leaves politely should this one be killed."""

    def __init__(self) -> None:
        self._lifeline: socket.socket | None = None
        if hasattr(socket, "send_fds"):
            self._start()

    def entrust(self, sock: socket.socket, goodbye: bytes) -> None:
        """Have it left with this goodbye, the latest one that was told."""
        self._tell(ENTRUST + goodbye, sock)

    def hold(self, turn: socket.socket) -> None:
        """A name that others wait for: kept until `let_go`, or until everything is left."""
        self._tell(HOLD, turn)

    def let_go(self) -> None:
        self._tell(LET_GO)

    def _tell(self, message: bytes, *sockets: socket.socket) -> None:
        if self._lifeline is not None:
            with contextlib.suppress(OSError):
                socket.send_fds(self._lifeline, [message], [sock.fileno() for sock in sockets])

    def close(self) -> None:
        if self._lifeline is not None:
            self._lifeline.close()

    def _start(self) -> None:
        try:
            # One message is one socket: a stream would glue them together.
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            return  # macOS has no such sockets: a killed client is rude there
        script = str(Path(__file__).with_name("farewell.py"))
        try:
            subprocess.run(
                [sys.executable, "-I", "-S", script, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                check=False,
            )
            self._lifeline = ours
        except OSError:
            ours.close()
        finally:
            theirs.close()
