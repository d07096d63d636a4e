"""LLM SDKs, HTTP clients and MCP: retries, refusals, time-outs, and the pairs that DEBUG lines make."""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

RETRIES = (
    LogEvent(
        kind="sdk-retrying",
        lane=Lane.BACKOFF,
        form=Form.SPAN,
        literals=("etry",),
        pattern=r"Retrying request (?:to (?P<label>\S{1,200}) )?in (?P<seconds>\d{1,6}(?:\.\d{1,9})?) seconds",
        samples=(
            "Retrying request to /chat/completions in 0.915115 seconds",
            "Retrying request in 0.915115 seconds (retry 1 of 2)",
        ),
        near_misses=("Retrying request in a while", "User input: Retrying request in 3 seconds"),
        starts=True,
        title="client retries after a wait",
    ),
    LogEvent(
        kind="sdk-retry-refused",
        lane=Lane.BACKOFF,
        form=Form.MARK,
        literals=("etry",),
        pattern=r"Not retrying because Retry-After of \S{1,20} seconds exceeds",
        samples=("Not retrying because Retry-After of 120 seconds exceeds 60 seconds",),
        near_misses=("Not retrying because Retry-After is missing",),
        title="the wait asked for is too long to retry",
    ),
    LogEvent(
        kind="httpx-rate-limited",
        lane=Lane.BACKOFF,
        form=Form.MARK,
        literals=("HTTP Re",),
        pattern=(
            r"HTTP (?:Request|Response): [A-Z]{3,7} (?:(?P<label>https?://\S{1,300}) "
            r")?\"?(?:HTTP/[\d.]{1,3} )?429\b"
        ),
        samples=(
            'HTTP Request: POST https://api.example/v1/chat/completions "HTTP/1.1 429 Too Many Requests"',
            'HTTP Response: POST https://api.example/v1/chat/completions "429 Too Many Requests"',
        ),
        near_misses=(
            'HTTP Request: POST https://api.example/v1/chat/completions "HTTP/1.1 200 OK"',
            'HTTP Request: GET https://api.example/items/429 "HTTP/1.1 200 OK"',
        ),
        title="upstream answered 429",
    ),
    LogEvent(
        kind="httpx-server-error",
        lane=Lane.UPSTREAM,
        form=Form.MARK,
        literals=("HTTP Re",),
        pattern=(
            r"HTTP (?:Request|Response): [A-Z]{3,7} (?:(?P<label>https?://\S{1,300}) "
            r")?\"?(?:HTTP/[\d.]{1,3} )?5\d\d\b"
        ),
        samples=('HTTP Request: POST https://api.example/v1/chat/completions "HTTP/1.1 503 Service Unavailable"',),
        near_misses=('HTTP Request: GET https://api.example/500 "HTTP/1.1 200 OK"',),
        title="upstream answered with a server error",
    ),
    LogEvent(
        kind="sdk-rate-limit-error",
        lane=Lane.BACKOFF,
        form=Form.MARK,
        literals=("RateLimit",),
        pattern=(
            r"\b(?:\w{1,30}\.){0,3}RateLimitError: .{0,400}?"
            r"(?:rate[_ ]limit|Rate limit|Too Many|RateLimit|tokens per min|Request too large|overloaded)"
        ),
        samples=(
            "openai.RateLimitError: Error code: 429 - {'error': {'message': 'Rate limit reached', 'code': "
            "'rate_limit_exceeded'}}",
            "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for gpt-x",
            "Error calling LLM: anthropic.RateLimitError: Error code: 429 - {'type': 'rate_limit_error'}",
        ),
        near_misses=(
            "openai.RateLimitError: Error code: 429 - {'error': {'code': 'insufficient_quota'}}",
            "User input: what is openai.RateLimitError: Rate limit?",
        ),
        anywhere=True,
        title="the provider refused: rate limit",
    ),
    LogEvent(
        kind="sdk-quota-exhausted",
        lane=Lane.ERROR,
        form=Form.MARK,
        literals=(" 429",),
        pattern=r"(?:.{0,200}\D)?429\b.{0,400}insufficient_quota",
        samples=(
            "openai.RateLimitError: Error code: 429 - {'error': {'message': 'You exceeded your current quota', 'code': "
            "'insufficient_quota'}}",
        ),
        near_misses=("User asked about insufficient_quota and 429",),
        label="quota used up",
        title="the provider's quota is used up: billing, not a stall",
    ),
    LogEvent(
        kind="litellm-cooldown",
        lane=Lane.BACKOFF,
        form=Form.MARK,
        literals=("cooldown list",),
        pattern=r"(?:.{0,60} - )?Attempting to add (?P<label>\S{1,120}) to cooldown list",
        samples=("Attempting to add deployment-1 to cooldown list",),
        near_misses=("User input: add Bob to cooldown list",),
        title="a deployment was put on cooldown",
    ),
    LogEvent(
        kind="tenacity-retrying",
        lane=Lane.BACKOFF,
        form=Form.SPAN,
        literals=("etry",),
        pattern=(
            r"Retrying (?P<label>[\w.<>]{1,160}) in (?P<seconds>\d{1,6}(?:\.\d{1,6})?(?:e[+-]\d\d)?) "
            r"seconds as it raised"
        ),
        samples=("Retrying app.call in 4.0 seconds as it raised RateLimitError: slow down.",),
        near_misses=("Retrying: I waited 4 seconds as it raised the flag",),
        starts=True,
        title="retry after a wait",
    ),
)

PAIRS = (
    LogEvent(
        kind="openai-request-sent",
        lane=Lane.UPSTREAM,
        form=Form.OPEN,
        literals=("HTTP Re",),
        pattern=r"Sending HTTP Request: [A-Z]{3,7} (?P<label>\S{1,300})",
        samples=("Sending HTTP Request: POST https://api.example/v1/chat/completions",),
        near_misses=("User input: Sending HTTP Request: POST x",),
        pair="openai-request",
        title="request sent to the LLM",
    ),
    LogEvent(
        kind="openai-response-received",
        lane=Lane.UPSTREAM,
        form=Form.CLOSE,
        literals=("HTTP Re",),
        pattern=r"HTTP Response: [A-Z]{3,7} (?:(?P<label>https?://\S{1,300}) )?\"?\d{3}",
        samples=("HTTP Response: POST 200", 'HTTP Response: POST https://api.example/v1/chat/completions "200 OK"'),
        near_misses=("HTTP Response: none",),
        pair="openai-request",
        title="the LLM answered",
    ),
    LogEvent(
        kind="httpcore-connect-started",
        lane=Lane.UPSTREAM,
        form=Form.OPEN,
        literals=("connect_tcp",),
        pattern=r"connect_tcp\.started host='(?P<label>[^']{1,200})'",
        samples=("connect_tcp.started host='api.example.com' port=443 local_address=None timeout=5.0",),
        near_misses=("connect_tcp.complete return_value=<x>",),
        pair="httpcore-connect",
        title="connecting",
    ),
    LogEvent(
        kind="httpcore-connect-finished",
        lane=Lane.UPSTREAM,
        form=Form.CLOSE,
        literals=("connect_tcp",),
        pattern=r"connect_tcp\.(?:complete|failed)",
        samples=("connect_tcp.complete return_value=<AnyIOStream>", "connect_tcp.failed exception=ConnectError('x')"),
        near_misses=("connect_tcp.started host='x'",),
        pair="httpcore-connect",
        title="connected",
    ),
    LogEvent(
        kind="httpcore-headers-awaited",
        lane=Lane.UPSTREAM,
        form=Form.OPEN,
        literals=("response_headers",),
        pattern=r"receive_response_headers\.started",
        samples=("receive_response_headers.started request=<Request [b'POST']>",),
        near_misses=("receive_response_headers.complete return_value=(b'HTTP/1.1', 200)",),
        pair="httpcore-headers",
        label="HTTP response",
        title="waiting for a response",
    ),
    LogEvent(
        kind="httpcore-headers-received",
        lane=Lane.UPSTREAM,
        form=Form.CLOSE,
        literals=("response_headers",),
        pattern=r"receive_response_headers\.(?:complete|failed)",
        samples=("receive_response_headers.complete return_value=(b'HTTP/1.1', 200, b'OK')",),
        near_misses=("receive_response_headers.started request=<Request [b'POST']>",),
        pair="httpcore-headers",
        label="HTTP response",
        title="response received",
    ),
)

MCP = (
    LogEvent(
        kind="mcp-request-timeout",
        lane=Lane.UPSTREAM,
        form=Form.SPAN,
        literals=("ClientRequest",),
        pattern=(
            r"(?:.{0,200}: )?Timed out while waiting for response to ClientRequest\. "
            r"Waited (?P<seconds>\d{1,6}(?:\.\d{1,6})?) seconds"
        ),
        samples=("Timed out while waiting for response to ClientRequest. Waited 30.0 seconds.",),
        near_misses=("User input: no response to ClientRequest",),
        label="MCP tool",
        title="an MCP server did not answer",
    ),
    LogEvent(
        kind="mcp-request-processed",
        lane=Lane.CHILDREN,
        form=Form.MARK,
        literals=("request of type",),
        pattern=r"Processing request of type (?P<label>\w{1,60})",
        samples=("Processing request of type CallToolRequest",),
        near_misses=("User input: Processing request of type x",),
        title="an MCP server works on a request",
    ),
    LogEvent(
        kind="mcp-server-survived-kill",
        lane=Lane.CHILDREN,
        form=Form.MARK,
        literals=("still alive",),
        pattern=r"MCP server process (?P<key>\d{1,10}) is still alive after the kill escalation",
        samples=("MCP server process 123 is still alive after the kill escalation; abandoning it",),
        near_misses=("He is still alive after the kill escalation",),
        title="an MCP server was left behind",
    ),
    LogEvent(
        kind="mcp-message-unparsable",
        lane=Lane.ERROR,
        form=Form.MARK,
        literals=("JSONRPC",),
        pattern=r"(?P<label>Failed to parse JSONRPC message from server)",
        samples=("Failed to parse JSONRPC message from server",),
        near_misses=("User input: how to parse JSONRPC messages",),
        title="an MCP server wrote something that is no message",
    ),
)

OLLAMA = (
    LogEvent(
        kind="ollama-model-reload",
        lane=Lane.UPSTREAM,
        form=Form.MARK,
        literals=("evaluating already", "make room", "server to become", "unner expired"),
        pattern=(
            r"(?P<label>evaluating already loaded|resetting model to expire immediately to make room"
            r"|waiting for server to become available|runner expired event received)"
        ),
        samples=(
            'msg="evaluating already loaded" model=/root/.ollama/x',
            "resetting model to expire immediately to make room",
            'msg="waiting for server to become available" status="llm server loading model"',
            "runner expired event received",
        ),
        near_misses=("User input: waiting for server to become available",),
        anywhere=True,
        title="ollama loads or drops a model",
    ),
    LogEvent(
        kind="ollama-runner-started",
        lane=Lane.UPSTREAM,
        form=Form.SPAN,
        literals=("ed in ",),
        pattern=r"(?:msg=\")?llama runner started in (?P<seconds>\d{1,6}(?:\.\d{1,6})?) seconds",
        samples=("llama runner started in 12.30 seconds", 'msg="llama runner started in 3.01 seconds"'),
        near_misses=("the runner started in 3 seconds",),
        label="LLM model load",
        title="ollama loaded a model",
    ),
)
