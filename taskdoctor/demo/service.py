"""The watched process: a websocket server with its sessions, as a service would start it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import platform
import random
import resource
import sys
from contextlib import AbstractContextManager, nullcontext

from aiohttp import WSMsgType, web

from taskdoctor.demo import arbiter, gc_lines, housekeeping, lifeline, logs, parts, settings
from taskdoctor.demo import backend as backends
from taskdoctor.demo.backend import Backend
from taskdoctor.demo.context import ServiceContext
from taskdoctor.demo.conversation import converse
from taskdoctor.demo.session import EMOJI, Session
from taskdoctor.demo.settings import Settings
from taskdoctor.demo.truth import Acted, Meter
from taskdoctor.demo.waits import Threads
from taskdoctor.demo.watchdog import Watchdog

log = logging.getLogger("taskdoctor.demo.service")  # it runs as __main__
access_log = logging.getLogger("uvicorn.access")
server_log = logging.getLogger("uvicorn.error")
ROLE = f"service-{os.getpid()}"
THREADS = 8
BACKLOG = 2  # connections that the kernel keeps for us


class Front:
    """The routes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/client-ws", self._talk)
        app.router.add_get("/presence", self._watch_presence)
        app.router.add_get("/health", self._health)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        access_log.info('%s - "GET /health HTTP/1.1" 200', _peer(request))
        return web.json_response({"sessions": len(self._backend.sessions)})

    async def _watch_presence(self, request: web.Request) -> web.WebSocketResponse:
        """A quiet page that only wants to know who is here: long-lived, and no leak."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._backend.presence.add(socket)
        try:
            async for _ in socket:
                pass
        finally:
            self._backend.presence.discard(socket)
        return socket

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        session = self._open(request, socket)
        try:
            await session.context.tools.open()
            await socket.send_json({"type": "ready"})
            await self._listen(session)
        except OSError as error:
            log.warning("Session %s could not start: %s", session.uid, error)
        finally:
            await self._close(session)
        return socket

    def _open(self, request: web.Request, socket: web.WebSocketResponse) -> Session:
        backend = self._backend
        uid = request.query.get("uid", "anonymous")
        server_log.info('%s - "WebSocket /client-ws" [accepted]', _peer(request))
        server_log.info("connection open")
        log.info("Connection established for client %s", uid)
        backend.sessions.add(uid)
        context = ServiceContext(backend.database, backend.levers, backend.leftovers, random.Random(uid))
        return Session(uid, socket, context, backend.rng.choice(EMOJI))

    async def _listen(self, session: Session) -> None:
        async for message in session.socket:
            if message.type is not WSMsgType.TEXT:
                break
            content = json.loads(message.data)
            if content["type"] == "text-input":
                session.turn = asyncio.create_task(converse(self._backend, session, content["text"]))
            elif content["type"] == "frontend-playback-complete":
                session.played.set()

    async def _close(self, session: Session) -> None:
        if session.turn:
            session.turn.cancel()
            await asyncio.gather(session.turn, return_exceptions=True)
        log.info("Client %s disconnected", session.uid)
        server_log.info("connection closed")
        await session.context.close()
        await self._backend.store.forget(session.uid)
        self._backend.sessions.discard(session.uid)


def _peer(request: web.Request) -> str:
    host, port = (request.transport and request.transport.get_extra_info("peername")) or ("-", 0)
    return f"{host}:{port}"


def _monitor(run: Settings) -> AbstractContextManager[object]:
    """aiomonitor, started the standard way."""
    if not run.monitor_ports:
        return nullcontext()
    import aiomonitor  # type: ignore[import-untyped]

    terminal, web_ui, console = run.monitor_ports
    loop = asyncio.get_running_loop()
    monitor: AbstractContextManager[object] = aiomonitor.start_monitor(
        loop, port=terminal, webui_port=web_ui, console_port=console
    )
    return monitor


async def serve(run: Settings) -> None:
    ended = parts.ended_by_signal()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Threads(THREADS))
    meter, acted = Meter(), Acted()
    backend = backends.build(run, meter)
    server_log.info("Started server process [%d]", os.getpid())
    server_log.info("Waiting for application startup.")
    log.info("Starting chat backend, pid %d, Python %s", os.getpid(), platform.python_version())
    backend.memory.load(run.memory_nodes)
    backend.embeddings.load(run.index_mb)
    meter.watch_collector()
    with _monitor(run):
        if run.freeze:
            gc.collect()
            gc.freeze()
        gc.set_threshold(*run.gc_thresholds)
        gc_lines.start()
        await _serve_until(ended, run, backend, acted)
    gc_lines.stop()
    acted.save(run.work, ROLE, meter)


async def _report(run: Settings, meter: Meter, acted: Acted) -> None:
    """Tell the arbiter that the loop turns, and leave what was measured so far: this process may be aborted."""
    while True:
        arbiter.report(run.work)
        acted.save(run.work, ROLE, meter)
        await asyncio.sleep(arbiter.WORKER_REPORTS_EVERY_S)


async def _serve_until(ended: asyncio.Event, run: Settings, backend: Backend, acted: Acted) -> None:
    watchdog = None if run.plain else Watchdog(asyncio.get_running_loop())
    if watchdog:
        watchdog.start()
    runner = web.AppRunner(Front(backend).app(), access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", run.service_port, backlog=BACKLOG).start()
    log.info("Listening on http://127.0.0.1:%d", run.service_port)
    tasks = _start_tasks(run, backend, acted)
    server_log.info("Application startup complete.")
    parts.tell_ready(run, "service")
    await ended.wait()
    log.info("Shutting down")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await runner.cleanup()
    await backend.close()
    if watchdog:
        watchdog.stop()


def _start_tasks(run: Settings, backend: Backend, acted: Acted) -> list[asyncio.Task[None]]:
    """What runs beside the sessions, and the faults."""
    works = [backend.meter.watch_loop(), *housekeeping.jobs(backend)]
    if run.supervised:
        works.append(_report(run, backend.meter, acted))
    faults = parts.stages(run, acted, lambda fault, stage: fault.in_service and fault.in_service(backend.levers, stage))
    return [*(parts.background(work) for work in works), faults]


if __name__ == "__main__":
    this_run = settings.load(sys.argv[1])
    lifeline.hold()
    shipped = [int(sys.argv[2])] if len(sys.argv) > 2 else []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # an aborted worker leaves nothing behind
    logs.start(this_run.style, this_run.work, [logs.open_log(this_run.log), *shipped], plain=this_run.plain)
    asyncio.run(serve(this_run))
