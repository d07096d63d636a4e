"""An MCP client that runs in the background; it mentions FastMCP( and StdioServerTransport only here."""

import time

from mcp import ClientSession, StdioServerParameters

parameters = StdioServerParameters(command="mcp-server-time")
print("READY", ClientSession, "FastMCP() is what it would talk to", flush=True)
time.sleep(3600)
