"""What tasks wait for, from where their await chains end: one table of places, each with the lane that it means.

Why the innermost frames decide: a chain is read from the wait outward, and the first place that says something wins. A
consumer that waits for its next item, and a connection that waits for its next message, are idle: they say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from taskdoctor.collectors.service.observed import Frame, Stack
from taskdoctor.collectors.service.stacks import application_frame, closing_frame, is_application, site_of
from taskdoctor.model import Lane

DEPTH = 14  # frames from the innermost that are looked at

_RETRY = re.compile(r"(?i)retry|retries|back_?off|tenacity|rate_?limit|throttl|too_?many|cool_?down|429|stamina")
_POOL = re.compile(r"(?i)pool|sema?phore|\bsem\b|slots?\b|limiter|connector|max_conn|checkout|_conns?\b")
_TAKES = re.compile(r"(?i)^_?(?:acquire|get_connection|checkout|connection|_do_get|_wait_for_available_connection)")
_DNS = re.compile(r"(?i)^_?(?:getaddrinfo|getnameinfo|gethostby\w+|resolve(?:_host)?|_resolve_host\w*)$")
_CLIENT = re.compile(r"(?i)playback|client|browser|front_?end|viewer|(?:^|_)acks?(?:_|$)|acknowledg|subscriber")
_RECEIVES = re.compile(r"(?i)^(?:receive\w*|recv\w*|__anext__|iter_\w+|wait_for_request|read_request|next_message)$")
_SERVERS = (
    "aiohttp/web",
    "uvicorn/",
    "starlette/",
    "websockets/asyncio/",
    "websockets/legacy/",
    "hypercorn/",
    "quart/",
)
_FOLDER = re.compile(r"^_?(?:walk|r?glob\w*|i?glob\d?|scandir|listdir|iterdir|rmtree\w*|copytree|_select_\w+)$")
_FILE = re.compile(r"^(?:l?stat|open|read_bytes|read_text|exists|is_file|is_dir|unlink)$")
_FOLDER_CALL = re.compile(r"\b(?:scandir|listdir|os\.walk|r?glob|iterdir|rmtree|copytree|l?stat|is_file|is_dir)\(")
_STATEMENT = re.compile(r"\.(?:execute|executemany|executescript|commit)\(")
_LOCKED = re.compile(r"(?i)lock|busy|patien|retry|retries")
_DRAIN = re.compile(r"^_?drain(?:_helper)?$")

# Libraries that ask somebody else and wait for the answer: part of a path, what it is called.
UPSTREAM_LIBRARIES = (
    ("openai/", "OpenAI API"),
    ("anthropic/", "Anthropic API"),
    ("litellm/", "LLM through litellm"),
    ("google/genai/", "Gemini API"),
    ("ollama/", "ollama"),
    ("mcp/client/", "MCP server"),
    ("mcp/shared/session", "MCP server"),
    ("httpx/", "HTTP peer"),
    ("httpcore/", "HTTP peer"),
    ("aiohttp/client", "HTTP peer"),
    ("aiohttp/connector", "HTTP peer"),
    ("niquests/", "HTTP peer"),
    ("grpc/aio/", "gRPC peer"),
    ("websockets/asyncio/client", "websocket peer"),
    ("botocore/", "AWS"),
    ("asyncpg/", "PostgreSQL"),
    ("psycopg/", "PostgreSQL"),
    ("aiomysql/", "MySQL"),
    ("asyncmy/", "MySQL"),
    ("redis/asyncio/", "Redis"),
    ("motor/", "MongoDB"),
    ("pymongo/asynchronous/", "MongoDB"),
    ("aiokafka/", "Kafka"),
    ("aio_pika/", "RabbitMQ"),
    ("nats/", "NATS"),
    ("elasticsearch/_async/", "Elasticsearch"),
)
_ASKS = re.compile(
    r"(?i)(?:^|_)(?:ask|call|request|fetch|query|generate|complet\w*|chat|predict|infer|synthes\w*|transcrib\w*|embed"
    r"|download|upload|post|invoke|rpc|roundtrip|round_trip|send_and|first_token|stream_\w+|speak|tts|llm|exchange"
    r"|lookup|search|translate)(?:_|$)"
)
_READS = frozenset(
    {"read", "readline", "readexactly", "readuntil", "_wait_for_data", "open_connection", "create_connection"}
)
_THREADS = frozenset({"to_thread", "run_in_executor", "run_in_threadpool"})
_SOCKETS = frozenset({"sock_recv", "sock_recv_into", "sock_connect", "sock_sendall", "sock_accept"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a place of waiting means."""

    lane: Lane
    label: str
    site: str


@lru_cache(maxsize=4096)
def meaning(chain: Stack) -> Meaning | None:
    """What a chain waits for; None where that is ordinary idling, or not to be told."""
    inner = tuple(reversed(chain[-DEPTH:]))
    if not inner:
        return None
    own = application_frame(chain)
    site = site_of(own) if own is not None else site_of(chain[-1])
    for tell in (_dns, _backoff, _thread, _taking, _lock, _queue, _closing, _client, _upstream):
        found = tell(inner)
        if found is not None:
            lane, label = found
            return Meaning(lane, label, site)
    return None


Told = tuple[Lane, str] | None
Inner = Sequence[Frame]  # innermost first


def _below(inner: Inner) -> Inner:
    """The library's frames that the application's innermost one called."""
    count = next((at for at, frame in enumerate(inner) if is_application(frame)), len(inner))
    return inner[:count]


def _callers(inner: Inner) -> Inner:
    """Who called, without asyncio's own steps in between."""
    return [frame for frame in inner[1:8] if not _in(frame, "asyncio/", "contextlib.py")][:3]


def _asker(inner: Inner) -> str:
    frame = next((frame for frame in inner if is_application(frame)), None)
    return frame.function if frame is not None else inner[0].function


def _dns(inner: Inner) -> Told:
    frame = next((frame for frame in inner[:8] if _DNS.match(frame.function)), None)
    return (Lane.DNS, "a host name") if frame is not None else None


def _backoff(inner: Inner) -> Told:
    """A sleep that a retry helper asked for."""
    if inner[0].function != "sleep":
        return None
    for frame in inner[1:5]:
        if _RETRY.search(f"{frame.function} {_tail(frame.file)} {frame.code}"):
            return Lane.BACKOFF, f"{frame.function} sleeps before it tries again"
    return None


def _thread(inner: Inner) -> Told:
    """A thread that is not to be had; work that runs in one is somebody's work."""
    limited = any(_named(frame, "CapacityLimiter") for frame in inner[:3])
    if limited and any(frame.function == "run_sync" for frame in inner[:6]):
        return Lane.EXECUTOR, "a free thread"
    return None


def in_thread(chain: Stack) -> bool:
    """Whether it waits for work in a thread of an executor: run, or queued for one."""
    return any(frame.function in _THREADS for frame in chain[-3:])


def _taking(inner: Inner) -> Told:
    """A connection or a slot of a pool, whatever it is built of."""
    if _named(inner[0], "Semaphore", "BoundedSemaphore", "CapacityLimiter"):
        return Lane.POOL, f"a slot in {_asker(inner)}"
    if not _in(inner[0], "asyncio/locks.py", "asyncio/queues.py", "anyio/") and inner[0].function != "wait_for":
        taken = next((frame for frame in _below(inner) if _TAKES.match(frame.function)), None)
        return (Lane.POOL, f"a connection in {_asker(inner)}") if taken is not None else None
    if inner[0].function not in {"acquire", "get", "wait", "wait_for"} or _named(inner[0], "Event"):
        return None
    for frame in _callers(inner):
        pooled = _POOL.search(f"{frame.code} {frame.qualified or frame.function} {_tail(frame.file)}")
        if _TAKES.match(frame.function) or (pooled and not _named(inner[0], "Lock")):
            return Lane.POOL, f"a slot in {frame.function}"
    return None


def _lock(inner: Inner) -> Told:
    """A lock; a condition is one only while it is taken, not while it waits for news."""
    if any(_in(frame, "aiosqlite/") for frame in _below(inner)):
        return Lane.LOCK, f"the database in {_asker(inner)}"  # its own work takes a moment
    if not _in(inner[0], "asyncio/locks.py", "anyio/") or inner[0].function != "acquire":
        return None
    holder = next(iter(_callers(inner)), None)
    return Lane.LOCK, f"a lock in {holder.function}" if holder is not None else "a lock"


def _queue(inner: Inner) -> Told:
    """`put` on a full queue; who waits in `get` has nothing to do."""
    if not _in(inner[0], "asyncio/queues.py") or inner[0].function not in {"put", "join"}:
        return None
    caller = next(iter(_callers(inner)), None)
    return Lane.QUEUE, f"room in the queue of {caller.function}" if caller is not None else "room in a queue"


def _closing(inner: Inner) -> Told:
    frame = closing_frame(reversed(inner[:8]))
    return (Lane.TEARDOWN, frame.qualified or frame.function) if frame is not None else None


def _client(inner: Inner) -> Told:
    """A client that does not take what is sent, or does not tell that it is done."""
    drains = any(_DRAIN.match(frame.function) for frame in inner[:3])
    if drains and any(_in(frame, *_SERVERS) for frame in inner):
        return Lane.CLIENT, "the client to take what was sent"
    waits = _in(inner[0], "asyncio/locks.py", "asyncio/tasks.py") and inner[0].function in {"wait", "wait_for"}
    told = next((frame for frame in _callers(inner)[:2] if _CLIENT.search(frame.function)), None)
    return (Lane.CLIENT, f"the client, in {told.function}") if waits and told is not None else None


def is_idle_connection(chain: Stack) -> bool:
    """Whether a server's connection waits for its client to say something: that may be for ever."""
    return any(_RECEIVES.match(frame.function) and _in(frame, *_SERVERS) for frame in chain[-5:])


def _upstream(inner: Inner) -> Told:
    """A client library, or a read on a connection that the code around it opened to ask something."""
    below = _below(inner)
    for part, name in UPSTREAM_LIBRARIES:
        if any(_in(frame, part) for frame in below):
            return Lane.UPSTREAM, f"{name} in {_asker(inner)}"
    if any(_in(frame, "aiohttp/streams") for frame in below) and not any(_in(frame, "aiohttp/web") for frame in below):
        return Lane.UPSTREAM, f"HTTP peer in {_asker(inner)}"
    waits = any(frame.function in _READS and _in(frame, "asyncio/") for frame in inner[:4])
    waits = waits or any(frame.function in _SOCKETS for frame in inner[:2])
    own = [frame for frame in inner if is_application(frame)]
    asker = next((frame for frame in own[:4] if _ASKS.search(frame.function)), None)
    return (Lane.UPSTREAM, f"the peer of {asker.function}") if waits and asker is not None else None


def _named(frame: Frame, *classes: str) -> bool:
    """Whether a frame is a method of one of these classes, where the channel tells."""
    return frame.qualified.partition(".")[0] in classes


def _in(frame: Frame, *parts: str) -> bool:
    file = frame.file.replace("\\", "/")
    return any(f"/{part}" in file or file.startswith(part) for part in parts)


def _tail(file: str) -> str:
    return "/".join(file.replace("\\", "/").split("/")[-2:])


def _folder(inner: Inner) -> Told:
    """Going through files: a call that is caught in the middle of it opens one, or asks for its size."""
    for frame in inner[:6]:
        if _in(frame, "pathlib.py", "pathlib/") and _FILE.match(frame.function):
            return Lane.DISK, f"the files of {_asker(inner)}"
        if _FOLDER.match(frame.function) or (is_application(frame) and _FOLDER_CALL.search(frame.code)):
            return Lane.DISK, f"the files of {_asker(inner)}"
    return None


def sleeper_of(chain: Stack) -> Frame | None:
    """Who of the application sleeps, if that is what a chain does."""
    if len(chain) < 2 or chain[-1].function != "sleep" or not is_application(chain[-2]):
        return None
    return chain[-2]


def job_meaning(chain: Stack) -> Told:
    """What a call in a thread of an executor does, where its stack says so."""
    inner = tuple(reversed(chain[-DEPTH:]))
    return (_dns(inner) or _folder(inner) or _database(inner)) if inner else None


def _database(inner: Inner) -> Told:
    """A statement that does not come back, or a sleep before it is tried again because the database is locked."""
    own = next((frame for frame in inner[:4] if is_application(frame)), None)
    if own is None:
        return None
    retries = _LOCKED.search(f"{own.code} {own.function}") is not None and "sleep(" in own.code
    return (Lane.LOCK, f"the database in {own.function}") if retries or _STATEMENT.search(own.code) else None


def goes_through_files(stack: Stack) -> bool:
    """Whether what is on the loop goes through the files of a folder."""
    return bool(stack) and _folder(tuple(reversed(stack[-DEPTH:]))) is not None
