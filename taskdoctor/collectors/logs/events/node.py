"""Node: MCP servers are often Node processes, and their logs are merged in."""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

EVENTS = (
    LogEvent(
        kind="node-full-gc",
        lane=Lane.UPSTREAM,
        form=Form.SPAN,
        literals=("Mark-",),
        pattern=(
            r"\[\d{1,10}:0x[0-9a-f]{1,16}\] {1,8}\d{1,12} ms: (?:Mark-Compact|Mark-sweep).{0,80}? MB, "
            r"(?P<ms>\d{1,7}(?:\.\d{1,3})?) / "
        ),
        samples=(
            "[26594:0x447c5c40]     1236 ms: Mark-Compact (reduce) 27.8 (40.1) -> 17.3 (30.0) MB, 187.10 / 0.00 ms  "
            "(average mu = 0.500, current mu = 0.100) allocation failure;",
            "[26594:0x447c5c40]       36 ms: Mark-sweep 7.8 (10.1) -> 7.3 (10.0) MB, 7.10 / 0.00 "
            "ms  allocation failure",
        ),
        near_misses=("Mark-Compact 7.8 (10.1) -> 7.3 (10.0) MB",),
        label="Node garbage collection",
        title="full collection in a Node process",
    ),
    LogEvent(
        kind="node-heap-exhausted",
        lane=Lane.MEMORY,
        form=Form.MARK,
        literals=("of memory",),
        pattern=r"(?:.{0,60}: )?FATAL ERROR: .{0,120}JavaScript heap out of memory",
        samples=("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",),
        near_misses=("User input: FATAL ERROR JavaScript heap out of memory",),
        title="a Node process ran out of heap",
    ),
    LogEvent(
        kind="node-loop-blocked",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("locked for",),
        pattern=r"(?:BLOCKED: )?Blocked for (?P<ms>\d{1,9}(?:\.\d{1,6})?)ms\b",
        samples=("Blocked for 73495ms, operation started here: [", "BLOCKED: Blocked for 73495ms at x.js:3"),
        near_misses=("Blocked for 3 days", "User input: Blocked for 100ms"),
        title="Node's loop was blocked",
    ),
    LogEvent(
        kind="node-loop-lag",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("oop Lag",),
        pattern=r"(?:warn: )?Event Loop Lag: (?P<ms>\d{1,9}(?:\.\d{1,6})?) ms",
        samples=("warn: Event Loop Lag: 348.326556 ms",),
        near_misses=("Event Loop Lag: none",),
        title="Node's loop was late",
    ),
    LogEvent(
        kind="node-listener-leak",
        lane=Lane.STATE,
        form=Form.MARK,
        literals=("MaxListeners",),
        pattern=r"\(node:\d{1,10}\) MaxListenersExceededWarning",
        samples=("(node:123) MaxListenersExceededWarning: Possible EventEmitter memory leak detected.",),
        near_misses=("User input: MaxListenersExceededWarning",),
        title="listeners pile up in a Node process",
    ),
    LogEvent(
        kind="node-descriptors-exhausted",
        lane=Lane.DESCRIPTORS,
        form=Form.MARK,
        literals=("open files",),
        pattern=r"(?:Error: )?EMFILE: too many open files",
        samples=("EMFILE: too many open files, watch", "Error: EMFILE: too many open files, open 'x'"),
        near_misses=("EMFILE: closed open files",),
        title="a Node process has no descriptor left",
    ),
)
