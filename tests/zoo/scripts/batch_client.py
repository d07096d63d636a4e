"""An MCP client that runs in the background; it mentions FastMCP( and StdioServerTransport only here."""

import sys
import time

from mcp import ClientSession, StdioServerParameters

parameters = StdioServerParameters(command="mcp-server-time")
sys.stdout.write(f"READY {ClientSession} FastMCP() is what it would talk to\n")
sys.stdout.flush()
time.sleep(3600)
