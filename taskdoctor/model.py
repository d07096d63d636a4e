"""The nouns: what was seen, what was late, who owned it, and the verdict.

Why one module: everything between reading and writing is a pure function over these frozen values, so that the same
cause works from a live port, from a log, or from both. Numbers keep their unit in their name; only renderers make text.
Instants are seconds since the epoch (`_s`, UTC; a stamp without a zone is taken as written). Nothing here imports
anything of the project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Lane(StrEnum):
    """What kind of fact an event or interval is; a cause names the lanes that can show it."""

    SUSPENDED = "suspended"  # the process was stopped, the machine slept, the clock jumped
    NOT_SCHEDULED = "not-scheduled"  # runnable, but got no CPU
    MEMORY = "memory"  # swap, reclaim, OOM
    GC = "gc"  # the cyclic collector ran
    LOOP_HELD = "loop-held"  # the loop did not turn; by what is open
    BLOCKING = "blocking"  # held by a synchronous call that is named
    COMPUTING = "computing"  # held by computation that is named
    LOGGING = "logging"  # held by a log handler or print
    TEARDOWN = "teardown"  # a session or connection closed
    EXECUTOR = "executor"  # waiting for a thread of an executor
    LOCK = "lock"  # waiting for a lock, condition or database row
    POOL = "pool"  # waiting for a connection or semaphore slot
    QUEUE = "queue"  # items age in a queue
    DNS = "dns"  # name resolution
    DESCRIPTORS = "descriptors"  # file descriptors
    BACKOFF = "backoff"  # 429, retry-after, back-off sleeps
    UPSTREAM = "upstream"  # LLM, TTS, MCP tool, HTTP peer
    CLIENT = "client"  # browser or network behind the service
    TASKS = "tasks"  # how many tasks; tasks lost or failed
    STATE = "state"  # sizes of histories, caches, heap
    GAUGE = "gauge"  # some quantity of the service's own; of what, its name alone says
    CHILDREN = "children"  # subprocesses, MCP clients: opened, closed, left
    DISK = "disk"  # files on disk that grow and are scanned
    SESSIONS = "sessions"  # websocket sessions: opened, closed
    OPERATION = "operation"  # a conversation, a request: the work that can be late
    ERROR = "error"  # errors worth showing that point to no single cause
    LIFECYCLE = "lifecycle"  # start, stop, restart of the service


class Form(StrEnum):
    """How an event stands in time."""

    SPAN = "span"  # it carries its own length
    MARK = "mark"  # a moment
    LEVEL = "level"  # a quantity at a moment
    OPEN = "open"  # begins something; its CLOSE has the same pair name and key
    CLOSE = "close"


class Layer(IntEnum):
    """Who is asked first when claims overlap: the more certain first."""

    NOT_RUNNING = 1
    GC = 2
    LOOP_HELD = 3
    WAITING_INSIDE = 4
    UPSTREAM = 5
    OUTSIDE = 6
    GROWING = 7


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was seen: `server.log:412`, or a source without lines."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a line, or a channel, said. `seconds` is the length of a SPAN, `value` the number of a LEVEL."""

    at_s: float
    kind: str
    lane: Lane
    form: Form
    place: Place
    seconds: float | None = None
    value: float | None = None
    key: str = ""  # pairs OPEN with CLOSE; else groups (generation, session, host)
    label: str = ""  # what it names: coroutine, tool, end point, error text
    site: str = ""  # code location, `app/chat.py:88`
    worker: str = ""  # process or thread that wrote it, where the prefix tells
    starts: bool = False  # the line stands at the start of its interval (a planned wait), not at its end
    cpu_s: float | None = None  # CPU used inside the span, where the line says so
    pair: str = ""  # OPEN/CLOSE: the name both share
    aligned: bool = True  # False: the line had no stamp near it; its length counts, its position does not
    uncertainty_s: float = 0.0  # resolution of the stamp
    is_outlier: bool = False  # kept for its length beside a sample of its kind: what is normal is told without it

    @property
    def start_s(self) -> float:
        """Almost every line is stamped at its end: the interval is [at - seconds, at]."""
        return self.at_s if self.starts else self.at_s - (self.seconds or 0.0)

    @property
    def end_s(self) -> float:
        return self.at_s + (self.seconds or 0.0) if self.starts else self.at_s


class Silence(StrEnum):
    """What a gap in all lines of one source means."""

    HELD = "held"  # periodic lines stopped together and came back in a burst
    IDLE = "idle"  # nothing was due
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which one source (or one worker of it) wrote nothing at all."""

    start_s: float
    end_s: float
    place: Place  # the first line after it
    reading: Silence
    worker: str = ""
    late_beats: int = 0  # periodic lines that were due inside and came right after
    burst_lines: int = 0  # lines that came back at once
    uncertainty_s: float = 0.0
    silent_s: float = 0.0  # from the last line before it; `seconds` counts from when a line was due

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a kind was seen in all that was read, even where only a sample of its events was kept."""

    kind: str
    lane: Lane
    form: Form
    count: int
    kept: int


@dataclass(frozen=True, slots=True)
class Source:
    """What was read of one file, stream or channel."""

    name: str
    bytes: int
    lines: int
    formats: tuple[tuple[str, int], ...] = ()  # format name, lines (counted, or of a sample)
    unparsed_share: float = 0.0  # lines without a known prefix that do not continue another line
    resolution_s: float | None = None  # of its stamps; None: no stamps at all
    first_s: float | None = None
    last_s: float | None = None
    workers: tuple[str, ...] = ()
    beats: tuple[str, ...] = ()  # lines that came at a steady period: while they do, the loop turns
    notes: tuple[str, ...] = ()  # sentences: truncated, clock went backwards, bad bytes ...


class Known(StrEnum):
    """How a fact about a target is known; what is not known is said, not left out."""

    MEASURED = "measured"
    INFERRED = "inferred"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Fact:
    """One number about the watched process or its machine; None: not to be had, and `note` says why."""

    name: str
    value: float | None
    unit: str = ""
    known: Known = Known.MEASURED
    note: str = ""


@dataclass(frozen=True, slots=True)
class TaskGroup:
    coroutine: str
    count: int
    change: int
    kind: str  # "service" | "connection" | "call" | "infrastructure"
    site: str | None = None
    waiting_at: str | None = None
    oldest_s: float | None = None


class Reading(StrEnum):
    """What a held loop was doing, from what answered meanwhile and what the kernel counted."""

    ON_LOOP = "on-loop"  # Python code ran on the loop
    WAITING = "waiting"  # a synchronous call waited on the loop
    GIL_HELD = "gil-held"  # nothing else of the process could run: a C call or the collector
    NOT_SCHEDULED = "not-scheduled"  # the process itself did not run
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BlockedStack:
    """Stalls of the loop with the same code on it; `seconds` is the sum of `count` of them."""

    at_s: float  # start of the first
    seconds: float
    longest_s: float
    count: int
    reading: Reading
    label: str = ""  # the innermost call
    site: str = ""  # the first frame of the application
    frames: tuple[str, ...] = ()  # `app/chat.py:88 in reply`, outermost first, plumbing left out
    thread_state: str = ""  # of the loop's thread: R S D T
    cpu_share: float | None = None  # CPU seconds of that thread per second held


class ProcessClass(StrEnum):
    """What an MCP server (or what it left) is to the living; only an orphan may be ended."""

    ORPHAN = "orphan"  # proven: nobody can ever ask it anything again, and nothing speaks against ending it
    SUSPECT = "suspect"  # looks like one; not proven, or something speaks against ending it
    HELPER = "helper"  # no server itself: left by one that is dead
    RETAINED = "retained"  # lives under a living client, which keeps more copies than are configured
    ZOMBIE = "zombie"  # has ended; its parent did not fetch the news
    UNKNOWN = "unknown"  # what would tell was not readable
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Sign:
    """One reason for a class: a sentence, where it was seen, and the command by which a person can check it."""

    text: str
    source: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class Harm:
    """What a process, or a tree of them, takes."""

    rss_bytes: int = 0
    cpu_share: float = 0.0  # of one core, over the sample; 2.0 is two cores
    ports: tuple[int, ...] = ()  # it listens on
    locks: tuple[str, ...] = ()  # locked files, open databases
    held: tuple[str, ...] = ()  # those of them that it keeps others out of at this moment
    cpu_s: float = 0.0  # used since its start: tells how long it may have been spinning

    @property
    def spins(self) -> bool:
        return self.cpu_share >= 0.5


@dataclass(frozen=True, slots=True)
class Process:
    """One member of a tree."""

    pid: int
    name: str
    command: str  # secrets taken out
    parents: tuple[int, ...]  # nearest first
    started_s: float
    start_ticks: int  # since boot; with the pid, its identity
    owner: str
    harm: Harm = field(default_factory=Harm)


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """One server with its wrappers and children, judged as a whole: `npm exec` -> `sh` -> `node`."""

    kind: ProcessClass
    label: str  # the package, script or module
    processes: tuple[Process, ...]  # root first
    signs: tuple[Sign, ...] = ()  # why it counts
    blockers: tuple[Sign, ...] = ()  # why it must not be ended
    harm: Harm = field(default_factory=Harm)  # of the whole tree
    entry: str = ""  # which entry of which configuration
    started_by: str = ""
    client: int | None = None  # the process that holds the other end of its channel
    launch: str = ""  # "npx", "uv", "shell", "direct", "container": what the advice depends on
    unread: tuple[str, ...] = ()  # what was not readable

    @property
    def root(self) -> Process:
        return self.processes[0]


@dataclass(frozen=True, slots=True)
class Service:
    """What a watch of a live service found that has no place in time."""

    address: str
    facts: tuple[Fact, ...] = ()
    groups: tuple[TaskGroup, ...] = ()
    tasks: int | None = None  # last count
    blocked: tuple[BlockedStack, ...] = ()
    gc_collections: tuple[int, int, int] | None = None  # during the watch, by generation
    gc_thresholds: tuple[int, int, int] | None = None
    gc_frozen: int | None = None
    notes: tuple[str, ...] = ()  # channels: what each could see, what was left out and why


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """The service under diagnosis."""

    pid: int
    command: str
    sessions: int | None  # connections that others have open to its ports; None: not readable
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Processes:
    """The process table at one moment, as far as MCP servers and what they left are concerned."""

    at_s: float
    platform: str  # "linux", "darwin", "win32"
    proven: bool  # the channel was looked at twice, `apart_s` apart
    apart_s: float
    scanned: int
    trees: tuple[ProcessTree, ...] = ()
    service: ServiceProcess | None = None
    memory_bytes: int = 0  # of the machine
    cores: int = 1
    utc_offset_s: float = 0.0  # of the machine's own clock; logs without a zone are written in it
    available_bytes: int = 0  # of memory; 0: not told


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one collector saw, unjudged."""

    collector: str  # "logs", "attach", "processes"
    sources: tuple[Source, ...]
    events: tuple[Event, ...] = ()  # by time
    gaps: tuple[Gap, ...] = ()
    tallies: tuple[Tally, ...] = ()
    warnings: tuple[str, ...] = ()  # what could not be read
    service: Service | None = None  # of a live one
    processes: Processes | None = None


# --- judged -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


class Grade(StrEnum):
    """How a piece of evidence is known."""

    MEASURED = "measured"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence with its number, where it was seen, and how it is known."""

    text: str
    source: str
    grade: Grade = Grade.MEASURED


@dataclass(frozen=True, slots=True)
class Claim:
    """An interval which a cause can show it owned. `weight` < 1: shared with another reading of the same fact."""

    cause: str
    interval: Interval
    evidence: Evidence
    weight: float = 1.0
    direct: bool = True  # seen inside the stall, not concluded from a quantity
    slack_s: float = 0.0  # how far its position may be off: stamps of whole seconds
    guessed: bool = False  # what its line means was told from the words of a stranger
    task: str = ""  # the only one that waited, where a live watch tells


class StallKind(StrEnum):
    LOOP = "loop"  # the event loop was late: everyone waits
    OPERATION = "operation"  # one conversation or request was late against its own normal


@dataclass(frozen=True, slots=True)
class Stall:
    """An interval in which the service was late. `excess_s` is what is beyond its own normal."""

    kind: StallKind
    interval: Interval
    excess_s: float
    name: str  # the operation, or "event loop"
    place: Place
    task: str = ""  # that was late, where a live watch tells


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of work with its own normal, seconds."""

    name: str
    count: int
    normal_s: float
    p50_s: float
    p95_s: float
    max_s: float
    histogram: tuple[tuple[float, float, int], ...]  # (from_s, to_s, count), log-spaced
    slow: tuple[SlowOperation, ...] = ()
    p50_without_s: float | None = None  # with the top cause's seconds taken out
    p95_without_s: float | None = None
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class SlowOperation:
    at_s: float
    seconds: float
    place: Place
    owners: tuple[tuple[str, float], ...]  # (cause id or "unexplained", seconds), largest first
    label: str = ""
    subparts: tuple[tuple[str, float], ...] = ()  # (part, seconds): LLM, TTS ... where the log allows


@dataclass(frozen=True, slots=True)
class GcPause:
    at_s: float
    seconds: float
    generation: int | None
    collected: int | None = None
    explicit: bool | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class GcSummary:
    collections: tuple[int, int, int]  # by generation
    pauses: tuple[GcPause, ...]  # longest first, bounded
    p50_s: float
    p95_s: float
    max_s: float
    total_s: float
    stalled_share: float  # of all stalled time
    growing: bool | None  # None: too few to tell
    thresholds: tuple[int, int, int] | None = None
    frozen: int | None = None  # objects that no collection looks at


@dataclass(frozen=True, slots=True)
class TaskSummary:
    count: int  # last seen
    over_time: tuple[tuple[float, int], ...]
    growing: bool | None
    abnormal: int  # lines that called the count abnormal
    lost: int  # destroyed pending, exception never retrieved
    fire_and_forget: int  # sends that nobody awaits
    groups: tuple[TaskGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class Connections:
    """Sessions, MCP clients: what was opened and closed."""

    name: str
    opened: int
    closed: int
    left: int
    over_time: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Teardown:
    count: int
    p50_s: float
    max_s: float
    unfinished: int


@dataclass(frozen=True, slots=True)
class ErrorLine:
    text: str
    count: int
    place: Place


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One row of the drawn timeline."""

    name: str  # cause id, or "stalls"
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Unclosed:
    """A session of the log that was never closed, or closed badly, and the processes of it that are still there."""

    text: str
    place: Place
    pids: tuple[int, ...]


class Outcome(StrEnum):
    """What became of a process that was to be ended."""

    ENDED = "ended"
    GONE = "gone"  # by itself, before any signal
    KEPT = "kept"  # not signalled: no longer the same, or no longer an orphan
    ALIVE = "alive"  # signalled, and still there


@dataclass(frozen=True, slots=True)
class Ended:
    """One process that was to be ended."""

    pid: int
    tree: int  # pid of the root of its tree
    command: str
    outcome: Outcome
    why: str  # the last signal, or why it was kept
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """The numbers of the sections below the verdict; None: nothing was seen of it."""

    timeline: tuple[LaneRow, ...] = ()
    operations: tuple[Operation, ...] = ()
    gc: GcSummary | None = None
    tasks: TaskSummary | None = None
    connections: tuple[Connections, ...] = ()
    teardown: Teardown | None = None
    errors: tuple[ErrorLine, ...] = ()
    processes: Processes | None = None
    unclosed: tuple[Unclosed, ...] = ()
    ended: tuple[Ended, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()


class Priority(StrEnum):
    P0 = "P0"  # now
    P1 = "P1"  # soon
    P2 = "P2"  # if it persists


@dataclass(frozen=True, slots=True)
class Fix:
    summary: str
    priority: Priority
    effort: str
    risk: str
    before: str  # code
    after: str  # code


class Severity(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Risk:
    """A condition that has stalled nothing yet."""

    cause: str
    title: str
    severity: Severity
    evidence: tuple[Evidence, ...]
    check: str
    fix: Fix
    leads_to: tuple[str, ...] | None = None  # causes that it feeds; None: whatever its cause can lead to


class Visibility(StrEnum):
    SEEN = "seen"
    PARTLY = "partly"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Blind:
    cause: str
    why: str
    how: str  # the command or code that would show it
    visibility: Visibility = Visibility.BLIND  # or PARTLY


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause in the verdict."""

    cause: str
    title: str
    probability: float
    blame_share: float
    blame_interval: tuple[float, float]  # 80 %
    stalls: int
    seconds: float
    sentence: str
    evidence: tuple[Evidence, ...]
    check: str
    fix: Fix
    counterfactual: str | None = None
    leads_to: tuple[str, ...] = ()  # chains seen in this run, head first


class Status(StrEnum):
    STALLS_FOUND = "stalls-found"
    HEALTHY = "healthy"
    INSUFFICIENT = "insufficient-evidence"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Causes in order, risks, what is unexplained, what was blind, what to do next."""

    status: Status
    summary: str
    window: Interval | None  # None: nothing had a stamp
    stall_count: int
    stalled_s: float
    longest_s: float
    unexplained_share: float
    unexplained_probability: float
    loop_held_share: float | None  # of stalled time: loop held against loop free; None: cannot be told
    findings: tuple[Finding, ...] = ()
    risks: tuple[Risk, ...] = ()
    blind: tuple[Blind, ...] = ()
    next_steps: tuple[str, ...] = ()
    report: Report = field(default_factory=Report)


# --- causes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timeline:
    """A snapshot put in order for the causes: intervals and moments by lane, and what was late."""

    window: Interval
    spans: Mapping[Lane, tuple[Event, ...]]
    marks: Mapping[Lane, tuple[Event, ...]]
    levels: Mapping[Lane, tuple[Event, ...]]
    opens: Mapping[str, tuple[Event, ...]]  # by pair name: opened and never closed
    gaps: tuple[Gap, ...]
    stalls: tuple[Stall, ...] = ()
    tallies: tuple[Tally, ...] = ()
    processes: Processes | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A cause proves itself on a short log: `wins` says whether it must come first, or must own nothing."""

    log: str
    wins: bool
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """A recognisable reason: what it claims, why, check, fix, examples and counter-examples."""

    id: str
    title: str
    layer: Layer
    lanes: tuple[Lane, ...]  # whose presence makes it visible
    prior_held: float  # share of loop-held stalls that turned out to be this one
    prior_free: float  # share of loop-free ones
    claims: Callable[[Timeline], tuple[Claim, ...]]
    why: str
    check: str  # one thing to run now that confirms or refutes it
    fix: Fix
    blind_why: str  # why a log may not show it
    blind_how: str  # the command or code that would
    risks: Callable[[Timeline], tuple[Risk, ...]] | None = None
    leads_to: tuple[str, ...] = ()
    more: str = ""  # further remedies and their dangers, for the page
    examples: tuple[Example, ...] = ()
