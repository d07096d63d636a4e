"""Clients of MCP servers that are closed while some of their servers are not, in the words of services unknown here."""

from taskdoctor.collectors.logs.event import GENERIC, LogEvent
from taskdoctor.model import Form, Lane

_CLOSING = (
    r"\b(?:[Cc]los(?:e|ing|ed)|[Ss]hut(?:ting)? ?down|[Ss]topp(?:ing|ed)|[Dd]isconnect(?:ing|ed)|[Tt]earing down)\b"
)
_LEFT = r"(?:active|open|live|alive|running|remaining|unclosed|connected)"
_WHAT = r"(?:MCP )?(?:connection|session|server|client|subprocesse|processe)s?\b"

EVENTS = (
    LogEvent(
        kind="generic-mcp-servers-at-close",
        lane=Lane.CHILDREN,
        form=Form.LEVEL,
        literals=(" active connection", " active session", " open server", " open connection", " still "),
        words=("MCP", "mcp"),
        pattern=(
            rf"{_CLOSING}[^\d\n]{{0,100}}\b(?P<value>\d{{1,4}}) "
            rf"(?:{_LEFT} {_WHAT}|{_WHAT}[^\d\n]{{0,20}}\b(?:still|{_LEFT})\b)"
        ),
        anywhere=True,
        samples=(
            "Closing MCP client with 3 active sessions",
            "Shutting down MCP client (2 open servers)",
            "MCP client closed, 2 connections still active",
            "mcp.manager: Disconnecting: 5 active connections",
            "Client closed while 4 MCP servers are still running",
        ),
        near_misses=(
            "Opening MCP client with 3 active sessions",
            "User input: Closing MCP client with 3 active sessions",
            "MCP server closed, 3 retries and it still answers",
            "closing the MCP client of 4 users who are still here",
        ),
        label="MCP servers at close",
        title="MCP servers that are open at close",
        priority=GENERIC,
    ),
)
