"""`dns`: name resolution."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes._example_logs import Said, Turn, incident
from taskdoctor.causes._readings import full_as_marks
from taskdoctor.diagnosis.claiming import marks, spans
from taskdoctor.model import Cause, Claim, Event, Example, Fix, Lane, Layer, Priority, Timeline

ID = "dns"
RESOLVER_S = 20.0  # two servers, two attempts of 5 s each: the default patience of a resolver
CONNECTED = "measured-connect"
PATIENCE_S = 5.0  # of a resolver, per attempt
STEP_SLACK_S, STEP_WIDTH_S = 0.05, 0.45
FEW_STEPS, MOST_STEPS = 4, 0.8
NEAR_S = 30.0  # a full executor this close explains a failed lookup


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """Lookups with a length are measured in their thread; an error alone may only mean that no thread was free."""
    return (
        *spans(timeline, ID, Lane.DNS, say="resolving {label} took {seconds}"),
        *marks(
            _without_full_executor(timeline),
            ID,
            Lane.DNS,
            before_s=RESOLVER_S,
            weight=0.7,
            say="{label} after {seconds}",
        ),
        *_steps(timeline),
    )


def _steps(timeline: Timeline) -> tuple[Claim, ...]:
    """Connections that took a resolver's patience longer, once or twice: nothing else makes steps of five seconds."""
    connected = [event for event in timeline.spans.get(Lane.UPSTREAM, ()) if event.kind == CONNECTED]
    late = [event for event in connected if (event.seconds or 0.0) >= PATIENCE_S - STEP_SLACK_S]
    stepped = tuple(event for event in late if ((event.seconds or 0.0) + STEP_SLACK_S) % PATIENCE_S <= STEP_WIDTH_S)
    if len(stepped) < FEW_STEPS or len(stepped) < MOST_STEPS * len(late):
        return ()
    only = replace(timeline, spans={Lane.DNS: stepped})
    return spans(only, ID, Lane.DNS, say="connecting took {seconds}: the patience of a resolver, not of a network")


def _without_full_executor(timeline: Timeline) -> Timeline:
    """Lookups run in the default executor: where that was full, their time-outs are its victims."""
    moments = full_as_marks(timeline, Lane.EXECUTOR, at_least=1.0).marks.get(Lane.EXECUTOR, ())
    full = (*moments, *timeline.spans.get(Lane.EXECUTOR, ()))
    kept = tuple(event for event in timeline.marks.get(Lane.DNS, ()) if not _near(event, full))
    return replace(timeline, marks={Lane.DNS: kept})


def _near(event: Event, others: tuple[Event, ...]) -> bool:
    return any(abs(event.at_s - other.at_s) <= NEAR_S for other in others)


def _lookup(turn: Turn) -> tuple[Said, ...]:
    """asyncio's debug mode; the resolver's patience is five seconds."""
    took_ms = (turn.seconds - 0.9) * 1000
    line = (
        f"Getting address info api.llm.example:443, type=<SocketKind.SOCK_STREAM: 1> took {took_ms:.3f}ms: "
        "[(<AddressFamily.AF_INET: 2>, <SocketKind.SOCK_STREAM: 1>, 6, '', ('203.0.113.7', 443))]"
    )
    return (Said(turn.end_s - 0.7, line, logger="asyncio:_getaddrinfo_debug:847"),)


def _full_executor(turn: Turn) -> tuple[Said, ...]:
    error = "Cannot connect to host api.llm.example:443 ssl:default [Temporary failure in name resolution]"
    return (
        Said(turn.end_s - 0.5, f"WorkerPool:All 20 threads are busy and {150 + turn.number} jobs pending", "WARNING"),
        Said(turn.end_s - 0.2, error, "ERROR", "app.llm:complete:71"),
    )


CAUSE = Cause(
    id=ID,
    title="Resolving a host name was slow",
    layer=Layer.WAITING_INSIDE,
    lanes=(Lane.DNS,),
    prior_held=0.003,
    prior_free=0.03,
    claims=claims,
    why=(
        "Every new connection to a name asks the resolver first, in a thread of the default executor. A name server "
        "that drops a packet costs five seconds before the next attempt, so lateness comes in steps of 5 s. In "
        "Kubernetes each name is tried with every search domain first, which multiplies the questions by five. The "
        "loop is free and kept connections go on; only new connections wait. If the executor is full, the same errors "
        "appear with a healthy name server."
    ),
    check=(
        "for i in 1 2 3 4 5; do curl -so /dev/null -w 'dns %{time_namelookup} connect %{time_connect} total "
        "%{time_total}\\n' https://api.example.com/; done   # on the same host or pod, with the host you call: dns of "
        "5 s, or near the stall, is it; a few ms refutes it"
    ),
    fix=Fix(
        summary="Keep one client with its connections open, let it cache names, and repair the resolver's settings.",
        priority=Priority.P1,
        effort="half an hour",
        risk=(
            "A cached address outlives a fail-over by the length of the cache. aiodns asks name servers directly: it "
            "does not know mDNS and other sources of nsswitch.conf. One shared client must be closed at shutdown."
        ),
        before="""\
import aiohttp


async def ask(url: str) -> str:
    async with aiohttp.ClientSession() as http:  # new pool, new lookup, each time
        async with http.get(url) as reply:
            return await reply.text()
""",
        after="""\
import aiohttp


def make_client() -> aiohttp.ClientSession:  # once, in the start-up of the service
    connector = aiohttp.TCPConnector(ttl_dns_cache=300, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=30, sock_connect=5)
    return aiohttp.ClientSession(connector=connector, timeout=timeout)


async def ask(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as reply:
        return await reply.text()
""",
    ),
    blind_why=(
        "Lookups are logged by asyncio in debug mode only; else they hide inside the connect time of the HTTP client."
    ),
    blind_how=(
        "PYTHONASYNCIODEBUG=1 python server.py   # logs `Getting address info ... took 5003.1ms` for lookups over 0.1 s"
    ),
    leads_to=("upstream-latency",),
    more=(
        "In /etc/resolv.conf: `options timeout:1 attempts:3 single-request-reopen`; the last helps where A and AAAA "
        "answers get lost in pairs. In Kubernetes set `ndots:1` in dnsConfig or write names with a final dot; names "
        "without a domain then need their full form. A cache on the node (systemd-resolved, dnsmasq, NodeLocal "
        "DNSCache) serves all processes. For a trial put the address into /etc/hosts: if the stalls end, it was this. "
        "Take it out again."
    ),
    examples=(
        Example(name="five seconds per lookup", log=incident((5.95, 5.94, 10.96, 5.95, 5.96), _lookup), wins=True),
        Example(
            name="the errors of a full executor",
            log=incident((5.2, 6.8, 5.9, 7.4), _full_executor),
            wins=False,
        ),
    ),
)
