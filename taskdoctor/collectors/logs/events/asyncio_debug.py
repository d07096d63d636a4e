"""What asyncio itself writes, most of it in debug mode only.

`poll ... took` (3.4 to 3.7) is an idle loop, not a stall.
"""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

EVENTS = (
    LogEvent(
        kind="asyncio-slow-callback",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("Executing <",),
        pattern=(
            r"Executing <(?:\w{0,20}Task \w{1,20}(?: name='[^']{0,200}')? coro=<(?P<label>[\w.<>]{1,120})\([^)]{0,80}\)"
            r"[^:>]{0,40} at (?P<site>[^\s>]{1,300}:\d{1,7})"
            r"|(?:Timer)?Handle (?:when=\S{1,30} )?(?P<label2>[\w.<>]{1,120})\([^)]{0,200}\)"
            r"(?:[^:>]{0,40} at (?P<site2>[^\s>]{1,300}:\d{1,7}))?)?.{0,3000} took "
            r"(?P<seconds>\d{1,6}(?:\.\d{1,9})?) seconds"
        ),
        samples=(
            "Executing <Task finished name='Task-2' coro=<f() done, defined at app.py:3> result=None "
            "created at /usr/lib/python3.11/asyncio/runners.py:100> took 0.151 seconds",
            "Executing <Task pending name='Task-9' coro=<Chat.run() running at app/chat.py:88> "
            "wait_for=<Future pending "
            "cb=[Task.task_wakeup()]> cb=[gather.<locals>._done_callback() at tasks.py:764]> took 2.310 seconds",
            "Executing <Handle f(0.12) created at app.py:9> took 0.204 seconds",
            "Executing <TimerHandle when=12.5 tick() at app.py:3 created at app.py:9> took 0.104 seconds",
            "Executing <built-in method x> took 1.000 seconds",
        ),
        near_misses=(
            "User input: Executing <Task x> took 3.0 seconds",
            "Executing <Task pending> took 3 tries",
        ),
        title="asyncio slow callback",
    ),
    LogEvent(
        kind="asyncio-getaddrinfo",
        lane=Lane.DNS,
        form=Form.SPAN,
        literals=("Getting address info",),
        pattern=r"Getting address info (?P<label>[^\s,]{1,200})(?:, .{0,200})? took (?P<ms>\d{1,9}(?:\.\d{1,6})?) ?ms",
        samples=(
            "Getting address info api.example.com:443, type=<SocketKind.SOCK_STREAM: 1> took "
            "2003.123ms: [(2, 1, 6, '', "
            "('10.0.0.1', 443))]",
            "Getting address info db:5432 took 812.4 ms: []",
        ),
        near_misses=("Getting address info x took 3 tries",),
        title="name resolution",
    ),
    LogEvent(
        kind="asyncio-task-destroyed",
        lane=Lane.TASKS,
        form=Form.MARK,
        literals=("was destroyed but",),
        pattern=r"Task was destroyed but it is pending",
        samples=("Task was destroyed but it is pending!",),
        near_misses=("AI response: Task was destroyed but it is pending!",),
        title="a pending task was destroyed",
    ),
    LogEvent(
        kind="asyncio-never-retrieved",
        lane=Lane.TASKS,
        form=Form.MARK,
        literals=("was never ",),
        pattern=r"_?(?:Task|Future|GatheringFuture) exception was never retrieved",
        samples=("Task exception was never retrieved", "Future exception was never retrieved"),
        near_misses=("User input: Task exception was never retrieved?",),
        title="a background task failed unseen",
    ),
    LogEvent(
        kind="asyncio-never-awaited",
        lane=Lane.TASKS,
        form=Form.MARK,
        literals=("was never ",),
        pattern=r"(?:.{0,300}: )?RuntimeWarning: coroutine '(?P<label>[^']{1,120})' was never awaited",
        samples=(
            "/app/chat.py:12: RuntimeWarning: coroutine 'Chat.send' was never awaited",
            "RuntimeWarning: coroutine 'f' was never awaited",
        ),
        near_misses=("the answer was never awaited",),
        title="a coroutine was never awaited",
    ),
    LogEvent(
        kind="asyncio-send-to-dead-peer",
        lane=Lane.CLIENT,
        form=Form.MARK,
        literals=("socket.",),
        pattern=r"socket\.send\(\) raised exception",
        samples=("socket.send() raised exception.",),
        near_misses=("User input: socket.send() raised what?",),
        title="still sending to a client that is gone",
    ),
    LogEvent(
        kind="asyncio-accept-out-of-descriptors",
        lane=Lane.DESCRIPTORS,
        form=Form.MARK,
        literals=("socket.",),
        pattern=r"socket\.accept\(\) out of system resource",
        samples=("socket.accept() out of system resource",),
        near_misses=("User input: socket.accept() out of order",),
        title="no descriptor left to accept a connection",
    ),
    LogEvent(
        kind="asyncio-loop-misused",
        lane=Lane.ERROR,
        form=Form.MARK,
        literals=("vent loop", "different loop"),
        pattern=r"(?:[\w.]{1,60}: |.{1,300} )?(?P<label>Event loop is closed|attached to a different loop)",
        samples=(
            "RuntimeError: Event loop is closed",
            "RuntimeError: Task <Task pending> got Future <Future pending> attached to a different loop",
        ),
        near_misses=("Event loop is closing", "Event loop is not closed"),
        title="a closed or foreign event loop was used",
    ),
    LogEvent(
        kind="aiohttp-unclosed",
        lane=Lane.DESCRIPTORS,
        form=Form.MARK,
        literals=("nclosed ",),
        pattern=r"(?P<label>Unclosed (?:client session|connector|connection))",
        samples=("Unclosed client session", "Unclosed connector", "Unclosed connection"),
        near_misses=("Unclosed curly brace", "User input: Unclosed client session"),
        title="a client session or connection was left open",
    ),
    LogEvent(
        kind="asyncio-unclosed-transport",
        lane=Lane.DESCRIPTORS,
        form=Form.MARK,
        literals=("nclosed ", "vent loop"),
        pattern=r"(?:.{0,300}: )?ResourceWarning: (?P<label>unclosed (?:transport|event loop|<socket))",
        samples=(
            "ResourceWarning: unclosed transport <_SelectorSocketTransport fd=7>",
            "/app/x.py:3: ResourceWarning: unclosed event loop <_UnixSelectorEventLoop>",
        ),
        near_misses=("unclosed transport container",),
        title="a transport was left open",
    ),
    LogEvent(
        kind="asyncio-child-reaped-elsewhere",
        lane=Lane.CHILDREN,
        form=Form.MARK,
        literals=("hild process",),
        pattern=(
            r"(?:Unknown child process pid (?P<key>\d{1,10}), will report"
            r"|child process pid (?P<key2>\d{1,10}) exit status already read)"
        ),
        samples=(
            "Unknown child process pid 123, will report returncode 255",
            "child process pid 123 exit status already read:  will report returncode 255",
        ),
        near_misses=("started child process pid 123",),
        title="a child was reaped by somebody else",
    ),
    LogEvent(
        kind="asyncio-child-outlived-loop",
        lane=Lane.CHILDREN,
        form=Form.MARK,
        literals=("handles pid", "ubprocess"),
        pattern=(
            r"(?:Loop <.{1,200}> that handles pid (?P<key>\d{1,10}) is closed"
            r"|Caught subprocess termination from unknown pid)"
        ),
        samples=(
            "Loop <_UnixSelectorEventLoop running=False closed=True> that handles pid 123 is closed",
            "Caught subprocess termination from unknown pid: 1 -> 0",
        ),
        near_misses=("the worker that handles pid files",),
        title="a child outlived its event loop",
    ),
    LogEvent(
        kind="asyncio-ssl-handshake-slow",
        lane=Lane.CLIENT,
        form=Form.SPAN,
        literals=("SSL handshake",),
        pattern=r"(?:.{0,80}: )?SSL handshake is taking longer than (?P<seconds>\d{1,5}(?:\.\d{1,6})?) seconds",
        samples=("SSL handshake is taking longer than 60.0 seconds: aborting the connection",),
        near_misses=("SSL handshake is taking longer than usual",),
        title="TLS handshake aborted",
    ),
    LogEvent(
        kind="faulthandler-collecting",
        lane=Lane.GC,
        form=Form.MARK,
        literals=("arbage",),
        pattern=r"\s{0,8}Garbage-collecting",
        samples=("  Garbage-collecting",),
        near_misses=("User input: Garbage-collecting robots",),
        title="a stack dump inside the collector",
    ),
)
