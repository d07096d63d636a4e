"""The loop was held, says a watchdog that nobody here wrote; what the line names beside it decides the lane.

One family: of these readings only the first counts. Frames that follow such a line on lines of their own count only
there (`follows`): the same frames stand in every ordinary traceback.
"""

from taskdoctor.collectors.logs.event import GENERIC, LogEvent
from taskdoctor.collectors.logs.events.parts import LENGTH, NUMBER, any_of, keyed
from taskdoctor.model import Form, Lane

FAMILY = "held"
_LITERALS = ("vent loop", "oop lag", "oop_lag", "eartbeat ", "low callback", "事件循环")
_WORDS = ("loop", "Loop", "eartbeat", "callback", "事件循环")
_STATES = (
    r"(?:blocked|held|stalled|stall|stuck|hung|frozen|froze|lagged|lagging|lag|late|delayed|delay"
    r"|behind|unresponsive|slow"
    r"|not responding|did not (?:run|turn|tick|respond)|silent|busy|took|block|BLOCKED|STALLED|LAG"
    r"|阻塞|卡顿|卡住|延迟|停顿|无响应)"
)
_HELD = (
    any_of(
        "[Ee]vent[ _]loop",
        "EventLoop",
        "(?:[Mm]ain |asyncio )?[Ll]oop",
        "[Hh]eartbeat",
        "[Ss]low callback",
        "事件循环",
    )
    + r"[^;|；。]{0,40}?"
    + _STATES
    + rf"(?:{keyed(1)}"
    + rf"|[^\d;|]{{0,24}}?(?P<duration2>{LENGTH}))"
)
# No free gap before cpu and site: three gaps in a row would take milliseconds on a line that names neither.
_CPU = (
    r"(?:[ ,(\[]{1,3}(?:loop |thread )?(?:cpu|CPU)(?:_s| time| used)?[ "
    r":=]{1,2}(?P<cpu>\d{1,6}(?:\.\d{1,9})?) ?s?[)\]]?)?"
)
_SITE = (
    r"(?:[ ,:(\[]{1,3}(?:(?:at|in|last frame|frame|from|by|site|stack|while at)[ :=]{1,2})?"
    r"(?P<site>[\w./\\-]{1,60}\.py(?::|\", line |, line )\d{1,7}))?"
)
_AROUND = _CPU + _SITE + r".{0,120}?"

LOGGING_CALLS = (
    r"(?:logging[/.\\]__init__|logging/handlers|StreamHandler|FileHandler|RotatingFileHandler|\bin "
    r"(?:emit|flush)\b|\.emit\("
    r"|std(?:out|err)\.(?:write|flush)|\bprint\(|logger\.\w{1,10}\(|loguru)"
)
GC_CALLS = r"(?:gc\.collect|[Gg]arbage[- ]collect)"
TEARDOWN_CALLS = (
    r"(?:\b(?:aclose|close|close_all|shutdown|terminate|cleanup|clean_up|disconnect|teardown|__aexit__|stop)\b ?\("
    r"|\bin (?:aclose|close|close_all|shutdown|terminate|cleanup|disconnect|teardown|__aexit__)\b)"
)
BLOCKING_CALLS = (
    r"(?:time\.sleep|requests[./]\w{1,20}|urllib3?[./]\w{1,20}|http[./]client|httplib|socket\.(?:py"
    r"|recv|recv_into|connect|sendall|getaddrinfo)"
    r"|\.recv(?:_into)?\(|\.connect\(|sqlite3|psycopg2?\b|pymysql|MySQLdb|\.execute\(|\.commit\("
    r"|\.fetchall\(|subprocess|Popen|\bopen\("
    r"|\.read\(|\.write\(|\.readlines?\(|\bf(?:data)?sync|read_(?:text|bytes)\(|write_(?:text"
    r"|bytes)\(|os\.(?:walk|listdir|scandir|stat|replace)"
    r"|listdir|shutil\.|\binput\(|\.acquire\(|threading[./]|Lock\b|importlib|import_module"
    r"|load_verify_locations|\.result\("
    r"|queue\.(?:get|put)\(|\bjoin\(|boto3|\bssl\.(?:py|read|do_handshake)|ftplib|paramiko)"
)
COMPUTING_CALLS = (
    r"(?:json[./]\w{1,20}|orjson|\bre\.\w{1,12}|regex|numpy|\bnp\.|pandas|\bpd\.|torch|tensorflow"
    r"|onnx|sklearn|scipy|PIL[./]|cv2"
    r"|tokeni[sz]e\w{0,3}|\.encode\(|\.decode\(|\bin (?:encode|decode|dumps|loads|tokenize|render"
    r"|sort|hash\w{0,10}|compress)\b|hashlib|bcrypt"
    r"|pbkdf2\w{0,8}|scrypt|argon2|sorted\(|\.sort\(|compress|zlib|gzip|render|template|jinja2"
    r"|pickle|deepcopy|pydantic|model_validate"
    r"|model_dump|markdown|tiktoken|difflib|embedding)"
)

BLOCKING_WORDS = (
    "sleep",
    "requests",
    "urllib",
    "http",
    "socket",
    "recv",
    "connect",
    "sql",
    "psycopg",
    "MySQLdb",
    "execute",
    "commit",
    "fetchall",
    "subprocess",
    "Popen",
    "open(",
    "read",
    "write",
    "sync",
    "os.",
    "listdir",
    "shutil",
    "input(",
    "acquire",
    "threading",
    "Lock",
    "import",
    "load_verify",
    "result(",
    "queue.",
    "join(",
    "boto3",
    "ssl.",
    "ftplib",
    "paramiko",
)
COMPUTING_WORDS = (
    "json",
    "re.",
    "regex",
    "np.",
    "numpy",
    "pandas",
    "pd.",
    "torch",
    "tensorflow",
    "onnx",
    "sklearn",
    "scipy",
    "PIL",
    "cv2",
    "token",
    "encode",
    "decode",
    "dumps",
    "loads",
    "render",
    "sort",
    "hash",
    "compress",
    "bcrypt",
    "pbkdf2",
    "scrypt",
    "argon2",
    "zlib",
    "gzip",
    "template",
    "jinja2",
    "pickle",
    "deepcopy",
    "pydantic",
    "model_",
    "markdown",
    "difflib",
    "embedding",
)

BLOCKING_SAMPLES = (
    "event loop blocked for 1.23s (cpu 0.01s) at app/handlers.py:88 in save_profile: time.sleep(1.2)",
    "Event loop was blocked for 2.1 s by requests.get in fetch_avatar",
    "loop lag 812 ms, last frame: app/db.py:31 in load: sqlite3.connect(path)",
    "事件循环阻塞 1.2s: time.sleep(1.2)",
)

EVENTS = (
    LogEvent(
        kind="generic-held-logging",
        lane=Lane.LOGGING,
        form=Form.SPAN,
        literals=_LITERALS,
        words=("logging", "Handler", "emit", "flush", "std", "print(", "logger.", "loguru"),
        pattern=_HELD + _AROUND + rf"(?P<label>{LOGGING_CALLS})",
        samples=(
            "event loop blocked for 1.23s (cpu 0.01s) at "
            "/usr/lib/python3.11/logging/__init__.py:1113 in emit: stream.write(msg)",
            "Event loop stalled 0.9s in print(",
        ),
        near_misses=("event loop blocked for 1.23s at app.py:3 in save: time.sleep(1.2)",),
        anywhere=True,
        title="loop held by a log handler or print",
        priority=GENERIC,
        family=FAMILY,
    ),
    LogEvent(
        kind="generic-held-gc",
        lane=Lane.GC,
        form=Form.SPAN,
        literals=_LITERALS,
        words=("gc.collect", "arbage"),
        pattern=_HELD + _AROUND + rf"(?P<label>{GC_CALLS})",
        samples=("event loop blocked for 1.23s (cpu 1.21s) at app/handlers.py:88 in on_close: gc.collect()",),
        near_misses=("event loop blocked for 1.23s at app.py:3 in save: time.sleep(1.2)",),
        anywhere=True,
        title="loop held by a collection",
        priority=GENERIC,
        family=FAMILY,
    ),
    LogEvent(
        kind="generic-held-teardown",
        lane=Lane.TEARDOWN,
        form=Form.SPAN,
        literals=_LITERALS,
        words=("close", "shutdown", "terminate", "clean", "disconnect", "teardown", "__aexit__", "stop"),
        pattern=_HELD + _AROUND + rf"(?P<label>{TEARDOWN_CALLS})",
        samples=("event loop blocked for 1.23s (cpu 0.01s) at app/session.py:88 in close: self.proc.wait()",),
        near_misses=("event loop blocked for 1.23s at app.py:3 in save: time.sleep(1.2)", "event loop closed"),
        anywhere=True,
        title="loop held while closing",
        priority=GENERIC + 1,
        family=FAMILY,
    ),
    LogEvent(
        kind="generic-held-blocking",
        lane=Lane.BLOCKING,
        form=Form.SPAN,
        literals=_LITERALS,
        words=BLOCKING_WORDS,
        pattern=_HELD + _AROUND + rf"(?P<label>{BLOCKING_CALLS})",
        samples=BLOCKING_SAMPLES,
        near_misses=(
            "User input: event loop blocked for 1.2s by time.sleep",
            "event loop blocked for 1.23s at app.py:3 in think: compute(x)",
        ),
        anywhere=True,
        title="loop held by a blocking call",
        priority=GENERIC + 2,
        family=FAMILY,
    ),
    LogEvent(
        kind="generic-held-computing",
        lane=Lane.COMPUTING,
        form=Form.SPAN,
        literals=_LITERALS,
        words=COMPUTING_WORDS,
        pattern=_HELD + _AROUND + rf"(?P<label>{COMPUTING_CALLS})",
        samples=(
            "event loop blocked for 1.23s (cpu 1.20s) at app/handlers.py:88 in build: json.dumps(history)",
            "Event loop unresponsive for 812 ms at app/rank.py:12 in score: np.dot(a, b)",
            "event loop held for 1.2s in render",
        ),
        near_misses=("event loop blocked for 1.23s at app.py:3 in save: time.sleep(1.2)",),
        anywhere=True,
        title="loop held by computation",
        priority=GENERIC + 3,
        family=FAMILY,
    ),
    LogEvent(
        kind="generic-held",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=_LITERALS,
        words=_WORDS,
        pattern=_HELD
        + _CPU
        + _SITE
        + r"(?:.{0,40}?\b(?:in|coroutine|task|running|callback|by)[ :='\"]{1,3}(?P<label>[A-Za-z_][\w.<>]{1,80}))?",
        samples=(
            "event loop blocked for 1.23s",
            "event loop lag: 812 ms",
            "loop_lag_ms=812.4 tasks=41",
            "event_loop_lag_seconds=0.812",
            "Event loop was late by 1.2s",
            "event loop unresponsive for 3.2s (task chat_turn)",
            "heartbeat late by 1.204s",
            "slow callback: on_message took 0.8s",
            "asyncio event loop delay 812ms",
            "event loop blocked for 1.23s at app/x.py:3 in think: compute(x)",
            "事件循环阻塞: 1.2s",
            "事件循环延迟 812 毫秒",
        ),
        near_misses=(
            "User input: my event loop blocked for 3s",
            "event loop started",
            "heartbeat ok in 3s",
            "event loop policy set, 3 tasks",
            "AI response: the event loop lag: 3s is bad",
        ),
        anywhere=True,
        label="event loop",
        title="event loop held",
        priority=GENERIC + 4,
        family=FAMILY,
    ),
    LogEvent(
        kind="generic-not-scheduled",
        lane=Lane.NOT_SCHEDULED,
        form=Form.SPAN,
        literals=("escheduled", "ot scheduled", "hrottle", "atchdog thread", "steal "),
        pattern=any_of(
            "descheduled",
            "not scheduled",
            "[Tt]hrottled",
            "(?:cpu )?steal(?: time)?",
            "[Ww]atchdog(?: thread)?(?: was)?[ _]late",
            "没有被调度",
        )
        + rf"(?:{keyed(1)}|[^\d;|]{{0,30}}?(?P<duration2>{LENGTH}))"
        + rf"(?:[^|]{{0,60}}?\bcpu[a-z ]{{0,24}}(?P<cpu>{NUMBER}) ?s\b)?",
        samples=(
            "watchdog thread late 0.89s: interpreter was held (cpu 0.91s)",
            "process was descheduled for 1.23s",
            "watchdog thread late by 0.812s",
            "cgroup throttled 812 ms in the last 5 s",
            "steal time: 1.2s",
            "not scheduled for 1.2s",
            "throttled_ms=812",
        ),
        near_misses=("User input: throttled for 3s", "throttled by provider", "they steal 3 sheep"),
        anywhere=True,
        label="not scheduled",
        title="runnable, but without a CPU",
        priority=GENERIC,
        family=FAMILY,
    ),
    LogEvent(
        kind="generic-suspended",
        lane=Lane.SUSPENDED,
        form=Form.SPAN,
        literals=("lock jump", "ime jump", "uspended for", "时钟跳"),
        pattern=any_of(
            "(?:[Ww]all )?[Cc]lock (?:jump(?:ed)?|went|stepped|step)",
            "[Tt]ime jump(?:ed)?",
            "[Ss]uspended for",
            "时钟跳变",
        )
        + rf"(?:{keyed(1)}|[^\d;|]{{0,30}}?(?P<duration2>{LENGTH}))",
        samples=(
            "clock jumped forward by 312s",
            "time jumped 3.2 seconds",
            "system suspended for 12 minutes",
            "时钟跳变 3.2s",
        ),
        near_misses=("User input: time jumped 3 years, 2s", "suspended for bad behaviour", "time jump scene"),
        anywhere=True,
        label="suspend or clock jump",
        title="suspend or clock jump",
        priority=GENERIC,
        family=FAMILY,
    ),
)

_FRAME = r"\s{0,12}File \"(?P<site>[^\"]{1,300}\", line \d{1,7})(?:, in (?P<label>[\w.<>]{1,120})|[^\"]{0,40})?"


def _frame(
    kind: str, lane: Lane, files: str, functions: str, samples: tuple[str, ...], misses: tuple[str, ...]
) -> LogEvent:
    """A frame of the library whose name says what held the loop."""
    return LogEvent(
        kind=kind,
        lane=lane,
        form=Form.MARK,
        literals=('File "',),
        pattern=(
            rf"\s{{0,12}}File \"(?P<site>[^\"]{{0,300}}\b(?:{files})[^\"]{{0,60}}\", line \d{{1,7}})"
            rf"(?:,)? in (?P<label>{functions})(?:\s|$|\()"
        ),
        samples=samples,
        near_misses=misses,
        title="frame of the loop's stack",
        priority=GENERIC,
        family="frame",
        follows=Lane.LOOP_HELD.value,
    )


FRAMES = (
    _frame(
        "generic-frame-logging",
        Lane.LOGGING,
        r"logging/__init__|logging/handlers|loguru/_\w{1,20}|rich/logging",
        r"emit|flush|handle|acquire|callHandlers|write|doRollover",
        ('  File "/usr/lib/python3.11/logging/__init__.py", line 1113, in emit',),
        ('  File "/app/logging_setup.py", line 3, in configure',),
    ),
    _frame(
        "generic-frame-blocking",
        Lane.BLOCKING,
        r"socket|ssl|subprocess|threading|concurrent/futures/_base|urllib3?|requests|http/client"
        r"|sqlite3|psycopg2|pymysql|importlib"
        r"|queue|selectors|shutil|pathlib|genericpath|<frozen importlib",
        r"recv_into|recv|readinto|read|do_handshake|connect|create_connection|getaddrinfo|run|wait"
        r"|communicate|_try_wait|acquire|join"
        r"|result|urlopen|send|request|getresponse|execute|commit|_find_and_load|_load_unlocked|get"
        r"|put|_wait_for_tstate_lock|write"
        r"|copyfile|copytree|rmtree|stat|exists|open|read_text|write_text|read_bytes|glob",
        (
            '  File "/usr/lib/python3.11/socket.py", line 706, in readinto',
            '  File "/usr/lib/python3.11/subprocess.py", line 1264, in wait',
            '  File "/app/.venv/lib/python3.11/site-packages/requests/sessions.py", line 589, in request',
        ),
        ('  File "/app/chat/turns.py", line 88, in handle', '  File "/app/chat.py", line 3, in connect'),
    ),
    _frame(
        "generic-frame-computing",
        Lane.COMPUTING,
        r"json|re/__init__|re|numpy|pandas|torch|copy|pickle|pydantic|jinja2|tokenizers|tiktoken|gzip|hashlib",
        r"dumps|loads|encode|decode|iterencode|raw_decode|match|search|findall|sub|split|deepcopy"
        r"|_deepcopy_\w{1,12}|model_validate"
        r"|model_dump|render|compress|pbkdf2_hmac|forward|sort|dump|load",
        (
            '  File "/usr/lib/python3.11/json/encoder.py", line 200, in encode',
            '  File "/usr/lib/python3.11/copy.py", line 146, in deepcopy',
        ),
        ('  File "/app/chat/turns.py", line 88, in handle',),
    ),
    LogEvent(
        kind="generic-frame-code",
        lane=Lane.BLOCKING,
        form=Form.MARK,
        literals=("time.sleep(",),
        pattern=r"\s{2,12}(?P<label>time\.sleep)\(",
        samples=("    time.sleep(1.2)",),
        near_misses=("never call time.sleep(1)",),
        title="frame of the loop's stack",
        priority=GENERIC,
        family="frame",
        follows=Lane.LOOP_HELD.value,
    ),
    LogEvent(
        kind="generic-frame",
        lane=Lane.LOOP_HELD,
        form=Form.MARK,
        literals=('File "',),
        pattern=_FRAME,
        samples=('  File "/app/chat/turns.py", line 88, in handle',),
        near_misses=('He opened File "a" and File "b"',),
        title="frame of the loop's stack",
        priority=GENERIC + 4,
        family="frame",
        follows=Lane.LOOP_HELD.value,
    ),
)
