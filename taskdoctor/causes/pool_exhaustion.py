"""`pool-exhaustion`: tasks queued for a connection or a semaphore slot."""

from __future__ import annotations

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool, stdlib
from taskdoctor.causes._readings import full_as_marks
from taskdoctor.diagnosis.claiming import beside, marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "pool-exhaustion"
POOL_TIMEOUT_S = 30.0  # SQLAlchemy's and psycopg's default wait


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """The wait that a time-out names; a refusal inside a stall speaks for what led to it."""
    return (
        *spans(timeline, ID, Lane.POOL, say="waited {seconds} for a connection ({label})"),
        *marks(
            full_as_marks(timeline, Lane.POOL, at_least=1.0),
            ID,
            Lane.POOL,
            before_s=POOL_TIMEOUT_S,
            weight=0.8,
            say="{label} after {seconds} of waiting",
        ),
        *beside(timeline, ID, Lane.POOL, say="late while {count} others waited ({label})"),
    )


def _timed_out(turn: Turn) -> tuple[Said, ...]:
    line = (
        "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout "
        "30.00 (Background on this error at: https://sqlalche.me/e/20/3o7r)"
    )
    return (Said(turn.end_s - 0.3, line, "ERROR", "app.db:session:27"),)


def _asked_about(turn: Turn) -> tuple[Said, ...]:
    question = "User input: I get 'QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00'"
    return (Said(turn.start_s + 0.1, question), *slow_tool(turn))


CAUSE = Cause(
    id=ID,
    title="No free connection or slot in a pool",
    layer=Layer.WAITING_INSIDE,
    lanes=(Lane.POOL,),
    prior_held=0.01,
    prior_free=0.12,
    claims=claims,
    why=(
        "A pool of connections (database, Redis, HTTP) or a semaphore has a fixed number of slots; who comes too late "
        "waits until one is given back. The usual reason in AI back ends is not too much traffic but holding: a "
        "database session stays open while the model streams its answer, so five slow answers lock out everybody. "
        "Connections that are never given back (a pub/sub not closed, a cancelled request) do the same, for good. The "
        "loop is free; only requests that need the pool are late, often by exactly 30 s."
    ),
    check=(
        "ss -Htnp state established '( dport = :5432 )' | grep -c pid=PID   # during a stall, with the port of your "
        "database, Redis or LLM gateway: as many as the pool allows and the peer idle means held, not used; fewer "
        "means it is not this pool"
    ),
    fix=Fix(
        summary="Give the connection back before the slow call, and wait for one with a short time limit.",
        priority=Priority.P0,
        effort="an hour",
        risk=(
            "Two short transactions instead of a long one can see different data: check what you read before you "
            "write. A bigger pool only moves the queue into the database, whose own limit counts all workers together."
        ),
        before="""\
async def reply(sessions, user_id: int, llm) -> str:
    async with sessions() as db:
        history = await db.history(user_id)
        answer = await llm(history)  # 20 s with a connection in hand
        await db.save(user_id, answer)
    return answer
""",
        after="""\
async def reply(sessions, user_id: int, llm) -> str:
    async with sessions() as db:
        history = await db.history(user_id)
    answer = await llm(history)  # nothing held
    async with sessions() as db:
        await db.save(user_id, answer)
    return answer
""",
    ),
    blind_why=(
        "Pools write only when a wait times out; asyncpg and plain semaphores wait for ever and in silence, and HTTP "
        "clients report it as their own time-out."
    ),
    blind_how=(
        'SQLAlchemy: `logging.info("pool: %s", engine.pool.status())` every 10 s; asyncpg: `logging.info("pool: %d of '
        '%d idle", pool.get_idle_size(), pool.get_size())`; and pass `timeout=` to every acquire'
    ),
    leads_to=("queue-backlog",),
    more=(
        "Always use `async with`, also around pub/sub and streamed responses: an unread httpx stream keeps its "
        "connection. One client for the whole process, not one per request. A pool of N per worker with W workers is "
        "N times W: stay under the server's max_connections, or put pgbouncer before it (no session state then). "
        "`pool_pre_ping` costs a round trip and helps only against dead connections. Size a semaphore by what the "
        "peer bears, not by hope."
    ),
    examples=(
        Example(
            name="thirty seconds, then the time-out",
            log=incident((30.9, 31.0, 30.8, 31.1), _timed_out, prefix=stdlib),
            wins=True,
        ),
        Example(
            name="the error is what the user asks about", log=incident((6.2, 7.9, 5.8, 6.6), _asked_about), wins=False
        ),
    ),
)
