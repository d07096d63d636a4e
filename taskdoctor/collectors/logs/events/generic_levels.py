"""How much of something there is, in services that nobody here wrote.

`tasks=41 sessions=3 queue=17` says three things at once.
"""

from taskdoctor.collectors.logs.event import GENERIC, LogEvent
from taskdoctor.collectors.logs.events.parts import NUMBER
from taskdoctor.model import Form, Lane

_IS = r"[\"')\]]{0,2}(?:\s?[=:：]\s?|\s(?:is|are|now|at|:|=)\s|\s)[\"']?"
_COUNT = r"(?P<value>\d{1,12})\b(?:/\d{1,12})?"
_COUNT2 = r"(?P<value2>\d{1,12})"
_SIZE = rf"(?P<size>{NUMBER} ?(?:[kKMGT]i?)?[bB]?)\b"

EVENTS = (
    LogEvent(
        kind="generic-tasks",
        lane=Lane.TASKS,
        form=Form.LEVEL,
        literals=("tasks", "任务数", "任务：", "任务:"),
        pattern=(
            r"(?:(?:\b(?:[Aa]ctive|[Rr]unning|[Pp]ending|[Aa]syncio|[Aa]live|[Oo]pen|[Cc]urrent"
            r"|[Ll]ive|[Bb]ackground|n|num)[ _]?)?[Tt]asks?"
            rf"(?:[ _](?:count|total|active|running|pending|alive|num))?{_IS}{_COUNT}"
            rf"|all_tasks\(\)\)?{_IS}(?P<value3>\d{{1,9}})"
            rf"|\b{_COUNT2} (?:active|running|pending|asyncio|alive|live|background) tasks\b"
            r"|(?:活跃|运行中?|当前|挂起)的?任务数?(?:量)?[:：= ]{1,2}(?P<value4>\d{1,9}))"
        ),
        samples=(
            "tasks=41",
            "active tasks: 17",
            "loop_lag_ms=3 tasks=41 sessions=3 queue=17",
            "41 pending tasks",
            "asyncio tasks: 93",
            '{"active_tasks": 41}',
            "len(asyncio.all_tasks()) = 41",
            "当前任务数: 41",
            "活跃任务：12",
        ),
        near_misses=(
            "User input: I have tasks: 3",
            "3 tasks completed in time, tasks done",
            "my tasks: many",
            'text="active tasks: 3"',
        ),
        anywhere=True,
        label="tasks",
        title="tasks",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-sessions",
        lane=Lane.SESSIONS,
        form=Form.LEVEL,
        literals=("ssions", "onnections", "clients", "连接数"),
        pattern=(
            r"(?:(?:\b(?:[Aa]ctive|[Oo]pen|[Cc]onnected|[Ll]ive|[Cc]urrent|ws|WS|websocket)[ "
            r"_])?(?:[Ss]essions|[Cc]onnections|[Cc]lients)"
            rf"(?:[ _](?:count|total|active|open|connected))?{_IS}{_COUNT}"
            rf"|\b{_COUNT2} (?:active|open|connected|live) (?:sessions|connections|clients|websockets)\b"
            r"|(?:会话|连接|在线)(?:总)?数[:：= ]{1,2}(?P<value3>\d{1,9}))"
        ),
        samples=(
            "sessions=3",
            "loop_lag_ms=3 tasks=41 sessions=3 queue=17",
            "Active connections: 12",
            "12 active connections remain",
            '{"active_sessions": 7}',
            "connected clients: 9",
            "当前连接数: 12",
        ),
        near_misses=("User input: active connections: 12", "Closing connections: done", "sessions=none"),
        anywhere=True,
        label="sessions",
        title="open sessions",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-queue-size",
        lane=Lane.QUEUE,
        form=Form.LEVEL,
        literals=("queue=", "queue_", "ueue size", "ueue depth", "ueue length", "qsize", "acklog", "队列"),
        pattern=(
            r"(?:\b(?:(?:[\w-]{1,24}[ _])?[Qq]ueue(?:[ _](?:size|depth|length|len|backlog|items"
            r"|pending|count|is|has|at))?|qsize(?:\(\))?|[Bb]acklog)"
            rf"{_IS}(?:size |depth |length )?{_COUNT}"
            rf"|\b{_COUNT2} (?:items?|messages?|jobs?|events?|requests?|chunks?) (?:queued|in "
            rf"(?:the )?(?:\w{{1,20}} )?queue|in (?:the )?backlog)"
            r"|队列(?:长度|大小|积压|深度)?[:：= ]{1,2}(?P<value3>\d{1,9}))"
        ),
        samples=(
            "queue=17",
            "loop_lag_ms=3 tasks=41 sessions=3 queue=17",
            "queue size: 93",
            "send_queue_depth=412",
            "Queue depth is 93",
            "qsize=12",
            "backlog: 41",
            "队列长度: 41",
        ),
        near_misses=("User input: queue size: 93", "queue size unknown", "enqueue_3 done", "queue_worker started"),
        anywhere=True,
        label="queue",
        title="items in a queue",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-pool-size",
        lane=Lane.POOL,
        form=Form.LEVEL,
        literals=("in_use", "in use"),
        pattern=(
            rf"(?:\b(?:in_use|checkedout|checked_out)(?:_connections)?{_IS}{_COUNT}"
            r"|\b[Pp]ool\b[^;|]{0,40}?(?P<value2>\d{1,6}) ?(?:/|of) ?\d{1,6} (?:connections? "
            r")?(?:in use|checked out|busy|used)"
            r"|\b[Cc]onnections (?:in use|checked out)[:= ]{1,2}(?P<value3>\d{1,6}))"
        ),
        samples=(
            "pool size=20 in_use=18",
            "pool: 18/20 in use",
            "Connections in use: 20/20",
            "db pool 5 of 5 connections in use",
        ),
        near_misses=("User input: pool: 18/20 in use", "address already in use", "tool in use"),
        anywhere=True,
        label="pool in use",
        title="connections in use",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-executor-size",
        lane=Lane.EXECUTOR,
        form=Form.LEVEL,
        literals=("xecutor", "hreads", "hread pool", "线程池"),
        pattern=(
            r"(?:\b(?:[Ee]xecutor|[Tt]hread[ _]?pool)[ _.](?:queue|queued|pending|backlog"
            r"|work_queue|busy|active)(?:[ _](?:size|depth|threads))?"
            rf"{_IS}{_COUNT}|\b(?:busy|active)[ _]threads{_IS}(?P<value2>\d{{1,6}})"
            r"|\b(?P<value3>\d{1,6}) ?(?:/|of) ?\d{1,6} (?:executor )?threads (?:are )?(?:busy|in use|active)"
            r"|\b[Tt]hreads busy[:= ]{1,2}(?P<value4>\d{1,6})|线程(?:占用|繁忙)[:：= ]{1,2}(?P<value5>\d{1,6}))"
        ),
        samples=(
            "executor queue: 41",
            "executor_queue_size=41",
            "busy threads: 32",
            "32/32 threads busy",
            "threads busy: 32",
        ),
        near_misses=("User input: executor queue: 41", "Executor started", "32 threads created"),
        anywhere=True,
        label="executor",
        title="work waiting for, or holding, a thread",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-descriptors",
        lane=Lane.DESCRIPTORS,
        form=Form.LEVEL,
        literals=(" fds", "_fds", "descriptors", "open files"),
        pattern=(
            rf"(?:\b(?:open[ _]|num[ _])?fds(?:_open)?{_IS}{_COUNT}"
            r"|\b(?:[Oo]pen )?(?:[Ff]ile )?descriptors(?: (?:open|in use))?[:= ]{1,2}(?P<value2>\d{1,9})"
            r"|\b(?P<value3>\d{1,9}) ?(?:/|of) ?\d{1,9} (?:file )?descriptors|\b[Oo]pen files: (?P<value4>\d{1,9}))"
        ),
        samples=(
            "open_fds=812",
            "open fds: 812/1024",
            "file descriptors: 812",
            "812 of 1024 descriptors used",
            "num_fds=93",
        ),
        near_misses=("User input: open fds: 812", "the descriptors are documented", "shards=3 fds: none"),
        anywhere=True,
        label="descriptors",
        title="open descriptors",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-memory",
        lane=Lane.MEMORY,
        form=Form.LEVEL,
        literals=("rss=", "rss_", "RSS: ", "emory us", "内存占用"),
        pattern=(
            rf"(?:\b(?:rss|RSS)(?: (?:now|is|memory))?{_IS}{_SIZE}"
            rf"|\brss_mb{_IS}(?P<mb>{NUMBER})"
            rf"|\b[Mm]emory[ _]usage(?: is)?{_IS}(?P<size3>{NUMBER} ?[kKMGT]i?[bB])\b"
            rf"|内存(?:占用|使用)?[:：= ]{{1,2}}(?P<size4>{NUMBER} ?[kKMGT]i?[bB])\b)"
        ),
        samples=(
            "rss=812MB",
            "RSS: 1.2 GB",
            "rss_mb=812",
            "Memory usage: 812.3 MB",
            "tasks=3 rss=104857600",
            "内存占用: 812 MB",
        ),
        near_misses=("User input: RSS: 1.2 GB", "RSS: feed updated", "memory usage high"),
        anywhere=True,
        label="resident memory",
        title="resident memory",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-state-size",
        lane=Lane.STATE,
        form=Form.LEVEL,
        literals=("istory_", "istory length", "cache_", "ache size", "_objects", "缓存目录", "历史长度"),
        pattern=(
            r"(?:\b(?P<label>[Hh]istory|[Cc]ache|context|heap|registry|memory store|session "
            r"store)[ _](?:len|length|size|entries|items|messages|objects|count)"
            rf"{_IS}{_COUNT}(?: ?(?P<label2>entries|items|messages))?"
            rf"|\b(?P<label3>history|gc_objects|heap_objects|objects|entries"
            rf"|cache_entries){_IS}(?P<value2>\d{{1,12}})\b"
            r"|\b(?P<label4>[Hh]istory|[Cc]ache|[Rr]egistry) (?:now )?(?:has|holds) "
            r"(?P<value3>\d{1,12}) (?:entries|items|messages|keys)"
            r"|(?P<label5>历史(?:记录)?|缓存)(?:条目|长度|条数|大小)[:：= ]{1,2}(?P<value4>\d{1,9}))"
        ),
        samples=(
            "history_len=412",
            "History length: 412",
            "cache size: 93",
            "cache_entries=812",
            "gc_objects=812345",
            "历史长度: 412",
        ),
        near_misses=(
            "User input: history length: 412",
            "history_loaded",
            "cache_dir=/tmp/3",
            'content="cache size: 3"',
        ),
        anywhere=True,
        title="size of a history, cache or heap",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-disk-size",
        lane=Lane.DISK,
        form=Form.LEVEL,
        literals=("ache folder", "cache_", "ache dir", "缓存目录"),
        pattern=(
            r"(?:\b(?:[Cc]ache|[Hh]istory|[Uu]pload|[Tt]emp|[Ll]og)[ _](?:folder|dir"
            r"|directory)(?:[ _](?:size|files|has|holds|now))?"
            rf"{_IS}(?:(?P<size>{NUMBER} ?[kKMGT]i?[bB])\b|(?P<value>\d{{1,9}})(?: files)?\b)"
            rf"|\b(?:cache_files|disk_usage_mb){_IS}(?P<value2>\d{{1,12}})"
            rf"|\b[Dd]isk usage{_IS}(?P<size2>{NUMBER} ?[kKMGT]i?[bB])\b"
            r"|\b(?P<value3>\d{1,9}) files in (?:the )?(?:[\w./-]{1,60}[/ ])?(?:cache|history|temp|tmp|upload)"
            rf"|缓存目录(?:大小|文件数)?[:：= ]{{1,2}}(?:(?P<size3>{NUMBER} ?[kKMGT]i?[bB])\b|(?P<value4>\d{{1,9}})))"
        ),
        samples=(
            "cache folder: 812 files",
            "cache_dir_size=1.2GB",
            "Cache dir size: 812 MB",
            "cache_files=81234",
            "缓存目录文件数: 81234",
        ),
        near_misses=("User input: cache folder: 812 files", "cache folder created", "cache_dir=/srv/3"),
        anywhere=True,
        label="folder",
        title="size of a folder",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-children",
        lane=Lane.CHILDREN,
        form=Form.LEVEL,
        literals=("hildren", "ubprocess", "hild process", "mcp_", "clients", "MCP ", "子进程"),
        pattern=(
            r"(?:\b(?:[Cc]hildren|(?:[Ll]ive |[Rr]unning |[Aa]ctive )?(?:[Ss]ubprocesses|[Cc]hild "
            r"processes)|mcp_(?:servers|clients|processes)"
            rf"|MCP (?:servers|clients))(?:[ _](?:alive|running|open|count))?{_IS}{_COUNT}"
            rf"|\b{_COUNT2} (?:live |running |active )?(?:subprocesses|child processes|MCP servers"
            rf"|MCP clients) (?:alive|running|open|left)"
            r"|子进程(?:数|数量)?[:：= ]{1,2}(?P<value3>\d{1,6}))"
        ),
        samples=(
            "children=7",
            "live subprocesses: 7",
            "mcp_servers=4",
            "MCP clients open: 4",
            "7 child processes alive",
            "子进程数: 7",
        ),
        near_misses=("User input: children: 7", "MCP servers configured", "he has 3 children running around"),
        anywhere=True,
        label="child processes",
        title="child processes",
        priority=GENERIC,
    ),
)
