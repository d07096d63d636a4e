"""The way in: a connection of the service's console becomes the probe's own, and the console ends.

Why: each question to the monitor's prompt costs the service some ms in a thread that holds up the loop, and the console
itself runs on the loop. What speaks on this connection is one thread of ours, also while the loop does not turn. It
is the first text that a service runs; what is to be done comes on the connection, and is made ready in that thread.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
import zlib
from asyncio import AbstractEventLoop
from typing import Any

RELEASED_S = 10.0  # a held loop lets go of the connection only afterwards
SOURCE_S = 8.0


def enter(console: Any, loop: AbstractEventLoop) -> None:  # noqa: ANN401
    """Called on the loop, by the console whose connection it is."""
    transport = console.writer.transport
    ours = socket.socket(fileno=socket.dup(console.writer.get_extra_info("socket").fileno()))
    loop_threads = threading.get_ident(), threading.get_native_id()
    thread = threading.Thread(
        target=speak, args=(ours, transport, loop, loop_threads, console.locals), name="taskdoctor-probe", daemon=True
    )
    transport.pause_reading()  # what comes from now on is not for the console
    console.reader.feed_eof()
    thread.start()


def speak(
    ours: socket.socket,
    transport: Any,  # noqa: ANN401
    loop: AbstractEventLoop,
    loop_threads: tuple[int, int],
    names: dict[str, Any],
) -> None:
    """All that the thread does: take the source, run it, leave nothing."""
    here = globals()
    done = True
    try:
        late_s = time.monotonic() + RELEASED_S
        while not transport.is_closing() and time.monotonic() < late_s:
            time.sleep(0.002)
        del transport
        ours.settimeout(SOURCE_S)
        ours.sendall(b"TD1 entered\n")
        if source := received(ours):
            for part in zlib.decompress(base64.b64decode(source)).decode().split("\0"):
                exec(compile(part, "<taskdoctor>", "exec"), here)
                time.sleep(0.001)
            done = False
            done = here["serve"](ours, loop, loop_threads, names)
    except Exception as error:  # noqa: BLE001
        # Never a word on the service's output: the client is told.
        with contextlib.suppress(OSError):
            ours.sendall(f"TD0 {error!r}\n".encode("utf-8", "replace"))
    finally:
        ours.close()
        if done:
            here.clear()  # functions and their globals hold each other


def received(ours: socket.socket) -> bytes:
    """One line; nothing when the client is gone."""
    line = bytearray()
    while not line.endswith(b"\n"):
        came = ours.recv(1 << 16)
        if not came:
            return b""
        line += came
    return bytes(line)
