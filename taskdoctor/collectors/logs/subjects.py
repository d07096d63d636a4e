"""What a stranger's numbers are about, as data: words that name a subject, and the lane that it belongs to.

Why words and not patterns: nobody can foresee how a team writes "LLM first token 331ms", "db_wait_ms=812" or
"首包 1.15秒"; but what such a line speaks of is named by few words. `measuring` finds the numbers, these tables say
what they are of. The first subject that a context names wins, so the order of the tables is from the telling to the
common. Words are matched at the start of a word, lower case; Chinese anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from taskdoctor.collectors.logs.tongues import WORDS
from taskdoctor.model import Form, Lane


@dataclass(frozen=True)
class Subject:
    """One thing that lengths or counts are taken of. The fields that a `LogEvent` has too mean the same."""

    kind: str
    lane: Lane
    form: Form
    words: tuple[str, ...]  # regex pieces: each at the start of a word
    also: tuple[str, ...] = ()  # one of these must be there too
    never: tuple[str, ...] = ()  # and none of these
    label: str = ""
    starts: bool = False
    title: str = ""
    samples: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()
    pattern: str = ""  # instead of words, where a number is a moment of its own: groups `name`, `number`, `of`
    floor: float = 0.0  # and counts from here; percent, if there is an `of`
    sign: str = ""  # what a label with the number ends in
    pair: str = field(default="", init=False)

    @cached_property
    def reached(self) -> re.Pattern[str]:
        """Where a gauge with a floor stands in a message (lower case)."""
        return re.compile(self.pattern)

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return _any(self.words)

    @cached_property
    def _also(self) -> re.Pattern[str] | None:
        return _any(self.also) if self.also else None

    @cached_property
    def _never(self) -> re.Pattern[str] | None:
        return _any(self.never) if self.never else None

    def named_in(self, context: str) -> bool:
        """Whether a context (lower case) speaks of this subject."""
        if not self._words.search(context):
            return False
        if self._also is not None and not self._also.search(context):
            return False
        return self._never is None or not self._never.search(context)


def _any(words: tuple[str, ...]) -> re.Pattern[str]:
    latin = [word for word in words if word.isascii()]
    other = [word for word in words if not word.isascii()]
    pieces = ([rf"(?<![a-z])(?:{'|'.join(latin)})"] if latin else []) + other
    return re.compile("|".join(pieces))


_WAITS = ("wait", "acqui", "block", "contend", "held", "busy", "checkout", "check out", "checked out", "get", "等")


def _length(kind: str, lane: Lane, *words: str, **more: object) -> Subject:
    named = (*words, *WORDS.get(f"measured-{kind}", ()))
    return Subject(f"measured-{kind}", lane, Form.SPAN, named, **more)  # type: ignore[arg-type]


LENGTHS: tuple[Subject, ...] = (
    _length(
        "backoff",
        Lane.BACKOFF,
        r"retry(?:ing|_|-| in|-?after)?",
        "back(?:ing)?[ _-]?off",
        "cool(?:ing)?[ _-]?down",
        "rate[ _-]?limit",
        r"(?<![\w=:+/.-])429(?![\w+])",
        "too many requests",
        "quota",
        "重试",
        "退避",
        "限流",
        never=("reconnect", "after retry", "retries=", "attempts over"),
        label="retry",
        starts=True,
        title="back-off",
        samples=(
            "retrying in 4.2s",
            "429 from provider, backing off 8s",
            "rate limited, sleeping 12 s",
            "限流, 3.5秒后重试",
        ),
        near_misses=("reconnected to queue after retry in 3s",),
    ),
    _length(
        "gc",
        Lane.GC,
        "gc(?![a-z])",
        "garbage",
        r"gen(?:eration)?[ _-]?[012](?!\d)",
        r"(?:cyclic|python|garbage|object) collector",
        r"collector (?:callback|pass|pause|run)",
        r"(?:small|full|young|old|major|minor) collection",
        "垃圾回收",
        "垃圾收集",
        label="collection",
        title="garbage collection",
        never=("otel", "metrics", "log collector"),
        samples=(
            "python collector callback pause_ms=812",
            "gc gen2 took 812ms",
            "garbage collection: 1.2s",
            "gc_pause_ms=930",
            "垃圾回收 第2代 耗时 1.3秒",
        ),
    ),
    _length(
        "run-queue",
        Lane.NOT_SCHEDULED,
        "run[ _-]?delay",
        "run[ _-]?q(?:ueue)?[ _-]?wait",
        title="waiting for a CPU",
        label="run queue",
        samples=("runq_wait=1.80s", "run queue wait 812 ms", "run_delay_ms=812"),
    ),
    _length(
        "not-scheduled",
        Lane.NOT_SCHEDULED,
        "overslept",
        "descheduled",
        "not scheduled",
        "cpu[ _-]?(?:wait|steal|throttl)",
        "steal",
        "throttled",
        r"watchdog.{0,40}thread.{0,40}late",
        title="not scheduled",
        label="no CPU",
        samples=("this thread itself overslept by 5.77s", "throttled for 3.2s in the last period"),
    ),
    _length(
        "suspend",
        Lane.SUSPENDED,
        "suspend(?!ed (?:user|account))",
        "resum(?:e|ing) from",
        "clock (?:jump|step)",
        "wall clock",
        "time jump",
        "asleep",
        "挂起",
        "休眠",
        title="suspended",
        label="suspend",
        samples=("system was asleep for 321s", "clock jump of 42.0s detected"),
    ),
    _length(
        "loop-lag",
        Lane.LOOP_HELD,
        "event[ _-]?loop",
        r"loop[ _-]?(?:lag|delay|block|held|stall|late|latency)",
        "loop was",
        r"(?:heartbeat|beat|tick|pulse|timer)\b.{0,30}\b(?:late|behind|overdue|delayed)",
        "遅れ",
        "延迟",
        "verspätet",
        "loop thread",
        r"(?:main|loop) thread (?:has|is|was|did)",
        "lag_ms",
        "drift",
        "事件循环",
        "主循环",
        title="event loop late",
        samples=("event loop lag 1.93s", "loop_lag_ms=812", "heartbeat #42 drift=3.12s", "事件循环阻塞 2.1秒"),
        near_misses=("event loop started, poll 0.5 s",),
        never=("started", "running on"),
    ),
    _length(
        "logging",
        Lane.LOGGING,
        r"(?:one )?emit\(\)",
        r"(?:stream|file|rotating|socket|console|syslog)handler",
        "写盘",
        "写日志",
        r"log[ _-]?(?:handler|flush|emit|ship|sink|write|push|rotat)",
        "logship",
        "(?:do_?)?rollover",
        "loki",
        "stdout",
        "stderr",
        "日志",
        title="logging",
        label="log handler",
        samples=(
            "log flush took 812ms",
            "logship: POST http://loki:3100/push -> 204 in 1545ms",
            "stdout write blocked 1.2s",
        ),
    ),
    _length(
        "teardown",
        Lane.TEARDOWN,
        "clos(?:e|ing)(?!d)",
        "closed (?:in|took)",
        "clean(?:ing)?[ _-]?up",
        "cleanup",
        "teardown",
        "tear(?:ing)? down",
        r"stop(?:\(\)|ped|ping) (?:of|the|old|took|after|in)",
        "shut(?:ting)?[ _-]?down",
        "disconnect",
        "releas(?:e|ing)",
        "abbau",
        "清理",
        "关闭",
        "释放",
        never=(
            *("lasted", "session length", "was open", "alive for", "online", "after", "idle"),
            *("cache", "folder", "director", "files?(?![a-z])", "dateien", "disk", "expired"),
        ),
        title="teardown",
        label="close",
        samples=(
            "session close took 3.2s",
            "cleanup done elapsed_ms=4120",
            "会话清理耗时: 1.20秒",
            "closing browser context: 2.4s",
        ),
        near_misses=("connection closed after 312s",),
    ),
    _length(
        "lock",
        Lane.LOCK,
        r"(?:(?:share|exclusive|advisory|row|table|file|r?w?)_?)?lock(?!ed out)",
        "mutex",
        r"guard(?![a-z])",
        r"(?:until|before) (?:the |it )?(?:\w+ )?(?:was|were|is|became|got) (?:ours|mine|free|released|unlocked)",
        "latch",
        "contention",
        r"exclusive (?:access|use|hold|section)",
        "sqlite_busy",
        "database is locked",
        "锁",
        title="waiting for a lock",
        label="lock",
        samples=(
            "waited 3.2s for lock session-store",
            "lock_wait_ms=812",
            "roster lock acquired after 4.1s",
            "等待锁 2.3秒",
        ),
    ),
    _length(
        "pool",
        Lane.POOL,
        r"(?:db|conn(?:ection)?|redis|pg|http)[ _-]?pool",
        "pool[ _-]?(?:wait|acquire|checkout|get)",
        "semaphore",
        "permit",
        r"(?:db|conn(?:ection)?|slot)[ _-]?(?:wait|acquire|checkout)",
        r"(?:db|database|sql) (?:session|conn)",
        r"(?:for|acquir\w*|before|until|get(?:ting)?) (?:a |an |the )?(?:db |database |free )?(?:connection|slot)",
        "连接池",
        title="waiting for a connection",
        label="connection pool",
        samples=("waited 2.31s for a connection (pool 4/4 in use)", "db_wait_ms=4120", "pool checkout took 1.2s"),
    ),
    _length(
        "executor",
        Lane.EXECUTOR,
        "executor",
        "thread[ _-]?pool",
        "to_thread",
        "worker thread",
        "thread wait",
        r"picked[ _-]?up[ _-](?:after|by (?:a )?(?:worker|thread))",
        r"before (?:a |the |getting |got )*thread",
        r"before (?:a )?(?:thread|worker) (?:was |is )?(?:free|took|picked)",
        "线程池",
        "排队",
        title="waiting for a thread",
        label="executor",
        samples=(
            "to_thread queue wait 2.1s, 8/8 threads busy",
            "executor wait: 3.2s",
            "识别完成 排队3.10秒 计算0.55秒",
        ),
    ),
    _length(
        "queue",
        Lane.QUEUE,
        "queue",
        "backlog",
        r"(?:entry|item|message|job|event)[ _-]?age",
        r"(?:a|any|some) (?:consumer|worker) (?:took|picked|got|was free)",
        "consumer lag",
        r"(?:consumer|writer|worker|reader|ingest\w*|stream|feed|subscriber)\w* (?:is |fell |falls |runs )?behind",
        "enqueued",
        "dequeued",
        r"(?:in|into|from) (?:the |its )?(?:inbox|outbox|mailbox|backlog)",
        r"(?:sat|taken|waited|started)[ _-](?:after|before)",
        "picked",
        "wait(?:ed)? in line",
        "积压",
        "队列",
        title="waiting in a queue",
        label="queue",
        samples=("queue depth=41 oldest=3.2s", "archive writer behind: entry age 1.6s", "job 17 waited in queue 12.3s"),
    ),
    _length(
        "dns",
        Lane.DNS,
        "dns",
        "resolv(?!ed (?:issue|conflict))",
        "getaddrinfo",
        "name resolution",
        "address info",
        "域名解析",
        title="name resolution",
        label="DNS",
        samples=("dns lookup for api.example.com took 5.01s", "resolve_ms=2004"),
    ),
    _length(
        "memory",
        Lane.MEMORY,
        "swap",
        "major fault",
        "page fault",
        "reclaim",
        "memory (?:stall|pressure)",
        "内存压力",
        title="memory pressure",
        label="memory",
        samples=("memory stall 1.2s in reclaim", "swap-in took 812 ms"),
    ),
    _length(
        "disk",
        Lane.DISK,
        r"scan(?:ned|ning)?(?![a-z])",
        r"(?:walk(?:ed|ing)?|going) (?:the |over |through |all )*(?:\w+ )?(?:file|dir|folder|tree|disk)",
        r"(?:folder|director\w+|tree|cache|os)[ ._-]walk",
        "listdir",
        r"(?:cache|history|recording|artifact|log|upload)s? (?:folder|dir|directory|index)",
        "folder",
        "director",
        "index refresh",
        "fsync",
        "扫描",
        "目录",
        "文件夹",
        title="going through files",
        label="files",
        samples=("scanned 12034 files in 2.3s", "cache folder walk took 812ms", "录音目录扫描 1.2秒"),
    ),
    _length(
        "client",
        Lane.CLIENT,
        "playback",
        r"browser[ ._-]?(?:beacon|paint|event|timing|report)",
        r"(?:to[ _-])?paint(?:ed)?(?![a-z])",
        "beacon",
        r"(?:client|device|frontend|player)[ _-]?(?:ack|render|receipt|confirm|play|drain|send)",
        "ack_wait",
        r"(?<![.])render(?!_)",
        "slow consumer",
        "回执",
        "播放",
        "前端",
        never=("服务端", "server[ _-]?side"),
        title="the client",
        label="client",
        samples=("device ack after 12.3s", "client_ack_ms=8120", "设备回执 8.20秒", "playback finished after 9.1s"),
    ),
    _length(
        "llm",
        Lane.UPSTREAM,
        "llm",
        "first[ _-]?(?:token|sentence|chunk|byte)",
        "ttft",
        "token",
        "completion",
        "inference",
        "prompt",
        r"model(?![a-z])",
        "openai",
        "anthropic",
        "claude",
        "ollama",
        "gemini",
        r"gpt(?![a-z])",
        "generat(?:e|ion|ing) (?:reply|response|answer|text)",
        "大模型",
        "模型",
        "首包",
        "首字",
        "首句",
        "推理",
        "生成",
        never=("load", "assembl", "token bucket", "tokeniz"),
        label="LLM",
        title="LLM call",
        samples=("first token 331ms", "LLM stream finished in 1.20s", "llm_ms=2300", "[大模型] 首包 1.15秒"),
        near_misses=("AI response: the model took 3s",),
    ),
    _length(
        "speech",
        Lane.UPSTREAM,
        "tts",
        "asr",
        "stt",
        "speech",
        "synthes",
        "transcri",
        "whisper",
        "合成",
        "识别",
        "语音",
        label="speech",
        title="speech service",
        samples=("TTS for 3 sentences took 0.35s", "asr_ms=412", "第1/2句 合成完成 0.35秒"),
    ),
    _length(
        "tool",
        Lane.UPSTREAM,
        r"tools?(?![a-z])",
        "mcp",
        "function call",
        "工具",
        label="tool",
        title="tool call",
        samples=("Tool 'weather' executed in 0.12s", "tool_result elapsed_ms=455", "mcp call done in 3.2s"),
    ),
    _length(
        "database",
        Lane.UPSTREAM,
        r"sql(?:ite)?(?![a-z])",
        "database",
        r"db(?![a-z])",
        "postgres",
        "mysql",
        "redis",
        "mongo",
        "数据库",
        label="database",
        title="database",
        samples=("db query took 1.2s", "sql_ms=93", "slow database call: 3.1s"),
    ),
    _length(
        "http",
        Lane.UPSTREAM,
        "https?://",
        "on the wire",
        r"(?<![a-z])(?:[a-z]+-)?cloud",
        "upstream",
        "provider",
        "gateway",
        "external",
        "vendor",
        r"fetch(?:ed|ing)?",
        "download",
        r"api(?![a-z])",
        "webhook",
        "remote",
        "peer",
        "rpc",
        "接口",
        "上游",
        label="HTTP",
        title="HTTP peer",
        samples=("GET https://api.example.com/x 200 in 1.2s", "upstream_ms=812", "fetched weather in 3.1s"),
    ),
)

# How much of another length of the same line the CPU worked; no length by itself.
CPU_TIME = _length("cpu-time", Lane.COMPUTING, "(?:thread|process|cpu|user)[ _]time", r"cpu(?: s| ms| secs?)?$")
# Where something is kept, by a key alone: on a disk as a rule, but a database saves too.
SAVING = _length("saving", Lane.DISK, label="saving", title="saving")
# The connection to a peer, where the stages of a transfer are told (`conn=0.02 ttfb=0.15`): name resolution is in it.
CONNECT = _length("connect", Lane.UPSTREAM, label="connect", title="connecting")
LOOP_LAG = next(subject for subject in LENGTHS if subject.kind == "measured-loop-lag")
POOL = next(subject for subject in LENGTHS if subject.lane is Lane.POOL)
QUEUE = next(subject for subject in LENGTHS if subject.lane is Lane.QUEUE)
HTTP = LENGTHS[-1]
OPERATION = Subject("measured-operation", Lane.OPERATION, Form.SPAN, (), title="operation")


def _count(kind: str, lane: Lane, *words: str, **more: object) -> Subject:
    named = (*words, *WORDS.get(f"counted-{kind}", ()))
    return Subject(f"counted-{kind}", lane, Form.LEVEL, named, **more)  # type: ignore[arg-type]


COUNTS: tuple[Subject, ...] = (
    _count("threads", Lane.EXECUTOR, "threads?[ _]busy", "busy[ _]threads", "executor", "thread[ _-]?pool", "线程池"),
    _count(
        "pool",
        Lane.POOL,
        r"(?:db|pool|conn\w*)[ _-]?(?:in[ _-]?use|waiting|waiters|checked)",
        "waiters",
        samples=("db_in_use=2 db_waiting=3",),
    ),
    _count(
        "descriptors", Lane.DESCRIPTORS, r"(?:open[ _-]?)?fds?(?![a-z])", "(?:file )?descriptors", "open[ _-]?files"
    ),
    _count(
        "tasks",
        Lane.TASKS,
        r"(?:(?:asyncio|active|live|pending|open|background|running)[ _-])?tasks?(?![a-z])",
        "coroutines",
        "协程",
        "任务",
        never=("task[ _-]?id", "done", "finished"),
        samples=("gauge sessions=6 inflight=0 tasks=31", "active tasks: 41", "任务数 33"),
    ),
    _count(
        "children",
        Lane.CHILDREN,
        r"children(?!_expected)(?![a-z_])",
        "sub[ _-]?process(?:es)?",
        r"child[ _-]?process(?:es)?",
        r"(?:mcp[ _-]?)?servers[ _-]?(?:alive|running|open)",
        r"(?:old|older|other) (?:\w+ )?(?:alive|running)",
        r"\w* ?left[ _-]?over",
        "子进程",
        samples=("sessions=6 children=12",),
    ),
    _count(
        "faults",
        Lane.MEMORY,
        r"maj(?:or)?[ _-]?(?:flt|faults?)",
        "swap[ _-]?(?:mb|used|kb)",
        "pgmajfault",
        samples=("proc rss_mb=1924 swap_mb=1229", "majflt=47238 tasks=12"),
    ),
    _count(
        "collections",
        Lane.GC,
        r"(?:gc|gen|generation)[ _-]?2(?:[ _-]?(?:count|runs|collections))?(?![\w-])",
        r"full[ _-]collections",
        samples=("rss=812 gc2=17 tasks=12",),
    ),
    _count(
        "queue",
        Lane.QUEUE,
        r"\w*queue(?:d|_?(?:depth|size|len(?:gth)?))?(?![a-z])",
        "backlog",
        "qsize",
        r"(?:archive_)?q(?![a-z])",
        r"(?:jobs?[ _-])?pending(?! tasks)",
        r"(?:queue )?depth",
        "in queue",
        "积压",
        "排队",
        samples=("queue depth=41", "tick queued=0 done=11", "archive_q=25", "heartbeat subs=14 q=3"),
    ),
    _count(
        "sessions",
        Lane.SESSIONS,
        r"(?:open |active |ws_?|websocket_?)?(?:sessions|clients|connections|websockets|sockets|subs|subscribers|users)"
        "(?![a-z])",
        "在线",
        "会话",
        samples=("stats inflight=0 sessions=4", "sockets=60 msgs=1", "在线=5"),
    ),
    _count(
        "disk",
        Lane.DISK,
        r"(?:cache|disk|folder|recordings?|artifacts?|uploads?)[ _-]?(?:files|size|entries on disk|gb|mb)",
        r"files(?![a-z])",
        samples=("recordings: files=12034",),
    ),
    _count(
        "state",
        Lane.STATE,
        r"(?:(?:cache|history|context|store|registry|map|dict)[ _-])?entries(?![a-z])",
        r"(?:history|cache|context)[ _-]?(?:size|len(?:gth)?|items|messages)",
        r"messages(?![a-z])",
        r"(?:heap_)?objects(?![a-z])",
        "histories",
        r"(?:remembered|cached|known|seen|tracked|kept|stored)[ _][a-z]+",
        "历史",
        "缓存",
        samples=("state cache sweep: 24543 entries held", "context assembled: 9002 messages"),
    ),
)

# What stands beside such a count in a line of gauges, under a name of the service's own: `tasks=17 fingerprints=10583`.
GAUGE = Subject("counted-gauge", Lane.GAUGE, Form.LEVEL, (), title="gauge")

# Full: every slot of so many in use. A moment, since such a line is written when it is full.
FULL_THREADS = Subject(
    "counted-threads-full",
    Lane.EXECUTOR,
    Form.MARK,
    (),
    label="all threads busy",
    title="executor full",
    floor=100.0,
    samples=("executor: 8/8 workers busy, 4 jobs pending", "to_thread pool: 4/4 threads busy", "线程池 忙=4/4"),
    near_misses=("executor: 7/8 workers busy", "2/2 workers started"),
)
FULL_POOL = Subject(
    "counted-pool-full",
    Lane.POOL,
    Form.MARK,
    (),
    label="pool full",
    title="pool full",
    floor=100.0,
    samples=("no connection (pool 4/4 in use)", "db pool 5 of 5 connections in use"),
    near_misses=("pool: 3/4 in use", "retry 3/3 for db connection"),
)

_NUMBER = r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,6})?)"
_SIGN = r"[\"']?(?: time)?(?:\s?[=:]\s?|\s(?:is |at |for |of )?)[\"']?"
_NONE = r"(?P<of>(?!))?"  # it is not so much of anything

# Gauges that are moments once they reach their floor: somebody measured that a resource is short.
REACHED: tuple[Subject, ...] = (
    Subject(
        "counted-uptime",
        Lane.SUSPENDED,
        Form.LEVEL,
        (),
        pattern=(
            r"(?<![a-z_])(?P<name>uptime|monotonic|mono|up)(?: clock)?(?: \(monotonic\))?(?:_(?:s|ms|seconds))?"
            rf"[\"']?\s?[=: ]\s?{_NUMBER}{_NONE} ?(?:ms|s|secs?|seconds)?(?![a-z0-9/%])"
        ),
        title="a clock that may stand still",
        samples=("moss.tick: uptime clock (monotonic) 38s", "alive uptime=812.4 tasks=3"),
        near_misses=("deployments 4/4 up",),
    ),
    Subject(
        "counted-time-up",
        Lane.SUSPENDED,
        Form.LEVEL,
        (),
        pattern=rf"{_NUMBER}{_NONE} ?(?:ms|s|secs?|seconds) (?P<name>up|uptime)(?![a-z])",
        title="a clock that may stand still",
        samples=("tick        7954 ms up, children 4",),
        near_misses=("3 s upload",),
    ),
    Subject(
        "counted-starved",
        Lane.NOT_SCHEDULED,
        Form.MARK,
        (),
        pattern=rf"(?<![a-z])(?P<name>(?:cpu[ _])?steal|io[ _]?wait|(?:cpu[ _])?throttled){_SIGN}{_NUMBER}{_NONE}\s?%",
        floor=10.0,
        sign="%",
        title="short of CPU",
        samples=("host: steal=33% load1=8.4", "cpu iowait=40%", "cgroup throttled 12% of periods"),
        near_misses=("host: steal=3% load1=0.4", "iowait=0.4%", "cache hits 99%"),
    ),
    Subject(
        "counted-steal",
        Lane.NOT_SCHEDULED,
        Form.MARK,
        (),
        pattern=rf"(?<![a-z])us[=:] ?[0-9.]{{1,6}}%?,? [^;|]{{0,40}}?(?P<name>(?<![a-z])st)[=:] ?{_NUMBER}{_NONE}",
        floor=10.0,
        label="stolen by the hypervisor",
        sign="%",
        title="short of CPU",
        samples=("load=5.73 us=42 st=37.2", "us=12.0 sy=3 id=51 wa=0 st=33.1"),
        near_misses=("load=5.73 us=42 st=0.7", "st=37.2"),
    ),
    Subject(
        "counted-run-delay",
        Lane.NOT_SCHEDULED,
        Form.MARK,
        (),
        pattern=(
            r"(?<![a-z])(?P<name>run[ _-]?delay|sched[ _-]?wait|throttled|cpu[ _-]?wait)"
            r"[\"']?\s?[=: ]\s?(?P<number>[0-9]{1,9}(?:\.[0-9]{1,6})? ?(?:ms|us|s))"
            r" ?(?:/|per|in|of) ?(?P<of>[0-9]{1,6}(?:\.[0-9]{1,6})? ?(?:ms|s))(?![a-z])"
        ),
        floor=10.0,
        sign="%",
        title="runnable, but without a CPU",
        samples=("host: run_delay=3378ms/10s", "throttled 812ms in 5s"),
        near_misses=("host: run_delay=78ms/10s",),
    ),
    Subject(
        "counted-memory-pressure",
        Lane.MEMORY,
        Form.MARK,
        (),
        pattern=(
            r"(?P<name>(?:psi|pressure)[ _.]{1,2}mem(?:ory)?[ _.]{1,2}full[ _.]{1,2}avg10"
            rf"|mem(?:ory)?[ _.]{{1,2}}(?:psi|pressure)[ _.]{{1,2}}full[ _.]{{1,2}}avg10"
            r"|(?:psi|pressure)[ _.]{1,2}mem(?:ory)?[ _.]{1,2}(?:full|some)(?:[ _.]?avg)?_?10)"
            rf"{_SIGN}{_NUMBER}{_NONE}"
        ),
        floor=10.0,
        sign="%",
        title="memory pressure",
        samples=(
            "memory PSI full avg10=23%",
            "proc: rss=840M psi.memory.full.avg10=49.40",
            '"psi_mem_full_avg10": 30.33',
        ),
        near_misses=("psi.memory.full.avg10=0.13", "psi_mem_some_avg60=12"),
    ),
    Subject(
        "counted-swapping",
        Lane.MEMORY,
        Form.MARK,
        (),
        pattern=(
            r"(?<![a-z])(?P<name>swap(?:[ _-]?(?:in|out|io))?)(?: rate)?[=: ]{1,2}"
            r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,6})?)"
            rf"{_NONE} ?(?:m|mi|g|gi)b?(?:/s|ps)(?![a-z])"
        ),
        floor=10.0,
        sign=" MB/s",
        title="swapping",
        samples=("swap 812 MB/s", "vmstat swap_in=93MB/s"),
        near_misses=("swap 812 MB used", "swap_in=0MB/s"),
    ),
    Subject(
        "counted-pages-swapped",
        Lane.MEMORY,
        Form.MARK,
        (),
        pattern=rf"(?<![a-z])(?P<name>pswp(?:in|out))[=: ]{{1,2}}\+?(?P<number>[0-9]{{1,12}}){_NONE}(?![0-9.])",
        floor=10_000.0,
        sign=" pages",
        title="pages swapped",
        samples=("pswpin +190096 pages in the last minute",),
        near_misses=("pswpin +21 pages in the last minute",),
    ),
    Subject(
        "counted-major-faults",
        Lane.MEMORY,
        Form.MARK,
        (),
        pattern=(
            r"(?P<name>maj(?:or)?[ _]?(?:flt|faults?)(?: in| during| while)?"
            r"[ _](?:the )?(?:during|gap|delta|hold|stall|pause)"
            rf"|memory[._]high events){_SIGN}{_NUMBER}{_NONE}(?![0-9.])"
        ),
        floor=100.0,
        label="page faults",
        title="pages brought back from disk",
        samples=(
            "loop late by 4.62s, major faults during the gap: 3830 (swap-in)",
            '{"lag_ms": 2509, "majflt_during": 1530}',
            "memory.high events: 812",
        ),
        near_misses=("proc: rss=840M majflt=1200", "major faults during the gap: 3"),
    ),
    Subject(
        "counted-pool-waiting",
        Lane.POOL,
        Form.MARK,
        (),
        pattern=(
            r"(?P<name>(?:db|pool|conn(?:ection)?s?|redis|pg)[ _.]?(?:waiting|waiters|wait[ _]count|queued)"
            rf"|(?<![a-z])waiters){_SIGN}{_NUMBER}{_NONE}(?![0-9.]|\s?(?:ms|s)(?![a-z]))"
        ),
        floor=1.0,
        label="waiting for a connection",
        title="waiting for a connection",
        samples=("gauge db_in_use=2 db_waiting=3 inflight=4", "pool waiters: 2"),
        near_misses=("gauge db_in_use=2 db_waiting=0", "pool_waiting=0.2s"),
    ),
)
THREADS = COUNTS[0]
BUSY = re.compile(r"executor|thread[ _-]?pool|(?:workers?|threads?) busy|线程池")

ALL: dict[str, Subject] = {
    subject.kind: subject
    for subject in (*LENGTHS, SAVING, CONNECT, *COUNTS, GAUGE, OPERATION, FULL_THREADS, FULL_POOL, *REACHED)
}
