"""What the channels of a live service saw, raw: one noun per kind of look. `readings` and `waits` make events of them.

Instants are epoch seconds of this machine (`_s`); what comes from the service's own clock was moved there on arrival.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack or an await chain."""

    file: str
    line: int
    function: str
    code: str = ""
    qualified: str = ""  # `Lock.acquire`, where the channel tells


Stack = tuple[Frame, ...]  # outermost first


@dataclass(frozen=True, slots=True)
class StackSample:
    """The stack of the loop's thread at a moment between `asked_s` and `at_s`, its answer."""

    asked_s: float
    at_s: float
    stack: Stack
    threads: tuple[tuple[str, Stack], ...] = ()  # the others by name, where the probe tells


@dataclass(frozen=True, slots=True)
class Ping:
    """How long one way in took to answer: the loop's own (console, probe) or the monitor's thread."""

    asked_s: float
    at_s: float  # the answer, or when we stopped waiting
    loop: bool  # it needs the loop; else only the monitor's thread
    answered: bool = True

    @property
    def seconds(self) -> float:
        return self.at_s - self.asked_s


@dataclass(frozen=True, slots=True)
class Child:
    """A process below the service."""

    pid: int
    name: str  # script or program, and what kind of it: `mcp_server.py notes`
    cpu_s: float
    started_s: float


@dataclass(frozen=True, slots=True)
class Counters:
    """What the kernel counts for a local target, at one moment. None: not to be had here."""

    at_s: float
    monotonic_s: float
    boot_s: float | None = None  # like monotonic, but it goes on while the machine sleeps
    cpu_s: float | None = None  # process, user and system
    loop_cpu_s: float | None = None  # of the loop's thread
    state: str = ""  # of the loop's thread: R S D T
    wait_channel: str = ""
    run_queue_s: float | None = None  # loop's thread: runnable, without a CPU
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    major_faults: int | None = None
    rss_bytes: int | None = None
    descriptors: int | None = None
    descriptor_limit: int | None = None
    threads: int | None = None
    below: tuple[Child, ...] | None = None
    throttled_s: float | None = None  # of its cgroup
    memory_pressure_s: float | None = None  # PSI some, total
    cpu_pressure_s: float | None = None
    io_pressure_s: float | None = None

    @property
    def children(self) -> int | None:
        return len(self.below) if self.below is not None else None


@dataclass(frozen=True, slots=True)
class Collection:
    """One run of the cyclic collector, measured inside."""

    at_s: float  # its end
    seconds: float
    generation: int
    collected: int
    explicit: bool | None = None
    caller: Stack = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat of the loop that came late."""

    at_s: float  # when it came
    late_s: float
    cpu_s: float | None = None  # CPU of the loop's thread since the beat before


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Empty work through the default executor and back: `seconds` is what it waited for a thread."""

    at_s: float
    seconds: float
    pending: bool = False  # not back yet


@dataclass(frozen=True, slots=True)
class TaskGroupSample:
    """Tasks of one coroutine that wait at one place."""

    coroutine: str
    count: int
    chain: Stack = ()  # of one of them; the await chain, outermost first
    site: str = ""  # where they were created, if known
    oldest_s: float | None = None  # age, as far as known
    waited_s: float | None = None  # the longest that one of them has been seen waiting at this place
    state: str = "PENDING"


@dataclass(frozen=True, slots=True)
class TaskSample:
    """All tasks of the service at a moment, grouped."""

    at_s: float
    count: int
    groups: tuple[TaskGroupSample, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """A task that began and ended during the watch: one piece of work of the service, with its length."""

    at_s: float  # its end
    seconds: float
    coroutine: str
    site: str = ""
    uncertainty_s: float = 0.0  # the period of the look
    own: bool = True  # the application's coroutine, as far as known; else a library's
    task: str = ""  # which one, where the channel tells


@dataclass(frozen=True, slots=True)
class Wait:
    """One task at one place for so long; `ended` is False for what still waits at the end of the watch."""

    at_s: float  # its end
    seconds: float
    coroutine: str
    chain: Stack
    ended: bool = True
    uncertainty_s: float = 0.0
    task: str = ""  # which one, where the channel tells


@dataclass(frozen=True, slots=True)
class Size:
    """How much is in a queue, or in a large container, of the service."""

    at_s: float
    label: str  # `Mixer._items`
    size: int
    is_queue: bool


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """What the service tells of itself, once or now and then."""

    at_s: float
    python: str = ""
    loop_class: str = ""
    debug: bool | None = None
    gc_counts: tuple[int, int, int] | None = None
    gc_collections: tuple[int, int, int] | None = None
    gc_thresholds: tuple[int, int, int] | None = None
    gc_frozen: int | None = None
    gc_enabled: bool | None = None
    ready: int | None = None  # callbacks that are due
    scheduled: int | None = None
    executor_queue: int | None = None
    executor_threads: int | None = None
    executor_limit: int | None = None


@dataclass(slots=True)
class Watched:
    """Everything that one watch has seen so far; the channels append."""

    stacks: list[StackSample] = field(default_factory=list)
    pings: list[Ping] = field(default_factory=list)
    counters: list[Counters] = field(default_factory=list)
    collections: list[Collection] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    round_trips: list[RoundTrip] = field(default_factory=list)
    tasks: list[TaskSample] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    jobs: list[Wait] = field(default_factory=list)  # calls in threads of executors, with their stacks
    sizes: list[Size] = field(default_factory=list)
    facts: list[LoopFacts] = field(default_factory=list)
