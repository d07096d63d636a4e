"""`rate-limit`: 429, retry-after, back-off sleeps."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from taskdoctor.causes._example_logs import Said, Turn, incident, slow_tool
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "rate-limit"
REFUSED_CALLS = 4
AT_ITS_END_S = 0.05  # a refusal that ends a call is its answer
SILENT_RETRIES_S = 60.0  # an SDK retries in silence before it gives up; the claim is cut to the stall


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Announced waits in full; a refusal inside a stall speaks for the silent retries before it."""
    return (
        *spans(timeline, ID, Lane.BACKOFF, say="backed off {seconds} ({label})"),
        *marks(timeline, ID, Lane.BACKOFF, before_s=SILENT_RETRIES_S, weight=0.7, say="{label} after {seconds}"),
        *_refused_calls(timeline),
    )


def _refused_calls(timeline: Timeline) -> tuple[Claim, ...]:
    """Calls to upstream that were refused on the way: what is beyond their normal was waited out, not served."""
    refused = sorted(mark.at_s for mark in timeline.marks.get(Lane.BACKOFF, ()) if mark.aligned)
    calls = tuple(
        call
        for call in timeline.spans.get(Lane.UPSTREAM, ())
        if bisect_left(refused, call.start_s) < bisect_left(refused, call.end_s - AT_ITS_END_S)
    )
    if len(calls) < REFUSED_CALLS:
        return ()
    only = replace(timeline, spans={Lane.UPSTREAM: calls})
    return spans(only, ID, Lane.UPSTREAM, weight=0.9, say="a call of {seconds} was refused on the way ({label})")


def _backed_off(turn: Turn) -> tuple[Said, ...]:
    refused = 'HTTP Request: POST https://api.llm.example/v1/chat/completions "HTTP/1.1 429 Too Many Requests"'
    return (
        Said(turn.start_s + 0.4, refused, logger="httpx:_send_single_request:1025"),
        Said(
            turn.start_s + 0.401,
            f"Retrying request to /chat/completions in {turn.seconds - 1.0:.6f} seconds",
            logger="openai._base_client:_sleep_for_retry:1083",
        ),
    )


def _talks_about_it(turn: Turn) -> tuple[Said, ...]:
    """The number stands in what a user and the model say."""
    return (
        Said(
            turn.start_s + 0.1, "User input: why do I get 429 Too Many Requests? Retrying in 20 seconds does not help"
        ),
        *slow_tool(turn),
        Said(
            turn.end_s - 0.1,
            "AI response: 429 means that you are being rate limited. Retrying in 20 seconds is too soon.",
        ),
    )


CAUSE = Cause(
    id=ID,
    title="An upstream refused for too many requests; the client backed off",
    layer=Layer.UPSTREAM,
    lanes=(Lane.BACKOFF,),
    prior_held=0.003,
    prior_free=0.12,
    claims=claims,
    why=(
        "The provider answers 429 with a time to wait, and the client library sleeps and tries again by itself, twice "
        "by default, without a word at the usual log level. The turn is late by exactly these sleeps: retry-after, or "
        "0.5, 1, 2, 4 s with jitter. The loop is free and other work goes on. Tokens per minute count as well as "
        "requests, so a few long conversations can use up the budget of all; and clients that retry at the same "
        "moment keep it used up."
    ),
    check=(
        "OPENAI_LOG=info python server.py 2>&1 | grep -E '429|Retrying request'   # on one instance for ten minutes: "
        "`Retrying request ... in N seconds` at the stalls, with N about their length, confirms it"
    ),
    fix=Fix(
        summary="Stay under the limit yourself: a limiter before the call, few and visible retries, jitter.",
        priority=Priority.P1,
        effort="an hour",
        risk=(
            "A limiter turns refusals into a queue: bound its wait and say so to the user. It counts per process: "
            "with several workers divide the budget. Fewer retries show more errors. An exhausted quota is not cured "
            "by waiting."
        ),
        before="""\
from openai import AsyncOpenAI

client = AsyncOpenAI()  # two silent retries, no limit on how many at once


async def answer(messages: list[dict[str, str]]) -> str:
    reply = await client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    return reply.choices[0].message.content
""",
        after="""\
import asyncio
from openai import AsyncOpenAI

client = AsyncOpenAI(max_retries=1, timeout=30)
slots = asyncio.Semaphore(8)  # what the provider bears, measured


async def answer(messages: list[dict[str, str]]) -> str:
    async with asyncio.timeout(40), slots:
        reply = await client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    return reply.choices[0].message.content
""",
    ),
    blind_why=(
        "Client libraries retry below the usual log level, and some services swallow their loggers altogether: no 429 "
        "in the log proves nothing."
    ),
    blind_how=(
        'logging.getLogger("openai").setLevel(logging.INFO); logging.getLogger("httpx").setLevel(logging.INFO)   # or '
        "OPENAI_LOG=info"
    ),
    leads_to=("pool-exhaustion", "queue-backlog", "upstream-latency"),
    more=(
        "Read the x-ratelimit-remaining-* headers and slow down before the refusal. Send less: trim the history, cap "
        "max_tokens, cache the prefix. Ask for a higher tier, or spread over deployments; a second key of the same "
        "account shares its limit. Never retry at two levels (SDK and your own loop): attempts multiply. A fallback "
        "model keeps the turn alive, with other answers."
    ),
    examples=(
        Example(
            name="the announced wait is the lateness", log=incident((7.2, 5.1, 9.4, 6.3, 8.0), _backed_off), wins=True
        ),
        Example(name="429 in what people say", log=incident((6.2, 7.9, 5.8, 6.6), _talks_about_it), wins=False),
    ),
)
