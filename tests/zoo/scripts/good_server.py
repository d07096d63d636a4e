"""A well-behaved server of SDK 1.x: it ends when its stdin does."""

from mcp.server.fastmcp import FastMCP

server = FastMCP("good")


@server.tool()
def add(a: int, b: int) -> int:
    return a + b


if __name__ == "__main__":
    server.run()
