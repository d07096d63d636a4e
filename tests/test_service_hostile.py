"""Whatever answers at the port: one clear sentence and an exit code, within a bound, and never a traceback."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from taskdoctor.collectors.service.telnet import ACCEPTED, DRAWN, PROMPT, SIGNATURE

GREETING = b"\r\nAsyncio Monitor: 3 tasks running\r\nType help for available commands\r\n\r\n"
READY = GREETING + PROMPT + b"monitor >>> " + DRAWN
JUNK = bytes(range(256)) * 64
BOUND_S = 45.0

Talk = Callable[[socket.socket], None]


@contextmanager
def served(talk: Talk) -> Iterator[str]:
    """A server that talks like this with each client; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                client, _ = listener.accept()
                threading.Thread(target=_talk, args=(talk, client), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield "{}:{}".format(*listener.getsockname())
    finally:
        over.set()
        listener.close()


def _talk(talk: Talk, client: socket.socket) -> None:
    with client, suppress(OSError):
        talk(client)


def silent(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def closes_at_once(client: socket.socket) -> None:
    del client


def resets(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def greets_as_ssh(client: socket.socket) -> None:
    client.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
    silent(client)


def speaks_http(client: socket.socket) -> None:
    client.recv(4096)
    client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def junk(client: socket.socket) -> None:
    client.sendall(JUNK)
    silent(client)


def another_telnet(client: socket.socket) -> None:
    client.sendall(b"\xff\xfb\x01\xff\xfd\x18login: ")
    silent(client)


def floods_before(client: socket.socket) -> None:
    while True:
        client.sendall(JUNK)


def floods_after_the_signature(client: socket.socket) -> None:
    client.sendall(SIGNATURE)
    floods_before(client)


def signature_only(client: socket.socket) -> None:
    client.sendall(SIGNATURE)
    silent(client)


def closes_after_the_signature(client: socket.socket) -> None:
    client.sendall(SIGNATURE)
    client.recv(4096)


def _greeted(client: socket.socket) -> None:
    client.sendall(SIGNATURE)
    client.recv(4096)
    client.sendall(READY)


def closes_after_the_greeting(client: socket.socket) -> None:
    _greeted(client)
    client.recv(4096)


def silent_after_the_greeting(client: socket.socket) -> None:
    _greeted(client)
    silent(client)


def answers_junk(client: socket.socket) -> None:
    _greeted(client)
    while data := client.recv(4096):
        if data.endswith(b"\x04"):
            return
        client.sendall(ACCEPTED + JUNK + PROMPT + DRAWN)


def answers_without_end(client: socket.socket) -> None:
    _greeted(client)
    client.recv(4096)
    client.sendall(ACCEPTED)
    floods_before(client)


def closes_in_an_answer(client: socket.socket) -> None:
    _greeted(client)
    client.recv(4096)
    client.sendall(ACCEPTED + b'  File "x.py", line')


def answers_nonsense_tables(client: socket.socket) -> None:
    _greeted(client)
    for number in itertools.count():
        data = client.recv(4096)
        if not data or data.endswith(b"\x04"):
            return
        row = b"| 1" + b"9" * (number % 50) + b" \x1b]0;title\x07 PENDING\r\n"
        table = b"3 tasks running\r\n+---+\r\n| Task ID |\r\n+---+\r\n" + row * 200 + b"+---+\r\n"
        frame = b'  File "' + b"a" * 3000 + b'", line 99999999999999999999, in f\r\n    pass\r\n'
        client.sendall(ACCEPTED + table + frame + PROMPT + DRAWN)


CANNOT_LOOK = (
    (silent, "says nothing"),
    (closes_at_once, "closed"),
    (resets, "closed"),
    (greets_as_ssh, "SSH server"),
    (speaks_http, "HTTP server"),
    (junk, "not aiomonitor"),
    (another_telnet, "telnet server"),
    (floods_before, "not aiomonitor"),
    (floods_after_the_signature, "without end"),
    (signature_only, "did not answer"),
    (closes_after_the_signature, "closed"),
)
LOOKS = (
    closes_after_the_greeting,
    silent_after_the_greeting,
    answers_junk,
    answers_without_end,
    closes_in_an_answer,
    answers_nonsense_tables,
)


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, tuple[int, str, str]]]:
    """All of them at once: most of the time is waiting."""
    talks = [*(talk for talk, _ in CANNOT_LOOK), *LOOKS]
    found: dict[str, tuple[int, str, str]] = {}
    began_s = time.monotonic()
    contexts = [served(talk) for talk in talks]
    started = []
    for talk, context in zip(talks, contexts, strict=True):
        command = [sys.executable, "-m", "taskdoctor", "attach", context.__enter__(), "--duration", "1s"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append((talk.__name__, process))
    for name, process in started:
        try:
            out, err = process.communicate(timeout=max(1.0, began_s + BOUND_S - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += "HUNG"
        found[name] = (process.returncode, out, err)
    yield found
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.mark.parametrize(("talk", "said"), CANNOT_LOOK, ids=lambda value: getattr(value, "__name__", ""))
def test_what_cannot_be_attached_to_is_said(answers: dict[str, tuple[int, str, str]], talk: Talk, said: str) -> None:
    code, out, err = answers[talk.__name__]
    assert code == 3, err
    assert said in err
    assert "Traceback" not in err
    assert "HUNG" not in err
    assert out == ""
    assert len(err.strip().splitlines()) <= 2


@pytest.mark.parametrize("talk", LOOKS, ids=lambda talk: talk.__name__)
def test_what_misbehaves_later_still_ends(answers: dict[str, tuple[int, str, str]], talk: Talk) -> None:
    code, out, err = answers[talk.__name__]
    assert code in {0, 1, 3, 4}, err
    assert "Traceback" not in err + out
    assert "HUNG" not in err
    assert "\x1b]0" not in err + out
