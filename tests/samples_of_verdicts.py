"""Verdicts built by hand, for tests of what is made from them."""

from __future__ import annotations

from taskdoctor.model import (
    Blind,
    Connections,
    ErrorLine,
    Evidence,
    Finding,
    Fix,
    GcPause,
    GcSummary,
    Grade,
    Interval,
    LaneRow,
    Operation,
    Place,
    Priority,
    Report,
    Risk,
    Severity,
    SlowOperation,
    Source,
    Status,
    TaskGroup,
    TaskSummary,
    Teardown,
    Verdict,
    Visibility,
)

START_S = 1_772_619_072.0  # 2026-03-04 10:11:12
WINDOW = Interval(START_S, START_S + 1825.0)

HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 [bold red]markup[/bold red] [link=http://x]y[/] \u202egnp.exe\u2066 "
    "bell\x07 back\x08\x08 nul\x00 c1\x9b31m \x90dcs\x9c tab\there\nnext line\r\n lone\udcff \ud800 "
    "中文日志超时429"
    + "宽" * 80
    + " zero\u200bwidth z\u0301\u0301\u0301\u0301\u0301\u0301algo 👨\u200d👩\u200d👧 ⚠\ufe0f "
    + "x" * 5_000
)

FREEZE = Fix(
    summary="Freeze the heap after warm-up, so that generation 2 has little to walk",
    priority=Priority.P0,
    effort="two lines",
    risk="low: frozen objects are never collected",
    before="async def main() -> None:\n    await warm_up()\n    await serve()",
    after="async def main() -> None:\n    await warm_up()\n    gc.collect()\n    gc.freeze()\n    await serve()",
)
TIMEOUT = Fix(
    summary="Give the LLM call a time limit and a second model to fall back to",
    priority=Priority.P1,
    effort="an hour",
    risk="medium: answers may come from the second model",
    before="reply = await llm.chat(messages)",
    after="async with asyncio.timeout(8):\n    reply = await llm.chat(messages)",
)


def gc_finding(probability: float = 0.87, share: float = 0.78) -> Finding:
    return Finding(
        cause="gc-pause",
        title="The garbage collector stops everything",
        probability=probability,
        blame_share=share,
        blame_interval=(0.64, 0.89),
        stalls=6,
        seconds=9.72,
        sentence="6 of 7 stalls lie inside a generation 2 collection: 9.72 s of 12.4 s, the longest 2.08 s.",
        evidence=(
            Evidence(
                "generation 2 ran for 1.84 s and collected 0 objects, inside the stall at 10:14:02", "server.log:412"
            ),
            Evidence("generation 2 ran for 2.08 s, inside the stall at 10:22:40", "server.log:1033"),
            Evidence("pauses grew from 0.9 s to 2.1 s while tasks rose from 17 to 44", "server.log", Grade.INFERRED),
            Evidence("generation 2 ran for 1.40 s, inside the stall at 10:31:07", "server.log:1620"),
        ),
        check="Set `gc.disable()` for ten minutes on one worker: the stalls are gone if this is the cause.",
        fix=FREEZE,
        counterfactual="without GC pauses: conversation p95 19.4 s → 6.1 s",
        leads_to=("blocking-call",),
    )


def llm_finding(probability: float = 0.08, share: float = 0.13) -> Finding:
    return Finding(
        cause="upstream-latency",
        title="The LLM was slow to answer",
        probability=probability,
        blame_share=share,
        blame_interval=(0.05, 0.24),
        stalls=2,
        seconds=1.6,
        sentence="2 conversations waited 1.6 s longer than usual for the first token, with the loop free.",
        evidence=(Evidence("first token after 4.2 s, usually 0.8 s", "server.log:977", Grade.INFERRED),),
        check="curl -s -o /dev/null -w '%{time_starttransfer}' https://llm.example/v1/models",
        fix=TIMEOUT,
    )


def empty() -> Verdict:
    """Nothing could be seen at all."""
    return Verdict(Status.INSUFFICIENT, "Nothing to judge was found.", None, 0, 0.0, 0.0, 0.0, 0.0, None)


def healthy() -> Verdict:
    return Verdict(
        status=Status.HEALTHY,
        summary="No stall in 30m25s and 412 conversations.",
        window=WINDOW,
        stall_count=0,
        stalled_s=0.0,
        longest_s=0.0,
        unexplained_share=0.0,
        unexplained_probability=0.0,
        loop_held_share=None,
        blind=BLIND,
        report=Report(operations=(operation(slow=False),), sources=(SOURCE,)),
    )


def one_cause() -> Verdict:
    return Verdict(
        status=Status.STALLS_FOUND,
        summary="GC pauses own 78 % of the 12.4 s that the service was late.",
        window=WINDOW,
        stall_count=7,
        stalled_s=12.4,
        longest_s=2.08,
        unexplained_share=0.22,
        unexplained_probability=0.13,
        loop_held_share=0.92,
        findings=(gc_finding(),),
    )


def two_close() -> Verdict:
    return Verdict(
        status=Status.INSUFFICIENT,
        summary="Two candidates are too close to call: GC pauses and the LLM.",
        window=WINDOW,
        stall_count=5,
        stalled_s=8.1,
        longest_s=2.08,
        unexplained_share=0.1,
        unexplained_probability=0.09,
        loop_held_share=0.48,
        findings=(gc_finding(0.48, 0.46), llm_finding(0.43, 0.44)),
        next_steps=(
            "Log when the collector runs: `python -X dev server.py`, then `taskdoctor logs server.log` again.",
        ),
    )


def insufficient() -> Verdict:
    return Verdict(
        status=Status.INSUFFICIENT,
        summary="2 stalls are too few to name a cause.",
        window=WINDOW,
        stall_count=2,
        stalled_s=3.31,
        longest_s=2.2,
        unexplained_share=1.0,
        unexplained_probability=1.0,
        loop_held_share=None,
        blind=BLIND,
        next_steps=(
            "Watch the running service until it stalls: `taskdoctor attach 127.0.0.1:20101 --until-stalls 4`",
            "Turn on asyncio's own report of slow callbacks: `PYTHONASYNCIODEBUG=1 python server.py`",
        ),
        report=Report(sources=(SOURCE,)),
    )


def everything() -> Verdict:
    """Each field of the model has something in it."""
    return Verdict(
        status=Status.STALLS_FOUND,
        summary="GC pauses own 78 % of the 12.4 s that the service was late; the LLM owns 13 %.",
        window=WINDOW,
        stall_count=7,
        stalled_s=12.4,
        longest_s=2.08,
        unexplained_share=0.09,
        unexplained_probability=0.05,
        loop_held_share=0.86,
        findings=(gc_finding(), llm_finding()),
        risks=(RISK_LOW, RISK_HIGH),
        blind=BLIND,
        next_steps=(
            "Freeze the heap on one worker, and read its log again: `taskdoctor logs server.log --since 10:41`",
        ),
        report=report(),
    )


def hostile() -> Verdict:
    """Every string that can come from outside is an attack on the terminal; ids are ours and stay ids."""
    evidence = (Evidence(HOSTILE, HOSTILE), Evidence(HOSTILE, "a.log:1", Grade.INFERRED))
    fix = Fix(HOSTILE, Priority.P2, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    finding = Finding(
        "gc-pause", HOSTILE, 0.6, 0.5, (0.4, 0.6), 3, 1.0, HOSTILE, evidence, HOSTILE, fix, HOSTILE, ("task-leak",)
    )
    place = Place(HOSTILE, 1)
    return Verdict(
        status=Status.STALLS_FOUND,
        summary=HOSTILE,
        window=WINDOW,
        stall_count=3,
        stalled_s=2.0,
        longest_s=1.0,
        unexplained_share=0.5,
        unexplained_probability=0.4,
        loop_held_share=0.1,
        findings=(finding,),
        risks=(Risk("task-leak", HOSTILE, Severity.HIGH, evidence, HOSTILE, fix),),
        blind=(Blind("dns", HOSTILE, HOSTILE),),
        next_steps=(HOSTILE,),
        report=Report(
            timeline=(LaneRow(HOSTILE, (Interval(START_S, START_S + 1),)),),
            operations=(
                Operation(
                    name=HOSTILE,
                    count=1,
                    normal_s=1.0,
                    p50_s=1.0,
                    p95_s=1.0,
                    max_s=1.0,
                    histogram=((0.1, 1.0, 1),),
                    slow=(SlowOperation(START_S, 1.0, place, (("gc-pause", 1.0),), HOSTILE, ((HOSTILE, 1.0),)),),
                ),
            ),
            tasks=TaskSummary(1, ((START_S, 1),), None, 0, 0, 0, (TaskGroup(HOSTILE, 1, 0, "call", HOSTILE, HOSTILE),)),
            connections=(Connections(HOSTILE, 1, 0, 1),),
            errors=(ErrorLine(HOSTILE, 2, place),),
            sources=(Source(HOSTILE, 10, 1, ((HOSTILE, 1),), notes=(HOSTILE,), workers=(HOSTILE, "b")),),
            warnings=(HOSTILE,),
        ),
    )


def all_verdicts() -> dict[str, Verdict]:
    """By name, for parametrised tests."""
    makers = (empty, healthy, one_cause, two_close, insufficient, everything, hostile)
    return {maker.__name__: maker() for maker in makers}


SOURCE = Source(
    name="server.log",
    bytes=1_234_567,
    lines=12_345,
    formats=(("loguru", 12_240), ("generic", 68)),
    unparsed_share=0.003,
    resolution_s=0.001,
    first_s=WINDOW.start_s,
    last_s=WINDOW.end_s,
    workers=("4711", "4712"),
    notes=("The clock went backwards once, by 0.4 s, at line 3,100.",),
)

BLIND = (
    Blind("cpu-starvation", "a log does not show what the scheduler does", "taskdoctor attach 127.0.0.1:20101"),
    Blind("memory-pressure", "a log does not show swap or reclaim", "taskdoctor attach 127.0.0.1:20101"),
    Blind("dns", "look-ups are logged in debug mode only", "PYTHONASYNCIODEBUG=1 python server.py", Visibility.PARTLY),
    Blind("frontend", "the browser's side is not in this log", "taskdoctor browser"),
)

RISK_LOW = Risk(
    cause="disk-growth",
    title="The cache folder grows by 200 MB a day",
    severity=Severity.LOW,
    evidence=(Evidence("cache size 1.2 GB at 10:11:12, 1.3 GB at 10:41:37", "server.log:12"),),
    check="du -sh cache/",
    fix=Fix("Delete chat histories older than 30 days", Priority.P2, "an hour", "low", "", ""),
)
RISK_HIGH = Risk(
    cause="task-leak",
    title="Fire-and-forget sends pile up",
    severity=Severity.HIGH,
    evidence=(
        Evidence("tasks at the troughs rose from 17 to 41 in 30m25s", "server.log:2200"),
        Evidence("260 sends to the frontend were queued and never awaited", "server.log", Grade.INFERRED),
    ),
    check="taskdoctor attach 127.0.0.1:20101 --duration 60s",
    fix=Fix(
        "Await the send, or keep the task and discard it when done",
        Priority.P1,
        "ten minutes",
        "low",
        "asyncio.create_task(ws.send_text(payload))",
        "task = asyncio.create_task(ws.send_text(payload))\ntasks.add(task)\ntask.add_done_callback(tasks.discard)",
    ),
)


def operation(*, slow: bool = True) -> Operation:
    counts = (0, 3, 22, 96, 160, 80, 31, 9, 0, 4, 7)
    edges = [0.1 * 1.6**step for step in range(len(counts) + 1)]
    owners = (("gc-pause", 12.1), ("upstream-latency", 3.2), ("unexplained", 2.0))
    place = Place("server.log", 412)
    first = SlowOperation(START_S + 170, 19.4, place, owners, "client 7", (("LLM", 3.2), ("TTS", 1.04)))
    second = SlowOperation(START_S + 700, 9.1, Place("server.log", 1040), (("gc-pause", 8.0),))
    return Operation(
        name="conversation",
        count=412,
        normal_s=1.84,
        p50_s=1.9,
        p95_s=19.4 if slow else 2.3,
        max_s=24.0 if slow else 2.9,
        histogram=tuple((edges[at], edges[at + 1], count) for at, count in enumerate(counts)),
        slow=(first, second) if slow else (),
        p50_without_s=1.8 if slow else None,
        p95_without_s=6.1 if slow else None,
        sampled=slow,
    )


def report() -> Report:
    stalls = [(170, 1.84), (460, 1.1), (688, 2.08), (1003, 1.9), (1195, 1.4), (1500, 2.0), (1711, 2.08)]
    lanes = [Interval(START_S + at - seconds, START_S + at) for at, seconds in stalls]
    rising = tuple((START_S + 30.0 * at, 17 + at // 3 + (at * 7) % 5) for at in range(60))
    pauses = tuple(
        GcPause(START_S + at, seconds, 2, 0, explicit=None, place=Place("server.log", at)) for at, seconds in stalls
    )
    groups = (
        TaskGroup("send_text", 24, 24, "call", "app/ws.py:88", "websockets/protocol.py:312 drain", 1800.0),
        TaskGroup("websocket_handler", 8, 0, "connection", "app/ws.py:20"),
    )
    return Report(
        timeline=(
            LaneRow("gc-pause", tuple(lanes[:1] + lanes[2:])),
            LaneRow("upstream-latency", (Interval(START_S + 455, START_S + 460), lanes[5])),
            LaneRow("stalls", tuple(lanes)),
        ),
        operations=(operation(),),
        gc=GcSummary((1204, 109, 9), pauses, 1.84, 2.08, 2.08, 12.4, 0.78, growing=True, thresholds=(700, 10, 10)),
        tasks=TaskSummary(41, rising, growing=True, abnormal=12, lost=3, fire_and_forget=260, groups=groups),
        connections=(
            Connections("websocket sessions", 60, 52, 8, tuple((at, count % 9) for at, count in rising)),
            Connections("MCP clients", 12, 8, 4),
        ),
        teardown=Teardown(52, 0.21, 1.2, 1),
        errors=(
            ErrorLine("Sweeper loop error: 'NoneType' object has no attribute 'close'", 12, Place("server.log", 99)),
            ErrorLine("Task exception was never retrieved", 3, Place("server.log", 1402)),
        ),
        sources=(SOURCE,),
        warnings=("old/server.log.3.gz ends in the middle: read up to line 4,410",),
    )
