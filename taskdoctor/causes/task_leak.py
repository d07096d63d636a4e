"""`task-leak`: fire-and-forget tasks pile up."""

from __future__ import annotations

from taskdoctor.causes import _risks
from taskdoctor.causes._example_logs import Said, Turn, growing, incident, pile, slow_tool
from taskdoctor.diagnosis.claiming import grown_work, rising
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Risk, Timeline

ID = "task-leak"
COUNT = "app.watch:tasks:25"


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """A count owns lateness only as far as lateness rises with it, judged over all operations."""
    return (
        *rising(timeline, ID, Lane.TASKS, say="lateness rises with {label}: {first} -> {last}"),
        *grown_work(timeline, ID, Lane.TASKS, say="{label}: {first} -> {last}"),
    )


def risks(timeline: Timeline) -> tuple[Risk, ...]:
    """The same without blame: it grows, and nothing was late because of it yet."""
    return _risks.growing(timeline, CAUSE, "Tasks pile up", Lane.TASKS)


def _count(turn: Turn, tasks: float) -> Said:
    return Said(turn.start_s, f"📊 任务统计: 总={tasks:.0f}, 活跃={tasks - 5:.0f}", logger=COUNT)


def _forgotten(turn: Turn, tasks: float) -> tuple[Said, ...]:
    sent = Said(turn.start_s + 0.3, "Queued audio WebSocket message to frontend", logger="app.send:queue:40")
    if tasks < 60:
        return (_count(turn, tasks), sent)
    return (
        _count(turn, tasks),
        sent,
        Said(turn.start_s + 0.001, f"⚠️  活跃任务数异常: {tasks - 5:.0f}", "WARNING", COUNT),
    )


def _sixty_sessions(turn: Turn) -> tuple[Said, ...]:
    return (_count(turn, 72 + turn.number % 2),)


CAUSE = Cause(
    id=ID,
    title="Tasks are started and never finish or are never fetched",
    layer=Layer.GROWING,
    lanes=(Lane.TASKS,),
    prior_held=0.01,
    prior_free=0.02,
    claims=claims,
    risks=risks,
    why=(
        "`asyncio.create_task(...)` without keeping the result starts something that nobody waits for, stops or hears "
        "of when it fails. If it waits for a client that has gone, it stays for ever, with its session, its socket "
        "and its history. Each turn of the loop and each full collection has a little more to do, so the service gets "
        "slower with the hours until it is restarted. The loop keeps only weak references: such a task may also "
        "vanish half done. Many tasks are no leak: one per open websocket is as it should be."
    ),
    check=(
        "In the service's console (aiomonitor), twice, ten minutes apart, with as many sessions: `import asyncio, "
        "collections; print(collections.Counter(t.get_coro().__qualname__ for t in "
        "asyncio.all_tasks()).most_common(8))`   # one name that grows while the sessions do not is the leak; equal "
        "counts refute it"
    ),
    fix=Fix(
        summary=(
            "Await it; where it must run on its own, keep the reference, discard it when done, and cancel it at "
            "disconnect."
        ),
        priority=Priority.P1,
        effort="10 minutes per place",
        risk=(
            "Awaiting makes the sender as slow as the client: give the wait a limit. Keeping the reference prevents "
            "the loss, not the pile: without a limit or a cancel the set grows just the same. Cancelled tasks must "
            "clean up quickly."
        ),
        before="""\
import asyncio


def send(websocket, message: dict[str, str]) -> None:
    asyncio.create_task(websocket.send_json(message))  # nobody awaits, stops or hears of it
""",
        after="""\
import asyncio

background: set[asyncio.Task[None]] = set()


async def send(websocket, message: dict[str, str]) -> None:  # best: await it
    async with asyncio.timeout(10):
        await websocket.send_json(message)


def send_later(websocket, message: dict[str, str]) -> None:  # else: keep it, drop it when done
    task = asyncio.create_task(send(websocket, message))
    background.add(task)
    task.add_done_callback(background.discard)
""",
    ),
    blind_why=(
        "asyncio does not log how many tasks there are. Only a count that the service writes, or lines about lost "
        "tasks, show it."
    ),
    blind_how=(
        'logging.info("tasks: %d", len(asyncio.all_tasks()))   # every 30 s in a task; and `ruff check --select '
        "RUF006 .` finds the places"
    ),
    leads_to=("gc-pause", "cpu-bound", "blocking-call", "memory-pressure", "pool-exhaustion", "slow-teardown"),
    more=(
        "asyncio.TaskGroup (3.11) ties tasks to a block: it waits for all and cancels the rest when one fails, which "
        "is wrong for tasks that should survive each other's errors. Let the done-callback also log "
        "`task.exception()`, after asking `task.cancelled()`. Give every wait for a client a time limit and close the "
        "websocket on ping time-out. `Task was destroyed but it is pending!` within two seconds of the exit is "
        "harmless. A planned restart each night is a crutch, an honest one while you look."
    ),
    examples=(
        Example(
            name="lateness rises with the count",
            log=growing(pile(12, 1, 24), _forgotten, per_level=0.012),
            wins=True,
        ),
        Example(
            name="60 long-lived sessions, and a slow tool",
            log=incident((6.2, 7.9, 5.8, 6.6), slow_tool, ordinary=_sixty_sessions),
            wins=False,
        ),
    ),
)
