"""`upstream-latency`: the LLM, TTS, MCP tool or HTTP peer was slow."""

from __future__ import annotations

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool, steady
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "upstream-latency"
READ_TIMEOUT_S = 30.0  # a time-out speaks for what led to it; the claim is cut to the stall


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Calls with both ends; a time-out alone may be our own held loop, so it weighs less."""
    return (
        *spans(timeline, ID, Lane.UPSTREAM, say="waited {seconds} for {label}"),
        *marks(timeline, ID, Lane.UPSTREAM, before_s=READ_TIMEOUT_S, weight=0.5, say="{label} after {seconds}"),
    )


def _usual_call(turn: Turn) -> tuple[Said, ...]:
    """Each turn has a call of the usual length, which is nearly all of the turn."""
    return (
        Said(
            turn.start_s + 0.1, "MCPC: Calling tool 'search' on server 'web'...", logger="app.mcp.client:call_tool:110"
        ),
        Said(turn.end_s - 0.1, "Tool 'search' executed successfully.", logger="app.mcp.executor:run_single_tool:354"),
    )


def _held_meanwhile(turn: Turn) -> tuple[Said, ...]:
    """The call was answered at once; a collection kept us from reading the answer."""
    return (
        Said(
            turn.start_s + 0.1, "MCPC: Calling tool 'search' on server 'web'...", logger="app.mcp.client:call_tool:110"
        ),
        Said(turn.start_s + 0.15, "GC start: {'generation': 2, 'collected': 0, 'uncollectable': 0}"),
        Said(turn.end_s - 0.3, "GC stop: {'generation': 2, 'collected': 9120, 'uncollectable': 0}"),
        Said(turn.end_s - 0.2, "Tool 'search' executed successfully.", logger="app.mcp.executor:run_single_tool:354"),
    )


CAUSE = Cause(
    id=ID,
    title="A service that we wait for was slow: LLM, TTS, MCP tool or HTTP peer",
    layer=Layer.UPSTREAM,
    lanes=(Lane.UPSTREAM,),
    prior_held=0.003,
    prior_free=0.34,
    claims=claims,
    why=(
        "The turn waits for an answer from outside: the model's first token, speech, a tool, another service. The "
        "loop is free, heartbeats keep their beat, and other sessions are quick unless they ask the same peer. A "
        "model that is loaded again after five idle minutes gives the pattern cold 50 s, warm 5 s. A peer that always "
        "takes 4 s is slow, not stalling: only what goes beyond its own normal counts. Time in which our own loop was "
        "held is taken off first: the answer may have been lying in the socket."
    ),
    check=(
        "for i in 1 2 3 4 5; do curl -so /dev/null -w 'dns %{time_namelookup} connect %{time_connect} first byte "
        "%{time_starttransfer} total %{time_total}\\n' https://api.example.com/v1/models; done   # from the same "
        "host, during a stall: first byte as late as the turns confirms it; quick here and slow in the service "
        "refutes it"
    ),
    fix=Fix(
        summary="Limit every wait, stream what can be streamed, and have a second choice for the late ones.",
        priority=Priority.P1,
        effort="an hour per upstream",
        risk=(
            "A time limit turns slow answers into errors: measure p99 first. A second request doubles cost and load "
            "just when the peer is overloaded, and must not repeat a tool that acts (pays, sends, deletes)."
        ),
        before="""\
async def answer(llm, messages) -> str:
    reply = await llm.complete(messages)  # waits for as long as it takes
    return reply.text
""",
        after="""\
import asyncio


async def answer(llm, fallback, messages) -> str:
    try:
        async with asyncio.timeout(12):  # a little over its p99
            reply = await llm.complete(messages)
    except TimeoutError:
        reply = await fallback.complete(messages)
    return reply.text
""",
    ),
    blind_why=(
        "Few services log both ends of a call; an access line with a status and no length shows only that it happened."
    ),
    blind_how=(
        'Log every call: `t = time.perf_counter(); reply = await llm.complete(m); logging.info("LLM call took %.3fs", '
        "time.perf_counter() - t)`; for streams log the first token too"
    ),
    leads_to=("pool-exhaustion",),
    more=(
        "ollama: keep the model loaded with OLLAMA_KEEP_ALIVE=-1, at the price of its memory; a changed num_ctx "
        "reloads it. Send the first sentence to TTS while the rest is still coming. Shorten the prompt: time to first "
        "token grows with it. For MCP tools look into the child: its garbage collection, its network, its start (npx "
        "and uvx can take seconds). Compare the call through your gateway with one that goes directly: that settles "
        "gateway or provider in one step. Give back database connections and locks before you wait."
    ),
    examples=(
        Example(name="one tool, five times", log=incident((6.2, 7.9, 5.8, 6.6, 9.1), slow_tool), wins=True),
        Example(name="always the same length: slow, not stalling", log=steady(20, _usual_call, times=4.4), wins=False),
        Example(
            name="the loop was held while we waited",
            log=incident((3.1, 3.6, 2.9, 4.0, 3.3), _held_meanwhile),
            wins=False,
        ),
    ),
)
