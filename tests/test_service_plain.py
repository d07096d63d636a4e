"""aiomonitor 0.4 has one session for everything: what two threads ask through it must not be mixed up."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from taskdoctor.collectors.service.plain04 import PROMPT, PlainSession, parse_ps
from taskdoctor.collectors.service.wire import ChannelError, SilentError, Wire
from tests.test_service_hostile import served

ASKED = 40


def answers(client: socket.socket) -> None:
    """A fake of the old prompt, slow enough for questions to meet."""
    client.sendall(b"\nAsyncio Monitor: 3 tasks running\nType help for available commands\n\n" + PROMPT)
    for line in client.makefile("rb"):
        client.sendall(b"about " + line[:-1])
        time.sleep(0.002)
        client.sendall(b"\n" + PROMPT)


def never_answers(client: socket.socket) -> None:
    client.sendall(b"\nAsyncio Monitor: 3 tasks running\n\n" + PROMPT)
    while client.recv(4096):
        pass


def _opened(address: str) -> PlainSession:
    host, _, port = address.partition(":")
    session = PlainSession(Wire(socket.create_connection((host, int(port))), name="the monitor"))
    session.start()
    return session


def test_each_thread_gets_the_answer_to_its_own_question() -> None:
    wrong: list[str] = []

    def ask(session: PlainSession, who: str) -> None:
        for number in range(ASKED):
            answer = session.command(f"{who} {number}", 30.0)
            if answer != f"about {who} {number}\n":
                wrong.append(answer)

    with served(answers) as address:
        session = _opened(address)
        assert session.greeted_tasks == 3
        threads = [threading.Thread(target=ask, args=(session, who)) for who in ("ps", "stacktrace")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session.close()
    assert wrong == []


def test_a_question_waits_for_its_turn_only_as_long_as_it_may() -> None:
    def ask_in_vain() -> None:
        with pytest.raises(SilentError):
            session.command("ps", 3.0)

    with served(never_answers) as address:
        session = _opened(address)
        first = threading.Thread(target=ask_in_vain)
        first.start()
        with pytest.raises(SilentError):
            session.command("stacktrace", 0.2)
        first.join()
        session.close(patience_s=0.1)


def test_what_is_no_list_of_tasks_is_not_an_empty_one() -> None:
    with pytest.raises(ChannelError):
        parse_ps("Could not list the tasks\n")
    assert parse_ps("+---------+-------+------+\n| Task ID | State | Task |\n+---------+-------+------+\n") == []
