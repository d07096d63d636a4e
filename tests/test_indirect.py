"""What a log tells only indirectly: by the lines around silences, by clocks, counters and steps of five seconds."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from taskdoctor.causes import all_causes
from taskdoctor.collectors.logs.brackets import KIND
from taskdoctor.collectors.logs.collecting import collect
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Lane, Status, Verdict

START_S = 1_780_000_000.0
Lines = Iterable[tuple[float, str]]


def written(path: Path, lines: Lines) -> Path:
    def stamp(at_s: float) -> str:
        return datetime.fromtimestamp(START_S + at_s, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")

    text = [f"{stamp(at_s)} INFO app: {message}" for at_s, message in sorted(lines, key=lambda line: line[0])]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def verdict_on(path: Path) -> Verdict:
    return judge([collect([str(path)])], all_causes())


def first_cause(verdict: Verdict) -> str:
    return verdict.findings[0].cause if verdict.findings else ""


def held_service(holds: dict[float, float], before: str, *, often: int = 0) -> list[tuple[float, str]]:
    """Two beats and some traffic; while the loop is held nothing is written, and all that was due comes at its end."""
    rng = random.Random(5)
    due = [(2.0 * i, "beat ok") for i in range(300)] + [(3.1 * i, "pool 1/5 fine") for i in range(190)]
    due += [(rng.uniform(0, 600), f"order {i} placed by a customer") for i in range(600)]
    due += [(rng.uniform(0, 600), before) for _ in range(often)]

    def shown_s(at_s: float) -> float:
        return next(
            (start_s + length_s for start_s, length_s in holds.items() if start_s < at_s < start_s + length_s), at_s
        )

    return [(shown_s(at_s), text) for at_s, text in due] + [(start_s, before) for start_s in holds]


HOLDS = {41.3: 3.1, 130.9: 4.2, 222.4: 3.6, 317.7: 2.9, 401.2: 5.1, 512.6: 3.3}


def test_the_step_before_silences_is_what_held_the_loop(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", held_service(HOLDS, "rebuilding the price book for venue 7"))
    snapshot = collect([str(path)])
    steps = [event for event in snapshot.events if event.kind == KIND]
    assert len(steps) >= 5
    assert all("rebuilding the price book" in event.label for event in steps)
    verdict = judge([snapshot], all_causes())
    assert verdict.status is Status.STALLS_FOUND
    assert first_cause(verdict) in {"blocking-call", "cpu-bound"}


def test_what_the_step_is_called_says_whose_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", held_service(HOLDS, "closing session of a client"))
    assert {event.lane for event in collect([str(path)]).events if event.kind == KIND} == {Lane.TEARDOWN}
    assert first_cause(verdict_on(path)) == "slow-teardown"


def test_a_step_that_is_told_all_the_time_is_not_accused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", held_service(HOLDS, "rebuilding the price book for venue 7", often=400))
    assert not [event for event in collect([str(path)]).events if event.kind == KIND]


def test_a_clock_that_stood_still_tells_of_sleep(tmp_path: Path) -> None:
    """The wall clock went on by up to four minutes, the service's own did not."""
    lines, wall_s, own_s = [], 0.0, 0.0
    for i in range(120):
        wall_s, own_s = wall_s + 5.0, own_s + 5.0
        wall_s += {30: 95.0, 55: 240.0, 80: 61.0, 100: 130.0}.get(i, 0.0)
        lines += [(wall_s, f"tick {own_s * 1000:.0f} ms up"), (wall_s + 1.7, "looked at the mail, 3 new")]
    assert first_cause(verdict_on(written(tmp_path / "a.log", lines))) == "host-suspend"


def test_a_clock_that_goes_on_tells_of_a_held_loop(tmp_path: Path) -> None:
    lines, wall_s = [], 0.0
    for i in range(120):
        wall_s += 5.0 + {30: 9.0, 55: 24.0, 80: 6.0, 100: 13.0}.get(i, 0.0)
        lines += [(wall_s, f"tick {wall_s * 1000:.0f} ms up"), (wall_s + 1.7, "looked at the mail, 3 new")]
    assert first_cause(verdict_on(written(tmp_path / "a.log", lines))) != "host-suspend"


def fetches(slow: Iterable[float]) -> list[tuple[float, str]]:
    rng, late = random.Random(3), list(slow)
    lines = []
    for i in range(240):
        connect_s = late[i // 12 % len(late)] if i % 12 == 0 else rng.uniform(0.01, 0.06)
        first_s = connect_s + rng.uniform(0.1, 0.2)
        total_s = first_s + rng.uniform(0.02, 0.08)
        stages = f"conn={connect_s:.3f} ttfb={first_s:.3f} total={total_s:.3f}"
        lines.append((3.0 * i + total_s, f"event=fetch host=wiki{i % 9}.example status=200 {stages}"))
    return lines


def test_connections_late_by_a_resolvers_patience_are_dns(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", fetches((5.02, 10.04, 5.03, 5.01)))
    assert first_cause(verdict_on(path)) == "dns"


def test_connections_late_by_anything_are_the_peers(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", fetches((3.1, 7.4, 4.2, 8.8, 6.3)))
    assert first_cause(verdict_on(path)) != "dns"


def gauges(collected: Iterable[int]) -> list[tuple[float, str]]:
    """A pulse every five seconds, late now and then; how often a full collection ran is counted in it."""
    steps, count, lines = set(collected), 3, []
    for i in range(200):
        late_ms = 2400 if i % 23 == 22 else 1
        count += i in steps
        lines.append((5.0 * i + late_ms / 1000, f"pulse lag={late_ms}ms tasks={40 + i % 3} gc2={count}"))
    return lines


def test_full_collections_counted_where_it_stalls_own_the_stalls(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", gauges(range(22, 200, 23)))
    assert first_cause(verdict_on(path)) == "gc-pause"


def test_full_collections_counted_elsewhere_own_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", gauges(range(5, 200, 23)))
    assert first_cause(verdict_on(path)) != "gc-pause"


def test_waits_in_a_queue_while_all_threads_are_busy_are_the_threads(tmp_path: Path) -> None:
    lines = []
    for i in range(300):
        full = i % 60 >= 45
        threads = "4/4" if full else f"{i % 3}/4"
        lines.append((4.0 * i, f"liveness ok worker_threads={threads} waiting={6 if full else 0}"))
        queued_s = 6.5 if full else 0.01
        lines.append((4.0 * i + 1, f"document {i} stored queued_s={queued_s} run_s=0.8 total_s={queued_s + 0.9:.2f}"))
    assert first_cause(verdict_on(written(tmp_path / "a.log", lines))) == "executor-starvation"


def test_times_of_day_beside_dates_are_of_those_days(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(
        "".join(
            f"[2026-10-05 23:{minute:02}:01 +0000] [17] [INFO] served\n23:{minute:02}:04 beat> ok\n"
            for minute in range(60)
        )
        + "[2026-10-06 00:00:01 +0000] [17] [INFO] served\n00:00:04 beat> ok\n",
        encoding="utf-8",
    )
    (source,) = collect([str(path)]).sources
    assert source.first_s is not None
    assert source.last_s is not None
    assert source.last_s - source.first_s == 3603.0
    assert not [note for note in source.notes if "backwards" in note]
