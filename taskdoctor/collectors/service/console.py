"""The Python console of the monitor: source in, what it printed out. It runs on the service's own loop.

Two ways in: a terminal session opens the console's port for as long as its `console` command lasts; a second, plain
connection to that port speaks without telnet. What a console leaves behind (its names, `sys.ps1`) is tidied at the end,
also for a client that is killed: who leaves for it says TIDY first.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import socket
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence

from taskdoctor.collectors.service.address import Address, connect
from taskdoctor.collectors.service.telnet import GOODBYE, PROMPT, TermSession
from taskdoctor.collectors.service.wire import ChannelError, Keeper, SilentError, Wire

READY = b">>> "
BANNER = b"---"
OPENS = b"---\r\n>>> "
DISABLED = b"console is disabled"
# Before a statement that may come to the monitor's prompt instead: there it is a command, and prints its usage (a word
# that is none would have the monitor import what it looks for similar ones with), and here the name of a function.
HARMLESS = b"help and"
OPEN_S = 5.0
TURN_S = 15.0  # until the clients that came before us have come in
RUN_S = 5.0
LEAVE_S = 3.0
HELD_S = 10.0  # a loop that is held may take this long to open what was asked for

# The names that a console puts into the namespace of the monitor, and `sys.ps1`, which every console reads at each
# prompt: both go a moment later, when no console is left.
TIDY = """
import asyncio, sys
frame = sys._getframe()
while frame and frame.f_code.co_name != "aexec":
    frame = frame.f_back
def tidy(left=40, names=frame.f_locals.get("local") if frame else None):
    if any(task.get_coro().__qualname__ == "handle_connect" for task in asyncio.all_tasks(loop)):
        left and loop.call_later(0.3, tidy, left - 1, names)
        return
    for name in ("asyncio", "loop", "print", "help", "ainput", "_"):
        isinstance(names, dict) and names.pop(name, None)
    if not sys.flags.interactive and (getattr(sys, "ps1", ""), getattr(sys, "ps2", "")) == (">>> ", "... "):
        del sys.ps1, sys.ps2
del frame
loop.call_later(0.1, tidy)
"""

# What a failing source says comes here as well, instead of into `sys.last_traceback` of the service.
RUN = """
def run(source, env):
    try:
        exec(compile(source, "<taskdoctor>", "exec"), env)
    except Exception:
        import traceback
        env["print"](traceback.format_exc())
"""


class Console:
    """A plain connection to an open console port."""

    def __init__(self, sock: socket.socket, *, name: str, keeper: Keeper | None = None) -> None:
        self.wire = Wire(sock, name=name)
        self.banner = ""
        self.handed_over = False
        self._keeper = keeper

    def start(self, *, timeout_s: float = OPEN_S) -> None:
        """Wait for the prompt. Raises ChannelError when something else speaks there."""
        late_s = time.monotonic() + timeout_s
        self.banner = self.wire.until(READY, late_s=late_s).decode("utf-8", "replace")
        if not self.banner.startswith("Python ") or BANNER.decode() not in self.banner:
            raise ChannelError(f"{self.wire.name} is not a Python console")

    def run(self, source: str, timeout_s: float = RUN_S) -> str:
        """Run source of any length in a namespace of its own; what it printed, and a traceback if it failed.

        It finds `print` (which comes here and not into the service's output) and `loop`. Raises SilentError when the
        loop of the service is held for longer than the time given.
        """
        late_s = time.monotonic() + timeout_s
        begin, end = secrets.token_hex(8), secrets.token_hex(8)
        self.wire.discard()
        self.wire.send(_statement(source, begin, end).encode("ascii") + b"\n")
        self.wire.until(begin.encode() + b"\n", late_s=late_s)
        printed = self.wire.until(end.encode() + b"\n", late_s=late_s)
        return printed.decode("utf-8", "replace")[: -len(end) - 1]

    def hand_over(self, source: str, entered: bytes, timeout_s: float = RUN_S) -> Wire:
        """Run source that takes the connection away from the console, which ends; what takes it says `entered`."""
        late_s = time.monotonic() + timeout_s
        failed = self.run(source, timeout_s)
        if failed:
            raise ChannelError(f"the console did not let go: {failed.strip()[-200:]}")
        self.handed_over = True
        self.wire.leave_with(b"off\n", self._keeper)
        self.wire.until(entered, late_s=late_s)
        return self.wire

    def close(self, *, patience_s: float = LEAVE_S) -> None:
        self.wire.close(patience_s=patience_s)


def packed(source: str) -> str:
    return base64.b64encode(zlib.compress(source.encode("utf-8", "surrogatepass"), 9)).decode("ascii")


def _statement(source: str, begin: str, end: str) -> str:
    """One line: the console reads no other. The marks stand in halves, so that no echo of it looks like them."""
    unpacked = f"__import__('zlib').decompress(__import__('base64').b64decode({packed(source)!r}))"
    first, last = (f"out({mark[:8]!r} {mark[8:]!r})" for mark in (begin, end))
    return (
        f"(lambda out, env: ({first}, exec({RUN!r}, env), env['run']({unpacked}, env), {last}, None)[4])"
        "(print, {'__name__': 'taskdoctor', 'print': print, 'loop': loop})"
    )


@contextlib.contextmanager
def _alone(address: str, late_s: float, keeper: Keeper | None) -> Iterator[None]:
    """Nobody else on this machine opens the console of this service meanwhile; a name that dies with its process, or
    when the keeper of a killed one has left the console."""
    if sys.platform != "linux":
        yield
        return
    with socket.socket(socket.AF_UNIX) as name:
        while True:
            try:
                name.bind(f"\0taskdoctor console {address}")
            except OSError as error:
                if time.monotonic() > late_s:
                    raise ChannelError("another client is opening the console of the service") from error
                time.sleep(0.05)
            else:
                break
        if keeper is not None:
            keeper.hold(name)
        yield
        if keeper is not None:
            keeper.let_go()


class ConsoleHolder:
    """Opens the console of a service through a terminal session, and closes it again."""

    def __init__(self, session: TermSession, address: Address, keeper: Keeper | None = None) -> None:
        self._session = session
        self._address = address
        self._keeper = keeper
        self._console: Console | None = None
        self._ours = False  # we opened it; else somebody else is in it, and only our connection is ours
        self._turn = contextlib.ExitStack()

    def open(
        self,
        default: int,
        ports: Callable[[], Sequence[int]],
        *,
        may_be_open: Callable[[], bool] = lambda: True,
        timeout_s: float = OPEN_S,
    ) -> Console:
        """The console, ready: at its default port, or where the process listens since it was opened.

        Asking the service whether one is open costs it a look at all its tasks: `may_be_open` saves that.
        Raises ChannelError when it is disabled, not to be found, or the loop of the service does not turn.
        """
        self._turn.enter_context(_alone(str(self._address), time.monotonic() + TURN_S, self._keeper))
        late_s = time.monotonic() + timeout_s
        joined = self._first([default])
        if joined is None and may_be_open() and self._is_taken():
            joined = self._first([port for port in ports() if port != self._address.port])
            if joined is None:
                raise ChannelError("somebody else is in the console of the service")
        if joined is None:
            before = set(ports())
            self._begin(late_s)
            joined = self._first([*(port for port in ports() if port not in before), default])
        if joined is None:
            raise ChannelError("the console of the service is open, but its port was not found")
        self._console = joined
        return joined

    def _is_taken(self) -> bool:
        """Whether a console runs in the service: a second one there would end in errors on its own output."""
        return "(showing 0 tasks)" not in self._session.command("ps -f handle_connect")

    def close(self) -> None:
        """Leave in order: our connection, the console command; the session stays usable."""
        with self._turn:
            if self._console is not None and not self._console.handed_over:
                with contextlib.suppress(ChannelError):
                    self._console.run(TIDY)
                self._console.close()
            self._console = None
            if self._ours:
                self._ours = False
                late_s = time.monotonic() + LEAVE_S
                with contextlib.suppress(ChannelError):
                    self._session.wire.discard()
                    self._session.wire.send(GOODBYE)
                    self._session.wire.until(PROMPT, late_s=late_s)
                self._session.wire.leave_with(GOODBYE, self._keeper)

    def _begin(self, late_s: float) -> None:
        """Have the session open it. Leaving while it is not open yet would show in the service: it is waited for."""
        self._session.wire.leave_with(b"%s %s\r%s" % (HARMLESS, TIDIED, GOODBYE), self._keeper)
        self._session.begin("console")
        self._ours = True
        try:
            answer = self._session.wire.until(OPENS, DISABLED, late_s=late_s)
        except SilentError:
            with contextlib.suppress(SilentError):
                self._session.wire.until(OPENS, late_s=time.monotonic() + HELD_S)
            raise
        if answer.endswith(DISABLED):
            self._ours = False
            self._session.wire.until(PROMPT, late_s=late_s)
            self._session.wire.leave_with(GOODBYE, self._keeper)
            raise ChannelError("the console of the service is disabled")

    def _first(self, ports: Sequence[int]) -> Console | None:
        return next((console for port in ports if (console := self._try(self._address.at(port)))), None)

    def _try(self, address: Address) -> Console | None:
        try:
            sock = connect(address, timeout_s=1.0, keeper=self._keeper, goodbye=TIDIED + b"\n")
        except ChannelError:
            return None
        console = Console(sock, name=f"the console at {address}", keeper=self._keeper)
        try:
            console.start(timeout_s=2.0)
        except ChannelError:
            console.close(patience_s=0.5)
            return None
        return console


TIDIED = _statement(TIDY, "", "").encode("ascii")
