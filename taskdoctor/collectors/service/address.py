"""The address that the user names: `host:port`, `:port`, `[::1]:port`, a name; and a connection to it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import time
from dataclasses import dataclass

from taskdoctor.collectors.service.wire import GoneError, Keeper
from taskdoctor.errors import UsageError

DEFAULT_PORT = 20101
CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, with every socket address that the name stands for."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def at(self, port: int) -> Address:
        return Address(self.host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can listen in."""
        try:
            return all(ipaddress.ip_address(ip.partition("%")[0]).is_loopback for ip in self._ips())
        except (OSError, ValueError):
            return False

    def _ips(self) -> list[str]:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)]


def parse_address(text: str) -> Address:
    """What the user wrote. Raises UsageError with an example."""
    host, port = _split(text.strip())
    hint = "Write host:port, such as localhost:20101; an IPv6 address in brackets: [::1]:20101."
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{text}: {port or 'nothing'} is not a port", hint=hint)
    if not host or any(char.isspace() or ord(char) < 32 or char in "/@" for char in host):
        raise UsageError(f"{text}: not an address", hint=hint)
    return Address(host, int(port))


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":") if rest else str(DEFAULT_PORT)
    if text.count(":") > 1:
        return text, str(DEFAULT_PORT)
    if ":" in text:
        host, _, port = text.rpartition(":")
        return host or "localhost", port
    return ("localhost", text) if text.isdigit() else (text, str(DEFAULT_PORT))


def connect(
    address: Address, *, timeout_s: float = CONNECT_S, keeper: Keeper | None = None, goodbye: bytes = b""
) -> socket.socket:
    """A connection to the first of its addresses that takes one. Raises GoneError that says why not.

    The keeper has it before it is one: from then on a killed client is not rude any more.
    """
    late_s = time.monotonic() + timeout_s
    try:
        known = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise GoneError(
            f"{address}: no such host", hint="Check the name; an address such as 127.0.0.1 works too."
        ) from error
    reason: OSError = OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    for family, kind, protocol, _, where in known:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.1, late_s - time.monotonic()))
            if keeper is not None:
                keeper.entrust(sock, goodbye)
            sock.connect(where)
        except OSError as error:
            sock.close()
            reason = error
        else:
            return sock
    raise _unreachable(address, reason)


def _unreachable(address: Address, reason: OSError) -> GoneError:
    if isinstance(reason, ConnectionRefusedError):
        return GoneError(
            f"{address}: connection refused",
            hint=f"Nothing listens there. Is the service started with aiomonitor? Its default port is {DEFAULT_PORT}.",
        )
    if isinstance(reason, TimeoutError):
        hint = "A firewall may drop it, or the host is down. aiomonitor listens on 127.0.0.1 unless told otherwise."
        return GoneError(f"{address}: no answer to the connection", hint=hint)
    if isinstance(reason, ConnectionResetError | ConnectionAbortedError):
        return GoneError(f"{address}: it closed the connection as soon as there was one")
    return GoneError(f"{address}: {reason.strerror or reason}")
