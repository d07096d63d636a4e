"""SDK 1.x: ends with its input, but leaves a helper that it has started."""

import subprocess
import sys

from mcp.server.fastmcp import FastMCP

server = FastMCP("helped")

if __name__ == "__main__":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", *sys.argv[1:]])
    server.run()
