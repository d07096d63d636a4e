"""A tool server as a stdio subprocess: one JSON-RPC message per line. Standard library only, started without site.

Left behind by a client that never closed it, it goes on syncing its notes, and keeps the database to itself meanwhile.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import select
import signal
import sqlite3
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
SYNC_S = (1.2, 2.4)


def answer(request: dict[str, object], rng: random.Random) -> dict[str, object]:
    """The reply to one request; a tool takes a moment."""
    result: dict[str, object] = {}
    if request["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "serverInfo": {"name": sys.argv[1]}}
    elif request["method"] == "tools/call":
        time.sleep(rng.uniform(0.03, 0.16))
        result = {"content": [{"type": "text", "text": "done"}]}
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def sync(database: str, seconds: float) -> None:
    """Rewrite the notes: nobody else reads or writes the file for so long."""
    connection = sqlite3.connect(database, timeout=20, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(seconds)
    connection.execute("COMMIT")
    connection.close()


def serve(rng: random.Random) -> float:
    """Answer until stdin closes; when the client leaves without closing, the longest time between two syncs."""
    for line in sys.stdin:
        request = json.loads(line)
        if request["method"] == "notifications/left":
            return float(request["params"]["sync_every_s"])
        sys.stdout.write(json.dumps(answer(request, rng)) + "\n")
        sys.stdout.flush()
    return 0.0


def linger(database: str, sync_every_s: float, rng: random.Random) -> None:
    """Go on for as long as the service lives."""
    parent = os.getppid()
    while os.getppid() == parent:
        wait_s = rng.uniform(0.1, 1.0) * sync_every_s
        if select.select([sys.stdin], [], [], wait_s)[0]:
            return  # the pipe closed after all
        sync(database, rng.uniform(*SYNC_S))


def end_with_service() -> None:
    """On Linux the kernel ends this process with its service, even while it is stopped and cannot see stdin close."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    end_with_service()
    chance = random.Random(int(sys.argv[3]))
    left_with_s = serve(chance)
    if left_with_s:
        linger(sys.argv[2], left_with_s, chance)
