"""SDK 2.x: moves its wire off 0 and 1; a thread keeps it alive."""

import sys
import threading
import time

from mcp.server import MCPServer

server = MCPServer("second")


@server.tool()
def add(a: int, b: int) -> int:
    return a + b


if __name__ == "__main__":
    if "--stay" in sys.argv:
        threading.Thread(target=lambda: time.sleep(3600)).start()
    server.run()
