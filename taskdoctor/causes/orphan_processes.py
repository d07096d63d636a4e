"""`orphan-processes`: leftover subprocesses eat CPU, memory, locks or ports."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes import _leftovers, _risks
from taskdoctor.causes._example_logs import Said, Turn, growing, incident, pile, slow_tool
from taskdoctor.causes._prevention import OWN_GROUP
from taskdoctor.diagnosis.claiming import marks, rising, spans
from taskdoctor.diagnosis.growth import COPIES, Growth, growths
from taskdoctor.model import (
    Cause,
    Claim,
    Evidence,
    Example,
    Interval,
    Lane,
    Layer,
    Risk,
    Timeline,
)

ID = "orphan-processes"
TITLE = "Subprocesses are left behind"
SWARM = 5
FEW_LEFT = 3  # children left, and lock waits after them, that are no coincidence
OUTLIVED, FEW_OUTLIVED = "child-left", 2  # seen live, beside those that were started with it
CPU = "children-cpu"  # cores that the copies of one program below a live service used
NEXT_LOOK_S = 1.1  # the look that counts what was used meanwhile
MUCH_CPU = 0.3  # cores, over a second of which the want of a CPU was a part
LOCK_WAIT_S = 0.5
BEFORE_SHARE = 0.1  # of the log without children left, and of the waits that may fall into it
KILL_GRACE_S = 10.0  # what is tried on a child before it is given up
CLIENT = "app.mcp.client:start:41"
SELDOM, OFTEN = 0.25, 2.0  # left behind per turn, in the example


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """A child given up inside a stall; that leftovers exist owns nothing until lateness rises with their number."""
    return (
        *marks(timeline, ID, Lane.CHILDREN, before_s=KILL_GRACE_S, weight=0.5, say="{label} inside the stall"),
        *rising(timeline, ID, Lane.CHILDREN, say="lateness rises with {label}: {first} -> {last}"),
        *_held_locks(timeline),
        *_pressing(timeline),
        *_leftovers.claims(timeline, ID),
    )


def _left(timeline: Timeline) -> list[float]:
    """When children were left behind: as lines say, else as copies of one program came to more and more."""
    told = [mark.at_s for mark in timeline.marks.get(Lane.CHILDREN, ())]
    return told or sorted(at_s for growth in _more_copies(timeline) for at_s in growth.steps())


def _more_copies(timeline: Timeline) -> list[Growth]:
    """Programs of which a live service has more and more copies, beyond what its connections explain."""
    return [growth for growth in growths(timeline, Lane.CHILDREN) if growth.kind == COPIES]


def _pressing(timeline: Timeline) -> tuple[Claim, ...]:
    """Time in which the service got no CPU while what it leaves behind used as much as a core has."""
    names, pids = {growth.label for growth in _more_copies(timeline)}, _leftovers.pids(timeline)
    used = [
        level
        for level in timeline.levels.get(Lane.CHILDREN, ())
        if level.kind == CPU and (level.label in names or not pids.isdisjoint(level.key.split()))
    ]
    claims = []
    for span in timeline.spans.get(Lane.NOT_SCHEDULED, ()):
        beside: dict[str, float] = {}
        for level in used:
            if span.start_s <= level.at_s <= span.end_s + NEXT_LOOK_S:
                beside[level.label] = max(level.value or 0.0, beside.get(level.label, 0.0))
        cores = sum(beside.values())
        if cores >= MUCH_CPU:
            text = f"copies of {', '.join(sorted(beside)[:2])}, left behind, used {cores:.1f} cores meanwhile"
            claims.append(Claim(ID, Interval(span.start_s, span.end_s), Evidence(text, str(span.place))))
    return tuple(claims)


def _held_locks(timeline: Timeline) -> tuple[Claim, ...]:
    """Waits for a lock that began only when children had been left behind: they hold what everybody waits for."""
    left = _left(timeline)
    waits = [event for event in timeline.spans.get(Lane.LOCK, ()) if (event.seconds or 0.0) >= LOCK_WAIT_S]
    behind = [event for event in waits if left and event.at_s > min(left)]
    watched_s = min(left) - timeline.window.start_s if left else 0.0
    if any(mark.kind == OUTLIVED for mark in timeline.marks.get(Lane.CHILDREN, ())):
        behind = waits if len(left) >= FEW_OUTLIVED else []  # some may be older than the watch
    elif len(left) < FEW_LEFT or len(behind) < FEW_LEFT or watched_s < BEFORE_SHARE * timeline.window.seconds:
        return ()
    if len(waits) - len(behind) > BEFORE_SHARE * len(waits):
        return ()
    only = replace(timeline, spans={Lane.LOCK: tuple(behind)})
    say = f"waited {{seconds}} for a lock, after {len(left)} children were left behind ({{label}})"
    return spans(only, ID, Lane.LOCK, weight=0.9, say=say)


def risks(timeline: Timeline) -> tuple[Risk, ...]:
    """The same without blame: what the process table shows, else what the log hints at."""
    left = timeline.marks.get(Lane.CHILDREN, ())
    return (
        _leftovers.risks(timeline, CAUSE)
        or _risks.growing(timeline, CAUSE, TITLE, Lane.CHILDREN)
        or _risks.happened(CAUSE, TITLE, left, often=SWARM)
        or _unclosed(timeline)
    )


def _unclosed(timeline: Timeline) -> tuple[Risk, ...]:
    """Clients that were opened and never closed, beyond the sessions that are still open."""
    clients = [event for events in timeline.opens.values() for event in events if event.lane is Lane.CHILDREN]
    sessions = [event for events in timeline.opens.values() for event in events if event.lane is Lane.SESSIONS]
    beyond = clients[: max(0, len(clients) - max(len(sessions), 1))]
    return _risks.happened(CAUSE, TITLE, beyond, often=SWARM)


def _left_behind(turn: Turn, left: float) -> tuple[Said, ...]:
    """Clients are opened and never closed, more of them when reconnects begin; then a child is given up each time."""
    before = left - (SELDOM if left < 4 else OFTEN)
    opened = tuple(
        Said(turn.start_s + 0.1 + client / 100, "MCPC: Initialized MCPClient instance.", logger=CLIENT)
        for client in range(int(left) - int(before))
    )
    if left < 4:
        return opened
    line = f"MCP server process {4100 + turn.number} is still alive after the kill escalation; abandoning it"
    return (*opened, Said(turn.end_s - 0.1, line, "WARNING", "mcp.client.stdio:terminate:261"))


def _opened_and_closed(turn: Turn) -> tuple[Said, ...]:
    return (
        Said(turn.start_s + 0.05, "MCPC: Initialized MCPClient instance.", logger=CLIENT),
        Said(turn.end_s + 0.5, "MCPC: Closing client instance and 2 active connections...", logger=CLIENT),
        Said(turn.end_s + 0.6, "MCPC: Client instance closed.", logger=CLIENT),
    )


CAUSE = Cause(
    id=ID,
    title="Leftover subprocesses take CPU, memory, locks or ports",
    layer=Layer.GROWING,
    lanes=(Lane.CHILDREN,),
    prior_held=0.005,
    prior_free=0.004,
    claims=claims,
    risks=risks,
    why=(
        "Each session starts its MCP servers as subprocesses, often through a wrapper (npx, uv, sh). A kill reaches "
        "the wrapper; the real server goes on, without a parent and without work. Reconnects and failed handshakes "
        "add a few each time. They take memory, poll, keep ports, and above all keep database files locked, so the "
        "living ones wait. An idle leftover of 30 MB is untidy, not the cause of a stall: it must overlap with what "
        "was short."
    ),
    check=(
        "ps -eo pid,ppid,etimes,rss,pcpu,args --sort=-etimes | awk 'NR==1 || $2==1' | grep -E "
        "'PID|mcp|npx|uvx|node|python'   # MCP servers with parent 1 and older than the service are leftovers; in a "
        "container compare with the service's own pid; `fuser -v app.db` shows whether one holds your file"
    ),
    fix=replace(OWN_GROUP, summary=f"End the leftovers once. {OWN_GROUP.summary}"),
    blind_why=(
        "A log normally cannot show it: a leftover writes to nobody, and the service does not know that it is there. "
        "Only clients that were opened and never closed hint at it."
    ),
    blind_how=(
        "taskdoctor procs   # reads the process table; or the ps command of the check, with the time, into a file"
    ),
    leads_to=("lock-contention", "memory-pressure", "cpu-starvation", "fd-exhaustion"),
    more=(
        "Let servers end on end-of-input and also look at their parent now and then: end-of-input alone fails behind "
        "npx. On Linux PR_SET_PDEATHSIG ends a child with the thread that started it, which is too early if that "
        "thread is a pool's. Windows needs a job object. In containers run an init (`docker run --init`), or zombies "
        "pile up. Call the server directly instead of through npx. Share servers between sessions instead of starting "
        "some per websocket."
    ),
    examples=(
        Example(
            name="one more left behind each time, and ever later",
            log=growing(pile(0, SELDOM, OFTEN), _left_behind, per_level=0.12),
            wins=True,
        ),
        Example(
            name="opened and closed as it should be, and a slow tool",
            log=incident((6.2, 7.9, 5.8, 6.6), slow_tool, ordinary=_opened_and_closed),
            wins=False,
        ),
    ),
)
