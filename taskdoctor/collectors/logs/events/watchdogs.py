"""Loop watchdogs of frameworks: when and how long the loop was held, never why.

The reasons that such lines give ("GIL pressure suspected") are constants of the program, not findings.
"""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

EVENTS = (
    LogEvent(
        kind="faulthandler-timeout",
        lane=Lane.LOOP_HELD,
        form=Form.MARK,
        literals=("imeout (",),
        pattern=r"Timeout \(\d{1,4}:\d\d:\d\d(?:\.\d{1,6})?\)!",
        samples=("Timeout (0:00:01.500000)!", "Timeout (0:00:30)!"),
        near_misses=("Timeout (30 s)!", "User input: Timeout (0:00:01.500000)!"),
        title="a watchdog dumped the stacks",
    ),
    LogEvent(
        kind="discord-heartbeat-blocked",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("eartbeat ",),
        pattern=r"(?:Shard ID \w{1,8} )?[Hh]eartbeat blocked for more than (?P<seconds>\d{1,5}) seconds",
        samples=("Shard ID None heartbeat blocked for more than 10 seconds.",),
        near_misses=("User input: heartbeat blocked for more than 10 seconds", "heartbeat blocked for good"),
        title="heartbeat blocked",
    ),
    LogEvent(
        kind="discord-behind",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("websocket is ",),
        pattern=r"Can't keep up, shard ID \w{1,8} websocket is (?P<seconds>\d{1,6}(?:\.\d{1,6})?)s behind",
        samples=("Can't keep up, shard ID None websocket is 12.3s behind.",),
        near_misses=("the websocket is 3s behind, he wrote",),
        title="gateway websocket behind",
    ),
    LogEvent(
        kind="discord-gateway-lost",
        lane=Lane.CLIENT,
        form=Form.MARK,
        literals=("stopped responding",),
        pattern=r"Shard ID \w{1,8} has stopped responding to the gateway",
        samples=("Shard ID None has stopped responding to the gateway. Closing and restarting.",),
        near_misses=("Bob has stopped responding to the gateway",),
        title="the gateway connection was given up",
    ),
    LogEvent(
        kind="discord-rate-limited",
        lane=Lane.BACKOFF,
        form=Form.SPAN,
        literals=("ate limit",),
        pattern=(
            r"(?:We are being rate limited\. (?P<label>[A-Z]{3,7} \S{1,300}) responded with 429\. Retrying in "
            r"(?P<seconds>\d{1,6}(?:\.\d{1,6})?) seconds|(?:We are being rate limited|Global rate "
            r"limit has been hit)\. "
            r"Retrying in (?P<seconds2>\d{1,6}(?:\.\d{1,6})?) seconds)"
        ),
        samples=(
            "We are being rate limited. PATCH https://discord.com/api/v10/x responded with 429. "
            "Retrying in 234.61 seconds.",
            'We are being rate limited. Retrying in 131.93 seconds. Handled under the bucket "x"',
            "Global rate limit has been hit. Retrying in 2.50 seconds.",
        ),
        near_misses=("User input: We are being rate limited. Retrying in 3 seconds", "We are being rate limited."),
        starts=True,
        label="discord",
        title="rate limited",
    ),
    LogEvent(
        kind="airflow-triggerer-blocked",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("locked for",),
        pattern=r"Triggerer's async thread was blocked for (?P<seconds>\d{1,6}(?:\.\d{1,6})?) seconds",
        samples=(
            "Triggerer's async thread was blocked for 0.35 seconds, likely by a badly-written trigger. Set "
            "PYTHONASYNCIODEBUG=1 to get more information on overrunning coroutines.",
        ),
        near_misses=("An async thread was blocked for 1 second",),
        title="triggerer's loop blocked",
    ),
    LogEvent(
        kind="dask-loop-unresponsive",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("vent loop",),
        pattern=r"Event loop was unresponsive in (?P<label>\w{1,40}) for (?P<duration>\d{1,6}(?:\.\d{1,6})? ?m?s)\b",
        samples=(
            "Event loop was unresponsive in Worker for 3.72s.  This is often caused by "
            "long-running GIL-holding functions.",
        ),
        near_misses=("Event loop was unresponsive in the demo",),
        title="loop unresponsive",
    ),
    LogEvent(
        kind="dask-memory-high",
        lane=Lane.MEMORY,
        form=Form.LEVEL,
        literals=("emory us",),
        pattern=r"Worker is at (?P<value>\d{1,3})% memory usage",
        samples=(
            "Worker is at 82% memory usage. Pausing worker.  Process memory: 12.31 GiB -- Worker "
            "memory limit: 15.00 GiB",
            "Worker is at 71% memory usage. Start spilling data to disk.",
        ),
        near_misses=("My phone is at 82% memory usage",),
        label="percent of the memory limit",
        title="memory of the limit in use, percent",
    ),
    LogEvent(
        kind="dask-unmanaged-memory",
        lane=Lane.MEMORY,
        form=Form.MARK,
        literals=("emory us",),
        pattern=r"Unmanaged memory use is high",
        samples=("Unmanaged memory use is high. This may indicate a memory leak",),
        near_misses=("Unmanaged memory use is low",),
        title="unmanaged memory is high",
    ),
    LogEvent(
        kind="home-assistant-blocking-call",
        lane=Lane.BLOCKING,
        form=Form.MARK,
        literals=("locking call",),
        pattern=(
            r"Detected blocking call to (?P<label>[\w.]{1,80}) (?:with args \(.{0,400}?\) )?inside the event loop by "
            r"(?:custom )?integration '(?P<key>[^']{1,80})' at (?P<site>[^,\s]{1,200}, line \d{1,6})"
        ),
        samples=(
            "Detected blocking call to sleep inside the event loop by custom integration 'x' at "
            "custom_components/x/__init__.py, line 24: time.sleep(5), please create a bug report "
            "at https://example.org",
            "Detected blocking call to open with args ('/config/x.json',) inside the event loop by "
            "integration 'hue' at "
            "homeassistant/components/hue/__init__.py, line 28: open(p) (offender: /usr/lib/x.py, line 18: return f())",
        ),
        near_misses=("User input: Detected blocking call to sleep", "Detected blocking call to Bob's phone"),
        title="blocking call inside the loop",
    ),
    LogEvent(
        kind="home-assistant-blocking-call-old",
        lane=Lane.BLOCKING,
        form=Form.MARK,
        literals=("locking call",),
        pattern=(
            r"Detected (?:I/O|blocking call) inside the event loop\. This is causing stability issues\. .{0,200}"
            r"for (?P<key>\w{1,80}) doing blocking calls at (?P<site>[^,\s]{1,200}, line \d{1,6})"
        ),
        samples=(
            "Detected I/O inside the event loop. This is causing stability issues. Please report issue to the custom "
            "component author for x doing blocking calls at custom_components/x/sensor.py, line 51: requests.get(u)",
        ),
        near_misses=("He is doing blocking calls at work",),
        title="blocking call inside the loop",
    ),
    LogEvent(
        kind="home-assistant-slow-update",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("Updating state for",),
        pattern=(
            r"Updating state for (?P<label>[\w.]{1,120}) \(<.{1,200}>\) took "
            r"(?P<seconds>\d{1,5}(?:\.\d{1,6})?) seconds"
        ),
        samples=(
            "Updating state for sensor.x (<class 'custom_components.x.sensor.X'>) took 0.742 "
            "seconds. Please create a bug "
            "report at https://example.org",
        ),
        near_misses=("Updating state for sensor.x took 3 tries",),
        title="update of an entity (often the victim)",
    ),
    LogEvent(
        kind="home-assistant-slow-platform",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("is taking over",),
        pattern=(
            r"(?P<label>(?:Setup|Update) of (?:platform )?[\w.]{1,120}) is taking over "
            r"(?P<seconds>\d{1,5}) seconds"
        ),
        samples=(
            "Setup of platform ping is taking over 10 seconds.",
            "Update of binary_sensor.x is taking over 10 seconds",
        ),
        near_misses=("The robot is taking over 10 seconds early",),
        title="set-up or update of an integration",
    ),
    LogEvent(
        kind="home-assistant-late-update",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("longer than the scheduled",),
        pattern=(
            r"(?P<label>Updating \S{1,80} \S{1,80}) took longer than the scheduled update interval "
            r"(?P<duration>\d{1,3}:\d\d:\d\d)"
        ),
        samples=("Updating ping binary_sensor took longer than the scheduled update interval 0:00:30",),
        near_misses=("It took longer than the scheduled update",),
        title="update longer than its interval",
    ),
    LogEvent(
        kind="home-assistant-start-up-wait",
        lane=Lane.LIFECYCLE,
        form=Form.SPAN,
        literals=("seconds for task",),
        pattern=r"Waited (?P<seconds>\d{1,5}) seconds for task: ",
        samples=("Waited 60 seconds for task: <Task pending name='Task-9'>",),
        near_misses=("He waited 60 seconds for task: none",),
        title="start-up waits for a task",
    ),
    LogEvent(
        kind="home-assistant-start-up-blocked",
        lane=Lane.LIFECYCLE,
        form=Form.MARK,
        literals=("wrapping up",),
        pattern=r"Something is blocking Home Assistant from wrapping up the start up",
        samples=("Something is blocking Home Assistant from wrapping up the start up phase.",),
        near_misses=("We are wrapping up the start up demo",),
        title="start-up is held up",
    ),
    LogEvent(
        kind="home-assistant-client-behind",
        lane=Lane.QUEUE,
        form=Form.LEVEL,
        literals=("unable to keep up",),
        pattern=r"(?:.{0,80}: )?Client unable to keep up with pending messages\. Reached (?P<value>\d{1,9}) pending",
        samples=(
            "Client unable to keep up with pending messages. Reached 4096 pending messages. The system's load is high",
        ),
        near_misses=("I am unable to keep up with pending messages",),
        label="messages pending for a client",
        title="messages pending for a client",
    ),
    LogEvent(
        kind="home-assistant-recorder-full",
        lane=Lane.QUEUE,
        form=Form.LEVEL,
        literals=("acklog",),
        pattern=r"The recorder backlog queue reached the maximum size of (?P<value>\d{1,12}) events",
        samples=(
            "The recorder backlog queue reached the maximum size of 70918 events; usually, the system is CPU bound",
        ),
        near_misses=("The recorder backlog queue is empty",),
        label="recorder backlog",
        title="recorder backlog full",
    ),
    LogEvent(
        kind="home-assistant-threads-busy",
        lane=Lane.EXECUTOR,
        form=Form.LEVEL,
        literals=("hreads",),
        pattern=r"(?:\w{1,40}:)?All \d{1,5} threads are busy and (?P<value>\d{1,12}) jobs pending",
        samples=("WorkerPool:All 20 threads are busy and 983041 jobs pending",),
        near_misses=("All threads are busy sewing",),
        label="jobs pending",
        title="all threads busy, jobs pending",
    ),
    LogEvent(
        kind="ray-request-not-scheduled",
        lane=Lane.QUEUE,
        form=Form.SPAN,
        literals=("schedule request",),
        pattern=r"Failed to schedule request after \d{1,6} attempts over (?P<seconds>\d{1,6}(?:\.\d{1,6})?)s",
        samples=("Failed to schedule request after 50 attempts over 44.11s. Retrying.",),
        near_misses=("Failed to schedule request for Monday",),
        title="a request found no replica",
    ),
    LogEvent(
        kind="vllm-waiting",
        lane=Lane.QUEUE,
        form=Form.LEVEL,
        literals=("throughput: ",),
        pattern=(
            r".{0,160}generation throughput: .{0,40}Running: \d{1,6} reqs?, .{0,40}?Waiting: "
            r"(?P<value>\d{1,6}) reqs?"
        ),
        samples=(
            "Engine 000: Avg prompt throughput: 0.0 tokens/s, Avg generation throughput: 5.4 "
            "tokens/s, Running: 1 reqs, "
            "Waiting: 14 reqs, GPU KV cache usage: 76.5%",
        ),
        near_misses=("User input: what is generation throughput: tokens per second?",),
        label="requests waiting in vLLM",
        title="requests waiting in vLLM",
    ),
    LogEvent(
        kind="vllm-stuck",
        lane=Lane.UPSTREAM,
        form=Form.MARK,
        literals=("throughput: ",),
        pattern=r".{0,160}generation throughput: 0\.0 tokens/s, Running: [1-9]\d{0,5} reqs?",
        samples=(
            "Avg prompt throughput: 0.0 tokens/s, Avg generation throughput: 0.0 tokens/s, "
            "Running: 3 reqs, Waiting: 0 reqs",
        ),
        near_misses=("Avg generation throughput: 0.0 tokens/s, Running: 0 reqs, Waiting: 0 reqs",),
        label="vLLM",
        title="vLLM runs requests but makes no tokens",
    ),
    LogEvent(
        kind="hermes-loop-stalled",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("vent loop",),
        pattern=r"\W{0,8}event loop (?:stalled|silent|STALLED for) (?P<seconds>\d{1,6}(?:\.\d{1,6})?)s\b",
        samples=(
            "event loop stalled 13.8s (GIL pressure suspected)",
            "event loop silent 19.1s — stall enrichment captured",
            "event loop STALLED for 34.1s — dumping all thread stacks",
        ),
        near_misses=("event loop started", "event loop stalled because of rain"),
        title="event loop stalled",
    ),
    LogEvent(
        kind="websockets-ping-timeout",
        lane=Lane.CLIENT,
        form=Form.MARK,
        literals=("keepalive ping",),
        pattern=r"(?:.{0,200}1011 .{0,40})?keepalive ping (?:timeout|failed)",
        samples=("sent 1011 (internal error) keepalive ping timeout; no close frame received", "keepalive ping failed"),
        near_misses=("sending keepalive ping to 10.0.0.1",),
        title="keepalive ping failed",
    ),
)
