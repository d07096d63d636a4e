"""`lock-contention`: tasks queued on a lock, a condition or a database row."""

from __future__ import annotations

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.diagnosis.claiming import beside, marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "lock-contention"
BUSY_TIMEOUT_S = 5.0  # sqlite3.connect's default: it waited that long before it said so


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Measured waits; an error that ends a wait of known default length."""
    return (
        *spans(timeline, ID, Lane.LOCK, say="waited {seconds} for {label}"),
        *marks(timeline, ID, Lane.LOCK, before_s=BUSY_TIMEOUT_S, weight=0.9, say="{label} after {seconds}"),
        *beside(timeline, ID, Lane.LOCK, say="late while {count} others waited ({label})"),
    )


def _locked(turn: Turn) -> tuple[Said, ...]:
    return (Said(turn.end_s - 0.2, "sqlite3.OperationalError: database is locked", "ERROR", "app.history:append:63"),)


def _asked_about(turn: Turn) -> tuple[Said, ...]:
    """The words stand in what a user asked."""
    question = "User input: sqlite3.OperationalError: database is locked, what can I do?"
    return (Said(turn.start_s + 0.1, question), *slow_tool(turn))


CAUSE = Cause(
    id=ID,
    title="Tasks queued on a lock or a locked database row",
    layer=Layer.WAITING_INSIDE,
    lanes=(Lane.LOCK,),
    prior_held=0.10,
    prior_free=0.10,
    claims=claims,
    why=(
        "One task holds an asyncio lock, a condition or a database row while it awaits something slow; all others "
        "that need it line up, and each waits for everyone before it. The loop is free, the CPU idle, and only "
        "requests that need the lock are late: latencies grow in steps of the holder's time. SQLite allows one writer "
        "for the whole file, so a forgotten process can lock everybody out. With a thread lock instead of an asyncio "
        "one, the waiter holds the loop itself, and then all requests stop."
    ),
    check=(
        "python -m aiomonitor.cli -H 127.0.0.1 -p 20101   # during a stall type `ps`, then `where ID` for the oldest "
        "tasks: several in `Lock.acquire` of one place confirm it, the one inside the section is the holder; for "
        "SQLite: `fuser -v app.db` lists who has it open"
    ),
    fix=Fix(
        summary="Do the slow part outside the lock, lock per session instead of globally, and wait with a time limit.",
        priority=Priority.P1,
        effort="an hour per lock",
        risk=(
            "A smaller section can lose updates: what was read before the lock may be old inside it, so check again "
            "there. A dictionary of locks grows with the sessions: remove a session's lock when it ends."
        ),
        before="""\
import asyncio

lock = asyncio.Lock()


async def reply(session, text: str, llm) -> None:
    async with lock:  # one conversation at a time, for everybody
        session.history.append(await llm(session.history, text))
""",
        after="""\
import asyncio


async def reply(session, text: str, llm) -> None:
    answer = await llm(tuple(session.history), text)  # outside: nobody waits for the model
    async with asyncio.timeout(5), session.lock:  # one lock per session
        session.history.append(answer)
""",
    ),
    blind_why=(
        "asyncio locks write nothing, whoever waits; of the databases only the error at the end of a wait is seen."
    ),
    blind_how=(
        "PostgreSQL: `ALTER SYSTEM SET log_lock_waits = on;` then `SELECT pg_reload_conf();` logs waits over 1 s. "
        'asyncio: `t = time.perf_counter(); await lock.acquire(); logging.info("waited %.3fs for lock %s", '
        "time.perf_counter() - t, name)`"
    ),
    leads_to=("pool-exhaustion", "queue-backlog"),
    more=(
        "SQLite: `PRAGMA journal_mode=WAL` lets readers pass the writer (not on network drives); short transactions "
        "with BEGIN IMMEDIATE fail early instead of late. Never keep a transaction open across a model call. If "
        "nothing is ever granted again it is a deadlock, not contention: take locks in one order, put time limits on "
        "them. End leftover processes that still hold the file before you tune anything."
    ),
    examples=(
        Example(name="SQLite's five seconds, each time", log=incident((6.0, 6.1, 5.9, 6.2, 6.0), _locked), wins=True),
        Example(
            name="the error is what the user asks about", log=incident((6.2, 7.9, 5.8, 6.6), _asked_about), wins=False
        ),
    ),
)
