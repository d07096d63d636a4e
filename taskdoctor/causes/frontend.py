"""`frontend`: the server was done; the browser or the network was late."""

from __future__ import annotations

from taskdoctor.causes._example_logs import Said, Turn, incident
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Timeline

ID = "frontend"
PLAYBACK_S = 60.0  # a client that never reports back; the claim is cut to the stall
WEBSOCKET = "app.ws:keepalive:233"


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Waits for the client with a length; a client that did not answer, inside a stall."""
    return (
        *spans(timeline, ID, Lane.CLIENT, say="waited {seconds} for the client ({label})"),
        *marks(timeline, ID, Lane.CLIENT, before_s=PLAYBACK_S, weight=0.7, say="{label} after {seconds}"),
    )


def _no_playback(turn: Turn) -> tuple[Said, ...]:
    line = f"No playback completion response from 5f2e{turn.number}"
    return (Said(turn.end_s - 0.1, line, "WARNING", "app.conversation:finalize:178"),)


def _everybody_dropped(turn: Turn) -> tuple[Said, ...]:
    """Several clients at once, right after the loop was held: they are victims."""
    held_s = turn.seconds - 0.7
    held = f"event loop blocked for {held_s:.3f}s (cpu 0.020s)"
    lost = "sent 1011 (internal error) keepalive ping timeout; no close frame received"
    return (
        Said(turn.end_s - 0.3, held, "WARNING", "app.watch:loop:19"),
        *(Said(turn.end_s - 0.29 + client / 1000, lost, "WARNING", WEBSOCKET) for client in range(3)),
    )


CAUSE = Cause(
    id=ID,
    title="The server was done; the browser or the network was late",
    layer=Layer.OUTSIDE,
    lanes=(Lane.CLIENT,),
    prior_held=0.002,
    prior_free=0.005,
    claims=claims,
    why=(
        "The answer has left the server in time, and the person still waits: the tab is in the background and "
        "throttled to one timer a second, rendering blocks its main thread, audio is queued, the network drops "
        "packets. If the server waits for a sign of the client (played, received), a closed tab makes the turn "
        "endless. Server lines look healthy meanwhile. When many clients are lost in the same second, it is this "
        "server, not their browsers."
    ),
    check=(
        "ss -Htnip state established '( sport = :PORT )'   # on the server during a stall, with its port: Send-Q "
        "above 0 for seconds, or `retrans`, means the network or a client that does not read; all zero: open the "
        "browser's Performance panel and look for long tasks"
    ),
    fix=Fix(
        summary="Never wait for a client without a time limit; drop the one that does not read, and keep frames small.",
        priority=Priority.P2,
        effort="half an hour on the server; more in the page",
        risk=(
            "Too short a limit cuts off slow but honest clients: start with three times the length of the audio. A "
            "dropped client reconnects: it must be able to go on where it was."
        ),
        before="""\
async def finish_turn(client) -> None:
    await client.played.wait()  # a closed tab never says so
    client.played.clear()
""",
        after="""\
import asyncio, logging


async def finish_turn(client, audio_s: float) -> None:
    try:
        async with asyncio.timeout(10 + 3 * audio_s):
            await client.played.wait()
    except TimeoutError:
        logging.warning("no playback completion from %s", client.id)
    client.played.clear()
""",
    ),
    blind_why=(
        "A server's log normally cannot show it: what happens after the last byte is sent is written by nobody. At "
        "most it says that a client did not answer."
    ),
    blind_how=(
        "Let the page report: `new PerformanceObserver(l => l.getEntries().forEach(e => ws.send(JSON.stringify({type: "
        "'long-task', ms: e.duration})))).observe({type: 'longtask', buffered: true})`, and log it with the session"
    ),
    leads_to=("queue-backlog",),
    more=(
        "Timers of a hidden tab run once a second or once a minute: drive playback by audio events or a worker, not "
        "by setTimeout. Render long histories in slices. Send audio in chunks of some 100 ms and await the send, so "
        "that a slow reader slows only its own session. Turn lengths that contain audio playback are no lateness: "
        "measure up to the first sentence. A proxy that buffers (nginx: `proxy_buffering off`) makes streams arrive "
        "in lumps."
    ),
    examples=(
        Example(name="the tab never reported back", log=incident((21.0, 34.5, 18.2, 27.4), _no_playback), wins=True),
        Example(
            name="all clients lost after a held loop",
            log=incident((21.4, 23.9, 22.3, 24.6), _everybody_dropped),
            wins=False,
        ),
    ),
)
