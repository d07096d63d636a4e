"""SDK 1.x over HTTP: stdin means nothing to it."""

import sys

from mcp.server.fastmcp import FastMCP

server = FastMCP("web", port=int(sys.argv[1]))

if __name__ == "__main__":
    server.run(transport="streamable-http")
