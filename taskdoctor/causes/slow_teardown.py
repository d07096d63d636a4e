"""`slow-teardown`: closing a session or connection held things up."""

from __future__ import annotations

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "slow-teardown"
CONTEXT = "app.context:close:192"


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Teardowns with a length; a line that only calls one abnormal says less."""
    return (
        *spans(timeline, ID, Lane.TEARDOWN, say="closing {label} took {seconds}"),
        *marks(timeline, ID, Lane.TEARDOWN, before_s=5.0, weight=0.5, say="{label} inside the stall"),
    )


def _closing(begin_s: float, took_s: float) -> tuple[Said, ...]:
    return (
        Said(begin_s, "Closing ServiceContext...", logger=CONTEXT),
        Said(begin_s + 0.01, "Closing MCPClient... and 4 active connections", logger="app.mcp.client:close:159"),
        Said(begin_s + took_s, f"ServiceContext 清理耗时: {took_s:.3f}s", logger=CONTEXT),
    )


def _inside(turn: Turn) -> tuple[Said, ...]:
    return _closing(turn.start_s + 0.2, round(turn.seconds - 0.6, 3))


def _after(turn: Turn) -> tuple[Said, ...]:
    """The longer duration is the harmless one: nobody is in a turn meanwhile."""
    return (*slow_tool(turn), *_closing(turn.end_s + 1.0, 5.4))


CAUSE = Cause(
    id=ID,
    title="Closing a session or connection held things up",
    layer=Layer.LOOP_HELD,
    lanes=(Lane.TEARDOWN,),
    prior_held=0.01,
    prior_free=0.01,
    claims=claims,
    why=(
        "When a client leaves, its session closes MCP subprocesses, HTTP clients, models and files, often one after "
        "the other and each with its own grace time: a stdio server that ignores the end of its input costs two "
        "seconds or more before it is killed. If that runs synchronously, under a shared lock, or in the handler that "
        "also serves the next client, the others wait for somebody who has already left. Reconnects make it worse: "
        "they come in bursts. A teardown that is awaited on its own is harmless, however long it is."
    ),
    check=(
        'grep -nE "Closing (ServiceContext|MCPClient)|MCPC: C|ServiceContext c|清理耗时" server.log | tail -40'
        "   # other sessions' lines stop between Closing and closed: it is; they go on: it is not"
    ),
    fix=Fix(
        summary=(
            "Close in a task of its own, with a time limit, all connections at once, and keep a reference to the task."
        ),
        priority=Priority.P1,
        effort="an hour",
        risk=(
            "MCP and anyio clients must be closed by the task that opened them (else: `exit cancel scope in a "
            "different task`): give each session one task that opens, serves and closes. A time limit that fires "
            "leaves a subprocess behind: kill its group then. Wait for the closing tasks at shutdown."
        ),
        before="""\
async def on_disconnect(session) -> None:
    for client in session.clients:
        await client.close()  # 2 s each, and the next client waits
""",
        after="""\
import asyncio, contextlib

closing: set[asyncio.Task[None]] = set()


async def close_all(session) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.gather(*(c.close() for c in session.clients), return_exceptions=True)


def on_disconnect(session) -> None:
    task = asyncio.create_task(close_all(session))
    closing.add(task)
    task.add_done_callback(closing.discard)
""",
    ),
    blind_why="Most services log that they close, few log that they have closed, and hardly any how long it took.",
    blind_how=(
        "Log both ends: `t = time.perf_counter(); await context.close(); "
        'logging.info("ServiceContext 清理耗时: %.3fs", time.perf_counter() - t)`'
    ),
    leads_to=("blocking-call", "orphan-processes"),
    more=(
        "Share MCP servers between sessions instead of starting four per websocket: start-up and teardown both "
        "disappear, but their state is shared too. Let servers end on end-of-input, so that closing stdin is enough. "
        "Never join a thread or call `proc.wait()` of subprocess in a handler. A close that logs its start and never "
        "its end is a hang: the session's resources are still there."
    ),
    examples=(
        Example(name="a teardown inside each slow turn", log=incident((3.4, 4.1, 2.9, 3.8, 3.2), _inside), wins=True),
        Example(name="long teardowns while nobody waits", log=incident((6.2, 7.9, 5.8, 6.6), _after), wins=False),
    ),
)
