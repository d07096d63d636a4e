"""Moments that services nobody here wrote report: refusals, time-outs, exhaustion, sessions, starts and stops."""

from taskdoctor.collectors.logs.event import GENERIC, LogEvent
from taskdoctor.collectors.logs.events.parts import LENGTH
from taskdoctor.model import Form, Lane

BACKOFF = (
    LogEvent(
        kind="generic-retry-wait",
        lane=Lane.BACKOFF,
        form=Form.SPAN,
        literals=("etry", "ackoff", "acking off", "leeping ", "重试"),
        pattern=(
            r"(?:\b(?:[Rr]etry(?:ing)?|[Bb]acking off|[Bb]ack-?off|[Ss]leeping|[Ss]leep|[Ww]ill "
            r"retry|[Rr]etry[-_ ][Aa]fter|retry_after|backoff_s"
            rf"|retry_in)\b[^;|\d]{{0,60}}?(?P<duration>{LENGTH})"
            rf"|\b[Rr]etry[-_][Aa]fter[\"']?(?:[=:]\s?| )[\"']?(?P<seconds>\d{{1,5}}(?:\.\d{{1,6}})?)\b"
            rf"|(?:重试|退避)[^\d;|，。]{{0,16}}(?P<duration2>{LENGTH})|(?P<duration3>{LENGTH})后重试)"
        ),
        samples=(
            "Retrying in 4s",
            "rate limited, retry after 12 seconds",
            "LLM call failed, retrying in 2.5s (attempt 2)",
            "backing off for 8.0s",
            "Retry-After: 30",
            "429 from push service, Retry-After 17, notification waits",
            "sleeping 4.0 s before next attempt",
            "retry_after=12",
            "4.2秒后重试",
            "重试等待 4.2s",
        ),
        near_misses=(
            "User input: retry after 12 seconds",
            "retry failed",
            "AI response: please retry in 5s",
            "bob is sleeping in 3 rooms",
        ),
        anywhere=True,
        starts=True,
        label="retry",
        title="wait before a retry",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-rate-limited",
        lane=Lane.BACKOFF,
        form=Form.MARK,
        literals=(" 429", "=429", "ate limit", "RateLimit", "uota exceeded", "hrottle", "限流"),
        pattern=(
            r"(?:\b(?:[Rr]ate[- ]?limit(?:ed|ing)?(?: (?:hit|exceeded|reached|by))|[Rr]ate[- "
            r"]limited|being rate limited|[Rr]ateLimit(?:Error|Exceeded)"
            r"|Too Many Requests|[Qq]uota exceeded|[Tt]hrottled by (?:the )?(?:provider|upstream|api|API))\b"
            r"|\b(?:status|status_code|code|HTTP(?:/[\d.]{1,3})?|error|Error|got|received|returned"
            r"|answered|LLM|llm|API|api|upstream|provider)"
            r"[\"']?(?: code| status)?[:= ]{1,2}[\"']?429\b|限流|限速)"
        ),
        samples=(
            "Error calling LLM: 429",
            "request failed: Rate limit exceeded",
            "upstream status=429",
            "provider returned 429 Too Many Requests",
            "rate limited by provider",
            "openai quota exceeded",
            "throttled by provider",
            "请求被限流",
        ),
        near_misses=(
            "User input: why do I get 429 Too Many Requests?",
            'prompt="what is a rate limit exceeded error"',
            "loaded 429 voices",
            "rate limit is 60 per minute",
            "port 429 open",
            "AI response: status 429 means rate limited",
        ),
        anywhere=True,
        label="rate limit",
        title="refused: rate limit",
        priority=GENERIC + 1,
    ),
)

WAITS = (
    LogEvent(
        kind="generic-upstream-timeout",
        lane=Lane.UPSTREAM,
        form=Form.MARK,
        literals=("imed out", "Timeout", "timeout error", "超时"),
        pattern=(
            r"(?:\b(?P<label>LLM|llm|[Mm]odel|TTS|tts|ASR|asr|STT|[Tt]ool|MCP|mcp|openai|OpenAI"
            r"|anthropic|ollama|[Uu]pstream|[Pp]rovider|API|api"
            r"|HTTP|http|[Ww]ebhook|[Cc]ompletion|[Gg]eneration)\b[^;|]{0,60}?(?:timed out|timeout "
            r"error|[Tt]imeout(?:Error)?\b)"
            r"|\b(?:ReadTimeout|ConnectTimeout|ServerTimeoutError|APITimeoutError|ReadTimeoutError"
            r"|GatewayTimeout|504 Gateway Time-?out)\b"
            r"|(?P<label2>大模型|模型|语音合成|语音识别|工具|接口|上游)[^;|，。]{0,20}超时)"
        ),
        samples=(
            "LLM call timed out",
            "tool search timed out after 30s",
            "openai.APITimeoutError: Request timed out.",
            "aiohttp.ServerTimeoutError: Timeout on reading data",
            "provider timeout error",
            "调用大模型超时",
        ),
        near_misses=(
            "User input: the LLM timed out",
            "AI response: a timeout happens when the API timed out",
            "session timed out",
            'content="LLM timed out"',
        ),
        anywhere=True,
        title="upstream timed out",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-pool-exhausted",
        lane=Lane.POOL,
        form=Form.MARK,
        literals=("ool exhaust", "Timeout", "onnection pool", "onnections", "连接数", "连接池", "已连接"),
        pattern=(
            r"(?:\b[Pp]ool(?: is)? (?:exhausted|full)|\b[Pp]ool exhaustion|\b[Pp]ool timeout\b"
            r"|\bPoolTimeout\b|\b[Cc]onnection pool (?:is )?(?:exhausted"
            r"|full|timed out)|\b[Tt]oo many connections\b|\b[Tt]imed out waiting for (?:a "
            r")?connection|连接池(?:已满|耗尽|超时))"
        ),
        samples=(
            "connection pool exhausted",
            "Connection pool is full, discarding connection: api.example.com",
            "db: too many connections",
            "连接池耗尽",
        ),
        near_misses=("User input: connection pool exhausted", "connection pool created", "the carpool exhausted her"),
        anywhere=True,
        label="pool",
        title="no connection left",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-lock-conflict",
        lane=Lane.LOCK,
        form=Form.MARK,
        literals=("atabase is locked", "ock wait", "eadlock", "obtain lock", "lock timeout"),
        pattern=(
            r"(?:\b[Dd]atabase(?: table)? is locked\b|\b[Ll]ock wait timeout\b|\b[Dd]eadlock "
            r"(?:detected|found)|\bcould not obtain lock\b"
            r"|\b[Ll]ock timeout (?:exceeded|after)|\bcanceling statement due to lock timeout|死锁)"
        ),
        samples=(
            "sqlite3.OperationalError: database is locked",
            "(1205, 'Lock wait timeout exceeded; try restarting transaction')",
            "ERROR: deadlock detected",
            "could not obtain lock on row in relation",
            "canceling statement due to lock timeout",
        ),
        near_misses=("User input: database is locked", "deadlock-free algorithm", 'text="deadlock detected"'),
        anywhere=True,
        label="database lock",
        title="a lock could not be had",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-dns-failed",
        lane=Lane.DNS,
        form=Form.MARK,
        literals=("DNS ", "esol", "getaddrinfo"),
        pattern=(
            r"(?:\bDNS (?:lookup |resolution |query )?(?:failed|failure|timed? ?out|error)"
            r"|\b[Cc]ould not resolve (?:host|hostname)|\b[Ff]ailed to resolve"
            r"|\bgetaddrinfo ENOTFOUND\b|域名解析失败)"
        ),
        samples=(
            "DNS lookup failed for api.example.com",
            "Could not resolve host: x",
            "getaddrinfo ENOTFOUND api.example.com",
        ),
        near_misses=("User input: DNS lookup failed", "DNS server set to 10.0.0.1"),
        anywhere=True,
        label="name resolution",
        title="a name could not be resolved",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-queue-full",
        lane=Lane.QUEUE,
        form=Form.MARK,
        literals=("ueue full", "ueue is full", "ueueFull", "ueue overflow", "acklog", "队列"),
        pattern=(
            r"(?:\b(?:[\w-]{1,24}[ _])?[Qq]ueue(?: is)?(?: now)? (?:full|overflow(?:ed)?|overrun)\b"
            r"|\bQueueFull\b|\bbacklog (?:is )?(?:full|overflow)"
            r"|\b[Dd]ropp(?:ing|ed) (?:\d{1,9} )?(?:messages?|events?|frames?|chunks?|items?"
            r"|requests?)\b|\bconsumer (?:is )?(?:falling behind|too slow)"
            r"|\bqueue consumer is behind|队列已满)"
        ),
        samples=(
            "send queue is full",
            "asyncio.queues.QueueFull",
            "queue overflow: dropped 17 messages",
            "Dropping events: queue overflow",
            "audio queue full",
        ),
        near_misses=("User input: the queue is full", 'text="queue is full"', "queue full_name=x"),
        anywhere=True,
        label="queue",
        title="a queue was full",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-executor-full",
        lane=Lane.EXECUTOR,
        form=Form.MARK,
        literals=("hread pool", "xecutor", "线程池"),
        pattern=(
            r"(?:\b(?:[Tt]hread[ _]?pool|ThreadPoolExecutor|[Ee]xecutor)(?: is)? (?:full|exhausted"
            r"|saturated|starved|busy|overloaded)"
            r"|\b[Nn]o free threads|\b[Aa]ll (?:\d{1,5} )?(?:executor |worker )?threads (?:are )?busy"
            r"|线程池(?:已满|耗尽))"
        ),
        samples=("thread pool full", "default executor is saturated", "ThreadPoolExecutor exhausted", "线程池已满"),
        near_misses=("User input: thread pool full", "thread pool created", "Executor shut down"),
        anywhere=True,
        label="executor",
        title="no thread left",
        priority=GENERIC,
    ),
)

EXHAUSTED = (
    LogEvent(
        kind="generic-descriptors-exhausted",
        lane=Lane.DESCRIPTORS,
        form=Form.MARK,
        literals=("open files",),
        pattern=r"(?:\b[Tt]oo many open files\b|\bEMFILE\b|\[Errno 24\]|\bos error 24\b)",
        samples=(
            "OSError: [Errno 24] Too many open files",
            "accept failed: too many open files",
            "EMFILE: too many open files, watch",
        ),
        near_misses=("User input: Too many open files", 'content="too many open files"'),
        anywhere=True,
        title="no descriptor left",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-out-of-memory",
        lane=Lane.MEMORY,
        form=Form.MARK,
        literals=("MemoryError", "of memory", "emory pres", "内存占用"),
        pattern=(
            r"(?:\bMemoryError\b|\b[Oo]ut of memory\b|\b(?:high |under )?[Mm]emory pressure(?: is)?(?: high)?\b"
            r"|内存不足)"
        ),
        samples=("MemoryError", "worker died: out of memory", "high memory pressure"),
        near_misses=("User input: out of memory", "AI response: memory pressure is high"),
        anywhere=True,
        title="short of memory",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-disk-full",
        lane=Lane.DISK,
        form=Form.MARK,
        literals=("o space left", "ENOSPC", "isk full", "isk is full", "isk space", "olume tight", "olume full"),
        pattern=(
            r"(?:\b[Nn]o space left on device\b|\bENOSPC\b|\b[Dd]isk (?:is )?full\b|磁盘已满"
            r"|\b(?:[Ll]ow (?:on )?disk space|[Dd]isk space (?:is )?(?:low|exhausted|critical))\b"
            r"|\b[Vv]olume (?:is )?(?:tight|(?:nearly |almost )?full)\b)"
        ),
        samples=(
            "OSError: [Errno 28] No space left on device",
            "Disk full",
            "write failed, [Errno 28] ENOSPC on /scratch",
            "scratch volume tight, pruning",
            "low disk space on /data",
        ),
        near_misses=("User input: Disk full", 'text="disk full"', "disk space ok"),
        anywhere=True,
        title="the disk is full",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-task-lost",
        lane=Lane.TASKS,
        form=Form.MARK,
        literals=("was destroyed but", "was never "),
        pattern=(
            r"(?:\b(?P<label>[Tt]ask was destroyed but it is pending|exception was never retrieved"
            r"|coroutine [^;|]{1,80}? was never awaited))"
        ),
        samples=("asyncio: Task was destroyed but it is pending!", "loop handler: Task exception was never retrieved"),
        near_misses=("User input: Task was destroyed but it is pending!", "the help was never awaited"),
        anywhere=True,
        title="a task was lost",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-children-left",
        lane=Lane.CHILDREN,
        form=Form.MARK,
        literals=(
            "rphan",
            "eftover",
            "still alive",
            "still running",
            "in use",
            "ppid",
            "keep running",
            "left behind",
            "孤儿",
        ),
        pattern=(
            r"(?:\b[Oo]rphan(?:ed|s)?\b[^;|]{0,30}(?:process|child|server|subprocess)"
            r"|\b[Ll]eftover\b[^;|]{0,30}(?:process|child|server|subprocess)"
            r"|\b(?:process|child|server|subprocess|pid)\b[^;|]{0,40}\bstill (?:alive|running)\b"
            r"|\b(?:process(?:es)?|child(?:ren)?|servers?|subprocess(?:es)?)\b[^;|]{0,60}"
            r"\b(?:kept? (?:on )?running|keeps? (?:on )?running|left behind|left running|survived?)\b"
            r"|\bppid ?[=:] ?1\b"
            r"|\b[Aa]ddress already in use\b|\bEADDRINUSE\b|孤儿进程)"
        ),
        samples=(
            "orphaned MCP process 4711",
            "leftover child processes: 3",
            "subprocess 4711 still alive after terminate",
            "session dropped, its 11 children were not in the group and keep running (ppid=1)",
            "MCP server 'notes' (pid 3912) still running after close",
            "OSError: [Errno 98] error while attempting to bind on address: address already in use",
            "发现孤儿进程 4711",
        ),
        near_misses=("User input: orphaned process", "the party is still alive", "orphan records deleted"),
        anywhere=True,
        title="a child process was left behind",
        priority=GENERIC,
    ),
)

OUTSIDE = (
    LogEvent(
        kind="generic-client-gone",
        lane=Lane.CLIENT,
        form=Form.MARK,
        literals=("roken pipe", "reset by", "ping timeout", "isconnect"),
        pattern=(
            r"(?:\b[Bb]roken pipe\b|\bBrokenPipeError\b|\b[Cc]onnection reset by peer\b"
            r"|\bConnectionResetError\b|\b[Pp]ing timeout\b|\bClientDisconnected\b"
            r"|\b[Cc]lient (?:went away|gone|is gone))"
        ),
        samples=(
            "BrokenPipeError: [Errno 32] Broken pipe",
            "ws 17: ping timeout",
            "starlette.requests.ClientDisconnect: ClientDisconnected",
        ),
        near_misses=("User input: broken pipe", "typing timeout reached"),
        anywhere=True,
        title="the client was gone",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-session-opened",
        lane=Lane.SESSIONS,
        form=Form.OPEN,
        literals=(" connected", "onnection open", "已连接"),
        pattern=(
            r"\W{0,12}(?:[Nn]ew )?(?:[Cc]lient|[Uu]ser|[Ss]ession|[Ww]eb[Ss]ocket(?: client| "
            r"connection| session)?|WS|ws"
            r"|客户端|会话|连接)"
            r"(?:[ :=#]{1,3}(?P<key>[\w.:-]{0,40}\d[\w.:-]{0,40}))? ?(?:connected|opened|accepted"
            r"|joined|started|已连接|建立)(?:\s|$|[:.,!=(])"
            r"(?:[^\w]{0,3}(?:(?:id|session|client|sid|from|session_id|client_id)[=: ]{1,2})?(?P<key2>[\w.:-]{2,64}))?"
        ),
        samples=(
            "Client 17 connected",
            "client connected: 8f3a",
            "WebSocket connected session=ab12",
            "🔌 New websocket connection opened 127.0.0.1:5021",
            "客户端已连接 17",
        ),
        near_misses=("User input: client connected", "database connected", "Clients are connected by cable"),
        pair="generic-session",
        label="session",
        title="session opened",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-session-closed",
        lane=Lane.SESSIONS,
        form=Form.CLOSE,
        literals=("isconnect", "onnection closed", "断开"),
        pattern=(
            r"\W{0,12}(?:[Cc]lient|[Uu]ser|[Ss]ession|[Ww]eb[Ss]ocket(?: client| connection| session)?|WS|ws"
            r"|客户端|会话|连接)"
            r"(?:[ :=#]{1,3}(?P<key>[\w.:-]{0,40}\d[\w.:-]{0,40}))? ?(?:disconnected|closed|left"
            r"|ended|已断开|断开|关闭)(?:\s|$|[:.,!=(])"
            r"(?:[^\w]{0,3}(?:(?:id|session|client|sid|from|session_id|client_id)[=: ]{1,2})?(?P<key2>[\w.:-]{2,64}))?"
        ),
        samples=("client disconnected: 8f3a", "WebSocket disconnected session=ab12", "客户端已断开 17"),
        near_misses=("User input: session disconnected", "database disconnected"),
        pair="generic-session",
        label="session",
        title="session closed",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-loop-failed",
        lane=Lane.ERROR,
        form=Form.MARK,
        literals=(" loop error", "ask failed"),
        pattern=(r"\W{0,12}(?P<label>[\w -]{1,40} loop error|[Bb]ackground task failed)\b"),
        samples=("heartbeat loop error: ValueError", "Background task failed: KeyError"),
        near_misses=("User input: my loop error", "no loop errors"),
        title="a background loop failed",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-lifecycle",
        lane=Lane.LIFECYCLE,
        form=Form.MARK,
        literals=("hutting down", "erver started", "istening on ", "tartup complete", "启动完成"),
        pattern=(
            r"\W{0,12}(?P<label>(?:[\w -]{0,30} )?[Ss]hutting down|(?:[\w -]{0,30} )?[Ss](?:erver"
            r"|ervice) started|(?:[\w -]{0,30} )?[Ll]istening on"
            r"|(?:[\w -]{0,30} )?[Ss]tartup complete|[Ss]tarting server|.{0,20}启动完成|.{0,20}正在关闭)"
        ),
        samples=(
            "Shutting down",
            "Server started on port 8000",
            "Chat server listening on 0.0.0.0:8000",
            "服务启动完成",
        ),
        near_misses=("User input: shutting down", "AI response: server started"),
        title="service started or stopped",
        priority=GENERIC,
    ),
)
