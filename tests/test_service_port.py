"""Sessions with real monitors: the task list read back whatever stands in it, stacks, the console, what is beside."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import pytest

from taskdoctor.collectors.service import tasks
from taskdoctor.collectors.service.address import Address, connect, parse_address
from taskdoctor.collectors.service.channels import Channels, open_channels
from taskdoctor.collectors.service.console import ConsoleHolder
from taskdoctor.collectors.service.port import open_port
from taskdoctor.collectors.service.stacks import application_frame, held_by, is_idle, parse_stack
from taskdoctor.collectors.service.telnet import TermSession
from taskdoctor.collectors.service.watching import Watch
from taskdoctor.collectors.service.web import Web
from taskdoctor.collectors.service.wire import ChannelError, Farewell, SilentError, Wire
from taskdoctor.errors import UsageError
from tests.services import HOSTILE, Service, running


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running("hostile") as made:
        yield made


@pytest.fixture(scope="module")
def channels(service: Service) -> Iterator[Channels]:
    opened = open_channels(parse_address(service.address))
    opened.open_beside()
    yield opened
    opened.close()


def _session(channels: Channels) -> TermSession:
    assert isinstance(channels.port.session, TermSession)
    return channels.port.session


def test_list_is_read_back_as_the_web_port_tells_it(channels: Channels) -> None:
    printed = tasks.parse_ps(_session(channels).raw("ps", whole=tasks.is_whole))
    assert channels.web is not None
    listed = channels.web.tasks()
    assert [task.id for task in printed] == [task.id for task in listed]
    assert [task.coroutine for task in printed] == [task.coroutine for task in listed]
    plain = {name for name in HOSTILE if "\x1b" not in name and "\t" not in name and name}
    assert plain <= {task.name for task in printed}


def test_a_name_that_ends_a_frame_does_not_shift_what_comes_after(channels: Channels) -> None:
    session = _session(channels)
    for _ in range(3):
        assert tasks.parse_ps(session.raw("ps", whole=tasks.is_whole))
        assert parse_stack(session.command("stacktrace"))


def test_idle_loop_shows_as_idle(channels: Channels) -> None:
    assert is_idle(parse_stack(_session(channels).command("stacktrace")))


def test_await_chain_names_where_a_task_waits(channels: Channels) -> None:
    session = _session(channels)
    listed = tasks.parse_ps(session.raw("ps", whole=tasks.is_whole))
    worker = next(task for task in listed if task.coroutine == "worker()")
    chain = parse_stack(session.command(f"where {worker.id}"))
    own = application_frame(chain)
    assert own is not None
    assert own.function == "leaf"


def test_an_empty_or_double_command_is_never_sent(channels: Channels) -> None:
    for line in ("", "  ", "ps\rcancel 1", "ps\nps"):
        with pytest.raises(ChannelError):
            _session(channels).command(line)


def test_errors_of_the_monitor_are_answers(channels: Channels) -> None:
    session = _session(channels)
    assert "No task 1" in session.command("where 1")
    assert "✗" in session.command("bogus")
    assert "✗" in session.command('where "')


def test_console_runs_what_it_is_given_and_leaves_nothing(service: Service) -> None:
    address = parse_address(service.address)
    keeper = Farewell()
    session = TermSession(Wire(connect(address), name="test"), keeper)
    session.start()
    try:
        for _ in range(2):
            holder = ConsoleHolder(session, address, keeper)
            console = holder.open(service.port + 2, list)
            assert console.run("import os\nprint(os.getpid())") == f"{service.process.pid}\n"
            assert "ZeroDivisionError" in console.run("1/0")
            assert console.run("print('é' * 3)" + "#" * 500_000) == "ééé\n"
            holder.close()
            assert parse_stack(session.command("stacktrace"))
    finally:
        session.close()
        keeper.close()


def test_what_a_console_leaves_is_tidied(service: Service) -> None:
    channels = open_channels(parse_address(service.address))
    told: list[str] = []
    try:
        channels.use_console(lambda console: None)
        time.sleep(0.6)  # a moment later, when no console is left
        channels.use_console(
            lambda console: told.append(console.run("import sys\nprint('taskdoctor' in str(sys.modules))"))
        )
    finally:
        channels.close()
    assert told == ["False\n"]


def test_disabled_console_is_said() -> None:
    with running("no-console") as service:
        channels = open_channels(parse_address(service.address))
        try:
            with pytest.raises(ChannelError, match="disabled"):
                channels.use_console(lambda console: None)
            assert parse_stack(_session(channels).command("stacktrace"))
        finally:
            channels.close()
    assert service.lines == []


def test_a_name_that_cannot_be_encoded_breaks_the_printed_list_only() -> None:
    with running("surrogate") as service:
        channels = open_channels(parse_address(service.address))
        try:
            with pytest.raises(ChannelError, match="failed in the service"):
                tasks.parse_ps(_session(channels).raw("ps", whole=tasks.is_whole))
            channels.open_beside()
            assert channels.web is not None
            assert any(task.coroutine == "worker()" for task in channels.web.tasks())
        finally:
            channels.close()


def test_stack_of_a_held_loop_names_the_application() -> None:
    with running("blocking") as service:
        port = open_port(parse_address(service.address))
        session = port.session
        assert session is not None
        caught = []
        try:
            for _ in range(60):
                stack = parse_stack(session.command("stacktrace"))
                if not is_idle(stack) and (frame := application_frame(held_by(stack))) is not None:
                    caught.append(frame)
                time.sleep(0.02)
        finally:
            session.close()
        assert {frame.function for frame in caught} == {"slow_disk"}


def test_web_port_leads_to_the_terminal_port(service: Service) -> None:
    port = open_port(Address("127.0.0.1", service.port + 1))
    assert port.session is not None
    port.session.close()
    assert port.address.port == service.port
    assert "is the web port of aiomonitor" in port.notes[0]


def test_the_service_gets_nothing_on_its_output() -> None:
    with running("blocking") as service:
        for _ in range(3):
            channels = open_channels(parse_address(service.address))
            _session(channels).begin("ps")
            channels.close()
    assert service.lines == []


def test_pid_behind_the_port(service: Service, channels: Channels) -> None:
    assert channels.target.pid == service.process.pid
    assert channels.kernel is not None
    counters = channels.kernel.read(slow=True)
    assert counters is not None
    assert counters.rss_bytes
    assert counters.descriptors


def test_an_answer_that_was_given_up_on_does_not_become_the_next_one(service: Service) -> None:
    port = open_port(parse_address(service.address))
    assert isinstance(port.session, TermSession)
    os.kill(service.process.pid, 19)
    try:
        with pytest.raises(SilentError):
            port.session.command("ps", 0.3)
        with pytest.raises(SilentError):
            port.session.command("stacktrace", 0.3)
    finally:
        os.kill(service.process.pid, 18)
    assert parse_stack(port.session.command("stacktrace"))
    port.session.close()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:20101", "localhost", 20101),
        ("example.com", "example.com", 20101),
        (":20101", "localhost", 20101),
        ("20105", "localhost", 20105),
        ("[::1]:7", "::1", 7),
        ("[::1]", "::1", 20101),
        ("::1", "::1", 20101),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["", "localhost:", "localhost:0", "localhost:70000", "a b:1", "http://x:1", "x:ps", "x:１"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_loopback() -> None:
    assert parse_address("127.0.0.1:1").is_loopback
    assert parse_address("[::1]:1").is_loopback
    assert not parse_address("192.0.2.1:1").is_loopback
    assert Web(Address("127.0.0.1", 1)).address.port == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only its kernel tells what a thread waits for")
def test_waiting_loop_is_seldom_asked_for_its_stack(service: Service) -> None:
    channels = open_channels(parse_address(service.address))
    try:
        watching = Watch(channels)
        watching.start()
        watching.wait(1.5)
        watching.stop()
    finally:
        channels.close()
    assert watching.watched.stacks
    assert len(watching.watched.pings) < len(watching.watched.stacks) / 2
    assert all(is_idle(sample.stack) for sample in watching.watched.stacks)
