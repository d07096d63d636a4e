"""Merged parts equal the whole: the answer does not depend on how the reading was cut, shared out or ordered."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskdoctor.collectors.logs import collecting, partial, thinning
from taskdoctor.collectors.logs.collecting import Options, collect
from taskdoctor.collectors.logs.event import all_events
from taskdoctor.collectors.logs.partial import Partial, Seen
from taskdoctor.collectors.logs.reading import CELL_BYTES
from taskdoctor.model import Snapshot

SAMPLES = [sample for event in all_events() for sample in event.samples]


def _log(path: Path, *, seed: int, lines: int, start_s: float = 1_767_000_000.0) -> Path:
    """A log of samples and filler at a beat of 20 ms, with silences, tracebacks and lines that carry no stamp."""
    rng = random.Random(seed)
    at_s, text = start_s, []
    for number in range(lines):
        at_s += 0.02 if rng.random() < 0.999 else 5.0
        message = rng.choice(SAMPLES) if rng.random() < 0.1 else f"frame {number} sent to the browser, all good here"
        if rng.random() < 0.05:
            text.append(message)
            continue
        stamp = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        text.append(f"{stamp} | INFO     | app.service:handle:{number % 90} - {message}")
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _log(tmp_path_factory.mktemp("logs") / "service.log", seed=3, lines=9_000)


def _cut(path: Path, *, piece_blocks: int = 512, workers: int = 1) -> Snapshot:
    return collect([str(path)], Options(small_bytes=0, piece_blocks=piece_blocks, workers=workers))


@pytest.fixture(scope="module")
def whole(log: Path) -> Snapshot:
    return _cut(log, piece_blocks=10_000, workers=1)


@pytest.mark.parametrize("piece_blocks", [1, 2, 3, 7])
def test_any_chunking_gives_the_same_snapshot(log: Path, whole: Snapshot, piece_blocks: int) -> None:
    assert whole.events
    assert _cut(log, piece_blocks=piece_blocks, workers=1) == whole


def test_any_worker_count_gives_the_same_snapshot(log: Path, whole: Snapshot) -> None:
    assert _cut(log, piece_blocks=2, workers=2) == whole


@pytest.fixture
def thinning_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a log of a megabyte were one of a gigabyte."""
    monkeypatch.setattr(thinning, "BUDGET", 400)
    monkeypatch.setattr(thinning, "LEAST", 4)
    monkeypatch.setattr(thinning, "STRETCH_CELLS", 1)
    monkeypatch.setattr(thinning, "STRETCHES", 1)


@pytest.mark.usefixtures("thinning_early")
@pytest.mark.parametrize(("piece_blocks", "workers"), [(1, 1), (3, 1), (2, 2)])
def test_a_thinned_log_says_the_same_however_it_is_cut(log: Path, piece_blocks: int, workers: int) -> None:
    thinned = _cut(log, piece_blocks=10_000)
    assert any(tally.kept < tally.count for tally in thinned.tallies)
    assert _cut(log, piece_blocks=piece_blocks, workers=workers) == thinned


@pytest.mark.usefixtures("thinning_early")
def test_thinning_keeps_what_is_rare_and_what_is_longest(tmp_path: Path) -> None:
    rng, text = random.Random(9), []
    slow = sorted(rng.sample(range(30_000), 12))
    for number in range(30_000):
        stamp = datetime.fromtimestamp(1_767_000_000 + number * 0.05, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        took_s = 19.0 + rng.random() if number in slow else 1.0 + rng.random()
        text.append(f"{stamp} | INFO     | app.chat:turn:{number % 90} - Conversation total elapsed: {took_s:.3f}s")
        if number == slow[5]:
            text.append(f"{stamp} | WARNING  | asyncio:run:12 - Executing <Task pending> took 1.500 seconds")
    path = tmp_path / "service.log"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    snapshot = _cut(path, piece_blocks=7)
    turns = next(tally for tally in snapshot.tallies if tally.kind == "conversation-elapsed")
    assert turns.kept < 3_000
    assert 28_000 < turns.count < 32_000
    lines = {event.place.line for event in snapshot.events if event.kind == turns.kind and (event.seconds or 0) > 10}
    late = slow[5]
    assert lines == {number + 1 + (number > late) for number in slow}
    assert [event.place.line for event in snapshot.events if event.kind != turns.kind] == [late + 2]


def test_order_of_files_does_not_matter(tmp_path: Path) -> None:
    paths = [str(_log(tmp_path / f"worker-{n}.log", seed=n, lines=800, start_s=1_767_000_000.0 + n)) for n in (1, 2, 3)]
    assert collect(paths) == collect(paths[::-1]) == collect([str(tmp_path)])


def test_a_packed_log_says_the_same(log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "service.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    plain, unpacked = collect([str(log)]), collect([str(packed)])
    assert [(e.kind, e.at_s, e.place.line) for e in plain.events] == [
        (e.kind, e.at_s, e.place.line) for e in unpacked.events
    ]


@pytest.mark.parametrize("workers", [2, 3])
def test_a_packed_log_shared_by_workers_says_the_same(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Each unpacks all of it and reads its own ranges."""
    monkeypatch.setattr(collecting, "PIECE_BLOCKS_MIN", 2)
    packed = tmp_path / "service.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    one, several = (
        collect([str(packed)], Options(small_bytes=CELL_BYTES, workers=workers)) for workers in (1, workers)
    )
    assert one.events
    assert several == one


@pytest.mark.usefixtures("thinning_early")
def test_what_is_searched_in_some_stretches_only_is_still_counted(tmp_path: Path) -> None:
    """A frequent line that names no time: told from the stretches that are read. Beside a rare one it is seen."""
    text = []
    for number in range(30_000):
        stamp = datetime.fromtimestamp(1_767_000_000 + number * 0.05, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        text.append(f"{stamp} | INFO     | app.chat:serve:{number % 90} - connection closed")
        if number % 7_000 == 100:
            text.append(f"{stamp} | WARNING  | asyncio:run:12 - Executing <Task pending> took 1.500 seconds")
    path = tmp_path / "service.log"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    counts = {tally.kind: (tally.count, tally.kept) for tally in _cut(path).tallies}
    [(closed, kept)] = [found for kind, found in counts.items() if "closed" in kind]
    assert kept < 15_000
    assert 27_000 < closed < 33_000
    assert counts["asyncio-slow-callback"] == (5, 5)


def test_candidates_find_what_every_line_finds(log: Path, whole: Snapshot) -> None:
    """The quick way through a big log sees the same stamped events as parsing every line."""
    slow = collect([str(log)], Options(small_bytes=10**9))
    follows = {event.kind for event in all_events() if event.follows}  # only known within a block
    assert [(t.kind, t.count) for t in slow.tallies if t.kind not in follows] == [
        (t.kind, t.count) for t in whole.tallies if t.kind not in follows
    ]
    at_block_edges = {(e.kind, e.place.line) for e in whole.events if not e.aligned}
    placed = {(e.kind, e.at_s, e.place.line) for e in whole.events if e.aligned and e.kind not in follows}
    assert placed == {
        (e.kind, e.at_s, e.place.line)
        for e in slow.events
        if e.kind not in follows and (e.kind, e.place.line) not in at_block_edges
    }


def test_times_of_day_go_on_over_midnight(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    times = ["23:59:58", "23:59:59", "00:00:01", "00:00:02"]
    lines = [f"{at} - LiteLLM Proxy:INFO: proxy.py:10 - event loop blocked for 1.{n} s" for n, at in enumerate(times)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    stamps = [event.at_s for event in collect([str(path)]).events]
    assert [at_s - stamps[0] for at_s in stamps] == [0, 1, 3, 4]


def test_a_line_that_reached_its_container_late_was_held_up(tmp_path: Path) -> None:
    path = tmp_path / "pod.log"
    path.write_text(
        "".join(
            f"2026-03-04T10:11:{second + late:02}.100000000Z stdout F 2026-03-04 10:11:{second:02},050 INFO app: turn\n"
            for second, late in ((10, 0), (11, 0), (12, 3), (16, 0))
        ),
        encoding="utf-8",
    )
    late = [event for event in collect([str(path)]).events if event.kind == "log-written-late"]
    assert [(event.place.line, round(event.seconds or 0.0, 2)) for event in late] == [(3, 3.05)]


def _seen(at_s: float, line: int, kind: str, seconds: float | None) -> Seen:
    return Seen(at_s, 0, 0, line, kind, seconds, None, "", "", "", None, "", True, 0.001, partial.stretch_at(at_s))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.sampled_from("abc"), st.none() | st.floats(0, 100)), min_size=1, max_size=400
    ),
    st.lists(st.integers(0, 400), max_size=6),
    st.randoms(use_true_random=False),
)
def test_sampling_is_decided_by_the_set_alone(
    drawn: list[tuple[float, str, float | None]], cuts: list[int], rng: random.Random
) -> None:
    before = partial.MOST, partial.LEAST, partial.BUDGET
    partial.MOST, partial.LEAST, partial.BUDGET = 12, 6, 30
    try:
        events = [_seen(at_s, line, kind, seconds) for line, (at_s, kind, seconds) in enumerate(drawn)]
        edges = sorted({0, len(events), *(cut % (len(events) + 1) for cut in cuts)})
        parts = [_partial(events[a:b]) for a, b in pairwise(edges)]
        rng.shuffle(parts)
        merged = Partial()
        for part in parts:
            merged.merge(part)
        merged.trim()
        whole = _partial(events)
        assert {kind: r.events() for kind, r in merged.reservoirs.items()} == {
            kind: r.events() for kind, r in whole.reservoirs.items()
        }
        assert {k: r.count for k, r in merged.reservoirs.items()} == {k: r.count for k, r in whole.reservoirs.items()}
    finally:
        partial.MOST, partial.LEAST, partial.BUDGET = before


def _partial(events: list[Seen]) -> Partial:
    made = Partial()
    for seen in events:
        made.add(seen)
    made.trim()
    return made


def test_a_big_log_of_a_stranger_is_read_by_its_own_lines(tmp_path: Path) -> None:
    """Lines without any known literal: learned from a few cells, found in all."""
    rng = random.Random(5)
    path = tmp_path / "stranger.log"
    text = []
    for number in range(12_000):
        stamp = datetime.fromtimestamp(1_767_000_000 + number * 0.2, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        if number % 4 == 0:
            text.append(f"{stamp} | INFO     | shop.web:reply:12 - GET /basket/{number} 200 {rng.randrange(40, 90)}ms")
        else:
            text.append(f"{stamp} | DEBUG    | shop.stock:move:9 - shelf {number} moved, all good here, nothing to do")
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    slow = collect([str(path)], Options(small_bytes=10**9))
    quick = _cut(path, piece_blocks=3)
    assert [(t.kind, t.count) for t in quick.tallies] == [(t.kind, t.count) for t in slow.tallies]
    assert sum(tally.count for tally in quick.tallies) == 3000


@pytest.mark.parametrize("hours", [8.0, -5.0, 5.5])
def test_a_log_in_local_time_lies_with_one_that_says_its_zone(tmp_path: Path, hours: float) -> None:
    (tmp_path / "app.log").write_text(_turns("", hours * 3600), encoding="utf-8")
    (tmp_path / "container.log").write_text(_turns("Z", 0.0), encoding="utf-8")
    snapshot = collect([str(tmp_path)])
    own, container = ([e.at_s for e in snapshot.events if e.place.source.endswith(f)] for f in ("app.log", "er.log"))
    assert own == container
    assert any("no zone" in note for source in snapshot.sources for note in source.notes)


def test_logs_without_any_zone_stay_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "one.log").write_text(_turns("", 0.0), encoding="utf-8")
    (tmp_path / "two.log").write_text(_turns("", 8 * 3600.0), encoding="utf-8")
    assert {round(e.at_s) // 3600 for e in collect([str(tmp_path)]).events} == {490833, 490841}


def _turns(zone: str, shift_s: float) -> str:
    stamps = (datetime.fromtimestamp(1_767_000_000 + shift_s + 7.0 * turn, UTC) for turn in range(60))
    return "".join(f"{at:%Y-%m-%dT%H:%M:%S}.250{zone} Conversation total elapsed: 1.842s\n" for at in stamps)


@pytest.mark.parametrize("small_bytes", [0, 10**9])
def test_every_record_of_a_batch_counts(tmp_path: Path, small_bytes: int) -> None:
    def record(turn: int) -> dict[str, object]:
        body = {"stringValue": f"Conversation total elapsed: {turn}.842s"}
        return {"timeUnixNano": str(1_767_000_000_000_000_000 + turn * 10**9), "severityText": "INFO", "body": body}

    batches = [
        {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "chat"}, "logRecords": [record(n), record(n + 1)]}]}]}
        for n in range(0, 20, 2)
    ]
    path = tmp_path / "otel.jsonl"
    path.write_text("".join(json.dumps(batch, separators=(",", ":")) + "\n" for batch in batches), encoding="utf-8")
    turns = [event for event in collect([str(path)], Options(small_bytes=small_bytes)).events if event.seconds]
    assert [(round(turn.at_s), turn.seconds, turn.place.line) for turn in turns] == [
        (1_767_000_000 + n, n + 0.842, n // 2 + 1) for n in range(20)
    ]


def test_a_worker_that_falls_silent_is_seen_among_those_that_go_on(tmp_path: Path) -> None:
    """Three workers in one big log, one of which is held now and then: its own lines stop."""
    lines: list[tuple[float, str]] = []
    held = [(40.0, 43.5), (95.0, 98.0), (160.0, 163.0)]
    for pid in (812, 813, 814):
        for tick in range(2_400):
            due_s = tick * 0.1 + pid % 10 * 0.01
            late = [end_s for start_s, end_s in held if pid == 813 and start_s <= due_s < end_s]
            at_s = late[0] + tick % 10 * 0.001 if late else due_s
            stamp = datetime.fromtimestamp(1_767_000_000 + at_s, UTC).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
            lines.append((at_s, f"[{stamp}] [{pid}] [INFO] feed: tick {tick}, all good here"))
    path = tmp_path / "workers.log"
    path.write_text("\n".join(line for _, line in sorted(lines)) + "\n", encoding="utf-8")
    gaps = _cut(path).gaps
    assert {gap.worker for gap in gaps} == {"813"}
    assert [round(gap.end_s) - 1_767_000_000 for gap in gaps] == [44, 98, 163]
