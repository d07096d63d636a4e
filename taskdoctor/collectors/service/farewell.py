"""Leaves politely for a client that was killed: runs as a process of its own and holds the client's sockets too.

Why: a connection that dies with unread data makes aiomonitor write a traceback into the service's own output. A killed
client can do nothing about that any more; this process notices that its lifeline broke, says goodbye on every socket
that it was handed, reads what still comes, and ends.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import sys
import time

PATIENCE_S = 30.0  # a service that is stopped or held for longer than this is left as it is
ASK_EVERY_S = 1.0
CHUNK_BYTES = 65536
MOST_GOODBYE_BYTES = 4096
ENTRUST, HOLD, LET_GO = b"+", b"=", b"-"  # how a message of the client begins


def _handed_over(lifeline: socket.socket, turns: list[socket.socket]) -> list[tuple[socket.socket, bytes]]:
    """Every socket with its latest goodbye, until the client is gone; `turns`: what it must not lose before the end."""
    held: dict[int, tuple[socket.socket, bytes]] = {}
    while True:
        goodbye, descriptors, _, _ = socket.recv_fds(lifeline, MOST_GOODBYE_BYTES, 1)
        if not goodbye:
            return list(held.values())
        if not goodbye.startswith(ENTRUST):
            for turn in turns:
                turn.close()
            turns[:] = [socket.socket(fileno=descriptor) for descriptor in descriptors]
            continue
        for descriptor in descriptors:
            same = os.fstat(descriptor).st_ino
            if same in held:
                held[same][0].close()
            held[same] = socket.socket(fileno=descriptor), goodbye[1:]


def _parts(goodbye: bytes) -> list[bytes]:
    """Its lines, and after a whole one for a reader of lines the end of what we say: that is all it waits for."""
    return goodbye.splitlines(keepends=True) + [b""] * (not goodbye or goodbye.endswith(b"\n"))


def _say(sock: socket.socket, goodbye: bytes) -> None:
    try:
        if goodbye:
            sock.send(goodbye)
        else:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _ended(sock: socket.socket) -> bool:
    try:
        return not sock.recv(CHUNK_BYTES)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _leave(held: list[tuple[socket.socket, bytes]]) -> None:
    """Part by part, again and again: who closes a console at once with a line for it cuts off the answer, loudly."""
    late_s = time.monotonic() + PATIENCE_S
    asked_s = 0.0
    leaving = [(sock, itertools.cycle(_parts(goodbye))) for sock, goodbye in held]
    while leaving and time.monotonic() < late_s:
        if time.monotonic() - asked_s >= ASK_EVERY_S:
            asked_s = time.monotonic()
            for sock, parts in leaving:
                _say(sock, next(parts))
        readable, _, _ = select.select([sock for sock, _ in leaving], [], [], ASK_EVERY_S)
        done = {sock for sock in readable if _ended(sock)}
        leaving = [(sock, parts) for sock, parts in leaving if sock not in done]


def main(descriptor: int) -> None:
    if os.fork():
        return  # the client waits for nobody
    turns: list[socket.socket] = []
    held = _handed_over(socket.socket(fileno=descriptor), turns)
    for sock, _ in held:
        sock.setblocking(False)
    _leave(held)


if __name__ == "__main__":
    main(int(sys.argv[1]))
