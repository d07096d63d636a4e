"""`cpu-bound`: Python or native code computed on the loop, or held the GIL."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes import _loop_held
from taskdoctor.causes._example_logs import Said, Turn, incident
from taskdoctor.diagnosis.claiming import as_long_as_silence, spans
from taskdoctor.diagnosis.stalls import MAY_HOLD
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "cpu-bound"
WATCH = "app.watch:loop:19"


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """A named computation in full; held time of open cause by what the CPU did meanwhile."""
    return (
        *spans(timeline, ID, Lane.COMPUTING, say="{label} computed for {seconds} on the loop"),
        *_loop_held.open_cause(
            timeline,
            ID,
            _loop_held.Weights(busy=0.9, idle=0.0, unknown=0.3, working=0.7),
            say="the loop was held for {seconds} while the CPU worked ({label})",
        ),
        *as_long_as_silence(
            timeline,
            ID,
            *MAY_HOLD,
            weigh=lambda event: 0.8 if _loop_held.computes(event) else 0.0,
            say="{label} took {seconds}, as long as everything else stood still",
        ),
        *_worked(timeline),
    )


def _worked(timeline: Timeline) -> tuple[Claim, ...]:
    """Steps that say how much of their length the CPU worked; whether on the loop or beside it, they do not say."""
    steps = tuple(
        step for step in timeline.spans.get(Lane.OPERATION, ()) if step.cpu_s is not None and _loop_held.computes(step)
    )
    only = replace(timeline, spans={Lane.COMPUTING: steps})
    claims = spans(only, ID, Lane.COMPUTING, weight=0.8, say="{label} took {seconds}, and the CPU worked all the while")
    return tuple(replace(claim, direct=False) for claim in claims)


def _held(turn: Turn, cpu_share: float) -> tuple[Said, ...]:
    held_s = turn.seconds - 0.7
    line = f"event loop blocked for {held_s:.3f}s (cpu {held_s * cpu_share:.3f}s)"
    return (Said(turn.end_s - 0.3, line, "WARNING", WATCH),)


def _computing(turn: Turn) -> tuple[Said, ...]:
    return _held(turn, cpu_share=0.97)


def _waiting(turn: Turn) -> tuple[Said, ...]:
    return _held(turn, cpu_share=0.02)


CAUSE = Cause(
    id=ID,
    title="Computation held the event loop or the GIL",
    layer=Layer.LOOP_HELD,
    lanes=(Lane.COMPUTING, Lane.LOOP_HELD),
    prior_held=0.17,
    prior_free=0.03,
    claims=claims,
    why=(
        "Tokenising a long history, a big JSON, a regular expression gone quadratic, a template, an image, a local "
        "model: as long as it computes, no other coroutine runs. Its length grows with the payload, so long "
        "conversations stall first and everybody else with them. Moving pure Python to a thread is not enough: the "
        "GIL changes hands every 5 ms at best, and a native call that keeps the GIL does not hand it over at all."
    ),
    check=(
        "py-spy record --pid PID --gil --duration 60 -o cpu.svg   # over some stalls: one wide tower of your own code "
        "is it; nearly empty means the loop waited, see blocking-call; add --native for a call inside a C extension"
    ),
    fix=Fix(
        summary="Compute in another process, or in slices that give the loop a turn; make the payload smaller first.",
        priority=Priority.P1,
        effort="an hour",
        risk=(
            "A process pool costs memory per worker, and arguments are copied: sending a whole history may cost more "
            "than the work. Never fork a process that has threads: use spawn. A time-out does not stop the worker."
        ),
        before="""\
async def build_prompt(tokenizer, history: list[str]) -> list[int]:
    text = "\\n".join(history)
    tokens = tokenizer.encode(text)  # 2 s for a long chat, and nobody else runs
    return tokens[-8000:]
""",
        after="""\
import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from app.tokens import encode  # a plain function, importable by the worker

POOL = ProcessPoolExecutor(2, mp_context=get_context("spawn"))


async def build_prompt(history: list[str]) -> list[int]:
    loop = asyncio.get_running_loop()
    tokens = await loop.run_in_executor(POOL, encode, "\\n".join(history))
    return tokens[-8000:]
""",
    ),
    blind_why=(
        "A slow step in a log does not say whether it computed or waited; only CPU time beside the wall time, or a "
        "stack, does."
    ),
    blind_how=(
        "Log both clocks around the suspect: `w, c = time.perf_counter(), time.thread_time(); ...; "
        'logging.warning("event loop blocked for %.3fs (cpu %.3fs)", time.perf_counter() - w, time.thread_time() - c)`'
    ),
    leads_to=("queue-backlog",),
    more=(
        "In a loop over many items, `await asyncio.sleep(0)` every few milliseconds keeps the service alive at the "
        "price of a longer computation, and lets other tasks change what you iterate over. Encode only what is new "
        "and cache the rest. Faster codecs (orjson, msgspec) turn 200 ms into 20. asyncio.to_thread helps only for "
        "native code that releases the GIL (numpy, zlib, most inference engines). A catastrophic regular expression "
        "needs another expression, not another process."
    ),
    examples=(
        Example(name="held, with the CPU busy", log=incident((2.8, 3.9, 3.3, 4.6, 3.5), _computing), wins=True),
        Example(name="held just as long, with the CPU idle", log=incident((2.8, 3.9, 3.3, 4.6), _waiting), wins=False),
    ),
)
