"""All ways into one service, opened in order and closed in order: port, web, console, probe, kernel counters.

Each that fails is left out with a note; only the port itself is needed. Nothing is opened twice, and whatever happens
in between, `close` leaves every one of them politely.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from taskdoctor.collectors.service.address import Address
from taskdoctor.collectors.service.console import Console, ConsoleHolder
from taskdoctor.collectors.service.counters import Kernel, Target, find_target, ports_of, talks_to_itself
from taskdoctor.collectors.service.port import Port, another_session, open_port
from taskdoctor.collectors.service.stacks import is_idle, parse_stack
from taskdoctor.collectors.service.telnet import TermSession
from taskdoctor.collectors.service.web import Web
from taskdoctor.collectors.service.wire import LEAVE_S, ChannelError, Farewell, SilentError, Wire

WEB_STEP, CONSOLE_STEP = 1, 2  # where the other ports are by default, seen from the terminal port
COMPARED_IDS = 2
FEW_TASKS = 5_000  # listed freely
FREE_LOOP_S = 5.0
COMMAND_S = 2.0
AT_ONCE_S = 0.1


@dataclass(slots=True)
class Channels:
    """What is open."""

    address: Address
    port: Port
    keeper: Farewell
    target: Target
    second: TermSession | None = None  # for questions that must not hold up the stacks
    link: Wire | None = None  # what was a connection of the console, and is the probe's now
    web: Web | None = None
    kernel: Kernel | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """The channels by name, for the report."""
        return tuple(
            name
            for name, there in (
                ("port", self.port.session),
                ("web port", self.web),
                ("process counters", self.kernel),
            )
            if there
        )

    @property
    def greeted_tasks(self) -> int | None:
        return self.port.session.greeted_tasks if self.port.session is not None else None

    @property
    def read_bytes(self) -> int:
        wires = [each.wire for each in (self.port.session, self.second) if each]
        ways: list[Wire | Web | None] = [*wires, self.link, self.web]
        return sum(each.read_bytes for each in ways if each)

    def open_beside(self) -> None:
        """What lists the tasks where no probe groups them inside: a second session, or the web port at a hundredth."""
        if not isinstance(self.port.session, TermSession):
            return
        if self.second is None:
            try:
                self.second = another_session(self.port.address, self.keeper)
            except ChannelError as error:
                self.notes.append(f"no second session, so no list of tasks: {error}")
        if self.web is None:
            self.web = _web_of(self)

    def command(self, line: str) -> str:
        """Ask the monitor something. Raises ChannelError."""
        session = self.second or self.port.session
        if session is None:
            raise ChannelError("there is no session")
        return session.command(line, COMMAND_S)

    def use_console(self, use: Callable[[Console], None]) -> None:
        """Open the console, hand it over, close it again. Raises ChannelError when there is none."""
        if not isinstance(self.port.session, TermSession):
            raise ChannelError("this version of aiomonitor has no console that can be used beside the port")
        self._await_free_loop(self.port.session)
        holder = ConsoleHolder(self.port.session, self.port.address, self.keeper)
        try:
            console = holder.open(self.port.address.port + CONSOLE_STEP, self._ports, may_be_open=self._may_be_open)
            try:
                use(console)
            finally:
                self.link = console.wire if console.handed_over else None
        finally:
            holder.close()

    @staticmethod
    def _await_free_loop(session: TermSession) -> None:
        """The console is opened by the loop: never ask a held one, since leaving it half open shows in the service."""
        late_s = time.monotonic() + FREE_LOOP_S
        while time.monotonic() < late_s:
            if is_idle(parse_stack(session.command("stacktrace"))):
                return
            time.sleep(0.02)
        raise SilentError("the loop of the service does not turn: nothing was installed")

    def _ports(self) -> list[int]:
        return ports_of(self.target.pid) if self.target.pid is not None else []

    def _may_be_open(self) -> bool:
        return self.target.pid is None or talks_to_itself(self.target.pid)

    def close(self, *, at_once: bool = False) -> None:
        """Leave everything politely; never raises. `at_once` leaves the waiting to the keeper."""
        for way in (self.link, self.second, self.port.session):
            if way is not None:
                with contextlib.suppress(ChannelError):
                    way.close(patience_s=AT_ONCE_S if at_once else LEAVE_S)
        self.keeper.close()


def open_channels(address: Address) -> Channels:
    """The port, and what else there is beside it. Raises ChannelError when there is no monitor behind the address."""
    keeper = Farewell()
    try:
        port = open_port(address, keeper)
    except BaseException:
        keeper.close()
        raise
    channels = Channels(address, port, keeper, Target(None), web=port.web, notes=list(port.notes))
    try:
        _open_others(channels)
    except BaseException:
        channels.close()
        raise
    return channels


def _open_others(channels: Channels) -> None:
    port = channels.port
    channels.target = find_target(port.address)
    if channels.target.pid is not None:
        with contextlib.suppress(OSError, ValueError):
            channels.kernel = Kernel(channels.target.pid)
    else:
        channels.notes.append(f"no process counters: {channels.target.why_not}")
    if port.session is not None and not isinstance(port.session, TermSession):
        channels.notes.append("aiomonitor 0.4 takes one client at a time: no probe, no await chains")


def _web_of(channels: Channels) -> Web | None:
    """The web port, when it is proven to belong to the same process."""
    web = Web(channels.port.address.at(channels.port.address.port + WEB_STEP))
    candidates = [web.address.port] if web.address.port < 65536 else []
    for port in candidates:
        web = Web(channels.port.address.at(port))
        try:
            web.version(timeout_s=1.0)
            if _is_same(channels, web):
                return web
        except ChannelError:
            continue
    return None


def _is_same(channels: Channels, web: Web) -> bool:
    """By the tasks it lists: the terminal session knows them, or it is another process that shares the port."""
    if channels.second is None or (channels.greeted_tasks or 0) > FEW_TASKS:
        return False
    ids = [record.id for record in web.tasks(timeout_s=2.0) if record.id.isdigit()]
    asked = ids[:1] + ids[-1:]
    found = [not channels.second.command(f"where {id_}").lstrip().startswith("✗") for id_ in asked]
    return bool(found) and any(found)
