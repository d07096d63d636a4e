"""SDK 1.x: does not listen to TERM, and a thread keeps it alive."""

import signal
import threading
import time

from mcp.server.fastmcp import FastMCP

server = FastMCP("deaf")

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=lambda: time.sleep(3600)).start()
    server.run()
