"""The port that the user names: what speaks there, by its first bytes; a session if it is a monitor, else one sentence.

Who names the web port or the console port means the service all the same: the terminal port beside it is tried, and
what was done is said.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TypeVar

from taskdoctor.collectors.service.address import Address, connect
from taskdoctor.collectors.service.plain04 import GREETING, PlainSession
from taskdoctor.collectors.service.telnet import GOODBYE, REPLY, SIGNATURE, TermSession
from taskdoctor.collectors.service.web import Web
from taskdoctor.collectors.service.wire import ChannelError, GoneError, Keeper, Wire

FIRST_BYTES_S = 1.2  # it speaks at once, unless the interpreter is held
HELD_S = 5.0  # a service that is stalled right now gets this long to speak
WEB_S = 1.5
PORT_HINT = "Name the terminal port of aiomonitor; 20101 unless start_monitor(port=...) says otherwise."

Session = TermSession | PlainSession
SessionT = TypeVar("SessionT", TermSession, PlainSession)


@dataclass(frozen=True, slots=True)
class Port:
    """What was found behind the address: a session, or only the web port."""

    address: Address
    session: Session | None
    web: Web | None = None
    version: str = ""
    notes: tuple[str, ...] = ()


def open_port(address: Address, keeper: Keeper | None = None) -> Port:
    """A session with the monitor behind an address. Raises ChannelError that says what is there instead."""
    try:
        session = _session(address, keeper)
    except GoneError as gone:
        return _web_only(address.at(address.port + 1), gone)
    except _OtherPortError as other:
        return _beside(address, other, keeper)
    return Port(address, session)


def another_session(address: Address, keeper: Keeper | None = None) -> TermSession:
    """One more session with a monitor that is known to be there."""
    sock = connect(address, keeper=keeper, goodbye=REPLY + GOODBYE)
    return _started(TermSession(Wire(sock, name=f"the monitor at {address}"), keeper))


class _OtherPortError(ChannelError):
    """The web port or the console port: the terminal port is `step` away."""

    def __init__(self, message: str, *, step: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.step = step


def _session(address: Address, keeper: Keeper | None) -> Session:
    """Connect, and start the session that the first bytes call for."""
    wire = Wire(connect(address, keeper=keeper, goodbye=REPLY + GOODBYE), name=f"the monitor at {address}")
    first = wire.some(len(SIGNATURE), late_s=time.monotonic() + FIRST_BYTES_S)
    is_web = not first and _is_web(address)
    if not first and not wire.ended and not is_web:
        first = wire.some(len(SIGNATURE), late_s=time.monotonic() + HELD_S)
    if first.startswith(SIGNATURE):
        return _started(TermSession(wire, keeper))
    if first.lstrip().startswith(GREETING):
        return _started(PlainSession(wire, keeper))
    ended = wire.ended
    wire.close(patience_s=0.3)
    raise _the_web_port(address) if is_web else _what_is_there(address, first, ended=ended)


def _started(session: SessionT) -> SessionT:
    try:
        session.start()
    except ChannelError:
        session.close(patience_s=0.5)
        raise
    return session


def _is_web(address: Address) -> bool:
    try:
        return bool(Web(address).version(timeout_s=WEB_S))
    except ChannelError:
        return False


def _the_web_port(address: Address) -> ChannelError:
    hint = f"The terminal port is probably {address.port - 1}: taskdoctor attach {address.at(address.port - 1)}"
    return _OtherPortError(f"{address} is the web port of aiomonitor", step=-1, hint=hint)


def _what_is_there(address: Address, first: bytes, *, ended: bool) -> ChannelError:
    """One sentence about something that is no monitor."""
    if first.startswith(b"Python ") or b"This console is running in an asyncio event loop" in first:
        text = f"{address} is a Python console, not the terminal port of aiomonitor"
        hint = f"The terminal port is probably {address.port - 2}: taskdoctor attach {address.at(address.port - 2)}"
        return _OtherPortError(text, step=-2, hint=hint)
    return ChannelError(f"{address}: {_speaks(address, first, ended=ended)}", hint=PORT_HINT)


def _speaks(address: Address, first: bytes, *, ended: bool) -> str:
    if first.startswith(b"SSH-"):
        return "that is an SSH server"
    if first.startswith(b"\xff"):
        return "a telnet server, but not one of aiomonitor"
    if first:
        return f"not aiomonitor: it greets with {first[:40].decode('utf-8', 'replace')!r}"
    if _speaks_http(address):
        return "that is an HTTP server"
    if ended:
        return "it closed the connection without a word"
    return "it takes connections but says nothing: the service is stopped or held, or it is something else"


def _speaks_http(address: Address) -> bool:
    """Whether a plain request gets an answer that begins as HTTP does."""
    try:
        wire = Wire(connect(address, timeout_s=WEB_S), name=str(address))
    except ChannelError:
        return False
    try:
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        return wire.some(5, late_s=time.monotonic() + WEB_S).startswith(b"HTTP/")
    except ChannelError:
        return False
    finally:
        wire.close(patience_s=0.2)


def _beside(address: Address, other: _OtherPortError, keeper: Keeper | None) -> Port:
    """The terminal port beside the one that was named, else the web port alone."""
    terminal = address.at(address.port + other.step)
    if terminal.port > 0:
        try:
            note = f"{other}; attached to the terminal port {terminal.port} beside it"
            return Port(terminal, _session(terminal, keeper), notes=(note,))
        except ChannelError:
            pass
    return _web_only(address, other)


def _web_only(address: Address, reason: ChannelError) -> Port:
    """Tasks without stacks are better than nothing: the terminal port never binds to IPv6."""
    web = Web(address)
    try:
        version = web.version(timeout_s=WEB_S)
    except ChannelError:
        raise reason from None
    note = f"only the web port {address} answers: no stacks, no console"
    return Port(address, None, web, version, (note,))
