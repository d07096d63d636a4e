"""SDK 1.x: the first of its kind leads the others through a socket; it lives on after its client."""

import socket
import sys
import threading

from mcp.server.fastmcp import FastMCP

server = FastMCP("elected")
kept = []


def lead(path: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        kept.append(listener.accept()[0])


if __name__ == "__main__":
    threading.Thread(target=lead, args=(sys.argv[1],)).start()
    server.run()
