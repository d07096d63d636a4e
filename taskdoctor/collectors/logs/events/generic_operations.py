"""The work that can be late, in services that nobody here wrote: conversations, requests, jobs, access logs."""

from taskdoctor.collectors.logs.event import GENERIC, LAST_RESORT, LogEvent
from taskdoctor.collectors.logs.events.parts import LENGTH, LITERALS, TOOK, keyed
from taskdoctor.model import Form, Lane

_DECORATION = r"(?:\W{0,8}\[[^\]]{1,40}\]){0,2}\W{0,12}"
_WHOSE = (
    r"(?:(?:[Cc]hat|[Ww]ebsocket|[Ww]eb[Ss]ocket|ws|WS|[Uu]ser|[Cc]lient|[Tt]otal|[Ww]hole|[Ff]ull"
    r"|[Aa]gent|[Vv]oice|[Bb]ot|[Ii]nbound"
    r"|[Ii]ncoming|[Ss]ession|[Cc]onversation|[Bb]atch|[Bb]ackground|[Ss]low) )?"
)
_NOUN = (
    r"(?:[Cc]onversation|[Tt]urn|[Cc]hat|[Rr]equest|[Mm]essage|[Jj]ob|[Tt]ask|[Rr]eply|[Rr]esponse"
    r"|[Rr]ound|[Ss]ession|[Pp]ipeline"
    r"|[Hh]andler|[Cc]ommand|[Ii]nteraction|[Uu]pdate|[Cc]ycle|[Dd]ialogue)"
)
_NUMBERED = r"#?[\w.:@/-]{0,40}\d[\w.:@/-]{0,40}"
_DID = (
    r"(?:completed|complete|finished|done|handled|processed|handling|processing|succeeded|failed"
    r"|ended|sent|served|answered|ready"
    r"|total|was|has|been|is|successfully|OK|ok|over|in total|overall|end-to-end|e2e|round trip|roundtrip)"
)
_BETWEEN = (
    rf"(?:[ ]{{1,2}}(?:{_NUMBERED}|(?:for|from|of|by|with|in session) [\w.:@#'-]{{1,40}}"
    rf"|\([^()]{{1,40}}\)|['\"][^'\"]{{1,40}}['\"]"
    rf"|[a-z_]{{1,20}}=\S{{1,40}}|{_DID}|[a-z]{{1,20}}_\w{{1,40}})[,.;:]?){{0,3}}"
)
_TOOK = (
    r"[ ,:：(—-]{0,3}(?:took|[Tt]otal(?: elapsed| time)?|in|after|elapsed(?: time)?|duration|latency"
    r"|time|processing time|response time|cost"
    rf"|耗时|用时)[\s:：=~≈]{{0,4}}(?:[a-z]{{1,8}} ){{0,3}}(?P<duration6>{LENGTH})"
)
_KEYS = (
    r"(?:total|duration|elapsed|took|latency|time|e2e|wall|cost|dur|response_time|total_time"
    r"|elapsed_time|processing_time)"
)
_FIELD = (
    rf".{{0,160}}?[\s,{{\"'](?:turn_|conversation_|request_|response_|total_|e2e_|overall_|handler_)?{_KEYS}{keyed(1)}"
)

OPERATIONS = (
    LogEvent(
        kind="generic-operation",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=(*LITERALS,),
        words=(
            "onversation",
            "urn",
            "hat",
            "equest",
            "essage",
            "ob",
            "ask",
            "eply",
            "esponse",
            "ound",
            "ession",
            "ipeline",
            "andler",
            "ommand",
            "nteraction",
            "pdate",
            "ycle",
            "ialogue",
        ),
        pattern=rf"{_DECORATION}(?P<label>{_WHOSE}{_NOUN})\b(?:{_BETWEEN}{_TOOK}|{_BETWEEN}{_FIELD})",
        samples=(
            "Turn 17 took 3.2s",
            "conversation 8f3a completed in 12.31 s",
            "Request 5c1e handled in 812 ms",
            "request finished    path=/chat status=200 duration_ms=812.4",
            "Message 91 for bob processed in 1.2s",
            "[chat] turn done session=ab12 llm_ms=812 total_ms=1301",
            "✅ Job sync_users finished in 12.3s",
            "Response sent, total time: 3.21s",
            "turn finished: elapsed=4.12s tokens=93",
            "Task 17 done in 0:01:02",
            "chat reply total elapsed: 3.2s",
            "Session turn complete (4.2s), took 4.2s",
        ),
        near_misses=(
            "User input: Turn 17 took 3.2s",
            "request to api.example.com took 3.2s",
            "Turn it around, it took 3 rounds",
            "LLM request took 3.2s",
            "Message from bob: took 30 seconds",
            "Task was destroyed but it is pending! duration unknown",
            "chat: took 3 of them",
        ),
        anywhere=False,
        title="operation",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-operation-done",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("ed in ", "sent in ", "Processed ", "Handled ", "Finished ", "Completed "),
        pattern=(
            rf"{_DECORATION}(?P<label>(?:[Pp]rocessed|[Hh]andled|[Cc]ompleted|[Ff]inished|[Ss]erved"
            rf"|[Ss]ent)(?: the| a)?(?: [a-z]{{1,20}}"
            rf"){{0,2}}? {_NOUN}|(?:[Rr]eply|[Rr]esponse|[Aa]nswer) sent|[Rr]eplied|[Rr]esponded"
            rf"|[Aa]nswered)\b(?: to| for| from)?(?: {_NUMBERED}| [\w'-]{{1,40}}){{0,3}}?,?"
            rf" (?:in|after|took)[ :](?:[a-z]{{1,8}} ){{0,2}}(?P<duration>{LENGTH})"
        ),
        samples=(
            "Processed message in 2.3 s",
            "Handled request 17 in 120ms",
            "Finished conversation ab12 in 12.1s",
            "Replied in 2.31s",
            "Completed background job sync_users in 3s",
            "Answered in 4.2 seconds",
            "reply sent in 2.3s",
        ),
        near_misses=(
            "User said: Processed message in 2.3 s",
            "Finished loading config in 3s",
            "Processed 3 files",
            "Handled by 3 s",
        ),
        title="operation",
        priority=GENERIC + 1,
    ),
    LogEvent(
        kind="generic-operation-total",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("time: ", "atency", "_time=", "_ms=", '_ms"'),
        words=("otal", "nd-to-end", "2e", "2E", "oundtrip", "esponse", "equest", "urn_", "onversation_", "eply"),
        pattern=(
            r"(?:\b|_)(?P<label>[Tt]otal|[Ee]nd-to-end|[Ee]2[Ee]|[Oo]verall|[Rr]oundtrip"
            r"|[Rr]esponse|[Rr]equest|[Rr]eply|turn|conversation)"
            r"[_ ](?:(?:[Ll]atency|[Tt]ime|[Dd]uration|[Ee]lapsed|[Rr]esponse|processing)[_ ]?){0,3}"
            rf"(?:{keyed(1)}|[\s:：=~≈(]{{0,4}}(?:[a-z]{{1,8}} ){{0,2}}(?P<duration4>{LENGTH}))"
        ),
        samples=(
            "Total time: 3.21s",
            "total_ms=1301 llm_ms=812",
            "End-to-end latency: 4.2s",
            "e2e_latency_ms=3120",
            "Response time: 812 ms",
            "done status=200 request_time=1.234",
            '{"turn_ms": 812, "tts_ms": 93}',
        ),
        near_misses=(
            "User input: Total time: 3s",
            "total time: unknown",
            "total_tokens=812 _time=noon",
            "Total time: 3 rounds",
        ),
        anywhere=True,
        title="operation",
        priority=GENERIC + 2,
    ),
    LogEvent(
        kind="generic-operation-chinese",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("耗时", "用时", "花费"),
        pattern=(
            r"(?P<label>对话|会话|请求|消息|回复|本轮|这轮|轮次|任务|响应|处理|总)[^,;|；。]{0,20}?(?:总?耗时|用时|花费|总时间)"
            rf"[\s:：=~≈]{{0,3}}(?P<duration>{LENGTH})"
        ),
        samples=(
            "对话耗时: 3.2s",
            "本轮对话总耗时：12.3秒",
            "请求 17 处理耗时 812ms",
            "总耗时: 4.2s",
            "消息处理完成 用时 1.2 秒",
            "任务 sync 完成，总耗时 3.2s",
        ),
        near_misses=("用户输入: 对话耗时 3.2s", "对话耗时: 未知", "耗时 3.2s"),
        anywhere=True,
        title="operation",
        priority=GENERIC + 1,
    ),
    LogEvent(
        kind="generic-step",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=(*TOOK, "ed in ", "done in ", "lapsed", "uration"),
        pattern=(
            rf"{_DECORATION}(?P<label>_?[A-Za-z][A-Za-z0-9]{{0,30}}(?:[._][A-Za-z0-9]{{1,40}}){{1,6}}(?:\(\))?|[A-Za-z_]\w{{1,40}}\(\))"
            r"(?: (?:has )?(?:finished|completed|done|ran|executed|returned))?[ :,]{1,2}"
            rf"(?:took|in|elapsed|duration)[ :=]{{1,2}}(?P<duration>{LENGTH})"
        ),
        samples=(
            "save_profile took 1.2s",
            "app.chat.handle() finished in 812 ms",
            "rebuild_index: elapsed 3.2s",
            "main() took 3 s",
        ),
        near_misses=("He took 3 s", "config.yaml took 3 edits", "bob took 3 s"),
        title="step",
        priority=LAST_RESORT,
    ),
)

_METHOD = r"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)"
_PATH = r"/[^\s\"?]{0,300}"
_ACCESS_LITERALS = ("GET /", "POST /")

ACCESS = (
    LogEvent(
        kind="generic-access-unit",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=_ACCESS_LITERALS,
        pattern=(
            rf"(?P<label>{_METHOD} {_PATH})(?:\?[^\s\"]{{0,2000}})?(?: HTTP/[\d.]{{1,3}})?\"?.{{0,60}}?[\s(=:@-]"
            rf"(?P<duration>\d{{1,9}}(?:\.\d{{1,9}})? ?(?:ms|µs|us|s|sec|seconds)\b)"
        ),
        samples=(
            "200 GET /api/contents (@127.0.0.1) 38.19ms",
            "POST /chat/42 200 in 93ms",
            "GET /chat -> 200 (1.23s)",
            '127.0.0.1 "POST /v1/turn HTTP/1.1" 200 - 812 ms',
        ),
        near_misses=(
            '127.0.0.1:40138 - "GET /chat HTTP/1.1" 200 OK',
            "User input: GET /chat 200 93ms",
            'prompt="POST /chat 200 in 93ms"',
        ),
        anywhere=True,
        title="request",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-access-field",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("path=/",),
        pattern=(
            rf"\bpath[\"']?[=:] ?[\"']?(?P<label>{_PATH})[\s\"',].{{0,160}}?"
            rf"\b(?:took|duration|elapsed|latency|time|request_time|response_time|dur){keyed(1)}"
        ),
        samples=(
            "slow request                   path=/chat took_ms=812.4",
            "method=GET path=/api/turn/17 status=200 duration=93.2ms",
        ),
        near_misses=("User input: path=/chat took_ms=812", "path=/chat status=200"),
        anywhere=True,
        title="request",
        priority=GENERIC,
    ),
    LogEvent(
        kind="granian-access",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=_ACCESS_LITERALS,
        pattern=(
            rf"\"(?P<label>{_METHOD} {_PATH})(?:\?[^\s\"]{{0,2000}})? HTTP/[\d.]{{1,3}}\" \d{{3}} "
            rf"(?P<ms>\d{{1,9}}\.\d{{1,3}})\s{{0,3}}$"
        ),
        samples=(
            '[2026-03-04 10:11:12 +0000] 127.0.0.1 - "GET / HTTP/1.1" 200 10.954',
            '127.0.0.1 - "GET /x?a=1 HTTP/1.1" 200 10.9',
        ),
        near_misses=('127.0.0.1 - - "GET / HTTP/1.1" 200 7', '127.0.0.1:5 - "GET / HTTP/1.1" 200 OK'),
        anywhere=True,
        title="request",
        priority=GENERIC,
    ),
    LogEvent(
        kind="generic-access-seconds",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=_ACCESS_LITERALS,
        pattern=(
            rf"\"(?P<label>{_METHOD} {_PATH})(?:\?[^\s\"]{{0,2000}})? HTTP/[\d.]{{1,3}}\" \d{{3}} "
            rf"[\d-]{{1,12}} \"[^\"]{{0,600}}\" "
            r"\"[^\"]{0,600}\"[ a-z=\"]{1,12}(?:(?P<seconds>\d{1,5}\.\d{3,9})|(?P<us>\d{5,12}))\"?\s{0,3}$"
        ),
        samples=(
            '127.0.0.1 - - [04/Mar/2026:10:11:12 +0000] "GET / HTTP/1.1" 200 7 "-" "curl/8" 0.123456',
            '127.0.0.1 [04/Mar/2026:10:11:12 +0000] "POST /chat HTTP/1.1" 200 165 "-" "curl/8" 123456',
            '10.0.0.1 - - [04/Mar/2026:10:11:12 +0000] "GET /a HTTP/1.1" 200 7 "-" "Mozilla/5.0 '
            '(X11; Linux x86_64) x y" rt=0.123',
        ),
        near_misses=(
            '127.0.0.1 - - [04/Mar/2026:10:11:12 +0000] "GET / HTTP/1.1" 200 7 "-" "curl"',
            '127.0.0.1 - - [04/Mar/2026:10:11:12 +0000] "GET / HTTP/1.1" 200 7 "-" "curl" 12',
        ),
        anywhere=True,
        title="request",
        priority=GENERIC,
    ),
    LogEvent(
        kind="gin-access",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("| POST ",),
        pattern=(
            r"\| {1,20}(?P<duration>[\d.]{1,16}(?:ns|µs|us|ms|s|m[\d.]{1,14}s"
            r"|h\d{1,2}m[\d.]{1,14}s)) \| {1,20}[\w.:]{1,45} \|"
            rf" {{1,3}}(?P<label>{_METHOD} {{1,8}}\"{_PATH})"
        ),
        samples=(
            '[GIN] 2026/03/04 - 03:24:29 | 200 |  5.239788128s | 10.0.0.1 | POST     "/api/chat"',
            '| 200 |     897.654µs |       127.0.0.1 | POST     "/api/show"',
            '| 200 |         1m2.3s |       127.0.0.1 | POST     "/api/generate"',
        ),
        near_misses=("a | b | POST lost", 'User input: | 200 | 5s | 10.0.0.1 | POST "/x"'),
        anywhere=True,
        title="request",
        priority=GENERIC,
    ),
    LogEvent(
        kind="ollama-access",
        lane=Lane.UPSTREAM,
        form=Form.SPAN,
        literals=("| POST ",),
        pattern=(
            r"\| {1,20}(?P<duration>[\d.]{1,16}(?:ns|µs|us|ms|s|m[\d.]{1,14}s)) \| "
            r"{1,20}[\w.:]{1,45} \| {1,3}POST {1,8}"
            r"\"/(?:api/(?:chat|generate|embed)|v1/(?:chat/)?completions)"
        ),
        samples=('| 200 |  5.239788128s |        10.0.0.1 | POST     "/api/chat"',),
        near_misses=('| 200 |  5.239788128s |        10.0.0.1 | POST     "/login"',),
        anywhere=True,
        label="LLM",
        title="LLM call, as ollama counts it",
        priority=GENERIC,
    ),
)
