"""What tasks wait for, from where their await chains end: one table of places, each with the lane that it means.

Why the innermost frames decide: a chain is read from the wait outward, and the first place that says something wins. A
consumer that waits for its next item, and a connection that waits for its next message, are idle: they say nothing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from taskdoctor.collectors.service.grouping import is_infrastructure
from taskdoctor.collectors.service.observed import Frame, LoopFacts, Size, Stack, TaskSample, Wait, Watched
from taskdoctor.collectors.service.stacks import application_frame, closing_frame, is_application, site_of
from taskdoctor.model import Event, Form, Lane, Place

DEPTH = 14  # frames from the innermost that are looked at
SHORTEST_S = 0.05
LONG_S = 1.0
CROWD = 2  # one that waits for ever may be meant to: a worker that takes over when the first one dies
FEW_SLEEPS, PACING_RATIO = 3, 1.5  # a loop that paces itself sleeps for the same time again and again
COMPARABLE = 8  # lives of one coroutine that make a normal
NEVER_FOR_LONG = frozenset({Lane.LOCK, Lane.POOL, Lane.EXECUTOR, Lane.DNS, Lane.QUEUE})
LIVES = "live-task"
SERIES_OF = 40  # coroutines whose counts are followed

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
_SPARE = re.compile(r"(?i)free|idle|spare|available|pool|cache")
_FOLDER = re.compile(r"^_?(?:walk|r?glob\w*|i?glob\d?|scandir|listdir|iterdir|rmtree\w*|copytree|_select_\w+)$")
_FILE = re.compile(r"^(?:l?stat|open|read_bytes|read_text|exists|is_file|is_dir|unlink)$")
_FOLDER_CALL = re.compile(r"\b(?:scandir|listdir|os\.walk|r?glob|iterdir|rmtree|copytree|l?stat|is_file|is_dir)\(")
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


def events(watched: Watched, *, source: str) -> list[Event]:
    """Waits that mean something, pieces of work with their lengths, and counts of tasks."""
    place = Place(source)
    waits = [*watched.waits, *_unfinished(watched.tasks)]
    full = _full_executor(watched.facts)
    asking = {name for wait in waits for name in _asking(wait.chain)}
    backing_off = asking & set(_irregular_sleepers(waits, {life.coroutine for life in watched.lives}))
    return [
        *_waits(waits, full, backing_off, place),
        *_jobs(watched.jobs, place),
        *_lives(watched, place),
        *_levels(watched.tasks, place),
        *_sizes(watched.sizes, place),
    ]


def _unfinished(samples: Sequence[TaskSample]) -> Iterator[Wait]:
    """What still waits at the end of the watch: no wait of it has ended, which may be the very fault."""
    for group in samples[-1].groups if samples else ():
        found = meaning(group.chain)
        long = group.waited_s is not None and group.waited_s >= LONG_S and group.count >= CROWD
        if long and group.waited_s is not None and found is not None and found.lane in NEVER_FOR_LONG:
            yield Wait(samples[-1].at_s, group.waited_s, group.coroutine, group.chain, ended=False)


def _full_executor(facts: Sequence[LoopFacts]) -> list[float]:
    """Instants at which work was queued for the default executor."""
    return [each.at_s for each in facts if each.executor_queue]


def _waits(
    waits: Sequence[Wait], full: Sequence[float], backing_off: set[tuple[str, str]], place: Place
) -> Iterator[Event]:
    for wait in waits:
        found = meaning(wait.chain) if wait.seconds >= SHORTEST_S else None
        if found is None and (sleeper := _sleeper(wait.chain)) is not None and _where(sleeper) in backing_off:
            found = Meaning(Lane.BACKOFF, f"{sleeper.function} sleeps where it asks a peer", site_of(sleeper))
        if in_thread(wait.chain) and any(wait.at_s - wait.seconds <= at_s <= wait.at_s for at_s in full):
            found = Meaning(Lane.EXECUTOR, "a thread of the default executor", "")
        if found is not None:
            yield Event(
                at_s=wait.at_s,
                kind=f"live-{found.lane.value}",
                lane=found.lane,
                form=Form.SPAN,
                place=place,
                seconds=wait.seconds,
                label=found.label,
                site=found.site,
                key=wait.coroutine,
                uncertainty_s=wait.uncertainty_s,
            )


def _jobs(jobs: Sequence[Wait], place: Place) -> Iterator[Event]:
    """What kept a thread of an executor, where its stack says so; its task waits for as long."""
    for job in jobs:
        inner = tuple(reversed(job.chain[-DEPTH:]))
        told = _dns(inner) or _folder(inner) if inner else None
        own = application_frame(job.chain)
        if told is not None:
            yield Event(
                at_s=job.at_s,
                kind=f"live-{told[0].value}",
                lane=told[0],
                form=Form.SPAN,
                place=place,
                seconds=job.seconds,
                label=told[1],
                site=site_of(own) if own is not None else "",
                uncertainty_s=job.uncertainty_s,
            )


def _folder(inner: Inner) -> Told:
    """Going through files: a call that is caught in the middle of it opens one, or asks for its size."""
    for frame in inner[:6]:
        if _in(frame, "pathlib.py", "pathlib/") and _FILE.match(frame.function):
            return Lane.DISK, f"the files of {_asker(inner)}"
        if _FOLDER.match(frame.function) or (is_application(frame) and _FOLDER_CALL.search(frame.code)):
            return Lane.DISK, f"the files of {_asker(inner)}"
    return None


def _asking(chain: Stack) -> Iterator[tuple[str, str]]:
    """The functions of the application that ask a peer: the innermost ones above such a wait."""
    found = meaning(chain)
    if found is not None and found.lane is Lane.UPSTREAM:
        yield from [_where(frame) for frame in chain if is_application(frame)][-2:]


def _sleeper(chain: Stack) -> Frame | None:
    """Who of the application sleeps, if that is what a chain does."""
    if len(chain) < 2 or chain[-1].function != "sleep" or not is_application(chain[-2]):
        return None
    return chain[-2]


def _irregular_sleepers(waits: Sequence[Wait], ended: set[str]) -> Iterator[tuple[str, str]]:
    """Functions that sleep for lengths that differ, in tasks that come to an end: neither polling nor pacing."""
    lengths: dict[tuple[str, str], list[float]] = defaultdict(list)
    for wait in waits:
        sleeper = _sleeper(wait.chain)
        if sleeper is not None and wait.coroutine in ended:
            lengths[_where(sleeper)].append(wait.seconds)
    for name, found in lengths.items():
        if len(found) < FEW_SLEEPS or max(found) >= PACING_RATIO * min(found):
            yield name


def _where(frame: Frame) -> tuple[str, str]:
    return frame.file, frame.function


def _sizes(sizes: Sequence[Size], place: Place) -> Iterator[Event]:
    """Levels of queues and containers; and for how long at a stretch a queue was longer than usual."""
    queues: dict[str, list[Size]] = defaultdict(list)
    for each in sizes:
        if _SPARE.search(each.label):
            continue  # what lies in it is free to be taken
        if each.is_queue:
            queues[each.label].append(each)
        lane = Lane.QUEUE if each.is_queue else Lane.STATE
        kind = "queue-size" if each.is_queue else "container-size"
        yield Event(each.at_s, kind, lane, Form.LEVEL, place, value=float(each.size), label=each.label)
    for label, found in queues.items():
        yield from _behind(label, found, place)


def _behind(label: str, sizes: Sequence[Size], place: Place) -> Iterator[Event]:
    """Stretches in which a consumer was behind: beyond what lies in its queue all the time."""
    usual = min(each.size for each in sizes)
    since_s: float | None = None
    most = 0
    for each in sizes:
        if each.size > usual + max(1, usual):
            since_s = each.at_s if since_s is None else since_s
            most = max(most, each.size)
        elif since_s is not None:
            yield from _aged(label, since_s, most, each.at_s, place)
            since_s, most = None, 0
    if since_s is not None:
        yield from _aged(label, since_s, most, sizes[-1].at_s, place)


def _aged(label: str, since_s: float, most: int, at_s: float, place: Place) -> Iterator[Event]:
    if at_s - since_s >= SHORTEST_S:
        text = f"{label}, up to {most} in it"
        yield Event(at_s, "live-queue", Lane.QUEUE, Form.SPAN, place, seconds=at_s - since_s, label=text)


def _lives(watched: Watched, place: Place) -> Iterator[Event]:
    """Tasks of the application that come and go are its work; a connection lives as long as its client likes."""
    idle = {wait.coroutine for wait in watched.waits if is_idle_connection(wait.chain)}
    idle |= {group.coroutine for sample in watched.tasks for group in sample.groups if is_idle_connection(group.chain)}
    counts = Counter(life.coroutine for life in watched.lives)
    for life in watched.lives:
        if life.own and life.coroutine not in idle and counts[life.coroutine] >= COMPARABLE:
            yield Event(
                at_s=life.at_s,
                kind=LIVES,
                lane=Lane.OPERATION,
                form=Form.SPAN,
                place=place,
                seconds=life.seconds,
                label=life.coroutine,
                site=life.site,
                uncertainty_s=life.uncertainty_s,
            )


def _levels(samples: Sequence[TaskSample], place: Place) -> Iterator[Event]:
    """The count of all tasks, and of each coroutine that has many."""
    if not samples:
        return
    most = _largest(samples)
    for sample in samples:
        counts = dict.fromkeys(most, 0)
        total = 0
        for group in sample.groups:
            if is_infrastructure(group):
                continue
            total += group.count
            if group.coroutine in counts:
                counts[group.coroutine] += group.count
        yield _level(sample.at_s, "tasks", "tasks", float(total if sample.groups else sample.count), place)
        yield from _connections(sample, place)
        for name, count in counts.items():
            yield _level(sample.at_s, "tasks-of", f"tasks of {most[name]}", float(count), place)


def _connections(sample: TaskSample, place: Place) -> Iterator[Event]:
    """Connections that wait for their client: as they rise, so may everything else."""
    count = sum(group.count for group in sample.groups if is_idle_connection(group.chain))
    if count:
        yield Event(
            sample.at_s, "connections", Lane.SESSIONS, Form.LEVEL, place, value=float(count), label="connections"
        )


def _largest(samples: Sequence[TaskSample]) -> dict[str, str]:
    """Coroutines by how many there were at most, with where they are created, if known."""
    peak: dict[str, int] = {}
    named: dict[str, str] = {}
    for sample in samples:
        now: dict[str, int] = {}
        for group in sample.groups:
            if not is_infrastructure(group):
                now[group.coroutine] = now.get(group.coroutine, 0) + group.count
                named[group.coroutine] = f"{group.coroutine} created at {group.site}" if group.site else group.coroutine
        for name, count in now.items():
            peak[name] = max(count, peak.get(name, 0))
    most = sorted(peak, key=lambda name: (-peak[name], name))[:SERIES_OF]
    return {name: named[name] for name in most}


def _level(at_s: float, kind: str, label: str, value: float, place: Place) -> Event:
    return Event(at_s=at_s, kind=kind, lane=Lane.TASKS, form=Form.LEVEL, place=place, value=value, label=label)
