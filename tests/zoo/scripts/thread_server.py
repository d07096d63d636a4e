"""SDK 1.x: a thread that is no daemon keeps the process alive after the end of its input."""

import threading
import time

from mcp.server.fastmcp import FastMCP

server = FastMCP("thread")


@server.tool()
def add(a: int, b: int) -> int:
    return a + b


def refresh() -> None:
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    threading.Thread(target=refresh).start()
    server.run()
