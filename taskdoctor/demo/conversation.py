"""One turn: question in, tools, LLM, speech, audio out, all of it kept."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial

from taskdoctor.demo.backend import Backend
from taskdoctor.demo.logs import SPAN
from taskdoctor.demo.session import Session

log = logging.getLogger(__name__)
SENTENCES = 3
SHOWN_CHARACTERS = 48
TOOL_SHARE = 0.5
PLAYBACK_PATIENCE_S = 6.0
SLOW_PLAYBACK_S = 1.0
TRIES = 6
TRY_AGAIN_S = 1.2


async def converse(backend: Backend, session: Session, text: str) -> None:
    """A whole turn, with its length."""
    begun_s = time.monotonic()
    log.info("New Conversation Chain %s started!", session.emoji)
    log.info("User input: %s", text)
    session.turns += 1
    try:
        await _turn(backend, session, text)
    except (OSError, sqlite3.Error) as error:
        log.warning("Conversation Chain failed: %s", error)
    log.debug("🧹 Clearing up conversation %s.", session.emoji)
    seconds = time.monotonic() - begun_s
    backend.meter.finished(seconds)
    log.info("Conversation total elapsed: %.3fs", seconds)
    await session.socket.send_json({"type": "chain-end"})


async def _turn(backend: Backend, session: Session, text: str) -> None:
    await backend.store.touch(session.uid)
    await _persistently("read recent turns", lambda: backend.store.recent_turns(session.uid))
    await _persistently("read attachments", lambda: _in_line(backend.profiles.read_attachments))
    backend.voices.refresh()
    if backend.rng.random() < TOOL_SHARE:
        await session.context.tools.call_some_tool()
    backend.memory.rank(text)
    backend.embeddings.nearest()
    answer = await backend.peer.complete(text)
    log.info("AI response: %s", answer[:SHOWN_CHARACTERS])
    await _speak(backend, session, answer)
    await _await_playback(session)
    await _keep(backend, session, text)
    log.info("😎👍✅ Conversation Chain 😊 completed!")


async def _in_line(work: Callable[[], None]) -> None:
    """A short call that stays on the loop."""
    work()


async def _speak(backend: Backend, session: Session, answer: str) -> None:
    await _persistently("look into the cache", lambda: backend.voices.find(answer))
    await _persistently("speak", lambda: backend.peer.speak(SENTENCES))
    await backend.mixer.mix(SENTENCES)
    session.played.clear()
    backend.outbox.queue_deltas()
    backend.outbox.queue(session.socket, {"type": "audio", "text": answer})


async def _await_playback(session: Session) -> None:
    begun_s = time.monotonic()
    try:
        await asyncio.wait_for(session.played.wait(), PLAYBACK_PATIENCE_S)
    except TimeoutError:
        log.warning("Timeout waiting for frontend-playback-complete (ID: None) from %s", session.uid)
        log.warning("No playback completion response from %s", session.uid)
        return
    seconds = time.monotonic() - begun_s
    if seconds > SLOW_PLAYBACK_S:
        log.info("Playback completed in client %s after %.2fs", session.uid, seconds, extra=SPAN)


async def _keep(backend: Backend, session: Session, text: str) -> None:
    await _persistently(
        "save the profile", lambda: _in_line(partial(backend.profiles.save_profile, session.uid, session.turns))
    )
    backend.history.add(text)
    session.context.recorder.note(text)
    await _persistently("save the turn", lambda: backend.store.save_turn(session.uid, text))


async def _persistently(what: str, step: Callable[[], Awaitable[object]]) -> None:
    """Try a step again when the system refused it."""
    for _ in range(TRIES):
        try:
            await step()
        except (OSError, sqlite3.OperationalError) as error:
            log.warning("Failed to %s, trying again: %s", what, error, exc_info=isinstance(error, OSError))
            await asyncio.sleep(TRY_AGAIN_S)
        else:
            return
