"""The service under diagnosis, by its pid or by a port that it listens on."""

from __future__ import annotations

import psutil

from taskdoctor.errors import UnreadableError, UsageError


def find_service(text: str) -> int:
    """The pid that `--of` means: a process of that number, else who listens on that port. Raises for none."""
    digits = text.rpartition(":")[2]
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10:
        raise UsageError(
            f"--of {text}: neither a pid nor a port", hint="Write it like --of 4711 or --of 127.0.0.1:8000."
        )
    number = int(digits)
    only_port = ":" in text
    listener = _listener(number) if number < 65536 else None
    if listener is not None and (only_port or not psutil.pid_exists(number)):
        return listener
    if not only_port and number > 0 and psutil.pid_exists(number):
        return number
    hint = "A port that is another user's shows no owner; give the pid then." if number < 65536 else ""
    raise UnreadableError(f"--of {text}: no process of that number, and nobody seen listening on it", hint=hint)


def _listener(port: int) -> int | None:
    """Who listens; the parent, where workers share a port that it opened."""
    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError, RuntimeError):
        return None
    pids = [
        one.pid
        for one in found
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid
    ]
    return min(pids, default=None)
