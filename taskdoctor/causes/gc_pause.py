"""`gc-pause`: the cyclic collector stopped everything."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.causes._readings import stepping
from taskdoctor.diagnosis.claiming import spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "gc-pause"
COUNTED = "counted-collections"
WATCH = "app.gc:watch:12"


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Only collections with a length: that one happened says nothing, nearly every slow turn has one inside.

    Unless the loop stalls just where full collections are counted, and hardly any was counted elsewhere.
    """
    counted = stepping(timeline, Lane.GC, kind=COUNTED, least=1.0)
    only = replace(timeline, spans={Lane.GC: counted})
    return (
        *spans(timeline, ID, Lane.GC, say="a gen-{key} collection ran {seconds}"),
        *(spans(only, ID, Lane.GC, weight=0.8, say="a full collection was counted here ({label})") if counted else ()),
    )


def _full_collection(turn: Turn) -> tuple[Said, ...]:
    return (
        Said(turn.start_s + 0.2, "🗑️  GC start: {'generation': 2, 'collected': 0, 'uncollectable': 0}", logger=WATCH),
        Said(turn.end_s - 0.5, "🗑️  GC stop: {'generation': 2, 'collected': 15234, 'uncollectable': 0}", logger=WATCH),
    )


def _harmless(turn: Turn) -> tuple[Said, ...]:
    at_s = turn.start_s + 0.5
    return (
        Said(at_s, "🗑️  GC start: {'generation': 2, 'collected': 0, 'uncollectable': 0}", logger=WATCH),
        Said(at_s + 0.03, "🗑️  GC stop: {'generation': 2, 'collected': 310, 'uncollectable': 0}", logger=WATCH),
    )


CAUSE = Cause(
    id=ID,
    title="The garbage collector stopped the process",
    layer=Layer.GC,
    lanes=(Lane.GC,),
    prior_held=0.09,
    prior_free=0.01,
    claims=claims,
    why=(
        "A full (generation 2) collection walks every container object that is alive, in one go, holding the GIL: no "
        "task, no thread, no heartbeat runs meanwhile. Its length grows with what lives, not with what is garbage: "
        "about a second for ten million objects. So a service with a big history, a loaded model or a leak stalls "
        "seldom but long, and longer every day. An explicit `gc.collect()` in a handler does the same on purpose, "
        "each time. Short collections are everywhere and harmless; only the seconds they cover count."
    ),
    check=(
        "In the service's console, at a quiet moment: `import gc, time; t = time.perf_counter(); gc.collect(); "
        "print(time.perf_counter() - t, gc.get_count(), gc.get_threshold(), gc.get_freeze_count())`   # this one call "
        "stalls everybody for exactly as long as the pause: as long as your stalls, it is GC; 0.05 s, it is not"
    ),
    fix=Fix(
        summary=(
            "Freeze what lives after warm-up, raise the thresholds, and collect at a moment you choose (the last "
            "disconnect), never inside a turn."
        ),
        priority=Priority.P0,
        effort="10 minutes",
        risk=(
            "Frozen objects are never collected: freeze once, after warm-up, or a leak becomes permanent. High "
            "thresholds keep cyclic garbage longer: watch the resident size for a day. A collection at disconnect "
            "stalls everybody who is still connected: only when nobody is, and not at every one in a reconnect storm."
        ),
        before="""\
import gc


async def on_disconnect(session, sessions) -> None:
    sessions.discard(session)
    await session.close()
    gc.collect()  # stalls all the others, each time one leaves
""",
        after="""\
import gc


def after_warm_up() -> None:  # once: models, routes and caches are loaded
    gc.collect()
    gc.freeze()  # what lives now is not walked again
    gc.set_threshold(50_000, 20, 50)  # young ones later, full ones seldom


async def on_disconnect(session, sessions) -> None:
    await session.close()
    sessions.discard(session)
    if not sessions:  # nobody is left to notice
        gc.collect()
""",
    ),
    blind_why="The collector writes nothing by itself. A log without GC lines says nothing about GC, neither way.",
    blind_how=(
        'gc.callbacks.append(lambda phase, info: info["generation"] == 2 and logging.warning("GC %s: %s", phase, info))'
        "   # once at start; the logger needs milliseconds in its time stamps"
    ),
    more=(
        "Who calls it? `grep -rn 'gc.collect' --include='*.py' .` also in the dependencies: housekeeping threads with "
        "a fixed period (300 s) are common; a thread does not help, the GIL is held all the same. `gc.disable()` ends "
        "the pauses and leaks every cycle: only with a planned restart and an alarm on memory. Fewer survivors beat "
        "every setting: cap histories, drop tracebacks kept in exceptions, use `__slots__` and plain tuples. Before a "
        "fork, freeze in the parent. Python 3.14.0 to 3.14.4 have the incremental collector with other thresholds: "
        "measure again after an upgrade. If pauses grow from hour to hour, this is the symptom: look at "
        "`state-growth` and `task-leak`."
    ),
    examples=(
        Example(
            name="full collections that grow",
            log=incident((2.6, 2.9, 3.1, 3.4, 3.8), _full_collection),
            wins=True,
        ),
        Example(
            name="30 ms collections in every turn, and a slow tool",
            log=incident((6.2, 7.9, 5.8, 6.6), slow_tool, ordinary=_harmless),
            wins=False,
        ),
    ),
)
