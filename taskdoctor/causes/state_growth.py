"""`state-growth`: histories, caches and per-client dictionaries grow without bound."""

from __future__ import annotations

from taskdoctor.causes import _risks
from taskdoctor.causes._example_logs import Said, Turn, growing, incident, pile, slow_tool
from taskdoctor.diagnosis.claiming import grown_work, longer_each_time, rising
from taskdoctor.diagnosis.growth import growths
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Risk, Timeline

ID = "state-growth"
FOLDER = "live-folder"  # files gone through on the loop: those of `disk-growth`


RISES = "lateness rises with {label}: {first} -> {last}"
KNOWN = (Lane.STATE, Lane.TASKS, Lane.DISK, Lane.CHILDREN, Lane.DESCRIPTORS, Lane.SESSIONS, Lane.QUEUE)


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """A size owns lateness only as far as lateness rises with it, judged over all operations.

    What a gauge with a name of the service's own counts, only where nothing that is known has grown.
    """
    return (
        *rising(timeline, ID, Lane.STATE, say=RISES),
        *(() if growths(timeline, *KNOWN) else rising(timeline, ID, Lane.GAUGE, say=RISES)),
        *grown_work(timeline, ID, Lane.STATE, say="{label}: {first} -> {last}"),
        *_longer_each_time(timeline),
    )


def _longer_each_time(timeline: Timeline) -> tuple[Claim, ...]:
    """The same line for longer each time, where neither tasks nor files are what it goes through."""
    if growths(timeline, Lane.TASKS):
        return ()
    say = "{label} took longer each time: {first} -> {last}"
    return longer_each_time(timeline, ID, lambda event: event.kind != FOLDER, say=say)


def risks(timeline: Timeline) -> tuple[Risk, ...]:
    """The same without blame: it grows, and nothing was late because of it yet."""
    return _risks.growing(timeline, CAUSE, "State grows without bound", Lane.STATE)


def _heap(turn: Turn, thousands: float) -> tuple[Said, ...]:
    line = f"gc: objects in each generation: 472 5143 {thousands * 1000:.0f}"
    return (Said(turn.start_s, line, logger="app.gc:watch:18"),)


def _flat(turn: Turn) -> tuple[Said, ...]:
    return _heap(turn, 812 + turn.number % 2)


CAUSE = Cause(
    id=ID,
    title="A history, cache or per-client dictionary grows without bound",
    layer=Layer.GROWING,
    lanes=(Lane.STATE,),
    prior_held=0.01,
    prior_free=0.01,
    claims=claims,
    risks=risks,
    why=(
        "Something is added for each message, client or file and never taken out: the chat history, a cache without a "
        "limit, a dictionary by session id. Work that goes over it (building the prompt, saving the history, "
        "searching) takes longer each time, the model gets a longer prompt, and a full garbage collection has more to "
        "walk. So it is quick after a restart and slower by the hour or by the length of the conversation. A cache "
        "that fills once and stays is no growth."
    ),
    check=(
        "In the service's console, twice, an hour apart: `import collections, gc; "
        "print(collections.Counter(type(o).__name__ for o in gc.get_objects()).most_common(12))`   # holds the loop "
        "for about a second per few million objects; a type whose count follows the hours, not the sessions, is it"
    ),
    fix=Fix(
        summary="Give everything that grows a bound, and remove what belongs to a client when it leaves.",
        priority=Priority.P1,
        effort="an hour per container",
        risk=(
            "A trimmed history makes the model forget: keep the system prompt and a summary of the rest. A cache that "
            "is too small costs more than it saves. Removing at disconnect loses the state of a client that comes "
            "right back: keep it a minute."
        ),
        before="""\
histories: dict[str, list[str]] = {}


def remember(client_id: str, message: str) -> list[str]:
    histories.setdefault(client_id, []).append(message)  # for ever
    return histories[client_id]
""",
        after="""\
from collections import deque

histories: dict[str, deque[str]] = {}


def remember(client_id: str, message: str) -> deque[str]:
    history = histories.setdefault(client_id, deque(maxlen=200))
    history.append(message)
    return history


def forget(client_id: str) -> None:  # on disconnect
    histories.pop(client_id, None)
""",
    ),
    blind_why=(
        "Sizes of containers stand in no log unless the service writes them; the resident size alone does not say "
        "what grew."
    ),
    blind_how=(
        'logging.info("state: %d histories, %d messages", len(histories), sum(map(len, histories.values())))   # each '
        "minute; and `memray attach PID` for what allocates"
    ),
    leads_to=("gc-pause", "cpu-bound", "blocking-call", "memory-pressure", "slow-teardown"),
    more=(
        "functools.lru_cache on a method keeps every `self` alive: cache on a plain function with a maxsize. "
        "Exceptions that are stored keep their frames and all that lives in them. weakref.WeakValueDictionary forgets "
        "by itself, sometimes sooner than you like. Save history by appending, not by writing the whole file each "
        "turn. uvicorn's `--limit-max-requests` restarts a worker before it is too big: a crutch that drops its "
        "websockets."
    ),
    examples=(
        Example(
            name="lateness rises with the heap",
            log=growing(pile(410, 8, 180), _heap, per_level=0.0016),
            wins=True,
        ),
        Example(
            name="a big heap that does not grow",
            log=incident((6.2, 7.9, 5.8, 6.6), slow_tool, ordinary=_flat),
            wins=False,
        ),
    ),
)
