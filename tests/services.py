"""Real services for the tests of `attach`: started on free ports, ended at the end, with all that they wrote."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HOSTILE = ("a | b  c", "x\ny", "\x1b[31mred\x1b[0m", "Жук 漢字", "+----+", "tab\there", "\x1b[?2004h\x1b[?25h", "")

STEP = 4  # three ports to give away, and the one by which they are kept

_kept: list[socket.socket] = []
_giving = threading.Lock()


def free_ports() -> int:
    """The first of three ports in a row that nobody listens on, and that no other run of the tests is given."""
    with _giving:
        for port in range(20200 + os.getpid() % 3000 * STEP, 32700, STEP):  # below those that clients get
            if all(_is_free(port + step) for step in range(3)) and _keep(port + 3):
                return port
    raise RuntimeError("no ports")


def _keep(port: int) -> bool:
    """Bound as long as this process lives: between a look and the start of a service others look too."""
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        return False
    _kept.append(sock)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass
class Service:
    """A running service and what it wrote."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def running(*modes: str) -> Iterator[Service]:
    """A `tests.target_service`; its output is collected until it has ended."""
    port = free_ports()
    command = [sys.executable, "-W", "ignore", "-m", "tests.target_service", str(port), *modes]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    service = Service(process, port)
    reader = threading.Thread(target=lambda: service.lines.extend(process.stdout or ()))
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == "ready\n", first + process.stdout.read()
        reader.start()
        yield service
    finally:
        process.kill()
        process.wait()
        if reader.ident is not None:
            reader.join()
        if process.stdout is not None:
            process.stdout.close()


def attach(address: str, *options: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run `taskdoctor attach` as a user does."""
    command = [sys.executable, "-m", "taskdoctor", "attach", address, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
