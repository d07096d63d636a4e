"""Connection pools, databases, name resolution and client time-outs, by the library that raises them."""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

EVENTS = (
    LogEvent(
        kind="postgres-lock-wait",
        lane=Lane.LOCK,
        form=Form.SPAN,
        literals=("Lock after", "Lock on "),
        pattern=(
            r"(?:\[\d{1,8}\] )?(?:LOG:  )?process \d{1,8} (?:acquired|still waiting for) (?P<label>\w{1,30}Lock)"
            r"(?: on .{1,80}?)? after (?P<ms>\d{1,9}(?:\.\d{1,6})?) ms"
        ),
        samples=(
            "process 4144 acquired ShareLock after 8763.757 ms",
            "LOG:  process 4144 still waiting for ShareLock on transaction 5457849 after 1000.424 ms",
        ),
        near_misses=(
            "process 4144 acquired ShareLock after all",
            "User input: process 1 acquired ShareLock after 2 ms",
        ),
        title="a row lock in the database",
    ),
    LogEvent(
        kind="sqlalchemy-pool-timeout",
        lane=Lane.POOL,
        form=Form.SPAN,
        literals=("QueuePool",),
        pattern=(
            r"QueuePool limit of size \d{1,6} overflow \d{1,6} reached.{0,60} timeout "
            r"(?P<seconds>\d{1,5}(?:\.\d{1,4})?)"
        ),
        samples=(
            "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, "
            "connection timed out, timeout 30.00 "
            "(Background on this error at: https://sqlalche.me/e/20/3o7r)",
            "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30",
        ),
        near_misses=(
            "User input: QueuePool limit of size 5 overflow 10 reached, timeout 30",
            "QueuePool limit of size 5",
        ),
        anywhere=True,
        label="database pool",
        title="no database connection within the time-out",
    ),
    LogEvent(
        kind="sqlalchemy-connection-leaked",
        lane=Lane.POOL,
        form=Form.MARK,
        literals=("non-checked-in",),
        pattern=r"The garbage collector is trying to clean up non-checked-in connection",
        samples=("The garbage collector is trying to clean up non-checked-in connection <AdaptedConnection>",),
        near_misses=("User input: non-checked-in connection",),
        label="database pool",
        title="a connection was never given back",
    ),
    LogEvent(
        kind="psycopg-pool-timeout",
        lane=Lane.POOL,
        form=Form.SPAN,
        literals=("a connection after",),
        pattern=r"couldn't get a connection after (?P<seconds>\d{1,5}(?:\.\d{1,4})?) sec",
        samples=("psycopg_pool.PoolTimeout: couldn't get a connection after 30.00 sec",),
        near_misses=("User input: couldn't get a connection after 3 sec", "couldn't get a connection after all"),
        anywhere=True,
        label="database pool",
        title="no database connection within the time-out",
    ),
    LogEvent(
        kind="psycopg-pool-waiting",
        lane=Lane.POOL,
        form=Form.LEVEL,
        literals=("requests waiting",),
        pattern=r"the pool '(?P<key>[^']{1,80})' has already (?P<value>\d{1,9}) requests waiting",
        samples=("psycopg_pool.TooManyRequests: the pool 'pool-1' has already 5 requests waiting",),
        near_misses=("User input: the pool 'x' has already 5 requests waiting",),
        anywhere=True,
        label="requests waiting for a connection",
        title="requests waiting for a connection",
    ),
    LogEvent(
        kind="redis-pool-exhausted",
        lane=Lane.POOL,
        form=Form.MARK,
        literals=("onnections", "No connection available", "clients"),
        pattern=(
            r"(?:ConnectionError|MaxConnectionsError|OperationalError|TooManyConnectionsError|FATAL|\(\d{4}, ['\"])"
            r":? {0,4}(?:Too many connections|No connection available|(?:sorry, )?too many "
            r"(?:connections|clients already))"
        ),
        samples=(
            "redis.exceptions.ConnectionError: Too many connections",
            "MaxConnectionsError: Too many connections",
            "redis.exceptions.ConnectionError: No connection available.",
            "FATAL:  sorry, too many clients already",
            'pymysql.err.OperationalError: (1040, "Too many connections")',
        ),
        near_misses=("User input: ConnectionError: Too many connections", "Too many connections in my life"),
        anywhere=True,
        title="no connection left",
    ),
    LogEvent(
        kind="asyncio-redis-pool-exhausted",
        lane=Lane.POOL,
        form=Form.LEVEL,
        literals=("onnections",),
        pattern=r"No available connections in the pool: size=\d{1,6}, in_use=(?P<value>\d{1,6})",
        samples=(
            "NoAvailableConnectionsInPoolError: No available connections in the pool: size=80, in_use=80, connected=80",
        ),
        near_misses=("No available connections in my area",),
        anywhere=True,
        label="connections in use",
        title="no connection left, in use",
    ),
    LogEvent(
        kind="httpx-pool-timeout",
        lane=Lane.POOL,
        form=Form.MARK,
        literals=("Timeout",),
        pattern=r"(?:httpx|httpcore)\.PoolTimeout\b",
        samples=("httpx.PoolTimeout", "Error in chat: httpcore.PoolTimeout: ''"),
        near_misses=("psycopg_pool.PoolTimeout: couldn't get a connection", "User input: what is httpx.PoolTimeout"),
        anywhere=True,
        label="HTTP pool",
        title="no HTTP connection within the time-out",
    ),
    LogEvent(
        kind="httpx-read-timeout",
        lane=Lane.UPSTREAM,
        form=Form.MARK,
        literals=("Timeout",),
        pattern=r"(?:httpx|httpcore|requests\.exceptions)\.(?P<label>ReadTimeout|ConnectTimeout)\b",
        samples=("httpx.ReadTimeout", "httpcore.ConnectTimeout: timed out", "requests.exceptions.ReadTimeout: x"),
        near_misses=("AI response: use httpx.ReadTimeout", "set ReadTimeout to 5"),
        anywhere=True,
        title="upstream did not answer in time",
    ),
    LogEvent(
        kind="dns-failed",
        lane=Lane.DNS,
        form=Form.MARK,
        literals=("esol", "gaierror", "DNS ", "service not known", "getaddrinfo"),
        pattern=(
            r"(?:Temporary failure in name resolution|socket\.gaierror|gaierror\(|gaierror: "
            r"|Timeout while contacting DNS "
            r"servers|Name or service not known|getaddrinfo failed|getaddrinfo EAI_AGAIN)"
        ),
        samples=(
            "Cannot connect to host x:443 ssl:default [Temporary failure in name resolution]",
            "socket.gaierror: [Errno -3] Temporary failure in name resolution",
            "Timeout while contacting DNS servers",
            "Error: getaddrinfo EAI_AGAIN api.example.com",
        ),
        near_misses=("User input: what is a Temporary failure in name resolution", "improved name resolution cache"),
        anywhere=True,
        title="a name could not be resolved",
    ),
)
